"""The ledger: balances, transfers, and what a run left on each kind of account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = [
    "BalanceRow",
    "PositionRow",
    "TransferRow",
    "balances",
    "positions",
    "transfers",
    "transfers_of",
]


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """A ledger account and its balance; `kept_minor` is the guarded copy, where there is one."""

    id: int
    name: str
    kind: str
    owner: str
    currency: str
    balance_minor: int
    kept_minor: int | None
    transfers: int


def balances(connection: Connection, word: str | None = None) -> list[BalanceRow]:
    """Accounts with their balances, summed from the transfers in one pass.

    Args:
        word: only accounts of this name, kind, owner, currency or `kind:owner`; none: all.
    """
    rows = connection.execute(
        text(
            "WITH chosen AS (SELECT * FROM ledger_account WHERE CAST(:word AS text) IS NULL"
            " OR :word IN (name, kind, owner, currency, kind || ':' || owner)), legs AS ("
            " SELECT debit_id AS id, amount_minor FROM ledger_transfer"
            " UNION ALL SELECT credit_id, -amount_minor FROM ledger_transfer)"
            " SELECT a.id, a.name, a.kind, a.owner, a.currency,"
            " coalesce(s.amount, 0)::bigint, a.balance_minor, coalesce(s.legs, 0)"
            " FROM chosen a LEFT JOIN (SELECT id, sum(amount_minor) AS amount, count(*) AS legs"
            " FROM legs WHERE id IN (SELECT id FROM chosen) GROUP BY id) s ON s.id = a.id"
            " ORDER BY a.currency, a.kind, a.id"
        ),
        {"word": word},
    )
    return [BalanceRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class TransferRow:
    """One transfer: `credit` gives, `debit` receives."""

    id: int
    at: datetime
    credit: str
    debit: str
    amount_minor: int
    currency: str
    kind: str
    items: int
    run_id: int | None
    batch_id: int | None
    item_id: int | None
    corrects: int | None
    reason: str | None


_TRANSFER: Final = (
    "SELECT t.id, t.at, c.name, d.name, t.amount_minor, t.currency, t.kind, t.items, t.run_id,"
    " t.batch_id, t.item_id, t.corrects, t.reason FROM ledger_transfer t"
    " JOIN ledger_account c ON c.id = t.credit_id JOIN ledger_account d ON d.id = t.debit_id"
)


def transfers(
    connection: Connection, accounts: Sequence[int], *, before: int | None = None, limit: int = 50
) -> list[TransferRow]:
    """The newest transfers of accounts, newest first; `before` is the cursor."""
    rows = connection.execute(
        text(
            f"{_TRANSFER} WHERE (t.debit_id = ANY(:ids) OR t.credit_id = ANY(:ids))"
            " AND t.id < coalesce(CAST(:before AS bigint), 9223372036854775807)"
            " ORDER BY t.id DESC LIMIT :limit"
        ),
        {"ids": list(accounts), "before": before, "limit": limit},
    )
    return [TransferRow(*row) for row in rows]


def transfers_of(connection: Connection, batch_id: int, item_id: int) -> list[TransferRow]:
    """Transfers that book the moves of an item, with its batch's or alone."""
    rows = connection.execute(
        text(
            f"{_TRANSFER} WHERE t.batch_id = :batch AND (t.item_id = :item OR (t.item_id IS NULL"
            " AND EXISTS (SELECT FROM item_life e WHERE e.item_id = :item"
            " AND e.posting = t.posting AND t.kind = e.before || '>' || e.after))) ORDER BY t.id"
        ),
        {"batch": batch_id, "item": item_id},
    )
    return [TransferRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class PositionRow:
    """What a run's transfers left on one kind of account, net, in money and in items."""

    currency: str
    kind: str
    amount_minor: int
    items: int


def positions(connection: Connection, run_id: int) -> list[PositionRow]:
    """The ledger's own view of a run: net of its transfers per currency and kind of account."""
    rows = connection.execute(
        text(
            "WITH legs AS (SELECT t.* FROM batch b JOIN ledger_transfer t ON t.batch_id = b.id"
            " WHERE b.run_id = :run), sides AS ("
            " SELECT debit_id AS id, amount_minor AS amount, items FROM legs"
            " UNION ALL SELECT credit_id, -amount_minor, -items FROM legs)"
            " SELECT a.currency, a.kind, sum(s.amount)::bigint, sum(s.items)::bigint FROM sides s"
            " JOIN ledger_account a ON a.id = s.id GROUP BY 1, 2 ORDER BY 1, 2"
        ),
        {"run": run_id},
    )
    return [PositionRow(*row) for row in rows]
