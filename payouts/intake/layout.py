"""Layout: what must be known about a file to read its lines, and the pieces it is read in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from payouts.intake.frames import PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from payouts.intake.dialect import Dialect
    from payouts.intake.source import Kind
    from payouts.intake.text import Encoding

__all__ = ["Layout", "Piece", "original_schema"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How the lines of one file are found.

    Args:
        kind: what the file is.
        encoding: of the text; UTF-8 for workbooks and Parquet.
        dialect: as found in a delimited text; for the other kinds the one of our reject files.
        header: the columns that are the payer's, in order.
        dropped: positions of our own reject columns, which are read over.
        numbers: columns that the file itself stores as whole or decimal numbers (Parquet).
        part: the part of a workbook that holds the sheet, or empty.
    """

    kind: Kind
    encoding: Encoding
    dialect: Dialect
    header: tuple[str, ...]
    dropped: tuple[int, ...] = ()
    numbers: tuple[str, ...] = ()
    part: str = ""

    @property
    def kept(self) -> tuple[int, ...]:
        """Positions of the payer's columns in the header as written."""
        width = len(self.header) + len(self.dropped)
        return tuple(i for i in range(width) if i not in self.dropped)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines of a file, one after another.

    Args:
        original: `line` and the payer's columns as text, untouched: one row per data line.
        problems: what is wrong with how the lines are written.
        unreadable: `line` of the rows whose cells are in doubt and must not be interpreted.
        numbers: cells that hold a number instead of text: `line`, `column` (XLSX, JSON Lines).
        blank_lines: lines without content that were passed over.
        closed: whether the last line ends with a line break.
        ascii: whether all cells are known to be ASCII.
    """

    original: pl.DataFrame
    problems: pl.DataFrame
    unreadable: pl.Series
    numbers: pl.DataFrame
    blank_lines: int = 0
    closed: bool = True
    ascii: bool = False

    @classmethod
    def of_rows(
        cls,
        header: Sequence[str],
        rows: Sequence[tuple[object, ...]],
        problems: Sequence[tuple[object, ...]] = (),
        unreadable: Sequence[int] = (),
        numbers: Sequence[tuple[int, str]] = (),
        *,
        blank_lines: int = 0,
        closed: bool = True,
    ) -> Piece:
        """Make a piece from rows of Python values, each row led by its line number."""
        return cls(
            pl.DataFrame(rows, schema=original_schema(header), orient="row"),
            pl.DataFrame(problems, schema=PROBLEMS, orient="row"),
            pl.Series("line", unreadable, pl.Int64),
            pl.DataFrame(numbers, schema=_NUMBERS, orient="row"),
            blank_lines,
            closed,
        )


_NUMBERS = pl.Schema({"line": pl.Int64, "column": pl.String})


def original_schema(header: Sequence[str]) -> dict[str, type[pl.DataType]]:
    """Give the schema of a frame of original columns."""
    return {"line": pl.Int64, **dict.fromkeys(header, pl.String)}
