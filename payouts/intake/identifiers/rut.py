"""RUT: the number of a person or company in Chile, seven or eight digits and a check character.

>>> frame = pl.DataFrame({"document": ["12.531.909-2", "12531909-3", "CL 7654321-6", "12"]})
>>> frame.select(problem(normalised(pl.col("document")))).to_series().to_list()
[None, 'E_RUT_CHECK_DIGIT', None, 'E_RUT_FORMAT']
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, number, weighted

__all__ = ["LENGTH", "account_kind", "account_problem", "normalised", "problem"]

LENGTH: Final = 9

_CODES = (None, "E_RUT_CHECK_DIGIT", "E_RUT_FORMAT")
_CHECK = np.frombuffer(b"0123456789K", np.uint8)
_BODY_MIN = 1_000_000


def normalised(document: pl.Expr) -> pl.Expr:
    """Upper case, without blanks, dots, dashes and a leading `CL`; null stays null."""
    return text.upper(text.compact(document)).str.strip_prefix("CL")


def problem(document: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised RUT, or null; null stays null.

    Seven or eight digits, weights 2 to 7 repeated from the right, modulo 11; 11 gives 0 and 10
    gives K (Registro Civil).

    Oracle: `stdnum.cl.rut`, which also takes a body padded with zeros
    (tests/intake/identifiers/test_rut.py).
    """
    return judged(document.str.pad_start(LENGTH, "0"), LENGTH + 1, _judge, _CODES)


def account_problem(account: pl.Expr, account_type: pl.Expr, document: pl.Expr) -> pl.Expr:
    """`W_CL_RUT_ACCOUNT` where a "Cuenta RUT" is not the holder's RUT without its check digit."""
    is_rut_account = _is_rut_account(account_type)
    body = normalised(document).str.slice(0, normalised(document).str.len_bytes() - 1)
    differs = account.str.strip_chars_start("0") != body.str.strip_chars_start("0")
    return pl.when(is_rut_account & differs).then(pl.lit("W_CL_RUT_ACCOUNT"))


def account_kind(account: pl.Expr, account_type: pl.Expr) -> pl.Expr:
    """`rut_account` where the type says Cuenta RUT, else `bank_account`; null for null."""
    return (
        pl.when(account.is_null())
        .then(None)
        .when(_is_rut_account(account_type))
        .then(pl.lit("rut_account"))
        .otherwise(pl.lit("bank_account"))
    )


def _is_rut_account(account_type: pl.Expr) -> pl.Expr:
    """True where the account type names BancoEstado's "Cuenta RUT" (not "vista/rut")."""
    words = account_type.str.to_lowercase().str.replace_all("[_ -]", "")
    return words.is_in(["cuentarut", "rut", "rutaccount"])


def _judge(table: Bytes) -> Index:
    values, is_number = number(table[:, : LENGTH - 1], LENGTH - 1)
    total = weighted(values, (3, 2, 7, 6, 5, 4, 3, 2))
    body = values.astype(np.int64) @ 10 ** np.arange(7, -1, -1)
    check = _CHECK[-total % 11]
    known = np.isin(table[:, LENGTH - 1], _CHECK) & (table[:, LENGTH] == 0)
    index = np.zeros(len(table), np.uint8)
    index[check != table[:, LENGTH - 1]] = 1
    index[~is_number | ~known | (body < _BODY_MIN)] = 2
    return index
