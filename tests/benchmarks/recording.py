"""Recording: 500 results with their ledger in one commit."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import orjson
from sqlalchemy import text
from sqlmodel import Session, col, select

from payouts.core.outcomes import Answer
from payouts.core.pipeline import Pipeline
from payouts.flows.lane_claims import WIRE
from payouts.flows.lane_writer import Writer
from payouts.flows.load import load
from payouts.flows.record import Submitted
from payouts.intake.survey import survey
from payouts.providers.client import Exchange
from payouts.providers.connector import Sent
from tests.benchmarks.data import BATCH
from tests.benchmarks.models import Event, LedgerEntry, Payment, Scripted
from tests.benchmarks.places import engine, project, seen
from tests.benchmarks.ways import Facts, Place, require, way

if TYPE_CHECKING:
    from payouts.store.lanes import Claim
    from payouts.wiring import Parts

__all__: list[str] = []

_BATCHES: Final = 32
_TURNS_ORM: Final = 10


@way("results.ours", database="payouts")
def _ours(place: Place) -> Facts:
    """A reply that settles a batch, recorded by the lane's own writer, one commit each."""
    return _recorded(place, per_turn=1)


@way("results.ours_mixed", database="payouts")
def _mixed(place: Place) -> Facts:
    """The same where five of the 500 were refused, so that no batch moves as one."""
    return _recorded(place, per_turn=1, refused=5)


@way("results.ours_32", database="payouts")
def _grouped(place: Place) -> Facts:
    """The same with 32 replies in one commit, as under load."""
    return _recorded(place, per_turn=_BATCHES)


def _recorded(place: Place, *, per_turn: int, refused: int = 0) -> Facts:
    with project(place) as parts:
        _loaded(place, parts)
        writer = Writer(parts.lane_order("orkesta", "main"))
        writer.start()
        claims: list[Claim] = []
        while made := writer.turn([], room=_BATCHES).claims:
            claims += made
        answers = [
            _settled(parts, claim, refused) for claim in claims if len(claim.members) == BATCH
        ]
        warm, timed = answers[:per_turn], answers[per_turn : per_turn + _BATCHES]
        writer.turn([*warm], room=0)
        begun = time.perf_counter()
        for start in range(0, len(timed), per_turn):
            writer.turn([*timed[start : start + per_turn]], room=0)
        seconds = time.perf_counter() - begun
        writer.close()
    items = (len(warm) + len(timed)) * (BATCH - refused)
    counted = "SELECT sum(items), sum(amount_minor) FROM batch_count WHERE state = 'settled'"
    booked = (
        "SELECT sum(items), sum(amount_minor) FROM ledger_transfer WHERE kind = 'sending>settled'"
    )
    moved = "SELECT count(*), sum(amount_minor) FROM item_now WHERE state = 'settled'"
    require("settled", seen(place, counted)[0], items)
    require("booked", seen(place, booked), seen(place, counted))
    require("moved", seen(place, moved), seen(place, counted))
    return {"seconds": seconds, "items": len(timed) * BATCH}


def _loaded(place: Place, parts: Parts) -> None:
    path = place.folder / "turkish_40000.csv"
    load(
        parts.database,
        survey(path),
        parts.rules(),
        parts.load_order(Pipeline("bench"), path, place.own / "copy"),
        encoders=parts.connectors,
        batch_max=parts.batch_max,
        signer=parts.signer,
        vault=parts.vault,
    )


def _settled(parts: Parts, claim: Claim, refused: int) -> Submitted:
    """What the sandbox answers to a claim at instant speed, the first items being refused."""
    sent = [orjson.loads(body) for body in claim.bodies]
    reply = [
        {
            "id": None,
            "status": "failed",
            "error": {"code": "account_closed"},
            "reference": one["reference"],
        }
        if place < refused
        else {
            "id": f"pay_{claim.batch_id}_{place}",
            "status": "settled",
            "amount": one["amount"],
            "currency": one["currency"],
            "reference": one["reference"],
        }
        for place, one in enumerate(sent)
    ]
    exchange = Exchange(201, orjson.dumps(reply))
    wires = [body[WIRE].decode() for body in claim.bodies]
    reading = parts.connectors["orkesta"].read(
        exchange, Sent(wires, claim.amounts, claim.currency, 2)
    )
    places = range(len(claim.members))
    return Submitted(claim, places, exchange, Answer.READABLE, reading, done=True)


@way("results.orm", database="empty")
def _orm(place: Place) -> Facts:
    """Payments read, changed and booked as objects, one commit per batch."""
    to = engine(place)
    Scripted.metadata.create_all(to)
    with to.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO payment (id, reference, name, country, currency, amount, account,"
                " batch, state, created_at) SELECT n, 'R' || n, 'Ada', 'TR', 'TRY', 12.50, 'TR',"
                " (n - 1) / 500, 'sending', now() FROM generate_series(1, :items) n"
            ),
            {"items": (_TURNS_ORM + 1) * BATCH},
        )
    with Session(to) as session:
        _orm_turn(session, 0)
        begun = time.perf_counter()
        for batch in range(1, _TURNS_ORM + 1):
            _orm_turn(session, batch)
        seconds = time.perf_counter() - begun
    to.dispose()
    booked = "SELECT count(*), sum(amount) FROM ledgerentry"
    legs = 2 * (_TURNS_ORM + 1) * BATCH
    require("booked", seen(place, booked), (legs, Decimal("12.50") * legs))
    return {"seconds": seconds, "items": _TURNS_ORM * BATCH}


def _orm_turn(session: Session, batch: int) -> None:
    """One reply."""
    for payment in session.exec(select(Payment).where(col(Payment.batch) == batch)).all():
        key = payment.id or 0
        payment.state, payment.provider_id = "settled", f"pay_{key}"
        session.add(Event(payment=key, before="sending", after="settled"))
        for account in ("in_transit", "paid"):
            session.add(
                LedgerEntry(
                    payment=key, ledger_account=account, amount=payment.amount, currency="TRY"
                )
            )
    session.commit()
