"""What Orkestra accepts: which method pays which currency, and the shape of a payout's body.

Presence, enumeration and shape are checked, not check digits (A-ORK-9): the vendor's own samples
would fail those. PIX and SPEI are documented; the other rails follow A-ORK-5.
"""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from payouts.sandbox.http import Reply
from payouts.sandbox.post import is_url

if TYPE_CHECKING:
    from payouts.sandbox.http import Request

__all__ = [
    "CURRENCIES",
    "Document",
    "RefusedError",
    "amount_of",
    "check",
    "check_url",
    "major",
    "minor",
    "object_of",
    "one_of",
    "parse",
    "read",
    "text_of",
    "wrong",
]

CURRENCIES: Final = {
    "PIX": {"BRL"},
    "SPEI": {"MXN"},
    "NEQUI": {"COP"},
    "DAVIPLATA": {"COP"},
    "SEPA": {"EUR"},
    "CRYPTO_TRANSFER": {"USDT", "USDC"},
    "BANK_TRANSFER": {
        "ARS",
        "CLP",
        "COP",
        "MXN",
        "PEN",
        "XOF",
        "XAF",
        "EGP",
        "ETB",
        "GHS",
        "KES",
        "MWK",
        "NGN",
        "RWF",
        "SLL",
        "TZS",
        "UGX",
    },
    "MOBILE_MONEY": {"XOF", "XAF", "ETB", "GHS", "KES", "NGN", "RWF", "TZS", "UGX", "ZMW"},
    "CASH": {"BRL", "CLP", "COP", "USD", "MXN", "PEN", "EGP", "ZAR"},
    "CARDS": {"BRL", "CLP", "COP", "MXN", "PEN"},
}  # the service coverage table of the platform's start page; PSE only collects

_EXPONENTS: Final = {"CLP": 0, "XOF": 0, "XAF": 0, "RWF": 0, "UGX": 0, "USDT": 6, "USDC": 6}
_AMOUNT_MAX: Final = Decimal(10) ** 13
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SPEI_KEY: Final = re.compile(r"[0-9]{18}|[0-9]{16}|[0-9]{10}")
_DOCUMENTS: Final = {"PIX": {"CPF", "CNPJ"}, "SPEI": {"RFC", "CURP"}}
_KEY_MAX: Final = 128

Document = dict[str, Any]


class RefusedError(Exception):
    """The request gets an error reply and has no effect."""

    def __init__(self, status: int, code: str, message: str, **details: str) -> None:
        super().__init__(message)
        document: Document = {"code": code, "message": message}
        if details:
            document["details"] = details
        headers = (("retry-after", "1"),) if status == 429 else ()  # noqa: PLR2004  too many
        self.reply = Reply(status, document, headers)


def read(request: Request) -> Document:
    """Read a payout's body; its amount is a Decimal with the digits that were sent.

    Raises:
        RefusedError: it is no payout that the platform would take.
    """
    return check(parse(request))


def parse(request: Request) -> Document:
    """Read a body that has to be a JSON object."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RefusedError(415, "unsupported_media_type", "Send application/json")
    try:
        document = json.loads(request.body, parse_float=Decimal, parse_constant=_no_constant)
    except ValueError:
        raise RefusedError(400, "malformed", "The body is not JSON") from None
    if not isinstance(document, dict):
        raise RefusedError(400, "malformed", "The body must be an object")
    return document


def _no_constant(name: str) -> object:
    raise ValueError(name)


def wrong(field: str, message: str) -> RefusedError:
    """Give the refusal of a field."""
    return RefusedError(422, "validation_error", f"{field} {message}", field=field)


def check(document: Document) -> Document:
    """Refuse a payout that lacks something or whose values have the wrong shape.

    Its `amount` becomes a Decimal.
    """
    method = one_of(document, "paymentMethod", set(CURRENCIES))
    currency = one_of(document, "currency", CURRENCIES[method])
    document["amount"] = amount_of(document.get("amount"), currency)
    if document.get("referenceId") is not None:
        text_of(document, "referenceId")
    account = document.get("receivingBankAccount")
    if account is not None or method != "CASH":
        _check_account(object_of(document, "receivingBankAccount"), method)
    _check_beneficiary(object_of(document, "beneficiary"), method)
    check_url(document)
    return document


def check_url(document: Document) -> None:
    """Refuse a `notificationUrl` that is none (A-ORK-3)."""
    if document.get("notificationUrl") is not None and not is_url(document["notificationUrl"]):
        raise wrong("notificationUrl", "is no address")


def _check_account(account: Document, method: str) -> None:
    if method != "CASH":
        key = text_of(account, "key")
        if method == "SPEI" and _SPEI_KEY.fullmatch(key) is None:
            raise wrong("key", "is no CLABE or SPEI key")
    if method == "PIX":
        text_of(account, "document")
        one_of(account, "documentType", _DOCUMENTS["PIX"])


def _check_beneficiary(person: Document, method: str) -> None:
    text_of(person, "firstName")
    text_of(person, "lastName")
    one_of(person, "type", {"INDIVIDUAL", "BUSINESS"})
    if method in {"PIX", "SPEI", "CASH"} or person.get("document") is not None:
        text_of(person, "document")
        kinds = _DOCUMENTS.get(method)
        text_of(person, "documentType") if kinds is None else one_of(person, "documentType", kinds)
    if person.get("gender") is not None:
        one_of(person, "gender", {"M", "F"})
    if person.get("phoneNumber") is not None and not _PHONE.fullmatch(
        text_of(person, "phoneNumber")
    ):
        raise wrong("phoneNumber", "is not in E.164 form")
    if person.get("emailAddress") is not None and "@" not in text_of(person, "emailAddress"):
        raise wrong("emailAddress", "is no e-mail address")
    if person.get("birthdate") is not None and not _is_day(text_of(person, "birthdate")):
        raise wrong("birthdate", "is no YYYY-MM-DD")


def amount_of(value: object, currency: str) -> Decimal:
    """Give an amount that can be paid in a currency."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise wrong("amount", "must be a number")
    amount = Decimal(value)
    if not 0 < amount <= _AMOUNT_MAX:
        raise wrong("amount", "must be above zero and below the limit")
    if amount.scaleb(_EXPONENTS.get(currency, 2)) % 1:
        raise wrong("amount", f"has too many decimals for {currency}")
    return amount


def object_of(document: Document, name: str) -> Document:
    """Give a field that has to be an object."""
    value = document.get(name)
    if not isinstance(value, dict):
        raise wrong(name, "is required and must be an object")
    return value


def text_of(document: Document, name: str) -> str:
    """Give a field that has to be text."""
    value = document.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _KEY_MAX:
        raise wrong(name, "is required and must be text")
    return value


def one_of(document: Document, name: str, allowed: set[str]) -> str:
    """Give a field that has to be one of a few texts."""
    value = document.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise wrong(name, f"must be one of {', '.join(sorted(allowed))}")
    return value


def _is_day(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def major(amount_minor: int, currency: str) -> Decimal:
    """Give an amount in the smallest unit of its currency in major units."""
    return Decimal(amount_minor).scaleb(-_EXPONENTS.get(currency, 2))


def minor(amount: Decimal, currency: str) -> int:
    """Give a major-unit amount in the smallest unit of its currency."""
    return int(amount.scaleb(_EXPONENTS.get(currency, 2)))
