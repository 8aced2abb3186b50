"""The conformance kit: every connector against its sandbox twin, under every fault of the sandbox.

What a fault must end in is not written down per connector: it follows from what the fault leaves
open (`Doubt`) and from what the connector says that its platform can do (`Capabilities`). A new
connector is a line in `SUBJECTS`.

Whatever the fault, three things hold for every case: nobody has two effects in the truth log, no
item is lost, and the ledger balances; an independent checker says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from tests.flows.conftest import sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from payouts.core.capabilities import Capabilities

__all__ = [
    "CASES",
    "CERTIFIED",
    "LINES",
    "SUBJECTS",
    "Case",
    "Certificate",
    "Doubt",
    "Subject",
    "allowed",
]

CERTIFIED = "certified"
LINES = 4
"""Payments of one case."""


class Doubt(Enum):
    """What a fault leaves open about the payments that it struck."""

    NONE = "the answer is whole, whatever its order or speed"
    PROVEN = "it is proven that nothing was executed: sent again when due"
    OPEN = "nobody can tell from the answer whether it was executed"
    ODD = "the answer speaks of the payment and contradicts what was sent"
    OURS = "our settings are refused: the lane stops and nobody is failed"
    REFUSED = "the platform refuses the payment itself"
    LATER = "it was taken, and its end is told later"


@dataclass(frozen=True, slots=True)
class Case:
    """One fault, once, at one place.

    Args:
        fault: name of the sandbox's recipe.
        at: which request is struck: `submit`, or `poll` (a look by the platform's id).
        options: of the recipe.
        all_items: it strikes all payments of the case; else one of them.
        again: it strikes again and again; else each payment once.
        batches: it makes sense only where a request holds several payments.
    """

    fault: str
    doubt: Doubt
    at: str = "submit"
    options: Mapping[str, object] = field(default_factory=dict)
    all_items: bool = True
    again: bool = False
    batches: bool = False

    @property
    def name(self) -> str:
        """Shown in the certificate."""
        return self.fault if self.at == "submit" else f"{self.fault} of a look"


def _cases() -> tuple[Case, ...]:
    open_ = (
        *("accept_then_close", "reset_before_reading", "reset_after_reading"),
        *("hang_without_effect", "effect_then_reset", "effect_then_close", "effect_then_hang"),
        *("server_error", "bad_gateway", "unavailable", "gateway_timeout", "request_timeout"),
        *("in_progress", "duplicate", "error_after_effect", "timeout_then_effect", "redirect"),
        *("html", "malformed", "empty_body", "no_content", "repeated_keys", "nan"),
        *("cut", "cut_clean"),
    )
    whole = ("latency", "late_reply", "slow_head", "drip", "stale_keep_alive")
    proven = ("too_many_requests", "locked", "too_early")
    ours = ("unauthorized", "forbidden", "not_found", "not_implemented", "no_funds")
    odd = ("other_amount", "other_currency")
    looks = ("not_found", "stale_status", "server_error", "html", "effect_then_reset")
    return (
        *(Case(name, Doubt.OPEN, options=_brief(name)) for name in open_),
        *(Case(name, Doubt.NONE, options=_brief(name)) for name in whole),
        *(Case(name, Doubt.PROVEN) for name in proven),
        *(Case(name, Doubt.OURS) for name in ours),
        *(Case(name, Doubt.ODD, all_items=False) for name in odd),
        Case("shuffled", Doubt.NONE, batches=True),
        Case("foreign_item", Doubt.NONE, batches=True),
        Case("missing_items", Doubt.OPEN, all_items=False, batches=True),
        Case("unknown_status", Doubt.LATER, all_items=False),
        Case("accepted", Doubt.LATER),
        *(Case(name, Doubt.LATER, at="poll") for name in looks),
        Case("lagging", Doubt.LATER, at="poll", options={"seconds": 0.2}),
        Case("refused_items", Doubt.REFUSED, all_items=False),
        Case("poison", Doubt.REFUSED, all_items=False, again=True),
    )


def _brief(name: str) -> dict[str, object]:
    """Waits that are long enough to be seen and short enough for a test."""
    waits = {"latency": 0.05, "late_reply": 0.05, "slow_head": 0.01, "drip": 0.01}
    waits["timeout_then_effect"] = 0.05
    return {"seconds": waits[name]} if name in waits else {}


CASES = _cases()


@dataclass(frozen=True, slots=True)
class Subject:
    """A connector and where its twin listens.

    Args:
        submit: route of its submissions, as faults name it.
        poll: route of a look.
        line: makes a payee line that is paid through it.
        settings: what the project needs besides.
        files: what the project folder needs besides: name → content.
    """

    name: str
    submit: str
    poll: str
    line: Callable[..., dict[str, str]]
    settings: str = ""
    files: Mapping[str, Path] = field(default_factory=dict)


def allowed(case: Case, can: Capabilities) -> set[str]:
    """States that the struck payments may rest in, given what the platform can do.

    The rows are RELIABILITY §1 and §3.
    """
    recovers = can.idempotent or can.lookup_by_reference
    return {
        Doubt.NONE: {"settled"},
        Doubt.PROVEN: {"settled"},
        Doubt.OPEN: {"settled"} if recovers else {"unknown", "review"},
        Doubt.ODD: {"review"} | ({"settled"} if can.lookup_by_reference else set()),
        Doubt.OURS: {"settled"},  # once the lane goes on again
        Doubt.REFUSED: {"failed"},
        Doubt.LATER: {"settled"},
    }[case.doubt]


@dataclass(slots=True)
class Certificate:
    """What was tried with a connector and what held."""

    connector: str
    level: str
    rows: list[tuple[str, str, int, str, int]] = field(default_factory=list)

    def text(self) -> str:
        """The certificate for people."""
        head = f"{self.connector}: level {self.level}, {len(self.rows)} cases held"
        lines = [
            f"  {name:<26} struck {struck:>2}  {shown:<28} {effects} effects  ({doubt})"
            for name, doubt, struck, shown, effects in self.rows
        ]
        return "\n".join([head, *lines])


def _quintet() -> Subject:
    from pathlib import Path  # noqa: PLC0415  its files lie beside this one

    here = Path(__file__).parent
    return Subject(
        "quintet",
        "POST /quintet/transfers",
        "GET /quintet/transfers/*",
        lambda reference, amount: sepa(reference, amount) | {"method": "quintet_rail"},
        'coverage = "coverage.csv"\n[connectors.quintet]\nconnector = "quintet.py"\n'
        'twin = "quintet_twin.py"\n',
        {name: here / name for name in ("quintet.py", "quintet_twin.py", "coverage.csv")},
    )


SUBJECTS = (
    Subject(
        "orkesta",
        "POST /orkesta/v1/payments/batch",
        "GET /orkesta/v1/payments/*",
        turkish,
    ),
    Subject("orkestra", "POST /orkestra/payouts", "GET /orkestra/payouts/*", sepa),
    _quintet(),
)
