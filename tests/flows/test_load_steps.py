"""A load in steps that work beside each other: whole or nothing, in order, in bounded memory."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text

from payouts.flows.load import LoadOrder, load
from payouts.intake import coverage
from payouts.intake.checks import Rules
from payouts.intake.limits import FileLimits
from payouts.intake.survey import survey
from tests.desk import german_iban

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

    from payouts.flows.order import LoadResult
    from tests.desk import Desk

HEADER = "reference,name,country,currency,amount,method,account\n"
LINES = 200
BATCH = 10
BLOCK = 1_000
TABLES = ("pipeline_run", "line", "item", "batch", "batch_payload", "ledger_transfer")


class BrokenError(Exception):
    """What a step of these tests dies of."""


@dataclass
class Encoding:
    """A connector's encoder that dies at one of its calls."""

    inner: object
    encoder: str = "orkestra-1"
    dies_at: int = 0
    calls: int = field(default=0)

    def encode(self, items: pl.DataFrame) -> pl.Series:
        self.calls += 1
        if self.calls == self.dies_at:
            raise BrokenError
        return self.inner.encode(items)  # type: ignore[attr-defined,no-any-return]


def loaded(
    desk: Desk,
    name: str,
    *,
    encoder: Encoding | None = None,
    checked: Callable[[int], None] = lambda _lines: None,
) -> LoadResult:
    """Load a file of small chunks into small batches; every seventh line is below zero."""
    path = desk.folder / f"{name}.csv"
    lines = (
        f"{name}-{n},Jonas Weber {n},DE,EUR,{'-' * (n % 7 == 3)}{n + 1}.25,sepa,{german_iban(n)}\n"
        for n in range(LINES)
    )
    path.write_text(HEADER + "".join(lines))
    return load(
        desk.database,
        survey(path, limits=replace(FileLimits(), block_bytes=BLOCK)),
        Rules(coverage.load(), "sandbox", date(2026, 11, 20)),
        LoadOrder(
            payer="steps",
            pipeline="disbursement",
            period="2026-11-20",
            source_name=path.name,
            source_copy=path.name,
            funding="steps",
            policy="auto",
            actor="policy:test",
            reject_share_max=1.0,
            opening_minor={"EUR": 100_000_000},
            checked=checked,
        ),
        encoders={"orkestra": encoder or desk.connectors["orkestra"]},
        batch_max={"orkestra": BATCH},
        signer=desk.signer,
        vault=desk.vault,
    )


def counted(desk: Desk) -> list[int]:
    with desk.database.reading() as unit:
        return [
            unit.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # noqa: S608  ours
            for table in TABLES
        ]


def test_lines_and_items_of_many_chunks_keep_the_order_of_the_file(desk: Desk) -> None:
    result = loaded(desk, "order")

    with desk.database.reading() as unit:
        statement = (
            "SELECT l.number, l.outcome::text, l.reference, i.id - min(i.id) OVER (),"
            " l.id - r.line_lo FROM line l LEFT JOIN item i ON i.id = l.item_id"
            " JOIN pipeline_run r ON r.id = l.run_id WHERE l.run_id = :run ORDER BY l.id"
        )
        found = unit.execute(text(statement), {"run": result.run_id}).all()
    accepted = [row for row in found if row[1] == "accepted"]
    assert [row[0] for row in found] == list(range(2, LINES + 2))
    assert [row[4] for row in found] == list(range(LINES))
    assert [row[2] for row in accepted] == [f"order-{n}" for n in range(LINES) if n % 7 != 3]
    assert [row[3] for row in accepted] == sorted(row[3] for row in accepted)
    assert result.counts == {"accepted": 171, "rejected": 29}
    assert result.batches == 18


@pytest.mark.parametrize("at", [1, 2, 5])
def test_an_encoder_that_fails_leaves_nothing(desk: Desk, at: int) -> None:
    """An error in a thread that nobody asks for its result would commit half a file."""
    before = counted(desk)
    encoder = Encoding(desk.connectors["orkestra"], dies_at=at)

    with pytest.raises(BrokenError):
        loaded(desk, f"encode{at}", encoder=encoder)

    assert counted(desk) == before
    assert loaded(desk, f"encode{at}").counts == {"accepted": 171, "rejected": 29}


@contextmanager
def refusing(desk: Desk, table: str, condition: str) -> Iterator[None]:
    """A database that refuses rows of a table."""
    with desk.database.unit() as unit:
        unit.exec_driver_sql(
            "CREATE OR REPLACE FUNCTION test_refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;"
            f" CREATE TRIGGER test_refuse BEFORE INSERT ON {table} FOR EACH ROW"
            f" WHEN ({condition}) EXECUTE FUNCTION test_refuse()"
        )
    try:
        yield
    finally:
        with desk.database.unit() as unit:
            unit.exec_driver_sql(f"DROP TRIGGER test_refuse ON {table}")


@pytest.mark.parametrize(
    ("table", "condition"),
    [
        ("batch_payload", "true"),
        ("item", "NEW.amount_minor = 1025"),
        ("line", "NEW.outcome = 'rejected' AND NEW.number > 100"),
        ("line", "NEW.amount_minor = 19925"),
    ],
)
def test_a_database_that_refuses_leaves_nothing(desk: Desk, table: str, condition: str) -> None:
    before = counted(desk)
    name = f"refuse_{table}_{len(condition)}"

    with refusing(desk, table, condition), pytest.raises(psycopg.Error, match="the disk is full"):
        loaded(desk, name)

    assert counted(desk) == before
    assert loaded(desk, name).counts == {"accepted": 171, "rejected": 29}


def test_reading_waits_for_the_database(desk: Desk) -> None:
    """Else a slow server would let a large file pile up in memory."""
    seen: list[int] = [0]
    with ThreadPoolExecutor(1) as pool:
        with desk.database.unit() as other:
            other.exec_driver_sql("LOCK TABLE batch_payload IN ACCESS EXCLUSIVE MODE")
            done = pool.submit(loaded, desk, "slow", checked=seen.append)
            until = time.monotonic() + 1.5
            while time.monotonic() < until and not done.done():
                time.sleep(0.05)
            read = seen[-1]
            finished = done.done()
        result = done.result(timeout=30)

    assert not finished
    assert 0 < read < LINES / 2
    assert seen[-1] == LINES
    assert result.counts == {"accepted": 171, "rejected": 29}
