"""Orkestra, imitated: single payouts with HTTP Basic and an own reference.

    POST /orkestra/payouts        201, the payout; 200 with the first payout when the referenceId
                                  is known with the same body, 409 with another      A-ORK-2, 6
    GET  /orkestra/payouts/{id}   200, the payout                                    A-ORK-4

Credentials: `sandbox-orkestra` / `sandbox-orkestra-secret`. Errors are `{"code", "message",
"details"?}` (A-ORK-7). A payout is PENDING, then PAID, or FAILED with a `statusReason`. Amounts
are decimals in major units and are read digit by digit, never through a float. Fields are checked
for presence, enumeration and shape, not for check digits (A-ORK-9): the vendor's own samples would
fail those.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from payouts.sandbox import life, magic
from payouts.sandbox.books import fingerprint
from payouts.sandbox.http import Reply
from payouts.sandbox.ids import payout_id
from payouts.sandbox.life import Phase
from payouts.sandbox.orkestra_rules import Document, RefusedError, minor, read
from payouts.sandbox.platforms import Registration, foretell, plain_error

if TYPE_CHECKING:
    from payouts.sandbox.books import Entry
    from payouts.sandbox.http import Request
    from payouts.sandbox.platforms import Wish, World

__all__ = ["MOUNT", "PLATFORM", "Orkestra"]

MOUNT: Final = "/orkestra"

_USER, _SECRET = "sandbox-orkestra", "sandbox-orkestra-secret"  # A-ORK-1


class Orkestra:
    """The platform's answers, on top of its books."""

    def __init__(self, world: World) -> None:
        self._books = world.books
        self._settings = world.settings
        self._clock = world.clock

    def answer(self, request: Request, wish: Wish) -> Reply:
        """Answer a request below the mount."""
        try:
            return self._route(request, wish)
        except RefusedError as refused:
            return refused.reply

    def _route(self, request: Request, wish: Wish) -> Reply:
        if not _known(request.headers.get("authorization", "")):
            raise RefusedError(401, "unauthorized", "Missing or invalid credentials")
        match request.method, request.path.removeprefix(MOUNT).split("/")[1:]:
            case "POST", ["payouts"]:
                return self._create(request, wish)
            case "GET", ["payouts", name]:
                return self._read(name, self._clock() - wish.ago_s)
            case _, ["payouts"] | ["payouts", _]:
                raise RefusedError(405, "method_not_allowed", "This is not possible here")
            case _:
                raise RefusedError(404, "not_found", "There is no such resource")

    # creating

    def _create(self, request: Request, wish: Wish) -> Reply:
        document = read(request)
        digest = _canonical(document)
        reference = document.get("referenceId")
        now = self._clock()
        first = None if wish.forget else self._first(reference, now)
        if first is not None:
            if first["effects"][0]["canonical"] != digest:
                message = "This referenceId was used with another body"
                raise RefusedError(409, "reference_conflict", message)
            return Reply(200, self._payout(first, now))
        account = _account(document)
        word = magic.word_of(account) if self._settings.magic else None
        again = self._books.refusals[reference, fingerprint(account)] > 0
        code = None if wish.refuse is None else wish.refuse(reference)
        code = code or magic.refusal_of(word, again=again, late=True)
        if code is not None:
            raise self._refusal(code, request, reference, fingerprint(account))
        entry = self._entry(request, reference, now)
        effect = {
            "effect": str(payout_id(now, self._books.next_line)),
            "reference": reference,
            "amount_minor": minor(document["amount"], document["currency"]),
            "currency": document["currency"],
            "account": fingerprint(account),
            "method": document["paymentMethod"],
            "fate": magic.fate_of(word),
            "amount": format(document["amount"], "f"),
            "canonical": digest,
        }
        if effect["fate"] == "failed":
            effect["code"] = word
        if wish.mark is not None:
            effect.update(wish.mark(reference))
        entry["effects"].append(effect)
        foretell(entry)
        self._books.append(entry)
        return Reply(201, self._payout(entry, now))

    def _entry(self, request: Request, reference: str | None, now: float) -> Entry:
        return {
            "kind": "payout",
            "platform": "orkestra",
            "at": now,
            "request": hashlib.sha256(request.body).hexdigest(),
            "key": reference,
            "speed": self._settings.speed,
            "debits": {},
            "effects": [],
            "refused": [],
        }

    def _first(self, reference: str | None, now: float) -> Entry | None:
        """Give the line of the payout that this referenceId made, while it is remembered."""
        number = None if reference is None else self._books.by_reference.get(reference)
        entry = None if number is None else self._books.line(number)
        life_s = self._settings.key_life_s
        if entry is None or (life_s is not None and now - entry["at"] > life_s):
            return None
        return entry

    def _refusal(
        self, code: str, request: Request, reference: str | None, account: str
    ) -> RefusedError:
        """Note a refused payout and give its error: 402 for funds, 429 for later, else 422."""
        entry = self._entry(request, reference, self._clock())
        entry["refused"].append({"reference": reference, "account": account, "code": code})
        self._books.append(entry)
        status = {"insufficient_funds": 402, "try_later": 429}.get(code, 422)
        return RefusedError(status, code, magic.message_of(code))

    # reading

    def _read(self, name: str, now: float) -> Reply:
        found = self._books.find(name)
        if found is not None and found[1]["platform"] == "orkestra" and found[1]["at"] <= now:
            return Reply(200, self._payout(found[1], now))
        raise RefusedError(404, "not_found", "There is no such payout")

    def _payout(self, entry: Entry, now: float) -> Document:
        """Give the payout object as the platform shows it at a moment."""
        [effect] = entry["effects"]
        status, since = self._status(effect, entry, now)
        payout = {
            "id": int(effect["effect"]),
            "referenceId": effect["reference"],
            "amount": Decimal(effect["amount"]),
            "currency": effect["currency"],
            "paymentMethod": effect["method"],
            "status": status,
            "createdAt": _instant(entry["at"]),
            "updatedAt": _instant(since),
        }
        if status == "FAILED":
            payout["statusReason"] = f"{effect['code']}: {magic.message_of(effect['code'])}"
        return payout

    def _status(self, effect: Document, entry: Entry, now: float) -> tuple[str, float]:
        """Give the status and the instant since when it holds."""
        name, fate, begun = effect["effect"], effect["fate"], entry["at"]
        if fate == "held":
            released_at = self._books.released_at(name, begun)
            fate, begun = (fate, begun) if released_at is None else ("paid", released_at)
        speed, seed = entry["speed"], effect["reference"] or name
        if life.phase(fate, seed, age=now - begun, speed=speed) is not Phase.DONE:
            return "PENDING", entry["at"]
        word = "FAILED" if fate == "failed" else "PAID"
        return word, begun + life.done_after(fate, seed, speed=speed)


def _known(authorization: str) -> bool:
    scheme, _, token = authorization.partition(" ")
    try:
        plain = base64.b64decode(token, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return scheme.lower() == "basic" and plain == f"{_USER}:{_SECRET}"


def _account(document: Document) -> str:
    """Give what identifies the destination: the key, or for cash the person's document."""
    key = (document.get("receivingBankAccount") or {}).get("key")
    return str(key or document["beneficiary"].get("document"))


def _canonical(document: Document) -> str:
    """Give a hash that is equal for equal content: 10.0 is 10.00, and order is nothing."""
    text = json.dumps(document, sort_keys=True, default=lambda value: f"{value.normalize():f}")
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


PLATFORM: Final = Registration("orkestra", Orkestra, plain_error, ("referenceId",))
