"""The chart of accounts.

One row per transfer, always a positive amount: `credit` gives and `debit` receives, and all
accounts are asset accounts, so a balance is debits minus credits and every transfer balances by
construction (ARCHITECTURE §7). `external` is the world outside; it is the only account that may be
negative.

>>> account_name("funding", "main", "EUR")
'funding:main:EUR'
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["GUARDED", "AccountKind", "TransferKind", "account_name"]


class AccountKind(StrEnum):
    """What an account stands for; each is kept per currency."""

    EXTERNAL = "external"
    FUNDING = "funding"
    RESERVED = "reserved"
    IN_TRANSIT = "in_transit"
    PAID = "paid"
    FEES = "fees"
    COLLECTED = "collected"
    REFUNDED = "refunded"


GUARDED = frozenset({AccountKind.FUNDING, AccountKind.RESERVED})
"""Accounts that keep a balance moved by a conditional update, with a CHECK; others are summed."""


class TransferKind(StrEnum):
    """Transfers that no item move causes; a move's transfer is named `before>after`."""

    OPENING = "opening"
    FUND = "fund"
    PAID_IN = "paid_in"
    """A customer paid a platform that collects for us: external → collected."""
    COLLECT = "collect"
    """The platform has it for us: collected → funding."""


def account_name(kind: str, owner: str, currency: str) -> str:
    """`kind:owner:currency`, the unique name of a ledger account."""
    return f"{kind}:{owner}:{currency}" if owner else f"{kind}:{currency}"
