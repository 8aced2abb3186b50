"""Orkestra's orders, which collect, and the refunds of their transactions (PROVIDERS §4.5, §4.6).

An order has charges, a charge has transactions; a transaction that was paid can be refunded whole,
in part and several times while a remainder is left, by the way the money came, or as an alternative
payout where that way cannot be reversed (A-ORK-12, A-ORK-13). Amounts are major units on the wire
and minor units here. A refund's `referenceId` brings the first refund back, so a lost answer is
resolved by sending the same refund again; an order has no key: a lost one is not sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from payouts.core.errors import UsageError
from payouts.core.outcomes import Answer, Verdict, of_failure, of_status
from payouts.providers import strict
from payouts.providers.client import Exchange, Request
from payouts.providers.events import amount_of
from payouts.providers.strict import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from payouts.providers.orkestra import Orkestra

__all__ = [
    "Charge",
    "Customer",
    "NewOrder",
    "NewRefund",
    "NewTransaction",
    "Order",
    "OrkestraOrders",
    "Refund",
    "Transaction",
]

_VERDICTS = {
    "PENDING": Verdict.PROCESSING,
    "PAID": Verdict.SETTLED,
    "FAILED": Verdict.REJECTED,
    "CANCELLED": Verdict.CANCELLED,
}
_MOST = 10**18
_DIGITS_MAX = 40


@dataclass(frozen=True, slots=True)
class Customer:
    """Whoever pays; the fields are those of the order pages (ORK-pix, ORK-pse)."""

    first_name: str
    last_name: str
    document: str = field(repr=False)
    document_type: str
    email: str | None = None
    phone: str | None = None
    bank_code: str | None = None


@dataclass(frozen=True, slots=True)
class NewTransaction:
    """One way in which a charge is paid.

    Args:
        method: `PIX`, `SPEI`, `PSE`, `CREDIT_CARD` …
        amount_minor: minor units of the order's currency.
        details: the member that the method asks for, by its name on the wire, e.g. `pix`; never
            the number of a card, which has no business here.
    """

    method: str
    amount_minor: int
    details: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Charge:
    """What one customer owes, in one or several transactions."""

    customer: Customer
    transactions: Sequence[NewTransaction]


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to be made.

    Args:
        key: our own reference (`merchantOrderId`).
        exponent: decimals of the currency.
        notify_url: where its notifications go; none for the merchant's own (A-ORK-3).
    """

    key: str
    currency: str
    exponent: int
    charges: Sequence[Charge]
    soft_descriptor: str | None = None
    third_party: bool = False
    notify_url: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def amount_minor(self) -> int:
        """The sum of its transactions."""
        return sum(one.amount_minor for charge in self.charges for one in charge.transactions)


@dataclass(frozen=True, slots=True)
class NewRefund:
    """A refund of one transaction.

    Args:
        key: our own reference (`referenceId`), stable over repetitions.
        amount_minor: a part, in minor units; none for all that is left.
        payout: instead of the way the money came: `paymentMethod`, `receivingBankAccount` and
            `beneficiary`, as in a payout's body.
    """

    key: str
    transaction: int
    currency: str
    exponent: int
    amount_minor: int | None = None
    payout: Mapping[str, object] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction as the platform shows it; amounts in minor units.

    Args:
        verdict: what its status means; unclear for a word that is not known.
    """

    ref: int
    method: str | None
    status: str | None
    verdict: Verdict
    amount_minor: int
    refunded_minor: int


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the platform shows it."""

    ref: int
    key: str | None
    status: str | None
    verdict: Verdict
    currency: str
    amount_minor: int
    paid_minor: int
    transactions: Sequence[Transaction]


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund as the platform shows it.

    Args:
        total: it took all of the transaction.
        by_payout: an alternative payout carries it.
    """

    ref: int
    key: str | None
    transaction: int
    status: str | None
    verdict: Verdict
    currency: str
    amount_minor: int
    total: bool
    by_payout: bool
    reason: str | None


class OrkestraOrders:
    """Requests about orders and refunds, and readers of what comes back.

    Args:
        connector: whose credentials and base URL are used.
    """

    def __init__(self, connector: Orkestra) -> None:
        self.base_url = connector.base_url
        self.headers = dict(connector.headers)

    def create(self, order: NewOrder) -> Request:
        """`POST /orders` (A-ORK-2).

        Raises:
            UsageError: E_ORDER_AMOUNT: a transaction without a positive amount; nothing was sent.
        """
        parts = [one.amount_minor for charge in order.charges for one in charge.transactions]
        if not parts or min(parts) <= 0:
            raise UsageError(
                f"the order {order.key} has a transaction without an amount",
                hint="Give each transaction a positive amount in minor units.",
                code="E_ORDER_AMOUNT",
            )
        body = {
            "merchantOrderId": order.key,
            "softDescriptor": order.soft_descriptor,
            "amount": _major(order.amount_minor, order.exponent),
            "currency": order.currency,
            "allowsThirdPartyPayments": order.third_party,
            "notificationUrl": order.notify_url,
            "metadata": dict(order.metadata) or None,
            "charges": [_charge(charge, order.exponent) for charge in order.charges],
        }
        return _post("/orders", body)

    def order(self, ref: int) -> Request:
        """`GET /orders/{id}`."""
        return Request("GET", f"/orders/{quote(str(ref), safe='')}")

    def refund(self, refund: NewRefund) -> Request:
        """`POST /refunds`; the same key with the same body brings the first refund back."""
        amount = refund.amount_minor
        body = {
            "transactionId": refund.transaction,
            "amount": None if amount is None else _major(amount, refund.exponent),
            "currency": refund.currency,
            "referenceId": refund.key,
            **(refund.payout or {}),
        }
        return _post("/refunds", body)

    def refund_of(self, ref: int) -> Request:
        """`GET /refunds/{id}`."""
        return Request("GET", f"/refunds/{quote(str(ref), safe='')}")

    def answer(self, exchange: Exchange) -> Answer:
        """The class of an answer: 400, 409 and 422 refuse this one request (A-ORK-7, A-ORK-13)."""
        if exchange.failure is not None:
            return of_failure(exchange.failure)
        answer = of_status(exchange.status)
        refused = answer is Answer.POISONED or exchange.status == 409  # noqa: PLR2004  the status itself
        return Answer.REJECTED if refused else answer

    def refusal(self, exchange: Exchange) -> str:
        """The platform's code of a refusal, or the status where it has none."""
        try:
            said = strict.loads(exchange.body)
        except UnreadableError:
            said = None
        code = strict.word(said.get("code")) if isinstance(said, dict) else None
        return code or f"http_{exchange.status}"

    def read_order(self, exchange: Exchange, exponent: int) -> Order:
        """An order object.

        Raises:
            UnreadableError: it is not what the contract says.
        """
        said = _object(exchange)
        rows = said.get("transactions")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise UnreadableError("an order without its transactions")
        status = strict.word(said.get("status"))
        return Order(
            ref=_number(said, "id"),
            key=strict.word(said.get("merchantOrderId") or said.get("referenceId")),
            status=status,
            verdict=_verdict(status),
            currency=strict.word(said.get("currency")) or "",
            amount_minor=_minor(said, "amount", exponent),
            paid_minor=_minor(said, "paidAmount", exponent),
            transactions=[_transaction(row, exponent) for row in rows],
        )

    def read_refund(self, exchange: Exchange, exponent: int) -> Refund:
        """A refund object.

        Raises:
            UnreadableError: it is not what the contract says.
        """
        said = _object(exchange)
        status = strict.word(said.get("status"))
        return Refund(
            ref=_number(said, "id"),
            key=strict.word(said.get("referenceId")),
            transaction=_number(said, "transactionId"),
            status=status,
            verdict=_verdict(status),
            currency=strict.word(said.get("currency")) or "",
            amount_minor=_minor(said, "amount", exponent),
            total=said.get("type") == "TOTAL",
            by_payout=said.get("method") == "PAYOUT",
            reason=strict.word(said.get("statusReason")),
        )


