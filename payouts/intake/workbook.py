"""Workbooks: what an XLSX holds, told from its directory before anything is unpacked.

A workbook of 70 KB can unpack to gigabytes, so the sizes in the zip directory are added up first
and every part is then read as a stream that stops at its stated size. Macros, links to other files,
hidden sheets and second sheets with data are refused: what is paid must be visible.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final
from xml.parsers import expat

from payouts.intake.refusal import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from payouts.intake.limits import FileLimits

__all__ = ["BROKEN", "Sheet", "dated_styles", "opened", "parsed", "shared_texts", "sheets"]

BROKEN: Final = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, expat.ExpatError),
    *(EOFError, LookupError, OSError, OverflowError, RuntimeError, ValueError),
)
"""What a damaged workbook raises."""

_END_OF_DIRECTORY: Final = b"PK\x05\x06"
_SMALL_PART: Final = 1 << 20
_BLOCK: Final = 1 << 16
_DEPTH_MAX: Final = 64
_UNPARSED_MAX: Final = 4 << 20
_FORBIDDEN: Final = (
    ("xl/vbaproject", "macros"),
    ("xl/macrosheets/", "macros"),
    ("xl/dialogsheets/", "macros"),
    ("xl/activex/", "macros"),
    ("xl/externallinks/", "links to other files"),
    ("xl/connections", "connections to other data"),
    ("xl/embeddings/", "embedded files"),
)
_DATE_FORMATS: Final = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})

Attributes = dict[str, str]


class Sheet:
    """One sheet of a workbook: its name, the part that holds it and whether it is visible."""

    def __init__(self, name: str, relation: str, state: str) -> None:
        self.name = name
        self.relation = relation
        self.visible = state in ("", "visible")
        self.part = ""


@contextmanager
def opened(file: BinaryIO, limits: FileLimits) -> Iterator[zipfile.ZipFile]:
    """Open a workbook after a look at its directory.

    Raises:
        FileRefusedError: E_FILE_ZIP_BOMB, E_FILE_XLSX_MACRO, E_FILE_XLSX_ENCRYPTED, E_FILE_KIND,
            E_FILE_DAMAGED.
    """
    try:
        _check_directory(file, limits)
        with zipfile.ZipFile(file) as archive:
            _check_parts(archive, limits)
            yield archive
    except BROKEN:
        raise refused("E_FILE_DAMAGED", value="the workbook cannot be unpacked") from None


def _check_directory(file: BinaryIO, limits: FileLimits) -> None:
    """Count the parts by the end record, before Python's zipfile reads the directory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - (1 << 16) - 22))
    tail = file.read()
    found = tail.rfind(_END_OF_DIRECTORY)
    if found < 0 or len(tail) < found + 22:
        raise refused("E_FILE_DAMAGED", value="it ends before its directory")
    parts, length = struct.unpack_from("<HI", tail, found + 10)
    if parts > limits.parts_max or length > limits.parts_max * 1024:
        raise refused("E_FILE_ZIP_BOMB", value=f"{parts:,} parts")
    file.seek(0)


def _check_parts(archive: zipfile.ZipFile, limits: FileLimits) -> None:
    parts = archive.infolist()
    names = {part.filename.lower() for part in parts}
    if "xl/workbook.xml" not in names:
        raise refused("E_FILE_KIND", value="a ZIP archive without a workbook")
    if len(names) < len(parts):
        raise refused("E_FILE_DAMAGED", value="two parts have one name")
    unpacked = sum(part.file_size for part in parts)
    if unpacked > limits.unpacked_bytes_max:
        raise refused("E_FILE_ZIP_BOMB", value=f"{unpacked:,} bytes")
    for part in parts:
        if part.flag_bits & 1:
            raise refused("E_FILE_XLSX_ENCRYPTED")
        if part.file_size > max(_SMALL_PART, part.compress_size * limits.ratio_max):
            ratio = part.file_size // max(part.compress_size, 1)
            raise refused("E_FILE_ZIP_BOMB", value=f"one part unpacks to {ratio:,} times its size")
    for name in sorted(names):
        for start, spoken in _FORBIDDEN:
            if name.startswith(start):
                raise refused("E_FILE_XLSX_MACRO", value=spoken)


