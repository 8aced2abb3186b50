"""What Orkestra accepts as an order or as a refund: shapes, and which method collects what.

The fields of orders are those of the pages ORK-pix, ORK-spei, ORK-pse and ORK-card; amounts are in
major units, and where an order has several transactions each says its own (A-ORK-12).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from payouts.sandbox.orkestra_rules import (
    Document,
    amount_of,
    check,
    check_url,
    object_of,
    one_of,
    parse,
    text_of,
    wrong,
)

if TYPE_CHECKING:
    from payouts.sandbox.http import Request

__all__ = ["REVERSIBLE", "read_order", "read_refund"]

COLLECTS: Final = {
    "PIX": {"BRL"},
    "SPEI": {"MXN"},
    "PSE": {"COP"},
    "CREDIT_CARD": {"BRL", "CLP", "COP", "MXN", "PEN"},
    "DEBIT_CARD": {"BRL", "CLP", "COP", "MXN", "PEN"},
    "CASH": {"BRL", "CLP", "COP", "USD", "MXN", "PEN", "EGP", "ZAR"},
    "BANK_TRANSFER": {"ARS", "CLP", "COP", "MXN", "PEN"},
}
REVERSIBLE: Final = frozenset(COLLECTS) - {"CASH"}  # boleto is the page's example

_PAYERS: Final = {"CPF", "CNPJ", "RFC", "CURP", "CC", "NIT", "TI", "CE"}
_CARD: Final = re.compile(r"[0-9]{12,19}")
_EXPIRES: Final = re.compile(r"(0[1-9]|1[0-2])/[0-9]{4}")
_PARTS_MAX: Final = 50


def read_order(request: Request) -> Document:
    """Read an order's body; all its amounts are Decimals, and each transaction has one.

    Raises:
        RefusedError: it is no order that the platform would take.
    """
    order = parse(request)
    text_of(order, "merchantOrderId")
    currency = one_of(order, "currency", set().union(*COLLECTS.values()))
    order["amount"] = amount_of(order.get("amount"), currency)
    check_url(order)
    transactions = []
    for charge in _list(order, "charges"):
        _check_customer(object_of(charge, "customer"))
        if charge.get("currency", currency) != currency:
            raise wrong("currency", "must be one per order")
        transactions += _list(charge, "transactions")
    for transaction in transactions:
        _check_transaction(transaction, currency)
        given = transaction.get("amount", order["amount"] if len(transactions) == 1 else None)
        transaction["amount"] = amount_of(given, currency)
    if sum((one["amount"] for one in transactions), Decimal()) != order["amount"]:
        raise wrong("amount", "must be the sum of the transactions")
    return order


def _list(document: Document, name: str) -> list[Document]:
    value = document.get(name)
    if not isinstance(value, list) or not 0 < len(value) <= _PARTS_MAX:
        raise wrong(name, "is required and must be a list")
    if not all(isinstance(one, dict) for one in value):
        raise wrong(name, "must hold objects")
    return value


def _check_customer(customer: Document) -> None:
    for name in ("firstName", "lastName", "document"):
        text_of(customer, name)
    one_of(customer, "documentType", _PAYERS)
    if customer.get("emailAddress") is not None and "@" not in text_of(customer, "emailAddress"):
        raise wrong("emailAddress", "is no e-mail address")


def _check_transaction(transaction: Document, currency: str) -> None:
    method = one_of(transaction, "paymentMethod", set(COLLECTS))
    if currency not in COLLECTS[method]:
        raise wrong("currency", f"is not collected by {method}")
    if method in {"CREDIT_CARD", "DEBIT_CARD"}:
        name = "creditCard" if method == "CREDIT_CARD" else "debitCard"
        card = object_of(object_of(transaction, name), "card")
        for field, pattern in (("number", _CARD), ("expiresAt", _EXPIRES)):
            if pattern.fullmatch(text_of(card, field)) is None:
                raise wrong(field, "has the wrong form")
        text_of(card, "holder")
        text_of(card, "securityCode")


def read_refund(request: Request) -> Document:
    """Read a refund's body (A-ORK-13); its amount, where it has one, is still as it was sent.

    Raises:
        RefusedError: it is no refund that the platform would take.
    """
    refund = parse(request)
    if type(refund.get("transactionId")) is not int:
        raise wrong("transactionId", "is required and must be an integer")
    if refund.get("referenceId") is not None:
        text_of(refund, "referenceId")
    check_url(refund)
    return refund


def read_destination(refund: Document, currency: str, amount: Decimal) -> Any:  # noqa: ANN401  JSON
    """Check the payout that a refund asks for instead of a reversal.

    Raises:
        RefusedError: it is no payout that the platform would take.
    """
    return check({**refund, "currency": currency, "amount": amount, "referenceId": None})
