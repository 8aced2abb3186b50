"""CUIT, CUIL: the 11-digit tax or labour number of a person or company in Argentina.

>>> frame = pl.DataFrame({"document": ["20-05536168-2", "20055361683", "123"]})
>>> frame.select(problem(normalised(pl.col("document")))).to_series().to_list()
[None, 'E_CUIT_CHECK_DIGIT', 'E_CUIT_FORMAT']
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl  # noqa: TC002  the examples above use it

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, number, weighted

__all__ = ["LENGTH", "normalised", "problem"]

LENGTH: Final = 11

_CODES = (None, "W_CUIT_TYPE", "E_CUIT_CHECK_DIGIT", "E_CUIT_FORMAT")
_TYPES = np.array([20, 23, 24, 25, 26, 27, 30, 33, 34, 50, 51, 55])
# What the remainder of the weighted sum asks for; 10 has no digit of its own and gets 9.
_CHECK = np.array([0, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1])


def normalised(document: pl.Expr) -> pl.Expr:
    """Without blanks, dots and dashes; null stays null."""
    return text.compact(document)


def problem(document: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised CUIT or CUIL, or null; null stays null.

    Weights 5, 4, 3, 2, 7, 6, 5, 4, 3, 2 and a check digit modulo 11 (AFIP). A first pair that no
    kind of taxpayer is known to have is a warning.

    Oracle: `stdnum.ar.cuit`, which does not know the pairs 25 and 26
    (tests/intake/identifiers/test_cuit.py).
    """
    return judged(document, LENGTH + 1, _judge, _CODES)


def _judge(table: Bytes) -> Index:
    values, is_number = number(table, LENGTH)
    check = _CHECK[weighted(values, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11]
    index = np.zeros(len(table), np.uint8)
    index[~np.isin(values[:, 0].astype(np.int64) * 10 + values[:, 1], _TYPES)] = 1
    index[check != values[:, 10]] = 2
    index[~is_number] = 3
    return index
