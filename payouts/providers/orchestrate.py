"""Orchestrate: payments that somebody makes to us by a link (PROVIDERS §2).

It collects and never pays out, so it is no `Connector` of items. A payment is found again by its
id, or, where the answer to its creation was lost, in the list by `metadata.collection_id`: there is
no idempotency key and no search. Amounts are major units, as number or as text (A-ORT-1); the words
`completed` and `succeeded` both mean paid; the link stands in `payment_link` or `next_action.url`.

>>> "TRY" in CURRENCIES, Orchestrate("https://orchestrate.global", api_key="k").create.__name__
(False, 'create')
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from payouts.core.collections import Standing
from payouts.core.errors import UsageError
from payouts.core.money import format_minor
from payouts.core.outcomes import Answer, of_failure, of_status
from payouts.providers import strict
from payouts.providers.client import Exchange, Request
from payouts.providers.events import Event, amount_of
from payouts.providers.strict import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CURRENCIES", "Intent", "Orchestrate", "Page", "Payment"]

CURRENCIES: Final = ("USD", "EUR", "GBP", "CAD")
"""All that it takes (ORT-quick); each has two decimals."""

_EXPONENT: Final = 2
_PER_PAGE: Final = 100  # the most that it gives (ORT-page)
_LINK_MAX: Final = 2_000
_STANDINGS: Final = {
    "pending": Standing.PENDING,
    "completed": Standing.PAID,
    "succeeded": Standing.PAID,
    "failed": Standing.FAILED,
    "expired": Standing.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment that is to be made to us.

    Args:
        key: our own reference; it travels in the metadata and finds the payment again.
        amount_minor: minor units.
        description: what whoever pays reads.
        expires_s: whole seconds after which the link ends.
        name: of whoever pays.
        email: of whoever pays.
        success_url: where the browser goes afterwards; never evidence.
        cancel_url: where it goes when the visitor leaves.
        mcc: the merchant category, where the contract asks for one.
    """

    key: str
    amount_minor: int
    currency: str
    description: str
    expires_s: int
    name: str | None = None
    email: str | None = None
    success_url: str | None = None
    cancel_url: str | None = None
    mcc: int | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as the platform shows it.

    Args:
        key: our own reference, if it carries one.
        standing: what its status means; none for a word that is not known.
        status: the platform's own word.
        link: where it is paid; none where there is none.
    """

    ref: str
    key: str | None
    standing: Standing | None
    status: str | None
    amount: Decimal | None
    currency: str | None
    link: str | None

    def agrees(self, amount_minor: int, currency: str) -> bool:
        """Whether it is about this money, to the digit."""
        if self.amount is None or self.currency != currency:
            return False
        # Ours is scaled and not theirs: a comparison is exact and bounded, whatever they write.
        return self.amount == Decimal(amount_minor).scaleb(-_EXPONENT)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list of payments.

    Args:
        payments: those of the page that carry a reference of ours.
        pages: how many pages there are.
    """

    payments: Sequence[Payment]
    pages: int


