"""CNPJ: the 14-character number of a company in Brazil, the last two being check digits.

Since July 2026 the first twelve characters may be letters; old numbers stay as they are.

>>> frame = pl.DataFrame({"document": ["12.ABC.345/01DE-35", "11222333000181", "11222333000180"]})
>>> frame.select(problem(normalised(pl.col("document")))).to_series().to_list()
[None, None, 'E_CNPJ_CHECK_DIGITS']
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl  # noqa: TC002  the examples above use it

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, weighted

__all__ = ["LENGTH", "normalised", "problem"]

LENGTH: Final = 14

_CODES = (None, "E_CNPJ_CHECK_DIGITS", "E_CNPJ_REPEATED", "E_CNPJ_FORMAT")
_IS_BODY = np.zeros(256, np.bool_)
_IS_BODY[48:58] = True
_IS_BODY[65:91] = True


def normalised(document: pl.Expr) -> pl.Expr:
    """Upper case, without blanks, dots, dashes and slashes; null stays null."""
    return text.upper(text.compact(document).str.replace_all("/", "", literal=True))


def problem(document: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised CNPJ, or null; null stays null.

    Two check digits modulo 11 with weights 2…9 from the right; a character counts as its ASCII
    code minus 48, so that digits count as themselves and A as 17 (IN RFB 2.229 of 15 Oct 2024). A
    number of one repeated digit is never given out.

    Oracle: `stdnum.br.cnpj` (tests/intake/identifiers/test_cnpj.py).
    """
    return judged(document, LENGTH + 1, _judge, _CODES)


def _judge(table: Bytes) -> Index:
    values = table[:, :LENGTH] - np.uint8(48)
    first = -weighted(values, (5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) % 11 % 10
    second = -weighted(values, (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) % 11 % 10
    shaped = _IS_BODY[table[:, :12]].all(axis=1) & (values[:, 12:] <= 9).all(axis=1)  # noqa: PLR2004  digits
    index = np.zeros(len(table), np.uint8)
    index[(first != values[:, 12]) | (second != values[:, 13])] = 1
    index[(values == values[:, :1]).all(axis=1)] = 2
    index[~shaped | (table[:, LENGTH] != 0)] = 3
    return index
