"""EVM addresses against eth_utils, and Keccak against pycryptodome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from Crypto.Hash import keccak as library
from eth_utils.address import is_address, is_checksum_address, to_checksum_address

from payouts.intake.identifiers import evm
from payouts.intake.identifiers.keccak import keccak256

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def test_random_addresses_are_judged_as_eth_utils_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    valid = [to_checksum_address(f"0x{rng.getrandbits(160):040x}") for _ in range(10_000)]
    damaged = []
    for address in valid:
        place = rng.choice([at for at in range(2, 42) if address[at].isalpha()])
        damaged.append(address[:place] + address[place].swapcase() + address[place + 1 :])

    codes = answers(evm.problem, valid + damaged)

    assert [code is None for code in codes] == [
        is_checksum_address(address) for address in valid + damaged
    ]
    assert set(codes[:10_000]) == {None}


def test_an_address_in_one_case_is_a_warning_and_eth_utils_looks_at_its_shape_only(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    lower = [f"0x{rng.getrandbits(160):040x}" for _ in range(1_000)]
    upper = [f"0x{address[2:].upper()}" for address in lower]

    codes = answers(evm.problem, lower + upper)

    assert all(is_address(address) for address in lower)
    assert [code is None for code in codes] == [
        is_checksum_address(address) for address in lower + upper
    ]
    assert set(codes) <= {None, "W_EVM_WITHOUT_CHECKSUM"}


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", None),
        ("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", None),
        ("0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", None),
        ("0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb", None),
        ("0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", None),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "E_EVM_CHECKSUM"),
        ("0x52908400098527886E0F7030069857D2E4169EE7", None),
        ("0xde709f2102306220921060314715629080e2fb77", None),
        ("0xDE709F2102306220921060314715629080E2FB77", "W_EVM_WITHOUT_CHECKSUM"),
        ("0x1234567890123456789012345678901234567890", None),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe", "E_EVM_FORMAT"),
        ("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "E_EVM_FORMAT"),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg", "E_EVM_FORMAT"),
        ("vitalik.eth", "E_EVM_FORMAT"),
        ("0x0000000000000000000000000000000000000000", "E_CRYPTO_BURN"),
        ("0x000000000000000000000000000000000000dEaD", "E_CRYPTO_BURN"),
        ("0xdAC17F958D2ee523a2206206994597C13D831ec7", "E_CRYPTO_CONTRACT"),
        ("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "E_CRYPTO_CONTRACT"),
        (None, None),
    ],
)
def test_published_addresses_get_their_code(
    answers: Callable[..., list[str | None]], written: str | None, code: str | None
) -> None:
    """The first four and the two of one case are EIP-55's own examples."""
    assert answers(evm.problem, answers(evm.normalised, [written])) == [code]


def test_every_contract_is_an_address_and_stands_once() -> None:
    assert len(set(evm.TOKEN_CONTRACTS)) == len(evm.TOKEN_CONTRACTS)
    for contract in evm.TOKEN_CONTRACTS:
        assert contract == contract.lower()
        assert is_address(contract)
        assert evm.checksummed(contract) == to_checksum_address(contract)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 40, 134, 135])
def test_keccak_is_that_of_pycryptodome_at_every_length(rng: random.Random, length: int) -> None:
    """135 bytes leave one for the padding, whose first and last bit then share it."""
    messages = np.frombuffer(rng.randbytes(50 * length), np.uint8).reshape(50, length)

    digests = keccak256(messages)

    for message, digest in zip(messages, digests, strict=True):
        expected = library.new(digest_bits=256, data=message.tobytes()).digest()
        assert digest.tobytes() == expected


def test_keccak_of_more_messages_than_a_block_keeps_their_order(rng: random.Random) -> None:
    messages = np.frombuffer(rng.randbytes(20_000 * 8), np.uint8).reshape(20_000, 8)

    digests = keccak256(messages)

    for row in (0, 8_191, 8_192, 16_384, 19_999):
        expected = library.new(digest_bits=256, data=messages[row].tobytes()).digest()
        assert digests[row].tobytes() == expected
