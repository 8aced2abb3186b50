"""Orkestra's refunds: a paid transaction goes back, whole, in parts, or by another way (A-ORK-13).

Several refunds of one transaction are possible while something is left of it. A method that cannot
be reversed (cash) is refunded by a payout, whose `paymentMethod`, `receivingBankAccount` and
`beneficiary` come with the refund; they may come with any other as well.
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
from payouts.sandbox.orkestra_order_rules import REVERSIBLE, read_destination, read_refund
from payouts.sandbox.orkestra_rules import Document, RefusedError, amount_of, major, minor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from payouts.sandbox.books import Entry
    from payouts.sandbox.http import Request
    from payouts.sandbox.orkestra_orders import Orders
    from payouts.sandbox.platforms import Wish, World
    from payouts.sandbox.webhooks import Due

__all__ = ["Refunds"]


class Refunds:
    """The refunds of the platform.

    Args:
        orders: what can be refunded.
    """

    def __init__(self, world: World, orders: Orders) -> None:
        self._world = world
        self._books = world.books
        self._orders = orders

    # creating

    def create(self, request: Request, wish: Wish) -> Reply:
        """Refund a transaction, or give the refund that was made with this `referenceId`."""
        refund = read_refund(request)
        digest, now = canonical(refund), self._world.clock()
        reference = refund.get("referenceId")
        first = None if wish.forget else self._first(reference, now)
        if first is not None:
            if first["effects"][0]["canonical"] != digest:
                message = "This referenceId was used with another body"
                raise RefusedError(409, "reference_conflict", message)
            return Reply(200, self._shown(first, now))
        paid, order = self._transaction(refund["transactionId"], now)
        left = paid["amount_minor"] - self._orders.refunded(paid["effect"], now)
        amount = self._amount(refund, paid, left)
        entry = entry_of("refund", request, reference, now, self._world.settings.speed)
        effect = {
            "kind": "refund",
            "effect": str(payout_id(now, self._books.next_line)),
            "of": paid["effect"],
            "order": order["order"]["id"],
            "reference": reference,
            "amount_minor": minor(amount, paid["currency"]),
            "currency": paid["currency"],
            "total": minor(amount, paid["currency"]) == paid["amount_minor"],
            "amount": format(amount, "f"),
            "canonical": digest,
            **self._way(refund, paid, amount),
        }
        word = effect.pop("word")
        code = None if wish.refuse is None else wish.refuse(reference)
        again = self._books.refusals[reference, effect["account"]] > 0
        code = code or magic.refusal_of(word, again=again, late=True)
        if code is not None:
            raise refuse(code, entry, effect["account"], self._books)
        grow(entry, effect, refund, wish)
        self._books.append(entry)
        return Reply(201, self._shown(entry, now))

    def _first(self, reference: str | None, now: float) -> Entry | None:
        number = None if reference is None else self._books.refund_keys.get(reference)
        return remembered(self._books, number, now, self._world.settings.key_life_s)

    def _transaction(self, name: int, now: float) -> tuple[Entry, Entry]:
        found = self._books.find(str(name))
        if found is None or found[1]["kind"] != "order":
            raise RefusedError(404, "not_found", "There is no such transaction")
        if not self._orders.is_paid(*found, now):
            raise RefusedError(409, "not_paid", "Only a paid transaction can be refunded")
        return found

    def _amount(self, refund: Document, paid: Entry, left: int) -> Decimal:
        """Give what is refunded: what is asked for, or all that is left."""
        currency = str(paid["currency"])
        if refund.get("currency", currency) != currency:
            raise RefusedError(422, "currency_mismatch", f"The transaction is in {currency}")
        if refund.get("amount") is None:
            amount = major(left, currency)
        else:
            amount = amount_of(refund["amount"], currency)
        if not 0 < minor(amount, currency) <= left:
            message = "The refund is more than what is left of the transaction"
            raise RefusedError(422, "exceeds_remainder", message)
        return amount

    def _way(self, refund: Document, paid: Entry, amount: Decimal) -> Document:
        """Say how the money goes back: the way it came, or by a payout."""
        if refund.get("receivingBankAccount") is None and refund.get("beneficiary") is None:
            if paid["method"] not in REVERSIBLE:
                message = f"{paid['method']} cannot be reversed: name a payout"
                raise RefusedError(422, "payout_required", message)
            way: Document = {"via": "ORIGINAL", "method": paid["method"], "word": None}
            return {**way, "account": paid["account"], "fate": "paid"}
        payout = read_destination(refund, paid["currency"], amount)
        account = key_of(payout)
        word = magic.word_of(account) if self._world.settings.magic else None
        way = {"via": "PAYOUT", "method": payout["paymentMethod"], "word": word, "code": word}
        return {**way, "account": fingerprint(account), "fate": magic.fate_of(word)}

    # reading

    def read(self, name: str, now: float) -> Reply:
        """Show a refund as it was at a moment."""
        found = self._books.find(name)
        if found is not None and found[1]["kind"] == "refund" and found[1]["at"] <= now:
            shown = self._shown(found[1], now)
            if found[0].get("mute") in {"lookups", "both"}:
                shown["status"] = "PENDING"
            return Reply(200, shown)
        raise RefusedError(404, "not_found", "There is no such refund")

    def _shown(self, entry: Entry, now: float) -> Document:
        """Give the refund object of a moment, which is its notification too."""
        [effect] = entry["effects"]
        status, held_since = since(effect, entry, now, self._books)
        shown = {
            "id": int(effect["effect"]),
            "referenceId": effect["reference"],
            "orderId": effect["order"],
            "transactionId": int(effect["of"]),
            "amount": Decimal(effect["amount"]),
            "currency": effect["currency"],
            "type": "TOTAL" if effect["total"] else "PARTIAL",
            "method": effect["via"],
            "paymentMethod": effect["method"],
            "status": status,
            "createdAt": instant(entry["at"]),
            "updatedAt": instant(held_since),
        }
        if status == "FAILED":
            code = effect.get("code") or "rejected_by_bank"
            shown["statusReason"] = f"{code}: {magic.message_of(code)}"
        return shown

    # telling

    def agenda(self, entry: Entry, begun: float, index: int) -> Iterator[Due]:
        """Tell of the end of a refund that nothing holds any more."""
        yield end_of("refund", entry, begun, index)

    def news(self, entry: Entry, kind: str, at: float) -> News:
        """Give the notification of a moment."""
        [effect] = entry["effects"]
        return News(kind, self._shown(entry, at), effect["reference"], effect.get("notify"))
