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

if TYPE_CHECKING:
    from payouts.sandbox.http import Request

__all__ = ["CURRENCIES", "Document", "RefusedError", "minor", "read"]

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
    document = _parse(request)
    _check(document)
    return document


def _parse(request: Request) -> Document:
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


def _wrong(field: str, message: str) -> RefusedError:
    return RefusedError(422, "validation_error", f"{field} {message}", field=field)


def _check(document: Document) -> None:
    """Refuse a body that lacks something or whose values have the wrong shape."""
    method = _one_of(document, "paymentMethod", set(CURRENCIES))
    currency = _one_of(document, "currency", CURRENCIES[method])
    document["amount"] = _amount(document.get("amount"), currency)
    if document.get("referenceId") is not None:
        _text(document, "referenceId")
    account = document.get("receivingBankAccount")
    if account is not None or method != "CASH":
        _check_account(_object(document, "receivingBankAccount"), method)
    _check_beneficiary(_object(document, "beneficiary"), method)


def _check_account(account: Document, method: str) -> None:
    if method != "CASH":
        key = _text(account, "key")
        if method == "SPEI" and _SPEI_KEY.fullmatch(key) is None:
            raise _wrong("key", "is no CLABE or SPEI key")
    if method == "PIX":
        _text(account, "document")
        _one_of(account, "documentType", _DOCUMENTS["PIX"])


def _check_beneficiary(person: Document, method: str) -> None:
    _text(person, "firstName")
    _text(person, "lastName")
    _one_of(person, "type", {"INDIVIDUAL", "BUSINESS"})
    if method in {"PIX", "SPEI", "CASH"} or person.get("document") is not None:
        _text(person, "document")
        kinds = _DOCUMENTS.get(method)
        _text(person, "documentType") if kinds is None else _one_of(person, "documentType", kinds)
    if person.get("gender") is not None:
        _one_of(person, "gender", {"M", "F"})
    if person.get("phoneNumber") is not None and not _PHONE.fullmatch(_text(person, "phoneNumber")):
        raise _wrong("phoneNumber", "is not in E.164 form")
    if person.get("emailAddress") is not None and "@" not in _text(person, "emailAddress"):
        raise _wrong("emailAddress", "is no e-mail address")
    if person.get("birthdate") is not None and not _is_day(_text(person, "birthdate")):
        raise _wrong("birthdate", "is no YYYY-MM-DD")


def _amount(value: object, currency: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _wrong("amount", "must be a number")
    amount = Decimal(value)
    if not 0 < amount <= _AMOUNT_MAX:
        raise _wrong("amount", "must be above zero and below the limit")
    if amount.scaleb(_EXPONENTS.get(currency, 2)) % 1:
        raise _wrong("amount", f"has too many decimals for {currency}")
    return amount


def _object(document: Document, name: str) -> Document:
    value = document.get(name)
    if not isinstance(value, dict):
        raise _wrong(name, "is required and must be an object")
    return value


def _text(document: Document, name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _KEY_MAX:
        raise _wrong(name, "is required and must be text")
    return value


def _one_of(document: Document, name: str, allowed: set[str]) -> str:
    value = document.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise _wrong(name, f"must be one of {', '.join(sorted(allowed))}")
    return value


def _is_day(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def minor(amount: Decimal, currency: str) -> int:
    """Give a major-unit amount in the smallest unit of its currency."""
    return int(amount.scaleb(_EXPONENTS.get(currency, 2)))
