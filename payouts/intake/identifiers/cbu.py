"""CBU, CVU and alias: where a bank account or a wallet of Argentina is paid.

>>> accounts = ["28505909 40090418135201", "2850590940090418135200", "Mi.Alias-01", "mi casa"]
>>> frame = pl.DataFrame({"account": accounts})
>>> account = normalised(pl.col("account"))
>>> frame.select(kind(account)).to_series().to_list()
['cbu', 'cbu', 'alias', 'alias']
>>> frame.select(problem(account)).to_series().to_list()
[None, 'E_CBU_CHECK_DIGITS', None, 'E_CBU_ALIAS']
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, mod10, number, weighted

__all__ = ["LENGTH", "kind", "normalised", "problem"]

LENGTH: Final = 22

_CODES = (None, "E_CBU_CHECK_DIGITS", "E_CBU_FORMAT")
_ALIAS = r"^[a-z0-9.-]{6,20}$"
# An alias is 20 characters at most, so a longer number, or one near the length, is a damaged CBU.
_ALIAS_DIGITS_MAX = 16


def normalised(account: pl.Expr) -> pl.Expr:
    """A number without blanks, dots and dashes; an alias in lower case; null stays null."""
    bare = text.compact(account)
    is_number = bare.str.contains(r"^[0-9]{17,}$")
    return pl.when(is_number).then(bare).otherwise(text.lower(account))


def kind(account: pl.Expr) -> pl.Expr:
    """`cvu` for a number from 000 on (a wallet), `cbu` for any other number, else `alias`."""
    return (
        pl.when(account.str.contains(r"^000[0-9]{14,}$"))
        .then(pl.lit("cvu"))
        .when(account.str.contains(r"^[0-9]{17,}$"))
        .then(pl.lit("cbu"))
        .when(account.is_not_null())
        .then(pl.lit("alias"))
    )


def problem(account: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised CBU, CVU or alias, or null; null stays null.

    Two blocks, 7 + 1 and 13 + 1 digits, each with weights 3, 1, 7, 9 from its right and the digit
    that fills the sum to a multiple of ten (BCRA). An alias has 6 to 20 letters without accents,
    digits, dots or dashes; only a look-up can tell whose it is. An alias of digits only is a
    warning, since it looks like an account number with digits lost.

    Oracle: `stdnum.ar.cbu`, also right for a CVU (tests/intake/identifiers/test_cbu.py).
    """
    is_digits = account.str.contains(r"^[0-9]+$")
    return (
        pl.when(is_digits & (account.str.len_bytes() > _ALIAS_DIGITS_MAX))
        .then(judged(account, LENGTH + 1, _judge, _CODES))
        .when(~account.str.contains(_ALIAS))
        .then(pl.lit("E_CBU_ALIAS"))
        .when(is_digits)
        .then(pl.lit("W_CBU_ALIAS_DIGITS"))
    )


def _judge(table: Bytes) -> Index:
    values, is_number = number(table, LENGTH)
    branch = mod10(weighted(values, (7, 1, 3, 9, 7, 1, 3)))
    account = mod10(weighted(values[:, 8:], (3, 9, 7, 1, 3, 9, 7, 1, 3, 9, 7, 1, 3)))
    index = np.zeros(len(table), np.uint8)
    index[(branch != values[:, 7]) | (account != values[:, 21])] = 1
    index[~is_number] = 2
    return index
