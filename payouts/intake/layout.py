"""Layout: what must be known about a file to read its lines, and the pieces it is read in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from payouts.intake.dialect import Dialect
    from payouts.intake.source import Kind
    from payouts.intake.text import Encoding

__all__ = ["Layout", "Piece"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How the lines of one file are found.

    Args:
        kind: what the file is.
        encoding: of the text; UTF-8 for workbooks and Parquet.
        dialect: as found in a delimited text; for the other kinds the one of our reject files.
        header: the columns that are the payer's, in order.
        dropped: positions of our own reject columns, which are read over.
        trailer: the cells of the last line where it is a total and no payment, or empty.
    """

    kind: Kind
    encoding: Encoding
    dialect: Dialect
    header: tuple[str, ...]
    dropped: tuple[int, ...] = ()
    trailer: tuple[str, ...] = ()

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
        blank_lines: lines without content that were passed over.
        closed: whether the last line ends with a line break.
    """

    original: pl.DataFrame
    problems: pl.DataFrame
    unreadable: pl.Series
    blank_lines: int = 0
    closed: bool = True
