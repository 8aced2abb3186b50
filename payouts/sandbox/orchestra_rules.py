"""What Orchestra accepts: cards, amounts, gateways with their credentials, and its error bodies.

An error is one object `{"fieldName", "errors"}` with a dotted name (`card.cardNumber`). Keys of a
gateway account are read in any case, and gateways by name in any case, as the vendor's own pages
write both.

Beside the documented mock gateways `NULLSuccess` and `NULLFailure` the sandbox has four of its own,
for the results that those two never give: `NULLTemporary` (503), `NULLFatal` (500), `NULLUnable`
(409, NotImplemented) and `NULLLater` (202 Accepted, and Success when it is asked again).
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from payouts.sandbox.http import Reply

if TYPE_CHECKING:
    from payouts.sandbox.http import Request

__all__ = [
    "DECLINED",
    "GATEWAYS",
    "PAYLOAD_MAX",
    "Document",
    "RefusedError",
    "account",
    "amount",
    "card",
    "field",
    "gateway_of",
    "lowered",
    "parse",
    "text",
]

Document = dict[str, Any]

PAYLOAD_MAX: Final = 16_384
GATEWAYS: Final[dict[str, tuple[str, ...]]] = {
    "NULLSuccess": (),
    "NULLFailure": (),
    "NULLTemporary": (),
    "NULLFatal": (),
    "NULLUnable": (),
    "NULLLater": (),
    "Stripe": ("SecretKey",),
}
DECLINED: Final = {"4000000000000002", "5105105105105100", "371449635398431"}

_AMOUNT_MAX: Final = Decimal(10) ** 13
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_NUMBER: Final = re.compile(r"[0-9]{12,19}|@[A-Za-z0-9]{1,64}")
_MONTHS: Final = range(1, 13)
_YEARS: Final = range(2000, 2100)


class RefusedError(Exception):
    """The request gets an error reply and has no effect."""

    def __init__(self, status: int, name: str = "", message: str = "") -> None:
        super().__init__(message)
        document: Document = {"fieldName": name, "errors": [message]}
        self.reply = Reply(status, document) if name else Reply(status, raw=b"")


def parse(request: Request) -> Document:
    """Read a body that is an object; numbers keep the digits that were sent."""
    try:
        document = json.loads(request.body, parse_float=Decimal, parse_constant=_no_constant)
    except ValueError:
        raise RefusedError(400, "body", "is not JSON") from None
    if not isinstance(document, dict):
        raise RefusedError(400, "body", "must be an object")
    return document


def _no_constant(name: str) -> object:
    raise ValueError(name)


def field(document: Document, name: str, kind: type, *, path: str = "") -> Any:  # noqa: ANN401  JSON
    """Give a required field of a kind."""
    value = document.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise RefusedError(400, path + name, f"is required and must be {kind.__name__}")
    return value


def text(document: Document, name: str, *, path: str = "") -> str:
    """Give a required text that is not empty."""
    value: str = field(document, name, str, path=path)
    if not value.strip():
        raise RefusedError(400, path + name, "must not be empty")
    return value


def amount(document: Document) -> tuple[Decimal, str]:
    """Give amount in major units, and currency."""
    value = document.get("amount")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise RefusedError(400, "amount", "is required and must be a number")
    if not 0 < value <= _AMOUNT_MAX:
        raise RefusedError(400, "amount", "must be above zero and below the limit")
    currency = text(document, "currency")
    if _CURRENCY.fullmatch(currency) is None:
        raise RefusedError(400, "currency", "must be three capital letters")
    return Decimal(value), currency


def card(document: Document) -> Document:
    """Give the card; its number is digits, or `@` and a token."""
    found: Document = field(document, "card", dict)
    if _NUMBER.fullmatch(text(found, "cardNumber", path="card.")) is None:
        raise RefusedError(400, "card.cardNumber", "is no card number and no @token")
    text(found, "cardHolderName", path="card.")
    if field(found, "expirationMonth", int, path="card.") not in _MONTHS:
        raise RefusedError(400, "card.expirationMonth", "must be 1 to 12")
    if field(found, "expirationYear", int, path="card.") not in _YEARS:
        raise RefusedError(400, "card.expirationYear", "must have four digits")
    return found


def lowered(value: Any) -> Any:  # noqa: ANN401  JSON
    """Give the same with all keys in lower case."""
    if isinstance(value, dict):
        return {str(key).lower(): lowered(one) for key, one in value.items()}
    return [lowered(one) for one in value] if isinstance(value, list) else value


def gateway_of(name: object, *, path: str) -> str:
    """Give the gateway of a name in any case."""
    for known in GATEWAYS:
        if isinstance(name, str) and known.lower() == name.lower():
            return known
    raise RefusedError(400, path, "is no gateway; GET /PaymentGateway lists them")


def account(document: Document, *, path: str = "") -> tuple[str, dict[str, str]]:
    """Give gateway and credentials of a gateway account.

    Raises:
        RefusedError: the gateway is unknown, or the credentials are not those that it needs.
    """
    plain = lowered(document)
    gateway = gateway_of(plain.get("paymentgatewayname"), path=f"{path}paymentGatewayName")
    rows = plain.get("credentials") or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RefusedError(400, f"{path}credentials", "must be a list of key and value")
    given = {str(row.get("key")).lower(): row.get("value") for row in rows}
    wanted = {name.lower(): name for name in GATEWAYS[gateway]}
    if set(given) != set(wanted) or not all(isinstance(one, str) for one in given.values()):
        names = ", ".join(GATEWAYS[gateway]) or "none"
        raise RefusedError(400, f"{path}credentials", f"must be exactly: {names}")
    return gateway, {wanted[key]: str(value) for key, value in given.items()}
