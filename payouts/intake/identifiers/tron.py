"""TRON address: base58check of 21 bytes that begin with 0x41, written with a `T` in front.

>>> accounts = ["TEkxiTehnzSmSe2XqrBj4w32RUN966rdz8", "TEkxiTehnzSmSe2XqrBj4w32RUN966rdz9", "T12"]
>>> frame = pl.DataFrame({"account": accounts})
>>> frame.select(problem(normalised(pl.col("account")))).to_series().to_list()
['E_CRYPTO_CONTRACT', 'E_TRON_CHECKSUM', 'E_TRON_FORMAT']
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LENGTH", "TOKEN_CONTRACTS", "is_shaped", "normalised", "problem"]

LENGTH: Final = 34

TOKEN_CONTRACTS: Final = (
    "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",  # USDT
    "TEkxiTehnzSmSe2XqrBj4w32RUN966rdz8",  # USDC, ended in February 2025
)
"""The tokens' own contracts: money sent to one of them is lost."""

_BURNER = "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb"  # twenty zero bytes
_SHAPE = r"^T[1-9A-HJ-NP-Za-km-z]{33}$"
_ALPHABET = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_CODES = (None, "E_TRON_CHECKSUM")
_PREFIX = 0x41
_PAYLOAD, _SUM = 21, 4

_VALUE = np.zeros(256, np.uint64)
_VALUE[np.frombuffer(_ALPHABET, np.uint8)] = np.arange(58)


def normalised(account: pl.Expr) -> pl.Expr:
    """Without blanks; the case stays, null stays null."""
    return text.without(account, "")


def is_shaped(account: pl.Expr) -> pl.Expr:
    """True for a `T` and 33 more characters of base58; null stays null."""
    return account.str.contains(_SHAPE)


def problem(account: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised address, or null; null stays null.

    Base58 gives 25 bytes: 0x41, twenty of the account, and the first four of the double SHA-256 of
    those before (TRON protocol). The zero account and the tokens' own contracts are refused.

    Oracle: `base58.b58decode_check` (tests/intake/identifiers/test_tron.py).
    """
    shaped = is_shaped(account)
    return (
        pl.when(~shaped)
        .then(pl.lit("E_TRON_FORMAT"))
        .when(account == _BURNER)
        .then(pl.lit("E_CRYPTO_BURN"))
        .when(account.is_in(TOKEN_CONTRACTS))
        .then(pl.lit("E_CRYPTO_CONTRACT"))
        .otherwise(judged(pl.when(shaped).then(account), LENGTH, _judge, _CODES))
    )


def _judge(table: Bytes) -> Index:
    raw = _decoded(table)
    stride = raw.shape[1]
    memory = raw.tobytes()
    index = np.zeros(len(table), np.uint8)
    for row in np.flatnonzero(table[:, 0]).tolist():
        start = row * stride + stride - _PAYLOAD - _SUM
        payload = memory[start : start + _PAYLOAD]
        proof = memory[start + _PAYLOAD : start + _PAYLOAD + _SUM]
        if payload[0] != _PREFIX or sha256(sha256(payload).digest()).digest()[:_SUM] != proof:
            index[row] = 1
    return index


def _decoded(table: Bytes) -> NDArray[np.uint8]:
    """The number that each row is in base 58, as 28 bytes, the most significant first.

    Five characters at a time are below 2 to the 30th, so that a limb of 32 bits times 58 to the
    fifth, plus the carry, stays within 64.
    """
    values = _VALUE[table]
    limbs = np.zeros((7, len(table)), np.uint64)
    for start in range(0, LENGTH, 5):
        group = values[:, start : start + 5]
        carry = group[:, 0].copy()
        for column in range(1, group.shape[1]):
            carry = carry * np.uint64(58) + group[:, column]
        factor = np.uint64(58 ** group.shape[1])
        for place in range(len(limbs) - 1, -1, -1):
            total = limbs[place] * factor + carry
            carry = total >> np.uint64(32)
            limbs[place] = total & np.uint64(0xFFFFFFFF)
    return np.ascontiguousarray(limbs.T.astype(">u4")).view(np.uint8)
