"""`payouts serve`: the schedules of a project, a worker and the receiver of webhooks, as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from payouts.cli import frame
from payouts.cli.frame import Exit, Json, Panel, add

if TYPE_CHECKING:
    from collections.abc import Mapping

    from payouts.core.pipeline import Pipeline
    from payouts.scheduler import Calendar
    from payouts.wiring import Parts

__all__ = ["register"]

_Listed = Annotated[
    bool,
    typer.Option(
        "--list", help="Show when what runs next and what ran last, and end.", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    """Add `serve`."""
    add(app, serve, panel=Panel.PAY, example="payouts serve --list")


def serve(*, listed: _Listed = False, as_json: Json = False) -> Exit:
    """Run the pipelines at their times, pay what they pick up, and receive webhooks, until Ctrl-C.

    Each slot of a schedule runs once, also with several `serve`; slots that nobody ran are said and
    recorded, and the latest of them picks their files up. Ctrl-C once finishes what is in flight.
    """
    import asyncio  # noqa: PLC0415  bodies import what they need

    from payouts.discover import find_pipelines  # noqa: PLC0415  the same

    with frame.project(platforms=not listed) as parts:
        pipelines = find_pipelines(parts.project)
        if listed:
            return _list(parts, pipelines, as_json=as_json)
        from payouts.web.running import receiving  # noqa: PLC0415  the same

        with receiving(parts, said=frame.say) as urls:
            _introduce(parts, pipelines, urls)
            asyncio.run(_serve(parts, pipelines))
        frame.say("Stopped: no slot is being run, and nothing of this worker is in flight.")
    return Exit.DONE


async def _serve(parts: Parts, pipelines: Mapping[str, Pipeline]) -> None:
    """Keep the schedules beside the worker; the worker takes the signals, and both end together."""
    import asyncio  # noqa: PLC0415  bodies import what they need

    from payouts.cli import foreground  # noqa: PLC0415  the same
    from payouts.scheduler import Scheduler  # noqa: PLC0415  the same

    stopping = asyncio.Event()
    scheduler = Scheduler(parts, pipelines, said=frame.say)
    keeping = asyncio.create_task(scheduler.run(stopping))
    try:
        await foreground.work(parts, frame.say, finished=keeping.done)
    finally:
        stopping.set()
        await keeping


def _introduce(parts: Parts, pipelines: Mapping[str, Pipeline], urls: Mapping[str, str]) -> None:
    frame.say(
        f"Serving · {parts.settings.environment} · database {parts.database_id}."
        " Ctrl-C finishes what is in flight."
    )
    for one in _calendar(parts, pipelines):
        frame.say(f"  {one.pipeline.name}: next {_when(one)}, files {one.pipeline.files}")
    for name, url in urls.items():
        frame.say(f"  webhooks of {name}: {url}")
    if not urls:
        frame.say("  webhooks: none, since no platform's webhook secret is set; polling finds out.")


def _calendar(parts: Parts, pipelines: Mapping[str, Pipeline]) -> list[Calendar]:
    from datetime import UTC, datetime  # noqa: PLC0415  bodies import what they need

    from payouts.scheduler import calendar  # noqa: PLC0415  the same

    return calendar(parts.database, pipelines, now=datetime.now(UTC))


def _when(one: Calendar) -> str:
    slot = one.next_slot.replace("T", " ")
    if one.pipeline.timezone == "UTC":
        return f"{slot} UTC"
    return f"{slot} {one.pipeline.timezone} ({one.next_at:%Y-%m-%d %H:%M} UTC)"


def _list(parts: Parts, pipelines: Mapping[str, Pipeline], *, as_json: bool) -> Exit:
    """Next and last slots, and the pipelines without a schedule."""
    found = _calendar(parts, pipelines)
    unscheduled = [one for one in pipelines.values() if one.schedule is None]
    if as_json:
        frame.document("schedules", {"pipelines": [_document(one) for one in found]})
        return Exit.DONE
    rows = [
        (one.pipeline.name, one.pipeline.schedule, _when(one), one.pipeline.files) for one in found
    ]
    for text in frame.table(("pipeline", "schedule", "next", "files"), rows):
        frame.told(text)
    for one in found:
        for row in one.recent:
            when = row.slot.replace("T", " ")
            frame.told(f"  {row.pipeline} {when} {row.state}: {frame.clean(row.detail or '')}")
    for pipeline in unscheduled:
        frame.told(f"{pipeline.name} runs by hand only.")
    return Exit.DONE


def _document(one: Calendar) -> dict[str, object]:
    return {
        "pipeline": one.pipeline.name,
        "schedule": one.pipeline.schedule,
        "timezone": one.pipeline.timezone,
        "files": one.pipeline.files,
        "next_slot": one.next_slot,
        "next_at": one.next_at.isoformat(),
        "recent": [
            {
                "slot": row.slot,
                "state": row.state,
                "detail": row.detail,
                "claimed_at": row.claimed_at.isoformat(),
            }
            for row in one.recent
        ],
    }
