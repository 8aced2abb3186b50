"""Orkesta debits the account that the settings name for a currency, or nothing at all."""

from __future__ import annotations

import json

import polars as pl
import pytest

from payouts.core.errors import InvariantError, SettingsError
from payouts.providers.client import Exchange
from payouts.providers.orkesta import Orkesta
from payouts.providers.orkestra import Orkestra
from payouts.providers.strict import UnreadableError

CONNECTOR = Orkesta("http://127.0.0.1:9", api_key="k", from_accounts={"TRY": "acc_main"})


def item(currency: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "amount_minor": [1500],
            "currency": [currency],
            "method": ["eft"],
            "account": ["acc_payee"],
            "reference": ["R-1"],
            "description": [None],
            "wire": ["P" * 32],
        },
        schema_overrides={"description": pl.String},
    )


def test_the_account_of_the_currency_is_debited() -> None:
    body = json.loads(CONNECTOR.encode(item("TRY")).item())

    assert body["from_account"] == "acc_main"


def test_a_currency_without_an_account_stops_the_load_and_names_the_setting() -> None:
    """Left out, the platform would choose whom to debit."""
    with pytest.raises(SettingsError, match="GBP") as refused:
        CONNECTOR.encode(item("GBP"))

    assert "orkesta.from_accounts" in refused.value.hint


def told(*rows: object) -> bytes:
    return json.dumps(rows).encode()


def account(balance: str, currency: str = "TRY", name: str = "acc_1") -> bytes:
    """As the platform writes it: the digits as they are, not as a float would have them."""
    return f'{{"id": "{name}", "name": "Main", "currency": "{currency}", "balance": {balance}}}'.encode()


@pytest.mark.parametrize(
    ("balance", "currency", "minor"),
    [
        ("125000.00", "TRY", 12_500_000),
        ("48750.50", "EUR", 4_875_050),
        ("0", "USD", 0),
        ("-12.3", "USD", -1_230),
        ("9007199254740993.01", "EUR", 900_719_925_474_099_301),
        ("1500", "JPY", 1_500),
        ("1500.000", "TRY", 150_000),
    ],
)
def test_a_balance_in_major_units_becomes_minor_units_exactly(
    balance: str, currency: str, minor: int
) -> None:
    """A-OKS-8: one page of the platform counts in cents, another in whole lira."""
    body = b"[" + account(balance, currency) + b"]"

    (found,) = CONNECTOR.read_accounts(Exchange(status=200, body=body))

    assert (found.ref, found.name, found.currency, found.minor) == (
        "acc_1",
        "Main",
        currency,
        minor,
    )


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[7]",
        b"<html>",
        b"[" + account("12.345") + b"]",
        b"[" + account("1.5", "JPY") + b"]",
        b"[" + account("1.00", "XXQ") + b"]",
        b"[" + account("true") + b"]",
        b"[" + account('"12.00"') + b"]",
        b"[" + account("NaN") + b"]",
        b"[" + account("1e400000") + b"]",
        told({"id": "acc_1", "currency": "TRY"}),
        told({"currency": "TRY", "balance": 1}),
    ],
)
def test_balances_that_cannot_be_are_not_guessed(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        CONNECTOR.read_accounts(Exchange(status=200, body=body))


def test_a_cancel_needs_a_committed_attempt() -> None:
    request = CONNECTOR.cancel("pay/1")

    assert (request.method, request.path, request.moves_money) == (
        "DELETE",
        "/payments/pay%2F1",
        True,
    )


def test_a_platform_that_cannot_cancel_says_so() -> None:
    connector = Orkestra("http://127.0.0.1:9", key_id="k", secret="s")  # noqa: S106  nobody listens

    assert not connector.capabilities.cancel
    with pytest.raises(InvariantError):
        connector.cancel("po_1")
