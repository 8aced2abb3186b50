"""Parquet: its columns as text, refused where a type cannot hold money or account numbers.

Polars raises `PanicException`, which is no `Exception`, for some malformed files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.intake.layout import Piece
from payouts.intake.refusal import refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

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


def pieces(file: BinaryIO, header: tuple[str, ...]) -> Iterator[Piece]:
    """Read the rows; `line` is the number of the record, 1 for the first.

    Raises:
        FileRefusedError: E_FILE_DAMAGED, E_FILE_COUNT.
    """
    done = 0
    try:
        total = _scan(file).select(pl.len()).collect().item()
        texts = _scan(file).select(pl.col(header).cast(pl.String))
        for frame in texts.collect_batches(chunk_size=_ROWS, maintain_order=True):
            lines = pl.int_range(done + 1, done + frame.height + 1, dtype=pl.Int64, eager=True)
            done += frame.height
            empty = Piece.of_rows(header, ())
            yield Piece(
                frame.insert_column(0, lines.alias("line")),
                empty.problems,
                empty.unreadable,
                empty.numbers,
            )
    except _BROKEN:
        raise refused("E_FILE_DAMAGED", value=f"after record {done}") from None
    if done != total:
        raise refused("E_FILE_COUNT", value="the end", allowed=f"{total} and {done}")


def _scan(file: BinaryIO) -> pl.LazyFrame:
    """Scan the descriptor that was checked, not whatever the path names by now."""
    return pl.scan_parquet(f"/dev/fd/{file.fileno()}", glob=False)
