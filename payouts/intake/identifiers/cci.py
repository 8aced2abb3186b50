"""CCI: the 20-digit interbank account number of Peru.

>>> frame = pl.DataFrame({"account": ["011-366-000100032542-21", "01136600010003254222", "0113"]})
>>> frame.select(problem(normalised(pl.col("account")))).to_series().to_list()
[None, 'W_CCI_CHECK_DIGITS', 'E_CCI_FORMAT']
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl  # noqa: TC002  the examples above use it

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, luhn_sum, mod10, number

__all__ = ["LENGTH", "normalised", "problem"]

LENGTH: Final = 20

_CODES = (None, "W_CCI_CHECK_DIGITS", "E_CCI_FORMAT")


def normalised(account: pl.Expr) -> pl.Expr:
    """Without blanks, dots and dashes; null stays null."""
    return text.compact(account)


def problem(account: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised CCI, or null; null stays null.

    Bank 3, office 3, account 12, two check digits: weights 1, 2, 1, 2, … from the left, digits of
    products added, what the sum lacks to a multiple of ten; the first over bank and office, the
    second over the account. Confirmed by one real number only, and a published example fails it,
    so a failure is a warning.

    Oracle: none in any library; the published number and every damaged digit of it
    (tests/intake/identifiers/test_cci.py).
    """
    return judged(account, LENGTH + 1, _judge, _CODES)


def _judge(table: Bytes) -> Index:
    values, is_number = number(table, LENGTH)
    capped = np.minimum(values, 9)
    office = mod10(luhn_sum(capped[:, :6], 1))
    account = mod10(luhn_sum(capped[:, 6:18], 1))
    index = np.zeros(len(table), np.uint8)
    index[(office != values[:, 18]) | (account != values[:, 19])] = 1
    index[~is_number] = 2
    return index
