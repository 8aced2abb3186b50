"""NUBAN: the 10-digit account number of Nigeria, its last digit checked together with the bank.

>>> frame = pl.DataFrame({"account": ["0000014579", "0000014570", "14579"], "bank_code": "011"})
>>> frame.select(problem(pl.col("account"), pl.col("bank_code"))).to_series().to_list()
[None, 'W_NUBAN_CHECK_DIGIT', 'E_NUBAN_FORMAT']
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, mod10, number, weighted

__all__ = ["LENGTH", "normalised", "problem"]

LENGTH: Final = 10

_CODES = (None, "W_NUBAN_CHECK_DIGIT")
_INSTITUTION = 6
_TOTAL = _INSTITUTION + LENGTH


def normalised(account: pl.Expr) -> pl.Expr:
    """Without blanks, dots and dashes; null stays null."""
    return text.compact(account)


def problem(account: pl.Expr, bank_code: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised NUBAN, or null; null stays null.

    Weights 3, 7, 3 repeated over the institution and nine digits, the tenth filling the sum to a
    multiple of ten (Central Bank of Nigeria, revised 2020). The institution has six digits: 000
    before a bank's three, 9 before another institution's five. Wallets (OPay, PalmPay) give
    telephone numbers as accounts, which fail, so a failure is a warning; without a bank code of
    3, 5 or 6 digits nothing is said.

    Oracle: the two examples of the CBN and a plain loop (tests/intake/identifiers/test_nuban.py).
    """
    bank = text.compact(bank_code)
    institution = (
        pl.when(bank.str.contains(r"^[0-9]{3}$"))
        .then("000" + bank)
        .when(bank.str.contains(r"^[0-9]{5}$"))
        .then("9" + bank)
        .when(bank.str.contains(r"^[0-9]{6}$"))
        .then(bank)
    )
    return (
        pl.when(~account.str.contains(r"^[0-9]{10}$"))
        .then(pl.lit("E_NUBAN_FORMAT"))
        .otherwise(judged(institution + account, _TOTAL + 1, _judge, _CODES))
    )


def _judge(table: Bytes) -> Index:
    values, _ = number(table, _TOTAL)
    index = np.zeros(len(table), np.uint8)
    index[mod10(weighted(values, (3, 7, 3) * 5)) != values[:, -1]] = 1
    return index
