"""Orkestra's payouts: made once per `referenceId`, then PENDING, PAID or FAILED (A-ORK-4, 6).

What the bank sends back is RETURNED; of a part only `returnedAmount` tells (A-ORK-11).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from payouts.sandbox import magic
from payouts.sandbox.books import fingerprint
from payouts.sandbox.channels import News
from payouts.sandbox.http import Reply
from payouts.sandbox.ids import payout_id
from payouts.sandbox.orkestra_common import (
    canonical,
    end_of,
    entry_of,
    grow,
    instant,
    key_of,
    refuse,
    remembered,
    since,
)
from payouts.sandbox.orkestra_rules import Document, RefusedError, major, minor, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from payouts.sandbox.books import Entry
    from payouts.sandbox.http import Request
    from payouts.sandbox.orkestra_orders import Orders
    from payouts.sandbox.platforms import Wish, World
    from payouts.sandbox.webhooks import Due

__all__ = ["Payouts"]


class Payouts:
    """The payouts of the platform.

    Args:
        orders: what has been collected, for the switch `prefunded`.
    """

    def __init__(self, world: World, orders: Orders) -> None:
        self._world = world
        self._books = world.books
        self._orders = orders

    # creating

    def create(self, request: Request, wish: Wish) -> Reply:
        """Make a payout, or give the one that was made with this `referenceId`."""
        document = read(request)
        digest = canonical(document)
        reference = document.get("referenceId")
        now = self._world.clock()
        first = None if wish.forget else self._first(reference, now)
        if first is not None:
            if first["effects"][0]["canonical"] != digest:
                message = "This referenceId was used with another body"
                raise RefusedError(409, "reference_conflict", message)
            return Reply(200, self._shown(first, now))
        entry = entry_of("payout", request, reference, now, self._world.settings.speed)
        account = key_of(document)
        word = magic.word_of(account) if self._world.settings.magic else None
        code = self._refusal(document, word, reference, now, wish)
        if code is not None:
            raise refuse(code, entry, fingerprint(account), self._books)
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
        grow(entry, effect, document, wish)
        self._books.append(entry)
        return Reply(201, self._shown(entry, now))

    def _refusal(
        self, document: Document, word: str | None, reference: str | None, now: float, wish: Wish
    ) -> str | None:
        code = None if wish.refuse is None else wish.refuse(reference)
        again = self._books.refusals[reference, fingerprint(key_of(document))] > 0
        code = code or magic.refusal_of(word, again=again, late=True)
        if code is None and self._world.settings.prefunded:
            currency = document["currency"]
            left = self._orders.collected(currency, now) - self._books.paid_out[currency]
            if minor(document["amount"], currency) > left:
                return "insufficient_funds"
        return code

    def _first(self, reference: str | None, now: float) -> Entry | None:
        """Give the line of the payout that this referenceId made, while it is remembered."""
        number = None if reference is None else self._books.by_reference.get(reference)
        return remembered(self._books, number, now, self._world.settings.key_life_s)

    # reading

    def read(self, name: str, now: float) -> Reply:
        """Show a payout as it was at a moment."""
        found = self._books.find(name)
        if found is not None and found[1]["kind"] == "payout" and found[1]["at"] <= now:
            return Reply(200, self._seen(found[1], now))
        raise RefusedError(404, "not_found", "There is no such payout")

    def _seen(self, entry: Entry, now: float) -> Document:
        shown = self._shown(entry, now)
        if entry["effects"][0].get("mute") in {"lookups", "both"}:
            shown["status"] = "PENDING"
        return shown

    def _shown(self, entry: Entry, now: float) -> Document:
        """Give the payout object of a moment."""
        [effect] = entry["effects"]
        status, held_since = since(effect, entry, now, self._books)
        shown: Document = {
            "id": int(effect["effect"]),
            "referenceId": effect["reference"],
            "amount": Decimal(effect["amount"]),
            "currency": effect["currency"],
            "paymentMethod": effect["method"],
            "status": status,
            "createdAt": instant(entry["at"]),
            "updatedAt": instant(held_since),
        }
        if status == "FAILED":
            shown["statusReason"] = f"{effect['code']}: {magic.message_of(effect['code'])}"
        moments = self._books.returned.get(effect["effect"], ())
        returned = [(at, amount) for at, amount in moments if at <= now]
        if returned:
            back = sum(amount for _, amount in returned)
            shown["returnedAmount"] = major(back, effect["currency"])
            shown["updatedAt"] = instant(returned[-1][0])
            if back >= effect["amount_minor"]:
                shown["status"] = "RETURNED"
                shown["statusReason"] = "returned: The receiving bank sent the payout back"
        return shown

    # telling

    def agenda(self, entry: Entry, begun: float, index: int) -> Iterator[Due]:
        """Tell of the end of a payout that nothing holds any more."""
        yield end_of("payout", entry, begun, index)

    def news(self, entry: Entry, kind: str, at: float) -> News:
        """Give the notification of a moment (A-ORK-4)."""
        [effect] = entry["effects"]
        return News(kind, self._shown(entry, at), effect["reference"], effect.get("notify"))
