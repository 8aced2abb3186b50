"""Bank account number: plain digits or characters where a country has no check digit.

>>> accounts = ["0011-223344556", "12AB", "123", "1000 1234 56789"]
>>> frame = pl.DataFrame({"account": accounts, "country": ["GH", "KE", "CO", "ET"]})
>>> frame.select(problem(normalised(pl.col("account")), pl.col("country"))).to_series().to_list()
[None, 'E_ACCOUNT_CHARACTERS', 'E_ACCOUNT_LENGTH', None]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from payouts.intake.identifiers import text

__all__ = ["OTHER", "SHAPES", "Shape", "normalised", "problem", "shape_problem"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a country's account numbers: their length, and whether digits only."""

    shortest: int
    longest: int
    digits: bool = True


SHAPES: Final[dict[str, Shape]] = {
    "CA": Shape(7, 12),
    "CL": Shape(3, 45),
    "CO": Shape(4, 20),
    "ET": Shape(5, 20),
    "GB": Shape(8, 8),
    "GH": Shape(8, 20),
    "KE": Shape(5, 20),
    "MW": Shape(5, 35, digits=False),
    "NG": Shape(10, 10),
    "RW": Shape(5, 35, digits=False),
    "SL": Shape(5, 35, digits=False),
    "TZ": Shape(5, 35, digits=False),
    "UG": Shape(5, 35, digits=False),
    "US": Shape(4, 17),
    "ZA": Shape(5, 13),
}
"""By country, as the providers' pages say (PAYEES §1.1, §1.3, §1.6); wide where they differ."""

OTHER: Final = Shape(4, 35, digits=False)
"""Any other country."""


def normalised(account: pl.Expr) -> pl.Expr:
    """Upper case, without blanks, dots and dashes; leading zeros stay, null stays null."""
    return text.upper(text.compact(account))


def problem(account: pl.Expr, country: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised account of `country`, or null.

    Characters, then length, by `SHAPES`. There is no check digit: only the bank code and, where a
    provider offers one, a look-up of the name protect the payee. Null stays null.

    Oracle: a plain loop over the same table (tests/intake/identifiers/test_bank.py).
    """
    countries = country.fill_null("")

    def column(values: dict[str, int], default: int) -> pl.Expr:
        return countries.replace_strict(values, default=default, return_dtype=pl.UInt32)

    shortest = column({code: shape.shortest for code, shape in SHAPES.items()}, OTHER.shortest)
    longest = column({code: shape.longest for code, shape in SHAPES.items()}, OTHER.longest)
    lettered = [code for code, shape in SHAPES.items() if not shape.digits]
    letters = countries.is_in(lettered) | ~countries.is_in(list(SHAPES))
    return _code(account, letters, shortest, longest)


def shape_problem(account: pl.Expr, country: str) -> pl.Expr:
    """The same where all lines are of one country."""
    shape = SHAPES.get(country, OTHER)
    return _code(account, pl.lit(not shape.digits), pl.lit(shape.shortest), pl.lit(shape.longest))


def _code(account: pl.Expr, letters: pl.Expr, shortest: pl.Expr, longest: pl.Expr) -> pl.Expr:
    length = account.str.len_bytes()
    is_text = account.str.contains(r"^[0-9A-Z]+$")
    is_number = account.str.contains(r"^[0-9]+$")
    return (
        pl.when(~(is_number | (letters & is_text)))
        .then(pl.lit("E_ACCOUNT_CHARACTERS"))
        .when((length < shortest) | (length > longest))
        .then(pl.lit("E_ACCOUNT_LENGTH"))
    )
