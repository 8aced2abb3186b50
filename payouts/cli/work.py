"""`payouts worker`: one more worker, on this or another machine, on the same database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payouts.cli import frame
from payouts.cli.frame import Exit, Panel, add

if TYPE_CHECKING:
    import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add `worker`."""
    add(app, worker, panel=Panel.PAY, example="payouts worker")


def worker() -> Exit:
    """Send, look at and settle whatever is due, until Ctrl-C.

    Start as many as you like on as many machines; they share one PostgreSQL. Ctrl-C once finishes
    what is in flight, twice stops at once.
    """
    import asyncio  # noqa: PLC0415  bodies import what they need

    from payouts.cli import foreground  # noqa: PLC0415  the same
    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.flows.closing import close_ended  # noqa: PLC0415  the same

    with frame.project(platforms=True) as parts:
        frame.say(
            f"Working · {parts.settings.environment} · database {parts.database_id}."
            " Ctrl-C finishes what is in flight."
        )
        asyncio.run(foreground.work(parts, frame.say, finished=lambda: False))
        for run_id in close_ended(parts.database):
            frame.say(f"{public_id('run', run_id)} is over and closed.")
        frame.say("Stopped: nothing of this worker is in flight.")
    return Exit.DONE
