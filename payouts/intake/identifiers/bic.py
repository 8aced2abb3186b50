"""BIC: the code of a bank (ISO 9362), eight characters or eleven with the branch.

>>> frame = pl.DataFrame({"bank_code": ["deut de ff", "DEUTDEFF500", "DEUTXXFF", "DEUT", "NCBVXKPR"]})
>>> frame.select(problem(normalised(pl.col("bank_code")))).to_series().to_list()
[None, None, 'E_BIC_COUNTRY', 'E_BIC_FORMAT', None]
"""

from __future__ import annotations

import polars as pl

from payouts.core.countries import COUNTRIES
from payouts.intake.identifiers import sepa, text

__all__ = ["is_shaped", "normalised", "problem"]

_SHAPE = r"^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?$"
_CODES = sorted({code for code in COUNTRIES if code.isalpha()} | {"XK"})


def normalised(bank_code: pl.Expr) -> pl.Expr:
    """Upper case, without blanks, dots and dashes; null stays null."""
    return text.upper(text.compact(bank_code))


def is_shaped(bank_code: pl.Expr) -> pl.Expr:
    """True for eight or eleven characters with two letters for the country; null stays null."""
    return bank_code.str.contains(_SHAPE)


def problem(bank_code: pl.Expr, iban: pl.Expr | None = None) -> pl.Expr:
    """The code of what is wrong with a normalised BIC, or null; null stays null.

    Four letters or digits, a country of ISO 3166 (or XK, Kosovo), two characters, and three more
    for a branch (ISO 9362:2022). A country other than that of the `iban` beside it is a warning;
    territories count as their mother country.

    Oracle: schwifty, which refuses Kosovo (tests/intake/identifiers/test_bic.py).
    """
    home = bank_code.str.slice(4, 2)
    code = (
        pl.when(~is_shaped(bank_code))
        .then(pl.lit("E_BIC_FORMAT"))
        .when(~home.is_in(_CODES))
        .then(pl.lit("E_BIC_COUNTRY"))
    )
    if iban is None:
        return code
    is_iban = iban.str.contains(r"^[A-Z]{2}[0-9]{2}")
    differs = home.replace(sepa.TERRITORIES) != iban.str.slice(0, 2).replace(sepa.TERRITORIES)
    warning = pl.when(is_iban & differs).then(pl.lit("W_BIC_OTHER_COUNTRY"))
    return pl.coalesce(code, warning)
