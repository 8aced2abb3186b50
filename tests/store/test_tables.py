"""The table classes say what a migrated database has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect
from sqlmodel import Session, SQLModel, select

from payouts.core.items import MOVES
from payouts.store import tables

if TYPE_CHECKING:
    from payouts.store.engine import Database

OURS = {"alembic_version"}


def test_every_table_has_a_class_and_every_class_a_table(database: Database) -> None:
    found = set(inspect(database.engine).get_table_names(schema="public")) - OURS

    assert found == {table for table in SQLModel.metadata.tables if "." not in table}


def test_columns_agree_in_name_type_and_nullability(database: Database) -> None:
    described = inspect(database.engine)
    for name, table in SQLModel.metadata.tables.items():
        wanted = {
            column.name: (str(column.type.compile(database.engine.dialect)), bool(column.nullable))
            for column in table.columns
        }
        there = {
            column["name"]: (
                str(column["type"].compile(database.engine.dialect)),
                bool(column["nullable"]),
            )
            for column in described.get_columns(name)
        }
        assert there == wanted, name


def test_primary_keys_agree(database: Database) -> None:
    described = inspect(database.engine)
    for name, table in SQLModel.metadata.tables.items():
        there = set(described.get_pk_constraint(name)["constrained_columns"])
        assert there == {column.name for column in table.primary_key}, name


def test_the_database_draws_the_same_moves_as_the_code(database: Database) -> None:
    with Session(database.engine) as session:
        rows = session.exec(select(tables.ItemMove)).all()

    drawn = {
        (
            move.before.value,
            move.after.value,
            move.posting.credit if move.posting else None,
            move.posting.debit if move.posting else None,
            move.evidence,
            move.clear,
            move.clouds,
            move.single,
        )
        for move in MOVES
    }
    assert drawn == {
        (r.before, r.after, r.credit, r.debit, r.evidence, r.clear, r.clouds, r.single)
        for r in rows
    }
