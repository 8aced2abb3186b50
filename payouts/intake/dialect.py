r"""Dialects of delimited text: delimiter, quote, line break and where the header stands.

>>> found = detect(b"reference;name;country;currency;amount;method\r\n1;Ann;DE;EUR;10,50;sepa\r\n")
>>> found.delimiter, found.newline == "\r\n", found.header[:2]
(';', True, ('reference', 'name'))
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from payouts.intake.columns import recognised
from payouts.intake.refusal import refused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["DELIMITERS", "Dialect", "cells", "detect"]

DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}

_PAYPAL_NAMES: Final = (
    *("recipient", "amount", "currency", "customer_id", "note", "wallet", "social_setting"),
)
_PAYPAL_WIDTH: Final = range(3, len(_PAYPAL_NAMES) + 1)
_RECIPIENT: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|\+?[0-9][0-9 ()-]{6,18}|[A-Z0-9]{13}")
_AMOUNT: Final = re.compile(r"[0-9]+([.,][0-9]+)?")
_SEP_LINE: Final = re.compile(r"sep=(.)\r?", re.IGNORECASE)
_LINES_SCORED: Final = 10
_CELL_MAX: Final = 255
_RECORD_SCORED: Final = 1 << 17
_HEADER_SURE: Final = 3


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one delimited text is written.

    Args:
        delimiter: the character between two cells.
        quote: the character around a cell that holds a delimiter, a quote or a line break.
        newline: what ends a line: LF, CRLF or CR.
        header: the column names as written.
        header_line: the physical line of the header; 0 where the template has none.
        positional: the product whose columns are known by their place, or empty.
    """

    delimiter: str
    quote: str
    newline: str
    header: tuple[str, ...]
    header_line: int
    positional: str = ""


def detect(sample: bytes, named: Collection[str] = ()) -> Dialect:
    """Find the dialect from the beginning of a text.

    Args:
        sample: UTF-8 without byte order mark, long enough for the header line.
        named: column names that the pipeline knows beside ours.

    Raises:
        FileRefusedError: E_FILE_EMPTY, E_FILE_DELIMITER, E_FILE_HEADER_MISSING,
            E_FILE_HEADER_LATE, E_FILE_LINE_TOO_LONG.
    """
    text = sample.decode("utf-8", "replace")  # only for the look: parsing never replaces
    if not text.strip():
        raise refused("E_FILE_EMPTY")
    newline = "\r\n" if "\r\n" in text else "\n" if "\n" in text else "\r"
    if "\n" not in text and "\r" not in text:
        newline = "\n"
    quote = "'" if '"' not in text and text.lstrip().startswith("'") else '"'
    records = islice(_logical_lines(text, newline, quote), _LINES_SCORED + 1)
    numbered = [(line, record[:_RECORD_SCORED]) for line, record in records]
    if len(numbered[0][1]) == _RECORD_SCORED:
        where = f"line {numbered[0][0]}"
        raise refused("E_FILE_LINE_TOO_LONG", value=where, allowed=f"{_RECORD_SCORED:,}")
    said = _SEP_LINE.fullmatch(numbered[0][1])
    if said and len(numbered) > 1:
        numbered = numbered[1:]
        delimiter, line, header = said[1], *_header(numbered, quote, said[1], named)
        return Dialect(delimiter, quote, newline, header, line)
    delimiter = _delimiter(numbered, quote, named)
    if delimiter is None:
        return _positional(numbered, quote, newline)
    line, header = _header(numbered, quote, delimiter, named)
    return Dialect(delimiter, quote, newline, header, line)


def cells(record: str, delimiter: str, quote: str) -> list[str]:
    """Split one record as RFC 4180 has it, spaces and line breaks in quotes kept.

    >>> cells('1,"a ""b"", c", d', ",", '"')
    ['1', 'a "b", c', ' d']
    """
    found, at = [], 0
    while True:
        cell, at = _cell(record, at, delimiter, quote)
        found.append(cell)
        if at > len(record):
            return found


