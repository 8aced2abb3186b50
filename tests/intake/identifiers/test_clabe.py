"""CLABE against the `clabe` package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import clabe as package
import pytest

from payouts.intake.identifiers import clabe

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def made(rng: random.Random, bank: str | None = None) -> str:
    body = (bank or rng.choice(sorted(clabe.BANKS))) + f"{rng.randrange(10**14):014d}"
    return body + package.compute_control_digit(body)


def test_random_accounts_are_judged_as_the_package_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    valid = [made(rng) for _ in range(10_000)]
    damaged = [flip(account) for account in valid]

    codes = answers(clabe.problem, valid + damaged)

    assert codes == [
        None if package.validate_clabe(account) else code
        for account, code in zip(valid + damaged, codes, strict=True)
    ]
    assert set(codes[:10_000]) == {None}
    assert set(codes[10_000:]) == {"E_CLABE_CHECK_DIGIT"}


def test_the_banks_are_those_of_the_package() -> None:
    """The package knows today's banks only, and so do we: an unknown one is a warning."""
    assert set(package.BANKS) == clabe.BANKS


@pytest.mark.parametrize(
    ("account", "code"),
    [
        ("002010077777777771", None),
        ("646180157000000004", None),
        ("032180000118359719", "W_CLABE_BANK"),
        ("012345678910111314", "E_CLABE_CHECK_DIGIT"),
        ("02010077777777771", "E_CLABE_FORMAT"),
        ("0020100777777777710", "E_CLABE_FORMAT"),
        ("00201007777777777A", "E_CLABE_FORMAT"),
        ("", "E_CLABE_FORMAT"),
        (None, None),
    ],
)
def test_published_accounts_get_their_code(
    answers: Callable[..., list[str | None]], account: str | None, code: str | None
) -> None:
    """A platform's own sample (0123…1314) fails its control digit."""
    assert answers(clabe.problem, [account]) == [code]


def test_blanks_and_dashes_are_taken_out(answers: Callable[..., list[str | None]]) -> None:
    assert answers(clabe.normalised, ["002-010 07777777777 1", None]) == [
        "002010077777777771",
        None,
    ]
