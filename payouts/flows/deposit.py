"""A deposit: money comes into a funding account, and the runs that wait for it go on in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from payouts.core.ledger import TransferKind
from payouts.flows import review
from payouts.flows.fund import fund
from payouts.store import queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from payouts.flows.review import Review
    from payouts.store.engine import Database

__all__ = ["Deposit", "deposit"]


@dataclass(frozen=True, slots=True)
class Deposit:
    """What came of a deposit.

    Args:
        transfer: key of the ledger's row.
        balance_minor: of the funding account, before runs reserved from it.
        runs: runs that waited for money, in order, and what was decided.
    """

    transfer: int
    balance_minor: int
    runs: Sequence[tuple[int, Review]]


def deposit(
    database: Database,
    account: str,
    currency: str,
    amount_minor: int,
    *,
    reason: str,
    actor: str,
) -> Deposit:
    """Book money in, then let the runs that wait for it go on, the one that waits longest first.

    A later run does not overtake an earlier one that still lacks a currency they both need.

    Args:
        reason: kept with the transfer, with the actor.
    """
    with database.unit() as unit:
        words = f"{reason} ({actor})"
        transfer = fund(unit, account, currency, amount_minor, reason=words, kind=TransferKind.FUND)
        (row,) = [
            row for row in queries.balances(unit, f"funding:{account}") if row.currency == currency
        ]
        waiting = _waiting(unit, account)
    decided: list[tuple[int, Review]] = []
    lacking: set[str] = set()
    for run_id, currencies in waiting:
        if lacking & currencies:
            continue
        made = review.go_on(database, run_id, actor=actor)
        lacking |= set(made.short)
        decided.append((run_id, made))
    return Deposit(transfer, row.balance_minor, decided)


def _waiting(unit: Connection, account: str) -> list[tuple[int, set[str]]]:
    """Runs held for money on this account with their currencies, by when they were held."""
    rows = unit.execute(
        text(
            "SELECT r.id, r.totals FROM hold h JOIN pipeline_run r ON r.id = h.run_id"
            " WHERE h.released_at IS NULL AND h.item_id IS NULL AND h.reason = :funds"
            " AND r.funding = :account ORDER BY h.id"
        ),
        {"funds": review.FUNDS, "account": account},
    )
    return [(int(run), set(totals)) for run, totals in rows]
