"""Solana addresses against base58."""

from __future__ import annotations

from typing import TYPE_CHECKING

import base58
import pytest

from payouts.intake.identifiers import solana

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

ALPHABET = base58.BITCOIN_ALPHABET.decode()


def library_takes(address: str) -> bool:
    return len(base58.b58decode(address)) == 32


def test_random_addresses_with_any_number_of_leading_zero_bytes_are_taken(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    values = [rng.randbytes(32) for _ in range(8_000)]
    values += [bytes(zeros) + rng.randbytes(32 - zeros) for zeros in range(32) for _ in range(100)]
    addresses = [base58.b58encode(value).decode() for value in values]

    assert set(answers(solana.problem, addresses)) == {None}


def test_random_texts_are_judged_as_base58_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    """Around the smallest and the greatest number of 32 bytes, with and without zeros in front."""
    texts = ["".join(rng.choices(ALPHABET, k=rng.randrange(32, 45))) for _ in range(8_000)]
    texts += [
        "1" * zeros + "".join(rng.choices(ALPHABET, k=rng.randrange(32, 45) - zeros))
        for zeros in range(32)
        for _ in range(100)
    ]
    for zeros in range(33):
        for edge in (256 ** (32 - zeros) - 1, 256 ** (32 - zeros), 256 ** max(31 - zeros, 0) - 1):
            size = (edge.bit_length() + 7) // 8
            text = base58.b58encode(bytes(zeros) + edge.to_bytes(size, "big")).decode()
            if 32 <= len(text) <= 44:
                texts.append(text)
    texts = [text for text in texts if text not in solana.SYSTEM]

    codes = answers(solana.problem, texts)

    assert [code is None for code in codes] == [library_takes(text) for text in texts]
    assert set(codes) == {None, "E_SOLANA_LENGTH"}


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV", None),
        (" 7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV\u200b", None),
        ("7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLt0", "E_SOLANA_FORMAT"),
        ("7EcDhSYGxXyscszYEp35KHN8vvw3sv", "E_SOLANA_FORMAT"),
        ("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "E_CRYPTO_CONTRACT"),
        ("Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB", "E_CRYPTO_CONTRACT"),
        ("11111111111111111111111111111111", "E_CRYPTO_SYSTEM"),
        ("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", "E_CRYPTO_SYSTEM"),
        (None, None),
    ],
)
def test_published_addresses_get_their_code(
    answers: Callable[..., list[str | None]], written: str | None, code: str | None
) -> None:
    assert answers(solana.problem, answers(solana.normalised, [written])) == [code]


def test_every_mint_and_program_is_an_address() -> None:
    assert all(library_takes(each) for each in (*solana.TOKEN_MINTS, *solana.SYSTEM))
