"""Card tokens, and the card numbers that may not stand for them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import polars as pl
import pytest
from stdnum import luhn

from payouts.intake.identifiers import card

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

# The schemes' and acquirers' public test numbers.
NUMBERS = [
    "4111111111111111",
    "4012888888881881",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "30569309025904",
    "3530111333300000",
    "6011111111111117",
    "6759649826438453",
    "6212345678901232",
]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_card_number_is_refused_however_it_is_written(
    answers: Callable[..., list[str | None]], number: str
) -> None:
    spaced = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
    written = [number, spaced, spaced.replace(" ", "-"), f"tok_{number}", f"card-{spaced}"]

    codes = answers(card.problem, answers(card.normalised, written))

    assert set(codes) == {"E_CARD_NUMBER"}


def test_twelve_to_nineteen_digits_are_refused_whatever_their_luhn_digit(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    """Some UnionPay numbers do not satisfy Luhn, and no token is made of digits only."""
    numbers = [
        str(rng.randrange(10 ** (size - 1), 10**size)) for size in range(12, 20) for _ in range(200)
    ]

    assert set(answers(card.problem, numbers)) == {"E_CARD_NUMBER"}


def test_a_number_is_one_where_stdnum_finds_luhn_right(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    numbers = [f"4{rng.randrange(10**15):015d}" for _ in range(10_000)]

    found = answers(lambda account: card.is_number(account).cast(pl.String), numbers)

    assert found == [str(luhn.is_valid(number)).lower() for number in numbers]
    assert answers(lambda account: card.is_number(account).cast(pl.String), [None, "", "x"]) == [
        None,
        "false",
        "false",
    ]


def test_random_tokens_are_taken(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    """One hexadecimal token in five hundred holds a stretch of digits that looks like a card."""
    hexadecimal = [f"{rng.getrandbits(128):032x}" for _ in range(10_000)]
    tokens = [f"tok_{each}" for each in hexadecimal]
    tokens += [str(uuid.UUID(each)) for each in hexadecimal]
    tokens += [f"card_{each[:12]}" for each in hexadecimal if not each[:12].isdigit()]
    tokens += [each for each in hexadecimal if not each.isdigit()]

    assert set(answers(card.problem, answers(card.normalised, tokens))) == {None}


@pytest.mark.parametrize(
    ("written", "token", "last4", "code"),
    [
        ("tok_1a2b3c4d5e", "tok_1a2b3c4d5e", "4d5e", None),
        ("tok_1a2b3c4d5e 4242", "tok_1a2b3c4d5e", "4242", None),
        ("tok_1a2b3c4d5e:4242", "tok_1a2b3c4d5e", "4242", None),
        ("tok_1a2b3c4d5e visa ****4242", "tok_1a2b3c4d5e", "4242", None),
        ("tok_1a2b3c4d5e/VISA/4242", "tok_1a2b3c4d5e", "4242", None),
        ("@0f8fad5bd9cb469fa16570867728950e", "@0f8fad5bd9cb469fa16570867728950e", "950e", None),
        ("visa", "visa", "sa", "E_CARD_TOKEN_FORMAT"),
        ("tok_", "tok_", "k_", "E_CARD_TOKEN_FORMAT"),
        ("12345", "12345", "45", "E_CARD_TOKEN_FORMAT"),
        ("tok_ü1234567", "tok_ü1234567", "4567", "E_CARD_TOKEN_FORMAT"),
        (None, None, None, None),
    ],
)
def test_each_way_of_writing_gets_its_token_last_four_and_code(
    answers: Callable[..., list[str | None]],
    written: str | None,
    token: str | None,
    last4: str | None,
    code: str | None,
) -> None:
    tokens = answers(card.normalised, [written])

    shown = answers(card.last4, tokens, [written])
    assert tokens == [token]
    assert answers(card.problem, tokens) == [code]
    assert shown == [last4]
