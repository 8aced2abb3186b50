"""CCI: the one real number that was published, and every damaged digit of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payouts.intake.identifiers import cci

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

REAL = "01136600010003254221"


def check_digit(digits: str) -> str:
    """A plain loop over the published rule."""
    total = 0
    for position, digit in enumerate(digits):
        product = int(digit) * (2 if position % 2 else 1)
        total += product // 10 + product % 10
    return str(-total % 10)


def test_the_published_number_is_right_and_each_damaged_digit_is_noticed(
    answers: Callable[..., list[str | None]],
) -> None:
    damaged = [
        REAL[:place] + digit + REAL[place + 1 :]
        for place in range(20)
        for digit in "0123456789"
        if digit != REAL[place]
    ]

    assert answers(cci.problem, [REAL]) == [None]
    assert set(answers(cci.problem, damaged)) == {"W_CCI_CHECK_DIGITS"}


def test_random_numbers_are_judged_as_a_plain_loop_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    accounts = [f"{rng.randrange(10**20):020d}" for _ in range(5_000)]
    bodies = [f"{rng.randrange(10**18):018d}" for _ in range(5_000)]
    accounts += [body + check_digit(body[:6]) + check_digit(body[6:]) for body in bodies]

    codes = answers(cci.problem, accounts)

    assert set(codes[5_000:]) == {None}
    assert [code is None for code in codes] == [
        account[18:] == check_digit(account[:6]) + check_digit(account[6:18])
        for account in accounts
    ]


def test_a_failure_warns_since_a_published_example_fails_it(
    answers: Callable[..., list[str | None]],
) -> None:
    accounts = answers(cci.normalised, ["011-362-000100046500-00", "011366", None])

    assert answers(cci.problem, accounts) == ["W_CCI_CHECK_DIGITS", "E_CCI_FORMAT", None]
