"""XLSX: the one sheet that holds data, as pieces."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from payouts.intake import sheet, workbook
from payouts.intake.columns import recognised
from payouts.intake.layout import Piece
from payouts.intake.refusal import refused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import BinaryIO

    from payouts.intake.layout import Layout
    from payouts.intake.limits import FileLimits

__all__ = ["header", "pieces"]

_ROWS: Final = 20_000
_LOOKED_AT: Final = 10
_HEADER_SURE: Final = 3


def header(
    file: BinaryIO, limits: FileLimits, named: Collection[str] = ()
) -> tuple[str, int, tuple[str, ...]]:
    """Find the sheet with data and its first row: (part, row number, cells).

    Raises:
        FileRefusedError: E_FILE_EMPTY, E_FILE_XLSX_SHEETS, E_FILE_HEADER_MISSING,
            E_FILE_HEADER_LATE, E_FILE_COLUMNS and those of `workbook` and `sheet`.
    """
    with workbook.opened(file, limits) as archive:
        found, from_1904 = workbook.sheets(archive)
        heads = {
            one.part: list(
                islice(sheet.rows(archive, one.part, limits, from_1904=from_1904), _LOOKED_AT)
            )
            for one in found
        }
    filled = [part for part, head in heads.items() if head]
    if not filled:
        raise refused("E_FILE_EMPTY")
    if len(filled) > 1:
        raise refused("E_FILE_XLSX_SHEETS", value=f"{len(filled)} sheets")
    part, head = filled[0], heads[filled[0]]
    width = max(head[0].cells) + 1
    if width > limits.columns_max:
        raise refused("E_FILE_COLUMNS", value=width, allowed=limits.columns_max)
    names = tuple(head[0].cells.get(i, "").strip() for i in range(width))
    if recognised(names, named) == 0:
        for later in head[1:]:
            if recognised(tuple(later.cells.values()), named) >= _HEADER_SURE:
                raise refused("E_FILE_HEADER_LATE", value=f"row {later.number}")
        raise refused("E_FILE_HEADER_MISSING", value=f"it has {len(head[0].cells)} cells")
    return part, head[0].number, names


def pieces(file: BinaryIO, layout: Layout, limits: FileLimits) -> Iterator[Piece]:
    """Read the rows below the header."""
    with workbook.opened(file, limits) as archive:
        _, from_1904 = workbook.sheets(archive)
        rows = sheet.rows(archive, layout.part, limits, from_1904=from_1904)
        below = (row for row in rows if row.number > layout.dialect.header_line)
        last = layout.dialect.header_line
        for block in _blocks(below, limits.block_bytes):
            blank = block[-1].number - last - len(block)
            last = block[-1].number
            yield _piece(block, layout, blank)


def _blocks(rows: Iterable[sheet.Row], characters: int) -> Iterator[list[sheet.Row]]:
    """Put rows together until they are many or long."""
    block: list[sheet.Row] = []
    size = 0
    for row in rows:
        block.append(row)
        size += sum(map(len, row.cells.values()))
        if len(block) == _ROWS or size > characters:
            yield block
            block, size = [], 0
    if block:
        yield block


def _piece(block: list[sheet.Row], layout: Layout, blank: int) -> Piece:
    width = len(layout.header) + len(layout.dropped)
    names = dict(zip(layout.kept, layout.header, strict=True))
    rows: list[tuple[object, ...]] = []
    problems: list[tuple[object, ...]] = []
    unreadable: list[int] = []
    numbers: list[tuple[int, str]] = []
    for row in block:
        rows.append((row.number, *(row.cells.get(position) for position in layout.kept)))
        beyond = max(row.cells) + 1
        if beyond > width:
            problems.append((row.number, "E_LINE_FIELDS", "", str(beyond), str(width)))
            unreadable.append(row.number)
        numbers.extend((row.number, names[i]) for i in row.numbers if i in names)
        problems.extend(
            (row.number, "E_SPREADSHEET_PRECISION", names[i], "", "")
            for i in row.imprecise
            if i in names
        )
    return Piece.of_rows(layout.header, rows, problems, unreadable, numbers, blank_lines=blank)
