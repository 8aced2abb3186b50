"""South African identity number: birth date, sequence, citizenship and a Luhn digit.

>>> frame = pl.DataFrame({"document": ["7503305044089", "7503305044088", "7513305044089"]})
>>> frame.select(problem(normalised(pl.col("document")))).to_series().to_list()
[None, 'E_ZA_ID_CHECK_DIGIT', 'E_ZA_ID_FORMAT']
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl  # noqa: TC002  the examples above use it

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, luhn_sum, number

__all__ = ["LENGTH", "normalised", "problem"]

LENGTH: Final = 13

_CODES = (None, "E_ZA_ID_CHECK_DIGIT", "E_ZA_ID_FORMAT")
# February has 29 days: 00 may be 1900, which had 28, or 2000.
_DAYS = np.zeros(256, np.int64)
_DAYS[1:13] = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY, _CITIZENSHIP = 2, 10


def normalised(document: pl.Expr) -> pl.Expr:
    """Without blanks, dots and dashes; null stays null."""
    return text.compact(document)


def problem(document: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised identity number, or null; null stays null.

    Thirteen digits that begin with a date (YYMMDD), an eleventh of 0 (citizen), 1 (resident) or 2
    (refugee), and a Luhn digit (Department of Home Affairs).

    Oracle: `stdnum.za.idnr`, which refuses refugees (tests/intake/identifiers/test_za_id.py).
    """
    return judged(document, LENGTH + 1, _judge, _CODES)


def _judge(table: Bytes) -> Index:
    values, is_number = number(table, LENGTH)
    pairs = values[:, 0:6:2].astype(np.int64) * 10 + values[:, 1:6:2]
    year, month, day = pairs[:, 0], np.minimum(pairs[:, 1], 255), pairs[:, 2]
    is_leap_day = (month == _FEBRUARY) & (day == _DAYS[_FEBRUARY])
    is_date = (day >= 1) & (day <= _DAYS[month]) & ~(is_leap_day & (year % 4 != 0))
    shaped = is_number & is_date & (values[:, _CITIZENSHIP] <= 2)  # noqa: PLR2004  refugees
    index = np.zeros(len(table), np.uint8)
    index[luhn_sum(np.minimum(values, 9), 1) % 10 != 0] = 1
    index[~shaped] = 2
    return index
