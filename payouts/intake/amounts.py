"""Amounts: amount texts as whole minor units, a column at a time and exactly.

The rule is `core.money.parse_minor`; here it is for a million texts. A text is never cast to a
decimal type, since Polars rounds there (`10.005` became 10.00 on a cast to Decimal(20, 2)): its
digits become an integer once the point is taken out.

>>> amounts = ["12.5", "12.505", "1e3", "-1", "0.00", None]
>>> lines = pl.DataFrame({"amount": amounts}).with_columns(exponent=pl.lit(2, pl.Int8))
>>> for row in with_minor(lines).select("amount_minor", "amount_code").rows():
...     print(row)
(1250, None)
(None, 'E_AMOUNT_PRECISION')
(None, 'E_AMOUNT_FORMAT')
(None, 'E_AMOUNT_NEGATIVE')
(None, 'E_AMOUNT_ZERO')
(None, 'E_AMOUNT_MISSING')
"""

from __future__ import annotations

from typing import Final

import polars as pl

from payouts.core.money import MINOR_MAX

__all__ = ["text", "with_minor"]

_AMOUNT: Final = r"^-?[0-9]+(?:\.[0-9]+)?$"  # [0-9], since \d accepts ٣ and ३
_DIGITS_MAX: Final = len(str(MINOR_MAX))


def with_minor(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines with two more columns, `amount_minor` and `amount_code`.

    Args:
        lines: has `amount` (String with dot decimals, null where blank) and `exponent` (Int8, the
            decimals of the line's currency; null where it is unknown, which leaves range and
            precision unjudged).

    Returns:
        `amount_code` (String) is null for an amount that can be paid, else E_AMOUNT_MISSING,
        E_AMOUNT_FORMAT, E_AMOUNT_NEGATIVE, E_AMOUNT_RANGE, E_AMOUNT_PRECISION or E_AMOUNT_ZERO,
        the first that fits: the verdicts of `core.money.parse_minor`, and no payout of nothing.
        `amount_minor` (Int64) is null wherever there is a code or no exponent.
    """
    amount, exponent = pl.col("amount"), pl.col("exponent")
    parts = lines.with_columns(
        amount.str.contains(_AMOUNT).alias("_formed"),
        amount.str.replace(".", "", literal=True).cast(pl.Int64, strict=False).alias("_digits"),
        amount.str.len_bytes().cast(pl.Int64).alias("_size"),
        amount.str.find(".", literal=True).cast(pl.Int64).alias("_point"),
    ).with_columns((pl.col("_size") - pl.col("_point") - 1).fill_null(0).alias("_behind"))
    return (
        parts.with_columns(_code(amount, exponent).alias("amount_code"))
        .with_columns(_minor(exponent).alias("amount_minor"))
        .drop("_formed", "_digits", "_size", "_point", "_behind")
    )


def text(amount_minor: pl.Expr, exponent: pl.Expr) -> pl.Expr:
    """Minor units as the plain decimal text that `with_minor` reads back: String.

    >>> frame = pl.DataFrame({"minor": [1255, 5, 7], "exponent": [2, 2, 0]})
    >>> frame.select(text(pl.col("minor"), pl.col("exponent"))).to_series().to_list()
    ['12.55', '0.05', '7']
    """
    digits = amount_minor.cast(pl.String).str.zfill(exponent.cast(pl.Int64) + 1)
    whole = digits.str.len_bytes().cast(pl.Int64) - exponent
    return (
        pl.when(exponent == 0)
        .then(digits)
        .otherwise(pl.concat_str(digits.str.head(whole), pl.lit("."), digits.str.tail(exponent)))
    )


def _code(amount: pl.Expr, exponent: pl.Expr) -> pl.Expr:
    before = pl.coalesce(pl.col("_point"), pl.col("_size"))
    return (
        pl.when(amount.is_null())
        .then(pl.lit("E_AMOUNT_MISSING"))
        .when(~pl.col("_formed"))
        .then(pl.lit("E_AMOUNT_FORMAT"))
        .when(amount.str.starts_with("-"))
        .then(pl.lit("E_AMOUNT_NEGATIVE"))
        .when(before + exponent > _DIGITS_MAX)
        .then(pl.lit("E_AMOUNT_RANGE"))
        .when(pl.col("_behind") > exponent)
        .then(pl.lit("E_AMOUNT_PRECISION"))
        .when(pl.col("_digits") == 0)
        .then(pl.lit("E_AMOUNT_ZERO"))
    )


def _minor(exponent: pl.Expr) -> pl.Expr:
    """The digits without the point count units of the last decimal; a power of ten does the rest.

    All of it fits into an Int64, since `_code` bounds the digits.
    """
    missing = (exponent - pl.col("_behind")).clip(0).cast(pl.UInt32)
    fine = pl.col("amount_code").is_null() & exponent.is_not_null()
    return pl.when(fine).then(pl.col("_digits") * pl.lit(10, pl.Int64).pow(missing))
