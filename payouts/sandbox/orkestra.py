"""Orkestra, imitated: payouts, orders that collect, and refunds of what was collected.

    POST /orkestra/payouts        201, the payout; 200 with the first payout when the referenceId
                                  is known with the same body, 409 with another      A-ORK-2, 6
    GET  /orkestra/payouts/{id}   200, the payout                                    A-ORK-4
    POST /orkestra/orders         201, the order with its charges and transactions   A-ORK-12
    GET  /orkestra/orders/{id}    200, the order
    POST /orkestra/refunds        201, the refund of a transaction, or a part of it; repeated as
                                  a payout is                                        A-ORK-13
    GET  /orkestra/refunds/{id}   200, the refund

Credentials: `sandbox-orkestra` / `sandbox-orkestra-secret`. Errors are `{"code", "message",
"details"?}` (A-ORK-7). Amounts are decimals in major units and are read digit by digit, never
through a float. Fields are checked for presence, enumeration and shape, not for check digits
(A-ORK-9): the vendor's own samples would fail those.

It tells of the end of each payout and refund, and of an order when it is made and when one of its
transactions ends. A notification is the object itself and has no id of its own. It goes to the
`notificationUrl` of the request (A-ORK-3), else to the platform's address.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from payouts.sandbox.orkestra_orders import Orders
from payouts.sandbox.orkestra_payouts import Payouts
from payouts.sandbox.orkestra_refunds import Refunds
from payouts.sandbox.orkestra_rules import RefusedError
from payouts.sandbox.platforms import Registration, plain_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from payouts.sandbox.books import Entry
    from payouts.sandbox.channels import News
    from payouts.sandbox.http import Reply, Request
    from payouts.sandbox.platforms import Wish, World
    from payouts.sandbox.webhooks import Due

__all__ = ["MOUNT", "PLATFORM", "Orkestra"]

MOUNT: Final = "/orkestra"

_USER, _SECRET = "sandbox-orkestra", "sandbox-orkestra-secret"  # A-ORK-1
_A_MOMENT: Final = 0.001  # what is told at an end is told after it, whatever floats make of it


class Orkestra:
    """The platform's answers, on top of its books."""

    def __init__(self, world: World) -> None:
        self._books = world.books
        self._clock = world.clock
        self._orders = Orders(world)
        self._payouts = Payouts(world, self._orders)
        self._refunds = Refunds(world, self._orders)
        self._parts: dict[str, Payouts | Orders | Refunds] = {
            "payout": self._payouts,
            "order": self._orders,
            "refund": self._refunds,
        }

    def answer(self, request: Request, wish: Wish) -> Reply:
        """Answer a request below the mount."""
        try:
            return self._route(request, wish)
        except RefusedError as refused:
            return refused.reply

    def _route(self, request: Request, wish: Wish) -> Reply:
        if not _known(request.headers.get("authorization", "")):
            raise RefusedError(401, "unauthorized", "Missing or invalid credentials")
        resource, *rest = request.path.removeprefix(MOUNT).split("/")[1:] or [""]
        part = self._parts.get(resource.removesuffix("s")) if resource.endswith("s") else None
        if part is None or len(rest) > 1:
            raise RefusedError(404, "not_found", "There is no such resource")
        match request.method, rest:
            case "POST", []:
                return part.create(request, wish)
            case "GET", [name]:
                return part.read(name, self._clock() - wish.ago_s)
            case _:
                raise RefusedError(405, "method_not_allowed", "This is not possible here")

    # telling

    def agenda(self, entry: Entry) -> Iterable[Due]:
        """Give what will be told of a line."""
        match entry["kind"]:
            case "release":
                return self._released(entry)
            case "return":
                return [(entry["at"], 0, "payout.returned")]
            case "order":
                return () if _is_mute(entry["effects"][0]) else self._orders.agenda(entry)
            case "payout" | "refund" if entry["effects"]:
                [effect] = entry["effects"]
                if effect["fate"] == "held" or _is_mute(effect):
                    return ()
                part = self._payouts if entry["kind"] == "payout" else self._refunds
                return part.agenda(entry, entry["at"], 0)
            case _:
                return ()

    def _released(self, entry: Entry) -> Iterator[Due]:
        for index, name in enumerate(entry["held"]):
            found = self._books.find(name)
            if found is None or _is_mute(found[0]):
                continue
            effect, made = found
            if made["kind"] == "order":
                yield self._orders.agenda_of_part(effect, made, entry["at"], index)
            else:
                part = self._payouts if made["kind"] == "payout" else self._refunds
                yield from part.agenda(made, entry["at"], index)

    def news(self, entry: Entry, index: int, kind: str, at: float) -> News | None:
        """Give one notification."""
        made: Entry | None = entry
        if entry["kind"] in {"release", "return"}:
            name = entry["effect"] if entry["kind"] == "return" else entry["held"][index]
            found = self._books.find(name)
            made = None if found is None else found[1]
        if made is None:
            return None
        return self._parts[made["kind"]].news(
            made, kind, at if kind == "order.pending" else at + _A_MOMENT
        )


def _is_mute(effect: Entry) -> bool:
    return effect.get("mute") in {"hooks", "both"}


def _known(authorization: str) -> bool:
    scheme, _, token = authorization.partition(" ")
    try:
        plain = base64.b64decode(token, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return scheme.lower() == "basic" and plain == f"{_USER}:{_SECRET}"


PLATFORM: Final = Registration(
    "orkestra", Orkestra, plain_error, ("referenceId", "merchantOrderId"), tells=True
)
