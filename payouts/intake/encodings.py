r"""Encodings: which one a text has, decided only when the bytes prove it.

UTF-8 proves itself: another encoding is practically never valid UTF-8. UTF-16 proves itself by its
byte order mark, or by NULs that all stand in one of every two bytes. A Windows code page proves nothing: 0xF1 is ñ in
the western one and ń in the central European one. So Windows-1252 is certain only when each byte
above 127 means the same letter in every code page that a payee file is likely to have, and stands
among letters of its own case.

>>> proven_code_page([b"Ren\xe9,DE"])
Proof(name='cp1252', certain=True, line=1)
>>> proven_code_page([b"Pe\xf1a,MX"])  # certain only in a file for Mexico, say
Proof(name='cp1252', certain=False, line=1)
>>> proven_code_page([b"I\xf0d\xfdr,TR"])  # Turkish or Icelandic?
Proof(name=None, certain=False, line=1)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["NAMES", "WESTERN", "Proof", "by_mark", "decoded", "proven_code_page", "wide"]

NAMES: Final = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16 (little endian)",
    "utf-16-be": "UTF-16 (big endian)",
    "cp1252": "Windows-1252",
    "cp1250": "Windows-1250",
    "cp1254": "Windows-1254",
    "iso8859-1": "ISO 8859-1",
    "iso8859-9": "ISO 8859-9",
    "iso8859-15": "ISO 8859-15",
}
"""The encodings that are read, by Python's name; those after cp1252 only where a pipeline says so."""

_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_RIVALS: Final = ("cp1250", "cp1254")
_LETTERS: Final = range(0xC0, 0x100)


WESTERN: Final = frozenset(
    {
        *("AR", "BO", "BR", "CL", "CO", "CR", "DO", "EC", "GT", "HN", "MX", "NI", "PA", "PE"),
        *("PY", "SV", "UY", "VE", "BF", "BJ", "CI", "CM", "SN"),
    }
)
"""Countries whose payees have names with ñ, ã or è, and none with ń, ă or č."""


class Proof(NamedTuple):
    """What the bytes of a text say about its code page.

    Args:
        name: the code page, or None where none is likely enough.
        certain: whether the bytes alone prove it; otherwise every line must be for one of the
            countries in `WESTERN`.
        line: the first line that is not ASCII.
    """

    name: str | None
    certain: bool
    line: int


def _agreed(code: int) -> bool:
    """Tell whether byte `code` is the same printable character in all code pages of Windows."""
    byte = bytes([code])
    western = byte.decode("cp1252", "ignore")
    return bool(western) and all(byte.decode(rival, "ignore") == western for rival in _RIVALS)


_DOUBTFUL: Final = frozenset(code for code in range(0x80, 0x100) if not _agreed(code))
_NEVER: Final = frozenset(b"\x81\x8d\x8f\x90\x9d\xd0\xdd\xde\xf0\xfd\xfe")
_HIGH: Final = re.compile(rb"[\x80-\xff]")
_HIGH_BYTES: Final = frozenset(range(0x80, 0x100))
_UNLIKELY: Final = re.compile(
    rb"[a-z][\xc0-\xd6\xd8-\xde]"  # a capital after a small letter
    rb"|[A-Z][\xe0-\xf6\xf8-\xfe][A-Z]|[A-Z]{2}[\xe0-\xf6\xf8-\xfe]"  # small among capitals
    rb"|[A-Za-z][\xa1-\xb3\xb5\xb6\xb8-\xbf\xd7\xf7]"  # a sign after a letter
    rb"|[\xa1-\xb3\xb5\xb6\xb8-\xbf\xd7\xf7][a-z]"  # and before one
    rb"|[\xc2-\xf4][\x80-\xbf]"  # UTF-8 in what is not UTF-8: a damaged text
    rb"|[\x80-\xff]{4}"  # a word of Greek or Cyrillic
)


def by_mark(head: bytes) -> tuple[str, int] | None:
    """Name the encoding that a byte order mark proves, and the mark's length."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, len(mark)
    return None


def wide(head: bytes) -> str | None:
    """Name the kind of UTF-16 that NULs in every second byte prove, where there is no mark.

    Most characters are ASCII, as in any payee file, and no NUL stands on the other side.
    """
    even, odd = head[0::2][:2048], head[1::2][:2048]
    if len(even) < 8:  # noqa: PLR2004  a handful of bytes proves nothing
        return None
    if 2 * odd.count(0) > len(odd) and b"\0" not in even:
        return "utf-16-le"
    if 2 * even.count(0) > len(even) and b"\0" not in odd:
        return "utf-16-be"
    return None


def proven_code_page(blocks: Iterable[bytes]) -> Proof:
    """Tell the single-byte code page of a text that is not UTF-8.

    Args:
        blocks: the whole text.

    Returns:
        The code page with what was in doubt: see `Proof`.
    """
    seen: set[int] = set()
    first, line, shapely = 0, 1, True
    for block in blocks:
        high = _HIGH.search(block)
        if high and not first:
            first = line + block.count(b"\n", 0, high.start())
        line += block.count(b"\n")
        seen.update(_HIGH_BYTES.intersection(block))
        shapely = shapely and not _UNLIKELY.search(block)
    letters = any(byte in _LETTERS for byte in seen)  # else a DOS page may use them for letters
    certain = shapely and letters and not seen & _NEVER
    return Proof("cp1252" if certain else None, certain and not seen & _DOUBTFUL, first)


def decoded(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Turn blocks of `encoding` into blocks of UTF-8.

    Raises:
        UnicodeDecodeError: the bytes are not `encoding`; nothing is ever replaced.
    """
    import codecs  # noqa: PLC0415  only files that are not UTF-8 need it

    decoder = codecs.getincrementaldecoder(encoding)("strict")
    for block in blocks:
        yield decoder.decode(block).encode()
    tail = decoder.decode(b"", final=True)
    if tail:
        yield tail.encode()
