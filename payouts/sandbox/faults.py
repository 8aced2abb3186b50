"""Faults: a table of small recipes, and rules that say when each of them strikes.

A recipe edits the `Course` of a request before anything happens; the app then plays the course.
Recipes know nothing of platforms: replies are edited as documents, whatever their shape.

A script is a list of rules, as TOML (`[[fault]]` tables) or JSON (a list, or `{"fault": [...]}`):

    [[fault]]
    fault = "effect_then_reset"              a name of RECIPES
    route = "POST /orkesta/v1/payments/*"    pattern of method and path; default every route
    reference = "P7*"                        pattern; one reference of the request must match
    nth = [1, 4]                             which matching requests, counted from 1
    every = 10                               or every tenth of them
    probability = 0.05                       or by chance, drawn from seed and content
    times = 3                                strikes at most so often
    for_s = 5.0                              strikes only so long after the first matching request
    options = { … }                          what the recipe takes, see `table()`

Without `nth`, `every` and `probability` a rule strikes at every matching request. Rules are tried
in order and several may strike at one request. Chance depends on the seed, the rule, the content
of the request and how often it came before, not on the order in which requests arrive.
"""

from __future__ import annotations

import json
import random
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from payouts.sandbox.http import Reply, Wire

if TYPE_CHECKING:
    from pathlib import Path

    from payouts.sandbox.http import Request

__all__ = [
    "RECIPES",
    "Course",
    "Faults",
    "Recipe",
    "Refuse",
    "Rule",
    "read_script",
    "rules_of",
    "storm",
    "table",
]


Refuse: TypeAlias = Callable[[str | None], str | None]
Options: TypeAlias = Mapping[str, Any]
Moment: TypeAlias = Literal["connect", "head", "request"]
Item: TypeAlias = dict[str, Any]

_FAR_S: Final = 3600.0


def _refuse_nobody(reference: str | None) -> str | None:
    del reference
    return None


def _plain_error(code: str, message: str) -> Item:
    return {"code": code, "message": message}


@dataclass(slots=True)
class Course:
    """What will be done with one request; recipes edit it before anything has happened.

    Args:
        error: shapes an error document as the platform at hand does.
        dice: chance that follows from seed and content.
        wait_before_s: seconds before the effect.
        instead: this is answered and nothing is done.
        effect_later_s: with `instead`: the effect happens all the same, so long after the answer.
        refuse: gives a code for a reference whose item is to be refused.
        edits: applied to the reply, in order.
        wait_after_s: seconds between the effect and the reply.
        wire: how the reply travels.
        shut_s: the server accepts no connection for so long from now.
    """

    error: Callable[[str, str], Item] = _plain_error
    dice: random.Random = field(default_factory=random.Random)
    wait_before_s: float = 0.0
    instead: Reply | None = None
    effect_later_s: float | None = None
    refuse: Refuse = _refuse_nobody
    edits: list[Callable[[Reply], Reply]] = field(default_factory=list)
    wait_after_s: float = 0.0
    wire: Wire = field(default_factory=Wire)
    shut_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """One kind of fault.

    Args:
        does: edits the course; gets the rule's options, completed by the defaults.
        says: one sentence for the table.
        options: the options it takes, with their defaults.
        moment: when it strikes: as soon as a connection is made, when the headers are read, or
            when the request is complete. A rule with a route or a reference can make it later.
    """

    does: Callable[[Course, Options], None]
    says: str
    options: Options = field(default_factory=dict)
    moment: Moment = "request"


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
        return before(reference)

    course.refuse = refuse


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
    "refused_items": Recipe(
        _refuse_items,
        "items are refused, the others go through",
        {"code": "account_closed", "references": "*"},
    ),
}


def table() -> str:
    """Give the recipes as lines of text: name, what it does, its options with their defaults."""
    width = max(map(len, RECIPES))
    return "\n".join(
        f"{name:{width}}  {recipe.says}"
        + "".join(f"; {option}={value!r}" for option, value in recipe.options.items())
        for name, recipe in RECIPES.items()
    )


# when they strike


@dataclass(slots=True)
class Rule:
    """One rule of a script (see the module) and how often it matched and struck."""

    fault: str
    route: str = "*"
    reference: str | None = None
    nth: tuple[int, ...] = ()
    every: int | None = None
    probability: float | None = None
    times: int | None = None
    for_s: float = _FAR_S * 24 * 365
    options: Options = field(default_factory=dict)
    seen: int = 0
    struck: int = 0
    first_at: float | None = None
    repeats: Counter[bytes] = field(default_factory=Counter)

    @property
    def moment(self) -> Moment:
        """When the rule is tried: never before it can know what it has to match."""
        moment = RECIPES[self.fault].moment
        if self.reference is not None:
            return "request"
        return "head" if moment == "connect" and self.route != "*" else moment

    def strikes(self, now: float, chance: Callable[[], float]) -> bool:
        """Count a matching request and say whether the rule strikes at it."""
        self.seen += 1
        self.first_at = now if self.first_at is None else self.first_at
        if now - self.first_at > self.for_s:
            return False
        if self.times is not None and self.struck >= self.times:
            return False
        if not self._is_turn(chance):
            return False
        self.struck += 1
        return True

    def _is_turn(self, chance: Callable[[], float]) -> bool:
        if self.nth or self.every:
            return self.seen in self.nth or (self.every is not None and self.seen % self.every == 0)
        return self.probability is None or chance() < self.probability

    def shown(self) -> Item:
        """Give the rule and its counters as JSON can carry them."""
        return {
            "fault": self.fault,
            "route": self.route,
            "reference": self.reference,
            "options": dict(self.options),
            "seen": self.seen,
            "struck": self.struck,
        }


