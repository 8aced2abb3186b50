"""SPEI account: what a Mexican transfer takes, a CLABE or a mobile number, but no card here.

>>> accounts = ["032180000118359719", "+52 55 1234 5678", "+5215512345678", "4111111111111111"]
>>> frame = pl.DataFrame({"account": accounts})
>>> account = normalised(pl.col("account"))
>>> frame.select(kind(account)).to_series().to_list()
['clabe', 'msisdn', 'msisdn', 'clabe']
>>> frame.select(problem(account)).to_series().to_list()
['W_CLABE_BANK', None, 'E_MSISDN_OLD_MEXICO', 'E_CARD_NUMBER']
"""

from __future__ import annotations

import polars as pl

from payouts.intake.identifiers import clabe, msisdn, text
from payouts.intake.identifiers.staged import staged

__all__ = ["kind", "normalised", "problem"]

_MEXICO = pl.lit("MX")
_MOBILE = r"^(?:521?)?[0-9]{10}$"
_CARD = r"^[0-9]{15,16}$"


def normalised(account: pl.Expr) -> pl.Expr:
    """A CLABE of bare digits, or ten digits of a mobile number; null stays null."""
    bare = text.without(account, r"().\-+")
    is_abroad = bare.str.contains(r"^(?:00)?52[0-9]{10}$")  # a CLABE of bank 002 keeps its zeros
    return pl.when(is_abroad).then(bare.str.tail(10)).otherwise(bare)


def kind(account: pl.Expr) -> pl.Expr:
    """`msisdn` for ten digits, `clabe` for anything else; null for null."""
    return (
        pl.when(account.str.contains(_MOBILE))
        .then(pl.lit("msisdn"))
        .when(account.is_not_null())
        .then(pl.lit("clabe"))
    )


def problem(account: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised CLABE or mobile number, or null.

    SPEI itself also takes the 16 digits of a debit card (Banco de México); a payee file may not
    hold any (PCI DSS 3.4), so they are refused with the hint to use the CLABE. Null stays null.

    Oracle: those of CLABE and mobile numbers (tests/intake/identifiers/test_spei.py).
    """
    number, is_mobile = pl.col("account"), pl.col("account").str.contains(_MOBILE)
    mobile = "52" + number.str.strip_prefix("52")
    return staged(
        {"account": account},
        {
            "clabe": clabe.problem(pl.when(~is_mobile).then(number)),
            "mobile": msisdn.problem(pl.when(is_mobile).then(mobile), _MEXICO),
        },
        {
            "answer": pl.when(number.str.contains(_CARD))
            .then(pl.lit("E_CARD_NUMBER"))
            .otherwise(pl.coalesce("clabe", "mobile"))
        },
    )
