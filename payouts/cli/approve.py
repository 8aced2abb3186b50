"""`payouts approve`, `retry`: what a person lets go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payouts.cli import frame
from payouts.cli.decide import Reason, Wait, Yes, goes_on, require_words, short_of_money
from payouts.cli.frame import Exit, Json, OneRun, Panel, add

if TYPE_CHECKING:
    import typer

__all__ = ["register"]

_HELD_BY_WORDS = ("rejects", "lookalike")
"""Holds that end when a person says so; the one for money ends with the money."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(
        app,
        approve,
        panel=Panel.CONTROL,
        example='payouts approve last --reason "checked with Ana"',
    )
    add(app, retry, panel=Panel.CONTROL, example="payouts retry last")


def approve(
    run: OneRun, *, reason: Reason, wait: Wait = False, yes: Yes = False, as_json: Json = False
) -> Exit:
    """Approve RUN: its money is reserved and it is sent; a hold for rejects or a likeness ends."""
    from payouts.cli.summary import money_of  # noqa: PLC0415  bodies import what they need
    from payouts.cli.which import require_yes, run_row  # noqa: PLC0415  the same
    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.flows import review  # noqa: PLC0415  the same
    from payouts.store import queries  # noqa: PLC0415  the same

    require_words(reason)
    with frame.project(platforms=wait) as parts:
        with parts.database.reading() as unit:
            row = run_row(unit, run)
            held = queries.holds(unit, [row.id], open_only=True)
        name = public_id("run", row.id)
        question = f"Approve {name} ({row.source_name}, {money_of(row.totals, most=None)})?"
        if parts.settings.environment == "live":
            require_yes(question, yes=yes)
        actor = frame.person()
        ended = review.release(parts.database, row.id, reasons=_HELD_BY_WORDS, actor=actor)
        made = review.approve(parts.database, row.id, actor=actor, reason=reason)
        code = Exit.WAITING if made.short else Exit.DONE
        if as_json:
            body = {
                "run": name,
                "approved_batches": made.batches,
                "released_holds": ended.released + made.released,
                "short_minor": dict(made.short),
            }
            frame.document("approval", {**body, "exit_code": int(code)})
            return code
        for hold in held:
            if hold.reason in _HELD_BY_WORDS:
                frame.told(f"Released {hold.reason}: {frame.clean(hold.detail)}")
        if made.short:
            return short_of_money(row, made)
        if not made.batches:
            frame.told(f"{name}: nothing was waiting for an approval.")
        else:
            batches = frame.count(made.batches, "batch", "batches")
            total = money_of(row.totals, most=None)
            frame.told(f"{name} is approved by {actor}: {batches}, {total}")
        return goes_on(parts, row.id, wait=wait)


def retry(run: OneRun, *, wait: Wait = False, as_json: Json = False) -> Exit:
    """Try now what waits for its next turn after an answer that proved it was not executed.

    Paused lanes of RUN are resumed. What is unclear is never touched: evidence decides it.
    """
    from payouts.cli.which import run_row  # noqa: PLC0415  bodies import what they need
    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.flows.retry import retry_run  # noqa: PLC0415  the same
    from payouts.store import queries  # noqa: PLC0415  the same

    with frame.project(platforms=wait) as parts:
        with parts.database.reading() as unit:
            row = run_row(unit, run)
        made = retry_run(parts.database, row.id)
        with parts.database.reading() as unit:
            counts = queries.counts(unit, [row.id])
        unclear = sum(one.items for one in counts if one.state in {"unknown", "review"})
        name = public_id("run", row.id)
        if as_json:
            body = {
                "run": name,
                "items": made.items,
                "batches": made.batches,
                "resumed": [{"provider": p, "funding": f} for p, f in made.resumed],
                "kept_paused": [{"provider": p, "funding": f} for p, f in made.kept],
                "unclear": unclear,
            }
            frame.document("retry", {**body, "exit_code": 0})
            return Exit.DONE
        for provider, funding in made.resumed:
            frame.told(f"Resumed  the lane {provider}/{funding}")
        for provider, funding in made.kept:
            frame.told(
                f"Paused   the lane {provider}/{funding} stays so: `payouts resume {provider}`"
            )
        if made.items:
            frame.told(f"Due now  {frame.count(made.items, 'item')} of {name}")
        elif not made.resumed:
            frame.told(f"{name} has nothing that may be tried again now.")
        if unclear:
            frame.told(
                f"Untouched {frame.count(unclear, 'item')} without a clear answer: sending again"
                " could pay twice"
            )
        if made.items or made.resumed:
            return goes_on(parts, row.id, wait=wait)
        frame.next_step(f"payouts status {name}")
        return Exit.DONE
