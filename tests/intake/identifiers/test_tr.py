"""Turkish IBAN against schwifty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import schwifty
from schwifty.exceptions import SchwiftyException

from payouts.intake.identifiers import iban, tr

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def made(rng: random.Random, reserve: str = "0") -> str:
    national = f"{rng.randrange(10**5):05d}{reserve}{rng.randrange(10**16):016d}"
    return f"TR{iban.check_digits('TR', national)}{national}"


def schwifty_takes(account: str) -> bool:
    try:
        schwifty.IBAN(account)
    except SchwiftyException:
        return False
    return True


def test_random_accounts_are_judged_as_schwifty_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    valid = [made(rng) for _ in range(10_000)]
    damaged = [flip(account, start=2) for account in valid]

    codes = answers(tr.problem, valid + damaged)

    assert set(codes[:10_000]) == {None}
    assert [code is None for code in codes] == [
        schwifty_takes(account) for account in valid + damaged
    ]


def test_the_reserved_digit_must_be_zero_although_schwifty_takes_any(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    account = made(rng, reserve="1")

    assert schwifty_takes(account)
    assert answers(tr.problem, [account]) == ["E_IBAN_TR_RESERVE"]


def test_another_country_and_a_vendors_24_characters_are_refused(
    answers: Callable[..., list[str | None]],
) -> None:
    accounts = [
        "DE89370400440532013000",
        "TR3300061005197864578413",
        "TR330006100519786457841326",
        None,
    ]

    assert answers(tr.problem, accounts) == ["E_IBAN_COUNTRY_OTHER", "E_IBAN_LENGTH", None, None]
