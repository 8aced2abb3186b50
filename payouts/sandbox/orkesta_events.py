"""What Orkesta tells of its own accord: events, when they are due and what they are called.

    payment.created    at once                       payment.failed       when it fails
    payment.approved   when an approver has come     payment.cancelled    when it is cancelled
    payment.processing when it is sent on            payment.returned     A-OKS-14
    payment.settled    when it is paid, whatever the wording of the status is
    reconciliation.completed                         where reconciling is switched on

The body is `{"id": "evt_…", "type", "created_at", "data": payment}` (A-OKS-7), with the payment as
it was at that moment. The id is the same in all repetitions and after a restart.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from payouts.sandbox import life

if TYPE_CHECKING:
    from collections.abc import Iterator

    from payouts.sandbox.books import Books, Entry
    from payouts.sandbox.webhooks import Due

__all__ = ["agenda", "name_of", "reconciled_at", "status_of", "subject"]

_STATUSES: Final = {
    "payment.approved": "approved",
    "payment.processing": "processing",
    "payment.failed": "failed",
    "payment.cancelled": "cancelled",
    "reconciliation.completed": "reconciled",
}


def reconciled_at(entry: Entry, done_at: float) -> float:
    """Give when a payment of a line, paid at a moment, is reconciled."""
    speed = entry["speed"]
    return done_at if speed is None else done_at + float(entry["reconcile_s"]) / speed


def agenda(entry: Entry, books: Books) -> Iterator[Due]:
    """Give what will be told of a line: when, of which payment, and the type of the event."""
    at = entry["at"]
    match entry["kind"]:
        case "payment" | "batch":
            for index, effect in enumerate(entry["effects"]):
                if effect.get("mute") not in {"hooks", "both"}:
                    yield at, index, "payment.created"
                    if effect["fate"] != "held":
                        yield from _course(effect, entry, at, index)
        case "release":
            for index in range(len(entry["held"])):
                found = subject(entry, index, books)
                if found is not None and found[0].get("mute") not in {"hooks", "both"}:
                    yield at, index, "payment.approved"
                    yield from _course({**found[0], "fate": "paid"}, found[1], at, index)
        case "cancel":
            yield at, 0, "payment.cancelled"
        case "return":
            yield at, 0, "payment.returned"
        case _:
            pass


def _course(effect: Entry, entry: Entry, begun: float, index: int) -> Iterator[Due]:
    """What follows once nothing holds a payment any more."""
    fate, seed, speed = effect["fate"], effect["reference"] or effect["effect"], entry["speed"]
    sent_after, done_after = life.times(fate, seed, speed=speed)
    if speed is not None:
        yield begun + sent_after, index, "payment.processing"
    if fate == "failed":
        yield begun + done_after, index, "payment.failed"
        return
    yield begun + done_after, index, "payment.settled"
    if "reconcile_s" in entry:
        yield reconciled_at(entry, begun + done_after), index, "reconciliation.completed"


def subject(entry: Entry, index: int, books: Books) -> tuple[Entry, Entry] | None:
    """Give the payment that a line's news are about, and the line that it was made by."""
    match entry["kind"]:
        case "payment" | "batch":
            return entry["effects"][index], entry
        case "release":
            return books.find(entry["held"][index])
        case _:
            return books.find(entry["effect"])


def status_of(kind: str, wording: str) -> str | None:
    """Give the status that a type of event implies; None: whatever it is at that moment."""
    return wording if kind == "payment.settled" else _STATUSES.get(kind)


def name_of(effect: str, kind: str, at: float) -> str:
    """Give the id of an event."""
    return "evt_" + hashlib.sha256(f"{effect}/{kind}/{at!r}".encode()).hexdigest()[:26]
