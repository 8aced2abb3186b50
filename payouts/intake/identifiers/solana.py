"""Solana address: 32 bytes in base58, without any checksum.

>>> accounts = [
...     "7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV",
...     "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
...     "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
...     "0OIl",
... ]
>>> frame = pl.DataFrame({"account": accounts})
>>> frame.select(problem(normalised(pl.col("account")))).to_series().to_list()
[None, 'E_CRYPTO_CONTRACT', 'E_SOLANA_LENGTH', 'E_SOLANA_FORMAT']
"""

from __future__ import annotations

from typing import Final

import polars as pl

from payouts.intake.identifiers import text

__all__ = ["LONGEST", "SYSTEM", "TOKEN_MINTS", "is_shaped", "normalised", "problem"]

LONGEST: Final = 44

TOKEN_MINTS: Final = (
    "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",  # USDC
    "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB",  # USDT
    "So11111111111111111111111111111111111111112",  # wrapped SOL
)
"""The tokens' own mints: money sent to one of them is lost."""

SYSTEM: Final = (
    "11111111111111111111111111111111",
    "1nc1nerator11111111111111111111111111111111",
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
    "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
    "ComputeBudget111111111111111111111111111111",
    "Stake11111111111111111111111111111111111111",
    "SysvarRent111111111111111111111111111111111",
    "Vote111111111111111111111111111111111111111",
)
"""Programs of the network itself, which nobody can spend from."""

_SHAPE = r"^[1-9A-HJ-NP-Za-km-z]{32,44}$"
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BYTES = 32


def normalised(account: pl.Expr) -> pl.Expr:
    """Without blanks; the case stays, null stays null."""
    return text.without(account, "")


def is_shaped(account: pl.Expr) -> pl.Expr:
    """True for 32 to 44 characters of base58; null stays null."""
    return account.str.contains(_SHAPE)


def problem(account: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised address, or null; null stays null.

    It decodes to exactly 32 bytes. Base58 keeps the order of numbers and a leading `1` stands for
    a zero byte, so that an address with k of them lies between two texts of one length: no decoding
    is needed. There is no checksum, so a typing error can still be a valid address. The tokens'
    mints and the network's own programs are refused.

    Oracle: `base58.b58decode` (tests/intake/identifiers/test_solana.py).
    """
    return (
        pl.when(~is_shaped(account))
        .then(pl.lit("E_SOLANA_FORMAT"))
        .when(account.is_in(TOKEN_MINTS))
        .then(pl.lit("E_CRYPTO_CONTRACT"))
        .when(account.is_in(SYSTEM))
        .then(pl.lit("E_CRYPTO_SYSTEM"))
        .when(~pl.coalesce(_fits_with_zeros(account), _fits(account)))
        .then(pl.lit("E_SOLANA_LENGTH"))
    )


def _fits(account: pl.Expr) -> pl.Expr:
    """True for a number of exactly 32 bytes; for addresses without leading zero bytes."""
    length = account.str.len_bytes()
    is_low = (length == LONGEST - 1) & (account >= _LOWEST[0].lstrip("1"))
    return is_low | ((length == LONGEST) & (account <= _HIGHEST[0]))


def _fits_with_zeros(account: pl.Expr) -> pl.Expr:
    """The same for addresses that begin with `1`, null for the others."""
    zeroed = pl.when(account.str.starts_with("1")).then(account)
    zeros = zeroed.str.len_bytes() - zeroed.str.strip_chars_start("1").str.len_bytes()
    padded = zeroed.str.pad_start(LONGEST, "1")
    return padded.is_between(_bound(_LOWEST, zeros), _bound(_HIGHEST, zeros))


def _base58(value: int) -> str:
    """A number in base 58, filled with ones on the left to `LONGEST` characters."""
    digits = ""
    while value:
        value, digit = divmod(value, 58)
        digits = _ALPHABET[digit] + digits
    return digits.rjust(LONGEST, "1")


def _bound(bounds: tuple[str, ...], zeros: pl.Expr) -> pl.Expr:
    """The bound for so many leading zero bytes; texts with more are too short in any case."""
    return zeros.replace_strict(dict(enumerate(bounds)), default=bounds[-1], return_dtype=pl.String)


# The least and the greatest number with exactly k leading zero bytes out of 32.
_LOWEST = (*(_base58(256 ** (31 - k)) for k in range(_BYTES)), _base58(0))
_HIGHEST = (*(_base58(256 ** (32 - k) - 1) for k in range(_BYTES)), _base58(0))
