"""Formats: one way to lay out and to read every kind of payee file."""

from __future__ import annotations

import codecs
import os
from typing import TYPE_CHECKING, Final

from payouts.intake import delimited, excel, jsonl, parquet
from payouts.intake.columns import own_columns
from payouts.intake.dialect import Dialect, detect
from payouts.intake.layout import Layout
from payouts.intake.refusal import refused
from payouts.intake.text import Encoding, Hashed, encoding_of, utf8

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import BinaryIO

    from payouts.intake.layout import Piece
    from payouts.intake.limits import FileLimits
    from payouts.intake.source import Kind

__all__ = ["first_encoding", "laid_out", "pieces", "tail"]

_UTF8: Final = Encoding("utf-8")


def first_encoding(file: BinaryIO, kind: Kind, said: str | None) -> Encoding:
    """Tell the encoding of a text from its first bytes; the other kinds are always UTF-8."""
    if kind in ("parquet", "xlsx"):
        return _UTF8
    return encoding_of(_head(file, 1 << 16), said)


def laid_out(
    file: BinaryIO,
    kind: Kind,
    encoding: Encoding,
    limits: FileLimits,
    *,
    own_columns_ok: bool,
    named: Collection[str] = (),
) -> Layout:
    """Find how the lines of a file are to be read.

    Args:
        own_columns_ok: whether the columns of our reject files are read over.
        named: column names that the pipeline knows beside ours.

    Raises:
        FileRefusedError: E_FILE_HEADER_…, E_FILE_COLUMNS, E_FILE_DELIMITER, E_FILE_JSON, … .
    """
    numbers: tuple[str, ...] = ()
    part = ""
    if kind == "csv":
        dialect = detect(_sample(file, encoding, limits), named)
    elif kind == "jsonl":
        text = utf8(Hashed(file, limits.block_bytes), encoding, "\n")
        dialect = _written(jsonl.keys(text, limits))
    elif kind == "parquet":
        found = parquet.columns(file)
        dialect, numbers = _written(found.names), found.numbers
    else:
        part, row, names = excel.header(file, limits, named)
        dialect = _written(names, row)
    if len(dialect.header) > limits.columns_max:
        raise refused("E_FILE_COLUMNS", value=len(dialect.header), allowed=limits.columns_max)
    dropped = own_columns(dialect.header) if own_columns_ok else ()
    header = tuple(name for i, name in enumerate(dialect.header) if i not in dropped)
    return Layout(kind, encoding, dialect, header, dropped, numbers, part)


def pieces(hashed: Hashed, layout: Layout, limits: FileLimits) -> Iterator[Piece]:
    """Read the lines of a file; when they are at an end, `hashed` has seen every byte.

    Raises:
        NotUtf8Error: a text is not UTF-8 although its layout says so.
        FileRefusedError: as the readers of the kinds say.
    """
    if layout.kind in ("csv", "jsonl"):
        text = utf8(hashed, layout.encoding, layout.dialect.newline)
        if layout.kind == "csv":
            yield from delimited.pieces(text, layout, limits)
        else:
            yield from jsonl.pieces(text, layout.header, limits)
        return
    for _ in hashed.blocks():
        pass
    if layout.kind == "parquet":
        yield from parquet.pieces(hashed.file, layout.header, limits)
    else:
        yield from excel.pieces(hashed.file, layout, limits)


def tail(file: BinaryIO, encoding: Encoding) -> str:
    """Give the last 64 KiB of a text for a look, characters that are cut replaced."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - (1 << 16)) & ~1)
    return file.read(1 << 16).decode(encoding.name, "replace")


def _written(header: tuple[str, ...], header_line: int = 0) -> Dialect:
    """Give the dialect of our own files for a kind that has none."""
    return Dialect(",", '"', "\n", header, header_line)


def _sample(file: BinaryIO, encoding: Encoding, limits: FileLimits) -> bytes:
    """Give the beginning of a text in UTF-8, longer than any header may be."""
    head = _head(file, 2 * limits.line_bytes_max)[encoding.mark :]
    if encoding.name == "utf-8":
        return head
    decoder = codecs.getincrementaldecoder(encoding.name)("replace")  # only for the look
    return decoder.decode(head).encode()


def _head(file: BinaryIO, length: int) -> bytes:
    file.seek(0)
    found = b""
    while len(found) < length and (block := file.read(length - len(found))):
        found += block
    return found
