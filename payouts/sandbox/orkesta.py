"""Orkesta, imitated: accounts, payments one by one or up to 500 at once, and cancelling.

    GET    /orkesta/v1/accounts         bare array, balances as major-unit decimals   A-OKS-8
    POST   /orkesta/v1/payments         201, the payment                              A-OKS-1
    POST   /orkesta/v1/payments/batch   200, an outcome per item in request order     A-OKS-2
    GET    /orkesta/v1/payments/{id}    200, the payment
    DELETE /orkesta/v1/payments/{id}    200, only while pending or approved           A-OKS-5

Keys: `sandbox-orkesta-admin` and `sandbox-orkesta-rw` may do all of it, `sandbox-orkesta-ro` may
only read (403 for the rest, A-OKS-4). There is no
idempotency (A-OKS-9): who sends a batch twice pays twice, and the truth log shows it. Errors are
`{"error": {"code", "message", "field"?}}` (A-OKS-4). A payment begins as `pending` even without an
approval workflow; after `processing` comes `settled`, or `completed` where the wording says so,
and `reconciled` where that is switched on. With the switch `approval` it stays `pending` until
somebody approves (`POST /_control/approve`), and is `approved` then. What the receiving bank sends
back is `returned`; of a part only `returned_amount` tells (A-OKS-14). What it tells of its own
accord is in `orkesta_events`.
"""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import orjson

from payouts.sandbox import life, magic, orkesta_events
from payouts.sandbox.books import fingerprint
from payouts.sandbox.channels import News
from payouts.sandbox.http import Reply
from payouts.sandbox.ids import SUFFIXES, payment_prefix
from payouts.sandbox.life import Phase
from payouts.sandbox.orkesta_events import reconciled_at
from payouts.sandbox.orkesta_rules import ACCOUNTS, Payment, Refusal, sound
from payouts.sandbox.platforms import Registration, foretell, nested_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from payouts.sandbox.books import Entry
    from payouts.sandbox.http import Request
    from payouts.sandbox.platforms import Wish, World
    from payouts.sandbox.webhooks import Due

__all__ = ["BATCH_MAX", "MOUNT", "PLATFORM", "Orkesta"]

BATCH_MAX: Final = 500
MOUNT: Final = "/orkesta/v1"

_KEYS: Final = {
    "Bearer sandbox-orkesta-admin": True,
    "Bearer sandbox-orkesta-rw": True,
    "Bearer sandbox-orkesta-ro": False,
}


