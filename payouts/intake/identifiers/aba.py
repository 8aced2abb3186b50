"""ABA routing number: the nine digits of a bank in the United States, the last a check digit.

>>> frame = pl.DataFrame({"bank_code": ["111000025", "111000026", "11100002", "991000025"]})
>>> frame.select(problem(normalised(pl.col("bank_code")))).to_series().to_list()
[None, 'E_ABA_CHECK_DIGIT', 'E_ABA_FORMAT', 'W_ABA_DISTRICT']
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl  # noqa: TC002  the examples above use it

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, number, weighted

__all__ = ["LENGTH", "normalised", "problem"]

LENGTH: Final = 9

_CODES = (None, "W_ABA_DISTRICT", "E_ABA_CHECK_DIGIT", "E_ABA_FORMAT")
_DISTRICTS = np.array([*range(1, 13), *range(21, 33), *range(61, 73), 80])


def normalised(bank_code: pl.Expr) -> pl.Expr:
    """Without blanks, dots and dashes; null stays null."""
    return text.compact(bank_code)


def problem(bank_code: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised routing number, or null; null stays null.

    Weights 3, 7, 1 repeated, the sum a multiple of ten (American Bankers Association). A first
    pair that no Federal Reserve district has (01 to 12, 21 to 32, 61 to 72, 80) is a warning.

    Oracle: `stdnum.us.rtn`, which looks at no district (tests/intake/identifiers/test_aba.py).
    """
    return judged(bank_code, LENGTH + 1, _judge, _CODES)


def _judge(table: Bytes) -> Index:
    values, is_number = number(table, LENGTH)
    total = weighted(values, (3, 7, 1) * 3)
    district = values[:, 0].astype(np.int64) * 10 + values[:, 1]
    index = np.zeros(len(table), np.uint8)
    index[~np.isin(district, _DISTRICTS)] = 1
    index[total % 10 != 0] = 2
    index[~is_number] = 3
    return index
