"""Money: exact, or refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.core.currencies import CURRENCIES, Currency, currency
from payouts.core.errors import AmountError, InvariantError
from payouts.core.money import MINOR_MAX, Money, format_minor, parse_minor

UNITS = st.sampled_from(sorted(CURRENCIES.values(), key=str))
MINORS = st.integers(0, MINOR_MAX)


@given(MINORS, UNITS)
def test_what_is_formatted_is_read_back(minor: int, unit: Currency) -> None:
    assert parse_minor(format_minor(minor, unit.exponent), unit) == minor


@given(MINORS, UNITS)
def test_the_text_means_what_a_decimal_would(minor: int, unit: Currency) -> None:
    assert Decimal(Money(minor, unit).text) == Decimal(minor).scaleb(-unit.exponent)


@given(st.from_regex(r"[0-9]{1,15}(\.[0-9]{1,9})?", fullmatch=True), UNITS)
def test_a_wellformed_text_is_exact_or_refused(text: str, unit: Currency) -> None:
    """Nothing in between: a rounding nobody asked for is somebody's money."""
    whole, _, decimals = text.partition(".")
    if len(whole) + unit.exponent > len(str(MINOR_MAX)):
        refusal = "E_AMOUNT_RANGE"
    elif len(decimals) > unit.exponent:
        refusal = "E_AMOUNT_PRECISION"
    else:
        assert Decimal(parse_minor(text, unit)).scaleb(-unit.exponent) == Decimal(text)
        return

    with pytest.raises(AmountError) as caught:
        parse_minor(text, unit)

    assert caught.value.code == refusal


@given(st.text(max_size=12))
def test_any_other_text_is_refused(text: str) -> None:
    parts = text.split(".")
    is_amount = len(parts) <= 2 and all(part and set(part) <= set("0123456789") for part in parts)

    if not is_amount:
        with pytest.raises(AmountError):
            parse_minor(text, currency("USDT"))


@pytest.mark.parametrize(
    ("text", "code", "refusal"),
    [
        ("10.005", "USD", "E_AMOUNT_PRECISION"),
        ("10.5", "JPY", "E_AMOUNT_PRECISION"),
        ("10.0", "XOF", "E_AMOUNT_PRECISION"),
        ("1.234", "CLP", "E_AMOUNT_PRECISION"),
        ("1e3", "USD", "E_AMOUNT_FORMAT"),
        ("1,000.00", "USD", "E_AMOUNT_FORMAT"),
        ("$10", "USD", "E_AMOUNT_FORMAT"),
        ("(10)", "USD", "E_AMOUNT_FORMAT"),
        ("+10", "USD", "E_AMOUNT_FORMAT"),
        ("NaN", "USD", "E_AMOUNT_FORMAT"),
        ("Infinity", "USD", "E_AMOUNT_FORMAT"),
        (".5", "USD", "E_AMOUNT_FORMAT"),
        ("5.", "USD", "E_AMOUNT_FORMAT"),
        ("１０", "USD", "E_AMOUNT_FORMAT"),  # noqa: RUF001  full-width digits are the case
        ("٣", "USD", "E_AMOUNT_FORMAT"),
        ("10\n", "USD", "E_AMOUNT_FORMAT"),
        ("", "USD", "E_AMOUNT_FORMAT"),
        ("-10", "USD", "E_AMOUNT_NEGATIVE"),
        ("1" * 20, "USD", "E_AMOUNT_RANGE"),
        ("9" * 5000, "USD", "E_AMOUNT_RANGE"),
        ("1" * 14, "USD", "E_AMOUNT_RANGE"),
    ],
)
def test_each_wrong_form_has_its_code(text: str, code: str, refusal: str) -> None:
    with pytest.raises(AmountError) as caught:
        parse_minor(text, currency(code))

    assert caught.value.code == refusal


def test_a_precision_error_names_both_neighbours() -> None:
    with pytest.raises(AmountError, match=r"write 12\.50 or 12\.51"):
        parse_minor("12.505", currency("EUR"))


def test_superfluous_zeros_name_the_one_amount_that_is_meant() -> None:
    with pytest.raises(AmountError, match=r"write 1500$"):
        parse_minor("1500.00", currency("CLP"))


def test_a_huge_number_of_decimals_is_refused_in_no_time() -> None:
    with pytest.raises(AmountError, match="decimals"):
        parse_minor("1." + "0" * 100_000, currency("EUR"))


def test_sums_and_differences_stay_in_one_currency() -> None:
    ten, four = Money.of(1000, "EUR"), Money.of(400, "EUR")

    assert (ten + four, ten - four, -four) == (
        Money.of(1400, "EUR"),
        Money.of(600, "EUR"),
        Money.of(-400, "EUR"),
    )


@pytest.mark.parametrize("verb", ["__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"])
def test_two_currencies_are_never_mixed(verb: str) -> None:
    with pytest.raises(InvariantError):
        getattr(Money.of(1, "EUR"), verb)(Money.of(1, "USD"))


def test_money_is_ordered_and_true_when_there_is_some() -> None:
    one, two = Money.of(1, "EUR"), Money.of(2, "EUR")

    assert one < two
    assert two >= one
    assert one <= one  # noqa: PLR0124  equal is also at most
    assert two > one
    assert [bool(Money.of(minor, "EUR")) for minor in (0, 1, -1)] == [False, True, True]


@pytest.mark.parametrize(
    ("minor", "code", "shown"),
    [
        (125000, "EUR", "1,250.00 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (1250, "XOF", "1,250 XOF"),
        (1_000_000, "USDT", "1.000000 USDT"),
    ],
)
def test_money_is_shown_with_its_currency(minor: int, code: str, shown: str) -> None:
    assert str(Money.of(minor, code)) == shown
