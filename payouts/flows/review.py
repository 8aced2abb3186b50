"""What a person, or a policy in place of one, says about a loaded run: pay it, or go on after all.

Approval and release are each one transaction that also puts the lanes into the queue, so that
nothing that may be sent is forgotten. The funding accounts are locked while it is decided.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import text

from payouts import jobs
from payouts.store import runs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection

    from payouts.store.engine import Database

__all__ = ["Review", "approve", "go_on", "go_on_within", "release", "waits_for_person"]

FUNDS = "funds"
"""The hold of a run whose money is not there; it ends with the money, not by anybody's word."""


@dataclass(frozen=True, slots=True)
class Review:
    """What came of an approval or a release.

    Args:
        batches: batches that may be sent from now on.
        short: per currency, what the funding account still lacks; then nothing was approved.
        released: holds that were ended.
    """

    batches: int = 0
    short: Mapping[str, int] = field(default_factory=dict)
    released: int = 0


def waits_for_person(database: Database, run_id: int) -> bool:
    """Whether items of the run wait for a person's yes."""
    with database.reading() as unit:
        statement = text("SELECT policy FROM pipeline_run WHERE id = :run")
        policy = unit.execute(statement, {"run": run_id}).scalar_one()
        return policy == "person" and _pending(unit, run_id)


def approve(database: Database, run_id: int, *, actor: str, reason: str) -> Review:
    """Approve what is pending of a run, if its money is there; else hold it for the money.

    Args:
        actor: who says so, e.g. `person:ana` or `policy:sandbox`.
        reason: why; kept with the approval.
    """
    with database.unit() as unit:
        _lock(unit, run_id)
        return _approve(unit, run_id, actor=actor, reason=reason)


def release(database: Database, run_id: int, *, reasons: Collection[str], actor: str) -> Review:
    """End the open holds of a run that were opened for one of `reasons`; its lanes go on."""
    with database.unit() as unit:
        _lock(unit, run_id)
        ended = _release(unit, run_id, reasons, actor)
        if ended:
            jobs.enqueue_lanes(unit, runs.lanes(unit, run_id))
        return Review(released=ended)


def go_on(database: Database, run_id: int, *, actor: str) -> Review:
    """End the hold for money when the money is there; approve the run where its policy is auto."""
    with database.unit() as unit:
        return go_on_within(unit, run_id, actor=actor)


def go_on_within(unit: Connection, run_id: int, *, actor: str) -> Review:
    """The same inside a unit of the caller, such as that of the money that came in."""
    _lock(unit, run_id)
    short = runs.shortfall(unit, run_id)
    if short:
        return Review(short=short)
    ended = _release(unit, run_id, (FUNDS,), actor)
    policy = text("SELECT policy FROM pipeline_run WHERE id = :run")
    if ended and unit.execute(policy, {"run": run_id}).scalar_one() == "auto":
        made = _approve(unit, run_id, actor=actor, reason="the money is there")
        return Review(made.batches, released=ended)
    return Review(released=ended)


def _approve(unit: Connection, run_id: int, *, actor: str, reason: str) -> Review:
    if not _pending(unit, run_id):
        return Review()
    short = runs.shortfall(unit, run_id)
    if short:
        if not _held(unit, run_id, FUNDS):
            runs.hold(unit, run_id, reason=FUNDS, detail=", ".join(sorted(short)), actor=actor)
        return Review(short=short)
    ended = _release(unit, run_id, (FUNDS,), actor)
    moved = runs.approve(unit, run_id, actor=actor)
    unit.execute(
        text("INSERT INTO approval (run_id, actor, reason) VALUES (:run, :actor, :reason)"),
        {"run": run_id, "actor": actor, "reason": reason},
    )
    jobs.enqueue_lanes(unit, runs.lanes(unit, run_id))
    return Review(moved, released=ended)


def _lock(unit: Connection, run_id: int) -> None:
    """One decision about a run at a time; its funding accounts first, as a deposit does."""
    unit.execute(
        text(
            "SELECT id FROM ledger_account WHERE id IN (SELECT funding_id FROM batch"
            " WHERE run_id = :run) ORDER BY id FOR NO KEY UPDATE"
        ),
        {"run": run_id},
    )
    unit.execute(text("SELECT id FROM pipeline_run WHERE id = :run FOR UPDATE"), {"run": run_id})


def _pending(unit: Connection, run_id: int) -> bool:
    statement = text(
        "SELECT EXISTS (SELECT FROM batch b JOIN batch_count c ON c.batch_id = b.id"
        " AND c.state = 'pending' AND c.items > 0 WHERE b.run_id = :run)"
    )
    return bool(unit.execute(statement, {"run": run_id}).scalar_one())


def _held(unit: Connection, run_id: int, reason: str) -> bool:
    statement = text(
        "SELECT EXISTS (SELECT FROM hold WHERE run_id = :run AND item_id IS NULL"
        " AND reason = :reason AND released_at IS NULL)"
    )
    return bool(unit.execute(statement, {"run": run_id, "reason": reason}).scalar_one())


def _release(unit: Connection, run_id: int, reasons: Collection[str], actor: str) -> int:
    statement = text(
        "UPDATE hold SET released_at = payouts_now(), released_by = :actor WHERE run_id = :run"
        " AND item_id IS NULL AND reason = ANY(:reasons) AND released_at IS NULL"
    )
    values = {"run": run_id, "reasons": list(reasons), "actor": actor}
    return unit.execute(statement, values).rowcount
