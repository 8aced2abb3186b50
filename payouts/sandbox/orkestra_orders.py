"""Orkestra's orders: money that is collected, in charges of transactions (A-ORK-12).

A transaction is PENDING, then PAID, FAILED or CANCELLED; the order says PENDING while one of them
is, then PAID if any is paid, else what they are. How one ends is chosen by the magic accounts of
`magic`, read from the card number, the customer's document or e-mail address; in addition a
document that ends in 771122 and `name+cancelled@…` are never paid: CANCELLED.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from payouts.sandbox import magic
from payouts.sandbox.books import fingerprint
from payouts.sandbox.channels import News
from payouts.sandbox.http import Reply
from payouts.sandbox.ids import line_of, part_id, payout_id
from payouts.sandbox.orkestra_common import entry_of, grow, instant, lasts, refuse, since
from payouts.sandbox.orkestra_order_rules import read_order
from payouts.sandbox.orkestra_rules import Document, RefusedError, major, minor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from payouts.sandbox.books import Entry
    from payouts.sandbox.http import Request
    from payouts.sandbox.platforms import Wish, World
    from payouts.sandbox.webhooks import Due

__all__ = ["Orders"]

_CANCELLED: Final = "771122"
_PIX_LASTS: Final = timedelta(hours=1)
_CARDS: Final = {"CREDIT_CARD": "creditCard", "DEBIT_CARD": "debitCard"}


class Orders:
    """The orders of the platform."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._books = world.books

    # creating

    def create(self, request: Request, wish: Wish) -> Reply:
        """Make an order; nothing is idempotent here."""
        order = read_order(request)
        now, reference = self._world.clock(), order["merchantOrderId"]
        entry = entry_of("order", request, reference, now, self._world.settings.speed)
        base = payout_id(now, self._books.next_line)
        parts = 0
        charges = []
        for charge in order["charges"]:
            parts += 1
            charges.append(_charge(charge, part_id(base, parts)))
            for transaction in charge["transactions"]:
                parts += 1
                effect = self._collection(order, charge, transaction)
                code = self._refusal(effect, wish)
                if code is not None:
                    raise refuse(code, entry, effect["account"], self._books)
                effect["effect"] = str(part_id(base, parts))
                effect["charge"] = charges[-1]["id"]
                grow(entry, effect, order, wish)
        kept = ("softDescriptor", "allowsThirdPartyPayments", "metadata")
        entry["order"] = {
            "id": base,
            "amount": format(order["amount"], "f"),
            "currency": order["currency"],
            "charges": charges,
            **{name: _plain(order.get(name)) for name in kept},
        }
        self._books.append(entry)
        return Reply(201, self._shown(entry, now))

    def _refusal(self, effect: Entry, wish: Wish) -> str | None:
        """Give the code with which the whole order is refused because of one transaction."""
        reference, word = effect["reference"], effect["code"]
        again = self._books.refusals[reference, effect["account"]] > 0
        if word == "invalid_account" or (word == "try_later" and not again):
            return str(word)
        return None if wish.refuse is None else wish.refuse(reference)

    def _collection(self, order: Document, charge: Document, transaction: Document) -> Entry:
        """Give the effect of a transaction, still without its id."""
        customer, method = charge["customer"], transaction["paymentMethod"]
        card = transaction.get(_CARDS.get(method, ""), {}).get("card", {}).get("number")
        account = str(card or customer["document"])
        word = self._word(account, customer)
        return {
            "kind": "collection",
            "reference": order["merchantOrderId"],
            "amount_minor": minor(transaction["amount"], order["currency"]),
            "currency": order["currency"],
            "account": fingerprint(account),
            "method": method,
            "fate": "cancelled" if word == "cancelled" else magic.fate_of(word),
            "code": word,
            "amount": format(transaction["amount"], "f"),
        }

    def _word(self, account: str, customer: Document) -> str | None:
        if not self._world.settings.magic:
            return None
        email = str(customer.get("emailAddress") or "")
        tag = email.partition("@")[0].rpartition("+")[2]
        if tag == "cancelled" or account.endswith(_CANCELLED):
            return "cancelled"
        return magic.word_of(email) if "+" in email else magic.word_of(account)

    # reading

    def read(self, name: str, now: float) -> Reply:
        """Show an order as it was at a moment."""
        number = line_of(name)
        entry = None if number is None else self._books.line(number)
        if (
            entry is not None
            and entry["kind"] == "order"
            and entry["order"]["id"] == int(name)
            and entry["at"] <= now
        ):
            return Reply(200, self._shown(entry, now))
        raise RefusedError(404, "not_found", "There is no such order")

    def collected(self, currency: str, now: float) -> int:
        """Minor units of a currency that paid transactions have brought and refunds have left."""
        total = 0
        for number in self._books.orders:
            entry = self._books.line(number) or {}
            for effect in entry.get("effects", ()):
                if effect["currency"] == currency and self.is_paid(effect, entry, now):
                    total += effect["amount_minor"] - self.refunded(effect["effect"], now)
        return total

    def is_paid(self, effect: Entry, entry: Entry, now: float) -> bool:
        """Say whether a transaction is paid at a moment."""
        return since(effect, entry, now, self._books)[0] == "PAID"

    def refunded(self, name: str, now: float) -> int:
        """Minor units of a transaction that refunds have taken, all but those that failed."""
        total = 0
        for number in self._books.refunds.get(name, ()):
            entry = self._books.line(number)
            if entry is not None:
                [effect] = entry["effects"]
                if since(effect, entry, now, self._books)[0] != "FAILED":
                    total += effect["amount_minor"]
        return total

    def _shown(self, entry: Entry, now: float) -> Document:
        """Give the order object of a moment, which is its notification too (ORK-hook)."""
        order = entry["order"]
        transactions = [self._transaction(effect, entry, now) for effect in entry["effects"]]
        moments = [since(effect, entry, now, self._books) for effect in entry["effects"]]
        paid = [one["amount"] for one in transactions if one["status"] == "PAID"]
        charges = [
            {
                **charge,
                "transactions": [
                    shown
                    for shown, effect in zip(transactions, entry["effects"], strict=True)
                    if effect["charge"] == charge["id"]
                ],
            }
            for charge in order["charges"]
        ]
        return {
            "id": order["id"],
            "referenceId": entry["key"],
            "merchantOrderId": entry["key"],
            "amount": Decimal(order["amount"]),
            "paidAmount": sum(paid, Decimal()),
            "currency": order["currency"],
            "softDescriptor": order["softDescriptor"],
            "allowsThirdPartyPayments": bool(order["allowsThirdPartyPayments"]),
            "status": _of_all([status for status, _ in moments]),
            "metadata": order["metadata"] or {},
            "charges": charges,
            "transactions": transactions,
            "createdAt": instant(entry["at"]),
            "updatedAt": instant(max(at for _, at in moments)),
        }

    def _transaction(self, effect: Entry, entry: Entry, now: float) -> Document:
        status, _ = since(effect, entry, now, self._books)
        shown: Document = {
            "id": int(effect["effect"]),
            "paymentMethod": effect["method"],
            "amount": Decimal(effect["amount"]),
            "currency": effect["currency"],
            "status": status,
            **_hints(effect, entry["at"]),
        }
        if status == "FAILED":
            code = effect["code"] or "declined"
            shown["statusReason"] = f"{code}: {magic.message_of(code)}"
        refunded = self.refunded(effect["effect"], now)
        if refunded:
            shown["refundedAmount"] = major(refunded, effect["currency"])
        return shown

    # telling

    def agenda(self, entry: Entry) -> Iterator[Due]:
        """Tell of an order when it is made and when each transaction ends."""
        yield entry["at"], 0, "order.pending"
        for index, effect in enumerate(entry["effects"]):
            if effect["fate"] != "held":
                yield entry["at"] + lasts(effect, entry, effect["fate"]), index, "order.changed"

    def agenda_of_part(self, effect: Entry, entry: Entry, begun: float, index: int) -> Due:
        """Tell of a transaction that was released."""
        return begun + lasts(effect, entry, "paid"), index, "order.changed"

    def news(self, entry: Entry, kind: str, at: float) -> News:
        """Give the notification of a moment."""
        notify = entry["effects"][0].get("notify")
        return News(kind, self._shown(entry, at), entry["key"], notify)


def _of_all(statuses: list[str]) -> str:
    """Give the status of an order from those of its transactions."""
    for word in ("PENDING", "PAID", "FAILED"):
        if word in statuses:
            return word
    return "CANCELLED"


def _charge(charge: Document, name: int) -> Document:
    """Give what is kept of a charge: no document and no account in full."""
    kept = ("firstName", "lastName", "documentType")
    return {"id": name, "customer": {field: charge["customer"][field] for field in kept}}


def _hints(effect: Entry, at: float) -> Document:
    """Give what the payer needs to pay."""
    mark = fingerprint(effect["effect"])
    match effect["method"]:
        case "PIX":
            ends = datetime.fromtimestamp(at, UTC) + _PIX_LASTS
            return {"pix": {"qrCode": f"00020126{mark}", "expiresAt": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}}
        case "PSE":
            return {"redirectUrl": f"https://sandbox.invalid/pse/{mark}"}
        case "CASH":
            return {"cash": {"barcode": str(int(mark, 16))}}
        case _:
            return {}


def _plain(value: Any) -> Any:  # noqa: ANN401  JSON
    """Give metadata as the books can keep it: a number with a fraction becomes its text."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return str(value) if isinstance(value, Decimal) else value