def parsed(
    part: IO[bytes],
    start: Callable[[str, Attributes], None],
    text: Callable[[str], None] | None = None,
    end: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Parse a part as a stream; yields after every block, so that the caller can take what came.

    Names come without their namespace. A document type or entity is refused, and so is what would
    make the parser itself keep more than a few megabytes.

    Raises:
        FileRefusedError: E_FILE_XML_DTD, E_FILE_ZIP_BOMB.
        ExpatError: malformed XML.
    """
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    depth = 0

    def begin(name: str, found: Attributes) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEPTH_MAX:
            raise refused("E_FILE_ZIP_BOMB", value="elements inside elements without end")
        start(
            name.rpartition("}")[2],
            {key.rpartition("}")[2]: value for key, value in found.items()},
        )

    def finish(name: str) -> None:
        nonlocal depth
        depth -= 1
        if end is not None:
            end(name.rpartition("}")[2])

    parser.StartElementHandler = begin
    parser.EndElementHandler = finish
    if text is not None:
        parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse_dtd
    parser.EntityDeclHandler = _refuse_dtd
    fed = 0
    while block := part.read(_BLOCK):
        parser.Parse(block, False)
        fed += len(block)
        if fed - parser.CurrentByteIndex > _UNPARSED_MAX:
            raise refused("E_FILE_ZIP_BOMB", value="an element without end")
        yield
    parser.Parse(b"", True)
    yield


def _refuse_dtd(*_: object) -> None:
    raise refused("E_FILE_XML_DTD", value="the workbook")


def sheets(archive: zipfile.ZipFile) -> tuple[list[Sheet], bool]:
    """List the sheets of a workbook, and whether its days count from 1904.

    Raises:
        FileRefusedError: E_FILE_XLSX_HIDDEN.
    """
    found: list[Sheet] = []
    targets: dict[str, str] = {}
    epoch: list[bool] = []

    def workbook(name: str, attributes: Attributes) -> None:
        if name == "sheet":
            state = attributes.get("state", "")
            found.append(Sheet(attributes["name"], attributes["id"], state))
        elif name == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            epoch.append(True)

    def relation(name: str, attributes: Attributes) -> None:
        if name == "Relationship":
            targets[attributes["Id"]] = attributes["Target"]

    _all(archive, "xl/workbook.xml", workbook)
    _all(archive, "xl/_rels/workbook.xml.rels", relation)
    for sheet in found:
        if not sheet.visible:
            raise refused("E_FILE_XLSX_HIDDEN", value="a sheet")
        target = targets[sheet.relation]
        sheet.part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return [sheet for sheet in found if "worksheets/" in sheet.part.lower()], bool(epoch)


def shared_texts(archive: zipfile.ZipFile, limits: FileLimits) -> list[str]:
    """Read the texts that cells refer to by number; phonetic readings are left out.

    Raises:
        FileRefusedError: E_FILE_ZIP_BOMB, where they are more than may stay in memory.
    """
    found: list[str] = []
    parts: list[str] = []
    inside: list[str] = []
    size = 0

    def start(name: str, _: Attributes) -> None:
        inside.append(name)
        if name == "si":
            parts.clear()

    def text(value: str) -> None:
        if inside[-1:] == ["t"] and "rPh" not in inside:
            parts.append(value)

    def end(name: str) -> None:
        nonlocal size
        inside.pop()
        if name == "si":
            found.append("".join(parts))
            size += len(found[-1]) + 60

    if "xl/sharedStrings.xml" not in archive.namelist():
        return found
    with archive.open("xl/sharedStrings.xml") as part:
        for _ in parsed(part, start, text, end):
            if size > limits.text_bytes_max:
                raise refused("E_FILE_ZIP_BOMB", value=f"{size:,} bytes of texts")
    return found


def dated_styles(archive: zipfile.ZipFile) -> frozenset[int]:
    """Give the numbers of the cell styles that show a number as a date."""
    formats: set[int] = set(_DATE_FORMATS)
    dated: list[int] = []
    count = 0
    inside: list[str] = []

    def start(name: str, attributes: Attributes) -> None:
        nonlocal count
        inside.append(name)
        if name == "numFmt" and _shows_date(attributes.get("formatCode", "")):
            formats.add(int(attributes["numFmtId"]))
        elif name == "xf" and "cellXfs" in inside:
            if int(attributes.get("numFmtId", "0")) in formats:
                dated.append(count)
            count += 1

    def end(_: str) -> None:
        inside.pop()

    if "xl/styles.xml" in archive.namelist():
        _all(archive, "xl/styles.xml", start, end)
    return frozenset(dated)


def _shows_date(code: str) -> bool:
    """Tell whether a number format shows a day: it has y or d outside quotes and brackets."""
    bare, quoted, bracketed = "", False, False
    for char in code.lower():
        quoted ^= char == '"'
        bracketed = (bracketed or char == "[") and char != "]"
        if not quoted and not bracketed:
            bare += char
    return "y" in bare or ("d" in bare and "m" in bare)


def _all(
    archive: zipfile.ZipFile,
    name: str,
    start: Callable[[str, Attributes], None],
    end: Callable[[str], None] | None = None,
) -> None:
    with archive.open(name) as part:
        for _ in parsed(part, start, None, end):
            pass
