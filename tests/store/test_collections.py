"""What the database refuses of collections, whatever a program believes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from payouts.core.collections import MOVES, CollectionState
from payouts.store import collections as store

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from payouts.store.engine import Database

EVENT = "INSERT INTO collection_event (collection_id, seq, before, after, actor"
ATTEMPT = "INSERT INTO collection_attempt VALUES (DEFAULT, :id, 2, '', 1, now(), now(), now())"


def made(unit: Connection, key: str, *, minor: int = 12_55) -> store.Collection:
    """A collection that is open."""
    wanted = store.Wanted("orchestrate", "main", "EUR", minor, key, "x", "person:test", 3600)
    collection = store.insert(unit, wanted)
    attempt, _ = store.open_attempt(unit, collection, b"h", send_by_s=15, lease_s=60)
    store.close_attempt(unit, attempt, "readable", 201)
    row = store.read(unit, collection, lock=True)
    assert row is not None
    store.append(unit, row, CollectionState.OPEN, actor="x", ref=f"pay-{key}", link="https://x")
    return read(unit, collection)


def read(unit: Connection, collection: int) -> store.Collection:
    row = store.read(unit, collection)
    assert row is not None
    return row


def evidence(unit: Connection) -> int:
    return store.keep_evidence(
        unit, "orchestrate", kind="lookup", status=200, sha256=b"s" * 32, size=9
    )


def test_the_database_draws_the_same_arrows_as_the_code(database: Database) -> None:
    with database.reading() as connection:
        rows = connection.execute(text("SELECT before, after FROM collection_move")).all()

    assert {tuple(row) for row in rows} == {(str(one), str(two)) for one, two in MOVES}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE collection SET amount_minor = 1 WHERE id = :id",
        "UPDATE collection SET key = 'another' WHERE id = :id",
        "UPDATE collection SET funding = 'mine' WHERE id = :id",
        "DELETE FROM collection WHERE id = :id",
        "DELETE FROM collection_attempt WHERE collection_id = :id",
        "UPDATE collection_attempt SET outcome = 'not_executed' WHERE collection_id = :id",
        "UPDATE collection_event SET after = 'paid' WHERE collection_id = :id",
        "DELETE FROM collection_event WHERE collection_id = :id",
        ATTEMPT,
        EVENT + ") VALUES (:id, 2, 'open', 'paid', 'x')",
        EVENT + ") VALUES (:id, 2, 'open', 'failed', 'x')",
        EVENT + ") VALUES (:id, 3, 'open', 'expired', 'x')",
        EVENT + ") VALUES (:id, 1, 'open', 'expired', 'x')",
        EVENT + ") VALUES (:id, 2, 'opening', 'unclear', 'x')",
        EVENT + ") VALUES (:id, 2, 'open', 'unclear', 'x')",
        EVENT + ") VALUES (:id, 2, 'open', 'refused', 'x')",
        "INSERT INTO collection_move VALUES ('paid', 'open')",
    ],
)
def test_what_must_not_be_done_is_refused(database: Database, statement: str) -> None:
    with database.unit() as unit:
        collection = made(unit, f"C{abs(hash(statement))}")

    with pytest.raises(DBAPIError), database.unit() as unit:
        unit.execute(text(statement), {"id": collection.id})

    with database.reading() as connection:
        assert store.read(connection, collection.id) == collection


def test_paid_needs_the_money_in_the_same_transaction(database: Database) -> None:
    with database.unit() as unit:
        collection, other = made(unit, "C-paid"), made(unit, "C-other", minor=12_56)
        proof, wrong = evidence(unit), store.book(unit, other, reason="x")

    for posting in (None, 999_999, wrong):
        with pytest.raises(DBAPIError), database.unit() as unit:
            store.append(
                unit,
                collection,
                CollectionState.PAID,
                actor="x",
                evidence=proof,
                posting=posting,
            )
    with database.unit() as unit:
        posting = store.book(unit, collection, reason="x")
        store.append(
            unit, collection, CollectionState.PAID, actor="x", evidence=proof, posting=posting
        )
        assert read(unit, collection.id).state is CollectionState.PAID


def test_one_booking_pays_one_collection(database: Database) -> None:
    with database.unit() as unit:
        first, second = made(unit, "C-first"), made(unit, "C-second")
        proof, posting = evidence(unit), store.book(unit, first, reason="x")
        store.append(unit, first, CollectionState.PAID, actor="x", evidence=proof, posting=posting)

    with pytest.raises(DBAPIError, match="posting"), database.unit() as unit:
        store.append(unit, second, CollectionState.PAID, actor="x", evidence=proof, posting=posting)


def test_one_payment_of_the_platform_is_one_collection(database: Database) -> None:
    with database.unit() as unit:
        made(unit, "C-one")
        wanted = store.Wanted("orchestrate", "main", "EUR", 1, "C-two", "x", "x", 60)
        second = read(unit, store.insert(unit, wanted))

    with pytest.raises(DBAPIError, match="ref"), database.unit() as unit:
        store.append(unit, second, CollectionState.OPEN, actor="x", ref="pay-C-one")


def test_what_was_proven_not_executed_may_be_attempted_again_and_nothing_else(
    database: Database,
) -> None:
    """P4 and P5, by the database itself."""
    with database.unit() as unit:
        wanted = store.Wanted("orchestrate", "main", "EUR", 1, "C-again", "x", "x", 60)
        key = store.insert(unit, wanted)
        first, _ = store.open_attempt(unit, key, b"h", send_by_s=15, lease_s=60)
    with pytest.raises(DBAPIError), database.unit() as unit:
        store.open_attempt(unit, key, b"h", send_by_s=15, lease_s=60)

    with database.unit() as unit:
        store.close_attempt(unit, first, "not_executed", 429)
        second, _ = store.open_attempt(unit, key, b"h", send_by_s=15, lease_s=60)
        store.close_attempt(unit, second, "unclear", None)
    with pytest.raises(DBAPIError), database.unit() as unit:
        store.open_attempt(unit, key, b"h", send_by_s=15, lease_s=60)
