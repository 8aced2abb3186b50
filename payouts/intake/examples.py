"""Examples: two lines for each coverage row that our own checks accept.

They fill `payouts template`. The people are invented and the numbers are published test numbers or
made up with right check digits, so a live run refuses a line that still carries an example's
reference.

>>> from payouts.core.coverage import CoverageRow
>>> row = CoverageRow("DE", "Germany", "EUR", "sepa", "payout", ("orkestra",), "iban_sepa", ("account",))
>>> first, second = example_lines(row)
>>> first["account"], second["account"]
('DE43123456789012345678', 'DE35234567890123456789')
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from payouts.core.currencies import currency
from payouts.core.money import format_minor
from payouts.intake.fields import EXAMPLE
from payouts.intake.identifiers import iban, sepa

if TYPE_CHECKING:
    from collections.abc import Mapping

    from payouts.core.coverage import CoverageRow

__all__ = ["example_lines"]

Pair = tuple[dict[str, str], dict[str, str]]

_NAMES: Final = ("Maria Santos", "Daniel Okello")
_AMOUNTS: Final = (1250, 980)

_ACCOUNTS: Final[Mapping[str, tuple[str, str]]] = {
    "cbu_cvu_alias": ("0170099220000067797370", "maria.santos.mp"),
    "pix_key": ("41290807507", "daniel@example.com"),
    "cl_account": ("001234567890", "009876543210"),
    "co_account": ("12345678901", "98765432109"),
    "clabe": ("012180001183597198", "002010077777777771"),
    "clabe_or_spei": ("012180001183597198", "002010077777777771"),
    "cci": ("01136600010003254221", "00219300123456789013"),
    "nuban": ("0123456785", "0000014579"),
    "card_token": ("tok_examplecard01", "tok_examplecard02"),
    "orkesta_account": ("acc_01hx3k9qze4p7vb2ntcm6d8faj", "acc_01hx3kbr7mfq2wc5gtdn9e0spu"),
    "iban_tr": ("TR330006100519786457841326", "TR320010009999901234567890"),
    "aba_account": ("12345678901", "98765432109"),
    "uk_account": ("31926819", "55779911"),
    "ca_account": ("1234567", "7654321"),
    "bank_account": ("1000123456789", "1000987654321"),
}

_CRYPTO: Final[Mapping[str, Pair]] = {
    "USDT": (
        {"account": "TA4Y62o6YC2Zsck9rZVGTvqW1AQ7X9zTnj", "network": "tron"},
        {"account": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "network": "ethereum"},
    ),
    "USDC": (
        {"account": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "network": "ethereum"},
        {"account": "7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV", "network": "solana"},
    ),
}

_BANKS: Final[Mapping[str, tuple[str, str]]] = {
    "CA": ("003", "004"),
    "CL": ("037", "012"),
    "CO": ("1007", "1051"),
    "ET": ("01", "05"),
    "GB": ("309634", "200000"),
    "GH": ("030100", "130100"),
    "KE": ("01", "11"),
    "NG": ("058", "011"),
    "SL": ("SLCBSLFR", "RCBKSLFR"),
    "TZ": ("CORUTZTZ", "NMIBTZTZ"),
    "US": ("011000015", "021000021"),
}

_DOCUMENTS: Final[Mapping[str, tuple[str, tuple[str, str]]]] = {
    "AR": ("cuit", ("20304050609", "27314151629")),
    "BR": ("cpf", ("41290807507", "73550005784")),
    "CL": ("rut", ("12345678-5", "9876543-3")),
    "CO": ("cc", ("1020304050", "52123456")),
    "EC": ("cedula", ("1710344068", "0923456784")),
    "EG": ("national_id", ("29001011234567", "29505052345678")),
    "MX": ("rfc", ("GODE561231GR8", "SAMR900214AB1")),
    "PE": ("dni", ("12345678", "87654321")),
    "ZA": ("za_id", ("8001015009087", "9202204719085")),
}

_AMBIGUOUS: Final = ("CO",)  # the same digits may be a citizen's card or a NIT

_SHAPE = re.compile(r"(\d+)([nac])")
_DIGITS = "1234567890" * 4


def example_lines(row: CoverageRow) -> Pair:
    """Two lines that a coverage row accepts: canonical column → text, in the template's order."""
    return (_line(row, 0), _line(row, 1))


