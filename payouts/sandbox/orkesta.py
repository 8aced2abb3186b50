"""Orkesta, imitated: accounts, payments one by one or up to 500 at once, and cancelling.

    GET    /orkesta/v1/accounts         bare array, balances as major-unit decimals   A-OKS-8
    POST   /orkesta/v1/payments         201, the payment                              A-OKS-1
    POST   /orkesta/v1/payments/batch   200, an outcome per item in request order     A-OKS-2
    GET    /orkesta/v1/payments/{id}    200, the payment
    DELETE /orkesta/v1/payments/{id}    200, only while pending or approved           A-OKS-5

Keys: `sandbox-orkesta-rw` may do all of it, `sandbox-orkesta-ro` may only read. There is no
idempotency (A-OKS-9): who sends a batch twice pays twice, and the truth log shows it. Errors are
`{"error": {"code", "message", "field"?}}` (A-OKS-4). A payment begins as `pending` even without an
approval workflow; after `processing` comes `settled`, or `completed` where the wording says so.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from payouts.sandbox import life, magic
from payouts.sandbox.books import fingerprint
from payouts.sandbox.http import Reply
from payouts.sandbox.ids import SUFFIXES, payment_prefix
from payouts.sandbox.life import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.sandbox.books import Books, Entry
    from payouts.sandbox.faults import Refuse
    from payouts.sandbox.http import Request
    from payouts.sandbox.settings import Settings

__all__ = ["ACCOUNTS", "BATCH_MAX", "Orkesta"]

BATCH_MAX: Final = 500
MOUNT: Final = "/orkesta/v1"

Item = dict[str, Any]


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
_KEYS: Final = {"Bearer sandbox-orkesta-rw": True, "Bearer sandbox-orkesta-ro": False}
_AMOUNT_MAX: Final = 10**13
_TARGET: Final = re.compile(r"[A-Za-z0-9_]{4,64}")
_REFERENCE_MAX: Final = 35  # A-OKS-12
_DESCRIPTION_MAX: Final = 500
_FIELDS: Final = itemgetter("amount", "currency", "method", "from_account", "to_account")


@dataclass(frozen=True, slots=True)
class Refusal(Exception):  # noqa: N818  a refused item is an answer, not an error of the sandbox
    """Why an item, or a whole request, is refused."""

    code: str
    message: str
    field: str | None = None
    status: int = 422

    def error(self) -> dict[str, str]:
        """Give the error object of A-OKS-4."""
        error = {"code": self.code, "message": self.message}
        return error if self.field is None else {**error, "field": self.field}


class Orkesta:
    """The platform's answers, on top of its books.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, books: Books, settings: Settings, clock: Callable[[], float]) -> None:
        self._books = books
        self._settings = settings
        self._clock = clock

    def answer(self, request: Request, refuse: Refuse) -> Reply:
        """Answer a request below the mount.

        Args:
            refuse: gives a code for a reference whose item a fault wants refused, else None.
        """
        try:
            return self._route(request, refuse)
        except Refusal as refusal:
            return Reply(refusal.status, {"error": refusal.error()})

    def _route(self, request: Request, refuse: Refuse) -> Reply:
        may_write = _KEYS.get(request.headers.get("authorization", ""))
        if may_write is None:
            raise Refusal("unauthorized", "Missing or invalid API key", status=401)
        tail = request.path.removeprefix(MOUNT)
        match request.method, tail.split("/")[1:]:
            case "GET", ["accounts"]:
                return Reply(200, [self._account(name) for name in ACCOUNTS])
            case "GET", ["payments", name]:
                return Reply(200, self._payment(*self._find(name)))
            case method, ["accounts"] | ["payments"] | ["payments", _]:
                if not may_write:
                    raise Refusal("forbidden", "This key may only read", status=403)
                return self._write(method, tail, request, refuse)
            case _:
                raise Refusal("not_found", "There is no such resource", status=404)

    def _write(
        self,
        method: str,
        tail: str,
        request: Request,
        refuse: Refuse,
    ) -> Reply:
        match method, tail:
            case "POST", "/payments":
                return self._single(request, refuse)
            case "POST", "/payments/batch":
                return self._batch(request, refuse)
            case "DELETE", _ if tail.startswith("/payments/"):
                return self._cancel(tail.rpartition("/")[2])
            case _:
                raise Refusal("method_not_allowed", f"{method} is not possible here", status=405)

    # creating

    def _single(self, request: Request, refuse: Refuse) -> Reply:
        [outcome] = self._create([_parse(request)], "payment", request, refuse)
        if "id" not in outcome:
            return Reply(422, {"error": outcome["error"]})
        return Reply(201, outcome)

    def _batch(self, request: Request, refuse: Refuse) -> Reply:
        document = _parse(request)
        wrapped = self._settings.wrapped
        if wrapped:
            document = document.get("payments") if isinstance(document, dict) else None
        if not isinstance(document, list):
            expected = 'an object with "payments"' if wrapped else "an array of payments"
            raise Refusal("malformed", f"The body must be {expected}", status=400)
        if not 1 <= len(document) <= BATCH_MAX:
            raise Refusal("batch_size", f"A batch has 1 to {BATCH_MAX} payments")
        outcomes = self._create(document, "batch", request, refuse)
        return Reply(200, {"results": outcomes} if wrapped else outcomes)

    def _create(
        self,
        items: list[Item],
        kind: str,
        request: Request,
        refuse: Refuse,
    ) -> list[Item]:
        """Book the good items and give an outcome for each item, in their order."""
        now, speed = self._clock(), self._settings.speed
        prefix = payment_prefix(now, self._books.next_line)
        effects: list[Item] = []
        refused: list[Item] = []
        debits: dict[str, int] = {}
        entry: Entry = {
            "kind": kind,
            "platform": "orkesta",
            "at": now,
            "request": hashlib.sha256(request.body).hexdigest(),
            "key": request.headers.get("idempotency-key"),
            "speed": None if speed == math.inf else speed,
            "debits": debits,
            "effects": effects,
            "refused": refused,
        }
        outcomes: list[Item] = []
        for item, suffix in zip(items, SUFFIXES, strict=False):
            try:
                effect = self._accept(item, debits, refuse)
            except Refusal as refusal:
                outcomes.append(_refused(item, refusal, refused))
                continue
            effect["effect"] = prefix + suffix
            effects.append(effect)
            outcomes.append(self._payment(effect, entry, now))
        if effects or refused:
            self._books.append(entry)
        return outcomes

    def _accept(
        self,
        item: Item,
        debits: dict[str, int],
        refuse: Refuse,
    ) -> Item:
        """Check an item and give its effect, still without its id."""
        amount, currency, method, source, target, reference, description = _sound(item)
        account = fingerprint(target)
        word = magic.word_of(target) if self._settings.magic else None
        code = refuse(reference) or self._magic_refusal(word, reference, account)
        spent = debits.get(source, 0) + amount
        if self._books.spent[source] + spent > ACCOUNTS[source].opening_minor:
            code = "insufficient_funds"
        if code:
            raise Refusal(code, magic.MESSAGES.get(code, f"Refused: {code}"))
        debits[source] = spent
        effect = {
            "effect": "",
            "reference": reference,
            "amount_minor": amount,
            "currency": currency,
            "account": account,
            "method": method,
            "fate": magic.fate_of(word),
            "from": source,
            "description": description,
        }
        if effect["fate"] == "failed":
            effect["code"] = word
        return effect

    def _magic_refusal(self, word: str | None, reference: str | None, account: str) -> str | None:
        match word:
            case "account_closed" | "account_blocked" | "insufficient_funds" | "invalid_account":
                return word
            case "try_later" if not self._books.refusals[reference, account]:
                return word
            case _:
                return None

    # reading

    def _account(self, name: str) -> Item:
        account = ACCOUNTS[name]
        balance = Decimal(account.opening_minor - self._books.spent[name]).scaleb(-2)
        return {
            "id": name,
            "name": account.name,
            "currency": account.currency,
            "balance": balance,
        }

    def _find(self, name: str) -> tuple[Item, Entry, float]:
        found = self._books.find(name)
        if found is not None and found[1]["platform"] == "orkesta":
            return *found, self._clock()
        raise Refusal("not_found", "There is no such payment", status=404)

    def _status(self, effect: Item, entry: Entry, now: float) -> str:
        name = effect["effect"]
        if name in self._books.cancelled:
            return "cancelled"
        fate, begun, young = effect["fate"], entry["at"], "pending"
        if fate == "held" and name in self._books.released:
            fate, begun, young = "paid", self._books.released[name], "approved"
        speed = life.INSTANT if entry["speed"] is None else entry["speed"]
        match life.phase(fate, effect["reference"] or name, age=now - begun, speed=speed):
            case Phase.PENDING:
                return young
            case Phase.PROCESSING:
                return "processing"
            case Phase.DONE:
                return "failed" if fate == "failed" else self._settings.wording

    def _payment(self, effect: Item, entry: Entry, now: float) -> Item:
        """Give the payment object as the platform shows it at a moment."""
        status = self._status(effect, entry, now)
        payment = {
            "id": effect["effect"],
            "amount": effect["amount_minor"],
            "currency": effect["currency"],
            "method": effect["method"],
            "status": status,
            "from_account": effect["from"],
            "reference": effect["reference"],
            "description": effect["description"],
            "created_at": _instant(entry["at"]),
        }
        if status == self._settings.wording:
            payment["completed_at"] = _instant(self._done_at(effect, entry))
        elif status == "failed":
            code = effect["code"]
            payment["error"] = {"code": code, "message": magic.MESSAGES[code]}
        return payment

    def _done_at(self, effect: Item, entry: Entry) -> float:
        if entry["speed"] is None:
            return float(entry["at"])
        begun = float(self._books.released.get(effect["effect"]) or entry["at"])
        fate, seed = effect["fate"], effect["reference"] or effect["effect"]
        return begun + life.done_after(fate, seed, speed=entry["speed"])

    # cancelling

    def _cancel(self, name: str) -> Reply:
        effect, entry, now = self._find(name)
        status = self._status(effect, entry, now)
        if status not in {"pending", "approved"}:
            raise Refusal("invalid_state", f"A {status} payment cannot be cancelled", status=409)
        self._books.append({"kind": "cancel", "at": now, "effect": name})
        return Reply(200, self._payment(effect, entry, now))


