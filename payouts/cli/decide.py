"""What commands that decide about money share: their options, and what comes after a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from payouts.cli import frame
from payouts.cli.frame import Exit
from payouts.core.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from payouts.flows.review import Review
    from payouts.store.queries import RunRow
    from payouts.wiring import Parts

__all__ = ["Reason", "Wait", "Yes", "goes_on", "require_words", "run_of", "short_of_money"]

Reason = Annotated[str, typer.Option(help="Why; it is kept with your name.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Work until nothing of the run moves by itself.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer yes, for scripts.")]


def require_words(reason: str) -> None:
    """Refuse an empty reason: it is all that a later reader has."""
    if not reason.strip():
        raise UsageError("the reason is empty", hint="Say why in a few words: --reason …")


def short_of_money(row: RunRow, made: Review) -> Exit:
    """Say what is missing, and the command that books it in."""
    from payouts.cli.summary import money_of  # noqa: PLC0415  bodies import what they need
    from payouts.core.ids import public_id  # noqa: PLC0415  the same

    name = public_id("run", row.id)
    frame.told(f"{name} waits for money: {row.funding} lacks {money_of(made.short, most=None)}")
    currency, minor = next(iter(sorted(made.short.items())))
    amount = frame.money(minor, currency).rpartition(" ")[0].replace(",", "")
    frame.next_step(f"payouts fund {row.funding} {amount} {currency} --reason …")
    return Exit.WAITING


def goes_on(parts: Parts, run_id: int, *, wait: bool) -> Exit:
    """Say, or do, what comes after a decision."""
    from payouts.cli import foreground, screen, summary  # noqa: PLC0415  bodies import lazily
    from payouts.cli.report import written_files  # noqa: PLC0415  the same
    from payouts.core.ids import public_id  # noqa: PLC0415  the same

    name = public_id("run", run_id)
    if not wait:
        frame.next_step("payouts worker", f"sends it; `payouts status {name}` shows how far it is")
        return Exit.DONE
    with screen.opened() as shown:
        standing, stopped = foreground.until_rest(parts, run_id, shown)
    with parts.database.reading() as unit:
        row = run_of(unit, run_id)
    frame.told(f"Paid     {standing.paid:,} of {frame.count(standing.items, 'item')}")
    for words in summary.waiting(standing):
        frame.told(f"Waits    {words}")
    if stopped:
        frame.next_step("payouts worker", "goes on with it")
        return summary.ending(standing, row.counts, stopped=True)
    written = written_files(parts, row, None)
    agrees = written.report.proof.agrees
    frame.told(f"Report   {written.html}")
    what = "unpaid" if standing.unpaid else "open"
    if standing.unpaid or standing.waits:
        frame.next_step(f"payouts items {name} --state {what}", "shows why, one by one")
    else:
        frame.next_step(f"payouts status {name}")
    return summary.ending(standing, row.counts, agrees=agrees)


def run_of(unit: Connection, run_id: int) -> RunRow:
    """A run that was there a moment ago."""
    from payouts.store import queries  # noqa: PLC0415  bodies import what they need

    row = queries.run(unit, run_id)
    if row is None:
        raise UsageError(f"run {run_id} is gone", code="E_RUN_UNKNOWN")
    return row
