"""Many rows at once: COPY in, and the few set-based statements that go with it.

Every function takes the unit's connection, so what it writes commits or vanishes with the rest.
Frames are plain values here: each function names the columns it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import psycopg
from psycopg import sql
from psycopg.pq import ExecStatus, TransactionStatus
from sqlalchemy import text

from payouts.store.engine import driver

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from psycopg import Copy
    from sqlalchemy import Connection

__all__ = [
    "Rows",
    "copied",
    "copy",
    "copy_rows",
    "copy_text",
    "next_posting",
    "read",
    "rows",
    "take_keys",
    "write",
]

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table as COPY takes them, ready to be sent."""

    columns: Sequence[str]
    data: bytes


def rows(frame: pl.DataFrame) -> Rows:
    """The rows of a frame whose columns are named like a table's.

    Binary columns become `bytea`, null stays NULL; text must not be empty (it would be NULL).
    """
    text = frame.with_columns(
        pl.concat_str(pl.lit("\\x"), pl.col(name).bin.encode("hex")).alias(name)
        for name, dtype in frame.schema.items()
        if dtype == pl.Binary
    ).write_csv(
        include_header=False, quote_style="necessary", datetime_format="%Y-%m-%dT%H:%M:%S%.6f%:z"
    )
    return Rows(tuple(frame.columns), text.encode())


def write(connection: Connection, table: str, made: Rows) -> None:
    """COPY rows that were made before."""
    data = memoryview(made.data)
    with _copying(connection, table, made.columns, "FORMAT csv") as out:
        for start in range(0, len(data), _PIECE):
            out.write(data[start : start + _PIECE])


def copy(connection: Connection, table: str, frame: pl.DataFrame) -> None:
    """COPY a frame into `table`: `rows` and `write` in one."""
    if not frame.is_empty():
        write(connection, table, rows(frame))


def copy_text(connection: Connection, table: str, columns: Sequence[str], rows: str) -> None:
    r"""COPY rows that are spelled already: tab between columns, one line each, `\\` doubled."""
    with _copying(connection, table, columns, "") as out:
        out.write(rows)


def copy_rows(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    types: Sequence[str] = (),
) -> None:
    """COPY rows of Python values (hundreds, e.g. sealed blobs of the batches of a chunk).

    Args:
        types: PostgreSQL's type of each column; given, rows travel in binary, so that a blob is
            not spelled in hexadecimal.
    """
    if not rows:
        return
    with _copying(connection, table, columns, "FORMAT binary" if types else "") as out:
        if types:
            out.set_types(types)
        for row in rows:
            out.write_row(row)


def _copying(
    connection: Connection, table: str, columns: Sequence[str], options: str
) -> AbstractContextManager[Copy]:
    statement = sql.SQL("COPY {} ({}) FROM STDIN {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL("(" + options + ")") if options else sql.SQL(""),
    )
    return driver(connection).cursor().copy(statement)


def take_keys(connection: Connection, sequence: str, count: int) -> int:
    """Reserve `count` consecutive keys of a sequence; returns the first.

    A sequence forgets nothing on rollback, so keys may have gaps but never repeat. The advisory
    lock makes the block consecutive when several take one at once; it is taken and given back in
    one statement, so that nothing can end a unit in between and leave the session with it.
    """
    last = connection.execute(
        text(
            "WITH mine AS MATERIALIZED (SELECT pg_advisory_lock(hashtext(:name))),"
            " block AS MATERIALIZED (SELECT setval(CAST(:name AS regclass),"
            " nextval(CAST(:name AS regclass)) + :more) AS last FROM mine)"
            " SELECT last, pg_advisory_unlock(hashtext(:name)) FROM block"
        ),
        {"name": sequence, "more": count - 1},
    ).scalar_one()
    return int(last) - count + 1


def next_posting(connection: Connection) -> int:
    """A new posting number: the link between events and the transfers that book them."""
    return int(connection.execute(text("SELECT nextval('posting_seq')")).scalar_one())


def read(
    connection: Connection,
    statement: str,
    schema: dict[str, pl.DataType | type[pl.DataType]],
    **values: object,
) -> pl.DataFrame:
    """The result of a query as a frame of the given schema, in the query's column order."""
    rows = connection.execute(text(statement), values).fetchall()
    return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")


def copied(
    connection: Connection, query: str, schema: pl.Schema, **values: int | list[int]
) -> pl.DataFrame:
    """The result of a query as a frame, by COPY out: for hundreds of thousands of rows.

    Args:
        query: our own text, with `{name}` where a value of `values` goes.
        schema: one name and type per column of the query, in its order. Datetimes are UTC.
    """
    chosen = {name: sql.Literal(value) for name, value in values.items()}
    rows = sql.SQL(query).format(**chosen)
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(rows)
    raw = driver(connection)
    data = _copied_out(raw, statement.as_bytes(raw))
    if not data:
        return pl.DataFrame(schema=schema)
    frame = pl.read_csv(
        data, has_header=False, new_columns=schema.names(), infer_schema=False, encoding="utf8"
    )
    return frame.select(_typed(name, dtype) for name, dtype in schema.items())


def _copied_out(raw: psycopg.Connection[tuple[object, ...]], statement: bytes) -> bytes:
    """What COPY … TO STDOUT says, straight from libpq.

    psycopg's own reading goes through a generator per row, which costs more than the row.
    """
    if raw.info.transaction_status == TransactionStatus.IDLE:
        raw.execute("SELECT 1")  # begins the transaction that reads see one state of
    libpq = raw.pgconn
    begun = libpq.exec_(statement)
    if begun.status != ExecStatus.COPY_OUT:
        raise psycopg.errors.error_from_result(begun)
    pieces = []
    while (row := libpq.get_copy_data(0))[0] >= 0:
        pieces.append(row[1])
    ended = libpq.get_result()
    if ended is None or ended.status != ExecStatus.COMMAND_OK:
        raise psycopg.OperationalError("the server ended a COPY before its end")
    while libpq.get_result() is not None:
        pass
    return b"".join(pieces)


def _typed(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column of COPY's text as its type."""
    if dtype == pl.Boolean:
        return pl.col(name) == "t"
    if isinstance(dtype, pl.Datetime):
        # `2026-11-20 13:19:36.123456+00`: the session's time zone is UTC, the zone is cut off.
        naive = pl.col(name).str.head(-3).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us")
        return naive.dt.replace_time_zone("UTC")
    return pl.col(name).cast(dtype)