def _parse(request: Request) -> Any:  # noqa: ANN401  JSON is anything
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refusal("unsupported_media_type", "Send application/json", status=415)
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise Refusal("malformed", "The body is not JSON", status=400) from None


def _sound(item: Item) -> tuple[int, str, str, str, str, str | None, str | None]:
    """Give the fields of an item in their order if all are well, in one quick look."""
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
    raise _problem(item)


def _problem(item: object) -> Refusal:
    """Say what is wrong with an item that is not sound: the first problem, slowly."""
    if not isinstance(item, dict):
        return Refusal("malformed", "A payment must be an object")
    for name in ("amount", "currency", "method", "from_account", "to_account"):
        if item.get(name) is None:
            return Refusal("missing_field", f"{name} is required", name)
    amount = item["amount"]
    if type(amount) is not int or not 0 < amount <= _AMOUNT_MAX:
        return Refusal(
            "invalid_amount", "amount must be a positive integer in the smallest unit", "amount"
        )
    for name in ("currency", "method", "from_account", "to_account", "reference", "description"):
        if not isinstance(item.get(name, ""), str | None):
            return Refusal("invalid_type", f"{name} must be a string", name)
    return _meaning_problem(item)


def _meaning_problem(item: Item) -> Refusal:  # noqa: PLR0911  one return per rule
    if item["currency"] not in _CURRENCIES:
        return Refusal("unsupported_currency", "This currency is not supported", "currency")
    if item["method"] not in METHODS:
        return Refusal("unsupported_method", "This method is not supported", "method")
    if item["from_account"] not in ACCOUNTS:
        return Refusal("unknown_account", "from_account is not one of yours", "from_account")
    if _CURRENCY_OF[item["from_account"]] != item["currency"]:
        return Refusal("currency_mismatch", "from_account has another currency", "currency")
    if item["from_account"] == item["to_account"]:
        return Refusal("same_account", "Source and destination are the same", "to_account")
    if _TARGET.fullmatch(item["to_account"]) is None:
        return Refusal("invalid_account", "to_account is not an account id", "to_account")
    if item.get("reference") is not None and not 0 < len(item["reference"]) <= _REFERENCE_MAX:
        return Refusal("invalid_reference", "reference has 1 to 35 characters", "reference")
    return Refusal("invalid_description", "description has at most 500 characters", "description")


def _refused(item: object, refusal: Refusal, refused: list[Item]) -> Item:
    """Give a refused item's outcome, and note it for the books."""
    known = item if isinstance(item, dict) else {}
    reference, target = known.get("reference"), known.get("to_account")
    if not isinstance(reference, str):
        reference = None
    account = fingerprint(target) if isinstance(target, str) else ""
    refused.append({"reference": reference, "account": account, "code": refusal.code})
    return {"status": "failed", "reference": reference, "error": refusal.error()}


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
