"""Output: files that people get back, whole or not at all, readable by their owner alone."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from payouts.intake.survey import Survey

__all__ = ["Delimited", "neutralised", "whole_file"]

_FORMULA: Final = "^[=+\\-@\t\r\0]"
_CODE_PAGES: Final = ("utf-8", "utf-16-le", "utf-16-be")


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file beside its final place and move it there when it is whole and on disk."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(part, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class Delimited:
    """Writes frames in the dialect of a surveyed file.

    The delimiter, the quote and the line ends are the file's own. A text in a code page is given
    back as UTF-8 with a byte order mark, since some lines of it alone might no longer prove which
    code page it was; so is one made from a workbook, for the spreadsheet that will open it.
    """

    def __init__(self, file: IO[bytes], survey: Survey) -> None:
        self._file = file
        self._separator = survey.delimiter
        self._quote = survey.quote
        self._newline = "\n" if survey.newline == "\r" else survey.newline
        self._encoding = survey.encoding if survey.encoding in _CODE_PAGES else "utf-8"
        wide = self._encoding != "utf-8"
        marked = survey.layout.encoding.mark > 0 or survey.encoding != "utf-8"
        if wide or marked or survey.kind == "xlsx":
            file.write("\ufeff".encode(self._encoding))

    def header(self, names: Sequence[str]) -> None:
        """Write the column names."""
        row = pl.DataFrame([tuple(names)], schema=_by_place(len(names)), orient="row")
        self.rows(row)

    def rows(self, frame: pl.DataFrame) -> None:
        """Write the rows of a frame of texts; null and blank cells are left empty."""
        if not frame.height:
            return
        text = frame.rename(
            dict(zip(frame.columns, _by_place(frame.width), strict=True))
        ).write_csv(
            include_header=False,
            separator=self._separator,
            quote_char=self._quote,
            line_terminator=self._newline,
            quote_style="necessary",
        )
        self._file.write(text.encode(self._encoding))


def neutralised(name: str) -> pl.Expr:
    """Give a text column so that no spreadsheet takes a cell for a formula.

    A leading `= + - @`, tab, CR or NUL gets an apostrophe (OWASP, CSV injection).
    """
    cell = pl.col(name)
    return pl.when(cell.str.contains(_FORMULA)).then("'" + cell).otherwise(cell).alias(name)


def _by_place(width: int) -> dict[str, type[pl.String]]:
    return {str(position): pl.String for position in range(width)}
