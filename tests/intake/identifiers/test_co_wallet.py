"""Colombian wallets against `phonenumbers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import phonenumbers
from phonenumbers import PhoneNumberType

from payouts.intake.identifiers import co_wallet

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def test_mobile_numbers_from_3_on_are_taken(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    numbers = [f"{rng.choice('36913')}{rng.randrange(10**9):09d}" for _ in range(3_000)]

    codes = answers(co_wallet.problem, answers(co_wallet.normalised, numbers))

    def expected(number: str) -> bool:
        parsed = phonenumbers.parse(number, "CO")
        mobile = phonenumbers.number_type(parsed) == PhoneNumberType.MOBILE
        return mobile and phonenumbers.is_valid_number(parsed) and number.startswith("3")

    assert [code is None for code in codes] == [expected(number) for number in numbers]
    assert None in codes


def test_each_way_of_writing_is_one_number(answers: Callable[..., list[str | None]]) -> None:
    written = ["300 123 4567", "+57 300 1234567", "57-300-123-4567", "(300) 123.4567", None]

    numbers = answers(co_wallet.normalised, written)

    assert numbers == [*["573001234567"] * 4, None]
    assert answers(co_wallet.problem, numbers) == [None] * 5
    assert answers(co_wallet.problem, ["576017426565"]) == ["E_MSISDN_NOT_MOBILE"]
