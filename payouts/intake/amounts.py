"""Amounts: amount texts as whole minor units, a column at a time and exactly.

The rule is `core.money.parse_minor`; here it is for a million texts. A text is never cast to a
decimal type, since Polars rounds there (`10.005` became 10.00 on a cast to Decimal(20, 2)): its
digits become an integer once the point is taken out.

>>> frame = pl.DataFrame({"amount": ["12.5", "12.505", "1e3", "-1", "0.00", None]})
>>> frame = frame.with_columns(exponent=pl.lit(2, pl.Int8))
>>> frame = frame.with_columns(code=problem(pl.col("amount"), pl.col("exponent")))
>>> frame["code"].to_list()[:3]
[None, 'E_AMOUNT_PRECISION', 'E_AMOUNT_FORMAT']
>>> frame["code"].to_list()[3:]
['E_AMOUNT_NEGATIVE', 'E_AMOUNT_ZERO', 'E_AMOUNT_MISSING']
>>> frame.select(minor(pl.col("amount"), pl.col("exponent"), pl.col("code"))).to_series().to_list()
[1250, None, None, None, None, None]
"""

from __future__ import annotations

from typing import Final

import polars as pl

from payouts.core.money import MINOR_MAX

__all__ = ["decimals", "minor", "problem", "text"]

_AMOUNT: Final = r"^[0-9]+(?:\.[0-9]+)?$"  # [0-9], since \d accepts ٣ and ३
_NEGATIVE: Final = r"^-[0-9]+(?:\.[0-9]+)?$"
_ZERO: Final = r"^[0.]+$"
_DIGITS_MAX: Final = len(str(MINOR_MAX))


def decimals(amount: pl.Expr) -> pl.Expr:
    """How many digits stand after the point: Int64, 0 without a point, null for null."""
    point = amount.str.find(".", literal=True).cast(pl.Int64)
    return (amount.str.len_bytes().cast(pl.Int64) - point - 1).fill_null(
        pl.when(amount.is_not_null()).then(pl.lit(0, pl.Int64))
    )


def problem(amount: pl.Expr, exponent: pl.Expr) -> pl.Expr:
    """The code of what is wrong with an amount text, or null: String.

    The same verdicts as `core.money.parse_minor`, and no payout of nothing: E_AMOUNT_MISSING,
    E_AMOUNT_NEGATIVE, E_AMOUNT_FORMAT, E_AMOUNT_RANGE, E_AMOUNT_PRECISION, E_AMOUNT_ZERO, in
    this order.

    Args:
        amount: String with dot decimals, null where blank.
        exponent: decimals of the line's currency; null where it is unknown, which leaves range
            and precision unjudged.
    """
    behind = decimals(amount)
    size = amount.str.len_bytes().cast(pl.Int64)
    before = size - behind - (behind > 0).cast(pl.Int64)
    return (
        pl.when(amount.is_null())
        .then(pl.lit("E_AMOUNT_MISSING"))
        .when(~amount.str.contains(_AMOUNT))
        .then(
            pl.when(amount.str.contains(_NEGATIVE))
            .then(pl.lit("E_AMOUNT_NEGATIVE"))
            .otherwise(pl.lit("E_AMOUNT_FORMAT"))
        )
        .when(before + exponent > _DIGITS_MAX)
        .then(pl.lit("E_AMOUNT_RANGE"))
        .when(behind > exponent)
        .then(pl.lit("E_AMOUNT_PRECISION"))
        .when(amount.str.contains(_ZERO))
        .then(pl.lit("E_AMOUNT_ZERO"))
    )


def minor(amount: pl.Expr, exponent: pl.Expr, code: pl.Expr) -> pl.Expr:
    """The minor units of amounts that `problem` finds nothing wrong with: Int64, else null.

    The digits without the point are the amount in units of its last decimal; what is missing up
    to the exponent is a power of ten. All of it fits, since `problem` bounds the digits.
    """
    digits = amount.str.replace(".", "", literal=True).cast(pl.Int64, strict=False)
    missing = (exponent - decimals(amount)).clip(0).cast(pl.UInt32)
    return pl.when(code.is_null() & exponent.is_not_null()).then(
        digits * pl.lit(10, pl.Int64).pow(missing)
    )


def text(amount_minor: pl.Expr, exponent: int) -> pl.Expr:
    """Minor units as the plain decimal text that `problem` and `minor` read back: String."""
    if exponent == 0:
        return amount_minor.cast(pl.String)
    padded = amount_minor.cast(pl.String).str.pad_start(exponent + 1, "0")
    return padded.str.head(-exponent) + "." + padded.str.tail(exponent)
