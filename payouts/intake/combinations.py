"""Combinations: each line joined to what its country, currency and method amount to.

The words of a chunk are decided once per distinct combination (`core.combination`); a line gets
the answer by a join. So a million lines cost a few dozen decisions, and a hostile file with a
million combinations costs no more than one decision a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.core.combination import Combination, Policy, read_combination
from payouts.core.currencies import CURRENCIES
from payouts.intake.frames import CANONICAL, PROBLEMS

if TYPE_CHECKING:
    from payouts.core.coverage import Coverage

__all__ = ["Combined", "combined", "needs"]

_WORDS: Final = ("country", "currency", "method")
_DECISION: Final = pl.Schema(
    {
        "country": pl.String,
        "currency": pl.String,
        "method": pl.String,
        "exponent": pl.Int8,
        "provider": pl.String,
        "identifier": pl.String,
        "needed": pl.UInt32,
        "min_minor": pl.Int64,
        "max_minor": pl.Int64,
        "provider_decimals": pl.Int8,
    }
)
_FINDING: Final = pl.Schema(
    {
        "combination": pl.UInt32,
        "code": pl.String,
        "column": pl.String,
        "value": pl.String,
        "allowed": pl.String,
    }
)
_VALUE_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Combined:
    """Lines with what their words amount to.

    Args:
        lines: the lines in their order. `country`, `currency` and `method` are read (null where
            a word means nothing), and there are more columns:

            exponent            Int8    decimals of the currency, null where it is unknown
            provider            String  who pays the line, null where nobody does
            identifier          String  the rule for its account, null where nobody pays it
            needed              UInt32  bit i: column CANONICAL[i] must not be blank
            min_minor, max_minor  Int64  bounds of the amount, null for none
            provider_decimals   Int8    decimals that the provider takes, null for the exponent

        problems: a problems frame with what is wrong with the words.
    """

    lines: pl.DataFrame
    problems: pl.DataFrame


def needs(column: str) -> pl.Expr:
    """True where the coverage row of a line asks for a canonical column."""
    return pl.col("needed") & (1 << CANONICAL.index(column)) != 0


def combined(lines: pl.DataFrame, coverage: Coverage, policy: Policy) -> Combined:
    """Decide every distinct combination of the lines' words and give each line its decision."""
    words = lines.select(_WORDS).unique(maintain_order=True).with_row_index("combination")
    decisions = [
        read_combination(country, currency, method, coverage, policy)
        for country, currency, method in words.select(_WORDS).iter_rows()
    ]
    index = lines.select(_WORDS).join(
        words, on=_WORDS, how="left", nulls_equal=True, maintain_order="left"
    )["combination"]
    rows = pl.DataFrame([_decision(each) for each in decisions], schema=_DECISION, orient="row")
    found = pl.DataFrame({"line": lines["line"], "combination": index}).join(
        _findings(decisions), on="combination"
    )
    return Combined(
        lines.drop(_WORDS).hstack(rows[index].get_columns()), found.select(PROBLEMS.names())
    )


def _decision(made: Combination) -> tuple[object, ...]:
    """One row of the decisions."""
    exponent = CURRENCIES[made.currency].exponent if made.currency is not None else None
    words = (made.country, made.currency, made.method, exponent)
    row = made.row
    if row is None:
        return (*words, None, None, 0, None, None, None)
    needed = sum(1 << CANONICAL.index(column) for column in row.required)
    bounds = (row.minimum, row.maximum, row.decimals_of(row.provider))
    return (*words, row.provider, row.identifier, needed, *bounds)


def _findings(decisions: list[Combination]) -> pl.DataFrame:
    rows = [
        (number, finding.code, finding.column, _shown(finding.value), finding.allowed)
        for number, made in enumerate(decisions)
        for finding in made.findings
    ]
    return pl.DataFrame(rows, schema=_FINDING, orient="row")


def _shown(word: str) -> str:
    """A word as a message may show it: not too long, and nothing invisible in it."""
    return "".join(each if each.isprintable() else "\ufffd" for each in word[:_VALUE_MAX])
