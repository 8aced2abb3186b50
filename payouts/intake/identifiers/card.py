"""Card token: what stands for a card, since a card number may never be in a payee file.

>>> accounts = ["tok_1a2b3c4d5e", "tok_1a2b3c4d5e visa 4242", "4111 1111 1111 1111", "visa"]
>>> frame = pl.DataFrame({"account": accounts})
>>> account = normalised(pl.col("account"))
>>> frame.select(account.str.slice(0, 14)).to_series().to_list()
['tok_1a2b3c4d5e', 'tok_1a2b3c4d5e', '41111111111111', 'visa']
>>> frame.select(problem(account)).to_series().to_list()
[None, None, 'E_CARD_NUMBER', 'E_CARD_TOKEN_FORMAT']
>>> frame.select(last4(account, pl.col("account"))).to_series().to_list()
['4d5e', '4242', '1111', 'sa']
"""

from __future__ import annotations

import numpy as np
import polars as pl

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, luhn_sum
from payouts.intake.identifiers.staged import staged

__all__ = ["is_number", "last4", "normalised", "problem"]

_TOKEN = r"^@?[A-Za-z][A-Za-z0-9]{0,15}[_-][A-Za-z0-9_-]{6,128}$"  # noqa: S105  tok_…, card_…, src_…: a shape, no secret
_UUID = r"^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_OPAQUE = r"^@?[0-9A-Za-z]{16,64}$"  # a vault's own, 32 letters and digits
_WITH_LAST4 = r"^(\S+?)[\s:|/*•…]+(?:(?i:visa|mastercard|mc|amex|elo|hipercard|maestro)[\s:|/*•…]+)?[xX*•…]*([0-9]{4})$"
_BEHIND = r"[\s:|/*•…]+(?:[A-Za-z]+[\s:|/*•…]+)?[xX*•…]*[0-9]{4}$"
_NUMBER = r"^[0-9]{12,19}$"
# The first digits of the card schemes (Mastercard 2, Amex, Diners and JCB 3, Visa 4, Mastercard 5,
# UnionPay and Maestro 6), and no other digit in the text: one hexadecimal token in five hundred
# holds a stretch of digits that would pass for a card.
_PAN = r"^[^0-9]*((?:2[2-7]|[3-6][0-9])[0-9]{11,17})[^0-9]*$"
_LONGEST = 19
_CODES = ("no", "yes")


def normalised(account: pl.Expr) -> pl.Expr:
    """The token alone; a number without blanks and dashes, so that it is seen; null stays null."""
    return staged(
        {"account": account},
        {
            "token": _split(pl.col("account")).str.extract(_WITH_LAST4, 1),
            "bare": text.without(pl.col("account"), r"\-"),
        },
        {
            "answer": pl.when(pl.col("bare").str.contains(_NUMBER))
            .then(pl.col("bare"))
            .when(pl.col("token").str.contains(r"[A-Za-z_-]"))
            .then(pl.col("token"))
            .otherwise(text.without(pl.col("account"), ""))
        },
    )


def last4(account: pl.Expr, written: pl.Expr) -> pl.Expr:
    """The card's last four digits where the file has them behind the token, else the token's."""
    return pl.coalesce(_split(written).str.extract(_WITH_LAST4, 2), text.last4(account))


def is_number(account: pl.Expr) -> pl.Expr:
    """True where a text is, or holds, a card number: scheme, length and Luhn digit fit.

    Null stays null. A plain number in another column may satisfy this by accident (one in ten
    does): whether the file is refused is a decision about the column, not about one value.
    """
    candidate = text.without(account, r"_\-").str.extract(_PAN, 1)
    verdict = judged(candidate.str.pad_start(_LONGEST, "0"), _LONGEST, _judge, _CODES)
    return pl.when(account.is_not_null()).then((verdict == "yes").fill_null(value=False))


def problem(account: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised token, or null; null stays null.

    A token is letters, a dash or underscore and at least six more (`tok_…`), a UUID, or a vault's
    16 to 64 letters and digits, not digits only. Twelve to nineteen digits are a card number
    whatever their Luhn digit (some UnionPay cards have none), and so is a token that holds one
    (PCI DSS 3.4).

    Oracle: `stdnum.luhn` and the schemes' test numbers (tests/intake/identifiers/test_card.py).
    """
    is_token = (
        account.str.contains(_TOKEN)
        | account.str.contains(_UUID)
        | (account.str.contains(_OPAQUE) & account.str.contains(r"[A-Za-z]"))
    )
    return (
        pl.when(account.str.contains(_NUMBER) | is_number(account))
        .then(pl.lit("E_CARD_NUMBER"))
        .when(~is_token)
        .then(pl.lit("E_CARD_TOKEN_FORMAT"))
    )


def _split(written: pl.Expr) -> pl.Expr:
    """The texts that have something behind the token, null for the others."""
    return pl.when(written.str.contains(_BEHIND)).then(written)


def _judge(table: Bytes) -> Index:
    values = np.minimum(table - np.uint8(48), 9)
    index: Index = (luhn_sum(values, 1) % 10 == 0).astype(np.uint8)
    return index
