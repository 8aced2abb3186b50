"""Delimited text: its lines as frames, each block counted twice.

Polars parses the cells; `records` says, without Polars, how many records there are, on which line
each begins and how many fields it has. Polars would fill a short line with nulls in silence and
fail the whole file for a long one, so lines with another number of fields than the header never
reach it: they are read one by one and become a problem of their line.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from payouts.intake.dialect import cells
from payouts.intake.layout import Piece
from payouts.intake.records import Records, cut
from payouts.intake.refusal import refused
from payouts.intake.text import NotUtf8Error, is_utf8

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from payouts.intake.layout import Layout
    from payouts.intake.limits import FileLimits

__all__ = ["pieces"]


def pieces(text: Iterable[bytes], layout: Layout, limits: FileLimits) -> Iterator[Piece]:
    """Read a delimited text.

    Args:
        text: the whole text in UTF-8, without byte order mark.

    Raises:
        NotUtf8Error: a block is not UTF-8.
        FileRefusedError: E_FILE_QUOTE, E_FILE_LINE_TOO_LONG, E_FILE_COUNT.
    """
    dialect = layout.dialect
    found = cut(
        text,
        delimiter=dialect.delimiter.encode(),
        quote=dialect.quote.encode(),
        line_bytes_max=limits.line_bytes_max,
    )
    for records in found:
        blank = records.blank()
        data = ~blank & (records.lines > dialect.header_line)
        yield _piece(records, data, int(np.count_nonzero(blank)), layout)


def _piece(records: Records, data: NDArray[np.bool_], blank_lines: int, layout: Layout) -> Piece:
    width = len(layout.header) + len(layout.dropped)
    whole = data & (records.fields == width) & ~records.stray
    frame = _parsed(records, whole, layout, width)
    broken = np.flatnonzero(data & ~whole)
    rows, problems = _one_by_one(records, broken, layout, width)
    lines = [int(records.lines[i]) for i in broken]
    odd = Piece.of_rows(
        layout.header, rows, problems, lines, blank_lines=blank_lines, closed=records.closed
    )
    merged = pl.concat([frame, odd.original]).sort("line") if rows else frame
    return replace(odd, original=merged, ascii=records.data.isascii())


def _parsed(records: Records, whole: NDArray[np.bool_], layout: Layout, width: int) -> pl.DataFrame:
    """Let Polars parse the whole records, and compare its count with ours."""
    data = records.data if whole.all() else _selected(records, whole)
    if not is_utf8(data):
        raise NotUtf8Error
    names = [str(i) for i in range(width)]
    count = int(np.count_nonzero(whole))
    near = f"line {records.lines[0]}"
    try:
        frame = pl.read_csv(
            data,
            has_header=False,
            schema=dict.fromkeys(names, pl.String),
            separator=layout.dialect.delimiter,
            quote_char=layout.dialect.quote,
            glob=False,
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):  # may quote a cell
        raise refused("E_FILE_COUNT", value=near, allowed=f"{count} and none") from None
    if frame.height != count:
        raise refused("E_FILE_COUNT", value=near, allowed=f"{count} and {frame.height}")
    lines = pl.Series("line", records.lines[whole])
    kept = frame.select(
        pl.col(str(position)).alias(name)
        for position, name in zip(layout.kept, layout.header, strict=True)
    )
    return kept.insert_column(0, lines)


def _selected(records: Records, whole: NDArray[np.bool_]) -> bytes:
    """Copy the whole records out of a block, runs of neighbours at a time."""
    edges = np.flatnonzero(np.diff(whole.astype(np.int8), prepend=0, append=0))
    ends = np.append(records.starts[1:], len(records.data))
    return b"".join(
        records.data[records.starts[first] : ends[after - 1]]
        for first, after in zip(edges[::2], edges[1::2], strict=True)
    )


def _one_by_one(
    records: Records, broken: NDArray[np.int64], layout: Layout, width: int
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Read the lines that have another shape than the header, and say so of each."""
    dialect = layout.dialect
    rows: list[tuple[object, ...]] = []
    problems: list[tuple[object, ...]] = []
    for i in broken:
        line = int(records.lines[i])
        try:
            text = records.text(int(i))
        except UnicodeDecodeError:
            raise NotUtf8Error from None
        found = cells(text, dialect.delimiter, dialect.quote)
        shaped = _shaped(found, width, dialect.delimiter)
        rows.append((line, *(shaped[position] or None for position in layout.kept)))
        if records.stray[i]:
            problems.append((line, "E_LINE_QUOTE", "", "", ""))
        else:
            problems.append((line, "E_LINE_FIELDS", "", str(len(found)), str(width)))
    return rows, problems


def _shaped(found: list[str], width: int, delimiter: str) -> list[str]:
    """Bring a line to the header's width: what is too much is kept in the last cell."""
    padded = found[:width] + [""] * (width - len(found))
    if len(found) > width:
        padded[-1] = delimiter.join(found[width - 1 :])
    return padded
