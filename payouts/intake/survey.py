"""The survey: one look at a whole file, in constant memory, that refuses it or says what it is.

Nothing is stored by it. `reader.chunks` reads the file a second time with what the survey found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from payouts.intake import formats
from payouts.intake.columns import Plan, planned
from payouts.intake.dialect import DELIMITERS
from payouts.intake.duplicates import Duplicates, Gathering
from payouts.intake.encodings import WESTERN, proven_code_page
from payouts.intake.limits import FileLimits
from payouts.intake.refusal import refused
from payouts.intake.source import Source, kind_of, opened
from payouts.intake.tally import Tally, may_end_in_total
from payouts.intake.text import Encoding, Hashed, NotUtf8Error
from payouts.intake.trailer import checked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from payouts.intake.decimals import Mark
    from payouts.intake.layout import Layout
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
        trailer_line: the last line where it is a total, else 0; it is no data line.
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
    trailer_line: int
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
        constants: our column → its value on all lines, where the file leaves it out.
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
        look = _Look(file, source, kind, bounds, mapping or {}, constants or {}, own_columns_ok)
        try:
            return look.read_as(formats.first_encoding(file, kind, encoding))
        except NotUtf8Error:
            return look.read_as_code_page()


@dataclass(frozen=True, slots=True)
class _Look:
    """A file that is open, and what the caller said about it."""

    file: BinaryIO
    source: Source
    kind: Kind
    limits: FileLimits
    mapping: Mapping[str, str]
    constants: Mapping[str, str]
    own_columns_ok: bool

    def read_as(self, encoding: Encoding, doubt: str = "") -> Survey:
        """Survey the file in one encoding, which the countries must vouch for if in doubt."""
        layout = formats.laid_out(
            self.file,
            self.kind,
            encoding,
            self.limits,
            own_columns_ok=self.own_columns_ok,
            named=self.mapping,
        )
        plan = planned(layout.header, mapping=self.mapping, constants=self.constants)
        hashed = Hashed(self.file, self.limits.block_bytes)
        with Gathering(has_reference="reference" in plan.columns) as gathering:
            tally = Tally(plan, layout, gathering, self.limits)
            tally.watch_total = self.kind == "xlsx" or (
                self.kind == "csv" and may_end_in_total(formats.tail(self.file, encoding))
            )
            tally.watch_countries = bool(doubt)
            for piece in formats.pieces(hashed, layout, self.limits):
                tally.add(piece)
            tally.finish()
            if not tally.countries <= WESTERN:
                raise refused("E_FILE_ENCODING", value=doubt)
            return self._surveyed(tally, hashed.sha256)

    def read_as_code_page(self) -> Survey:
        """Survey a text that is not UTF-8, in the code page that it proves.

        Raises:
            FileRefusedError: E_FILE_ENCODING, naming the first line that is not ASCII.
        """
        proof = proven_code_page(Hashed(self.file, self.limits.block_bytes).blocks())
        where = f"see line {proof.line}"
        if proof.name is None or self.kind != "csv":
            raise refused("E_FILE_ENCODING", value=where) from None
        return self.read_as(Encoding(proof.name), "" if proof.certain else where)

    def _surveyed(self, tally: Tally, sha256: str) -> Survey:
        if tally.lines == 0:
            raise refused("E_FILE_NO_ROWS")
        tally.cards.decide()
        mark = tally.evidence.mark(tally.layout.dialect.delimiter)
        notes = _notes(tally, mark)
        if tally.trailer:
            notes.append(checked(tally.trailer, tally.sum, mark))
        return Survey(
            source=self.source,
            sha256=sha256,
            layout=tally.layout,
            plan=tally.plan,
            decimal_mark=mark,
            lines=tally.lines,
            blank_lines=tally.blank_lines,
            trailer_line=tally.trailer_line,
            duplicates=tally.gathering.compared(),
            notes=tuple(notes),
            limits=self.limits,
        )


def _notes(tally: Tally, mark: Mark) -> list[str]:
    """Say what was detected, as far as it is not what our own template would be."""
    layout, plan = tally.layout, tally.plan
    notes = list(_dialect_notes(tally)) if layout.kind == "csv" else []
    renamed = ", ".join(f"'{source}' as {ours}" for source, ours in plan.pairs if source != ours)
    said = (
        (mark == ",", "Amounts have a decimal comma: 10,50 is read as 10.50."),
        (
            bool(layout.dialect.positional),
            f"There is no header: columns are by place, as {plan.template} has them.",
        ),
        (
            bool(plan.template) and not layout.dialect.positional,
            f"The columns are those of {plan.template}.",
        ),
        (bool(renamed), f"Columns read under our names: {renamed}."),
        (bool(plan.ignored), f"Columns not needed for a payment: {', '.join(plan.ignored)}."),
        (bool(layout.dropped), "The columns that a reject file adds are read over."),
        (tally.blank_lines > 0, f"Blank lines passed over: {tally.blank_lines:,}."),
        (
            "reference" not in plan.columns,
            "No column names each payment, so equal lines wait until they are released.",
        ),
    )
    return [*notes, *(sentence for holds, sentence in said if holds)]


def _dialect_notes(tally: Tally) -> Iterator[str]:
    encoding, dialect = tally.layout.encoding, tally.layout.dialect
    if encoding.name != "utf-8" or encoding.mark:
        yield f"The text is {encoding.spoken}{' with a byte order mark' * bool(encoding.mark)}."
    if dialect.delimiter != ",":
        name = DELIMITERS.get(dialect.delimiter, repr(dialect.delimiter))
        yield f"The delimiter is the {name}."
    if dialect.newline == "\r":
        yield "Lines end with CR alone, as on old Macintosh computers."
    if not tally.closed:
        yield "The last line has no line break at its end."