class Orchestrate:
    """The connector: requests, and readers of what comes back.

    Args:
        base_url: with the sandbox's prefix where there is one; `/api/v1` is added here.
    """

    name = "orchestrate"

    def __init__(self, base_url: str, *, api_key: str) -> None:
        self.base_url = f"{base_url.rstrip('/')}/api/v1"
        self.headers = {"Authorization": f"Bearer {api_key}"}

    def __repr__(self) -> str:
        return f"Orchestrate({self.base_url!r})"

    def create(self, intent: Intent) -> Request:
        """`POST /payments`.

        Raises:
            UsageError: E_COLLECT_CURRENCY: a currency that it does not take; nothing was sent.
        """
        if intent.currency not in CURRENCIES:
            raise UsageError(
                f"Orchestrate does not collect {intent.currency}",
                hint=f"It takes {', '.join(CURRENCIES)}; book other money with `payouts fund`.",
                code="E_COLLECT_CURRENCY",
            )
        customer = {"name": intent.name, "email": intent.email}
        fields = {
            "currency": intent.currency,
            "mcc": intent.mcc,
            "customer": {name: value for name, value in customer.items() if value} or None,
            "description": intent.description,
            "success_url": intent.success_url,
            "cancel_url": intent.cancel_url,
            "metadata": {"collection_id": intent.key},
            "expires_in": intent.expires_s,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        amount = format_minor(intent.amount_minor, _EXPONENT)  # digits, never through a float
        body = f'{{"amount":{amount},{json.dumps(given, separators=(",", ":"))[1:]}'
        return Request(
            "POST",
            "/payments",
            body=body.encode(),
            headers={"Content-Type": "application/json"},
            moves_money=True,
        )

    def poll(self, ref: str) -> Request:
        """`GET /payments/{id}`."""
        return Request("GET", f"/payments/{quote(ref, safe='')}")

    def listing(self, page: int, *, per_page: int = _PER_PAGE) -> Request:
        """`GET /payments?page=…`; the order is not documented."""
        return Request("GET", f"/payments?page={page}&per_page={per_page}")

    def answer(self, exchange: Exchange) -> Answer:
        """The class of an answer; a 400 or 422 refuses the one payment (A-ORT-2)."""
        if exchange.failure is not None:
            return of_failure(exchange.failure)
        answer = of_status(exchange.status)
        return Answer.REJECTED if answer is Answer.POISONED else answer

    def read(self, exchange: Exchange) -> Payment:
        """The payment of a reply to `create` or `poll`.

        Raises:
            UnreadableError: it is none.
        """
        payment = _payment(strict.loads(exchange.body))
        if payment is None:
            raise UnreadableError("not a payment with an id")
        return payment

    def read_page(self, exchange: Exchange) -> Page:
        """A page of the list.

        Raises:
            UnreadableError: it is none.
        """
        document = strict.loads(exchange.body)
        if not isinstance(document, dict) or not isinstance(document.get("items"), list):
            raise UnreadableError("not a page of payments")
        pages = document.get("pagination")
        total = pages.get("total_pages") if isinstance(pages, dict) else None
        if type(total) is not int or total < 0:
            raise UnreadableError("a page without the number of pages")
        found = [_payment(row) for row in document["items"]]
        return Page([one for one in found if one is not None and one.key is not None], total)

    def refusal(self, exchange: Exchange) -> str:
        """Why a payment was refused: the fields that are wrong, or the status (A-ORT-2)."""
        try:
            errors = strict.loads(exchange.body)["errors"]
            fields = ",".join(sorted(str(name) for name in errors))
        except (UnreadableError, KeyError, TypeError):
            fields = ""
        return strict.word(fields) or f"http_{exchange.status}"

    def event(self, raw: bytes) -> Event:
        """A webhook: `{id, type, payload}`, or with `api_version` and no id (PROVIDERS 2.8).

        Raises:
            UnreadableError: it is none of both.
        """
        document = strict.loads(raw)
        name = strict.word(document.get("type")) if isinstance(document, dict) else None
        payment = _payment(document.get("payload")) if isinstance(document, dict) else None
        if name is None or payment is None:
            raise UnreadableError("not an event about a payment with an id")
        return Event(
            "collection",
            name,
            id=strict.ident(document.get("id")),
            ref=payment.ref,
            wire=payment.key,
            amount=payment.amount,
            currency=payment.currency,
            status=payment.status,
        )


def _payment(row: object) -> Payment | None:
    """One payment; none where it has no id that can be asked for again."""
    if not isinstance(row, dict):
        return None
    ref, status = strict.ident(row.get("id")), strict.word(row.get("status"))
    if ref is None:
        return None
    metadata = row.get("metadata")
    key = metadata.get("collection_id") if isinstance(metadata, dict) else None
    return Payment(
        ref,
        strict.ident(key),
        _STANDINGS.get(status) if status is not None else None,
        status,
        amount_of(row.get("amount"), texts=True),
        strict.word(row.get("currency")),
        _link(row),
    )


def _link(row: dict[str, Any]) -> str | None:
    """The link in either of its two documented places."""
    action = row.get("next_action")
    link = row.get("payment_link") or (action.get("url") if isinstance(action, dict) else None)
    if not isinstance(link, str) or len(link) > _LINK_MAX or " " in link:
        return None
    plain = link.isascii() and link.isprintable() and link.startswith(("https://", "http://"))
    return link if plain else None
