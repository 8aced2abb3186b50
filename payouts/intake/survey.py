"""The survey: one look at a whole file, in constant memory, that refuses it or says what it is.

Nothing is stored by it. `reader.chunks` reads the file a second time with what the survey found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from payouts.intake import formats
from payouts.intake.canonical import canonical
from payouts.intake.cards import CardWatch
from payouts.intake.columns import Plan, planned
from payouts.intake.decimals import Evidence
from payouts.intake.duplicates import Duplicates, Gathering
from payouts.intake.encodings import NAMES, WESTERN, proven_code_page
from payouts.intake.limits import FileLimits
from payouts.intake.refusal import refused
from payouts.intake.source import Source, kind_of, opened
from payouts.intake.text import Encoding, Hashed, NotUtf8Error
from payouts.intake.trailer import Sum, checked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

    from payouts.intake.decimals import Mark
    from payouts.intake.layout import Layout, Piece
    from payouts.intake.source import Kind

__all__ = ["Survey", "survey"]


@dataclass(frozen=True, slots=True)
class Survey:
    """What a payee file is.

    Args:
        source: the file on disk; reading it again refuses another one.
        sha256: of all its bytes, hexadecimal.
        layout: how its lines are found.
        plan: how our columns are made from its.
        decimal_mark: of its amounts.
        lines: data lines, agreed between Polars and the independent count.
        blank_lines: lines without content.
        duplicates: which lines repeat or contradict another.
        notes: sentences about what was detected, to be shown.
        limits: under which it was read.
    """

    source: Source
    sha256: str
    layout: Layout
    plan: Plan
    decimal_mark: Mark
    lines: int
    blank_lines: int
    duplicates: Duplicates
    notes: tuple[str, ...]
    limits: FileLimits

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.source.path

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.source.size

    @property
    def kind(self) -> Kind:
        """What the content is: csv, jsonl, parquet or xlsx."""
        return self.layout.kind

    @property
    def encoding(self) -> str:
        """Python's name of the text's encoding."""
        return self.layout.encoding.name

    @property
    def delimiter(self) -> str:
        """The character between two cells."""
        return self.layout.dialect.delimiter

    @property
    def quote(self) -> str:
        """The character around a cell that needs it."""
        return self.layout.dialect.quote

    @property
    def newline(self) -> str:
        """What ends a line."""
        return self.layout.dialect.newline

    @property
    def header(self) -> tuple[str, ...]:
        """The payer's columns as written, in order, without those that our reject files add."""
        return self.layout.header

    @property
    def mapping(self) -> tuple[tuple[str, str], ...]:
        """Pairs of (column of the file, our column)."""
        return self.plan.pairs

    @property
    def template(self) -> str | None:
        """The product whose template the file is, or None."""
        return self.plan.template

    @property
    def has_reference(self) -> bool:
        """Whether a column names each payment."""
        return "reference" in self.plan.columns


def survey(
    path: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    encoding: str | None = None,
    limits: FileLimits | None = None,
    own_columns_ok: bool = True,
) -> Survey:
    """Look at a whole payee file once.

    Args:
        path: a regular file.
        mapping: the pipeline's own words: column of the file → our column, "" to ignore it.
        constants: our column → its value on all lines, for files without that column.
        encoding: Python's name of the encoding, where a pipeline knows it.
        limits: what the file may cost.
        own_columns_ok: whether the columns that our reject files add are read over; otherwise
            they are unknown columns.

    Raises:
        FileRefusedError: with the code of a problem kind of scope `file`.
    """
    bounds = limits or FileLimits()
    with opened(path, bounds) as (file, source):
        kind = kind_of(file, path)
        look = _Look(file, source, bounds, mapping or {}, constants or {}, own_columns_ok)
        try:
            return look.at(kind, formats.first_encoding(file, kind, encoding), ())
        except NotUtf8Error:
            proof = proven_code_page(Hashed(file, bounds.block_bytes).blocks())
            if proof.name is None:
                raise refused("E_FILE_ENCODING", value=f"see line {proof.line}") from None
            vouched = "" if proof.certain else f"see line {proof.line}"
            return look.at(kind, Encoding(proof.name), (vouched,))


@dataclass(frozen=True, slots=True)
class _Look:
    """One attempt at a file with one encoding."""

    file: BinaryIO
    source: Source
    limits: FileLimits
    mapping: Mapping[str, str]
    constants: Mapping[str, str]
    own_columns_ok: bool

    def at(self, kind: Kind, encoding: Encoding, doubts: tuple[str, ...]) -> Survey:
        layout = formats.layout(
            self.file, kind, encoding, self.limits, own_columns_ok=self.own_columns_ok
        )
        plan = planned(layout.header, mapping=self.mapping, constants=self.constants)
        layout = formats.with_trailer(self.file, layout, plan)
        hashed = Hashed(self.file, self.limits.block_bytes)
        with Gathering(has_reference="reference" in plan.columns) as gathering:
            tally = _Tally(plan, layout, gathering, self.limits)
            for piece in formats.pieces(hashed, layout, self.limits, self.source.path):
                tally.add(piece)
            return self._survey(tally, hashed, any(doubts) and doubts[0] or "")

    def _survey(self, tally: _Tally, hashed: Hashed, doubt: str) -> Survey:
        if doubt and not tally.countries <= WESTERN:
            raise refused("E_FILE_ENCODING", value=doubt)
        if tally.lines == 0:
            raise refused("E_FILE_NO_ROWS")
        if not tally.closed:
            formats.check_end(tally.layout, tally.plan, tally.last_line)
        tally.cards.decide()
        mark = tally.evidence.mark()
        notes = _notes(tally, mark)
        if tally.layout.trailer:
            notes = (*notes, checked(tally.layout.trailer, tally.sum, mark))
        return Survey(
            source=self.source,
            sha256=hashed.sha256 or "",
            layout=tally.layout,
            plan=tally.plan,
            decimal_mark=mark,
            lines=tally.lines,
            blank_lines=tally.blank_lines,
            duplicates=tally.gathering.compared(),
            notes=notes,
            limits=self.limits,
        )


@dataclass(slots=True)
class _Tally:
    """What is known about a file so far."""

    plan: Plan
    layout: Layout
    gathering: Gathering
    limits: FileLimits
    lines: int = 0
    blank_lines: int = 0
    last_line: int = 0
    closed: bool = True
