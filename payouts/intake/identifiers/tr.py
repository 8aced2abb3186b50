"""Turkish IBAN: `TR`, two check digits, bank of five digits, a reserved zero, account of sixteen.

>>> frame = pl.DataFrame({"account": ["TR33 0006 1005 1978 6457 8413 26", "DE89370400440532013000"]})
>>> frame.select(problem(iban.normalised(pl.col("account")))).to_series().to_list()
[None, 'E_IBAN_COUNTRY_OTHER']
"""

from __future__ import annotations

import polars as pl

from payouts.intake.identifiers import iban
from payouts.intake.identifiers.staged import first

__all__ = ["problem"]

_RESERVE = 9


def problem(account: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised Turkish IBAN, or null; null stays null.

    The IBAN's own rules, then the country, then the reserved digit, which is always 0 (TCMB's
    IBAN communiqué; 26 characters, although a vendor's page says 24).

    Oracle: schwifty (tests/intake/identifiers/test_tr.py).
    """
    is_other = ~account.str.starts_with("TR")
    return first(
        iban.problem(account),
        pl.when(is_other).then(pl.lit("E_IBAN_COUNTRY_OTHER")),
        pl.when(account.str.slice(_RESERVE, 1) != "0").then(pl.lit("E_IBAN_TR_RESERVE")),
    )
