"""EVM address: `0x` and forty hexadecimal digits, whose upper and lower case is a checksum.

>>> accounts = [
...     "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
...     "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
...     "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
... ]
>>> frame = pl.DataFrame({"account": accounts})
>>> frame.select(problem(normalised(pl.col("account")))).to_series().to_list()
[None, 'E_EVM_CHECKSUM', 'W_EVM_WITHOUT_CHECKSUM']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from payouts.intake.identifiers import text
from payouts.intake.identifiers.keccak import keccak256
from payouts.intake.identifiers.matrix import Bytes, Index, judged

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TOKEN_CONTRACTS", "checksummed", "is_shaped", "normalised", "problem"]

TOKEN_CONTRACTS: Final = (
    "0xdac17f958d2ee523a2206206994597c13d831ec7",  # USDT, Ethereum
    "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",  # USDC, Ethereum
    "0xc2132d05d31c914a87c6611c10748aeb04b58e8f",  # USDT, Polygon
    "0x3c499c542cef5e3811e1192ce70d8cc03d5c3359",  # USDC, Polygon
    "0x2791bca1f2de4661ed88a30c99a7a9449aa84174",  # USDC.e, Polygon
    "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",  # USDC, Base
    "0xaf88d065e77c8cc2239327c5edb3a432268e5831",  # USDC, Arbitrum
    "0xfd086bc7cd5c481dcc9c85ebe478a1c0b69fcbb9",  # USDT, Arbitrum
    "0x0b2c639c533813f4aa9d7837caf62653d097ff85",  # USDC, Optimism
    "0x94b008aa00579c1307b0ef2c499ad98a8ce58e58",  # USDT, Optimism
    "0xb97ef9ef8734c71904d8002f8b6bc66dd9c48a6e",  # USDC, Avalanche
    "0x9702230a8ea53601f5cd2dc00fdbc13d4df4a8c7",  # USDT, Avalanche
    "0x55d398326f99059ff775485246999027b3197955",  # USDT, BNB Chain
    "0x8ac76a51cc950d9822d68b83fe1ad97b32cd580d",  # USDC, BNB Chain
)
"""The tokens' own contracts, November 2026: money sent to one of them is lost."""

_BURNERS = (f"0x{0:040x}", f"0x{0xDEAD:040x}")
_SHAPE = r"^0x[0-9a-fA-F]{40}$"
_DIGITS = 40
_CODES = (None, "W_EVM_WITHOUT_CHECKSUM", "E_EVM_CHECKSUM")
_CASE_OFF = np.uint8(0xDF)


def normalised(account: pl.Expr) -> pl.Expr:
    """Without blanks, `0X` written `0x`; the case of the digits stays, null stays null."""
    return text.without(account, "").str.replace("^0X", "0x")


def is_shaped(account: pl.Expr) -> pl.Expr:
    """True for `0x` and forty hexadecimal digits; null stays null."""
    return account.str.contains(_SHAPE)


def problem(account: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised address, or null; null stays null.

    A letter of the address is upper case where the hexadecimal digit in the same place of the
    keccak-256 of the lower-case address is 8 or more (EIP-55). An address in one case that does
    not fit was written without a checksum, which is a warning. The zero address and the tokens'
    own contracts are refused.

    Oracle: `eth_utils.is_checksum_address`; its `is_address` looks at the shape only
    (tests/intake/identifiers/test_evm.py).
    """
    lower = account.str.to_lowercase()
    return (
        pl.when(~is_shaped(account))
        .then(pl.lit("E_EVM_FORMAT"))
        .when(lower.is_in(_BURNERS))
        .then(pl.lit("E_CRYPTO_BURN"))
        .when(lower.is_in(TOKEN_CONTRACTS))
        .then(pl.lit("E_CRYPTO_CONTRACT"))
        .otherwise(judged(account, 2 + _DIGITS, _judge, _CODES))
    )


def checksummed(address: str) -> str:
    """The address in the case that EIP-55 gives it.

    >>> checksummed("0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359")
    '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359'
    """
    digits = np.frombuffer(address[2:].lower().encode(), np.uint8).reshape(1, _DIGITS)
    return "0x" + np.where(_is_upper(digits), digits & _CASE_OFF, digits).tobytes().decode()


def _is_upper(lower: Bytes) -> NDArray[np.bool_]:
    """Which of forty lower-case hexadecimal digits EIP-55 writes as capitals."""
    digest = keccak256(lower)[:, : _DIGITS // 2]
    marks = np.stack([digest >> 4, digest & 0x0F], axis=2).reshape(-1, _DIGITS)
    is_letter = lower >= ord("a")
    return np.asarray(is_letter & (marks >= 8))  # noqa: PLR2004  the upper half of a digit


def _judge(table: Bytes) -> Index:
    digits = table[:, 2:]
    is_capital = (digits >= ord("A")) & (digits <= ord("F"))
    is_small = (digits >= ord("a")) & (digits <= ord("f"))
    lower = np.where(is_capital, digits | np.uint8(0x20), digits)
    is_mixed = is_capital.any(axis=1) & is_small.any(axis=1)
    index = np.where(is_mixed, np.uint8(2), np.uint8(1))
    index[(_is_upper(lower) == is_capital).all(axis=1)] = 0
    return index
