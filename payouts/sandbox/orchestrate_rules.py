"""What Orchestrate accepts: the body of a new payment, and the page of a list.

Which fields are required is not in what could be read of the vendor's pages; amount and currency
are, and whatever is given must have its shape. Errors are `{"message", "errors"?}` (A-ORT-2).
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from payouts.sandbox.http import Reply

if TYPE_CHECKING:
    from payouts.sandbox.http import Request

__all__ = ["CURRENCIES", "Document", "RefusedError", "page_of", "read"]

CURRENCIES: Final = {"USD", "EUR", "GBP", "CAD"}  # all have two decimals

_AMOUNT_MAX: Final = Decimal(10) ** 13
_PER_PAGE_MAX: Final = 100
_URL: Final = re.compile(r"https?://[^\s]+")
_YEAR_S: Final = 366 * 86_400

Document = dict[str, Any]


class RefusedError(Exception):
    """The request gets an error reply and has no effect."""

    def __init__(self, status: int, message: str, **errors: str) -> None:
        super().__init__(message)
        document: Document = {"message": message}
        if errors:
            document["errors"] = {field: [words] for field, words in errors.items()}
        self.reply = Reply(status, document)


def read(request: Request) -> Document:
    """Read the body of a new payment; its amount is a Decimal with the digits that were sent.

    Raises:
        RefusedError: it is no payment that the platform would make.
    """
    try:
        document = json.loads(request.body, parse_float=Decimal, parse_constant=_no_constant)
    except ValueError:
        raise RefusedError(400, "The body is not JSON") from None
    if not isinstance(document, dict):
        raise RefusedError(400, "The body must be an object")
    errors = _errors(document)
    if errors:
        raise RefusedError(422, "Validation failed", **errors)
    document["amount"] = Decimal(document["amount"])
    return document


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _errors(document: Document) -> dict[str, str]:
    """Give what is wrong, by field."""
    found = {"amount": _amount_error(document.get("amount"))}
    if document.get("currency") not in CURRENCIES:
        found["currency"] = f"must be one of {', '.join(sorted(CURRENCIES))}"
    for name in ("success_url", "cancel_url"):
        if document.get(name) is not None and not _is_url(document[name]):
            found[name] = "must be a URL"
    for name in ("metadata", "customer"):
        if document.get(name) is not None and not isinstance(document[name], dict):
            found[name] = "must be an object"
    for name in ("expires_in", "mcc"):
        if document.get(name) is not None and not _is_count(document[name]):
            found[name] = "must be a whole number above zero"
    if document.get("description") is not None and not isinstance(document["description"], str):
        found["description"] = "must be text"
    return {field: words for field, words in found.items() if words is not None}


def _amount_error(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return "must be a number"
    amount = Decimal(value)
    if not 0 < amount <= _AMOUNT_MAX:
        return "must be above zero and below the limit"
    return "has more than two decimals" if amount.scaleb(2) % 1 else None


def _is_url(value: object) -> bool:
    return isinstance(value, str) and _URL.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value <= _YEAR_S


def page_of(query: str) -> tuple[int, int]:
    """Give `page` and `per_page` of a list's query.

    Raises:
        RefusedError: they are no numbers above zero, or more than 100 are asked for; what the
            platform answers to that is not documented.
    """
    given = parse_qs(query)
    page, per_page = given.get("page", ["1"])[-1], given.get("per_page", ["10"])[-1]
    if not (page.isdecimal() and int(page)):
        raise RefusedError(422, "Validation failed", page="must be a number above zero")
    if not (per_page.isdecimal() and 0 < int(per_page) <= _PER_PAGE_MAX):
        raise RefusedError(422, "Validation failed", per_page=f"must be 1 to {_PER_PAGE_MAX}")
    return int(page), int(per_page)