class Orkesta:
    """The platform's answers, on top of its books."""

    def __init__(self, world: World) -> None:
        self._books = world.books
        self._settings = world.settings
        self._clock = world.clock

    def answer(self, request: Request, wish: Wish) -> Reply:
        """Answer a request below the mount."""
        try:
            return self._route(request, wish)
        except Refusal as refusal:
            return Reply(refusal.status, {"error": refusal.error})

    def _route(self, request: Request, wish: Wish) -> Reply:
        may_write = _KEYS.get(request.headers.get("authorization", ""))
        if may_write is None:
            raise Refusal("unauthorized", "Missing or invalid API key", status=401)
        match request.method, request.path.removeprefix(MOUNT).split("/")[1:]:
            case "GET", ["accounts"]:
                return Reply(200, [self._account(name) for name in ACCOUNTS])
            case "GET", ["payments", name]:
                return Reply(200, self._look(name, self._clock() - wish.ago_s))
            case method, ["accounts"] | ["payments"] | ["payments", _] as path:
                if not may_write:
                    raise Refusal("forbidden", "This key may only read", status=403)
                return self._write(method, path, request, wish)
            case _:
                raise Refusal("not_found", "There is no such resource", status=404)

    def _write(self, method: str, path: list[str], request: Request, wish: Wish) -> Reply:
        match method, path:
            case "POST", ["payments"]:
                return self._single(request, wish)
            case "POST", ["payments", "batch"]:
                return self._batch(request, wish)
            case "DELETE", ["payments", name]:
                return self._cancel(name)
            case _:
                raise Refusal("method_not_allowed", f"{method} is not possible here", status=405)

    # creating

    def _single(self, request: Request, wish: Wish) -> Reply:
        [outcome] = self._create([_parse(request)], "payment", request, wish)
        return Reply(201, outcome) if "id" in outcome else Reply(422, {"error": outcome["error"]})

    def _batch(self, request: Request, wish: Wish) -> Reply:
        document = _parse(request)
        wrapped = self._settings.wrapped
        if wrapped:
            document = document.get("payments") if isinstance(document, dict) else None
        if not isinstance(document, list):
            expected = 'an object with "payments"' if wrapped else "an array of payments"
            raise Refusal("malformed", f"The body must be {expected}", status=400)
        if not 1 <= len(document) <= BATCH_MAX:
            raise Refusal("batch_size", f"A batch has 1 to {BATCH_MAX} payments")
        outcomes = self._create(document, "batch", request, wish)
        return Reply(200, {"results": outcomes} if wrapped else outcomes)

    def _create(
        self, items: list[Payment], kind: str, request: Request, wish: Wish
    ) -> list[Payment]:
        """Book the good items and give an outcome for each item, in their order."""
        now = self._clock()
        entry = self._entry(kind, request, now)
        effects, refused = entry["effects"], entry["refused"]
        left = {name: self._left(name, now) for name in ACCOUNTS}
        before = dict(left)
        prefix = payment_prefix(now, self._books.next_line)
        born = {fate: self._word(fate, "", 0.0, entry["speed"]) for fate in life.FATES}
        instant = _instant(now)
        outcomes = []
        for item, suffix in zip(items, SUFFIXES, strict=False):
            try:
                effect = self._accept(item, prefix + suffix, left, wish)
            except Refusal as refusal:
                outcomes.append(_refused(item, refusal, refused))
                continue
            effects.append(effect)
            outcomes.append(self._shown(effect, born[effect["fate"]], instant, instant))
        entry["debits"] = {
            name: before[name] - left[name] for name in left if left[name] < before[name]
        }
        foretell(entry)
        self._books.append(entry)
        return outcomes

    def _left(self, name: str, now: float) -> int:
        return ACCOUNTS[name].opening_minor - self._books.spent_by(name, now)

    def _entry(self, kind: str, request: Request, now: float) -> Entry:
        entry: Entry = {
            "kind": kind,
            "platform": "orkesta",
            "at": now,
            "request": hashlib.sha256(request.body).hexdigest(),
            "key": request.headers.get("idempotency-key"),
            "speed": self._settings.speed,
            "debits": {},
            "effects": [],
            "refused": [],
        }
        if self._settings.reconcile_s is not None:
            entry["reconcile_s"] = self._settings.reconcile_s
        return entry

    def _accept(self, item: Payment, name: str, left: dict[str, int], wish: Wish) -> Payment:
        """Check an item and give its effect, still without booking it.

        Args:
            left: minor units left on each own account; what the item takes is taken off.
        """
        amount, currency, method, source, target, reference, description = sound(item)
        account = fingerprint(target)
        word = magic.word_of(target) if self._settings.magic else None
        code = None if wish.refuse is None else wish.refuse(reference)
        if word is not None:
            again = self._books.refusals[reference, account] > 0
            code = code or magic.refusal_of(word, again=again, late=False)
        if amount > left[source]:
            code = "insufficient_funds"
        if code is not None:
            raise Refusal(code, magic.message_of(code))
        left[source] -= amount
        effect = {
            "effect": name,
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
        elif self._settings.approval:
            effect["fate"] = "held"
        if wish.mark is not None:
            effect.update(wish.mark(reference))
        return effect

    # reading

    def _account(self, name: str) -> Payment:
        account = ACCOUNTS[name]
        balance = Decimal(self._left(name, self._clock())).scaleb(-2)
        return {
            "id": name,
            "name": account.name,
            "currency": account.currency,
            "balance": balance,
        }

    def _find(self, name: str) -> tuple[Payment, Entry]:
        found = self._books.find(name)
        if found is None or found[1]["platform"] != "orkesta":
            raise Refusal("not_found", "There is no such payment", status=404)
        return found

    def _look(self, name: str, now: float) -> Payment:
        """Give what a look-up shows of a payment at a moment, unless it was not there yet."""
        effect, entry = self._find(name)
        if now < entry["at"]:
            raise Refusal("not_found", "There is no such payment", status=404)
        return self.payment(effect, entry, now)

    def payment(self, effect: Payment, entry: Entry, now: float) -> Payment:
        """Give the payment object as the platform shows it to whoever asks at a moment."""
        status, done_at = self._status(effect, entry, now)
        if effect.get("mute") in {"lookups", "both"}:
            status = "pending"
        return self.shown(effect, entry, status, now, done_at)

    def shown(
        self, effect: Payment, entry: Entry, status: str, now: float, done_at: float
    ) -> Payment:
        """Give the payment object with a status."""
        shown = self._shown(effect, status, _instant(entry["at"]), _instant(done_at))
        returned = self._returned(effect["effect"], now)
        if returned:
            shown["returned_amount"] = returned
        return shown

    def _returned(self, name: str, now: float) -> int:
        """Minor units of a payment that have come back by a moment."""
        moments = self._books.returned.get(name, ())
        return sum(amount for at, amount in moments if at <= now)

    def _status(self, effect: Payment, entry: Entry, now: float) -> tuple[str, float]:
        """Give the status at a moment, and when the payment is done if it ever is."""
        name, fate, begun, speed = effect["effect"], effect["fate"], entry["at"], entry["speed"]
        if self._books.cancelled.get(name, math.inf) <= now:
            return "cancelled", begun
        young = "pending"
        if fate == "held":
            released_at = self._books.released_at(name, begun, "orkesta")
            if released_at is not None and released_at <= now:
                fate, begun, young = "paid", released_at, "approved"
        age, seed = now - begun, effect["reference"] or name
        done_at = begun + life.done_after("paid" if fate == "held" else fate, seed, speed=speed)
        word = self._word(fate, seed, age, speed, young)
        if word == self._settings.wording:
            if self._returned(name, now) >= effect["amount_minor"]:
                word = "returned"
            elif "reconcile_s" in entry and now >= reconciled_at(entry, done_at):
                word = "reconciled"
        return word, done_at

    def _word(
        self, fate: str, seed: str, age: float, speed: float | None, young: str = "pending"
    ) -> str:
        """Give the platform's word for a phase of life."""
        match life.phase(fate, seed, age=age, speed=speed):
            case Phase.PENDING:
                return young
            case Phase.PROCESSING:
                return "processing"
            case Phase.DONE:
                return "failed" if fate == "failed" else self._settings.wording

    def _shown(self, effect: Payment, status: str, created_at: str, done_at: str) -> Payment:
        payment = {
            "id": effect["effect"],
            "amount": effect["amount_minor"],
            "currency": effect["currency"],
            "method": effect["method"],
            "status": status,
            "from_account": effect["from"],
            "reference": effect["reference"],
            "description": effect["description"],
            "created_at": created_at,
        }
        if status in {self._settings.wording, "reconciled", "returned"}:
            payment["completed_at"] = done_at
        elif status == "failed":
            code = effect["code"]
            payment["error"] = {"code": code, "message": magic.message_of(code)}
        return payment

    # cancelling

    def _cancel(self, name: str) -> Reply:
        effect, entry = self._find(name)
        now = self._clock()
        status, _ = self._status(effect, entry, now)
        if status not in {"pending", "approved"}:
            raise Refusal("invalid_state", f"A {status} payment cannot be cancelled", status=409)
        amount = effect["amount_minor"]
        self._books.append(
            {
                "kind": "cancel",
                "platform": "orkesta",
                "at": now,
                "effect": name,
                "reference": effect["reference"],
                "amount_minor": amount,
                "currency": effect["currency"],
                # what fails comes back by itself
                "credits": {} if effect["fate"] == "failed" else {effect["from"]: amount},
            }
        )
        return Reply(200, self.payment(effect, entry, now))

    # telling

    def agenda(self, entry: Entry) -> Iterable[Due]:
        """Give what will be told of a line."""
        return orkesta_events.agenda(entry, self._books)

    def news(self, entry: Entry, index: int, kind: str, at: float) -> News | None:
        """Give one event, unless the payment was cancelled before."""
        found = orkesta_events.subject(entry, index, self._books)
        if found is None or self._books.cancelled.get(found[0]["effect"], math.inf) < at:
            return None
        effect, made = found
        status = orkesta_events.status_of(kind, self._settings.wording)
        if status is None:
            status = self._status(effect, made, at)[0]
        payment = self.shown(effect, made, status, at, at)
        name = orkesta_events.name_of(effect["effect"], kind, at)
        document = {"id": name, "type": kind, "created_at": _instant(at), "data": payment}
        return News(kind, document, effect["reference"])


def _parse(request: Request) -> Any:  # noqa: ANN401  JSON is anything
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refusal("unsupported_media_type", "Send application/json", status=415)
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise Refusal("malformed", "The body is not JSON", status=400) from None


def _refused(item: object, refusal: Refusal, refused: list[Payment]) -> Payment:
    """Give a refused item's outcome, and note it for the books."""
    known = item if isinstance(item, dict) else {}
    reference, target = known.get("reference"), known.get("to_account")
    if not isinstance(reference, str):
        reference = None
    account = fingerprint(target) if isinstance(target, str) else ""
    refused.append({"reference": reference, "account": account, "code": refusal.code})
    return {"status": "failed", "reference": reference, "error": refusal.error}


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


PLATFORM: Final = Registration("orkesta", Orkesta, nested_error, ("reference",), tells=True)
