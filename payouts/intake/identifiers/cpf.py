"""CPF: the 11-digit taxpayer number of a person in Brazil, the last two being check digits.

>>> frame = pl.DataFrame({"document": ["123.456.789-09", "12345678900", "11111111111"]})
>>> frame.select(problem(normalised(pl.col("document")))).to_series().to_list()
[None, 'E_CPF_CHECK_DIGITS', 'E_CPF_REPEATED']
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, number, weighted

__all__ = ["LENGTH", "is_valid", "normalised", "problem"]

LENGTH: Final = 11

_CODES = (None, "E_CPF_CHECK_DIGITS", "E_CPF_REPEATED", "E_CPF_FORMAT")


def normalised(document: pl.Expr) -> pl.Expr:
    """Without blanks, dots and dashes; null stays null."""
    return text.compact(document)


def problem(document: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised CPF, or null; null stays null.

    Two check digits modulo 11 (weights 10…2, then 11…2; a remainder below 2 gives 0), and not one
    digit repeated, which Receita Federal never gives out.

    Oracle: `stdnum.br.cpf`, which accepts repeated digits except zeros
    (tests/intake/identifiers/test_cpf.py).
    """
    return judged(document, LENGTH + 1, _judge, _CODES)


def is_valid(document: pl.Expr) -> pl.Expr:
    """True for a CPF of bare digits, null for null."""
    return pl.when(document.is_not_null()).then(problem(document).is_null())


def _judge(table: Bytes) -> Index:
    values, is_number = number(table, LENGTH)
    first = weighted(values, range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(values, range(11, 1, -1)) * 10 % 11 % 10
    index = np.zeros(len(table), np.uint8)
    index[(first != values[:, 9]) | (second != values[:, 10])] = 1
    index[(values == values[:, :1]).all(axis=1)] = 2
    index[~is_number] = 3
    return index
