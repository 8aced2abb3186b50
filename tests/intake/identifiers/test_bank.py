"""Bank account numbers without check digit, against a plain loop over the same table."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest

from payouts.intake.identifiers import bank

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def test_random_accounts_are_judged_as_a_plain_loop_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    countries = [rng.choice([*bank.SHAPES, "DE", "ZM"]) for _ in range(10_000)]
    pools = [
        rng.choice([string.digits, string.digits + "ABC", string.digits + "_"]) for _ in countries
    ]
    accounts = ["".join(rng.choices(pool, k=rng.randrange(1, 48))) for pool in pools]

    def expected(account: str, country: str) -> str | None:
        shape = bank.SHAPES.get(country, bank.OTHER)
        if not (account.isdigit() or (not shape.digits and account.isalnum())):
            return "E_ACCOUNT_CHARACTERS"
        if not shape.shortest <= len(account) <= shape.longest:
            return "E_ACCOUNT_LENGTH"
        return None

    codes = answers(bank.problem, accounts, countries)

    assert codes == [expected(*pair) for pair in zip(accounts, countries, strict=True)]
    assert set(codes) == {None, "E_ACCOUNT_CHARACTERS", "E_ACCOUNT_LENGTH"}


def test_one_countrys_rule_is_the_same_as_the_rule_of_all(
    answers: Callable[..., list[str | None]],
) -> None:
    accounts = ["1", "12345678", "ABCDEFGH", "12345678901234567890", None]

    for country in ("GB", "UG", "DE"):
        assert answers(lambda each, of=country: bank.shape_problem(each, of), accounts) == answers(
            bank.problem, accounts, [country] * len(accounts)
        )


@pytest.mark.parametrize(
    ("written", "country", "account", "code"),
    [
        ("00123", "KE", "00123", None),
        ("1000 0123-45678", "ET", "1000012345678", None),
        ("12 34 56 78", "GB", "12345678", None),
        ("1234567", "GB", "1234567", "E_ACCOUNT_LENGTH"),
        ("ab-1234", "UG", "AB1234", None),
        ("123456", "GH", "123456", "E_ACCOUNT_LENGTH"),
        (None, "GH", None, None),
    ],
)
def test_leading_zeros_stay_and_separators_go(
    answers: Callable[..., list[str | None]],
    written: str | None,
    country: str,
    account: str | None,
    code: str | None,
) -> None:
    assert answers(bank.normalised, [written]) == [account]
    assert answers(bank.problem, [account], [country]) == [code]
