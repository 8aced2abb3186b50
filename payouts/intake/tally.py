"""The tally of a survey: what is known about a file after each piece of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.intake import sheet
from payouts.intake.canonical import canonical
from payouts.intake.cards import CardWatch
from payouts.intake.decimals import Evidence
from payouts.intake.frames import ACCOUNT_COLUMNS
from payouts.intake.refusal import refused
from payouts.intake.trailer import WORDS, Sum, is_trailer

if TYPE_CHECKING:
    from payouts.intake.columns import Plan
    from payouts.intake.duplicates import Gathering
    from payouts.intake.layout import Layout, Piece
    from payouts.intake.limits import FileLimits

__all__ = ["Tally", "may_end_in_total", "without_line"]

_EDGES: Final = " \t\r\n\"',;|"
_WORD: Final = re.compile(r"[^\W\d]+")
_MONEY_COLUMNS: Final = frozenset({"amount", "account", "currency"})
_CUT_CODES: Final = ("E_LINE_FIELDS", "E_LINE_JSON")
_CELLS_NAMED: Final = 5


def may_end_in_total(text: str) -> bool:
    r"""Tell whether the last line of a text begins with a word for a total.

    >>> may_end_in_total("a;1\nTotal;;1\n\n"), may_end_in_total("a;1\nb;2\n")
    (True, False)
    """
    last = text.rstrip(_EDGES).replace("\r", "\n").rpartition("\n")[2].lstrip(_EDGES)
    word = _WORD.match(last)
    return word is not None and any(word[0].casefold().startswith(known[:3]) for known in WORDS)


@dataclass(slots=True)
class Tally:
    """Adds up a file.

    Args:
        plan: how our columns are made.
        layout: how the lines are found.
        gathering: collects the hashes of the lines.
        limits: what the file may cost.
        watch_total: whether the last line may be a total, so that amounts are summed.
        watch_countries: whether the countries must vouch for the encoding.
    """

    plan: Plan
    layout: Layout
    gathering: Gathering
    limits: FileLimits
    watch_total: bool = False
    watch_countries: bool = False
    lines: int = 0
    blank_lines: int = 0
    closed: bool = True
    trailer: tuple[str, ...] = ()
    trailer_line: int = 0
    sum: Sum = field(default_factory=Sum)
    evidence: Evidence = field(default_factory=Evidence)
    cards: CardWatch = field(default_factory=CardWatch)
    countries: set[str] = field(default_factory=set)
    numeric_cells: list[tuple[int, str]] = field(default_factory=list)
    numeric_count: int = 0
    held: Piece | None = None

    def add(self, piece: Piece) -> None:
        """Take the next piece; the last one with lines is held until the file has ended."""
        self.blank_lines += piece.blank_lines
        self.closed = piece.closed
        if piece.original.height:
            if self.held is not None:
                self._count(self.held)
            self.held = piece

    def finish(self) -> None:
        """Take the last piece, without its last line where that is a total.

        Raises:
            FileRefusedError: E_FILE_ACCOUNT_NUMERIC, E_FILE_CUT.
        """
        if self.held is None:
            return
        piece = self.held
        row = piece.original.row(-1, named=True)
        cells = tuple(row[name] or "" for name in self.layout.header)
        named = {ours: row[source] or "" for source, ours in self.plan.pairs}
        if self.watch_total and is_trailer(cells, named):
            self.trailer, self.trailer_line = cells, row["line"]
            piece = without_line(piece, self.trailer_line)
        elif not self.closed:
            self._check_end(piece, row["line"])
        self._count(piece)
        self._check_numbers()

    def _count(self, piece: Piece) -> None:
        self.lines += piece.original.height
        if self.lines > self.limits.rows_max:
            raise refused("E_FILE_ROWS_TOO_MANY", allowed=f"{self.limits.rows_max:,}")
        lines = canonical(piece, self.plan)
        self.cards.look(piece.original, lines)
        self.evidence = self.evidence.seen(lines)
        self.gathering.add(lines)
        if self.watch_total:
            self.sum.add(lines, piece.original.height - lines.height)
        if self.watch_countries:
            self.countries.update(lines["country"].drop_nulls().str.to_uppercase().unique())
        self._numbers(piece)

    def _numbers(self, piece: Piece) -> None:
        """Collect the cells of account data that hold numbers."""
        if not piece.numbers.height or self.layout.kind != "xlsx":
            return
        watched = [source for source, ours in self.plan.pairs if ours in ACCOUNT_COLUMNS]
        hits = piece.numbers.filter(pl.col("column").is_in(watched))
        self.numeric_count += hits.height
        room = _CELLS_NAMED - len(self.numeric_cells)
        self.numeric_cells.extend(hits.head(room).iter_rows())

    def _check_numbers(self) -> None:
        watched = [source for source, ours in self.plan.pairs if ours in ACCOUNT_COLUMNS]
        for name in watched:
            if name in self.layout.numbers:
                raise refused("E_FILE_ACCOUNT_NUMERIC", value=f"column '{name}'")
        if self.numeric_cells:
            position = dict(zip(self.layout.header, self.layout.kept, strict=True))
            names = [sheet.cell_name(position[name], row) for row, name in self.numeric_cells]
            more = self.numeric_count - len(names)
            spoken = f"cell{'s' * (self.numeric_count > 1)} {', '.join(names)}"
            spoken += f" and {more:,} more" if more else ""
            raise refused("E_FILE_ACCOUNT_NUMERIC", value=spoken)

    def _check_end(self, piece: Piece, line: int) -> None:
        """Refuse a file that ends in the middle of a line, or where that cannot be excluded.

        A last line without a line break is whole when it has all its fields and its last one is
        no money: an amount of 1250.00 may have been cut to 125.
        """
        found = piece.problems.filter((pl.col("line") == line) & pl.col("code").is_in(_CUT_CODES))
        short = any(
            code == "E_LINE_JSON" or int(value) < int(allowed)
            for code, value, allowed in found.select("code", "value", "allowed").iter_rows()
        )
        last = dict(self.plan.pairs).get(self.layout.header[-1])
        money = last in _MONEY_COLUMNS and self.layout.kind == "csv" and not self.layout.dropped
        if short or money:
            raise refused("E_FILE_CUT", value=f"line {line}")


def without_line(piece: Piece, line: int) -> Piece:
    """Take one line out of a piece."""
    other = pl.col("line") != line
    return replace(
        piece,
        original=piece.original.filter(other),
        problems=piece.problems.filter(other),
        unreadable=piece.unreadable.filter(piece.unreadable != line),
    )
