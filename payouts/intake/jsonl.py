r"""JSON Lines: one object per line, every value as the text that stands in the file.

Numbers keep their digits (`12.50` stays `12.50`); two keys of one name, nested values and broken
lines are problems of their line.

>>> cells_of(b'{"amount": 12.50, "name": "Ann"}', ("name", "amount"))
Cells(values=('Ann', '12.50'), numbers=('amount',), problem=None)
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from payouts.intake.layout import Piece
from payouts.intake.refusal import refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from payouts.intake.limits import FileLimits

__all__ = ["cells_of", "keys", "pieces"]

_ROWS: Final = 50_000


class _Number(str):
    """The digits of a JSON number."""

    __slots__ = ()


class Cells(NamedTuple):
    """One line: its values in header order, which of them are numbers, and what is wrong."""

    values: tuple[str | None, ...]
    numbers: tuple[str, ...] = ()
    problem: tuple[str, str, str] | None = None


def keys(text: Iterable[bytes], limits: FileLimits) -> tuple[str, ...]:
    """Collect the keys of all objects, in the order in which they first appear.

    Raises:
        FileRefusedError: E_FILE_JSON where the first line is no object, E_FILE_COLUMNS,
            E_FILE_LINE_TOO_LONG.
    """
    found: dict[str, None] = {}
    first = True
    for number, line, _ in _lines(text, limits):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            value = None
        if first and not isinstance(value, dict):
            raise refused("E_FILE_JSON", value=f"Line {number}")
        first = False
        if isinstance(value, dict) and not value.keys() <= found.keys():
            found.update(dict.fromkeys(value))
            if len(found) > limits.columns_max:
                raise refused("E_FILE_COLUMNS", value=len(found), allowed=limits.columns_max)
    if first:
        raise refused("E_FILE_EMPTY")
    return tuple(found)


def pieces(text: Iterable[bytes], header: tuple[str, ...], limits: FileLimits) -> Iterator[Piece]:
    """Read the lines of a JSON Lines text.

    Raises:
        FileRefusedError: E_FILE_LINE_TOO_LONG, E_FILE_COUNT.
    """
    breaks = _Breaks()
    rows: list[tuple[object, ...]] = []
    problems: list[tuple[object, ...]] = []
    unreadable: list[int] = []
    numbers: list[tuple[int, str]] = []
    blank = total = last = size = 0
    closed = True
    for number, line, ended in _lines(breaks.counting(text), limits):
        closed = ended
        blank += number - last - 1
        last = number
        total += 1
        cells = cells_of(line, header)
        rows.append((number, *cells.values))
        numbers.extend((number, name) for name in cells.numbers)
        if cells.problem is not None:
            code, column, value = cells.problem
            problems.append((number, code, column, value, ""))
            unreadable.append(number)
        size += len(line)
        if len(rows) == _ROWS or size > limits.block_bytes:
            yield Piece.of_rows(header, rows, problems, unreadable, numbers, blank_lines=blank)
            rows, problems, unreadable, numbers, blank, size = [], [], [], [], 0, 0
    if breaks.filled != total:
        raise refused("E_FILE_COUNT", value="the end", allowed=f"{breaks.filled} and {total}")
    yield Piece.of_rows(
        header, rows, problems, unreadable, numbers, blank_lines=blank, closed=closed
    )


def cells_of(line: bytes, header: tuple[str, ...]) -> Cells:
    """Read one line."""
    nothing = (None,) * len(header)
    try:
        pairs = json.loads(
            line,
            object_pairs_hook=list,
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError):
        raw = line.decode("utf-8", "replace").strip()
        return Cells((raw, *nothing[1:]), problem=("E_LINE_JSON", "", "it cannot be read"))
    if not line.lstrip().startswith(b"{"):
        return Cells(nothing, problem=("E_LINE_JSON", "", "it is another value"))
    values: dict[str, str | None] = {}
    numbers = []
    for name, value in pairs:
        if name in values:
            return Cells(nothing, problem=("E_LINE_JSON_KEY", name, name))
        if value is not None and not isinstance(value, str):
            spoken = "true or false" if isinstance(value, bool) else "a list or an object"
            return Cells(nothing, problem=("E_LINE_JSON_TYPE", name, spoken))
        if isinstance(value, _Number):
            numbers.append(name)
        values[name] = str(value) if value is not None else None
    return Cells(tuple(values.get(name) for name in header), tuple(numbers))


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are no JSON


class _Breaks:
    """Counts lines that are not blank, by their bytes alone."""

    def __init__(self) -> None:
        self.filled = 0

    def counting(self, text: Iterable[bytes]) -> Iterator[bytes]:
        """Pass the blocks on and count."""
        open_line = False
        for block in text:
            first, *others = block.split(b"\n")
            open_line = open_line or bool(first.strip())
            if others:
                self.filled += open_line + sum(1 for part in others[:-1] if part.strip())
                open_line = bool(others[-1].strip())
            yield block
        self.filled += open_line


def _lines(text: Iterable[bytes], limits: FileLimits) -> Iterator[tuple[int, bytes, bool]]:
    """Yield (line number, line, whether a line break ends it) of lines that are not blank."""
    carry, number = b"", 0
    for block in text:
        *whole, carry = (carry + block).split(b"\n")
        for line in whole:
            number += 1
            if line.strip():
                _check_length(line, number, limits)
                yield number, line, True
        _check_length(carry, number + 1, limits)
    if carry.strip():
        yield number + 1, carry, False


def _check_length(line: bytes, number: int, limits: FileLimits) -> None:
    if len(line) > limits.line_bytes_max:
        raise refused(
            "E_FILE_LINE_TOO_LONG", value=f"line {number}", allowed=f"{limits.line_bytes_max:,}"
        )
