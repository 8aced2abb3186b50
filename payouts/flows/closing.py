"""Closing runs that end while nobody looks: their proof from the database alone.

A run that somebody follows is closed by its report, which also counts the lines of the results
file. One that a worker finishes is closed here, as soon as nothing of it is open and lines, items
and ledger agree. Where they do not, it stays open and an incident says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from payouts.core.ids import public_id
from payouts.flows.proof import ItemSum, Proof, prove
from payouts.store import incidents, queries, runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from payouts.store.engine import Database
    from payouts.store.queries import RunRow

__all__ = ["DISAGREES", "close_ended"]

DISAGREES = "E_RUN_DISAGREES"


def close_ended(database: Database) -> list[int]:
    """Close the runs that are over and agree; returns their keys.

    Runs of schedules are left to the scheduler, which writes their files when it closes them.
    """
    with database.reading() as connection:
        ended = queries.ended_runs(connection)
        told = incidents.open_subjects(connection, DISAGREES) if ended else set()
    return [
        run_id
        for run_id in ended
        if public_id("run", run_id) not in told and _close(database, run_id)
    ]


def _close(database: Database, run_id: int) -> bool:
    with database.reading() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        run = queries.run(connection, run_id)
        proof = None if run is None else _proof(connection, run)
    if proof is None or proof.open_items:
        return False
    with database.unit() as unit:
        if proof.agrees:
            return runs.close(unit, run_id) is not None
        incidents.report_incident(
            unit,
            code=DISAGREES,
            severity=1,
            subject=public_id("run", run_id),
            detail="nothing is open, but lines, items and ledger do not agree",
        )
    return False


def _proof(connection: Connection, run: RunRow) -> Proof:
    """The proof, with the line rows in the place of the results file."""
    lines = queries.line_sums(connection, (run.line_lo, run.line_hi))
    return prove(
        read=run.lines_read,
        written=sum(row.lines for row in lines),
        lines=lines,
        items=[ItemSum(*row) for row in queries.item_sums(connection, run.id)],
        counters=queries.counts(connection, [run.id]),
        ledger=queries.positions(connection, run.id),
        totals={code: int(str(amount)) for code, amount in run.totals.items()},
    )
