"""The frames that intake hands out: their columns, types and meanings.

A *lines* frame has `line` (Int64, unique, ascending) and the 18 canonical columns (String, null
where a cell is missing or blank). A *problems* frame has one row per problem of a line:

    line     Int64   the line number that a person sees in an editor (the header is line 1)
    code     String  a key of `payouts.core.problems.KINDS`
    column   String  the column it is about, empty for the line as a whole
    value    String  what was found, masked where it belongs to an account
    allowed  String  what would be right, where the kind has something to say
"""

from __future__ import annotations

from typing import Final

import polars as pl

__all__ = [
    "ACCOUNT_COLUMNS",
    "CANONICAL",
    "PROBLEMS",
    "masked",
    "no_problems",
    "one_problem",
    "problem_frame",
]

CANONICAL: Final = (
    "reference",
    "name",
    "country",
    "currency",
    "amount",
    "method",
    "account",
    "account_kind",
    "bank_code",
    "branch_code",
    "account_type",
    "document",
    "document_kind",
    "phone",
    "email",
    "network",
    "description",
    "due_date",
)
"""The columns of a payee line, in the order of our template."""

ACCOUNT_COLUMNS: Final = ("account", "bank_code", "branch_code", "document", "phone")
"""Columns of digits that are text: a number there has lost its zeros or its tail."""

PROBLEMS: Final = pl.Schema(
    {
        "line": pl.Int64,
        "code": pl.String,
        "column": pl.String,
        "value": pl.String,
        "allowed": pl.String,
    }
)


def no_problems() -> pl.DataFrame:
    """Make an empty problems frame."""
    return pl.DataFrame(schema=PROBLEMS)


def one_problem(
    line: int, code: str, column: str = "", value: object = "", allowed: object = ""
) -> pl.DataFrame:
    """Make a problems frame of one row."""
    row = [(line, code, column, str(value), str(allowed))]
    return pl.DataFrame(row, schema=PROBLEMS, orient="row")


def problem_frame(
    rows: pl.DataFrame, code: str, column: str, value: pl.Expr, allowed: str = ""
) -> pl.DataFrame:
    """Make a problems frame with one row for each row of `rows`.

    Args:
        rows: has `line` and whatever `value` reads.
        value: the text to show, masked by the caller where it belongs to an account.
    """
    return rows.select(
        pl.col("line"),
        pl.lit(code).alias("code"),
        pl.lit(column).alias("column"),
        value.cast(pl.String).fill_null("").alias("value"),
        pl.lit(allowed).alias("allowed"),
    )


def masked(value: pl.Expr) -> pl.Expr:
    """Give the last four characters of `value` behind an ellipsis; short texts wholly hidden."""
    return (
        pl.when(value.str.len_chars() > 6)  # noqa: PLR2004  four shown characters hide at least two
        .then(pl.format("…{}", value.str.tail(4)))
        .otherwise(pl.lit("…"))
    )
