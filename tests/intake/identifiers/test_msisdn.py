"""Mobile numbers against `phonenumbers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import phonenumbers
import polars as pl
import pytest
from phonenumbers import PhoneMetadata, PhoneNumberType

from payouts.intake.identifiers import msisdn

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

COUNTRIES = ("BJ", "CM", "ET", "GH", "CI", "KE", "NG", "RW", "SN", "TZ", "UG", "ZM", "BF", "CO")
MOBILE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}


def library_takes(number: str, country: str) -> bool:
    """A mobile number of the country, as the library reads it."""
    try:
        parsed = phonenumbers.parse("+" + number)
    except phonenumbers.NumberParseException:
        return False
    return (
        phonenumbers.is_valid_number_for_region(parsed, country)
        and phonenumbers.number_type(parsed) in MOBILE
    )


def calling_code(country: str) -> str:
    return str(phonenumbers.country_code_for_region(country))


def example(country: str) -> str:
    found = phonenumbers.example_number_for_type(country, PhoneNumberType.MOBILE)
    assert found is not None
    return phonenumbers.national_significant_number(found)


@pytest.mark.parametrize("country", [*COUNTRIES, "MX"])
def test_random_numbers_are_judged_as_the_library_judges_them(
    answers: Callable[..., list[str | None]],
    rng: random.Random,
    flip: Callable[..., str],
    country: str,
) -> None:
    """In Mexico the library does not tell mobile from fixed, and neither do we."""
    digits = len(example(country))
    code = calling_code(country)
    numbers = [code + flip(example(country)) for _ in range(500)]
    numbers += [code + f"{rng.randrange(10**digits):0{digits}d}" for _ in range(500)]
    numbers += [code + f"{rng.randrange(10**7)}" for _ in range(50)]

    codes = answers(msisdn.problem, numbers, [country] * len(numbers))

    assert [each is None for each in codes] == [
        library_takes(number, country) for number in numbers
    ]
    assert None in codes


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_way_of_writing_a_number_is_read_as_one(
    answers: Callable[..., list[str | None]], country: str
) -> None:
    """The country comes from the line, the trunk 0 from the country: BJ and CI have none."""
    national, code = example(country), calling_code(country)
    metadata = PhoneMetadata.metadata_for_region(country)
    assert metadata is not None
    trunk = metadata.national_prefix or ""
    written = [
        national,
        trunk + national,
        f"+{code}{national}",
        f"00{code}{national}",
        f"{code}{national}",
        f"+{code} ({trunk}){national[:3]} {national[3:5]}-{national[5:]}",
        f"{trunk}{national[:3]} {national[3:6]}.{national[6:]}",
        f"\u202a+{code}\u00a0{national}\u202c",
    ]

    numbers = answers(msisdn.normalised, written, [country] * len(written))

    assert set(numbers) == {code + national}
    assert set(answers(msisdn.problem, numbers, [country] * len(written))) == {None}


@pytest.mark.parametrize(
    ("written", "country", "code"),
    [
        ("97123456", "BJ", "E_MSISDN_OLD_BENIN"),
        ("+229 97 12 34 56", "BJ", "E_MSISDN_OLD_BENIN"),
        ("0197123456", "BJ", None),
        ("+229 01 97 12 34 56", "BJ", None),
        ("07123456", "CI", "E_MSISDN_OLD_IVORY_COAST"),
        ("+22507123456", "CI", "E_MSISDN_OLD_IVORY_COAST"),
        ("0707123456", "CI", None),
        ("+225 07 07 12 34 56", "CI", None),
        ("+52 1 55 1234 5678", "MX", "E_MSISDN_OLD_MEXICO"),
        ("+52 55 1234 5678", "MX", None),
        ("0712345678", "KE", None),
        ("0202345678", "KE", "E_MSISDN_NOT_MOBILE"),
        ("071234567", "KE", "E_MSISDN_LENGTH"),
        ("07123456789", "KE", "E_MSISDN_LENGTH"),
        ("+256772123456", "KE", "E_MSISDN_COUNTRY"),
        ("00256772123456", "KE", "E_MSISDN_COUNTRY"),
        ("M-PESA", "KE", "E_MSISDN_FORMAT"),
        ("", "KE", "E_MSISDN_FORMAT"),
        ("0712345678", "001", "W_MSISDN_UNCHECKED"),
        ("0712345678", None, "W_MSISDN_UNCHECKED"),
        (None, "KE", None),
        (None, None, None),
    ],
)
def test_the_code_says_what_is_wrong(
    answers: Callable[..., list[str | None]],
    written: str | None,
    country: str | None,
    code: str | None,
) -> None:
    numbers = answers(msisdn.normalised, [written], [country])

    assert answers(msisdn.problem, numbers, [country]) == [code]


def test_lines_of_many_countries_keep_their_order(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    countries = [rng.choice(COUNTRIES) for _ in range(500)]
    written = [f"0{rng.randrange(10**9)}" for _ in countries]

    together = answers(msisdn.normalised, written, countries)

    alone = [
        answers(msisdn.normalised, [number], [country])[0]
        for number, country in zip(written, countries, strict=True)
    ]
    assert together == alone
    assert answers(msisdn.normalised, [], []) == []


@pytest.mark.parametrize(
    ("number", "country", "network", "code"),
    [
        ("254722123456", "KE", "M-PESA", None),
        ("254722123456", "KE", "Safaricom", None),
        ("254722123456", "KE", "Airtel Money", "W_MSISDN_NETWORK"),
        ("254733123456", "KE", "mpesa", "W_MSISDN_NETWORK"),
        ("254722123456", "KE", None, None),
        ("254722123456", "KE", "somebody else", None),
        ("233244123456", "GH", "MTN MoMo", None),
        ("233244123456", "GH", "Telecel Cash", "W_MSISDN_NETWORK"),
        ("233204123456", "GH", "Vodafone Cash", None),
        ("233274123456", "GH", "AT Money", None),
        ("2250707123456", "CI", "Orange Money", None),
        ("2250707123456", "CI", "Wave", None),
        ("2250707123456", "CI", "MTN", "W_MSISDN_NETWORK"),
        ("221761234567", "SN", "Free Money", None),
        ("255741234567", "TZ", "Vodacom", None),
        ("255651234567", "TZ", "Tigo Pesa", None),
        ("255651234567", "TZ", "Airtel", "W_MSISDN_NETWORK"),
        ("2290197123456", "BJ", "MTN_MOMO_BEN", None),
        ("2290197123456", "BJ", "MOOV_BEN", "W_MSISDN_NETWORK"),
        ("2348031234567", "NG", "OPay", None),
        (None, "KE", "mpesa", None),
    ],
)
def test_a_number_of_another_operator_is_a_warning(
    answers: Callable[..., list[str | None]],
    number: str | None,
    country: str,
    network: str | None,
    code: str | None,
) -> None:
    """People keep their number when they change, and Wave has numbers of all operators."""
    assert answers(msisdn.network_problem, [number], [country], [network]) == [code]


def test_the_operators_numbers_are_mobile_numbers_and_belong_to_one_operator_each(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    for country, operators in msisdn.OPERATORS.items():
        digits, code = len(example(country)), calling_code(country)
        numbers = [code + f"{rng.randrange(10**digits):0{digits}d}" for _ in range(3_000)]
        claims = [
            answers(msisdn.network_problem, numbers, [country] * 3_000, [operator] * 3_000)
            for operator in operators
        ]

        for number, codes in zip(numbers, zip(*claims, strict=True), strict=True):
            warned = codes.count("W_MSISDN_NETWORK")
            assert warned in {0, len(operators) - 1}, number


@pytest.mark.parametrize(
    ("country", "written", "sent"),
    [
        ("CO", "300 123 4567", "+573001234567"),
        ("CO", "+57 300-123-4567", "+573001234567"),
        ("CO", "00573001234567", "+573001234567"),
        ("ZA", "27711234567", "+27711234567"),
        ("ZA", "071 123 4567", "+27711234567"),
        ("CO", "+34 612 34 56 78", "+34612345678"),
        ("DE", "12345", "12345"),
        ("001", "12345", "12345"),
        (None, "12345", "12345"),
        ("CO", None, None),
    ],
)
def test_a_contact_s_number_gets_its_plus_only_where_the_plan_is_sure(
    country: str | None, written: str | None, sent: str | None
) -> None:
    """Platforms refuse a payment for a telephone number in another form (A-ORK-5, Pix page)."""
    schema = {"phone": pl.String, "country": pl.String}
    frame = pl.DataFrame({"phone": [written], "country": [country]}, schema=schema)

    assert frame.select(msisdn.e164(pl.col("phone"), pl.col("country"))).item() == sent