def _cell(record: str, at: int, delimiter: str, quote: str) -> tuple[str, int]:
    """Read the cell that begins at `at`; return it and where the next one begins."""
    text = ""
    if quote and record.startswith(quote, at):
        at += 1
        while True:
            end = record.find(quote, at)
            end = len(record) if end < 0 else end
            text += record[at:end]
            at = end + 1
            if not record.startswith(quote, at):
                break
            text += quote
            at += 1
    end = record.find(delimiter, at)
    end = len(record) if end < 0 else end
    return text + record[at:end], end + 1


def _logical_lines(text: str, newline: str, quote: str) -> Iterator[tuple[int, str]]:
    """Yield (physical line, record) of the records that are not blank."""
    held: list[str] = []
    open_quote, begun = False, 0
    for number, part in enumerate(text.split(newline if newline == "\r" else "\n"), 1):
        begun = begun if held else number
        held.append(part)
        open_quote ^= part.count(quote) % 2 == 1
        if not open_quote:
            record = "\n".join(held)
            if record.strip():
                yield begun, record.removesuffix("\r")
            held = []
    record = "\n".join(held)
    if record.strip():
        yield begun, record


def _delimiter(
    numbered: Sequence[tuple[int, str]], quote: str, named: Collection[str]
) -> str | None:
    """Choose the delimiter under which the first lines name most of our columns."""
    first = numbered[0][1]
    scores = {
        delimiter: max(
            recognised(cells(record, delimiter, quote), named)
            for _, record in numbered
            if delimiter in record or record is first
        )
        for delimiter in DELIMITERS
        if any(delimiter in record for _, record in numbered)
    }
    best = max(scores.values(), default=0)
    if best == 0:
        return None
    winners = [delimiter for delimiter, score in scores.items() if score == best]
    if len(winners) > 1:
        raise refused("E_FILE_DELIMITER", value=" or ".join(DELIMITERS[d] for d in winners))
    return winners[0]


def _header(
    numbered: Sequence[tuple[int, str]], quote: str, delimiter: str, named: Collection[str]
) -> tuple[int, tuple[str, ...]]:
    """Give the header's line and cells: the first line that is not blank."""
    line, record = numbered[0]
    names = tuple(cells(record, delimiter, quote))
    if recognised(names, named) == 0:
        for later, other in numbered[1:]:
            if recognised(cells(other, delimiter, quote), named) >= _HEADER_SURE:
                raise refused("E_FILE_HEADER_LATE", value=f"line {later}")
        raise refused("E_FILE_HEADER_MISSING", value=f"it has {len(names)} cells")
    return line, tuple(name.strip() for name in names)


def _positional(numbered: Sequence[tuple[int, str]], quote: str, newline: str) -> Dialect:
    """Recognise PayPal's header-less file: recipient, amount, currency, then four optional."""
    for delimiter in DELIMITERS:
        rows = [cells(record, delimiter, quote) for _, record in numbered]
        if all(_paypal(row) for row in rows) and len({len(row) for row in rows}) == 1:
            return Dialect(
                delimiter, quote, newline, _PAYPAL_NAMES[: len(rows[0])], 0, positional="PayPal"
            )
    width = max(len(cells(numbered[0][1], delimiter, quote)) for delimiter in DELIMITERS)
    raise refused("E_FILE_HEADER_MISSING", value=f"it has {width} cells")


def _paypal(row: Sequence[str]) -> bool:
    return (
        len(row) in _PAYPAL_WIDTH
        and max(map(len, row[:3])) < _CELL_MAX
        and _RECIPIENT.fullmatch(row[0].strip()) is not None
        and _AMOUNT.fullmatch(row[1].strip()) is not None
        and re.fullmatch(r"[A-Z]{3}", row[2].strip()) is not None
    )
