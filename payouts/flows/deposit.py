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
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from payouts.flows.review import Review
    from payouts.store.engine import Database

__all__ = ["Deposit", "deposit", "go_on", "lock"]


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
    reached: Callable[[str], None] = lambda _point: None,
) -> Deposit:
    """Book money in and let the runs that wait for it go on, the one that waits longest first.

    Both are one transaction, so no run waits for money that is there. A later run does not
    overtake an earlier one that still lacks a currency they both need.

    Args:
        reason: kept with the transfer, with the actor.
        reached: called at named points (a no-op; the crash journeys put failpoints there).
    """
    with database.unit() as unit:
        lock(unit, account)
        words = f"{reason} ({actor})"
        transfer = fund(unit, account, currency, amount_minor, reason=words, kind=TransferKind.FUND)
        (row,) = [
            row for row in queries.balances(unit, f"funding:{account}") if row.currency == currency
        ]
        reached("booked")
        decided = go_on(unit, account, actor=actor)
        reached("before_commit")
    return Deposit(transfer, row.balance_minor, decided)


def go_on(unit: Connection, account: str, *, actor: str) -> list[tuple[int, Review]]:
    """Let the runs that wait for money on a locked account go on, in the unit that booked it."""
    decided: list[tuple[int, Review]] = []
    lacking: set[str] = set()
    for run_id, currencies in _waiting(unit, account):
        if lacking & currencies:
            continue
        made = review.go_on_within(unit, run_id, actor=actor)
        lacking |= set(made.short)
        decided.append((run_id, made))
    return decided


def lock(unit: Connection, account: str) -> None:
    """Lock the account in all its currencies, in the order in which decisions about runs do.

    A load that finds too little money has its hold committed before this goes on, so it is seen.
    """
    unit.execute(
        text(
            "SELECT id FROM ledger_account WHERE kind = 'funding' AND owner = :account"
            " ORDER BY id FOR NO KEY UPDATE"
        ),
        {"account": account},
    )


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
