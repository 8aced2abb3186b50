"""Colombian wallet: Nequi and Daviplata are paid to a mobile number.

>>> frame = pl.DataFrame({"account": ["300 123 4567", "+57 601 7426565", "3001234567"]})
>>> account = normalised(pl.col("account"))
>>> frame.select(account).to_series().to_list()
['573001234567', '576017426565', '573001234567']
>>> frame.select(problem(account)).to_series().to_list()
[None, 'E_MSISDN_NOT_MOBILE', None]
"""

from __future__ import annotations

import polars as pl

from payouts.intake.identifiers import msisdn

__all__ = ["normalised", "problem"]

_COLOMBIA = pl.lit("CO")


def normalised(account: pl.Expr) -> pl.Expr:
    """The mobile number of a wallet, `57` and ten digits; null stays null."""
    return msisdn.normalised(account, _COLOMBIA)


def problem(account: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised wallet number, or null; null stays null.

    A Colombian mobile number; a wallet's begins with 3 (Nequi, Daviplata).

    Oracle: `phonenumbers`, region CO (tests/intake/identifiers/test_co_wallet.py).
    """
    is_other = account.str.contains(r"^57[^3]")
    code = msisdn.problem(account, _COLOMBIA)
    return pl.coalesce(code, pl.when(is_other).then(pl.lit("E_MSISDN_NOT_MOBILE")))
