"""A workbook, written part by part: the same bytes everywhere, whatever library is installed."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Cell", "Formula", "workbook"]

_FIRST_DAY: Final = (1980, 1, 1, 0, 0, 0)
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOCUMENT: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"


class Formula(str):
    """A cell that computes: the formula without its `=`."""

    __slots__ = ()


Cell = str | int | float | Formula


def workbook(rows: Sequence[Sequence[Cell]], *, hidden_row: int = 0) -> bytes:
    """A workbook of one sheet.

    Args:
        rows: text cells, numbers and formulas, from row 1 on; "" leaves a cell out.
        hidden_row: the number of a row that is not shown; 0 for none.
    """
    parts = {
        "[Content_Types].xml": (
            f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType='
            f'"application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
            "</Types>"
        ),
        "_rels/.rels": _relation("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": (
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}"><sheets>'
            '<sheet name="Payments" sheetId="1" r:id="rId1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": _relation("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": (
            f'<worksheet xmlns="{_MAIN}"><sheetData>'
            + "".join(_row(n, row, hidden=n == hidden_row) for n, row in enumerate(rows, 1))
            + "</sheetData></worksheet>"
        ),
    }
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, xml in parts.items():
            part = zipfile.ZipInfo(name, _FIRST_DAY)
            part.create_system = 3  # said to be Unix everywhere
            archive.writestr(part, _HEAD + xml)
    return made.getvalue()


def _relation(kind: str, target: str) -> str:
    return (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_DOCUMENT}/{kind}" Target="{target}"/></Relationships>'
    )


def _row(number: int, cells: Sequence[Cell], *, hidden: bool) -> str:
    written = (_cell(f"{chr(65 + place)}{number}", cell) for place, cell in enumerate(cells))
    unseen = ' hidden="1"' * hidden
    return f'<row r="{number}"{unseen}>' + "".join(written) + "</row>"


def _cell(where: str, cell: Cell) -> str:
    if cell == "":
        return ""
    if isinstance(cell, Formula):
        return f'<c r="{where}"><f>{escape(cell)}</f></c>'
    if isinstance(cell, str):
        return f'<c r="{where}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
    return f'<c r="{where}"><v>{cell!r}</v></c>'