_RULE_KEYS: Final = frozenset(
    {"fault", "route", "reference", "nth", "every", "probability", "times", "for_s", "options"}
)


def _rule(wanted: object) -> Rule:
    if not isinstance(wanted, dict) or wanted.get("fault") not in RECIPES:
        raise ValueError(f"a rule names one of the faults {', '.join(RECIPES)}: {wanted!r}")
    unknown = set(wanted) - _RULE_KEYS
    if unknown:
        raise ValueError(f"a rule has no {', '.join(sorted(unknown))}; it has {sorted(_RULE_KEYS)}")
    known = RECIPES[wanted["fault"]].options
    strange = set(wanted.get("options", {})) - set(known)
    if strange:
        raise ValueError(f"{wanted['fault']} takes {sorted(known)}, not {sorted(strange)}")
    nth = wanted.get("nth", ())
    return Rule(**{**wanted, "nth": (nth,) if isinstance(nth, int) else tuple(nth)})


def rules_of(script: object) -> list[Rule]:
    """Read the rules of a script that is parsed already.

    Raises:
        ValueError: it names a fault, a key or an option that does not exist.
    """
    if isinstance(script, dict):
        script = script.get("fault")
    if not isinstance(script, list):
        raise ValueError('a script is a list of rules, or {"fault": [...]}')  # noqa: TRY004  as above
    return [_rule(wanted) for wanted in script]


def read_script(path: Path) -> list[Rule]:
    """Read a script from a TOML or a JSON file."""
    text = path.read_text(encoding="utf-8")
    return rules_of(json.loads(text) if path.suffix == ".json" else tomllib.loads(text))


_STORM: Final = (
    "accept_then_close", "reset_before_reading", "reset_after_reading", "effect_then_reset",
    "effect_then_close", "stale_keep_alive", "latency", "late_reply", "drip", "server_error",
    "bad_gateway", "unavailable", "too_many_requests", "error_after_effect",
    "timeout_then_effect", "html", "malformed", "cut", "cut_clean", "shuffled", "missing_items",
    "repeated_items", "unknown_status", "accepted",
)  # fmt: skip


def storm(seed: int) -> list[Rule]:
    """Draw a mixture of faults from a seed: eight kinds, each rare and each ending at some time."""
    dice = random.Random(seed)  # noqa: S311  the same seed has to give the same storm
    return [
        Rule(name, probability=dice.uniform(0.02, 0.15), times=dice.randint(1, 6))
        for name in dice.sample(_STORM, 8)
    ]


class Faults:
    """The rules in force, and the counters of what struck.

    Args:
        rules: tried in this order.
        seed: of the chances.
        references: gives the references that a request speaks of.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        *,
        seed: int = 0,
        references: Callable[[Request], list[str]],
        clock: Callable[[], float],
    ) -> None:
        self._seed = seed
        self._references = references
        self._clock = clock
        self.struck: Counter[str] = Counter()
        self.rules: list[Rule] = []
        self.use(rules)

    def use(self, rules: Iterable[Rule]) -> None:
        """Put other rules in force; the totals per fault stay."""
        self.rules = list(rules)

    def shown(self) -> Item:
        """Give rules and counters as JSON can carry them."""
        return {"rules": [rule.shown() for rule in self.rules], "struck": dict(self.struck)}

    def apply(self, moment: Moment, request: Request | None, course: Course) -> bool:
        """Let every rule of this moment that strikes edit the course; say whether one did."""
        struck = False
        for number, rule in enumerate(self.rules):
            if rule.moment == moment and self._matches(rule, request):
                chance = self._chance(number, rule, request)
                if rule.strikes(self._clock(), chance.random):
                    struck = True
                    self.struck[rule.fault] += 1
                    recipe = RECIPES[rule.fault]
                    course.dice = chance
                    recipe.does(course, {**recipe.options, **rule.options})
        return struck

    def _matches(self, rule: Rule, request: Request | None) -> bool:
        if request is None:
            return True
        if not fnmatchcase(f"{request.method} {request.path}", rule.route):
            return False
        pattern = rule.reference
        return pattern is None or any(
            fnmatchcase(reference, pattern) for reference in self._references(request)
        )

    def _chance(self, number: int, rule: Rule, request: Request | None) -> random.Random:
        content = b"" if request is None else request.path.encode() + b"\0" + request.body
        mark = blake2b(content, digest_size=8).digest()
        rule.repeats[mark] += 1
        return random.Random(f"{self._seed}/{number}/{mark.hex()}/{rule.repeats[mark]}")  # noqa: S311  play
