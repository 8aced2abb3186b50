"""Funding accounts: where the money of a run comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from payouts.core.ledger import TransferKind
from payouts.store import bulk, runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["fund", "open_account"]


def fund(
    unit: Connection, account: str, currency: str, amount_minor: int, *, reason: str, kind: str
) -> int:
    """Book money from outside into a funding account; returns the transfer's key."""
    external = runs.ensure_account(unit, kind="external", owner="", currency=currency)
    funding = runs.ensure_account(unit, kind="funding", owner=account, currency=currency)
    return int(
        unit.execute(
            text(
                "INSERT INTO ledger_transfer"
                " (posting, credit_id, debit_id, amount_minor, currency, kind, reason)"
                " VALUES (:posting, :external, :funding, :amount, :currency, :kind, :reason)"
                " RETURNING id"
            ),
            {
                "posting": bulk.next_posting(unit),
                "external": external,
                "funding": funding,
                "amount": amount_minor,
                "currency": currency,
                "kind": kind,
                "reason": reason,
            },
        ).scalar_one()
    )


def open_account(unit: Connection, account: str, currency: str, amount_minor: int) -> int:
    """The sandbox's stated opening transfer, once per account and currency; 0 if it was booked."""
    funding = runs.ensure_account(unit, kind="funding", owner=account, currency=currency)
    booked = unit.execute(
        text("SELECT EXISTS (SELECT FROM ledger_transfer WHERE kind = :kind AND debit_id = :id)"),
        {"kind": TransferKind.OPENING, "id": funding},
    ).scalar_one()
    if booked or not amount_minor:
        return 0
    fund(
        unit,
        account,
        currency,
        amount_minor,
        reason="opening balance of the sandbox",
        kind=TransferKind.OPENING,
    )
    return amount_minor
