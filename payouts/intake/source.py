"""Sources: a payee file as it lies on disk, opened so that nothing can be slipped in.

A link, pipe, device or folder is refused; the content must be what the name says; the file is told
apart from one that was exchanged between two passes by its device, inode, size and time.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from payouts.intake.refusal import refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from payouts.intake.limits import FileLimits

__all__ = ["Kind", "Source", "kind_of", "opened"]

Kind = Literal["csv", "jsonl", "parquet", "xlsx"]

_ENDINGS: Final[dict[str, Kind]] = {
    **dict.fromkeys((".csv", ".txt", ".tsv", ".tab"), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
_SPOKEN: Final[dict[Kind, str]] = {
    "csv": "delimited text",
    "jsonl": "JSON Lines",
    "parquet": "Parquet",
    "xlsx": "an XLSX workbook",
}
_FOREIGN: Final = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!", "RAR"),
    (b"%PDF-", "PDF"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document or a protected workbook"),
    (b"{\\rtf", "RTF"),
    (b"\x7fELF", "a program"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"SQLite format 3", "a database"),
)
_HEAD: Final = 4096
_FILE_TYPES: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISLNK, "a link"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """One file on disk, as it was when it was first opened.

    Args:
        identity: device, inode, size in bytes and time of the last change in nanoseconds.
    """

    path: Path
    identity: tuple[int, int, int, int]

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.identity[2]


@contextmanager
def opened(path: Path, limits: FileLimits) -> Iterator[tuple[BinaryIO, Source]]:
    """Open a regular file for reading.

    Raises:
        FileRefusedError: E_FILE_NOT_FOUND, E_FILE_UNREADABLE, E_FILE_NOT_REGULAR,
            E_FILE_TOO_LARGE, E_FILE_EMPTY; E_FILE_CHANGED when it changed before it was closed.
    """
    _check_regular(path)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError:
        raise refused("E_FILE_UNREADABLE", value=_name(path)) from None
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        source = Source(path, _identity(descriptor, path))
        if source.size > limits.file_bytes_max:
            raise refused(
                "E_FILE_TOO_LARGE", value=f"{source.size:,}", allowed=f"{limits.file_bytes_max:,}"
            )
        if source.size == 0:
            raise refused("E_FILE_EMPTY")
        yield file, source
        if _identity(descriptor, path) != source.identity:
            raise refused("E_FILE_CHANGED", value=_name(path))


def kind_of(file: BinaryIO, path: Path) -> Kind:
    """Tell what a file is by its first bytes, and compare that with its name.

    Raises:
        FileRefusedError: E_FILE_EMPTY, E_FILE_KIND, E_FILE_MAGIC, E_FILE_XML_DTD, E_FILE_XLSX_ENCRYPTED.
    """
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(0)
    said = _ENDINGS.get(path.suffix.lower())
    if len(head) < _HEAD and not head.removeprefix(b"\xef\xbb\xbf").strip():
        raise refused("E_FILE_EMPTY")
    found = _known(head) or _refuse_foreign(head, said)
    if said is None or said == found or (said == "csv" and found == "csv"):
        return found
    raise refused("E_FILE_MAGIC", value=_SPOKEN[found], allowed=_SPOKEN[said])


def _known(head: bytes) -> Kind | None:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" and not head.startswith(b"{\\rtf"):
        return "jsonl"
    return None


def _refuse_foreign(head: bytes, said: Kind | None) -> Kind:
    """Refuse what is no text; what is left is delimited text."""
    for magic, name in _FOREIGN:
        if head.startswith(magic):
            if said == "xlsx" and magic.startswith(b"\xd0\xcf"):
                raise refused("E_FILE_XLSX_ENCRYPTED")
            _refuse(name, said)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<table", b"<body")):
        _refuse("HTML", said)
    if text.startswith((b"<?xml", b"<document", b"<!doctype", b"<!entity")):
        if b"<!doctype" in text or b"<!entity" in text:
            raise refused("E_FILE_XML_DTD", value="the file")
        _refuse("XML", said)
    return "csv"


def _refuse(name: str, said: Kind | None) -> None:
    if said is None:
        raise refused("E_FILE_KIND", value=name)
    raise refused("E_FILE_MAGIC", value=name, allowed=_SPOKEN[said])


def _check_regular(path: Path) -> None:
    """Refuse what is no regular file before it is opened: opening a pipe would wait for ever."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        raise refused("E_FILE_NOT_FOUND", value=_name(path)) from None
    except (OSError, ValueError):
        raise refused("E_FILE_UNREADABLE", value=_name(path)) from None
    for test, spoken in _FILE_TYPES:
        if test(mode):
            raise refused("E_FILE_NOT_REGULAR", value=_name(path), allowed=spoken)


def _identity(descriptor: int, path: Path) -> tuple[int, int, int, int]:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise refused("E_FILE_NOT_REGULAR", value=_name(path), allowed="something else")
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _name(path: Path) -> str:
    """Give a file's name for a message, its control characters made visible."""
    plain = "".join(char if char.isprintable() else "·" for char in path.name)
    return plain if len(plain) <= 80 else plain[:79] + "…"  # noqa: PLR2004  one line of a screen
