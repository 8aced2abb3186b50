"""RUC of Peru: the 11-digit taxpayer number, the last being a check digit.

>>> frame = pl.DataFrame({"document": ["20512333797", "20512333798", "99512333797"]})
>>> frame.select(problem(normalised(pl.col("document")))).to_series().to_list()
[None, 'E_PE_RUC_CHECK_DIGIT', 'E_PE_RUC_FORMAT']
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl  # noqa: TC002  the examples above use it

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, number, weighted

__all__ = ["LENGTH", "normalised", "problem"]

LENGTH: Final = 11

_CODES = (None, "E_PE_RUC_CHECK_DIGIT", "E_PE_RUC_FORMAT")
_TYPES = np.array([10, 15, 16, 17, 20])


def normalised(document: pl.Expr) -> pl.Expr:
    """Without blanks, dots and dashes; null stays null."""
    return text.compact(document)


def problem(document: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised RUC, or null; null stays null.

    Begins with 10, 15, 16, 17 or 20; weights 5, 4, 3, 2, 7, 6, 5, 4, 3, 2 and a check digit
    modulo 11 (SUNAT).

    Oracle: `stdnum.pe.ruc`, which does not know the prefix 16
    (tests/intake/identifiers/test_pe_ruc.py).
    """
    return judged(document, LENGTH + 1, _judge, _CODES)


def _judge(table: Bytes) -> Index:
    values, is_number = number(table, LENGTH)
    check = (11 - weighted(values, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 10
    is_type = np.isin(values[:, 0].astype(np.int64) * 10 + values[:, 1], _TYPES)
    index = np.zeros(len(table), np.uint8)
    index[check != values[:, 10]] = 1
    index[~is_number | ~is_type] = 2
    return index