def _line(row: CoverageRow, number: int) -> dict[str, str]:
    needed = [column for column in row.required if column != "name"]
    known = _account(row, number) | {
        "bank_code": _BANKS.get(row.country, ("001", "002"))[number],
        "branch_code": ("100", "200")[number],
        "account_type": _account_type(row),
        "document": _DOCUMENTS.get(row.country, ("", ("A1234567", "B7654321")))[1][number],
        "document_kind": _DOCUMENTS.get(row.country, ("passport", ("", "")))[0],
        "phone": _mobile(row.country, number),
        "email": ("maria@example.com", "daniel@example.com")[number],
    }
    said = {column: known[column] for column in [*needed, *_useful(row)] if column in known}
    return {
        "reference": f"{EXAMPLE}{number + 1}",
        "name": _NAMES[number],
        "country": row.country,
        "currency": row.currency,
        "amount": _amount(row, number),
        "method": row.method,
        **said,
        "description": ("Invoice 1001", "Week 47")[number],
    }


def _useful(row: CoverageRow) -> tuple[str, ...]:
    """Columns that a rule profits from though it does not need them."""
    if row.identifier == "pix_key":
        return ("account_kind",)
    return ("document_kind",) if row.country in _AMBIGUOUS and "document" in row.required else ()


def _amount(row: CoverageRow, number: int) -> str:
    unit = currency(row.currency)
    minor = _AMOUNTS[number] * 10**unit.exponent
    within = min(max(minor, row.minimum or 1), row.maximum or minor)
    return format_minor(within, unit.exponent)


def _account(row: CoverageRow, number: int) -> dict[str, str]:
    """Account, its kind and its network, as far as the rule has them."""
    match row.identifier:
        case "crypto_address":
            return dict(_CRYPTO[row.currency][number])
        case "iban" | "iban_sepa":
            return {"account": _iban(row.country, number)}
        case "iban_or_rib":
            return {"account": _rib(row.country, number)}
        case "msisdn" | "co_wallet":
            return {"account": _mobile(row.country, number)}
        case "pix_key":
            kind = ("cpf", "email")[number]
            return {"account": _ACCOUNTS["pix_key"][number], "account_kind": kind}
        case name:
            return {"account": account[number]} if (account := _ACCOUNTS.get(name)) else {}


def _account_type(row: CoverageRow) -> str:
    return {"CL": "corriente", "CO": "ahorros"}.get(row.country, "checking")


def _iban(country: str, number: int) -> str:
    """An IBAN of the country's shape with right check digits and digits in a row."""
    home = sepa.TERRITORIES.get(country, country)
    shape = _SHAPE.findall(iban.REGISTERED.get(home) or iban.UNREGISTERED[home])
    lengths = [(int(length), kind) for length, kind in shape]
    start, national = number, ""
    for length, kind in lengths:
        national += "ABCD"[:length] if kind == "a" else _DIGITS[start : start + length]
        start = (start + length) % 10
    return f"{home}{iban.check_digits(home, national)}{national}"


def _rib(country: str, number: int) -> str:
    """The IBAN of a CFA country: bank, branch, account and the RIB key over all three."""
    west = iban.UNREGISTERED[country].startswith("2c")
    bank = f"{country}008" if west else "10002"
    bare = bank + "01113" + _DIGITS[number : number + (12 if west else 11)]
    figures = "".join(each if each.isdigit() else _french(each) for each in bare)
    national = f"{bare}{97 - int(figures) * 100 % 97:02d}"
    return f"{country}{iban.check_digits(country, national)}{national}"


def _french(letter: str) -> str:
    """A, J 1 … I, R 9, S 2 … Z 9 (BCEAO)."""
    place = ord(letter) - ord("A")
    return str(place % 9 + 1 if letter < "S" else place - 16)


def _mobile(country: str, number: int) -> str:
    """A mobile number of the country in E.164 without the plus, that Excel takes for a formula."""
    from phonenumbers import (  # noqa: PLC0415  loaded for templates only
        PhoneNumberFormat,
        PhoneNumberType,
        example_number_for_type,
        format_number,
    )

    example = example_number_for_type(country, PhoneNumberType.MOBILE)
    if example is None:
        return ("15550100", "15550101")[number]
    digits = format_number(example, PhoneNumberFormat.E164).removeprefix("+")
    return digits[:-1] + str((int(digits[-1]) + number) % 10)
