"""Models: how a decent script keeps payments in PostgreSQL, as SQLModel classes."""

from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Column
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

__all__ = ["Event", "LedgerEntry", "Payment", "Scripted", "scripted"]


class Scripted(SQLModel, registry=registry()):
    """What the script keeps, apart from the tables of the product."""


def _now() -> datetime:
    return datetime.now(UTC)


class Payment(Scripted, table=True):
    """One payment: a unique reference, an index on its batch and on its state."""

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    reference: str = Field(unique=True)
    name: str
    country: str
    currency: str
    amount: Decimal = Field(max_digits=18, decimal_places=2)
    account: str
    batch: int = Field(0, index=True)
    state: str = Field("pending", index=True)
    provider_id: str | None = None
    due_date: date | None = None
    created_at: datetime = Field(default_factory=_now)


class Event(Scripted, table=True):
    """A move of a payment."""

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    payment: int = Field(index=True)
    before: str
    after: str
    at: datetime = Field(default_factory=_now)


class LedgerEntry(Scripted, table=True):
    """One leg of a booking."""

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    payment: int = Field(index=True)
    ledger_account: str
    amount: Decimal = Field(max_digits=18, decimal_places=2)
    currency: str
    at: datetime = Field(default_factory=_now)


def scripted() -> list[str]:
    """The names of the tables."""
    return [str(model.__tablename__) for model in (Payment, Event, LedgerEntry)]
