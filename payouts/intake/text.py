"""Text: the bytes of a file as UTF-8, in blocks, hashed as they pass.

Whatever the encoding of the file is, everything after this module sees UTF-8 with LF or CRLF.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import polars as pl

from payouts.intake.encodings import NAMES, by_mark, decoded, wide
from payouts.intake.refusal import refused

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Encoding", "Hashed", "NotUtf8Error", "encoding_of", "is_utf8", "utf8"]


class NotUtf8Error(Exception):
    """The bytes are not UTF-8, so another encoding must be proven or the file refused."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the text is stored.

    Args:
        name: a key of `encodings.NAMES`.
        mark: length of the byte order mark, 0 where there is none.
    """

    name: str
    mark: int = 0

    @property
    def spoken(self) -> str:
        """The name that people use."""
        return NAMES[self.name]


class Hashed:
    """A file that is read once from its beginning, with the SHA-256 of all its bytes."""

    def __init__(self, file: BinaryIO, block_bytes: int) -> None:
        self.file = file
        self._digest = hashlib.sha256()
        self.block_bytes = block_bytes

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes of the whole file."""
        self.file.seek(0)
        while block := self.file.read(self.block_bytes):
            self._digest.update(block)
            yield block

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of what was read so far."""
        return self._digest.hexdigest()


def encoding_of(head: bytes, said: str | None) -> Encoding:
    """Tell the encoding from the first bytes; UTF-8 is proven only when all of it was read.

    Args:
        said: what the pipeline says, a key of `encodings.NAMES`, or None.

    Raises:
        FileRefusedError: E_FILE_ENCODING.
    """
    marked = by_mark(head)
    if marked is not None and marked[0] not in NAMES:
        raise refused("E_FILE_ENCODING", value="it is UTF-32")
    if marked is not None:
        return Encoding(*marked)
    if said is not None and said not in NAMES:
        raise refused("E_FILE_ENCODING", value="the pipeline names one that is not read")
    return Encoding(said or wide(head) or "utf-8")


def is_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8 from end to end.

    Polars' check, which makes no text of Python's own; a test compares the two.
    """
    if data.isascii():
        return True
    try:
        pl.Series([data], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:
        return False
    return True


def utf8(hashed: Hashed, encoding: Encoding, newline: str) -> Iterator[bytes]:
    """Yield the text as UTF-8, without its byte order mark, with LF for a lone CR.

    Args:
        newline: what ends a line; only where it is CR are CRs changed.

    Raises:
        FileRefusedError: E_FILE_NUL, E_FILE_ENCODING.
    """
    raw = _unmarked(hashed.blocks(), encoding.mark)
    blocks = raw if encoding.name == "utf-8" else decoded(raw, encoding.name)
    passed = 0
    try:
        for block in blocks:
            text = block.replace(b"\r", b"\n") if newline == "\r" else block
            nul = text.find(b"\0")
            if nul >= 0:
                line = _lines_before(hashed, encoding, newline, passed) + text.count(b"\n", 0, nul)
                raise refused("E_FILE_NUL", value=f"line {line}")
            passed += 1
            yield text
    except UnicodeDecodeError:
        line = _lines_before(hashed, encoding, newline, passed)
        raise refused("E_FILE_ENCODING", value=f"it breaks after line {line}") from None


def _lines_before(hashed: Hashed, encoding: Encoding, newline: str, blocks: int) -> int:
    """Give the number of the line on which block number `blocks` begins: only errors need it."""
    again = Hashed(hashed.file, hashed.block_bytes)
    breaks = b"\r" if newline == "\r" else b"\n"
    raw = islice(_unmarked(again.blocks(), encoding.mark), blocks)
    texts = raw if encoding.name == "utf-8" else decoded(raw, encoding.name)
    return 1 + sum(text.count(breaks) for text in islice(texts, blocks))


def _unmarked(blocks: Iterator[bytes], mark: int) -> Iterator[bytes]:
    for block in blocks:
        yield block[mark:]
        break
    yield from blocks
