"""TCKN and VKN: the numbers of a person (11 digits) and of a taxpayer (10) in Turkey.

>>> frame = pl.DataFrame({"document": ["17291716060", "17291716061", "4540536920", "4540536921"]})
>>> document = normalised(pl.col("document"))
>>> frame.select(person_problem(document)).to_series().to_list()
[None, 'E_TCKN_CHECK_DIGITS', 'E_TCKN_FORMAT', 'E_TCKN_FORMAT']
>>> frame.select(tax_problem(document)).to_series().to_list()
['E_VKN_FORMAT', 'E_VKN_FORMAT', None, 'E_VKN_CHECK_DIGIT']
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl  # noqa: TC002  the examples above use it

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, mod10, number, weighted

__all__ = ["PERSON_LENGTH", "TAX_LENGTH", "normalised", "person_problem", "tax_problem"]

PERSON_LENGTH: Final = 11
TAX_LENGTH: Final = 10

_PERSON_CODES = (None, "E_TCKN_CHECK_DIGITS", "E_TCKN_FORMAT")
_TAX_CODES = (None, "E_VKN_CHECK_DIGIT", "E_VKN_FORMAT")


def normalised(document: pl.Expr) -> pl.Expr:
    """Without blanks, dots and dashes; null stays null."""
    return text.compact(document)


def person_problem(document: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised TCKN, or null; null stays null.

    Eleven digits, the first no zero; the tenth fills the sum with weights 3, 1, 3, … to a multiple
    of ten, the eleventh is the sum of the ten before it modulo 10 (Nüfus İdaresi).

    Oracle: `stdnum.tr.tckimlik` (tests/intake/identifiers/test_tckn.py).
    """
    return judged(document, PERSON_LENGTH + 1, _judge_person, _PERSON_CODES)


def tax_problem(document: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised VKN, or null; null stays null.

    Ten digits: each of the first nine plus its place from the right (9 … 1), modulo 10, times 2 to
    that place, modulo 9 with 0 read as 9 unless the digit was 0; the last digit fills the sum to a
    multiple of ten (Gelir İdaresi).

    Oracle: `stdnum.tr.vkn` (tests/intake/identifiers/test_tckn.py).
    """
    return judged(document, TAX_LENGTH + 1, _judge_tax, _TAX_CODES)


def _judge_person(table: Bytes) -> Index:
    values, is_number = number(table, PERSON_LENGTH)
    tenth = mod10(weighted(values, (3, 1, 3, 1, 3, 1, 3, 1, 3)))
    eleventh = (tenth + weighted(values, (1,) * 9)) % 10
    index = np.zeros(len(table), np.uint8)
    index[(tenth != values[:, 9]) | (eleventh != values[:, 10])] = 1
    index[~is_number | (values[:, 0] == 0)] = 2
    return index


def _judge_tax(table: Bytes) -> Index:
    values, is_number = number(table, TAX_LENGTH)
    places = np.arange(9, 0, -1)
    shifted = (values[:, :9].astype(np.int64) + places) % 10
    folded = shifted * 2**places % 9
    parts = np.where((folded == 0) & (shifted != 0), 9, folded)
    index = np.zeros(len(table), np.uint8)
    index[mod10(parts.sum(axis=1)) != values[:, 9]] = 1
    index[~is_number] = 2
    return index
