"""Crypto address: judged by the network it is on, which its shape alone cannot tell.

>>> accounts = ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "TEkxiTehnzSmSe2XqrBj4w32RUN966rdz8"]
>>> frame = pl.DataFrame({"account": accounts, "network": ["ERC-20", "Ethereum"]})
>>> network = read_network(pl.col("network"))
>>> frame.select(network).to_series().to_list()
['ethereum', 'ethereum']
>>> frame.select(problem(pl.col("account"), network, pl.lit("USDT"))).to_series().to_list()
[None, 'E_CRYPTO_NETWORK_OTHER']
"""

from __future__ import annotations

from typing import Final

import polars as pl

from payouts.intake.identifiers import evm, solana, text, tron
from payouts.intake.identifiers.staged import by_word, staged

__all__ = ["BRIDGED", "EVM_NETWORKS", "NATIVE", "kind", "normalised", "problem", "read_network"]

EVM_NETWORKS: Final = (
    "ethereum",
    "polygon",
    "base",
    "arbitrum",
    "optimism",
    "avalanche",
    "bnb",
)
"""Networks with the same addresses as Ethereum: the column `network` must tell them apart."""

NATIVE: Final[dict[str, tuple[str, ...]]] = {
    "USDC": (
        "ethereum",
        "polygon",
        "base",
        "arbitrum",
        "optimism",
        "avalanche",
        "solana",
    ),
    "USDT": ("ethereum", "avalanche", "tron", "solana"),
}
"""Where the issuer itself gives the token out (Circle, Tether; November 2026)."""

BRIDGED: Final[dict[str, tuple[str, ...]]] = {
    "USDC": ("bnb",),
    "USDT": ("polygon", "arbitrum", "optimism", "bnb"),
}
"""Where somebody else's copy is in use: payable, with a warning. On BNB Chain it has 18 decimals."""

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "ethereum": ("ethereum", "eth", "erc20", "ethereummainnet", "mainnet"),
    "polygon": ("polygon", "matic", "polygonpos", "pol"),
    "base": ("base",),
    "arbitrum": ("arbitrum", "arbitrumone", "arb"),
    "optimism": ("optimism", "op", "opmainnet"),
    "avalanche": ("avalanche", "avax", "avaxc", "avalanchecchain", "cchain"),
    "bnb": ("bnb", "bsc", "bep20", "bnbchain", "bnbsmartchain", "binancesmartchain"),
    "tron": ("tron", "trc20", "trx"),
    "solana": ("solana", "sol", "spl"),
}


def read_network(network: pl.Expr) -> pl.Expr:
    """The network's canonical name; the lower-case word where it is none we know, null for null."""
    return by_word(network, _canonical)


def _canonical(network: pl.Expr) -> pl.Expr:
    word = text.compact(network).str.to_lowercase().str.replace_all(r"[_/()]", "")
    names = {name: canonical for canonical, all_ in _NAMES.items() for name in all_}
    return word.replace(names)


def normalised(account: pl.Expr) -> pl.Expr:
    """Without blanks, `0X` written `0x`; the case stays, null stays null."""
    return evm.normalised(account)


def kind(account: pl.Expr) -> pl.Expr:
    """`evm`, `tron` or `solana` by shape; null for none of them."""
    return (
        pl.when(evm.is_shaped(account))
        .then(pl.lit("evm"))
        .when(tron.is_shaped(account))
        .then(pl.lit("tron"))
        .when(solana.is_shaped(account))
        .then(pl.lit("solana"))
    )


def problem(account: pl.Expr, network: pl.Expr, asset: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised address on `network`, or null.

    First the network and whether the token exists there (own dated table), then the rule of the
    network's addresses. An address of another network's shape has a code of its own. Null stays
    null.

    Args:
        network: canonical, from `read_network`.
        asset: USDT or USDC.

    Oracle: those of the three kinds (tests/intake/identifiers/test_crypto.py).
    """
    address, chain, token = pl.col("address"), pl.col("network"), pl.col("asset")
    found, family = pl.col("found"), pl.col("family")
    is_evm = chain.is_in(EVM_NETWORKS)
    own = [pl.when(found == name).then(address) for name in ("evm", "tron", "solana")]
    answer = (
        pl.when(address.is_null())
        .then(None)
        .when(chain.is_null())
        .then(pl.lit("E_CRYPTO_NETWORK_MISSING"))
        .when(family.is_null())
        .then(pl.lit("E_CRYPTO_NETWORK_UNKNOWN"))
        .when(~_on(NATIVE, token, chain) & ~_on(BRIDGED, token, chain))
        .then(pl.lit("E_CRYPTO_ASSET"))
        .when(found.is_null())
        .then("E_" + family.str.to_uppercase() + "_FORMAT")
        .when(found != family)
        .then(pl.lit("E_CRYPTO_NETWORK_OTHER"))
        .otherwise(pl.coalesce("evm", "tron", "solana", _bridged(token, chain)))
    )
    return staged(
        {"address": account, "network": network, "asset": asset},
        {
            "found": kind(address),
            "family": pl.when(is_evm).then(pl.lit("evm")).when(chain.is_in(_NAMES)).then(chain),
        },
        {
            "evm": evm.problem(own[0]),
            "tron": tron.problem(own[1]),
            "solana": solana.problem(own[2]),
        },
        {"answer": answer},
    )


def _bridged(asset: pl.Expr, network: pl.Expr) -> pl.Expr:
    return pl.when(_on(BRIDGED, asset, network)).then(pl.lit("W_CRYPTO_BRIDGED"))


def _on(table: dict[str, tuple[str, ...]], asset: pl.Expr, network: pl.Expr) -> pl.Expr:
    """True where the table lists the token on the network."""
    pairs = [f"{token}:{name}" for token, names in table.items() for name in names]
    return (asset + ":" + network).is_in(pairs).fill_null(value=False)
