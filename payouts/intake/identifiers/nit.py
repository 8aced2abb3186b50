"""NIT: the tax number of Colombia, nine digits and a check digit.

>>> frame = pl.DataFrame({"document": ["213.123.432-1", "2131234325", "213123432", "x"]})
>>> frame.select(problem(normalised(pl.col("document")))).to_series().to_list()
[None, 'E_NIT_CHECK_DIGIT', 'W_NIT_WITHOUT_CHECK_DIGIT', 'E_NIT_FORMAT']
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl  # noqa: TC002  the examples above use it

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, number, weighted

__all__ = ["LENGTH", "normalised", "problem"]

LENGTH: Final = 10

_CODES = (None, "W_NIT_WITHOUT_CHECK_DIGIT", "E_NIT_CHECK_DIGIT", "E_NIT_FORMAT")
_CHECK = np.array([0, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1])


def normalised(document: pl.Expr) -> pl.Expr:
    """Without blanks, dots and dashes; null stays null."""
    return text.compact(document)


def problem(document: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised NIT, or null; null stays null.

    Weights 3, 7, 13, 17, 19, 23, 29, 37, 41 from the right of the nine digits, modulo 11; a
    remainder above 1 is taken from 11 (DIAN). Nine digits alone are a warning: many forms leave
    the check digit out.

    Oracle: `stdnum.co.nit`, which takes 8 to 16 digits and strips a trailing dash
    (tests/intake/identifiers/test_nit.py).
    """
    return judged(document, LENGTH + 1, _judge, _CODES)


def _judge(table: Bytes) -> Index:
    values, is_number = number(table, LENGTH)
    _, is_short = number(table, LENGTH - 1)
    check = _CHECK[weighted(values, (41, 37, 29, 23, 19, 17, 13, 7, 3)) % 11]
    index = np.zeros(len(table), np.uint8)
    index[check != values[:, 9]] = 2
    index[~is_number] = 3
    index[is_short] = 1
    return index
