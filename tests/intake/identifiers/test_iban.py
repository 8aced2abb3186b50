"""IBAN against schwifty and stdnum, and where the two are wrong."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

import pytest
import schwifty
from schwifty.exceptions import SchwiftyException
from schwifty.registry import get_iban_spec
from stdnum import iban as stdnum_iban

from payouts.intake.identifiers import iban

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

POOLS = {
    "n": string.digits,
    "a": string.ascii_uppercase,
    "c": string.digits + string.ascii_uppercase,
}


def made(country: str, rng: random.Random) -> str:
    """A random account of the country's shape with its right check digits."""
    shape = iban.REGISTERED.get(country) or iban.UNREGISTERED[country]
    national = "".join(rng.choice(POOLS[kind]) for kind in spelled(shape))
    return country + iban.check_digits(country, national) + national


def spelled(shape: str) -> str:
    """`nnaa` for `2n2a` or `2!n2!a`."""
    return "".join(kind * int(count) for count, kind in re.findall(r"([0-9]+)!?([nac])", shape))


def schwifty_takes(account: str) -> bool:
    try:
        schwifty.IBAN(account)
    except SchwiftyException:
        return False
    return True


def test_the_shapes_are_those_of_schwiftys_registry() -> None:
    """Schwifty allows letters in Brazil's digits, and no digit in old bank codes of the XOF zone."""
    for country, shape in {**iban.REGISTERED, **iban.UNREGISTERED}.items():
        theirs = get_iban_spec(country)
        assert len(spelled(shape)) + 4 == theirs.iban_length, country
        if country not in {"BR", "CI", "NE", "SN", "TG"}:
            assert spelled(shape) == spelled(theirs.bban_spec), country


def test_a_valid_account_of_every_country_is_taken(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    registered = [made(country, rng) for country in iban.REGISTERED for _ in range(200)]
    others = [made(country, rng) for country in iban.UNREGISTERED for _ in range(20)]

    assert len(registered) > 10_000
    assert set(answers(iban.problem, registered)) == {None}
    assert set(answers(iban.problem, others)) == {"W_IBAN_UNREGISTERED"}


def test_damaged_accounts_are_judged_as_schwifty_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    """A single wrong character changes the remainder by 97, so that none can slip through."""
    countries = [country for country in iban.REGISTERED if country != "BR"]
    accounts = [flip(made(country, rng), start=2) for country in countries for _ in range(150)]
    swapped = []
    for country in countries:
        account = made(country, rng)
        swapped.append(account[:-2] + account[-1] + account[-2])

    codes = answers(iban.problem, accounts + swapped)

    assert len(accounts) > 10_000
    assert None not in codes[: len(accounts)]
    expected = [schwifty_takes(account) for account in accounts + swapped]
    assert [code is None for code in codes] == expected


def test_damaged_accounts_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    accounts = [made(country, rng) for country in iban.REGISTERED for _ in range(60)]
    accounts += [flip(account, start=4) for account in accounts]

    codes = answers(iban.problem, accounts)

    assert len(accounts) > 10_000
    expected = [stdnum_iban.is_valid(account, check_country=False) for account in accounts]
    assert [code is None for code in codes] == expected


@pytest.mark.parametrize(
    ("account", "code"),
    [
        ("DE89370400440532013000", None),
        ("GB29NWBK60161331926819", None),
        ("NO9386011117947", None),
        ("MT84MALT011000012345MTLCAST001S", None),
        ("EG380019000500000000263180002", None),
        ("DE88370400440532013000", "E_IBAN_CHECK_DIGITS"),
        ("DE8937040044053201300", "E_IBAN_LENGTH"),
        ("DE893704004405320130000", "E_IBAN_LENGTH"),
        ("DE89 7040044053201300O", "E_IBAN_CHARACTERS"),
        ("DE8937040044053201300O", "E_IBAN_STRUCTURE"),
        ("ZZ89370400440532013000", "E_IBAN_COUNTRY"),
        ("US89370400440532013000", "E_IBAN_COUNTRY"),
        ("370400440532013000", "E_IBAN_COUNTRY"),
        ("DE", "E_IBAN_LENGTH"),
        ("", "E_IBAN_CHARACTERS"),
        ("\u0413\u041129NWBK60161331926819", "E_IBAN_CHARACTERS"),
        ("DE893704004405320130\uff10\uff10", "E_IBAN_CHARACTERS"),
        ("D" * 500, "E_IBAN_CHARACTERS"),
        (None, None),
    ],
)
def test_the_code_says_which_check_failed(
    answers: Callable[..., list[str | None]], account: str | None, code: str | None
) -> None:
    assert answers(iban.problem, [account]) == [code]


@pytest.mark.parametrize(
    ("written", "account"),
    [
        ("de89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("IBAN: DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("DE89-3704.0044\u00a00532\u200b013000", "DE89370400440532013000"),
        ("\ufeffDE89370400440532013000\u202c", "DE89370400440532013000"),
        ("d\u013189", "d\u013189"),
        (None, None),
    ],
)
def test_writing_habits_are_read_and_nothing_is_guessed(
    answers: Callable[..., list[str | None]], written: str | None, account: str | None
) -> None:
    """A dotless i would become an I by the rules of upper case, and that nobody wrote."""
    assert answers(iban.normalised, [written]) == [account]


def test_check_digits_that_are_never_given_out_are_refused(
    answers: Callable[..., list[str | None]],
) -> None:
    """00, 01 and 99 leave the right remainder for some accounts; stdnum takes them."""
    wrong = []
    for number in range(2_000):
        national = f"{number:018d}"
        digits = int(iban.check_digits("DE", national))
        twin = {97: "00", 98: "01", 2: "99"}.get(digits)
        if twin is not None:
            wrong.append(f"DE{twin}{national}")

    assert len(wrong) > 30
    assert all(stdnum_iban.is_valid(account) for account in wrong)
    assert set(answers(iban.problem, wrong)) == {"E_IBAN_CHECK_DIGITS"}


def test_a_letter_in_the_check_digits_is_refused(answers: Callable[..., list[str | None]]) -> None:
    """Stdnum takes some of them, since a letter is two digits of the number it divides."""
    letters = [
        f"GB2{letter}LABBY{tail:013d}"[:22] for letter in "ABCDEFGHIJ" for tail in range(500)
    ]
    fooling = [account for account in letters if stdnum_iban.is_valid(account)]

    assert set(answers(iban.problem, letters)) == {"E_IBAN_STRUCTURE"}
    assert set(answers(iban.problem, [*fooling, "GB2LABBY09012857201707"])) <= {
        "E_IBAN_STRUCTURE",
        "E_IBAN_LENGTH",
    }


def test_the_textbook_account_of_belgium_is_taken_although_stdnum_refuses_it(
    answers: Callable[..., list[str | None]],
) -> None:
    account = "BE68539007547034"

    assert not stdnum_iban.is_valid(account)
    assert answers(iban.problem, [account]) == [None]


def test_completed_ibans_have_the_check_digits_that_schwifty_computes(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    nationals = [f"{rng.randrange(10**18):018d}" for _ in range(500)]

    built = answers(iban.completed, ["DE"] * 500 + [None], [*nationals, "1"])

    assert built[:-1] == [str(schwifty.IBAN.from_bban("DE", each)) for each in nationals]
    assert built[-1] is None
