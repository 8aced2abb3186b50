"""Templates of other products are read as they are, and their traps are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from payouts.core.errors import FileRefusedError
from payouts.intake.frames import CANONICAL
from payouts.intake.reader import chunks
from payouts.intake.survey import survey

if TYPE_CHECKING:
    from pathlib import Path

PLACE = {"country": "DE", "method": "sepa"}


def read(
    path: Path, content: str, constants: dict[str, str] | None = None
) -> tuple[str | None, dict[str, str]]:
    """Give the template of a file and the filled columns of its last line."""
    path.write_text(content, encoding="utf-8")
    found = survey(path, constants=constants)
    lines = pl.concat(chunk.readable() for chunk in chunks(found))
    row = lines.row(-1, named=True)
    return found.template, {name: row[name] for name in CANONICAL if row[name] is not None}


PUBLISHED = {
    "PayPal": (
        "ann@example.com,10.50,EUR,c-1,Thanks,PAYPAL\nbob@example.com,7,EUR,c-2,Thanks,PAYPAL\n",
        PLACE,
        {"account": "bob@example.com", "amount": "7", "currency": "EUR", "reference": "c-2",
         "description": "Thanks"},
    ),
    "Wise": (
        ("recipientId,name,recipientEmail,recipientDetail,sourceCurrency,targetCurrency,"
        "amountCurrency,amount,paymentReference,referenceNumber,receiverType\n"
        "1,Ann,a@example.com,DE89370400440532013000,GBP,EUR,target,10.50,May,r-1,PERSON\n"),
        PLACE,
        {"name": "Ann", "email": "a@example.com", "account": "DE89370400440532013000",
         "currency": "EUR", "amount": "10.50", "description": "May", "reference": "r-1"},
    ),
    "RazorpayX": (
        ("RazorpayX Account Number,Payout Amount (in Rupees),Payout Currency,Payout Mode,"
        "Payout Purpose,Payout Narration,Payout Reference Id,Fund Account Id,Fund Account Type,"
        "Fund Account Name,Fund Account Ifsc,Fund Account Number,Fund Account Vpa,"
        "Fund Account Phone Number,Fund Account Email,Contact Name,Contact Type,notes[place]\n"
        "409,10.50,INR,NEFT,payout,May,r-1,,bank_account,Ann,HDFC0001234,000123,,,,Ann L,vendor,x\n"),
        {"country": "IN"},
        {"amount": "10.50", "currency": "INR", "method": "NEFT", "description": "May",
         "reference": "r-1", "account_kind": "bank_account", "name": "Ann",
         "bank_code": "HDFC0001234", "account": "000123"},
    ),
    "Airwallex": (
        ("account_currency,account_name,account_number,account_routing_type1,"
        "account_routing_value1,bank_country_code,iban,swift_code,transfer_amount,transfer_method,"
        "reference\nEUR,Ann,,,,DE,DE89370400440532013000,COBADEFF,10.50,sepa,r-1\n"),
        None,
        {"currency": "EUR", "name": "Ann", "country": "DE", "account": "DE89370400440532013000",
         "bank_code": "COBADEFF", "amount": "10.50", "reference": "r-1"},
    ),
    "dLocal": (
        ("external_id,document_id,document_type,beneficiary_name,beneficiary_lastname,country,"
        "bank_code,bank_name,bank_branch,bank_account,account_type,amount,currency,email,"
        "payment_method_id\n"
        "r-1,01234567890,CPF,Carlos,Mendes,BR,001,Banco,0001,12345-6,C,500.00,BRL,,pix\n"),
        None,
        {"reference": "r-1", "document": "01234567890", "document_kind": "CPF",
         "name": "Carlos Mendes", "country": "BR", "bank_code": "001", "branch_code": "0001",
         "account": "12345-6", "account_type": "C", "amount": "500.00", "currency": "BRL"},
    ),
    "Revolut": (
        ("Name,Recipient type,Account Number,Sort Code or Routing Number,IBAN,BIC,"
        "Recipient bank country,Currency,Amount,Payment reference,Address line 1,City,Postal code\n"
        "Ann,Individual,,,DE89370400440532013000,COBADEFF,DE,EUR,10.50,May,Road 1,Berlin,10115\n"),
        {"method": "sepa"},
        {"name": "Ann", "account": "DE89370400440532013000", "bank_code": "COBADEFF",
         "country": "DE", "currency": "EUR", "amount": "10.50", "description": "May"},
    ),
    "Payoneer": (
        "Recipient email/ID,Amount,Currency,Description\nann@example.com,10.50,USD,May\n",
        PLACE,
        {"account": "ann@example.com", "amount": "10.50", "currency": "USD",
         "description": "May"},
    ),
    "Mifos": (
        ("id,request_id,payment_mode,payer_identifier_type,payer_identifier,"
        "payee_identifier_type,payee_identifier,amount,currency,note\n"
        "0,r-1,mobile_money,MSISDN,254700000000,MSISDN,254712345678,100,KES,May\n"),
        {"country": "KE"},
        {"reference": "r-1", "method": "mobile_money", "account_kind": "MSISDN",
         "account": "254712345678", "amount": "100", "currency": "KES", "description": "May"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("product", PUBLISHED)
def test_a_published_template_is_recognised_and_read(tmp_path: Path, product: str) -> None:
    content, constants, expected = PUBLISHED[product]

    template, row = read(tmp_path / "payees.csv", content, constants)

    assert template == product
    assert {name: row.get(name) for name in expected} == expected
    assert set(row) - set(expected) <= {"country", "method"}


def test_a_header_less_file_has_its_first_payment_on_line_one(tmp_path: Path) -> None:
    path = tmp_path / "payees.txt"
    path.write_text("ann@example.com\t10.50\tEUR\nbob@example.com\t7\tEUR\n")

    found = survey(path, constants=PLACE)

    assert [line for chunk in chunks(found) for line in chunk.lines["line"]] == [1, 2]
    assert "There is no header: columns are by place, as PayPal has them." in found.notes


def test_a_template_without_country_or_method_says_what_is_missing(tmp_path: Path) -> None:
    content, _, _ = PUBLISHED["Payoneer"]

    with pytest.raises(FileRefusedError) as caught:
        read(tmp_path / "payees.csv", content)

    assert caught.value.code == "E_FILE_COLUMN_MISSING"


@pytest.mark.parametrize(
    ("product", "old", "new", "code"),
    [
        ("Wise", "target,10.50", "source,10.50", "E_AMOUNT_SOURCE_CURRENCY"),
        ("Wise", "target,10.50", "GBP,10.50", "E_AMOUNT_SOURCE_CURRENCY"),
        ("Airwallex", "EUR,Ann,,", "EUR,Ann,123456,", "E_LINE_TWO_VALUES"),
        ("RazorpayX", " (in Rupees)", "", "E_AMOUNT_MINOR_UNITS"),
    ],
)
def test_a_trap_of_a_template_is_a_problem_of_its_line(
    tmp_path: Path, product: str, old: str, new: str, code: str
) -> None:
    content, constants, _ = PUBLISHED[product]
    path = tmp_path / "payees.csv"
    path.write_text(content.replace(old, new))

    (chunk,) = chunks(survey(path, constants=constants))

    assert chunk.problems["code"].to_list() == [code]
    assert chunk.readable().height == 0


def test_wise_amounts_in_the_same_currency_are_fine(tmp_path: Path) -> None:
    content, constants, _ = PUBLISHED["Wise"]
    same = content.replace("GBP,EUR,target", "EUR,EUR,source")

    assert read(tmp_path / "payees.csv", same, constants)[1]["amount"] == "10.50"


def test_paise_are_turned_into_rupees_exactly(tmp_path: Path) -> None:
    """One RazorpayX template counts paise, the other rupees: a factor of a hundred."""
    content, constants, _ = PUBLISHED["RazorpayX"]
    paise = content.replace(" (in Rupees)", "").replace("10.50", "5")

    assert read(tmp_path / "payees.csv", paise, constants)[1]["amount"] == "0.05"


def test_a_pipeline_can_map_its_own_columns(tmp_path: Path) -> None:
    path = tmp_path / "payees.csv"
    path.write_text("Nr,Wer,Land,Betrag,W,Weg,Intern\n1,Ann,DE,10.50,EUR,sepa,x\n")
    words = {"Nr": "reference", "Wer": "name", "Land": "country", "Betrag": "amount"}

    found = survey(path, mapping=words | {"W": "currency", "Weg": "method", "Intern": ""})

    assert ("Betrag", "amount") in found.mapping
    assert found.has_reference
    assert "Columns not needed for a payment: Intern." in found.notes


@pytest.mark.parametrize("words", [{"nothing": "amount"}, {"amount": "money"}])
def test_a_mapping_that_does_not_fit_is_refused(tmp_path: Path, words: dict[str, str]) -> None:
    path = tmp_path / "payees.csv"
    path.write_text("country,currency,amount,method\nDE,EUR,1,sepa\n")

    with pytest.raises(FileRefusedError) as caught:
        survey(path, mapping=words)

    assert caught.value.code == "E_FILE_MAPPING"


def test_reordered_columns_make_the_same_lines(tmp_path: Path) -> None:
    first = read(tmp_path / "a.csv", "reference,amount,currency,country,method\na,1,EUR,DE,sepa\n")
    second = read(tmp_path / "b.csv", "method,country,amount,currency,reference\nsepa,DE,1,EUR,a\n")

    assert first == second


def test_every_alias_leads_to_a_canonical_column() -> None:
    from payouts.intake.templates import SYNONYMS, TEMPLATES, key  # noqa: PLC0415  only here

    for word, ours in SYNONYMS.items():
        assert (word, ours in CANONICAL) == (key(word), True)
    for template in TEMPLATES:
        words = {*template.columns, *template.joined, *template.marks}
        assert all(word == key(word) for word in words)
        assert set(template.columns.values()) <= set(CANONICAL)
        known = {*template.columns, *template.joined, *template.ignored}
        assert template.marks <= known | set(SYNONYMS)
