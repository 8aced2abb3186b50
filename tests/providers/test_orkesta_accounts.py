"""Orkesta debits the account that the settings name for a currency, or nothing at all."""

from __future__ import annotations

import json

import polars as pl
import pytest

from payouts.core.errors import SettingsError
from payouts.providers.orkesta import Orkesta

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
