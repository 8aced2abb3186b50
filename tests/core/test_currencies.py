"""The currency table against the ISO 4217 list that another package carries."""

from __future__ import annotations

import iso4217
import pytest

from payouts.core.currencies import CURRENCIES, SUCCESSORS, currency
from payouts.core.errors import UsageError
from payouts.core.problems import KINDS

NOT_ISO = {"USDT", "USDC", "SLL"}


def test_every_active_code_with_a_minor_unit_has_its_exponent() -> None:
    listed = {one.code: one.exponent for one in iso4217.Currency if one.exponent is not None}

    ours = {code: unit.exponent for code, unit in CURRENCIES.items() if code not in NOT_ISO}

    assert ours == listed


@pytest.mark.parametrize("code", ["CLP", "XOF", "XAF", "UGX", "RWF"])
def test_zero_decimal_currencies_of_the_coverage_table_have_none(code: str) -> None:
    """A provider that wants two decimals there is a hundredfold trap."""
    assert currency(code).exponent == 0


def test_stablecoins_are_assets_of_six_decimals() -> None:
    assert [(unit.exponent, unit.asset) for unit in map(currency, ["USDT", "USDC"])] == [
        (6, True)
    ] * 2


def test_the_old_leone_stays_payable_and_names_its_successor() -> None:
    assert (currency("SLL").successor, currency("SLL").exponent) == ("SLE", 2)


def test_no_withdrawn_code_is_active_beside_the_old_leone() -> None:
    assert SUCCESSORS.keys() & CURRENCIES.keys() == {"SLL"}


def test_every_successor_is_active() -> None:
    """A refusal that names another dead code would send the operator in a circle."""
    assert set(SUCCESSORS.values()) <= CURRENCIES.keys()


@pytest.mark.parametrize(
    ("code", "successor"),
    [
        ("BGN", "EUR"),
        ("HRK", "EUR"),
        ("ANG", "XCG"),
        ("ZMK", "ZMW"),
        ("GHC", "GHS"),
        ("TRL", "TRY"),
        ("ZWL", "ZWG"),
    ],
)
def test_a_withdrawn_code_is_refused_with_its_successor(code: str, successor: str) -> None:
    with pytest.raises(UsageError, match=successor) as caught:
        currency(code)

    assert caught.value.code == "E_CURRENCY_WITHDRAWN"


@pytest.mark.parametrize(
    "code", ["", "eur", "XXX", "XAU", "BTC", "€", "EUR ", "\uff25\uff35\uff32"]
)
def test_what_is_no_currency_is_refused(code: str) -> None:
    with pytest.raises(UsageError) as caught:
        currency(code)

    assert caught.value.code in KINDS
