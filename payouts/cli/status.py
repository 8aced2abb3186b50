"""`payouts status`: where the runs stand, or one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from payouts.cli import frame
from payouts.cli.frame import Exit, Json, Panel, add
from payouts.cli.which import runs_like
from payouts.core.items import OPEN, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from payouts.flows.progress import Standing
    from payouts.store.queries import CountRow, HoldRow, LaneRow, RunRow
    from payouts.wiring import Parts

__all__ = ["next_of", "register"]

_LIST_MAX = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, status, panel=Panel.LOOK, example="payouts status last")


def status(
    run: Annotated[
        str | None,
        typer.Argument(help="A run: its id, its file's name, or `last`.", autocompletion=runs_like),
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many runs to list.")] = _LIST_MAX,
    as_json: Json = False,
) -> Exit:
    """Show the newest runs and what needs somebody, or where one RUN stands.

    Exits 5 where RUN waits for somebody.
    """
    with frame.project() as parts:
        if run is None:
            return _status_all(parts, limit, as_json=as_json)
        return _status_one(parts, run, as_json=as_json)


def _status_all(parts: Parts, limit: int, *, as_json: bool) -> Exit:
    from payouts.cli import attention  # noqa: PLC0415  bodies import what they need
    from payouts.cli.which import first_step  # noqa: PLC0415  the same
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need
    from payouts.store import queries  # noqa: PLC0415  the same

    with parts.database.reading() as unit:
        rows = queries.runs(unit, limit=limit)
        keys = [row.id for row in rows]
        counts = queries.counts(unit, keys)
        holds = queries.holds(unit, keys, open_only=True)
        lanes = queries.lanes(unit, keys)
    needs = attention.look(parts)
    if as_json:
        runs = [_run_values(row, counts, holds, lanes) for row in rows]
        body = {**_where(parts), "runs": runs, **needs.values()}
        frame.document("status", {**body, "exit_code": 0})
        return Exit.DONE
    frame.told(_heading(parts))
    if not rows:
        frame.told("There is no run yet.")
        for line in needs.lines():
            frame.told(line)
        frame.next_step(first_step())
        return Exit.DONE
    table = []
    for row in rows:
        mine = [count for count in counts if count.run_id == row.id]
        total, paid, unpaid, still = _split(mine)
        table.append(
            (
                public_id("run", row.id),
                f"{row.created_at:%Y-%m-%d %H:%M}",
                row.source_name,
                f"{row.lines_read:,}",
                f"{total:,}",
                f"{paid:,}",
                f"{unpaid:,}",
                f"{still:,}",
                _now(row, still, holds, lanes),
            )
        )
    headers = ("run", "loaded (UTC)", "file", "lines", "items", "paid", "not paid", "open", "now")
    for line in frame.table(headers, table, right=[3, 4, 5, 6, 7]):
        frame.told(line)
    for line in needs.lines():
        frame.told(line)
    if needs.incidents:
        frame.next_step(f"payouts explain {needs.incidents[0].code}", "says what to do")
        return Exit.DONE
    frame.next_step(f"payouts status {public_id('run', rows[0].id)}")
    return Exit.DONE


def _split(counts: Sequence[CountRow]) -> tuple[int, int, int, int]:
    """All items, those paid, those finally not, those open."""
    total = sum(row.items for row in counts)
    paid = sum(row.items for row in counts if row.state in {State.SETTLED, State.RECONCILED})
    still = sum(row.items for row in counts if State(row.state) in OPEN)
    return total, paid, total - paid - still, still


def _now(row: RunRow, still: int, holds: Sequence[HoldRow], lanes: Sequence[LaneRow]) -> str:
    """What a run is doing, in a word or two."""
    if row.closed_at is not None:
        return "closed"
    if not still:
        return "over"
    held = [hold.reason for hold in holds if hold.run_id == row.id and hold.item_id is None]
    if held:
        return f"held: {', '.join(dict.fromkeys(held))}"
    if row.approved_at is None:
        return "waits for approval"
    if any(lane.run_id == row.id and lane.paused_at is not None for lane in lanes):
        return "lane paused"
    return "open"


def _heading(parts: Parts) -> str:
    root = frame.clean(str(parts.project.root))
    return f"payouts · {parts.settings.environment} · database {parts.database_id} · {root}"


def _where(parts: Parts) -> dict[str, Any]:
    return {"environment": parts.settings.environment, "database_id": parts.database_id}


def _run_values(
    row: RunRow,
    counts: Sequence[CountRow],
    holds: Sequence[HoldRow],
    lanes: Sequence[LaneRow],
) -> dict[str, Any]:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    mine = [count for count in counts if count.run_id == row.id]
    still = _split(mine)[3]
    return {
        "run": public_id("run", row.id),
        "file": row.source_name,
        "pipeline": row.pipeline,
        "created_at": row.created_at,
        "approved_at": row.approved_at,
        "closed_at": row.closed_at,
        "lines": row.lines_read,
        "counts": dict(row.counts),
        "now": _now(row, still, holds, lanes),
        "items": [
            {
                "provider": one.provider,
                "currency": one.currency,
                "state": one.state,
                "items": one.items,
                "minor": one.amount_minor,
            }
            for one in mine
        ],
    }


def _status_one(parts: Parts, word: str, *, as_json: bool) -> Exit:
    from payouts.cli import foreground, summary  # noqa: PLC0415  bodies import what they need
    from payouts.cli.which import moment, run_row  # noqa: PLC0415  the same
    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.flows import progress  # noqa: PLC0415  the same
    from payouts.store import queries  # noqa: PLC0415  the same

    with parts.database.reading() as unit:
        row = run_row(unit, word)
        counts = queries.counts(unit, [row.id])
        holds = queries.holds(unit, [row.id], open_only=True)
        lanes = queries.lanes(unit, [row.id])
        failures = progress.failures(unit, row.id)
    name = public_id("run", row.id)
    standing = foreground.look(parts, row.id)
    code = summary.ending(standing, row.counts)
    step, why = next_of(name, standing, row)
    if as_json:
        body = {**_where(parts), **_run_values(row, counts, holds, lanes)}
        body["holds"] = [_hold_values(hold) for hold in holds]
        body["lanes"] = [_lane_values(lane) for lane in lanes]
        body["failures"] = dict(failures)
        frame.document("run_status", {**body, "next": step, "exit_code": int(code)})
        return code
    frame.told(_heading(parts))
    frame.told(f"{name} · {frame.clean(row.source_name)} · pipeline {row.pipeline}")
    frame.told(f"Loaded   {moment(row.created_at)}, {_approved(row)}, {_closed(row)}")
    lines = summary.run_lines(row, standing, failures, opened={}, agrees=True, files=[])
    for line in lines:
        frame.told(line)
    for line in _matrix(counts):
        frame.told(line)
    held = any(hold.item_id is None for hold in holds)
    for lane in lanes:
        for words in [] if held else _lane_words(lane):
            frame.told(f"Lane     {words}")
    frame.next_step(step, why)
    return code


def _approved(row: RunRow) -> str:
    if row.approved_at is None:
        return "not approved"
    return f"approved {row.approved_at:%H:%M:%S} by {row.approved_by}"


def _closed(row: RunRow) -> str:
    return "open" if row.closed_at is None else f"closed {row.closed_at:%Y-%m-%d %H:%M:%S}"


def _matrix(counts: Sequence[CountRow]) -> list[str]:
    """Items and money by currency and state."""
    if not counts:
        return []
    summed: dict[tuple[str, str], tuple[int, int]] = {}
    for row in counts:
        items, minor = summed.get((row.currency, row.state), (0, 0))
        summed[row.currency, row.state] = (items + row.items, minor + row.amount_minor)
    rows = [
        (currency, state, f"{items:,}", frame.money(minor, currency))
        for (currency, state), (items, minor) in summed.items()
    ]
    return frame.table(("", "state", "items", "amount"), rows, right=[2, 3], indent="  ")


def _lane_words(lane: LaneRow) -> list[str]:
    from datetime import UTC, datetime  # noqa: PLC0415  bodies import what they need

    from payouts.cli.which import moment, span  # noqa: PLC0415  the same
    from payouts.flows.explain import meaning  # noqa: PLC0415  the same

    name = f"{lane.provider}/{lane.funding}"
    if lane.paused_at is not None:
        why = meaning(lane.reason)
        return [f"{name} is paused since {moment(lane.paused_at)}: {frame.clean(why)}"]
    now = datetime.now(UTC)
    due = [
        f"{what} {span((at - now).total_seconds())}"
        for what, at in (("sends", lane.send_at), ("looks", lane.check_at))
        if at is not None
    ]
    return [f"{name} {' and '.join(due)}"] if due else []


def _hold_values(hold: HoldRow) -> dict[str, Any]:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    return {
        "reason": hold.reason,
        "detail": hold.detail,
        "item": None if hold.item_id is None else public_id("itm", hold.item_id),
        "opened_at": hold.opened_at,
        "opened_by": hold.opened_by,
    }


def _lane_values(lane: LaneRow) -> dict[str, Any]:
    return {
        "provider": lane.provider,
        "funding": lane.funding,
        "paused_at": lane.paused_at,
        "reason": lane.reason,
        "send_at": lane.send_at,
        "check_at": lane.check_at,
    }


def next_of(name: str, standing: Standing, row: RunRow) -> tuple[str, str]:
    """The next command for a run that somebody looks at."""
    if not standing.rests:
        return "payouts worker", "goes on with it"
    if standing.waits:
        from payouts.cli import summary  # noqa: PLC0415  bodies import what they need

        wait = standing.waits[0]
        steps = {
            "approval": (f"payouts approve {name} --reason …", "pays it"),
            "held": summary.ends_hold(name, row.funding, wait.detail),
            "paused": summary.ends_pause(name, wait.detail),
            "later": ("payouts worker", "sends what is due later"),
            "unclear": (f"payouts items {name} --state unknown", "shows them one by one"),
            "review": (f"payouts items {name} --state review", "shows them one by one"),
        }
        return steps[str(wait.reason)]
    if standing.unpaid:
        return f"payouts items {name} --state unpaid", "shows why, one by one"
    return f"payouts report {name}", "writes its files"
