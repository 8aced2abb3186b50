"""Recipes: the kinds of faults, each a small edit of the course that a request will take.

A recipe edits a `Course` before anything has happened; the app then plays the course. Recipes know
nothing of platforms: replies are edited as documents, whatever their shape. `RECIPES` is the table
of all of them, and `table()` prints it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, Literal

from payouts.sandbox.course import Course, Item, Options, Recipe
from payouts.sandbox.http import Reply

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

__all__ = ["RECIPES", "table"]


# the ends of connections


def _end(kind: Literal["close", "reset", "hang"], *, effect: bool) -> Callable[..., None]:
    """End the connection without a byte, with or without the effect."""

    def does(course: Course, options: Options) -> None:
        del options
        course.wire.silent, course.wire.end = True, kind
        if not effect:
            course.instead = Reply(500)

    return does


def _shut(course: Course, options: Options) -> None:
    course.shut_s = options["seconds"]
    _end("reset", effect=False)(course, options)


def _stale(course: Course, options: Options) -> None:
    del options
    course.wire.stale = True


# slow and torn replies


def _latency(course: Course, options: Options) -> None:
    course.wait_before_s += options["seconds"] + options["jitter_s"] * course.dice.random()


def _late(course: Course, options: Options) -> None:
    course.wait_after_s += options["seconds"]


def _drip(course: Course, options: Options) -> None:
    course.wire.drip_s = options["seconds"]


def _slow_head(course: Course, options: Options) -> None:
    course.wire.slow_head_s = options["seconds"]


def _cut(course: Course, options: Options) -> None:
    course.wire.cut, course.wire.end = options["share"], "close"


def _cut_clean(course: Course, options: Options) -> None:
    _cut(course, options)
    course.wire.lengthless = True


# statuses


def _status(course: Course, options: Options) -> None:
    """Answer an error status and do nothing."""
    status = options["status"]
    document = course.error(options["code"], f"Sandbox fault: {options['code']}")
    course.instead = Reply(status, document, _retry_after(options))


def _retry_after(options: Options) -> tuple[tuple[str, str], ...]:
    wait_s = options.get("wait_s", 1)
    match options.get("retry_after", "none"):
        case "seconds":
            return (("retry-after", str(wait_s)),)
        case "date":
            at = datetime.now(UTC) + timedelta(seconds=wait_s)
            return (("retry-after", format_datetime(at, usegmt=True)),)
        case "garbage":
            return (("retry-after", "soon, perhaps"),)
        case _:
            return ()


def _redirect(course: Course, options: Options) -> None:
    course.instead = Reply(options["status"], None, (("location", options["location"]),))


def _duplicate(course: Course, options: Options) -> None:
    document = course.error("duplicate", "Sandbox fault: this was sent before")
    course.instead = Reply(409, {**document, "original": options["original"]})


def _status_after(course: Course, options: Options) -> None:
    """Do it, and answer an error status."""
    document = course.error(options["code"], f"Sandbox fault: {options['code']}")
    course.edits.append(lambda _: Reply(options["status"], document))


def _status_then_effect(course: Course, options: Options) -> None:
    _status(course, options)
    course.effect_later_s = options["seconds"]


# unreadable replies


def _raw(
    make: Callable[[bytes], bytes], media_type: str = "application/json"
) -> Callable[..., None]:
    """Do it, and answer 200 with other bytes."""

    def does(course: Course, options: Options) -> None:
        del options
        course.edits.append(
            lambda reply: Reply(reply.status, None, reply.headers, make(reply.body()), media_type)
        )

    return does


def _repeat_keys(body: bytes) -> bytes:
    return body.replace(b'"status":', b'"status":"failed","status":')


def _set_status(course: Course, options: Options) -> None:
    def edit(reply: Reply) -> Reply:
        reply.status = options["status"]
        if reply.status == 204:  # noqa: PLR2004  no content
            reply.raw = b""
        return reply

    course.edits.append(edit)


# items of a reply


def _items(document: object) -> list[Item]:
    """Find the items of a reply: a bare list, a wrapped list, or the one object itself."""
    if isinstance(document, dict):
        document = document.get("results", document)
    found = document if isinstance(document, list) else [document]
    return [item for item in found if isinstance(item, dict) and "status" in item]


def _list_edit(
    change: Callable[[list[Item], random.Random, Options], list[Item]],
) -> Callable[..., None]:
    """Change the list of a batch reply; other replies are left alone."""

    def does(course: Course, options: Options) -> None:
        def edit(reply: Reply) -> Reply:
            document = reply.document
            if isinstance(document, list):
                reply.document = change(document, course.dice, options)
            elif isinstance(document, dict) and isinstance(document.get("results"), list):
                reply.document = {"results": change(document["results"], course.dice, options)}
            return reply

        course.edits.append(edit)

    return does


def _item_edit(change: Callable[[Item, Options], None]) -> Callable[..., None]:
    """Change `count` items of a reply, chosen by dice (0: all of them)."""

    def does(course: Course, options: Options) -> None:
        def edit(reply: Reply) -> Reply:
            items = _items(reply.document)
            count = options["count"] or len(items)
            for item in course.dice.sample(items, min(count, len(items))):
                change(item, options)
            return reply

        course.edits.append(edit)

    return does


def _shuffled(items: list[Item], dice: random.Random, options: Options) -> list[Item]:
    del options
    return dice.sample(items, len(items))


def _missing(items: list[Item], dice: random.Random, options: Options) -> list[Item]:
    lost = set(dice.sample(range(len(items)), min(options["count"], len(items))))
    return [item for index, item in enumerate(items) if index not in lost]


def _repeated(items: list[Item], dice: random.Random, options: Options) -> list[Item]:
    twice = [dict(item) for item in dice.sample(items, min(options["count"], len(items)))]
    for item in twice if options["status"] else ():
        item["status"] = options["status"]
    return [*items, *twice]


def _foreign(items: list[Item], dice: random.Random, options: Options) -> list[Item]:
    strange = {**dice.choice(items), "reference": options["reference"]} if items else {}
    return [*items, strange]


def _word(item: Item, options: Options) -> None:
    item["status"] = options["word"]


def _amount(item: Item, options: Options) -> None:
    if "amount" in item:
        item["amount"] += options["delta"]


def _decimal_amount(item: Item, options: Options) -> None:
    del options
    if "amount" in item:
        item["amount"] = Decimal(item["amount"]).scaleb(-2)


def _currency(item: Item, options: Options) -> None:
    if "currency" in item:
        item["currency"] = options["currency"]


def _reference(item: Item, options: Options) -> None:
    for name in ("reference", "referenceId"):
        if name in item:
            item[name] = options["reference"]


def _refuse_items(course: Course, options: Options) -> None:
    """Refuse the items whose reference matches, the others go through."""
    before = course.refuse

    def refuse(reference: str | None) -> str | None:
        if fnmatchcase(reference or "", options["references"]):
            return str(options["code"])
        return None if before is None else before(reference)

    course.refuse = refuse


def _marked(course: Course, references: str, marks: Item) -> None:
    """Add marks to the effects whose reference matches."""
    before = course.mark

    def mark(reference: str | None) -> Item:
        already = {} if before is None else before(reference)
        return {**already, **marks} if fnmatchcase(reference or "", references) else already

    course.mark = mark


_MUTE: Final = {"lookup": "hooks", "webhook": "lookups", "never": "both"}


def _accepted_then(course: Course, options: Options) -> None:
    """Answer 202, and let the end be known by one way only, or by none."""
    _set_status(course, {"status": 202})
    _marked(course, options["references"], {"mute": _MUTE[options["then"]]})


def _returned(course: Course, options: Options) -> None:
    plan = {"seconds": options["seconds"], "share": options["share"]}
    _marked(course, options["references"], {"returns": plan})


def _fails_later(course: Course, options: Options) -> None:
    _marked(course, options["references"], {"fate": "failed", "code": options["code"]})


def _lagging(course: Course, options: Options) -> None:
    course.ago_s = max(course.ago_s, options["seconds"])


def _forgotten(course: Course, options: Options) -> None:
    del options
    course.forget = True


def _webhook_first(course: Course, options: Options) -> None:
    course.webhooks_first_s = options["seconds"]


def _error(status: int, code: str, says: str, **more: object) -> Recipe:
    """Make a recipe for one status before any effect."""
    options = {"status": status, "code": code, "retry_after": "none", "wait_s": 1, **more}
    return Recipe(_status, f"{status} and no effect: {says}", options)


_HTML: Final = b"<!doctype html><title>Sorry</title><h1>We will be back soon</h1>"
_AGAIN: Final = {"retry_after": "seconds"}
_ONE: Final = {"count": 1}

RECIPES: Final[Mapping[str, Recipe]] = {
    # connections
    "refuse_connections": Recipe(
        _shut,
        "the port is closed for a while, the striking request is reset",
        {"seconds": 1.0},
        "connect",
    ),
    "accept_then_close": Recipe(
        _end("close", effect=False), "accepted and closed without a byte", moment="connect"
    ),
    "reset_on_accept": Recipe(
        _end("reset", effect=False), "accepted and reset at once", moment="connect"
    ),
    "reset_before_reading": Recipe(
        _end("reset", effect=False), "reset before the body is read", moment="head"
    ),
    "reset_after_reading": Recipe(_end("reset", effect=False), "read, no effect, reset"),
    "hang_without_effect": Recipe(_end("hang", effect=False), "read, no effect, silence"),
    "effect_then_reset": Recipe(_end("reset", effect=True), "done, then reset without a byte"),
    "effect_then_close": Recipe(_end("close", effect=True), "done, then closed without a byte"),
    "effect_then_hang": Recipe(_end("hang", effect=True), "done, then silence"),
    "stale_keep_alive": Recipe(
        _stale, "answered and kept open, but the next request on the connection is reset"
    ),
    # time
    "latency": Recipe(_latency, "waits before the effect", {"seconds": 0.2, "jitter_s": 0.0}),
    "late_reply": Recipe(_late, "waits between effect and reply", {"seconds": 1.0}),
    "slow_head": Recipe(_slow_head, "headers in 16 drops, so far apart", {"seconds": 0.1}),
    "drip": Recipe(_drip, "body in 16 drops, so far apart", {"seconds": 0.1}),
    # statuses without effect
    "status": _error(500, "fault", "any status that is asked for"),
    "server_error": _error(500, "internal_error", "broken"),
    "bad_gateway": _error(502, "bad_gateway", "broken on the way"),
    "unavailable": _error(503, "unavailable", "down for a while", **_AGAIN),
    "gateway_timeout": _error(504, "gateway_timeout", "late on the way"),
    "too_many_requests": _error(429, "too_many_requests", "slow down", **_AGAIN),
    "poison": _error(400, "bad_request", "one bad item spoils the batch (use with reference)"),
    "unauthorized": _error(401, "unauthorized", "the key is not known (use with for_s)"),
    "no_funds": _error(402, "insufficient_funds", "the account is empty"),
    "forbidden": _error(403, "forbidden", "the key may not"),
    "not_found": _error(404, "not_found", "a look-up that finds nothing (use with GET routes)"),
    "request_timeout": _error(408, "request_timeout", "too slow for the server"),
    "in_progress": _error(409, "in_progress", "the first request is still at work"),
    "locked": _error(423, "locked", "somebody else is at it"),
    "too_early": _error(425, "too_early", "not yet"),
    "not_implemented": _error(501, "not_implemented", "unknown to the server"),
    "duplicate": Recipe(_duplicate, "409 with a link to an original", {"original": "/original/1"}),
    "redirect": Recipe(
        _redirect,
        "sent to another host, no effect",
        {"status": 307, "location": "http://elsewhere.invalid/"},
    ),
    # statuses with effect
    "error_after_effect": Recipe(
        _status_after, "done, and then 500", {"status": 500, "code": "internal_error"}
    ),
    "timeout_then_effect": Recipe(
        _status_then_effect,
        "504 at once, the effect comes later",
        {"status": 504, "code": "gateway_timeout", "seconds": 0.5},
    ),
    "accepted": Recipe(_set_status, "done, the reply says 202", {"status": 202}),
    "accepted_then": Recipe(
        _accepted_then,
        "done, the reply says 202; its end is told only by: lookup, webhook, or never",
        {"then": "lookup", "references": "*"},
    ),
    "no_content": Recipe(_set_status, "done, 204 without a body", {"status": 204}),
    # unreadable replies, with effect
    "html": Recipe(_raw(lambda _: _HTML, "text/html"), "done, the reply is a web page"),
    "malformed": Recipe(_raw(lambda body: body[:-1] + b"]]"), "done, the reply is broken JSON"),
    "empty_body": Recipe(_raw(lambda _: b""), "done, the reply is empty"),
    "repeated_keys": Recipe(_raw(_repeat_keys), "done, each status is in the reply twice"),
    "nan": Recipe(
        _raw(lambda body: body.replace(b'"amount":', b'"amount":NaN,"was":')),
        "done, amounts are NaN",
    ),
    "cut": Recipe(_cut, "done, the body ends too early for its length", {"share": 0.5}),
    "cut_clean": Recipe(_cut_clean, "done, a cut body that looks like a clean end", {"share": 0.5}),
    # replies that are wrong in content, with effect
    "shuffled": Recipe(_list_edit(_shuffled), "items in another order"),
    "missing_items": Recipe(_list_edit(_missing), "items are left out", _ONE),
    "repeated_items": Recipe(
        _list_edit(_repeated),
        "items come twice, with another status if given",
        {"count": 1, "status": None},
    ),
    "foreign_item": Recipe(
        _list_edit(_foreign), "an item that nobody sent", {"reference": "NOT-YOURS"}
    ),
    "unknown_status": Recipe(
        _item_edit(_word), "a status word nobody knows", {"word": "in_orbit", "count": 1}
    ),
    "stale_status": Recipe(
        _item_edit(_word),
        "a status from earlier (use with GET routes)",
        {"word": "pending", "count": 0},
    ),
    "other_amount": Recipe(
        _item_edit(_amount), "another amount is echoed", {"delta": 1, "count": 1}
    ),
    "major_units": Recipe(
        _item_edit(_decimal_amount), "the amount is echoed in other units", {"count": 0}
    ),
    "other_currency": Recipe(
        _item_edit(_currency), "another currency is echoed", {"currency": "XTS", "count": 1}
    ),
    "other_reference": Recipe(
        _item_edit(_reference),
        "another reference is echoed",
        {"reference": "NOT-YOURS", "count": 1},
    ),
    # afterwards
    "returned": Recipe(
        _returned,
        "paid, and so many seconds later a share of it comes back",
        {"seconds": 1.0, "share": 1.0, "references": "*"},
    ),
    "fails_later": Recipe(
        _fails_later,
        "accepted, and failed when it is processed",
        {"code": "rejected_by_bank", "references": "*"},
    ),
    "lagging": Recipe(
        _lagging, "a look-up shows the platform as it was so long ago", {"seconds": 5.0}
    ),
    "forgotten_key": Recipe(
        _forgotten, "a key that was used is not recognised: the same is done again"
    ),
    "webhook_before_reply": Recipe(
        _webhook_first, "webhooks that are due arrive before the reply", {"seconds": 2.0}
    ),
    "refused_items": Recipe(
        _refuse_items,
        "items are refused, the others go through",
        {"code": "account_closed", "references": "*"},
    ),
}


def table(recipes: Mapping[str, Any] = RECIPES) -> str:
    """Give recipes as lines of text: name, what it does, its options with their defaults."""
    width = max(map(len, recipes))
    return "\n".join(
        f"{name:{width}}  {recipe.says}"
        + "".join(f"; {option}={value!r}" for option, value in recipe.options.items())
        for name, recipe in recipes.items()
    )
