"""The drawing, the code and the database say the same of an item's life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from payouts.core.items import MOVES, State
from payouts.core.ledger import GUARDED, AccountKind
from payouts.flows.load import OUTCOMES

if TYPE_CHECKING:
    from payouts.store.engine import Database


def words(database: Database, enum: str) -> set[str]:
    labels = text("SELECT enumlabel FROM pg_enum WHERE enumtypid = CAST(:name AS regtype)")
    with database.reading() as connection:
        return set(connection.scalars(labels, {"name": enum}))


def test_the_database_has_the_moves_of_the_code(database: Database) -> None:
    """Its trigger refuses every other pair, so a difference would stop items or let them jump."""
    with database.reading() as connection:
        stored = connection.execute(
            text(
                "SELECT before::text, after::text, credit, debit, evidence, clear, clouds, single"
                " FROM item_move"
            )
        ).all()

    assert sorted(map(tuple, stored), key=lambda row: row[:2]) == sorted(
        (
            (move.before.value, move.after.value)
            + (tuple(move.posting) if move.posting else (None, None))
            + (move.evidence, move.clear, move.clouds, move.single)
            for move in MOVES
        ),
        key=lambda row: row[:2],
    )


def test_the_database_has_the_states_and_outcomes_of_the_code(database: Database) -> None:
    assert words(database, "item_state") == {*State}
    assert words(database, "line_outcome") == {*OUTCOMES}


@pytest.mark.parametrize("kind", AccountKind)
def test_exactly_the_guarded_accounts_must_keep_a_balance(
    database: Database, kind: AccountKind
) -> None:
    add = text(
        "INSERT INTO ledger_account (name, kind, owner, currency, balance_minor)"
        " VALUES (:name, :kind, '', 'EUR', :balance)"
    )
    for guarded in (False, True):
        values = {"name": f"{kind}:{guarded}:EUR", "kind": kind, "balance": 0 if guarded else None}
        if guarded == (kind in GUARDED):
            with database.unit() as unit:
                unit.execute(add, values)
        else:
            with pytest.raises(DBAPIError, match="check constraint"), database.unit() as unit:
                unit.execute(add, values)


def test_a_guarded_account_is_never_overdrawn(database: Database) -> None:
    add = text(
        "INSERT INTO ledger_account (name, kind, owner, currency, balance_minor)"
        " VALUES ('funding:thin:EUR', 'funding', 'thin', 'EUR', -1)"
    )

    with (
        pytest.raises(DBAPIError, match="ledger_account_not_overdrawn"),
        database.unit() as unit,
    ):
        unit.execute(add)
