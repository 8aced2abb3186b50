"""The coverage table: what the platforms list, and a user's own rows."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pytest

from payouts.core.coverage import IDENTIFIERS
from payouts.core.currencies import CURRENCIES
from payouts.core.errors import SettingsError
from payouts.core.methods import METHODS, PULLS
from payouts.intake.coverage import COLUMNS, SCHEMA, coverage_of, load, version
from payouts.intake.identifiers import COMPANIONS, RULES, sepa

if TYPE_CHECKING:
    from pathlib import Path

TABLE = coverage_of(load())

# Orkestra, "Service coverage", row by row as the page has them.
LISTED = {
    ("AR", "ARS"): "bank_transfer",
    ("BR", "BRL"): "cards pix cash",
    ("CL", "CLP"): "cards cash bank_transfer",
    ("CO", "COP"): "cards pse cash bank_transfer daviplata nequi",
    ("EC", "USD"): "cash",
    ("MX", "MXN"): "cards spei cash bank_transfer",
    ("PE", "PEN"): "cards cash bank_transfer",
    ("BJ", "XOF"): "mobile_money",
    ("BF", "XOF"): "bank_transfer",
    ("CM", "XAF"): "bank_transfer mobile_money",
    ("EG", "EGP"): "cash bank_transfer",
    ("ET", "ETB"): "bank_transfer mobile_money",
    ("GH", "GHS"): "bank_transfer mobile_money",
    ("CI", "XOF"): "bank_transfer mobile_money",
    ("KE", "KES"): "bank_transfer mobile_money",
    ("MW", "MWK"): "bank_transfer",
    ("NG", "NGN"): "bank_transfer mobile_money",
    ("RW", "RWF"): "bank_transfer mobile_money",
    ("SN", "XOF"): "bank_transfer mobile_money",
    ("SL", "SLL"): "bank_transfer",
    ("ZA", "ZAR"): "cash",
    ("TZ", "TZS"): "bank_transfer mobile_money",
    ("UG", "UGX"): "bank_transfer mobile_money",
    ("ZM", "ZMW"): "mobile_money",
    ("001", "USDT"): "crypto_transfer",
    ("001", "USDC"): "crypto_transfer",
}


def test_orkestra_serves_exactly_what_its_page_lists_with_europe_as_the_sepa_countries() -> None:
    found = defaultdict(list)
    for row in TABLE.rows:
        if row.provider == "orkestra":
            found[row.country, row.currency].append(row.method)

    listed = {key: methods.split() for key, methods in LISTED.items()}
    listed |= {(country, "EUR"): ["sepa"] for country in sepa.SCOPE}
    assert found == listed


def test_orkesta_pays_turkey_in_the_currencies_of_its_methods() -> None:
    found = {(row.currency, row.method) for row in TABLE.rows if row.provider == "orkesta"}

    domestic = {("TRY", "eft")}
    by_bank = {(code, "bank_transfer") for code in ("TRY", "USD", "EUR", "GBP")}
    by_card = {(code, "card") for code in ("TRY", "USD", "EUR")}
    virtual = {(code, "virtual_account") for code in ("TRY", "USD", "EUR", "GBP")}
    assert found == domestic | by_bank | by_card | virtual


def test_orchestrate_collects_in_its_four_currencies_and_pays_nobody() -> None:
    rows = [row for row in TABLE.rows if row.provider == "orchestrate"]

    assert {row.currency for row in rows} == {"USD", "EUR", "GBP", "CAD"}
    assert {row.direction for row in rows} == {"collection"}


def test_cash_and_cards_go_both_ways_and_pse_only_in() -> None:
    directions = {(row.method, row.direction) for row in TABLE.rows}

    assert {way for method, way in directions if method in {"cash", "cards"}} == {"both"}
    assert {way for method, way in directions if method == "pse"} == {"collection"}


def test_cards_are_paid_by_token_and_never_by_number() -> None:
    rules = {row.identifier for row in TABLE.rows if row.method in {"card", "cards"}}

    assert rules == {"card_token"}


def test_sepa_countries_join_on_the_day_that_the_scope_says() -> None:
    for row in TABLE.rows:
        if row.method == "sepa":
            joined = sepa.MEMBERS.get(row.country, date.min)
            assert (row.valid_from or date.min) == (joined if joined.year >= 2025 else date.min)


def test_every_row_names_a_rule_that_exists_and_every_rule_has_its_name() -> None:
    assert set(RULES) - set(COMPANIONS) | {"none"} == IDENTIFIERS
    assert {row.identifier for row in TABLE.rows} <= IDENTIFIERS


def test_every_row_has_a_source_a_known_method_and_its_providers_decimals() -> None:
    for row in TABLE.rows:
        assert row.source
        assert row.method in METHODS | PULLS
        assert row.decimals_of(row.provider) == CURRENCIES[row.currency].exponent


def test_only_the_old_leone_is_withdrawn_and_it_is_warned_of() -> None:
    withdrawn = [row for row in TABLE.rows if CURRENCIES[row.currency].successor]

    assert [(row.country, row.warning) for row in withdrawn] == [("SL", "W_CURRENCY_SLL")]


def test_the_frame_has_its_schema_and_one_row_per_combination() -> None:
    frame = load()

    assert frame.schema == SCHEMA
    assert frame.select("country", "currency", "method").is_unique().all()
    assert date.fromisoformat(version()) <= date(2100, 1, 1)


def test_rows_survive_the_way_through_the_frame() -> None:
    assert coverage_of(load()).rows == TABLE.rows


HEADER = ",".join(COLUMNS)


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "mine.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_users_row_replaces_ours_and_a_new_one_is_added(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "BR,Brazil,BRL,pix,payout,orkestra,pix_key,name;account,1.00,500.00,orkestra:2,,,,mine",
        "US,,USD,bank_transfer,payout,orkestra;orkesta,aba_account,name;account;bank_code,,,,2026-01-01,2026-12-31,,mine",
    )

    table = coverage_of(load(path))

    pix, wire = table.at("BR", "BRL", "pix"), table.at("US", "USD", "bank_transfer")
    assert pix is not None
    assert (pix.minimum, pix.maximum, pix.required) == (100, 50000, ("name", "account"))
    assert wire is not None
    assert (wire.country_name, wire.providers) == ("United States", ("orkestra", "orkesta"))
    assert wire.in_force(date(2026, 6, 1))
    assert len(table.rows) == len(TABLE.rows) + 1


def test_columns_that_may_be_blank_may_be_missing(tmp_path: Path) -> None:
    header = "country,currency,method,direction,providers,identifier"
    path = write(tmp_path, "GH,GHS,cash,payout,orkestra,cash_document", header=header)

    assert coverage_of(load(path)).methods("GH") == ("bank_transfer", "mobile_money", "cash")


GOOD_ROW = {
    "country": "BR",
    "country_name": "Brazil",
    "currency": "BRL",
    "method": "pix",
    "direction": "both",
    "providers": "orkestra",
    "identifier": "pix_key",
    "required": "name",
    "min": "1.00",
    "max": "2.00",
    "decimals": "orkestra:2",
    "valid_from": "2026-01-01",
    "valid_to": "2026-12-31",
    "warning": "W_CURRENCY_SLL",
    "source": "mine",
}


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("country", "Brazil", "'Brazil' is no ISO 3166 alpha-2 code, nor 001"),
        ("country", "", "is blank"),
        ("currency", "BGN", "'BGN' is no currency of ISO 4217, nor USDT or USDC"),
        ("method", "Bank Transfer", "'Bank Transfer' is not snake_case"),
        ("direction", "out", "'out' is none of payout, collection, both"),
        ("providers", "orkestro", "'orkestro' is none of orkesta, orkestra"),
        ("providers", "orchestrate", "'orchestrate' is none of orkesta, orkestra"),
        ("identifier", "pix", "'pix' is none of"),
        ("required", "name;acount", "'acount' is none of"),
        ("min", "1.005", "'1.005' has 3 decimals, BRL has 2"),
        ("max", "0.50", "max is below min"),
        ("decimals", "two", "'two' is not of the form orkestra:2"),
        ("decimals", "orkesta:2", "'orkesta' is no provider of the row"),
        ("valid_from", "1.1.2026", "'1.1.2026' is no date of the form 2026-12-31"),
        ("valid_to", "2025-12-31", "valid_to is before valid_from"),
        ("warning", "E_AMOUNT_ZERO", "'E_AMOUNT_ZERO' is no code of a warning"),
    ],
)
def test_a_wrong_cell_is_named_with_its_row_and_column(
    tmp_path: Path, column: str, cell: str, said: str
) -> None:
    cells = GOOD_ROW | {column: cell}
    path = write(
        tmp_path, ",".join(GOOD_ROW.values()).replace("pix,", "cash,", 1), ",".join(cells.values())
    )

    with pytest.raises(SettingsError) as caught:
        load(path)

    assert caught.value.code == "E_COVERAGE_ROW"
    assert f"row 2, {column}: {said}" in caught.value.message


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, ",".join((GOOD_ROW | {"min": "x", "warning": "y"}).values()))

    with pytest.raises(SettingsError, match=r"has 2 faults: row 1, min: .*; row 1, warning: "):
        load(path)


def test_the_same_combination_twice_is_refused(tmp_path: Path) -> None:
    row = ",".join(GOOD_ROW.values())

    with pytest.raises(SettingsError, match="BR BRL pix stands there 2 times"):
        load(write(tmp_path, row, row))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (HEADER + ",colour", "has the unknown columns colour"),
        ("country,currency", "lacks the columns method, direction, providers, identifier"),
    ],
)
def test_a_wrong_header_is_refused(tmp_path: Path, header: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        load(write(tmp_path, header=header))

    assert caught.value.code == "E_COVERAGE_FILE"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00c\x00o", b'a,b\n"1,2\n'])
def test_a_file_that_cannot_be_read_is_a_settings_error(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "mine.csv"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SettingsError) as caught:
        load(path)

    assert caught.value.code == "E_COVERAGE_FILE"


def test_an_override_changes_nothing_for_the_next_load(tmp_path: Path) -> None:
    load(write(tmp_path, ",".join(GOOD_ROW.values())))

    assert load().equals(load())
    assert coverage_of(load()).rows == TABLE.rows


def test_providers_of_the_frame_are_words_and_bounds_are_numbers() -> None:
    frame = load()

    assert frame.filter(pl.col("method") == "sepa")["max_minor"].unique().to_list() == [99999999999]
    assert frame["providers"].str.contains(r"^[a-z]+(;[a-z]+)*$").all()
