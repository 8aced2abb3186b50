"""Checks: lines of a payee file judged against everything we know, all problems of each line.

A chunk is joined to the coverage table first, then its texts and amounts are judged, then its
accounts, partitioned by identifier rule. Nothing here reads a file or a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.core.combination import Environment, Leone, Policy
from payouts.core.money import MINOR_MAX
from payouts.intake import amounts
from payouts.intake.accounts import with_accounts
from payouts.intake.combinations import combined
from payouts.intake.coverage import coverage_of
from payouts.intake.fields import Check, due_date, field_problems, run
from payouts.intake.frames import masked, no_problems, problem_frame

if TYPE_CHECKING:
    from datetime import date

__all__ = ["GOOD", "Checked", "Rules", "check"]

GOOD: Final = pl.Schema(
    {
        "line": pl.Int64,
        "reference": pl.String,
        "name": pl.String,
        "country": pl.String,
        "currency": pl.String,
        "amount_minor": pl.Int64,
        "exponent": pl.Int8,
        "method": pl.String,
        "provider": pl.String,
        "account": pl.String,
        "account_kind": pl.String,
        "account_last4": pl.String,
        "bank_code": pl.String,
        "branch_code": pl.String,
        "account_type": pl.String,
        "document": pl.String,
        "document_kind": pl.String,
        "phone": pl.String,
        "email": pl.String,
        "network": pl.String,
        "description": pl.String,
        "due_date": pl.Date,
    }
)
"""Columns of good lines: what an item is made of."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything a check may depend on.

    Args:
        coverage: the frame of `intake.coverage.load`.
        environment: `live` refuses rails whose fields are not documented.
        today: due dates before it are refused.
        own_accounts: our funding accounts, in any spelling; nobody is paid there.
        leone: which leone the operator has confirmed that the platform means; None: nobody has.
        allow_undocumented_rails: `provider:method` of rails that the operator has confirmed.
        has_reference: whether the file has a reference column, so that a blank one is a mistake;
            None: it has one if any line of the chunk has a reference.
    """

    coverage: pl.DataFrame
    environment: Environment
    today: date
    own_accounts: frozenset[str] = frozenset()
    leone: Leone | None = None
    allow_undocumented_rails: frozenset[str] = frozenset()
    has_reference: bool | None = None

    @property
    def policy(self) -> Policy:
        """What the decision about a combination depends on."""
        return Policy(self.environment, self.today, self.leone, self.allow_undocumented_rails)


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict on a frame of lines.

    Args:
        good: the lines without an `E_` problem in input order, with the columns of `GOOD`.
        problems: every problem of every line, rejecting and warning, in input order.
    """

    good: pl.DataFrame
    problems: pl.DataFrame = field(default_factory=no_problems)


def check(lines: pl.DataFrame, rules: Rules) -> Checked:
    """Judge lines: which can be paid, and everything that is wrong or doubtful with each.

    Args:
        lines: `line` (Int64, unique) and the canonical columns (String, null where blank), amounts
            with dot decimals; any number of lines, 100,000 at a time are good for memory.
    """
    has_reference = rules.has_reference
    if has_reference is None:
        has_reference = lines["reference"].null_count() < lines.height
    read = combined(lines, coverage_of(rules.coverage), rules.policy)
    priced, amount_problems = _with_amounts(read.lines)
    named = with_accounts(priced, rules.own_accounts)
    live = rules.environment == "live"
    texts = field_problems(named.lines, rules.today, has_reference=has_reference, live=live)
    found = [read.problems, amount_problems, named.problems, texts]
    if live and _ORKESTA_IBAN not in rules.allow_undocumented_rails:
        found.append(_ibans_at_orkesta(named.lines))
    problems = pl.concat(found).sort("line", maintain_order=True)
    return Checked(_good(named.lines, problems), problems)


def _ibans_at_orkesta(lines: pl.DataFrame) -> pl.DataFrame:
    """Real money goes to documented destinations only: A-OKS-13."""
    asked = (pl.col("provider") == "orkesta") & (pl.col("account_kind") == "iban")
    rows = lines.filter(asked)
    return problem_frame(
        rows, "E_ORKESTA_IBAN", "account", masked(pl.col("account")), _ORKESTA_IBAN
    )


def _with_amounts(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines with `amount_minor`, and what is wrong with their amounts."""
    lines = amounts.with_minor(lines)
    return lines, run(lines, _AMOUNTS)


def _amount_allowed() -> pl.Expr:
    """What would be right, for the codes of `amounts.problem` that can say so."""
    exponent, code = pl.col("exponent"), pl.col("amount_code")
    decimals = pl.format("{} has {}", pl.col("currency"), exponent)
    greatest = amounts.text(pl.lit(MINOR_MAX), exponent)
    return (
        pl.when(code == "E_AMOUNT_PRECISION")
        .then(decimals)
        .when(code == "E_AMOUNT_RANGE")
        .then(greatest)
    )


def _good(lines: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """The lines that nothing rejects, with exactly the columns of an item."""
    rejected = problems.filter(pl.col("code").str.starts_with("E_"))["line"].unique()
    if rejected.len():
        lines = lines.filter(~pl.col("line").is_in(rejected.implode()))
    return lines.with_columns(due_date(pl.col("due_date")).alias("due_date")).select(GOOD.names())


_ORKESTA_IBAN: Final = "orkesta:iban"
_AMOUNT_MINOR: Final = pl.col("amount_minor")
_EXPONENT: Final = pl.col("exponent")
_FEWER: Final = (_EXPONENT - pl.col("provider_decimals")).clip(0).cast(pl.UInt32)

_AMOUNTS: Final = (
    Check("amount", pl.col("amount_code"), _amount_allowed(), of_blanks=True),
    Check(
        "amount",
        pl.when(pl.col("min_minor") > _AMOUNT_MINOR).then(pl.lit("E_AMOUNT_BELOW_MINIMUM")),
        amounts.text(pl.col("min_minor"), _EXPONENT),
    ),
    Check(
        "amount",
        pl.when(pl.col("max_minor") < _AMOUNT_MINOR).then(pl.lit("E_AMOUNT_ABOVE_MAXIMUM")),
        amounts.text(pl.col("max_minor"), _EXPONENT),
    ),
    Check(
        "amount",
        pl.when(_AMOUNT_MINOR % pl.lit(10, pl.Int64).pow(_FEWER) != 0).then(
            pl.lit("E_AMOUNT_PROVIDER_DECIMALS")
        ),
        pl.format("{} takes {}", pl.col("provider"), pl.col("provider_decimals")),
    ),
)
