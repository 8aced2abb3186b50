"""RIB and IBAN of the CFA zones: published accounts, a plain loop, schwifty's structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import schwifty
from schwifty.exceptions import SchwiftyException
from stdnum import iban as stdnum_iban

from payouts.intake.identifiers import rib

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

PUBLISHED = [
    "BF42BF0840101300463574000390",
    "BJ66BJ0610100100144390000769",
    "CF4220001000010120069700160",
    "CG3930011000101013451300019",
    "CI93CI0080111301134291200589",
    "CM2110002000300277976315008",
    "GA2140021010032001890020126",
    "ML13ML0160120102600100668497",
    "NE58NE0380100100130305000268",
    "SN08SN0100152000048500003035",
    "TD8960002000010271091600153",
    "TG53TG0090604310346500400070",
]
FRENCH = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "12345678912345678923456789", strict=True))


def key(body: str) -> str:
    """A plain loop over the rule: letters by the French table, 97 minus the remainder."""
    number = int("".join(FRENCH.get(character, character) for character in body))
    return f"{97 - number * 100 % 97:02d}"


def made(country: str, rng: random.Random) -> str:
    """A RIB with its right key."""
    if country in rib.WEST:
        body = f"{country}{rng.randrange(10**20):020d}"
    else:
        body = f"{rng.randrange(10**21):021d}"
    return body + key(body)


def test_published_accounts_are_taken_and_stdnum_knows_none_of_them(
    answers: Callable[..., list[str | None]],
) -> None:
    countries = [account[:2] for account in PUBLISHED]

    assert answers(rib.problem, PUBLISHED, countries) == [None] * len(PUBLISHED)
    assert not any(stdnum_iban.is_valid(account) for account in PUBLISHED)


def test_a_bare_rib_becomes_the_iban_that_schwifty_builds(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    countries = [rng.choice(rib.COUNTRIES) for _ in range(2_000)]
    ribs = [made(country, rng) for country in countries]

    accounts = answers(rib.normalised, ribs, countries)

    assert accounts == [
        str(schwifty.IBAN.from_bban(country, each))
        for country, each in zip(countries, ribs, strict=True)
    ]
    assert set(answers(rib.problem, accounts, countries)) == {None}


def test_a_damaged_rib_fails_its_own_key(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    """Its IBAN check digits are made by us and fit: only the key can notice the wrong digit."""
    countries = [rng.choice(rib.COUNTRIES) for _ in range(10_000)]
    damaged = [flip(made(country, rng), start=2) for country in countries]

    accounts = answers(rib.normalised, damaged, countries)
    codes = answers(rib.problem, accounts, countries)

    assert set(codes) == {"E_RIB_KEY"}


def test_letters_count_by_the_french_table(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    """Old bank codes of the zone begin with one letter: K0010 of Senegal."""
    bodies = [f"{rng.choice(list(FRENCH))}{rng.randrange(10**21):021d}" for _ in range(2_000)]
    ribs = [body + key(body) for body in bodies]
    accounts = answers(rib.normalised, ribs, ["SN"] * 2_000)

    assert set(answers(rib.problem, accounts, ["SN"] * 2_000)) == {None}
    assert answers(rib.problem, ["SN12K00100152000025690007542"], ["SN"]) == [None]


def test_a_damaged_iban_fails_its_check_digits_as_it_does_for_schwifty(
    answers: Callable[..., list[str | None]], flip: Callable[..., str]
) -> None:
    damaged = [flip(account, start=4) for account in PUBLISHED for _ in range(50)]
    countries = [account[:2] for account in damaged]

    codes = answers(rib.problem, damaged, countries)

    assert None not in codes
    for account in damaged:
        with pytest.raises(SchwiftyException):
            schwifty.IBAN(account)


@pytest.mark.parametrize(
    ("written", "country", "code"),
    [
        ("CI93 CI008 01113 011342912005 89", "CI", None),
        ("ci0080111301134291200589", "CI", None),
        ("10002000300277976315008", "CM", None),
        ("DE89370400440532013000", "CM", "E_IBAN_COUNTRY_OTHER"),
        ("SN08SN0100152000048500003035", "CI", "E_IBAN_COUNTRY_OTHER"),
        ("1000200030027797631500", "CM", "E_RIB_FORMAT"),
        ("0011223344", "CI", "E_RIB_FORMAT"),
        ("CI93CI008011130113429120058", "CI", "E_IBAN_LENGTH"),
        (None, "CI", None),
    ],
)
def test_each_way_of_writing_gets_its_code(
    answers: Callable[..., list[str | None]], written: str | None, country: str, code: str | None
) -> None:
    accounts = answers(rib.normalised, [written], [country])

    assert answers(rib.problem, accounts, [country]) == [code]
