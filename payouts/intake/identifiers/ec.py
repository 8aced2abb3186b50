"""Cédula and RUC: the numbers of persons and of taxpayers in Ecuador.

>>> frame = pl.DataFrame({"document": ["171430710-3", "1714307104", "1792060346001", "17"]})
>>> number = normalised(pl.col("document"))
>>> frame.select(cedula_problem(number)).to_series().to_list()
[None, 'E_CEDULA_CHECK_DIGIT', 'E_CEDULA_FORMAT', 'E_CEDULA_FORMAT']
>>> frame.select(ruc_problem(number)).to_series().to_list()
['E_EC_RUC_FORMAT', 'E_EC_RUC_FORMAT', None, 'E_EC_RUC_FORMAT']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl  # noqa: TC002  the examples above use it

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, luhn_sum, number, weighted

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CEDULA_LENGTH", "RUC_LENGTH", "cedula_problem", "normalised", "ruc_problem"]

CEDULA_LENGTH: Final = 10
RUC_LENGTH: Final = 13

_CEDULA_CODES = (None, "E_CEDULA_CHECK_DIGIT", "E_CEDULA_FORMAT")
_RUC_CODES = (None, "W_EC_RUC_CHECK_DIGIT", "E_EC_RUC_CHECK_DIGIT", "E_EC_RUC_FORMAT")
_PROVINCES = np.array([*range(1, 25), 30, 50])  # 30 and 50: given out abroad
_PERSON_MAX, _PUBLIC, _COMPANY = 6, 6, 9


def normalised(document: pl.Expr) -> pl.Expr:
    """Without blanks, dots and dashes; null stays null."""
    return text.compact(document)


def cedula_problem(document: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised cédula, or null; null stays null.

    Ten digits: province 01 to 24, 30 or 50, a third digit of at most 6, and a last digit that
    makes the sum with weights 2, 1, 2, … (digits of products added) a multiple of ten (Registro
    Civil).

    Oracle: `stdnum.ec.ci` (tests/intake/identifiers/test_ec.py).
    """
    return judged(document, CEDULA_LENGTH + 1, _judge_cedula, _CEDULA_CODES)


def ruc_problem(document: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised RUC, or null; null stays null.

    Thirteen digits. A person's is the cédula and an establishment number; a public body's has a 6
    and a company's a 9 in third place and a check digit modulo 11. The tax office no longer
    promises that digit for new companies, so its failure is a warning there.

    Oracle: `stdnum.ec.ruc` (tests/intake/identifiers/test_ec.py).
    """
    return judged(document, RUC_LENGTH + 1, _judge_ruc, _RUC_CODES)


def _has_province(values: Bytes) -> NDArray[np.bool_]:
    return np.isin(values[:, 0].astype(np.int64) * 10 + values[:, 1], _PROVINCES)


def _is_cedula(values: Bytes) -> NDArray[np.bool_]:
    """True where the first ten digits have the cédula's check digit and third digit."""
    sums = luhn_sum(np.minimum(values[:, :CEDULA_LENGTH], 9), 2) % 10 == 0
    is_cedula: NDArray[np.bool_] = sums & (values[:, 2] <= _PERSON_MAX)
    return is_cedula


def _judge_cedula(table: Bytes) -> Index:
    values, is_number = number(table, CEDULA_LENGTH)
    shaped = is_number & _has_province(values) & (values[:, 2] <= _PERSON_MAX)
    index = np.zeros(len(table), np.uint8)
    index[~_is_cedula(values)] = 1
    index[~shaped] = 2
    return index


def _judge_ruc(table: Bytes) -> Index:
    values, is_number = number(table, RUC_LENGTH)
    third = values[:, 2]
    person = _is_cedula(values) & values[:, 10:].any(axis=1)
    public = (weighted(values, (3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0) & values[:, 9:].any(axis=1)
    company = weighted(values, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    is_body = (third == _PUBLIC) | (third == _COMPANY)
    fits = np.where(
        third == _COMPANY,
        public | company,
        np.where(third == _PUBLIC, public | person, person),
    )
    shaped = is_number & _has_province(values) & ((third <= _PERSON_MAX) | (third == _COMPANY))
    index = np.zeros(len(table), np.uint8)
    index[~fits] = np.where(is_body[~fits], 1, 2)
    index[~shaped | ~(values[:, 10:].any(axis=1) | (public & is_body))] = 3
    return index
