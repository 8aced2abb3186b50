"""The reader: a surveyed file, a second time, in chunks of frames.

Memory is bounded by one chunk. The file must be the one that was surveyed, to the last byte.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from payouts.intake import formats
from payouts.intake.canonical import interpreted
from payouts.intake.frames import ACCOUNT_COLUMNS, problem_frame
from payouts.intake.refusal import refused
from payouts.intake.source import opened
from payouts.intake.tally import without_line
from payouts.intake.text import Hashed, NotUtf8Error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from payouts.intake.layout import Piece
    from payouts.intake.survey import Survey

__all__ = ["Chunk", "chunks", "originals"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines of a file, in their order.

    Args:
        original: `line` and the payer's columns as text, untouched. Every data line is here.
        lines: the same lines: `line` and the 18 canonical columns, stripped; amounts with decimal
            points.
        problems: what is wrong with how lines are written (see `frames.PROBLEMS`). A line with an
            `E_` problem here must not be paid, even when the checks of its values find nothing.
        doubtful: `line` of those whose cells must not be interpreted; each has a problem.
    """

    original: pl.DataFrame
    lines: pl.DataFrame
    problems: pl.DataFrame
    doubtful: pl.Series

    def readable(self, lines: pl.DataFrame | None = None) -> pl.DataFrame:
        """Give the lines that can be checked, in their order.

        Args:
            lines: a changed version of `self.lines`, for pipelines that change values.
        """
        found = self.lines if lines is None else lines
        if not self.doubtful.len():
            return found
        return found.filter(~pl.col("line").is_in(self.doubtful.implode()))


def chunks(survey: Survey, *, rows: int = 100_000) -> Iterator[Chunk]:
    """Read a surveyed file again.

    Args:
        rows: the most lines that one chunk may have.

    Raises:
        FileRefusedError: E_FILE_CHANGED when the file is no longer the one that was surveyed;
            what was read before must then be given up.
    """
    for piece in _pieces(survey):
        for start in range(0, piece.original.height, rows):
            yield _chunk(_slice(piece, start, rows), survey)


def originals(survey: Survey) -> Iterator[pl.DataFrame]:
    """Read only the original columns of a surveyed file again."""
    for piece in _pieces(survey):
        yield piece.original


def _pieces(survey: Survey) -> Iterator[Piece]:
    with opened(survey.path, survey.limits) as (file, source):
        if source.identity != survey.source.identity:
            raise refused("E_FILE_CHANGED", value=survey.path.name)
        hashed = Hashed(file, survey.limits.block_bytes)
        seen = 0
        try:
            for piece in formats.pieces(hashed, survey.layout, survey.limits):
                kept = without_line(piece, survey.trailer_line) if survey.trailer_line else piece
                seen += kept.original.height
                if kept.original.height:
                    yield kept
        except NotUtf8Error:
            raise refused("E_FILE_CHANGED", value=survey.path.name) from None
        if hashed.sha256 != survey.sha256 or seen != survey.lines:
            raise refused("E_FILE_CHANGED", value=survey.path.name)


def _slice(piece: Piece, start: int, rows: int) -> Piece:
    """Cut some rows out of a piece; a piece that is small enough stays as it is."""
    if piece.original.height <= rows:
        return piece
    part = piece.original.slice(start, rows)
    first, last = part["line"][0], part["line"][-1]
    inside = pl.col("line").is_between(first, last)
    return replace(
        piece,
        original=part,
        problems=piece.problems.filter(inside),
        unreadable=piece.unreadable.filter(piece.unreadable.is_between(first, last)),
        numbers=piece.numbers.filter(inside),
    )


def _chunk(piece: Piece, survey: Survey) -> Chunk:
    read = interpreted(piece, survey.plan, survey.decimal_mark)
    problems = [read.problems]
    if piece.numbers.height and survey.kind == "jsonl":
        ours = dict(survey.plan.pairs)
        for name in (source for source, column in ours.items() if column in ACCOUNT_COLUMNS):
            hits = piece.numbers.filter(pl.col("column") == name)
            problems.append(problem_frame(hits, "E_LINE_NUMBER", name, pl.lit("")))
    found = pl.concat(problems).sort("line", maintain_order=True)
    return Chunk(piece.original, read.lines, found, read.doubtful)
