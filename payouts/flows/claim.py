"""Claiming: which lines of a file are to be paid, and what becomes of the others.

A chunk is judged by the checks first; what is good gets its identity and is held against the lines
of its own file and those that were accepted before. Every data line of the file leaves here with
exactly one outcome (P2). Reads the database, never writes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.core.currencies import CURRENCIES
from payouts.core.errors import FileRefusedError, InvariantError
from payouts.flows.aggregate import unbounded
from payouts.flows.identity import with_content, with_references
from payouts.flows.likeness import Repeats
from payouts.flows.order import OUTCOMES
from payouts.intake.amounts import with_minor
from payouts.intake.checks import check
from payouts.intake.frames import no_problems
from payouts.store import runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from payouts.flows.identity import Signer
    from payouts.flows.order import Again, LoadOrder
    from payouts.intake.checks import Rules
    from payouts.intake.reader import Chunk
    from payouts.intake.survey import Survey

__all__ = ["Claims", "Outcomes"]

_REFUSED: Final = (
    "line_id",
    "line",
    "outcome",
    "reference",
    "item_id",
    "amount_minor",
    "currency",
    "content",
    "codes",
)


class Outcomes:
    """Lines that are not paid and problems of all lines, counted as they come."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(OUTCOMES, 0)
        self._problems: list[pl.DataFrame] = []
        self._outcomes: list[pl.DataFrame] = []
        self._amounts: list[pl.DataFrame] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Count lines that are not paid: line, outcome, currency, amount_minor."""
        if not rows.height:
            return
        self._outcomes.append(rows.select("line", "outcome"))
        self._amounts.append(rows.select("outcome", "currency", "amount_minor"))
        for outcome, count in rows["outcome"].value_counts().iter_rows():
            self.counts[outcome] += count

    def tell(self, problems: pl.DataFrame) -> None:
        """Keep problems of any lines, as a PROBLEMS frame."""
        if problems.height:
            self._problems.append(problems)

    @property
    def problems(self) -> pl.DataFrame:
        """All that was told."""
        return pl.concat(self._problems) if self._problems else no_problems()

    @property
    def outcomes(self) -> pl.DataFrame:
        """`line` and `outcome` of every line that is not paid."""
        none = pl.DataFrame(schema={"line": pl.Int64, "outcome": pl.String})
        return pl.concat([none, *self._outcomes])

    @property
    def amounts(self) -> pl.DataFrame:
        """Minor units and `len` by outcome and currency, as far as an amount is readable."""
        if not self._amounts:
            return pl.DataFrame(schema={"outcome": pl.String, "currency": pl.String})
        return (
            pl.concat(self._amounts)
            .group_by("outcome", "currency")
            .agg(pl.col("amount_minor").sum(), pl.len())
        ).sort("outcome", "currency")


class Claims:
    """Judges the chunks of one file in their order.

    Args:
        probe: a connection that sees what was committed before this load.
        outcomes: where lines that are not paid are counted.
    """

    def __init__(
        self,
        probe: Connection,
        survey: Survey,
        rules: Rules,
        order: LoadOrder,
        *,
        payer_id: int,
        line_lo: int,
        signer: Signer,
        outcomes: Outcomes,
    ) -> None:
        self._probe, self._survey, self._order = probe, survey, order
        self._payer_id, self._line_lo, self._signer = payer_id, line_lo, signer
        self._rules = replace(rules, has_reference=survey.has_reference)
        if order.aggregated:
            self._rules = replace(self._rules, coverage=unbounded(rules.coverage))
        self._outcomes = outcomes
        self._fingerprints = pl.DataFrame(schema={"content": pl.Binary})
        self._references = pl.Series(dtype=pl.UInt64)
        self.repeats = Repeats(probe, payer_id, self._periods())
        self.lines = 0

    def _periods(self) -> list[str]:
        """Periods in which lines of a file without references may have been paid already."""
        order = self._order
        if self._survey.has_reference or order.again is not None:
            return []
        return runs.recent_periods(self._probe, self._payer_id, order.pipeline, order.period)

    def judge(self, chunk: Chunk) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The lines of a chunk that are not paid, and those that are.

        Returns:
            `(refused, accepted)`: `refused` has the columns of `line` that such lines fill, with
            `line_id` and `line`; `accepted` those of `intake.checks.GOOD`, `content`, `line_id`
            (the key that the line will have) and `codes` (its warnings).
        """
        canonical = chunk.lines
        if self._order.transform is not None:
            canonical = _transformed(canonical, self._order.transform)
        checked = check(chunk.readable(canonical), self._rules)
        problems = pl.concat([chunk.problems, checked.problems])
        self._outcomes.tell(problems)
        bad = chunk.problems.filter(pl.col("code").str.starts_with("E_"))["line"]
        good = _without(checked.good, bad)
        good = with_references(with_content(good, self._signer), self._order.period)
        if self._order.again is not None:
            good = _again(good, self._order.again)
        verdicts = self._verdicts(canonical, good)
        # Every data line of the file, also those whose cells could not be read, in its order.
        numbers = chunk.original["line"]
        first = self._line_lo + self.lines
        self.lines += numbers.len()
        accepted = _without(good, verdicts["line"])
        places = numbers.search_sorted(accepted["line"])
        if not numbers.gather(places).equals(accepted["line"]):
            raise InvariantError("the lines of a chunk are not in the order of the file")
        accepted = accepted.with_columns((places.cast(pl.Int64) + first).alias("line_id"))
        if self._order.transform is not None:
            self._references = _require_own_references(self._references, accepted)
        self.repeats.add(accepted)
        codes = problems.group_by("line", maintain_order=True).agg(
            pl.col("code").unique(maintain_order=True).str.join(" ").alias("codes")
        )
        refused = numbers.to_frame().with_columns(
            line_id=pl.int_range(pl.len(), dtype=pl.Int64) + first
        )
        refused = _without(refused, accepted["line"])
        return self._refused(canonical, good, refused, verdicts, codes), _with_codes(
            accepted, codes
        )

    def _verdicts(self, canonical: pl.DataFrame, good: pl.DataFrame) -> pl.DataFrame:
        """line, outcome, item_id of good lines that are not to be paid again."""
        inside = self._survey.duplicates.mark(canonical).select(
            "line",
            pl.col("verdict")
            .replace({"repeated_without_reference": "quarantined"})
            .alias("outcome"),
            pl.lit(None, pl.Int64).alias("item_id"),
        )
        known = runs.claimed(self._probe, self._payer_id, good["reference"])
        if self._order.again is not None:
            known = known.clear()  # each line is of an identity of its own: the next intent
        named = good.select("line", "reference", "content")
        before = named.join(known, on="reference", how="inner").select(
            "line",
            pl.when(pl.col("content") == pl.col("known_content"))
            .then(pl.lit("duplicate"))
            .otherwise(pl.lit("conflict"))
            .alias("outcome"),
            pl.col("known_item").alias("item_id"),
        )
        inside = inside.join(named, on="line", how="semi")
        if not self._survey.has_reference:
            inside = pl.concat([inside, self._repeated(good)]).unique("line")
        earlier = before.join(inside, on="line", how="anti")
        return pl.concat([inside, earlier]).unique("line")

    def _repeated(self, good: pl.DataFrame) -> pl.DataFrame:
        """Lines without a reference that pay what a line before them pays, however they are written.

        The survey saw texts; here are values: `100` and `100.00` are one amount, and lines that
        differ in their description alone have one fingerprint.
        """
        before = pl.concat([self._fingerprints, good.select("content")])
        later = ~before.select(pl.col("content").is_first_distinct()).to_series()
        repeated = good.filter(later.tail(good.height))
        self._fingerprints = before.unique()
        return repeated.select(
            "line",
            pl.lit("quarantined").alias("outcome"),
            pl.lit(None, pl.Int64).alias("item_id"),
        )

    def _refused(
        self,
        canonical: pl.DataFrame,
        good: pl.DataFrame,
        refused: pl.DataFrame,
        verdicts: pl.DataFrame,
        codes: pl.DataFrame,
    ) -> pl.DataFrame:
        """The lines that are not paid, with all that is known of them."""
        texts = canonical.filter(pl.col("line").is_in(refused["line"].implode()))
        rows = refused.with_columns(outcome=pl.lit("rejected"))
        for known in (verdicts, good.select("line", "content"), _readable(texts), codes):
            rows = rows.join(known, on="line", how="left", maintain_order="left")
        rows = rows.with_columns(outcome=pl.coalesce("outcome_right", "outcome"))
        self._outcomes.add(rows)
        return rows.select(_REFUSED)


