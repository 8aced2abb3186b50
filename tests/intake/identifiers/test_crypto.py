"""The network decides which rule an address is judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payouts.intake.identifiers import crypto

if TYPE_CHECKING:
    from collections.abc import Callable

EVM = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
TRON = "TJRyWwFs9wTFGZg3JbrVriFbNfCug5tDeC"
SOLANA = "7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV"


@pytest.mark.parametrize(
    ("account", "network", "asset", "code"),
    [
        (EVM, "Ethereum", "USDT", None),
        (EVM, "ERC-20", "USDC", None),
        (EVM, "erc20", "USDC", None),
        (EVM, "Polygon (PoS)", "USDC", None),
        (EVM, "polygon", "USDT", "W_CRYPTO_BRIDGED"),
        (EVM, "BEP-20", "USDT", "W_CRYPTO_BRIDGED"),
        (EVM, "BSC", "USDC", "W_CRYPTO_BRIDGED"),
        (EVM, "Base", "USDC", None),
        (EVM, "Base", "USDT", "E_CRYPTO_ASSET"),
        (TRON, "TRC20", "USDT", None),
        (TRON, "tron", "USDC", "E_CRYPTO_ASSET"),
        (TRON[:-1] + "D", "tron", "USDT", "E_TRON_CHECKSUM"),
        (SOLANA, "Solana", "USDC", None),
        (SOLANA, "SPL", "USDT", None),
        (EVM, "tron", "USDT", "E_CRYPTO_NETWORK_OTHER"),
        (TRON, "ethereum", "USDT", "E_CRYPTO_NETWORK_OTHER"),
        (SOLANA, "ethereum", "USDC", "E_CRYPTO_NETWORK_OTHER"),
        (EVM.lower(), "ethereum", "USDC", "W_EVM_WITHOUT_CHECKSUM"),
        (EVM[:-1] + "D", "polygon", "USDT", "E_EVM_CHECKSUM"),
        ("0x12", "ethereum", "USDT", "E_EVM_FORMAT"),
        ("0x12", "tron", "USDT", "E_TRON_FORMAT"),
        ("0x12", "solana", "USDT", "E_SOLANA_FORMAT"),
        (EVM, None, "USDT", "E_CRYPTO_NETWORK_MISSING"),
        (EVM, "stellar", "USDC", "E_CRYPTO_NETWORK_UNKNOWN"),
        (EVM, "ethereum", "EUR", "E_CRYPTO_ASSET"),
        (None, "ethereum", "USDT", None),
        (None, None, None, None),
    ],
)
def test_network_token_and_address_must_fit_together(
    answers: Callable[..., list[str | None]],
    account: str | None,
    network: str | None,
    asset: str | None,
    code: str | None,
) -> None:
    networks = answers(crypto.read_network, [network])

    assert answers(crypto.problem, [account], networks, [asset]) == [code]


def test_mixed_networks_in_one_frame_keep_their_order(
    answers: Callable[..., list[str | None]],
) -> None:
    accounts = [EVM, TRON, SOLANA, None, TRON] * 100
    networks = ["ethereum", "tron", "solana", "tron", "ethereum"] * 100

    codes = answers(crypto.problem, accounts, networks, ["USDT"] * 500)

    assert codes == [None, None, None, None, "E_CRYPTO_NETWORK_OTHER"] * 100
    assert answers(crypto.kind, accounts[:5]) == ["evm", "tron", "solana", None, "tron"]


def test_every_network_of_the_tables_is_known(answers: Callable[..., list[str | None]]) -> None:
    names = [
        name
        for table in (crypto.NATIVE, crypto.BRIDGED)
        for networks in table.values()
        for name in networks
    ]

    assert answers(crypto.read_network, names) == names
    for asset in crypto.NATIVE:
        assert not set(crypto.NATIVE[asset]) & set(crypto.BRIDGED[asset])
