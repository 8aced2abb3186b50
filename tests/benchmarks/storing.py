"""Storing accepted lines: ours in one transaction, beside the least and beside the usual."""

from __future__ import annotations

import time
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from sqlalchemy import insert
from sqlmodel import Session

from payouts.core.pipeline import Pipeline
from payouts.flows import load as loading
from payouts.intake.reader import chunks
from payouts.intake.survey import survey
from tests.benchmarks.data import BATCH, CHUNK, good_lines
from tests.benchmarks.models import Payment, Scripted
from tests.benchmarks.places import connected, engine, project, seen
from tests.benchmarks.ways import Facts, Place, require, way

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from payouts.flows.load import LoadResult

__all__ = ["batches", "copy_keys"]

_SAMPLE: Final = 20_000
_KEYS: Final = (
    "CREATE TABLE item (id bigint PRIMARY KEY, batch_id bigint NOT NULL, line_id bigint NOT NULL,"
    " amount_minor bigint NOT NULL, account_last4 text)"
)


def batches(place: Place) -> Iterator[pl.DataFrame]:
    """Good lines by the chunk, as the floor takes them: no check, no identity."""
    lines = pl.scan_csv(place.turkish, infer_schema=False).with_row_index("line")
    good = lines.filter(pl.col("line") % 50 != 7)
    yield from good.collect_batches(chunk_size=CHUNK)


def copy_keys(connection: psycopg.Connection[Any], frame: pl.DataFrame, first: int) -> None:
    """COPY narrow items with only their key."""
    rows = frame.select(
        (pl.int_range(pl.len(), dtype=pl.Int64) + first).alias("id"),
        ((pl.int_range(pl.len(), dtype=pl.Int64) + first) // BATCH).alias("batch_id"),
        "line",
        pl.col("amount").str.replace(".", "", literal=True),
        pl.col("account").str.tail(4),
    )
    columns = "id, batch_id, line_id, amount_minor, account_last4"
    with connection.cursor().copy(f"COPY item ({columns}) FROM STDIN (FORMAT csv)") as out:
        out.write(rows.write_csv(include_header=False))


@way("store.keys", database="empty")
def _keys(place: Place) -> Facts:
    """The floor: one narrow table, its primary key, nothing else."""
    frames = list(batches(place))
    with connected(place) as connection:
        connection.execute(_KEYS)
        connection.commit()
        begun = time.perf_counter()
        first = 1
        for frame in frames:
            copy_keys(connection, frame, first)
            first += frame.height
        connection.commit()
        seconds = time.perf_counter() - begun
    require("items", seen(place, "SELECT count(*) FROM item"), (good_lines(place.lines),))
    return {"seconds": seconds, "items": first - 1}


class _Stored(loading._Loader):  # noqa: SLF001  the half of a load that is measured here
    """A load whose file is read and checked before the clock starts."""

    begun = 0.0

    def run(self) -> LoadResult:
        frames = [self.claims.judge(chunk) for chunk in chunks(self.survey)]
        _Stored.begun = time.perf_counter()
        with self.working():
            for refused, accepted in frames:
                self.take(refused, accepted)
            self.take_rest()
        return self.close()


@way("store.ours", database="payouts")
def _ours(place: Place) -> Facts:
    """Line, item, batch, payload: identities, bodies, encryption, COPY, approval, commit."""
    setattr(loading, "_Loader", _Stored)  # noqa: B010  mypy forbids to assign a class
    with project(place) as parts:
        loading.load(
            parts.database,
            survey(place.turkish),
            parts.rules(),
            parts.load_order(Pipeline("bench"), place.turkish, place.own / "copy"),
            encoders=parts.connectors,
            batch_max=parts.batch_max,
            signer=parts.signer,
            vault=parts.vault,
        )
        seconds = time.perf_counter() - _Stored.begun
    good = good_lines(place.lines)
    count = "SELECT count(*), (SELECT count(*) FROM line), (SELECT sum(items) FROM batch) FROM item"
    require("items, lines, in batches", seen(place, count), (good, place.lines, good))
    return {"seconds": seconds, "items": good}


def _rows(place: Place) -> list[dict[str, Any]]:
    frame = next(batches(place)).head(_SAMPLE)
    return [
        {
            "id": number,
            "reference": row["reference"],
            "name": row["name"] or "",
            "country": row["country"],
            "currency": row["currency"],
            "amount": Decimal(row["amount"]),
            "account": row["account"],
            "batch": number // BATCH,
            "due_date": date(2026, 11, 20),
        }
        for number, row in enumerate(frame.iter_rows(named=True), start=1)
    ]


@way("store.core", database="empty")
def _core(place: Place) -> Facts:
    """SQLAlchemy Core: `insert` of a thousand rows at a time."""
    rows, to = _rows(place), engine(place)
    Scripted.metadata.create_all(to)
    begun = time.perf_counter()
    with to.begin() as connection:
        for start in range(0, len(rows), 1_000):
            connection.execute(insert(Payment), rows[start : start + 1_000])
    seconds = time.perf_counter() - begun
    to.dispose()
    require("payments", seen(place, "SELECT count(*) FROM payment"), (len(rows),))
    return {"seconds": seconds, "items": len(rows)}


@way("store.sqlmodel", database="empty")
def _sqlmodel(place: Place) -> Facts:
    """SQLModel objects, one commit per batch."""
    rows, to = _rows(place), engine(place)
    Scripted.metadata.create_all(to)
    begun = time.perf_counter()
    with Session(to) as session:
        for start in range(0, len(rows), BATCH):
            for row in rows[start : start + BATCH]:
                session.add(Payment(**{**row, "id": None}))
            session.commit()
    seconds = time.perf_counter() - begun
    to.dispose()
    require("payments", seen(place, "SELECT count(*) FROM payment"), (len(rows),))
    return {"seconds": seconds, "items": len(rows)}