def _without(lines: pl.DataFrame, numbers: pl.Series) -> pl.DataFrame:
    """The lines that are not among these."""
    return lines.filter(~pl.col("line").is_in(numbers.implode())) if numbers.len() else lines


def _with_codes(accepted: pl.DataFrame, codes: pl.DataFrame) -> pl.DataFrame:
    """Add the warnings of lines, of which there are few as a rule."""
    warned = codes.filter(pl.col("line").is_in(accepted["line"].implode()))
    if not warned.height:
        return accepted.with_columns(codes=pl.lit(None, pl.String))
    return accepted.join(warned, on="line", how="left", maintain_order="left")


def _transformed(
    lines: pl.DataFrame, transform: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    """A pipeline may change values, never which lines there are (P2)."""
    changed = transform(lines)
    if changed.schema != lines.schema or not changed["line"].equals(lines["line"]):
        raise FileRefusedError(
            "the pipeline's transform added, dropped or reordered lines or columns",
            hint="Let it change values only; every line of a file must stay accounted for.",
            code="E_TRANSFORM",
        )
    return changed


def _require_own_references(before: pl.Series, accepted: pl.DataFrame) -> pl.Series:
    """Hashes of all references so far; a transform must not give two lines the same one."""
    hashes = accepted["reference"].hash(seed=3)
    twice = accepted.filter(hashes.is_duplicated() | hashes.is_in(before.implode()))
    if twice.height:
        lines = ", ".join(str(line) for line in twice["line"].head(5))
        raise FileRefusedError(
            f"the pipeline's transform gives lines a reference that others have: {lines}",
            hint="A reference names one payment; let the transform keep them apart.",
            code="E_TRANSFORM",
        )
    return pl.concat([before, hashes])


def _again(good: pl.DataFrame, again: Again) -> pl.DataFrame:
    """Give lines the identities under which they are paid again; `note` is what people see."""
    return good.rename({"reference": "note"}).join(
        again.lines, on="line", how="inner", maintain_order="left"
    )


def _readable(lines: pl.DataFrame) -> pl.DataFrame:
    """Reference, amount_minor and currency of lines that are not paid, as far as they are known.

    The closing proof adds up the money of every line whose amount makes sense, paid or not.
    """
    code = pl.col("currency").str.to_uppercase()
    exponents = pl.DataFrame(
        [(name, unit.exponent) for name, unit in CURRENCIES.items()],
        schema={"currency": pl.String, "exponent": pl.Int8},
        orient="row",
    )
    known = lines.select("line", "reference", "amount", code).join(
        exponents, on="currency", how="left", maintain_order="left"
    )
    return with_minor(known).select(
        "line",
        "reference",
        "amount_minor",
        pl.when(pl.col("amount_minor").is_not_null()).then("currency").alias("currency"),
    )
