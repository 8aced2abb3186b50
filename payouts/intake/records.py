r"""Records: where the lines of a delimited text begin and end, found without Polars.

This is the independent count of promise P2. It looks at bytes only: line breaks and delimiters
outside quotes. What it says is compared with what Polars parsed, block by block.

>>> block = next(cut([b'a,b\n1,"x\ny"\n2\n'], delimiter=b",", quote=b'"', line_bytes_max=99))
>>> block.lines.tolist(), block.fields.tolist()
([1, 2, 4], [2, 2, 1])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from payouts.intake.refusal import refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

__all__ = ["Records", "cut"]

_LF: Final = 10
_CR: Final = 13
_COUNTABLE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Records:
    """Whole records, one after another, in one piece of UTF-8 text.

    Args:
        data: the bytes, from the first byte of the first record.
        starts: offset of each record's first byte.
        ends: offset after each record's last byte, its line break not counted.
        lines: physical line on which each record begins (1 is the first of the file).
        fields: number of fields of each record.
        stray: records with a quote in the middle of a cell, whose extent is certain all the same.
        closed: whether the last record ends with a line break.
    """

    data: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    lines: NDArray[np.int64]
    fields: NDArray[np.int64]
    stray: NDArray[np.bool_]
    closed: bool

    def blank(self) -> NDArray[np.bool_]:
        """Tell which records are blank: no characters, or delimiters alone."""
        data = np.frombuffer(self.data, np.uint8)
        filled = self.ends > self.starts
        cr = filled & (data[np.maximum(self.ends - 1, 0)] == _CR)
        bare: NDArray[np.bool_] = self.ends - self.starts - cr == self.fields - 1
        for i in np.flatnonzero((self.fields == 1) & ~bare):  # spaces alone: few, if any
            bare[i] = not self.data[self.starts[i] : self.ends[i]].strip()
        return bare

    def text(self, i: int) -> str:
        """Give the text of record number `i`, without its line break."""
        return self.data[self.starts[i] : self.ends[i]].decode().removesuffix("\r")


def cut(
    blocks: Iterable[bytes], *, delimiter: bytes, quote: bytes, line_bytes_max: int
) -> Iterator[Records]:
    """Cut a stream of UTF-8 bytes into whole records.

    Args:
        blocks: the text in pieces of any size.
        delimiter: one byte.
        quote: one byte, or empty where the dialect has no quotes.
        line_bytes_max: longest record; also the bound on what is kept between two blocks.

    Raises:
        FileRefusedError: E_FILE_QUOTE, E_FILE_LINE_TOO_LONG.
    """
    scan = _Scan(delimiter[0], quote[0] if quote else None, line_bytes_max)
    carry = b""
    for block in blocks:
        data = carry + block if carry else block
        found, used = scan.split(data, final=False)
        carry = data[used:] if used else data
        if len(carry) > line_bytes_max:
            scan.too_long(carry)
        if found is not None:
            yield found
    if carry:
        found, _ = scan.split(carry, final=True)
        if found is not None:
            yield found


class _Scan:
    """The state between two blocks: the physical line on which the next record begins."""

    def __init__(self, delimiter: int, quote: int | None, line_bytes_max: int) -> None:
        self.delimiter = delimiter
        self.quote = quote
        self.line_bytes_max = line_bytes_max
        self.line = 1

    def split(self, data: bytes, *, final: bool) -> tuple[Records | None, int]:
        """Split `data`; return the records and how many bytes they take."""
        array = np.frombuffer(data, np.uint8)
        breaks = np.flatnonzero(array == _LF)
        quotes = self._quotes(data, array)
        ends = breaks[np.searchsorted(quotes, breaks) % 2 == 0] if quotes.size else breaks
        closed = bool(ends.size) and bool(ends[-1] == len(data) - 1)
        if final and not closed:
            self._check_closed(data, quotes, ends)
            ends = np.append(ends, len(data))
        if not ends.size:
            return None, 0
        used = min(int(ends[-1]) + 1, len(data))
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])
        passed = np.searchsorted(breaks, starts) if quotes.size else np.arange(len(starts))
        lines = self.line + passed
        self._check_length(starts, ends, lines)
        fields = self._fields(array[:used], starts, quotes)
        stray = self._stray(data[:used], quotes[quotes < used], starts, lines)
        self.line += int(np.searchsorted(breaks, used))
        whole = data if used == len(data) else data[:used]
        return Records(whole, starts, ends, lines, fields, stray, closed or not final), used

    def _fields(
        self, array: NDArray[np.uint8], starts: NDArray[np.int64], quotes: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Count the fields of each record: its delimiters outside quotes and one more."""
        is_delimiter = array == self.delimiter
        if not quotes.size and np.diff(starts, append=len(array)).max() < _COUNTABLE:
            short = np.add.reduceat(is_delimiter.view(np.uint8), starts, dtype=np.uint16)
            return short.astype(np.int64) + 1
        places = np.flatnonzero(is_delimiter)
        if quotes.size:
            places = places[np.searchsorted(quotes, places) % 2 == 0]
        return np.diff(np.searchsorted(places, np.append(starts, len(array)))) + 1

    def too_long(self, carry: bytes) -> None:
        """Refuse a record that has no end within the limit."""
        if b"\n" in carry:  # lines follow, so a quote is open
            quotes = self._quotes(carry, np.frombuffer(carry, np.uint8))
            first = int(quotes[0]) if quotes.size else 0
            line = self.line + carry.count(b"\n", 0, first)
            raise refused("E_FILE_QUOTE", value=f"line {line}")
        raise refused(
            "E_FILE_LINE_TOO_LONG", value=f"line {self.line}", allowed=f"{self.line_bytes_max:,}"
        )

    def _quotes(self, data: bytes, array: NDArray[np.uint8]) -> NDArray[np.int64]:
        if self.quote is None or data.find(self.quote) < 0:
            return np.empty(0, np.int64)
        return np.flatnonzero(array == self.quote)

    def _check_closed(
        self, data: bytes, quotes: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> None:
        if quotes.size % 2:
            start = int(ends[-1]) + 1 if ends.size else 0
            first = int(quotes[np.searchsorted(quotes, start)])
            line = self.line + data.count(b"\n", 0, first)
            raise refused("E_FILE_QUOTE", value=f"line {line}")

    def _check_length(
        self, starts: NDArray[np.int64], ends: NDArray[np.int64], lines: NDArray[np.int64]
    ) -> None:
        longest = int(np.argmax(ends - starts))
        if ends[longest] - starts[longest] > self.line_bytes_max:
            raise refused(
                "E_FILE_LINE_TOO_LONG",
                value=f"line {lines[longest]}",
                allowed=f"{self.line_bytes_max:,}",
            )

    def _stray(
        self,
        data: bytes,
        quotes: NDArray[np.int64],
        starts: NDArray[np.int64],
        lines: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Find records with a misplaced quote; refuse where their extent is not certain."""
        stray = np.zeros(len(starts), np.bool_)
        bad = self._misplaced(data, quotes)
        if bad.size:
            stray[np.searchsorted(starts, bad, side="right") - 1] = True
        for i in np.flatnonzero(stray):
            end = starts[i + 1] if i + 1 < len(starts) else len(data)
            if data.count(b"\n", starts[i], end - 1):  # more than one line: which is not certain
                raise refused("E_FILE_QUOTE", value=f"line {lines[i]}")
        return stray

    def _misplaced(self, data: bytes, quotes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Find the quotes that neither open, close nor double as RFC 4180 has it."""
        if not quotes.size:
            return quotes
        padded = np.frombuffer(b"\n" + data + b"\n", np.uint8)
        opening, closing = quotes[::2], quotes[1::2]
        before, after = padded[opening], padded[closing + 2]
        edge = (before == self.delimiter) | (before == _LF)
        doubled = before == self.quote
        doubled[1:] &= opening[1:] == closing[: len(opening) - 1] + 1
        good_open = edge | doubled
        good_close = (
            (after == self.delimiter) | (after == _LF) | (after == _CR) | (after == self.quote)
        )
        return np.sort(np.concatenate([opening[~good_open], closing[~good_close]]))
