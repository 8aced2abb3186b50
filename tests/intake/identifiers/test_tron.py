"""TRON addresses against base58."""

from __future__ import annotations

from typing import TYPE_CHECKING

import base58
import pytest

from payouts.intake.identifiers import tron

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

ALPHABET = base58.BITCOIN_ALPHABET.decode()


def library_takes(address: str) -> bool:
    try:
        payload = base58.b58decode_check(address)
    except ValueError:
        return False
    return len(payload) == 21 and payload[0] == 0x41


def test_random_addresses_are_judged_as_base58_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    valid = [base58.b58encode_check(b"\x41" + rng.randbytes(20)).decode() for _ in range(10_000)]
    damaged = []
    for address in valid:
        place = rng.randrange(1, 34)
        other = rng.choice([each for each in ALPHABET if each != address[place]])
        damaged.append(address[:place] + other + address[place + 1 :])

    codes = answers(tron.problem, valid + damaged)

    assert set(codes[:10_000]) == {None}
    assert [code is None for code in codes] == [
        library_takes(address) for address in valid + damaged
    ]


def test_an_address_of_another_prefix_is_refused_though_its_checksum_is_right(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    """Near 0x41 other prefixes are written with a T as well."""
    others = [
        base58.b58encode_check(bytes([prefix]) + rng.randbytes(20)).decode()
        for prefix in (0x40, 0x42)
        for _ in range(300)
    ]
    written_with_t = [address for address in others if address.startswith("T")]

    codes = answers(tron.problem, others)

    assert None not in codes
    assert all(code == "E_TRON_CHECKSUM" for code in answers(tron.problem, written_with_t))


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("TJRyWwFs9wTFGZg3JbrVriFbNfCug5tDeC", None),
        ("TJRyWwFs9wTFGZg3JbrVriFbNfCug5tDeD", "E_TRON_CHECKSUM"),
        ("tJRyWwFs9wTFGZg3JbrVriFbNfCug5tDeC", "E_TRON_FORMAT"),
        ("TJRyWwFs9wTFGZg3JbrVriFbNfCug5tDe", "E_TRON_FORMAT"),
        ("TJRyWwFs9wTFGZg3JbrVriFbNfCug5tDe0", "E_TRON_FORMAT"),
        ("410000000000000000000000000000000000000000", "E_TRON_FORMAT"),
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "E_CRYPTO_CONTRACT"),
        ("T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb", "E_CRYPTO_BURN"),
        (None, None),
    ],
)
def test_published_addresses_get_their_code(
    answers: Callable[..., list[str | None]], written: str | None, code: str | None
) -> None:
    assert answers(tron.problem, answers(tron.normalised, [written])) == [code]


def test_every_contract_is_an_address() -> None:
    assert all(library_takes(contract) for contract in tron.TOKEN_CONTRACTS)
