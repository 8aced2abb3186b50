"""Canonical lines: the 18 columns of ours made from those of the file.

Cells are stripped of outer blanks and invisible marks, nothing else: what an identifier or an
amount means is for the checks to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.intake.decimals import Mark, grouped, with_points
from payouts.intake.frames import CANONICAL, no_problems, problem_frame
from payouts.intake.spreadsheet import damage
from payouts.intake.templates import key

if TYPE_CHECKING:
    from payouts.intake.columns import Plan
    from payouts.intake.layout import Piece

__all__ = ["Read", "canonical", "interpreted", "stripped"]

_SPACES: Final = " \t\r\n\v\f\u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000"
_BLANKS: Final = _SPACES + "".join(map(chr, range(0x2000, 0x200E))) + "\u2060\ufeff"
_DECISIVE: Final = frozenset({"account", "amount", "currency", "reference", "country", "method"})


@dataclass(frozen=True, slots=True)
class Read:
    """One piece of a file in our columns.

    Args:
        lines: `line` and the 18 canonical columns: one row per data line.
        problems: what was wrong with how lines are written.
        doubtful: `line` of the rows that must not be interpreted: where a cell begins, or what an
            amount means, is not certain. Rows of the first kind are null but for `line`.
    """

    lines: pl.DataFrame
    problems: pl.DataFrame
    doubtful: pl.Series


def stripped(name: str, *, ascii_only: bool = False) -> pl.Expr:
    """Give a column without outer blanks, null where nothing is left.

    Args:
        name: of the column.
        ascii_only: its cells hold no marks of zero width, so that plain blanks are enough.
    """
    cell = pl.col(name)
    return (cell.str.strip_chars() if ascii_only else cell.str.strip_chars(_BLANKS)).replace(
        "", None
    )


def canonical(piece: Piece, plan: Plan) -> pl.DataFrame:
    """Make the lines frame of a piece, amounts as they are written.

    Returns:
        `line` and the canonical columns, in input order, without unreadable lines.
    """
    readable = piece.original
    if piece.unreadable.len():
        readable = readable.filter(~pl.col("line").is_in(piece.unreadable.implode()))
    constants = dict(plan.constants)
    blankless = partial(stripped, ascii_only=piece.ascii)
    made = []
    for ours in CANONICAL:
        if ours == "name" and plan.joined:
            whole = pl.concat_str(
                [blankless(part) for part in plan.joined], separator=" ", ignore_nulls=True
            )
            made.append(whole.replace("", None).alias(ours))
            continue
        found = [blankless(source) for source in plan.sources.get(ours, ())]
        if ours in constants:
            found.append(pl.lit(constants[ours]))
        value = pl.coalesce(found) if found else pl.lit(None, pl.String)
        made.append(value.cast(pl.String).alias(ours))
    return readable.select(pl.col("line"), *made)


def interpreted(piece: Piece, plan: Plan, mark: Mark) -> Read:
    """Make the lines frame of a piece with decimal points, and say what is wrong with lines."""
    lines = canonical(piece, plan)
    doubts = [_two_values(piece, plan), _priced(piece, plan), _grouped(lines, mark)]
    lines = lines.with_columns(with_points(pl.col("amount"), mark))
    if plan.paise:
        lines, wrong = _rupees(lines)
        doubts.append(wrong)
    in_doubt = pl.concat(doubts)
    problems = pl.concat([piece.problems, in_doubt, damage(lines)])
    if piece.unreadable.len():
        lines = pl.concat([lines, _nulls(piece.unreadable)]).sort("line")
    doubtful = pl.concat([piece.unreadable, in_doubt["line"]]).unique().sort()
    return Read(lines, problems.sort("line", maintain_order=True), doubtful)


def _nulls(lines: pl.Series) -> pl.DataFrame:
    """Make lines without content."""
    nothing = [pl.lit(None, pl.String).alias(name) for name in CANONICAL]
    return pl.DataFrame([lines.alias("line")]).with_columns(nothing)


def _two_values(piece: Piece, plan: Plan) -> pl.DataFrame:
    """Find lines on which two columns of one decisive meaning say different things."""
    found = [no_problems()]
    for ours, sources in plan.sources.items():
        if ours not in _DECISIVE or len(sources) < 2:  # noqa: PLR2004  one column cannot disagree
            continue
        values = [stripped(source) for source in sources]
        differs = pl.any_horizontal(
            [value.ne(pl.coalesce(values)).fill_null(value=False) for value in values]
        )
        hit = piece.original.filter(differs)
        found.append(problem_frame(hit, "E_LINE_TWO_VALUES", ours, pl.lit(""), ours))
    return pl.concat(found)


def _priced(piece: Piece, plan: Plan) -> pl.DataFrame:
    """Find lines whose amount is in another currency than the one that is paid out.

    Wise says `source` or a currency in `amountCurrency`; dLocal names the payment's currency in
    `currency_to_pay`. Only the same currency on both sides is an amount that we can pay.
    """
    if not plan.priced_in:
        return no_problems()
    paid = stripped(plan.sources["currency"][0]).str.to_uppercase()
    priced = stripped(plan.priced_in).str.to_uppercase()
    own = pl.lit(value=False)
    for name in plan.ignored:
        if key(name) == "sourcecurrency":
            own = (priced == "SOURCE") & (stripped(name).str.to_uppercase() == paid)
    fine = priced.is_null() | (priced == "TARGET") | (priced == paid) | own
    hit = piece.original.filter(~fine.fill_null(value=False))
    return problem_frame(hit, "E_AMOUNT_SOURCE_CURRENCY", "amount", pl.lit(""), "another currency")


def _grouped(lines: pl.DataFrame, mark: Mark) -> pl.DataFrame:
    hit = lines.filter(grouped(pl.col("amount"), mark))
    return problem_frame(hit, "E_AMOUNT_GROUPED", "amount", pl.col("amount"))


def _rupees(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Turn whole paise into rupees; a line that is not in whole paise of INR is a problem."""
    amount = pl.col("amount")
    whole = amount.str.contains(r"^[0-9]{1,15}$") & (pl.col("currency") == "INR")
    wrong = lines.filter(amount.is_not_null() & ~whole.fill_null(value=False))
    padded = amount.str.zfill(3)
    rupees = pl.concat_str(padded.str.head(-2), pl.lit("."), padded.str.tail(2))
    return (
        lines.with_columns(pl.when(whole).then(rupees).otherwise(amount).alias("amount")),
        problem_frame(wrong, "E_AMOUNT_MINOR_UNITS", "amount", amount),
    )
