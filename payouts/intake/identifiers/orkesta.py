"""Orkesta account: the platform's own account id, or a Turkish IBAN.

>>> accounts = ["acc_01hx3k9qze4p7vb2ntcm6d8faj", "acc_01HXYZ", "acc_", "TR330006100519786457841326"]
>>> frame = pl.DataFrame({"account": accounts})
>>> account = normalised(pl.col("account"))
>>> frame.select(kind(account)).to_series().to_list()
['orkesta_account', 'orkesta_account', 'orkesta_account', 'iban']
>>> frame.select(problem(account)).to_series().to_list()
[None, 'W_ORKESTA_ACCOUNT_LENGTH', 'E_ORKESTA_ACCOUNT_FORMAT', None]
"""

from __future__ import annotations

import polars as pl

from payouts.intake.identifiers import iban, text, tr
from payouts.intake.identifiers.staged import by_value

__all__ = ["kind", "normalised", "problem"]

_ID = r"^acc_[0-9A-Za-z]{4,64}$"
_USUAL = r"^acc_[0-9a-z]{26}$"


def normalised(account: pl.Expr) -> pl.Expr:
    """An id without blanks, its case kept since ids are opaque; an IBAN as an IBAN."""
    is_id = account.str.contains(r"^\s*acc")
    written = pl.col("account")
    return by_value(
        {"account": account, "shape": pl.when(is_id).then(pl.lit("id"))},
        "shape",
        lambda shape: text.without(written, "") if shape else iban.normalised(written),
    )


def kind(account: pl.Expr) -> pl.Expr:
    """`orkesta_account` or `iban`; null for null."""
    is_id = account.str.starts_with("acc")
    return (
        pl.when(is_id)
        .then(pl.lit("orkesta_account"))
        .when(account.is_not_null())
        .then(pl.lit("iban"))
    )


def problem(account: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised account, or null; null stays null.

    An id is `acc_` and letters or digits (Orkesta, quick start and create page); the quick start's
    have 26, in lower case, so other lengths are a warning. Anything else is judged as a Turkish
    IBAN.

    Oracle: the ids of Orkesta's pages and `re` (tests/intake/identifiers/test_orkesta.py).
    """
    is_id = account.str.starts_with("acc")
    given = pl.col("account")
    return by_value(
        {"account": account, "shape": pl.when(is_id).then(pl.lit("id"))},
        "shape",
        lambda shape: _id_problem(given) if shape else tr.problem(given),
    )


def _id_problem(account: pl.Expr) -> pl.Expr:
    return (
        pl.when(~account.str.contains(_ID))
        .then(pl.lit("E_ORKESTA_ACCOUNT_FORMAT"))
        .when(~account.str.contains(_USUAL))
        .then(pl.lit("W_ORKESTA_ACCOUNT_LENGTH"))
    )
