"""A decent script: pydantic reads, SQLModel stores, httpx sends, one commit per batch of 500.

It keeps a unique reference, a history and a ledger, as somebody who knows the trade would write it
in an afternoon. It has no retries, no encryption and no proof.
"""

from __future__ import annotations

import csv
import re
import time
from decimal import Decimal
from typing import Final

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError, field_validator
from sqlmodel import Session, col, select

from payouts.platforms import _SANDBOX_ACCOUNTS
from tests.benchmarks.data import BATCH, good_lines
from tests.benchmarks.flow import control
from tests.benchmarks.models import Event, LedgerEntry, Payment, Scripted
from tests.benchmarks.places import engine, sandbox, seen
from tests.benchmarks.ways import Facts, Place, require, way

__all__: list[str] = []

_SAMPLE: Final = 20_000


class _Line(BaseModel):
    reference: str
    name: str
    country: str
    currency: str
    amount: Decimal
    account: str
    description: str = ""

    @field_validator("reference", "name")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value:
            raise ValueError("blank")
        return value

    @field_validator("country")
    @classmethod
    def _turkey(cls, value: str) -> str:
        if value != "TR":
            raise ValueError("country")
        return value

    @field_validator("amount")
    @classmethod
    def _cents(cls, value: Decimal) -> Decimal:
        if value <= 0 or value != value.quantize(Decimal("0.01")):
            raise ValueError("amount")
        return value

    @field_validator("account")
    @classmethod
    def _iban(cls, value: str) -> str:
        if not re.fullmatch(r"TR[0-9]{24}", value):
            raise ValueError("account")
        if int(value[4:] + "2927" + value[2:4]) % 97 != 1:
            raise ValueError("check digits")
        return value


class _Reply(BaseModel):
    id: str
    status: str
    amount: int
    currency: str
    reference: str


_REPLIES = TypeAdapter(list[_Reply])


@way("flow.script", database="empty")
def _script(place: Place) -> Facts:
    short = place.own / "payees.csv"
    place.own.mkdir(parents=True, exist_ok=True)
    with place.turkish.open("rb") as lines, short.open("wb") as kept:
        kept.writelines(line for line, _ in zip(lines, range(_SAMPLE + 1), strict=False))
    to = engine(place)
    Scripted.metadata.create_all(to)
    with sandbox(place) as base, httpx.Client(base_url=f"{base}/orkesta/v1") as client:
        control(place, "settings", {"magic": False})
        client.headers["Authorization"] = "Bearer sandbox-orkesta-rw"
        begun = time.perf_counter()
        with short.open(encoding="utf-8", newline="") as file, Session(to) as session:
            batch: list[Payment] = []
            count = 0
            for row in csv.DictReader(file):
                count += 1
                try:
                    line = _Line.model_validate(row)
                except ValidationError:
                    continue
                batch.append(
                    Payment(**line.model_dump(exclude={"description"}), batch=count // BATCH)
                )
                if len(batch) == BATCH:
                    _pay(session, client, batch)
                    batch = []
            if batch:
                _pay(session, client, batch)
            _results(session, place)
        seconds = time.perf_counter() - begun
    to.dispose()
    good = good_lines(count)
    counted = "SELECT count(*) FROM payment WHERE state = 'settled'"
    require("settled", seen(place, counted), (good,))
    require("legs", seen(place, "SELECT count(*) FROM ledgerentry"), (2 * good,))
    return {"seconds": seconds, "items": count}


def _pay(session: Session, client: httpx.Client, batch: list[Payment]) -> None:
    """Store, commit, send, record, commit."""
    session.add_all(batch)
    session.commit()
    payments = {payment.reference: payment for payment in batch}
    body = [
        {
            "amount": int(payment.amount * 100),
            "currency": payment.currency,
            "method": "bank_transfer",
            "from_account": _SANDBOX_ACCOUNTS[payment.currency],
            "to_account": payment.account,
            "reference": payment.reference,
        }
        for payment in payments.values()
    ]
    answer = client.post("/payments/batch", json=body).raise_for_status()
    for reply in _REPLIES.validate_json(answer.content):
        payment = payments[reply.reference]
        require("amount", reply.amount, int(payment.amount * 100))
        payment.state, payment.provider_id = reply.status, reply.id
        key = payment.id or 0
        session.add(Event(payment=key, before="pending", after=reply.status))
        for account in ("bank", "paid"):
            session.add(
                LedgerEntry(
                    payment=key,
                    ledger_account=account,
                    amount=payment.amount,
                    currency=payment.currency,
                )
            )
    session.commit()


def _results(session: Session, place: Place) -> None:
    with (place.own / "results.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["reference", "state", "provider_id"])
        for payment in session.exec(
            select(Payment).order_by(col(Payment.id)).execution_options(yield_per=BATCH)
        ):
            out.writerow([payment.reference, payment.state, payment.provider_id])
