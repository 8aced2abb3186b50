"""Returns: money that comes back after it was paid, whole or in part.

A payment is marked when it is made (`"returns": {"seconds", "share"}`, by a fault) and comes back
so long after it is paid; or whoever steers the sandbox sends one back by `POST /_control/return`.
Each return is a line of the books with an effect of its own, and a marked payment comes back after
a restart too.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from payouts.sandbox import life

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.sandbox.books import Books, Entry

__all__ = ["Returns"]

_PAYS_OUT: Final = frozenset({"payment", "batch", "payout"})


class Returns:
    """Sends money back when it is time.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, books: Books, clock: Callable[[], float]) -> None:
        self._books = books
        self._clock = clock
        for number in books.returning:
            entry = books.line(number)
            if entry is not None:
                self.watch(entry)

    def watch(self, entry: Entry) -> None:
        """Wait for the moment when the marked payments of a line come back."""
        if entry["kind"] == "release":
            loop = asyncio.get_running_loop()
            loop.call_soon(self._released, entry["held"])  # once the line is booked
        elif entry.get("returns"):
            for effect in entry["effects"]:
                self._wait(effect, entry)

    def _released(self, names: list[str]) -> None:
        for name in names:
            found = self._books.find(name)
            if found is not None:
                self._wait(*found)

    def _wait(self, effect: Entry, entry: Entry) -> None:
        paid_at = self.paid_at(effect, entry) if "returns" in effect else None
        if paid_at is not None:
            wait_s = paid_at + effect["returns"]["seconds"] - self._clock()
            loop = asyncio.get_running_loop()
            loop.call_later(max(0.0, wait_s), self._come_back, effect, entry)

    def _come_back(self, effect: Entry, entry: Entry) -> None:
        name = effect["effect"]
        if name not in self._books.cancelled and name not in self._books.returned:
            share = Decimal(str(effect["returns"]["share"]))
            amount = max(1, int(effect["amount_minor"] * share))
            self._book(effect, entry, amount)

    def send_back(self, name: str, amount: int | None) -> bool:
        """Send a payment back now, or so many minor units of it; False: there is none.

        Raises:
            ValueError: it is not paid, or not so much of it is left.
        """
        found = self._books.find(name)
        if found is None:
            return False
        effect, entry = found
        paid_at = None if name in self._books.cancelled else self.paid_at(effect, entry)
        if paid_at is None or paid_at > self._clock():
            raise ValueError("it is not paid")
        left = effect["amount_minor"] - sum(n for _, n in self._books.returned.get(name, ()))
        if not 0 < (left if amount is None else amount) <= left:
            raise ValueError(f"{left} minor units of it can come back")
        self._book(effect, entry, left if amount is None else amount)
        return True

    def paid_at(self, effect: Entry, entry: Entry) -> float | None:
        """Give when a payment is or will be paid, if its fate is that."""
        name, fate, begun = effect["effect"], effect["fate"], entry["at"]
        if fate == "held":
            released_at = self._books.released_at(name, begun, entry["platform"])
            if released_at is None:
                return None
            fate, begun = "paid", released_at
        if fate not in {"paid", "slow_paid"} or entry["kind"] not in _PAYS_OUT:
            return None
        seed: str = effect["reference"] or name
        return float(begun) + life.done_after(fate, seed, speed=entry["speed"])

    def _book(self, effect: Entry, entry: Entry, amount: int) -> None:
        source = effect.get("from")
        line: dict[str, Any] = {
            "kind": "return",
            "platform": entry["platform"],
            "at": self._clock(),
            "effect": effect["effect"],
            "reference": effect["reference"],
            "amount_minor": amount,
            "currency": effect["currency"],
            "credits": {} if source is None else {source: amount},
        }
        self._books.append(line)
