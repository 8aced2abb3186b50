"""What payouts, orders and refunds of Orkestra have in common."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from payouts.sandbox import life, magic
from payouts.sandbox.life import Phase
from payouts.sandbox.orkestra_rules import Document, RefusedError
from payouts.sandbox.platforms import foretell

if TYPE_CHECKING:
    from payouts.sandbox.books import Books, Entry
    from payouts.sandbox.http import Request
    from payouts.sandbox.platforms import Wish
    from payouts.sandbox.webhooks import Due

__all__ = [
    "canonical",
    "end_of",
    "entry_of",
    "grow",
    "instant",
    "key_of",
    "lasts",
    "refuse",
    "remembered",
    "since",
]

_ENDS = {"failed": "FAILED", "cancelled": "CANCELLED"}
_STATUSES = {"insufficient_funds": 402, "try_later": 429}


def entry_of(
    kind: str, request: Request, key: str | None, now: float, speed: float | None
) -> Entry:
    """Begin a line of the books."""
    return {
        "kind": kind,
        "platform": "orkestra",
        "at": now,
        "request": hashlib.sha256(request.body).hexdigest(),
        "key": key,
        "speed": speed,
        "debits": {},
        "effects": [],
        "refused": [],
    }


def grow(entry: Entry, effect: Entry, document: Document, wish: Wish) -> None:
    """Put an effect into a line, with what a fault or the request itself wants of it."""
    if wish.mark is not None:
        effect.update(wish.mark(effect["reference"]))
    if document.get("notificationUrl") is not None:  # A-ORK-3
        effect["notify"] = document["notificationUrl"]
        entry["hooks"] = True
    entry["effects"].append(effect)
    foretell(entry)


def refuse(code: str, entry: Entry, account: str, books: Books) -> RefusedError:
    """Book a refusal and give its error: 402 for funds, 429 for later, else 422.

    Args:
        account: fingerprint of the account that is refused.
    """
    entry["effects"] = []
    entry["refused"].append({"reference": entry["key"], "account": account, "code": code})
    books.append(entry)
    return RefusedError(_STATUSES.get(code, 422), code, magic.message_of(code))


def lasts(effect: Entry, entry: Entry, fate: str) -> float:
    """Seconds from the beginning of an effect to its end."""
    seed: str = effect["reference"] or effect["effect"]
    return life.done_after(fate, seed, speed=entry["speed"])


def since(effect: Entry, entry: Entry, now: float, books: Books) -> tuple[str, float]:
    """Give the status at a moment and the instant since when it holds."""
    name, fate, begun = effect["effect"], effect["fate"], entry["at"]
    if fate == "held":
        released_at = books.released_at(name, begun, "orkestra")
        if released_at is not None and released_at <= now:
            fate, begun = "paid", released_at
    speed, seed = entry["speed"], effect["reference"] or name
    if life.phase(fate, seed, age=now - begun, speed=speed) is not Phase.DONE:
        return "PENDING", entry["at"]
    return _ENDS.get(fate, "PAID"), begun + life.done_after(fate, seed, speed=speed)


def remembered(books: Books, number: int | None, now: float, life_s: float | None) -> Entry | None:
    """Give the line of a key's first use, while the key is remembered."""
    entry = None if number is None else books.line(number)
    if entry is None or (life_s is not None and now - entry["at"] > life_s):
        return None
    return entry


def end_of(noun: str, entry: Entry, begun: float, index: int) -> Due:
    """Give what is told at the end of an effect that nothing holds any more."""
    [effect] = entry["effects"]
    fate = "paid" if effect["fate"] == "held" else effect["fate"]
    word = "failed" if fate == "failed" else "paid"
    return begun + lasts(effect, entry, fate), index, f"{noun}.{word}"


def key_of(document: Document) -> str:
    """Give what identifies the destination: the key, or for cash the person's document."""
    key = (document.get("receivingBankAccount") or {}).get("key")
    return str(key or document["beneficiary"].get("document"))


def canonical(document: Document) -> str:
    """Give a hash that is equal for equal content: 10.0 is 10.00, and order is nothing."""
    text = json.dumps(document, sort_keys=True, default=lambda value: f"{value.normalize():f}")
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def instant(at: float) -> str:
    """Write a moment as Orkestra does."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
