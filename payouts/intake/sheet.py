"""Sheets: the rows of one worksheet as text, read as a stream.

A number that a cell stores is given with the 15 digits that a spreadsheet keeps and shows: Excel
writes 4.1 as 4.0999999999999996. Which cells were numbers is told, since an account number in one
has lost its zeros or its tail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from payouts.intake import workbook
from payouts.intake.refusal import refused

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator

    from payouts.intake.limits import FileLimits

__all__ = ["Row", "cell_name", "rows"]

_DIGITS: Final = 15
_EXCEL: Final = Context(prec=_DIGITS)
_NOISE: Final = Decimal("5e-16")  # a few units in the last place of a binary double
_DAY_ZERO: Final = date(1899, 12, 30)
_DAY_ZERO_1904: Final = date(1904, 1, 1)
_DAYS_MAX: Final = 2_958_465  # 31 December 9999
_CELL: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_COLUMNS_MAX: Final = 16_384


@dataclass(slots=True)
class Row:
    """One row that is not blank.

    Args:
        number: as the spreadsheet shows it.
        cells: position (0 is column A) → text.
        numbers: positions of cells that store a number.
        imprecise: those of them with more digits than a spreadsheet keeps.
    """

    number: int
    cells: dict[int, str]
    numbers: list[int]
    imprecise: list[int]


def cell_name(position: int, row: int) -> str:
    """Give the name of a cell.

    >>> cell_name(0, 2), cell_name(27, 9)
    ('A2', 'AB9')
    """
    letters, rest = "", position + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{row}"


def rows(
    archive: zipfile.ZipFile, part: str, limits: FileLimits, *, from_1904: bool = False
) -> Iterator[Row]:
    """Read the rows of a worksheet.

    Raises:
        FileRefusedError: E_FILE_XLSX_FORMULA, E_FILE_XLSX_HIDDEN, E_FILE_XLSX_MERGED,
            E_FILE_LINE_TOO_LONG, E_FILE_ZIP_BOMB, E_FILE_COLUMNS, E_FILE_DAMAGED.
    """
    texts = workbook.shared_texts(archive, limits)
    reader = _Reader(texts, workbook.dated_styles(archive), limits, from_1904=from_1904)
    with archive.open(part) as stream:
        for _ in workbook.parsed(stream, reader.start, reader.text, reader.end):
            yield from reader.taken()


class _Reader:
    """Builds rows from the events of the XML parser."""

    def __init__(
        self, texts: list[str], dated: frozenset[int], limits: FileLimits, *, from_1904: bool
    ) -> None:
        self._texts = texts
        self._dated = dated
        self._limits = limits
        self._day_zero = _DAY_ZERO_1904 if from_1904 else _DAY_ZERO
        self._done: list[Row] = []
        self._row = Row(0, {}, [], [])
        self._position = -1
        self._kind = ""
        self._style = 0
        self._parts: list[str] | None = None
        self._skipped = 0
        self._size = 0

    def taken(self) -> list[Row]:
        """Give the rows that were completed since the last call."""
        done, self._done = self._done, []
        return done

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if name == "row":
            self._begin_row(attributes)
        elif name == "c":
            self._begin_cell(attributes)
        elif name in ("v", "t"):
            self._parts = [] if self._parts is None else self._parts
        elif name == "rPh":
            self._skipped += 1
        elif name == "f":
            where = cell_name(self._position, self._row.number)
            raise refused("E_FILE_XLSX_FORMULA", value=where)
        elif name == "col" and attributes.get("hidden") in ("1", "true"):
            position = int(attributes["min"]) - 1
            raise refused("E_FILE_XLSX_HIDDEN", value=f"column {cell_name(position, 1)[:-1]}")
        elif name == "mergeCell":
            raise refused("E_FILE_XLSX_MERGED", value=attributes.get("ref", "")[:20])

    def text(self, value: str) -> None:
        """Take characters of a value."""
        if self._parts is not None and not self._skipped:
            self._parts.append(value)
            self._grow(len(value))

    def end(self, name: str) -> None:
        """End an element."""
        if name == "c":
            value = "".join(self._parts) if self._parts is not None else ""
            self._parts = None
            if value:
                self._set(value)
        elif name == "rPh":
            self._skipped -= 1
        elif name == "row" and any(cell.strip() for cell in self._row.cells.values()):
            self._done.append(self._row)

    def _grow(self, characters: int) -> None:
        """Bound the text of one row."""
        self._size += characters
        if self._size > self._limits.line_bytes_max:
            raise refused(
                "E_FILE_LINE_TOO_LONG",
                value=f"row {self._row.number}",
                allowed=f"{self._limits.line_bytes_max:,}",
            )

    def _begin_row(self, attributes: dict[str, str]) -> None:
        number = int(attributes.get("r", self._row.number + 1))
        if number <= self._row.number:
            raise refused("E_FILE_DAMAGED", value=f"row {number} comes twice")
        if attributes.get("hidden") in ("1", "true"):
            raise refused("E_FILE_XLSX_HIDDEN", value=f"row {number}")
        self._row = Row(number, {}, [], [])
        self._position = -1
        self._size = 0

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        self._position += 1
        named = _CELL.fullmatch(attributes.get("r", ""))
        if named:
            self._position = _column(named[1])
        if self._position >= _COLUMNS_MAX:
            raise refused("E_FILE_DAMAGED", value="a cell beyond the last column")
        self._kind = attributes.get("t", "n")
        self._style = int(attributes.get("s", "0"))
        self._parts = None

    def _set(self, value: str) -> None:
        row = self._row
        if self._kind == "s":
            row.cells[self._position] = self._shared(value)
            self._grow(len(row.cells[self._position]))
        elif self._kind == "b":
            row.cells[self._position] = "TRUE" if value == "1" else "FALSE"
        elif self._kind == "n":
            row.cells[self._position] = self._number(value)
        else:
            row.cells[self._position] = value

    def _shared(self, value: str) -> str:
        if not value.isascii() or not value.isdigit() or int(value) >= len(self._texts):
            raise refused("E_FILE_DAMAGED", value="a cell names a text that is not there")
        return self._texts[int(value)]

    def _number(self, value: str) -> str:
        try:
            exact = Decimal(value)
        except InvalidOperation:
            raise refused("E_FILE_DAMAGED", value="a number that is none") from None
        if not exact.is_finite() or abs(exact.adjusted()) > 300:  # noqa: PLR2004  the range of a cell
            raise refused("E_FILE_DAMAGED", value="a number beyond a cell's range")
        if self._style in self._dated and 0 < exact <= _DAYS_MAX:
            return (self._day_zero + timedelta(days=int(exact))).isoformat()
        self._row.numbers.append(self._position)
        shown = _EXCEL.plus(exact).normalize(_EXCEL)
        if exact.adjusted() >= _DIGITS or abs(exact - shown) > abs(exact) * _NOISE:
            self._row.imprecise.append(self._position)
        return f"{shown:f}"


def _column(letters: str) -> int:
    position = 0
    for letter in letters:
        position = position * 26 + ord(letter) - 64
    return position - 1
