"""Faults: rules that say when which recipe strikes, and the scripts they come from.

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
    options = { … }                          what the recipe takes, see `recipes`

Without `nth`, `every` and `probability` a rule strikes at every matching request. Rules are tried
in order and several may strike at one request. Chance depends on the seed, the rule, the content
of the request and how often it came before, not on the order in which requests arrive.
"""

from __future__ import annotations

import json
import math
import random
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from payouts.sandbox.recipes import RECIPES
from payouts.sandbox.statement import STATEMENT_RECIPES
from payouts.sandbox.webhook_recipes import WEBHOOK_RECIPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from payouts.sandbox.course import Course, Moment, Options
    from payouts.sandbox.http import Request
    from payouts.sandbox.statement import Row
    from payouts.sandbox.webhook_recipes import Parcel

__all__ = ["ALL_RECIPES", "Faults", "Rule", "read_script", "rules_of"]

Item = dict[str, Any]

ALL_RECIPES: Final[Item] = {**RECIPES, **WEBHOOK_RECIPES, **STATEMENT_RECIPES}


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
    for_s: float = math.inf
    options: Options = field(default_factory=dict)
    seen: int = 0
    struck: int = 0
    first_at: float | None = None
    repeats: Counter[bytes] = field(default_factory=Counter)

    @property
    def moment(self) -> Moment:
        """When the rule is tried: never before it can know what it has to match."""
        moment: Moment = ALL_RECIPES[self.fault].moment
        if self.reference is not None and moment not in {"webhook", "statement"}:
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


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


_KEYS: Final[dict[str, Callable[[Any], bool]]] = {
    "fault": lambda value: value in ALL_RECIPES,
    "route": lambda value: isinstance(value, str),
    "reference": lambda value: isinstance(value, str),
    "nth": lambda value: all(map(_is_count, value if isinstance(value, list) else [value])),
    "every": _is_count,
    "probability": lambda value: isinstance(value, int | float) and 0 <= value <= 1,
    "times": _is_count,
    "for_s": lambda value: isinstance(value, int | float) and value >= 0,
    "options": lambda value: isinstance(value, dict),
}


def _rule(wanted: object) -> Rule:
    if not isinstance(wanted, dict) or "fault" not in wanted:
        raise ValueError(f"a rule is a table that names a fault: {wanted!r}")
    for name, value in wanted.items():
        if name not in _KEYS:
            raise ValueError(f"a rule has no {name!r}; it has {', '.join(_KEYS)}")
        if not _KEYS[name](value):
            raise ValueError(f"{name} cannot be {value!r}")
    known = ALL_RECIPES[wanted["fault"]].options
    strange = set(wanted.get("options", {})) - set(known)
    if strange:
        raise ValueError(f"{wanted['fault']} takes {sorted(known)}, not {sorted(strange)}")
    nth = wanted.get("nth", [])
    return Rule(**{**wanted, "nth": tuple(nth if isinstance(nth, list) else [nth])})


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

    def apply(
        self, moment: Moment, request: Request | None, course: Course | Parcel | Row
    ) -> list[str]:
        """Let every rule of this moment that strikes edit the course; give the faults that did."""
        struck = []
        for number, rule in enumerate(self.rules):
            if rule.moment == moment and self._matches(rule, request):
                chance = self._chance(number, rule, request)
                if rule.strikes(self._clock(), chance.random):
                    struck.append(rule.fault)
                    self.struck[rule.fault] += 1
                    recipe = ALL_RECIPES[rule.fault]
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
