"""Parquet: its columns as text, refused where a type cannot hold money or account numbers.

Polars raises `PanicException`, which is no `Exception`, for some malformed files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.intake.layout import Piece
from payouts.intake.refusal import refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from payouts.intake.limits import FileLimits

__all__ = ["Columns", "columns", "pieces"]

_BROKEN: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
_TEXT: Final = (pl.String, pl.Categorical, pl.Enum, pl.Null, pl.Date)
_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a Parquet file, and those of them that are numbers."""

    names: tuple[str, ...]
    numbers: tuple[str, ...]


def columns(file: BinaryIO) -> Columns:
    """Read the schema.

    Raises:
        FileRefusedError: E_FILE_DAMAGED, E_FILE_PARQUET_FLOAT, E_FILE_PARQUET_TYPE.
    """
    try:
        schema = _scan(file).collect_schema()
    except _BROKEN:
        raise refused("E_FILE_DAMAGED", value="it is no readable Parquet") from None
    numbers = []
    for name, dtype in schema.items():
        if dtype.is_float():
            raise refused("E_FILE_PARQUET_FLOAT", value=name)
        if dtype.is_integer() or dtype.is_decimal():
            numbers.append(name)
        elif dtype not in _TEXT:
            raise refused("E_FILE_PARQUET_TYPE", value=name, allowed=str(dtype))
    return Columns(tuple(schema), tuple(numbers))


def pieces(file: BinaryIO, header: tuple[str, ...], limits: FileLimits) -> Iterator[Piece]:
    """Read the rows; `line` is the number of the record, 1 for the first.

    Raises:
        FileRefusedError: E_FILE_DAMAGED, E_FILE_COUNT, E_FILE_ZIP_BOMB, E_FILE_ROWS_TOO_MANY,
            E_FILE_LINE_TOO_LONG.
    """
    done = 0
    try:
        total = _scan(file).select(pl.len()).collect().item()
        _check_total(total, os.fstat(file.fileno()).st_size, limits)
        texts = _scan(file).select(pl.col(header).cast(pl.String))
        for batch in texts.collect_batches(chunk_size=_ROWS, maintain_order=True):
            for frame in _bounded(batch, done, limits):
                lines = pl.int_range(done + 1, done + frame.height + 1, dtype=pl.Int64, eager=True)
                done += frame.height
                original = frame.insert_column(0, lines.alias("line"))
                yield replace(Piece.of_rows(header, ()), original=original)
    except _BROKEN:
        raise refused("E_FILE_DAMAGED", value=f"after record {done}") from None
    if done != total:
        raise refused("E_FILE_COUNT", value="the end", allowed=f"{total} and {done}")


def _check_total(total: int, size: int, limits: FileLimits) -> None:
    """Refuse what would unpack to far more than its size: a run of one value costs no bytes."""
    if total > limits.rows_max:
        raise refused("E_FILE_ROWS_TOO_MANY", allowed=f"{limits.rows_max:,}")
    if total > max(size, _ROWS):
        raise refused("E_FILE_ZIP_BOMB", value=f"{total:,} records in {size:,} bytes")


def _bounded(batch: pl.DataFrame, done: int, limits: FileLimits) -> Iterator[pl.DataFrame]:
    """Cut a batch where its texts are long: they may be one text that is stored once."""
    sizes = batch.select(
        pl.sum_horizontal(pl.all().str.len_bytes().cast(pl.Int64).fill_null(0)).alias("bytes")
    )["bytes"]
    if sizes.sum() <= limits.block_bytes * 8:
        yield batch
        return
    longest = sizes.arg_max() or 0
    if sizes[longest] > limits.line_bytes_max:
        where = f"record {done + longest + 1}"
        raise refused("E_FILE_LINE_TOO_LONG", value=where, allowed=f"{limits.line_bytes_max:,}")
    part = sizes.cum_sum() // limits.block_bytes
    for _, frame in batch.with_columns(part.alias("__part")).group_by(
        "__part", maintain_order=True
    ):
        yield frame.drop("__part")


def _scan(file: BinaryIO) -> pl.LazyFrame:
    """Scan the descriptor that was checked, not whatever the path names by now."""
    return pl.scan_parquet(f"/dev/fd/{file.fileno()}", glob=False)
