"""Orchestrate, imitated: payments that are collected from a customer by a link.

    POST /orchestrate/api/v1/payments              201, the payment with its link
    GET  /orchestrate/api/v1/payments/{id}         200, the payment
    GET  /orchestrate/api/v1/payments?page=…       200, the newest first; per_page at most 100
    GET  /orchestrate/payments/{id}/collection     200, the page of the link
    POST /orchestrate/payments/{id}/collection     `outcome=pay|fail|cancel`; 303 to the merchant

Key: `Bearer sandbox-orchestrate`; the page of the link needs none. A payment is `pending`, then
`completed` (`succeeded` where the wording says so), `failed`, or `expired` by the clock. Amounts
are taken as numbers and shown as text, "500.0", as the vendor's pages do. Nothing is idempotent:
who creates twice has two payments, and `metadata` is the only handle to find one again.

It tells of its own accord `payment.created`, `payment.succeeded` (whatever the wording of the status
is), `payment.failed` and `payment.expired`, as `{id, type, payload}`, or with `api_version` in the
place of `id` where the settings say so; amounts are numbers there (PROVIDERS 2.8).

Lines of the books are `note`s of this platform: `{"act": "created", "payment", …}` and
`{"act": "paid" | "failed", "payment"}`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs
from uuid import UUID

from payouts.sandbox.channels import News
from payouts.sandbox.http import Reply
from payouts.sandbox.orchestrate_page import OUTCOMES, page, sent_on
from payouts.sandbox.orchestrate_rules import Document, RefusedError, page_of, read
from payouts.sandbox.platforms import Registration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from payouts.sandbox.books import Entry
    from payouts.sandbox.http import Request
    from payouts.sandbox.platforms import Wish, World
    from payouts.sandbox.webhooks import Due

__all__ = ["MOUNT", "PLATFORM", "Orchestrate"]

MOUNT: Final = "/orchestrate"

_KEY: Final = "Bearer sandbox-orchestrate"
_EXPIRES_S: Final = 300  # the vendor's sample of a reply; the default is not documented
_LAST_DIGITS: Final = Decimal("0.1")


@dataclass(slots=True)
class _End:
    """How a payment ended: `paid` or `failed`, and when."""

    act: str
    at: float


class Orchestrate:
    """The platform's answers, on top of its books."""

    def __init__(self, world: World) -> None:
        self._books = world.books
        self._settings = world.settings
        self._clock = world.clock
        self._made: dict[str, int] = {}  # payment -> its line, in the order of their making
        self._ends: dict[str, _End] = {}
        for number in self._books.notes.get("orchestrate", ()):
            entry = self._books.line(number)
            if entry is not None:
                self._apply(number, entry)

    def answer(self, request: Request, wish: Wish) -> Reply:  # noqa: ARG002  no item to refuse
        """Answer a request below the mount."""
        try:
            return self._route(request)
        except RefusedError as refused:
            return refused.reply

    def _route(self, request: Request) -> Reply:
        match request.method, request.path.removeprefix(MOUNT).split("/")[1:]:
            case "GET" | "POST" as method, ["payments", name, "collection"]:
                return (
                    self._page(request, name) if method == "GET" else self._visited(request, name)
                )
            case method, ["api", "v1", "payments", *rest] if len(rest) < 2:  # noqa: PLR2004  one id
                if request.headers.get("authorization") != _KEY:
                    raise RefusedError(401, "Unauthenticated")
                return self._resource(method, request, *rest)
            case _:
                raise RefusedError(404, "Not found")

    def _resource(self, method: str, request: Request, name: str | None = None) -> Reply:
        match method, name:
            case "POST", None:
                return self._create(request)
            case "GET", None:
                return self._list(request)
            case "GET", str():
                return Reply(200, self._shown(self._find(name), request))
            case _:
                raise RefusedError(405, "Method not allowed")

    # creating

    def _create(self, request: Request) -> Reply:
        document = read(request)
        now = self._clock()
        name = str(UUID(bytes=_digest(f"{now!r}/{self._books.next_line}")[:16], version=4))
        customer = document.get("customer") or {}
        self._note(
            {
                "act": "created",
                "payment": name,
                "at": now,
                "expires_at": now + (document.get("expires_in") or _EXPIRES_S),
                "request": hashlib.sha256(request.body).hexdigest(),
                "amount": format(document["amount"], "f"),
                "amount_minor": int(document["amount"].scaleb(2)),
                "currency": document["currency"],
                "customer": {"name": customer.get("name"), "email": customer.get("email")},
                "metadata": _exact(document.get("metadata") or {}),
                **{key: document.get(key) for key in ("description", "success_url", "cancel_url")},
            }
        )
        return Reply(201, self._shown(self._find(name), request))

    def _note(self, entry: Entry) -> None:
        number = self._books.next_line
        entry = {"kind": "note", "platform": "orchestrate", **entry}
        self._books.append(entry)
        self._apply(number, entry)

    def _apply(self, number: int, entry: Entry) -> None:
        if entry["act"] == "created":
            self._made[entry["payment"]] = number
        else:
            self._ends[entry["payment"]] = _End(entry["act"], entry["at"])

    # the link

    def _page(self, request: Request, name: str) -> Reply:
        shown = self._shown(self._find(name), request)
        return page(**_summary(shown))

    def _visited(self, request: Request, name: str) -> Reply:
        """Take what the visitor of the link pressed; only a pending payment can end."""
        entry = self._find(name)
        outcome = parse_qs(request.body.decode("latin-1")).get("outcome", ["pay"])[-1]
        if outcome not in OUTCOMES:
            raise RefusedError(422, "Validation failed", outcome=f"is one of {', '.join(OUTCOMES)}")
        if outcome != "cancel":
            self.end(name, "paid" if outcome == "pay" else "failed")
        shown = self._shown(entry, request)
        url = entry["success_url"] if outcome == "pay" else entry["cancel_url"]
        return sent_on(url, **_summary(shown))

    def end(self, name: str, act: str) -> None:
        """End a pending payment as `paid` or `failed`.

        Raises:
            RefusedError: there is none of that id, or it has ended.
        """
        status = self._status(self._find(name), self._clock())[0]
        if status != "pending":
            raise RefusedError(409, f"The payment is {status}")
        self._note({"act": act, "payment": name, "at": self._clock()})

    # reading

    def _find(self, name: str) -> Entry:
        number = self._made.get(name)
        entry = None if number is None else self._books.line(number)
        if entry is None:
            raise RefusedError(404, "Payment not found")
        return entry

    def _list(self, request: Request) -> Reply:
        number, size = page_of(request.query)
        names = list(reversed(self._made))
        chosen = names[(number - 1) * size : number * size]
        pages = {
            "page": number,
            "per_page": size,
            "total_pages": -(-len(names) // size),
            "total_items": len(names),
        }
        items = [self._shown(self._find(name), request) for name in chosen]
        return Reply(200, {"items": items, "pagination": pages})

    def _shown(self, entry: Entry, request: Request) -> Document:
        """Give the payment object as the platform shows it now."""
        status, since = self._status(entry, self._clock())
        name = entry["payment"]
        paid = status == self._settings.collected
        link = f"http://{request.headers.get('host', '')}{MOUNT}/payments/{name}/collection"
        shown = {
            "id": name,
            "status": status,
            "description": entry["description"],
            "metadata": entry["metadata"],
            "currency": entry["currency"],
            "amount": self._amount(Decimal(entry["amount"])),
            "updated_at": _instant(since),
            "completed_at": _instant(since) if paid else None,
            "expires_at": _instant(entry["expires_at"]),
            "created_at": _instant(entry["at"]),
            "payment_method": "card" if paid else None,
            "customer": {"id": f"cus_{name[:8]}", **entry["customer"]},
            "success_url": entry["success_url"],
            "cancel_url": entry["cancel_url"],
        }
        named = self._settings.link == "payment_link"
        return shown | ({"payment_link": link} if named else {"next_action": {"url": link}})

    def _amount(self, amount: Decimal) -> str | Decimal:
        """Give an amount as text with one decimal at least, or as a number."""
        if not self._settings.amount_text:
            return amount
        shortest = amount.normalize()
        return format(max(shortest, shortest.quantize(_LAST_DIGITS), key=_decimals), "f")

    def _status(self, entry: Entry, now: float) -> tuple[str, float]:
        """Give the status and the instant since when it holds."""
        end = self._ends.get(entry["payment"])
        if end is not None:
            return (self._settings.collected if end.act == "paid" else "failed"), end.at
        if now >= entry["expires_at"]:
            return "expired", entry["expires_at"]
        return "pending", entry["at"]

    # telling

    def agenda(self, entry: Entry) -> Iterator[Due]:
        """Give what will be told of a line: when, and the type of the event."""
        if entry["act"] == "created":
            yield entry["at"], 0, "payment.created"
            yield entry["expires_at"], 0, "payment.expired"
        else:
            yield entry["at"], 0, f"payment.{'succeeded' if entry['act'] == 'paid' else 'failed'}"

    def news(self, entry: Entry, index: int, kind: str, at: float) -> News | None:
        """Give what is told then; None: a payment that ended otherwise does not expire."""
        name = entry["payment"]
        if kind == "payment.expired" and name in self._ends:
            return None
        made = self._find(name)
        paid = self._settings.collected
        statuses = {"payment.created": "pending", "payment.succeeded": paid}
        payload = {
            "id": name,
            "amount": Decimal(made["amount"]),
            "currency": made["currency"],
            "status": statuses.get(kind, kind.removeprefix("payment.")),
            "customer": made["customer"],
            "metadata": made["metadata"],
        }
        event = f"evt_{_digest(f'{name}/{kind}/{at!r}/{index}').hex()[:24]}"
        head = {"id": event} if self._settings.envelope == "id" else {"api_version": "1"}
        return News(kind, {**head, "type": kind, "payload": payload}, name)


def _decimals(amount: Decimal) -> int:
    return -int(amount.as_tuple().exponent)


def _summary(shown: Document) -> dict[str, str]:
    return {
        "description": shown["description"] or "A payment",
        "amount": f"{shown['amount']} {shown['currency']}",
        "status": shown["status"],
    }


def _exact(value: Document) -> Document:
    """Give metadata as the books can keep it: a number with a fraction becomes its text."""
    return {key: str(one) if isinstance(one, Decimal) else one for key, one in value.items()}


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _error(code: str, message: str) -> Document:
    return {"message": f"{message} ({code})"}


PLATFORM: Final = Registration("orchestrate", Orchestrate, _error, (), tells=True)