def _post(path: str, fields: Mapping[str, object]) -> Request:
    given = {name: value for name, value in fields.items() if value is not None}
    body = orjson.dumps(given, default=_exact)
    headers = {"Content-Type": "application/json"}
    return Request("POST", path, body=body, headers=headers, moves_money=True)


def _exact(value: object) -> orjson.Fragment:
    """A Decimal as the JSON number of just its digits, never through a float (P16)."""
    if not isinstance(value, Decimal):
        raise TypeError(type(value).__name__)
    return orjson.Fragment(format(value, "f"))


def _major(minor: int, exponent: int) -> Decimal:
    return Decimal(minor).scaleb(-exponent)


def _charge(charge: Charge, exponent: int) -> dict[str, object]:
    person = charge.customer
    customer: dict[str, object] = {
        "firstName": person.first_name,
        "lastName": person.last_name,
        "document": person.document,
        "documentType": person.document_type,
    }
    more = {"emailAddress": person.email, "phoneNumber": person.phone}
    customer |= {name: value for name, value in more.items() if value is not None}
    if person.bank_code is not None:
        customer["bankAccount"] = {"bankCode": person.bank_code}
    return {
        "customer": customer,
        "transactions": [
            {
                "paymentMethod": one.method,
                "amount": _major(one.amount_minor, exponent),
                **one.details,
            }
            for one in charge.transactions
        ],
    }


def _transaction(row: dict[str, Any], exponent: int) -> Transaction:
    status = strict.word(row.get("status"))
    return Transaction(
        ref=_number(row, "id"),
        method=strict.word(row.get("paymentMethod")),
        status=status,
        verdict=_verdict(status),
        amount_minor=_minor(row, "amount", exponent),
        refunded_minor=_minor(row, "refundedAmount", exponent, absent=0),
    )


def _verdict(status: str | None) -> Verdict:
    return _VERDICTS.get(status or "", Verdict.UNCLEAR)


def _object(exchange: Exchange) -> dict[str, Any]:
    said = strict.loads(exchange.body)
    if not isinstance(said, dict):
        raise UnreadableError("not an object")
    return said


def _number(said: dict[str, Any], name: str) -> int:
    value = said.get(name)
    if type(value) is not int or value < 0:
        raise UnreadableError(f"{name} is no id")
    return value


def _minor(said: dict[str, Any], name: str, exponent: int, *, absent: int | None = None) -> int:
    """Minor units of a decimal in major units, to the digit (P16)."""
    if name not in said and absent is not None:
        return absent
    amount = amount_of(said.get(name))
    parts = None if amount is None or not amount.is_finite() else amount.as_tuple()
    if parts is None or parts.sign or not isinstance(parts.exponent, int):
        raise UnreadableError(f"{name} is no amount")
    if len(parts.digits) > _DIGITS_MAX or not -_DIGITS_MAX <= parts.exponent <= _DIGITS_MAX:
        raise UnreadableError(f"{name} is no amount of money")
    # Digits and not arithmetic: a context would round what has more of them.
    shift = parts.exponent + exponent
    digits = "".join(map(str, parts.digits)) + "0" * max(shift, 0)
    kept = len(digits) + min(shift, 0)
    if int(digits[max(kept, 0) :] or 0) or int(digits[: max(kept, 0)] or 0) >= _MOST:
        raise UnreadableError(f"{name} has more digits than its currency")
    return int(digits[: max(kept, 0)] or 0)
