"""The rules as a whole: what every one of them promises."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import payouts.intake.identifiers as package
from payouts.core.problems import ACCOUNTS, KINDS
from payouts.intake.coverage import load
from payouts.intake.identifiers import COMPANIONS, RULES, identified

COLUMNS = (
    "account",
    "country",
    "currency",
    "method",
    "account_kind",
    "bank_code",
    "branch_code",
    "account_type",
    "document",
    "document_kind",
    "phone",
    "network",
)
# One good value of the column that each rule reads, and what its line needs beside it.
GOOD: dict[str, dict[str, str]] = {
    "iban": {"account": "EG38 0019 0005 0000 0000 2631 8000 2", "country": "EG"},
    "iban_sepa": {"account": "de89 3704 0044 0532 0130 00", "country": "DE"},
    "iban_tr": {"account": "TR33 0006 1005 1978 6457 8413 26", "country": "TR"},
    "iban_or_rib": {"account": "BJ0610100100144390000769", "country": "BJ"},
    "cbu_cvu_alias": {"account": "28505909 40090418135201", "country": "AR"},
    "pix_key": {"account": "123.456.789-09", "country": "BR"},
    "cl_account": {"account": "001-23456", "country": "CL"},
    "co_account": {"account": "123-456789-01", "country": "CO"},
    "clabe": {"account": "002 010 077777777771", "country": "MX"},
    "clabe_or_spei": {"account": "+52 55 1234 5678", "country": "MX"},
    "cci": {"account": "011-366-000100032542-21", "country": "PE"},
    "nuban": {"account": "0000014579", "country": "NG", "bank_code": "011"},
    "bank_account": {"account": "0011 2233 4455", "country": "KE"},
    "msisdn": {"account": "0712 345678", "country": "KE", "network": "mpesa"},
    "co_wallet": {"account": "300 123 4567", "country": "CO"},
    "card_token": {"account": "tok_1a2b3c4d5e visa 4242", "country": "BR"},
    "crypto_address": {
        "account": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "country": "001",
        "currency": "USDC",
        "network": "ERC-20",
    },
    "orkesta_account": {"account": "acc_01hx3k9qze4p7vb2ntcm6d8faj", "country": "TR"},
    "aba_account": {"account": "000123456789", "country": "US"},
    "uk_account": {"account": "12 34 56 78", "country": "GB"},
    "ca_account": {"account": "0123-4567-89", "country": "CA"},
    "cash_document": {"document": "1714307103", "country": "EC"},
    "document": {"document": "12.531.909-2", "country": "CL"},
    "bank_code": {"bank_code": "111000025", "country": "US", "currency": "USD"},
}
KINDS_FOUND = {
    "iban": "iban",
    "iban_sepa": "iban",
    "iban_tr": "iban",
    "iban_or_rib": "iban",
    "cbu_cvu_alias": "cbu",
    "pix_key": "pix_cpf",
    "cl_account": "bank_account",
    "co_account": "bank_account",
    "clabe": "clabe",
    "clabe_or_spei": "msisdn",
    "cci": "cci",
    "nuban": "nuban",
    "bank_account": "bank_account",
    "msisdn": "msisdn",
    "co_wallet": "msisdn",
    "card_token": "token",
    "crypto_address": "evm",
    "orkesta_account": "orkesta_account",
    "aba_account": "bank_account",
    "uk_account": "bank_account",
    "ca_account": "bank_account",
}


def lines(*rows: dict[str, str]) -> pl.DataFrame:
    """Lines with all canonical columns that a rule may read."""
    return pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in COLUMNS},
        schema=dict.fromkeys(COLUMNS, pl.String),
    )


def test_every_identifier_of_the_coverage_table_has_a_rule() -> None:
    """A payout row without a rule would let any account through."""
    payable = load().filter(pl.col("direction") != "collection")
    named = set(payable["identifier"].to_list())

    assert named - {"none"} <= set(RULES)
    assert set(COMPANIONS) <= set(RULES)
    assert set(GOOD) == set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_good_line_has_no_problem_and_its_reading_is_stable(name: str) -> None:
    rule = RULES[name]

    once = identified(rule, lines(GOOD[name]))
    again = identified(rule, once.select(COLUMNS))

    assert once["code"].to_list() == [None]
    assert once[rule.column].to_list() == again[rule.column].to_list()
    assert again["code"].to_list() == [None]
    if rule.column == "account":
        assert once["account_kind"].to_list() == [KINDS_FOUND[name]]
        assert len(str(once["account_last4"].item())) == 4


@pytest.mark.parametrize("name", RULES)
def test_a_missing_value_stays_missing_and_is_no_problem_of_the_rule(name: str) -> None:
    """Whether a column may be missing is for the coverage row to say."""
    rule = RULES[name]
    without = {key: value for key, value in GOOD[name].items() if key != rule.column}

    found = identified(rule, lines(without, {}))

    assert found[rule.column].to_list() == [None, None]
    assert found["code"].to_list() == [None, None]
    assert found["code"].dtype == pl.String


@pytest.mark.parametrize("name", RULES)
def test_no_lines_at_all_give_no_lines(name: str) -> None:
    found = identified(RULES[name], lines())

    assert found.height == 0
    assert found["code"].dtype == pl.String


@pytest.mark.parametrize("name", RULES)
def test_a_number_that_a_spreadsheet_made_is_named_as_such(name: str) -> None:
    rule = RULES[name]
    rows = [{**GOOD[name], rule.column: damage} for damage in ("8.93E+19", "12345678.0")]

    found = identified(rule, lines(*rows))

    assert set(found["code"].to_list()) == {"E_ACCOUNT_SPREADSHEET"}


@pytest.mark.parametrize("name", RULES)
def test_lines_keep_their_order_and_their_other_columns(name: str) -> None:
    rule = RULES[name]
    rows = [GOOD[name], {}, {**GOOD[name], rule.column: "?"}] * 50
    frame = lines(*rows).with_columns(pl.int_range(150, dtype=pl.Int64).alias("line"))

    found = identified(rule, frame)

    assert found["line"].to_list() == list(range(150))
    assert found["country"].to_list() == frame["country"].to_list()
    assert found["code"].to_list() == found["code"].to_list()[:3] * 50
    assert set(found.columns) >= {*COLUMNS, "line", "code"}


@given(
    st.lists(
        st.one_of(
            st.text(max_size=60),
            st.from_regex(r"[0-9A-Za-z +.-]{1,40}", fullmatch=True),
            st.from_regex(r"[0-9]{5,24}", fullmatch=True),
            st.none(),
        ),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from(["BR", "CO", "KE", "MX", "CI", "TR", "US", "001", "", None]),
    st.one_of(st.none(), st.text(max_size=12)),
)
@settings(max_examples=60, deadline=None)
def test_no_text_makes_a_rule_fall_over_and_every_code_is_explained(
    values: list[str | None], country: str | None, word: str | None
) -> None:
    """A payee file is written by strangers: any text may stand in any column."""
    filled = {name: [word] * len(values) for name in COLUMNS}
    filled["country"] = [country] * len(values)
    for rule in RULES.values():
        frame = pl.DataFrame(
            {**filled, rule.column: values}, schema=dict.fromkeys(COLUMNS, pl.String)
        )

        found = identified(rule, frame)

        assert found.height == len(values)
        assert set(found["code"].drop_nulls()) <= set(KINDS)


def test_every_code_of_the_rules_is_explained_and_every_explanation_is_of_a_rule() -> None:
    folder = Path(package.__file__).parent
    source = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    used = set(re.findall(r'"([EW]_[A-Z0-9_]+)"', source)) - {"E_"}
    families = {f"E_{name}_FORMAT" for name in ("EVM", "TRON", "SOLANA")}

    by_environment = {"E_ORKESTA_IBAN"}  # payouts.intake.checks: live only

    assert used | families | by_environment == {kind.code for kind in ACCOUNTS}


def test_every_explanation_shows_a_masked_value_and_says_what_to_do() -> None:
    codes = [kind.code for kind in ACCOUNTS]

    assert len(set(codes)) == len(codes)
    for kind in ACCOUNTS:
        assert "{value}" in kind.message, kind.code
        assert kind.hint.endswith("."), kind.code
        assert kind.source, kind.code
        assert kind.scope == "line", kind.code
