"""Checks of lines: each kind of mistake with its exact code, and all mistakes of a line."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payouts.core.latin import to_sepa
from payouts.core.problems import KINDS, LINES
from payouts.intake.checks import GOOD, Checked, Rules, check
from payouts.intake.coverage import load
from payouts.intake.fields import sepa_text
from payouts.intake.frames import CANONICAL, PROBLEMS

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

Line = dict[str, str | None]

COVERAGE = load()
SANDBOX = Rules(
    coverage=COVERAGE,
    environment="sandbox",
    today=date(2026, 11, 20),
    own_accounts=frozenset({"DE89 3704 0044 0532 0130 00"}),
    has_reference=True,
)
LIVE = replace(SANDBOX, environment="live")


def line(country: str, currency: str, method: str, account: str | None, **more: str | None) -> Line:
    words = {"country": country, "currency": currency, "method": method, "account": account}
    return {"reference": "R-1", "name": "Maria Santos", "amount": "1250", **words, **more}


SEPA: Final = line("DE", "EUR", "sepa", "DE68210501700012345678", amount="1250.00")
PIX: Final = line("BR", "BRL", "pix", "maria@example.com", document="41290807507")
CARDS: Final = line("BR", "BRL", "cards", "tok_examplecard01", document="41290807507")
WAVE: Final = line("SN", "XOF", "mobile_money", "221701234567")
MPESA: Final = line("KE", "KES", "mobile_money", "254712123456")
GHANA: Final = line("GH", "GHS", "bank_transfer", "0012300456789", bank_code="030100")
LEONE: Final = line(
    "SL", "SLL", "bank_transfer", "001234567890", bank_code="SLCBSLFR", branch_code="100"
)
CASH: Final = line("ZA", "ZAR", "cash", None, document="8001015009087", phone="27711234567")
CRYPTO: Final = line(
    "001", "USDT", "crypto_transfer", "TA4Y62o6YC2Zsck9rZVGTvqW1AQ7X9zTnj", network="TRC-20"
)
TURKEY: Final = line("TR", "TRY", "eft", "acc_01hx3k9qze4p7vb2ntcm6d8faj")
CLABE: Final = line("MX", "MXN", "bank_transfer", "012180001183597198", document="GODE561231GR8")

GOOD_LINES: Final = {
    "sepa": SEPA,
    "pix": PIX,
    "cards": CARDS,
    "wave": WAVE,
    "mpesa": MPESA,
    "ghana": GHANA,
    "cash": CASH,
    "crypto": CRYPTO,
    "turkey": TURKEY,
    "clabe": CLABE,
}


def frame_of(*lines: Line) -> pl.DataFrame:
    """The lines, numbered from 2, with all canonical columns."""
    rows = [
        [number, *(each.get(name) for name in CANONICAL)] for number, each in enumerate(lines, 2)
    ]
    schema = {"line": pl.Int64()} | {name: pl.String() for name in CANONICAL}
    return pl.DataFrame(rows, schema=schema, orient="row")


def codes(checked: Checked) -> list[str]:
    return checked.problems["code"].to_list()


@pytest.mark.parametrize("name", GOOD_LINES)
def test_a_good_line_has_no_problem_and_all_columns_of_an_item(name: str) -> None:
    checked = check(frame_of(GOOD_LINES[name]), SANDBOX)

    assert codes(checked) == []
    assert checked.good.schema == GOOD
    assert checked.problems.schema == PROBLEMS
    assert checked.good.height == 1


# RELIABILITY.md §5 "Lines", then what PAYEES.md adds: a good line, what is changed, the codes.
WRONG: Final[list[tuple[Line, Line, list[str]]]] = [
    # amounts
    (SEPA, {"amount": "10.005"}, ["E_AMOUNT_PRECISION"]),
    (WAVE, {"amount": "10.5"}, ["E_AMOUNT_PRECISION"]),
    (
        SEPA,
        {"currency": "JPY", "amount": "10.5"},
        ["E_CURRENCY_NOT_IN_COUNTRY", "E_AMOUNT_PRECISION"],
    ),
    (SEPA, {"amount": "1e3"}, ["E_AMOUNT_FORMAT"]),
    (SEPA, {"amount": "1,000.00"}, ["E_AMOUNT_FORMAT"]),
    (SEPA, {"amount": "$10"}, ["E_AMOUNT_FORMAT"]),
    (SEPA, {"amount": "(10)"}, ["E_AMOUNT_FORMAT"]),
    (SEPA, {"amount": "+10"}, ["E_AMOUNT_FORMAT"]),
    (SEPA, {"amount": "NaN"}, ["E_AMOUNT_FORMAT"]),
    (SEPA, {"amount": ".5"}, ["E_AMOUNT_FORMAT"]),
    (SEPA, {"amount": "\uff11\uff10"}, ["E_AMOUNT_FORMAT"]),
    (SEPA, {"amount": "1\u00a0000"}, ["E_AMOUNT_FORMAT"]),
    (SEPA, {"amount": "-10"}, ["E_AMOUNT_NEGATIVE"]),
    (SEPA, {"amount": "0"}, ["E_AMOUNT_ZERO"]),
    (SEPA, {"amount": "0.00"}, ["E_AMOUNT_ZERO"]),
    (SEPA, {"amount": "12345678901234567890"}, ["E_AMOUNT_RANGE"]),
    (SEPA, {"amount": None}, ["E_AMOUNT_MISSING"]),
    (SEPA, {"amount": "1000000000.00"}, ["E_AMOUNT_ABOVE_MAXIMUM"]),
    (MPESA, {"amount": "250000.01"}, ["E_AMOUNT_ABOVE_MAXIMUM"]),
    # currencies
    (SEPA, {"currency": "eur"}, ["W_CURRENCY_CASE"]),
    (SEPA, {"currency": "DEM"}, ["E_CURRENCY_WITHDRAWN"]),
    (
        SEPA,
        {"country": "BG", "currency": "BGN", "account": "BG80BNBG96611020345678"},
        ["E_CURRENCY_WITHDRAWN"],
    ),
    (SEPA, {"currency": "€"}, ["E_CURRENCY_UNKNOWN"]),
    (SEPA, {"currency": None}, ["E_CURRENCY_MISSING"]),
    (LEONE, {}, ["W_CURRENCY_SLL"]),
    (LEONE, {"currency": "SLE"}, ["E_CURRENCY_SLE"]),
    # accounts
    (SEPA, {"account": "de68 2105 0170 0012 3456 78"}, []),
    (SEPA, {"account": "DE68210501700012345679"}, ["E_IBAN_CHECK_DIGITS"]),
    (CLABE, {"account": "012180001183597199"}, ["E_CLABE_CHECK_DIGIT"]),
    (GHANA, {"account": "1.23457E+15"}, ["E_ACCOUNT_SPREADSHEET"]),
    (CARDS, {"account": "4111111111111111"}, ["E_CARD_NUMBER"]),
    (SEPA, {"account": "DE89370400440532013000"}, ["E_ACCOUNT_OWN"]),
    (PIX, {"document": "41290807508"}, ["E_CPF_CHECK_DIGITS"]),
    (GHANA, {"bank_code": "1"}, ["E_BANK_CODE_FORMAT"]),
    # names and descriptions
    (SEPA, {"name": "=HYPERLINK(1)"}, ["W_NAME_MARKUP", "W_NAME_TRANSLITERATED"]),
    (PIX, {"name": "@SUM(A1)"}, ["W_NAME_MARKUP"]),
    (PIX, {"name": "<b>Maria</b>"}, ["W_NAME_MARKUP"]),
    (PIX, {"name": "Maria \u202esotnaS"}, ["W_NAME_BIDI"]),
    (PIX, {"name": "Maria\x00Santos"}, ["E_NAME_CONTROL"]),
    (PIX, {"name": "Maria\nSantos"}, ["E_NAME_CONTROL"]),
    (PIX, {"name": "123456"}, ["E_NAME_LETTERS"]),
    (PIX, {"name": "M" * 141}, ["E_NAME_LENGTH"]),
    (SEPA, {"name": "M" * 71}, ["E_NAME_LENGTH"]),
    (SEPA, {"name": "J\u00fcrgen Gro\u00df"}, ["W_NAME_TRANSLITERATED"]),
    (SEPA, {"name": "\u674e\u5c0f\u9f99"}, ["E_NAME_SCRIPT"]),
    (PIX, {"name": "Jo\u00e3o \u674e"}, []),
    (CASH, {"name": "M. Santos"}, ["W_NAME_INITIALS"]),
    (SEPA, {"description": "d" * 141}, ["E_DESCRIPTION_LENGTH"]),
    (SEPA, {"description": "a\tb"}, ["E_DESCRIPTION_CONTROL", "W_DESCRIPTION_TRANSLITERATED"]),
    (SEPA, {"description": "Gr\u00fc\u00dfe"}, ["W_DESCRIPTION_TRANSLITERATED"]),
    (SEPA, {"description": "\u674e"}, ["E_DESCRIPTION_SCRIPT"]),
    # references
    (SEPA, {"reference": None}, ["E_REFERENCE_MISSING"]),
    (SEPA, {"reference": "R" * 65}, ["E_REFERENCE_LENGTH"]),
    (SEPA, {"reference": "R\u200b1"}, ["E_REFERENCE_CHARACTERS"]),
    # dates and other fields
    (SEPA, {"due_date": "2026-11-19"}, ["E_DUE_DATE_PAST"]),
    (SEPA, {"due_date": "2026-11-20"}, []),
    (SEPA, {"due_date": "2027-11-21"}, []),
    (SEPA, {"due_date": "2027-11-22"}, ["E_DUE_DATE_FAR"]),
    (SEPA, {"due_date": "9999-12-31"}, ["E_DUE_DATE_FAR"]),
    (SEPA, {"due_date": "20/11/2026"}, ["E_DUE_DATE_FORMAT"]),
    (SEPA, {"due_date": "2026-02-30"}, ["E_DUE_DATE_FORMAT"]),
    (SEPA, {"due_date": "46346"}, ["E_DUE_DATE_FORMAT"]),
    (SEPA, {"email": "maria(at)example.com"}, ["E_EMAIL_FORMAT"]),
    (SEPA, {"email": "maria@example"}, ["E_EMAIL_FORMAT"]),
    (SEPA, {"email": "maria@example.com"}, []),
    (SEPA, {"phone": "call me"}, ["E_PHONE_FORMAT"]),
    (SEPA, {"phone": "+49 (30) 123-456"}, []),
    (SEPA, {"phone": "987654321098"}, []),
    (CASH, {"phone": "987654321098"}, ["E_PHONE_FORMAT"]),
    (CASH, {"phone": "071 123 4567"}, []),
    (SEPA, {"branch_code": "a\x07b"}, ["E_FIELD_CONTROL"]),
    (SEPA, {"account_type": "x" * 65}, ["E_FIELD_LENGTH"]),
    (SEPA, {"name": None}, ["E_REQUIRED_MISSING"]),
    (SEPA, {"account": None}, ["E_REQUIRED_MISSING"]),
    (CASH, {"document": None, "phone": None}, ["E_REQUIRED_MISSING", "E_REQUIRED_MISSING"]),
    (CRYPTO, {"network": None}, ["E_REQUIRED_MISSING", "E_CRYPTO_NETWORK_MISSING"]),
    # combinations
    (SEPA, {"country": None}, ["E_COUNTRY_MISSING"]),
    (SEPA, {"country": "Germoney"}, ["E_COUNTRY_UNKNOWN"]),
    (SEPA, {"country": "Europe"}, ["E_COUNTRY_EUROPE"]),
    (PIX, {"country": "World"}, ["E_COUNTRY_WORLD"]),
    (CRYPTO, {"country": "BR"}, ["E_COUNTRY_CRYPTO"]),
    (CRYPTO, {"country": None}, []),
    (SEPA, {"country": "US", "currency": "USD"}, ["E_COUNTRY_NOT_COVERED"]),
    (PIX, {"currency": "USD"}, ["E_CURRENCY_NOT_IN_COUNTRY"]),
    (PIX, {"method": None}, ["E_METHOD_MISSING"]),
    (PIX, {"method": "pigeon"}, ["E_METHOD_UNKNOWN"]),
    (line("CO", "COP", "PSE", None), {}, ["E_METHOD_COLLECTION_ONLY"]),
    (line("BJ", "XOF", "bank", None), {}, ["E_METHOD_NOT_IN_COUNTRY"]),
    (line("EC", "USD", "bank", None), {}, ["E_METHOD_NOT_IN_COUNTRY"]),
    (line("ZM", "ZMW", "bank", None), {}, ["E_METHOD_NOT_IN_COUNTRY"]),
    (TURKEY, {"currency": "EUR"}, ["E_METHOD_OTHER_CURRENCY"]),
    (TURKEY, {"method": "virtual_account"}, ["W_METHOD_VIRTUAL_ACCOUNT"]),
    (TURKEY, {"method": "card", "account": "tok_examplecard01"}, ["W_METHOD_CARD"]),
]

WRONG_LIVE: Final[list[tuple[Line, Line, list[str]]]] = [
    (LEONE, {}, ["E_CURRENCY_SLL_UNCONFIRMED", "E_RAIL_UNDOCUMENTED", "W_CURRENCY_SLL"]),
    (MPESA, {}, ["E_RAIL_UNDOCUMENTED"]),
    (PIX, {"reference": "EXAMPLE-1"}, ["E_REFERENCE_EXAMPLE"]),
    (PIX, {}, []),
    (TURKEY, {}, []),
]


def cases(table: list[tuple[Line, Line, list[str]]]) -> list[ParameterSet]:
    """The rows of a table, each named by its number, its change and its first code."""
    return [
        pytest.param(*row, id=f"{number} {ascii(row[1])[:40]} {next(iter(row[2]), 'fine')}")
        for number, row in enumerate(table, 1)
    ]


@pytest.mark.parametrize(("good", "change", "expected"), cases(WRONG))
def test_each_mistake_of_a_line_has_its_exact_codes(
    good: Line, change: Line, expected: list[str]
) -> None:
    checked = check(frame_of(good | change), SANDBOX)

    assert sorted(codes(checked)) == sorted(expected)
    assert checked.good.height == (not any(code.startswith("E_") for code in expected))


@pytest.mark.parametrize(("good", "change", "expected"), cases(WRONG_LIVE))
def test_live_refuses_what_would_send_real_money_by_accident(
    good: Line, change: Line, expected: list[str]
) -> None:
    checked = check(frame_of(good | change), LIVE)

    assert sorted(codes(checked)) == sorted(expected)
    assert checked.good.height == (not any(code.startswith("E_") for code in expected))


def dated(**more: pl.Expr) -> Rules:
    return replace(SANDBOX, coverage=COVERAGE.with_columns(**more))


BY_THE_TABLE: Final = [
    ("E_METHOD_NOT_YET", dated(valid_from=pl.lit(date(2027, 1, 1)))),
    ("E_METHOD_ENDED", dated(valid_to=pl.lit(date(2026, 11, 19)))),
    ("E_AMOUNT_BELOW_MINIMUM", dated(min_minor=pl.lit(125001))),
    ("E_AMOUNT_PROVIDER_DECIMALS", dated(decimals=pl.lit("orkestra:1"))),
    ("E_CURRENCY_SLL_MAPPED", replace(SANDBOX, leone="SLE")),
]


@pytest.mark.parametrize(("code", "rules"), BY_THE_TABLE)
def test_the_tables_own_bounds_are_kept(code: str, rules: Rules) -> None:
    fine = LEONE if code == "E_CURRENCY_SLL_MAPPED" else SEPA | {"amount": "1250.00"}
    amount = "1250.01" if "DECIMALS" in code else fine["amount"]

    assert code in codes(check(frame_of(fine | {"amount": amount}), rules))


def test_a_provider_that_takes_fewer_decimals_still_takes_whole_amounts() -> None:
    rules = dated(decimals=pl.lit("orkestra:0"))

    assert codes(check(frame_of(SEPA), rules)) == []


def test_the_table_tests_leave_no_kind_of_problem_out() -> None:
    """A kind that no test can produce may be one that no line can."""
    shown = {code for _, _, expected in (*WRONG, *WRONG_LIVE) for code in expected}
    shown |= {code for code, _ in BY_THE_TABLE}

    of_sums = {"E_AMOUNT_SUM_BELOW_MINIMUM", "E_AMOUNT_SUM_ABOVE_MAXIMUM"}  # found by load
    assert {kind.code for kind in LINES} - of_sums <= shown


def test_every_mistake_of_a_line_is_reported_and_not_the_first() -> None:
    broken = {
        "reference": None,
        "name": "1",
        "country": "Europe",
        "currency": "DEM",
        "method": "pigeon",
        "amount": "x",
        "email": "x",
        "due_date": "x",
    }

    checked = check(frame_of(SEPA | broken), SANDBOX)

    assert sorted(codes(checked)) == [
        "E_AMOUNT_FORMAT",
        "E_COUNTRY_EUROPE",
        "E_CURRENCY_WITHDRAWN",
        "E_DUE_DATE_FORMAT",
        "E_EMAIL_FORMAT",
        "E_METHOD_UNKNOWN",
        "E_NAME_LETTERS",
        "E_REFERENCE_MISSING",
    ]


def test_one_bad_line_leaves_its_neighbours_and_their_order_alone() -> None:
    lines = [SEPA | {"reference": f"R-{number}"} for number in range(6)]
    lines[2] |= {"amount": "x"}
    lines[4] = PIX | {"reference": "R-4"}

    checked = check(frame_of(*lines), SANDBOX)

    assert checked.good["reference"].to_list() == ["R-0", "R-1", "R-3", "R-4", "R-5"]
    assert checked.good["line"].to_list() == [2, 3, 5, 6, 7]
    assert checked.problems["line"].to_list() == [4]


def test_problems_name_line_column_and_what_is_right() -> None:
    checked = check(frame_of(SEPA, line("CO", "COP", "PSE", None)), SANDBOX)

    assert checked.problems.row(0, named=True) == {
        "line": 3,
        "code": "E_METHOD_COLLECTION_ONLY",
        "column": "method",
        "value": "PSE",
        "allowed": "cards, cash, bank_transfer, daviplata, nequi",
    }


def test_every_problem_makes_a_message() -> None:
    lines = [good | change for good, change, _ in WRONG]

    for row in check(frame_of(*lines), SANDBOX).problems.iter_rows(named=True):
        kind = KINDS[row["code"]]
        message = kind.message.format(value=row["value"], allowed=row["allowed"])
        assert message
        assert "{allowed}" not in kind.message or row["allowed"], row["code"]


def test_no_message_holds_an_account_a_document_or_an_address() -> None:
    """Reject files are mailed around."""
    lines = [good | change for good, change, _ in WRONG]
    private = {
        value
        for each in lines
        for name in ("account", "document", "phone", "email")
        if (value := each.get(name)) is not None and len(value) > 4
    }

    shown = check(frame_of(*lines), SANDBOX).problems.select("value", "allowed").rows()

    assert not [value for value in private for cells in shown for cell in cells if value in cell]


def test_good_lines_carry_read_values() -> None:
    lines = (
        SEPA
        | {"account": "de68 2105 0170 0012 3456 78", "currency": "eur", "due_date": "2026-12-01"},
        GHANA,
        PIX | {"account": "412.908.075-07", "document": None, "account_kind": "CPF"},
        CRYPTO | {"country": "World", "amount": "1.5"},
        MPESA | {"account": None, "phone": "+254 712 123456", "country": "Kenya"},
        TURKEY,
    )

    good = check(frame_of(*lines), SANDBOX).good

    columns = (
        "country",
        "currency",
        "amount_minor",
        "method",
        "provider",
        "account",
        "account_kind",
    )
    assert good.select(columns).rows() == [
        ("DE", "EUR", 125000, "sepa", "orkestra", "DE68210501700012345678", "iban"),
        ("GH", "GHS", 125000, "bank_transfer", "orkestra", "0012300456789", "bank_account"),
        ("BR", "BRL", 125000, "pix", "orkestra", "41290807507", "pix_cpf"),
        ("001", "USDT", 1500000, "crypto_transfer", "orkestra", CRYPTO["account"], "tron"),
        ("KE", "KES", 125000, "mobile_money", "orkestra", "254712123456", "msisdn"),
        ("TR", "TRY", 125000, "eft", "orkesta", TURKEY["account"], "orkesta_account"),
    ]
    assert good["due_date"].to_list() == [date(2026, 12, 1), *[None] * 5]
    assert good["account_last4"].to_list() == ["5678", "6789", "7507", "zTnj", "3456", "8faj"]
    assert good["document"].to_list()[2] == "41290807507"
    assert good["network"].to_list()[3] == "tron"


def test_cash_has_no_account_and_its_document_is_read() -> None:
    good = check(frame_of(CASH | {"document": "800101 5009 087"}), SANDBOX).good

    assert good.select("account", "account_kind", "account_last4", "document").row(0) == (
        None,
        "none",
        None,
        "8001015009087",
    )


@pytest.mark.parametrize("has_reference", [False, None])
def test_a_file_without_references_is_judged_without_them(has_reference: bool | None) -> None:  # noqa: FBT001  a table of values
    rules = replace(SANDBOX, has_reference=has_reference)

    assert codes(check(frame_of(SEPA | {"reference": None}), rules)) == []


def test_a_confirmed_leone_is_paid_in_the_currency_of_the_line() -> None:
    """1 SLE is 1,000 SLL: it is never converted."""
    rails = frozenset({"orkestra:bank_transfer"})
    confirmed = replace(LIVE, leone="SLE", allow_undocumented_rails=rails)

    good = check(frame_of(LEONE | {"currency": "SLE"}), confirmed).good

    assert good.select("currency", "amount_minor").rows() == [("SLE", 125000)]


def test_no_lines_make_no_problems() -> None:
    checked = check(frame_of(), SANDBOX)

    assert (checked.good.height, checked.problems.height) == (0, 0)
    assert (checked.good.schema, checked.problems.schema) == (GOOD, PROBLEMS)


def test_the_size_of_the_pieces_changes_nothing() -> None:
    mixed = [good | change for good, change, _ in WRONG] * 3
    random.Random(7).shuffle(mixed)  # noqa: S311  test data, no secret
    lines = frame_of(*mixed)

    whole = check(lines, SANDBOX)
    pieces = [check(lines.slice(start, 7), SANDBOX) for start in range(0, lines.height, 7)]

    assert pl.concat([each.good for each in pieces]).equals(whole.good)
    key = ["line", "code", "column"]
    found = pl.concat([each.problems for each in pieces]).sort(key)
    assert found.equals(whole.problems.sort(key))


def test_a_file_of_nothing_but_strange_words_takes_linear_time() -> None:
    """Each distinct combination costs one decision; a hostile file has only distinct ones."""
    lines = [SEPA | {"country": f"x{number}", "method": f"y{number}"} for number in range(5_000)]

    checked = check(frame_of(*lines), SANDBOX)

    assert codes(checked).count("E_COUNTRY_UNKNOWN") == 5_000
    assert checked.good.height == 0


LETTERS = st.characters(max_codepoint=0x52F, exclude_categories=["Cs", "Cn"])


@settings(deadline=None)
@given(st.lists(st.text(LETTERS, max_size=30), min_size=1))
def test_a_column_is_spelled_for_sepa_as_a_single_text_is(texts: list[str]) -> None:
    """The column is shown to the operator, the single text is what a connector sends."""
    frame = pl.DataFrame({"name": texts}, schema={"name": pl.String})

    assert frame.select(sepa_text(pl.col("name")))["name"].to_list() == [to_sepa(t) for t in texts]


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(CANONICAL), st.none() | st.text(max_size=12)), max_size=8
    )
)
def test_any_texts_whatever_are_judged_and_never_crash(lines: list[Line]) -> None:
    checked = check(frame_of(*(SEPA | each for each in lines)), SANDBOX)

    rejected = checked.problems.filter(pl.col("code").str.starts_with("E_"))["line"].n_unique()
    assert checked.good.height + rejected == len(lines)
    assert set(codes(checked)) <= KINDS.keys()


def test_an_iban_at_orkesta_is_paid_in_live_only_when_the_operator_said_so() -> None:
    """An invented shape must never send real money by accident (A-OKS-13)."""
    lines = pl.DataFrame(
        {
            name: ["TR330006100519786457841326"] if name == "account" else [None]
            for name in CANONICAL
        },
        schema=dict.fromkeys(CANONICAL, pl.String),
    ).with_columns(
        line=pl.lit(2, pl.Int64),
        reference=pl.lit("R-1"),
        name=pl.lit("Ada Lovelace"),
        country=pl.lit("TR"),
        currency=pl.lit("TRY"),
        amount=pl.lit("10.00"),
        method=pl.lit("eft"),
    )
    table = load()

    def codes(**changes: object) -> list[str]:
        rules = Rules(table, "live", date(2026, 11, 20), **changes)  # type: ignore[arg-type]
        return check(lines, rules).problems["code"].to_list()

    assert codes() == ["E_ORKESTA_IBAN"]
    assert codes(allow_undocumented_rails=frozenset({"orkesta:iban"})) == []
