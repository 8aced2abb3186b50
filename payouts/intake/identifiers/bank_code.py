"""Bank code: which bank an account is with, in the form that the country and currency ask for.

>>> frame = pl.DataFrame(
...     {
...         "bank_code": ["111000025", "20-00-00", "deutdeff", "GH030100", "BCDE"],
...         "country": ["US", "GB", "DE", "GH", "NG"],
...         "currency": ["USD", "GBP", "EUR", "GHS", "NGN"],
...     }
... )
>>> code = normalised(pl.col("bank_code"), pl.lit(None, pl.String), pl.col("country"))
>>> frame.select(code).to_series().to_list()
['111000025', '200000', 'DEUTDEFF', 'GH030100', 'BCDE']
>>> account = pl.lit(None, pl.String)
>>> frame.select(problem(code, pl.col("country"), pl.col("currency"), account)).to_series().to_list()
[None, None, None, None, 'E_BANK_CODE_FORMAT']
"""

from __future__ import annotations

from typing import Final

import polars as pl

from payouts.intake.identifiers import aba, bic, ca, sort_code
from payouts.intake.identifiers.staged import by_value

__all__ = ["SHAPES", "kind", "normalised", "problem"]

SHAPES: Final[dict[str, str]] = {
    "CL": r"^[0-9]{3}$",
    "GH": r"^(?:GH)?[0-9]{6}$",
    "KE": r"^[0-9]{2,5}$",
    "NG": r"^(?:[0-9]{3}|[0-9]{5,6})$",
}
"""Codes of countries that number their banks (PAYEES §1.1, §1.3); others are not judged."""


def normalised(bank_code: pl.Expr, branch_code: pl.Expr, country: pl.Expr) -> pl.Expr:
    """Upper case, without blanks, dots and dashes; null stays null.

    The Canadian forms become one: nine digits with the institution first.
    """
    is_canadian = country == "CA"
    return (
        pl.when(is_canadian)
        .then(ca.normalised(bank_code, branch_code))
        .otherwise(bic.normalised(bank_code))
    )


def kind(country: pl.Expr, currency: pl.Expr) -> pl.Expr:
    """`aba`, `sort_code`, `ca_bank`, `bic` or `bank_code`: what the rail asks for."""
    return (
        pl.when(currency == "EUR")
        .then(pl.lit("bic"))
        .when((country == "US") & (currency == "USD"))
        .then(pl.lit("aba"))
        .when((country == "GB") & (currency == "GBP"))
        .then(pl.lit("sort_code"))
        .when((country == "CA") & (currency == "CAD"))
        .then(pl.lit("ca_bank"))
        .otherwise(pl.lit("bank_code"))
    )


def problem(bank_code: pl.Expr, country: pl.Expr, currency: pl.Expr, account: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised bank code, or null; null stays null.

    A BIC in euro, a routing number in the United States, a sort code in the United Kingdom,
    institution and transit in Canada, else the country's own shape where it is known.

    Args:
        account: the normalised account, whose country a BIC is compared with.

    Oracle: those of the kinds (tests/intake/identifiers/test_bank_code.py).
    """
    columns = {
        "code": bank_code,
        "country": country,
        "account": account,
        "kind": kind(country, currency),
    }
    return by_value(columns, "kind", _code)


def _code(kind_: str) -> pl.Expr:
    code = pl.col("code")
    match kind_:
        case "bic":
            return bic.problem(code, pl.col("account"))
        case "aba":
            return aba.problem(code)
        case "sort_code":
            return sort_code.problem(code)
        case "ca_bank":
            return ca.problem(code)
        case _:
            known = pl.lit(value=False)
            for country, shape in SHAPES.items():
                known |= (pl.col("country") == country) & ~code.str.contains(shape)
            return pl.when(known).then(pl.lit("E_BANK_CODE_FORMAT"))
