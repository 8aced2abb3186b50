"""Webhook recipes: what can go wrong with a webhook on its way, each an edit of its `Parcel`.

They are used in scripts like the other recipes. The route of a webhook is
`WEBHOOK /<platform>/<type>`, as in `WEBHOOK /orkesta/payment.settled`; each delivery counts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from payouts.sandbox.channels import News

__all__ = ["WEBHOOK_RECIPES", "Extra", "Parcel", "WebhookRecipe"]

Options = Mapping[str, Any]


@dataclass(slots=True)
class Extra:
    """One more POST beside the genuine one; nobody repeats it.

    Args:
        label: which fault made it, for the log.
        document: what it says; None: the very bytes of the genuine one.
        delay_s: after the genuine one.
        forged: proven with a wrong secret.
    """

    label: str
    document: dict[str, Any] | None = None
    delay_s: float = 0.0
    forged: bool = False


@dataclass(slots=True)
class Parcel:
    """One delivery that is about to leave; recipes edit it.

    Args:
        news: what it says.
        last_in_s: seconds until the last event of the same line is due, 0 when it is past.
        now: seconds since 1970.
        dice: chance that follows from seed and content.
        lost: it never leaves and is not repeated.
        delay_s: it leaves so much later.
        document: it says this instead, with a right signature.
        body: it carries these bytes, with a right signature.
        alter: changes the bytes after they were signed.
        proof: how its origin is proven.
        extras: what is sent beside it.
    """

    news: News
    last_in_s: float
    now: float
    dice: random.Random = field(default_factory=random.Random)
    lost: bool = False
    delay_s: float = 0.0
    document: dict[str, Any] | None = None
    body: bytes | None = None
    alter: Callable[[bytes], bytes] | None = None
    proof: Literal["right", "wrong", "none"] = "right"
    extras: list[Extra] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WebhookRecipe:
    """One kind of fault; the fields are those of `recipes.Recipe`."""

    does: Callable[[Parcel, Options], None]
    says: str
    options: Options = field(default_factory=dict)
    moment: Literal["webhook"] = "webhook"


# what a document says


def _item(document: dict[str, Any]) -> dict[str, Any]:
    """Find the thing that an event is about, in whatever envelope."""
    for name in ("data", "payload"):
        inner = document.get(name)
        if isinstance(inner, dict):
            return inner
    return document


_OPPOSITES: Final = {
    "settled": "failed",
    "completed": "failed",
    "reconciled": "failed",
    "succeeded": "failed",
    "failed": "settled",
    "cancelled": "settled",
    "pending": "failed",
    "approved": "failed",
    "processing": "failed",
    "PAID": "FAILED",
    "PENDING": "FAILED",
    "FAILED": "PAID",
    "CANCELLED": "PAID",
    "returned": "settled",
    "RETURNED": "PAID",
    "expired": "completed",
}


def _said(document: dict[str, Any], word: str | None) -> dict[str, Any]:
    """Give a copy that says another status, under an id of its own where it has one."""
    copy = deepcopy(document)
    item = _item(copy)
    item["status"] = word or _OPPOSITES.get(str(item.get("status")), "failed")
    if item is not copy and "id" in copy:
        copy["id"] = f"{copy['id']}x"
    if "type" in copy:
        copy["type"] = f"{str(copy['type']).partition('.')[0]}.{item['status']}"
    return copy


def _stranger(document: dict[str, Any], options: Options) -> dict[str, Any]:
    """Give a copy about something that nobody ever asked for."""
    copy = deepcopy(document)
    item = _item(copy)
    for name in ("reference", "referenceId", "merchantOrderId"):
        if name in item:
            item[name] = options["reference"]
    if isinstance(item.get("id"), int):
        item["id"] = 9_000_000_000_000_000_001
    elif "id" in item:
        item["id"] = f"{str(item['id'])[:4]}00000000000000000000000000"
    if item is not copy and "id" in copy:
        copy["id"] = f"{copy['id']}y"
    return copy


# the recipes


def _lost(parcel: Parcel, options: Options) -> None:
    del options
    parcel.lost = True


def _late(parcel: Parcel, options: Options) -> None:
    parcel.delay_s = max(parcel.delay_s, float(options["seconds"]))


def _last(parcel: Parcel, options: Options) -> None:
    parcel.delay_s = max(parcel.delay_s, parcel.last_in_s + float(options["seconds"]))


def _burst(parcel: Parcel, options: Options) -> None:
    every = float(options["seconds"])
    parcel.delay_s = max(parcel.delay_s, every - parcel.now % every)


def _again(label: str) -> Callable[[Parcel, Options], None]:
    def does(parcel: Parcel, options: Options) -> None:
        for number in range(1, options["copies"] + 1):
            parcel.extras.append(Extra(label, delay_s=number * float(options["seconds"])))

    return does


def _forged(parcel: Parcel, options: Options) -> None:
    document = _said(parcel.news.document, options["says"])
    parcel.extras.append(Extra("webhook_forged", document, forged=True))


def _altered(parcel: Parcel, options: Options) -> None:
    old, new = str(options["old"]).encode(), str(options["new"]).encode()
    parcel.alter = lambda body: body.replace(old, new, 1) if old in body else body + b" "


def _badly_proven(proof: Literal["wrong", "none"]) -> Callable[[Parcel, Options], None]:
    def does(parcel: Parcel, options: Options) -> None:
        del options
        parcel.proof = proof

    return does


def _contradictory(parcel: Parcel, options: Options) -> None:
    document = _said(parcel.news.document, options["says"])
    delay_s = float(options["seconds"])
    parcel.extras.append(Extra("webhook_contradictory", document, delay_s))


def _unknown(parcel: Parcel, options: Options) -> None:
    document = _stranger(parcel.news.document, options)
    parcel.extras.append(Extra("webhook_unknown_item", document))


def _other_amount(parcel: Parcel, options: Options) -> None:
    document = deepcopy(parcel.news.document)
    item = _item(document)
    if "amount" in item:
        item["amount"] += options["delta"]
    parcel.document = document


def _malformed(parcel: Parcel, options: Options) -> None:
    parcel.body = str(options["body"]).encode()


WEBHOOK_RECIPES: Final[Mapping[str, WebhookRecipe]] = {
    "webhook_lost": WebhookRecipe(_lost, "never sent, and not repeated"),
    "webhook_late": WebhookRecipe(_late, "sent later", {"seconds": 1.0}),
    "webhook_out_of_order": WebhookRecipe(
        _last, "sent after the later events of the same request", {"seconds": 0.1}
    ),
    "webhook_burst": WebhookRecipe(
        _burst, "kept back, then sent with all others at one moment", {"seconds": 1.0}
    ),
    "webhook_duplicated": WebhookRecipe(
        _again("webhook_duplicated"), "sent more than once", {"copies": 1, "seconds": 0.0}
    ),
    "webhook_replayed": WebhookRecipe(
        _again("webhook_replayed"),
        "the same bytes once more, long after",
        {"copies": 1, "seconds": 5.0},
    ),
    "webhook_forged": WebhookRecipe(
        _forged, "beside it one that says the opposite, signed with a wrong secret", {"says": None}
    ),
    "webhook_wrong_secret": WebhookRecipe(
        _badly_proven("wrong"), "this delivery is signed with a wrong secret"
    ),
    "webhook_unsigned": WebhookRecipe(_badly_proven("none"), "this delivery is not signed"),
    "webhook_altered": WebhookRecipe(
        _altered,
        "this delivery is changed after it was signed",
        {"old": '"amount":', "new": '"amount":9'},
    ),
    "webhook_contradictory": WebhookRecipe(
        _contradictory,
        "after it a genuine one says the opposite",
        {"says": None, "seconds": 0.0},
    ),
    "webhook_unknown_item": WebhookRecipe(
        _unknown, "beside it a genuine one for a payment of nobody", {"reference": "NOT-YOURS"}
    ),
    "webhook_other_amount": WebhookRecipe(
        _other_amount, "genuine, with another amount", {"delta": 1}
    ),
    "webhook_malformed": WebhookRecipe(_malformed, "genuine, and no JSON", {"body": "{"}),
}
