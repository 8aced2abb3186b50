"""What Orkesta accepts: its own accounts, and the shape of a payment in a request.

>>> sound({"amount": 10.5, "currency": "TRY", "method": "eft",
...        "from_account": "acc_01hx3k9qze4p7vb2ntcm6d8faj", "to_account": "acc_01HABC"})
Traceback (most recent call last):
payouts.sandbox.orkesta_rules.Refusal: invalid_amount
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import Any, Final, NamedTuple

__all__ = ["ACCOUNTS", "METHODS", "Account", "Payment", "Refusal", "sound"]

Payment = dict[str, Any]


class Account(NamedTuple):
    """An own account, the source of payments."""

    name: str
    currency: str
    opening_minor: int


_LARGE: Final = 100_000_000_000_000

ACCOUNTS: Final = {
    "acc_01hx3k9qze4p7vb2ntcm6d8faj": Account("Main Operating Account", "TRY", _LARGE),
    "acc_01hx3kbr7mfq2wc5gtdn9e0spu": Account("Payables Account", "TRY", _LARGE),
    "acc_01hx3kd2w8t6q0v4s7n1m5r9zb": Account("Dollar Account", "USD", _LARGE),
    "acc_01hx3kf5y1c9j3x8p2h6k4g7te": Account("Euro Account", "EUR", _LARGE),
    "acc_01hx3kh8a4d2m6z1r5w9q7n3vc": Account("Sterling Account", "GBP", _LARGE),
}
METHODS: Final = frozenset({"bank_transfer", "card", "virtual_account", "eft"})

_CURRENCY_OF: Final = {name: account.currency for name, account in ACCOUNTS.items()}
_CURRENCIES: Final = frozenset(_CURRENCY_OF.values())
_AMOUNT_MAX: Final = 10**13
_TARGET: Final = re.compile(r"[A-Za-z0-9_]{4,64}")
_REFERENCE_MAX: Final = 35  # A-OKS-12
_DESCRIPTION_MAX: Final = 500
_REQUIRED: Final = ("amount", "currency", "method", "from_account", "to_account")
_TEXTS: Final = (*_REQUIRED[1:], "reference", "description")
_FIELDS: Final = itemgetter(*_REQUIRED)


class Refusal(Exception):  # noqa: N818  a refused payment is an answer, not an error of ours
    """Why a payment, or a whole request, is refused."""

    def __init__(
        self, code: str, message: str, field: str | None = None, *, status: int = 422
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.error = {"code": code, "message": message}  # the error object of A-OKS-4
        if field is not None:
            self.error["field"] = field


def sound(item: Payment) -> tuple[int, str, str, str, str, str | None, str | None]:
    """Give amount, currency, method, source, target, reference and description of a payment.

    All is looked at in one quick expression; what is wrong is found out slowly, and only then.

    Raises:
        Refusal: the payment is not as it has to be; it names the first problem.
    """
    try:
        amount, currency, method, source, target = _FIELDS(item)
        reference = item.get("reference")
        description = item.get("description")
        if (
            type(amount) is int
            and 0 < amount <= _AMOUNT_MAX
            and _CURRENCY_OF[source] == currency
            and method in METHODS
            and source != target
            and _TARGET.fullmatch(target) is not None
            and (reference is None or 0 < len(reference) <= _REFERENCE_MAX)
            and (description is None or len(description) <= _DESCRIPTION_MAX)
        ):
            return amount, currency, method, source, target, reference, description
    except (KeyError, TypeError, AttributeError):
        pass
    raise _form_problem(item) or _meaning_problem(item)


def _form_problem(item: object) -> Refusal | None:
    """Name a missing field or a wrong type."""
    if not isinstance(item, dict):
        return Refusal("malformed", "A payment must be an object")
    for name in _REQUIRED:
        if item.get(name) is None:
            return Refusal("missing_field", f"{name} is required", name)
    amount = item["amount"]
    if type(amount) is not int or not 0 < amount <= _AMOUNT_MAX:
        message = "amount must be a positive integer in the smallest unit"
        return Refusal("invalid_amount", message, "amount")
    for name in _TEXTS:
        if not isinstance(item.get(name, ""), str | None):
            return Refusal("invalid_type", f"{name} must be a string", name)
    return None


def _meaning_problem(item: Payment) -> Refusal:
    """Name the field whose value cannot be."""
    source, target, reference = item["from_account"], item["to_account"], item.get("reference")
    rules = (
        (item["currency"] in _CURRENCIES, "unsupported_currency", "currency"),
        (item["method"] in METHODS, "unsupported_method", "method"),
        (source in ACCOUNTS, "unknown_account", "from_account"),
        (_CURRENCY_OF.get(source) == item["currency"], "currency_mismatch", "currency"),
        (source != target, "same_account", "to_account"),
        (_TARGET.fullmatch(target) is not None, "invalid_account", "to_account"),
        (
            reference is None or 0 < len(reference) <= _REFERENCE_MAX,
            "invalid_reference",
            "reference",
        ),
    )
    for holds, code, field in rules:
        if not holds:
            return Refusal(code, f"{field} is not acceptable: {code}", field)
    return Refusal("invalid_description", "description is too long", "description")
