"""NUBAN: the two examples of the Central Bank of Nigeria and a plain loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payouts.intake.identifiers import nuban

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def check_digit(institution: str, serial: str) -> str:
    """A plain loop over the published rule."""
    total = sum(
        int(digit) * (7 if position % 3 == 1 else 3)
        for position, digit in enumerate(institution + serial)
    )
    return str(-total % 10)


@pytest.mark.parametrize(
    ("account", "bank_code", "code"),
    [
        ("0000014579", "011", None),
        ("0000000220", "011", None),
        ("0000014570", "011", "W_NUBAN_CHECK_DIGIT"),
        ("0000014579", "000011", None),
        ("0000014579", None, None),
        ("0000014579", "GTB", None),
        ("000014579", "011", "E_NUBAN_FORMAT"),
        ("000001457A", "011", "E_NUBAN_FORMAT"),
        ("8012345678", "999992", "W_NUBAN_CHECK_DIGIT"),
        (None, "011", None),
    ],
)
def test_the_central_banks_examples_get_their_code(
    answers: Callable[..., list[str | None]],
    account: str | None,
    bank_code: str | None,
    code: str | None,
) -> None:
    """A wallet's account is a telephone number, so that a wrong check digit only warns."""
    assert answers(nuban.problem, [account], [bank_code]) == [code]


def test_random_numbers_are_judged_as_a_plain_loop_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    codes = [f"{rng.randrange(10**3):03d}" for _ in range(4_000)]
    codes += [f"{rng.randrange(10**5):05d}" for _ in range(4_000)]
    codes += [f"{rng.randrange(10**6):06d}" for _ in range(4_000)]
    institutions = [{3: "000", 5: "9", 6: ""}[len(code)] + code for code in codes]
    serials = [f"{rng.randrange(10**9):09d}" for _ in codes]
    right = [check_digit(*pair) for pair in zip(institutions, serials, strict=True)]
    accounts = [serial + digit for serial, digit in zip(serials, right, strict=True)]
    wrong = [
        serial + str((int(digit) + 1) % 10) for serial, digit in zip(serials, right, strict=True)
    ]

    assert set(answers(nuban.problem, accounts, codes)) == {None}
    assert set(answers(nuban.problem, wrong, codes)) == {"W_NUBAN_CHECK_DIGIT"}
