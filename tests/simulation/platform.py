"""The platforms of the simulation: what really happened, and what they answer when all is well.

They know requests and replies as bytes, as the platforms' pages describe them, and share no code
with the connectors they stand against. `Truth.lines` has the form of the sandbox's truth log, so
the same checker reads both.

    level   platform     key                                 look-up by our reference
    C0      Orkesta      none: who sends twice pays twice    none
    C1      Orkestra     `referenceId`, forgotten after its life; refusals are not bound to it
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Effect", "Fate", "Orkesta", "Orkestra", "Platform", "Reply", "Truth"]

_MINOR = {"EUR": 2, "TRY": 2, "USD": 2}


@dataclass(frozen=True, slots=True)
class Fate:
    """What the platform does with an item.

    Args:
        ends: `paid`, `failed` (made first, failed later) or `refused` (never made).
        after_s: seconds from its making to its end.
        puts_off: so many submissions are answered "try later" before it is taken.
    """

    ends: str = "paid"
    after_s: float = 0.0
    puts_off: int = 0


@dataclass(slots=True)
class Effect:
    """A payment that exists at the platform."""

    ref: str
    wire: str
    amount_minor: int
    currency: str
    made_at: float
    fate: Fate
    body: bytes
    cancelled: bool = False


@dataclass(slots=True)
class Reply:
    """An answer before anything befell it."""

    status: int
    document: Any
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """As bytes; decimals with the digits that they have."""
        text = json.dumps(self.document, default=lambda value: f"@{value}@")
        return re.sub(r'"@([0-9.]+)@"', r"\1", text).encode()


@dataclass
class Truth:
    """Everything that moved money, in the order in which it did."""

    lines: list[dict[str, Any]] = field(default_factory=list)

    def made(self, kind: str, effects: list[Effect]) -> None:
        """Book payments that exist from now on."""
        self.lines.append(
            {
                "kind": kind,
                "effects": [
                    {
                        "effect": effect.ref,
                        "reference": effect.wire,
                        "amount_minor": effect.amount_minor,
                        "currency": effect.currency,
                        "fate": effect.fate.ends,
                    }
                    for effect in effects
                ],
            }
        )

    def cancelled(self, effect: Effect) -> None:
        """Book that a payment was stopped before it moved money."""
        self.lines.append({"kind": "cancel", "effect": effect.ref})


class Platform(ABC):
    """What both have in common.

    Args:
        fates: by wire reference; whoever is not named is paid at once.
        now: seconds since the schedule began.
        ids: numbers for payments.
    """

    prefix = "x"

    def __init__(
        self,
        truth: Truth,
        fates: Callable[[str], Fate],
        now: Callable[[], float],
        ids: Iterator[int],
    ) -> None:
        self.truth, self.fates, self.now, self.ids = truth, fates, now, ids
        self.effects: dict[str, Effect] = {}
        self.asked: dict[str, int] = {}
        self.held = False
        """While true, nothing that is not final becomes so."""

    @abstractmethod
    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Reply:
        """Do what is asked for."""

    def make(self, wire: str, amount: int, currency: str, body: bytes) -> Effect | str:
        """A new payment, or the code of its refusal."""
        fate = self.fates(wire)
        self.asked[wire] = self.asked.get(wire, 0) + 1
        if fate.ends == "refused":
            return "account_closed"
        if self.asked[wire] <= fate.puts_off:
            return "try_later"
        ref = f"{self.prefix}{next(self.ids)}"
        self.effects[ref] = Effect(ref, wire, amount, currency, self.now(), fate, body)
        return self.effects[ref]

    def phase(self, effect: Effect) -> str:
        """`young`, `cancelled`, or how it ended."""
        if effect.cancelled:
            return "cancelled"
        if self.held or self.now() - effect.made_at < effect.fate.after_s:
            return "young"
        return effect.fate.ends


class Orkesta(Platform):
    """Batches, no key."""

    prefix = "pay_"
    _WORDS: ClassVar = {
        "young": "processing",
        "paid": "settled",
        "failed": "failed",
        "cancelled": "cancelled",
    }

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Reply:
        """`POST /payments/batch`, `GET` and `DELETE /payments/{id}`."""
        del headers
        if method == "POST" and path == "/payments/batch":
            items = json.loads(body or b"")
            outcomes, made = [], []
            for item in items:
                wire = item["reference"]
                new = self.make(wire, item["amount"], item["currency"], b"")
                if isinstance(new, str):
                    error = {"code": new, "message": "no"}
                    outcomes.append({"status": "failed", "reference": wire, "error": error})
                else:
                    made.append(new)
                    outcomes.append(self._shown(new))
            self.truth.made("batch", made)
            return Reply(200, outcomes)
        effect = self.effects.get(path.rpartition("/")[2])
        if effect is None:
            return Reply(404, {"error": {"code": "not_found", "message": "no"}})
        if method == "DELETE":
            if self.phase(effect) != "young":
                return Reply(409, {"error": {"code": "invalid_state", "message": "no"}})
            effect.cancelled = True
            self.truth.cancelled(effect)
        return Reply(200, self._shown(effect))

    def _shown(self, effect: Effect) -> dict[str, Any]:
        shown = {
            "id": effect.ref,
            "amount": effect.amount_minor,
            "currency": effect.currency,
            "status": self._WORDS[self.phase(effect)],
            "reference": effect.wire,
        }
        if shown["status"] == "failed":
            shown["error"] = {"code": "account_closed", "message": "no"}
        return shown


class Orkestra(Platform):
    """Single payouts under a key of ours."""

    prefix = ""
    _WORDS: ClassVar = {
        "young": "PENDING",
        "paid": "PAID",
        "failed": "FAILED",
        "cancelled": "CANCELLED",
    }
    key_life_s = 86_400.0

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Reply:
        """`POST /payouts` and `GET /payouts/{id}`."""
        del headers
        if method == "POST":
            return self._create(body or b"")
        effect = self.effects.get(path.rpartition("/")[2])
        if effect is None:
            return Reply(404, {"code": "not_found"})
        return Reply(200, self._shown(effect))

    def _create(self, body: bytes) -> Reply:
        asked = json.loads(body, parse_float=Decimal, parse_int=Decimal)
        wire = asked["referenceId"]
        first = next(
            (
                effect
                for effect in self.effects.values()
                if effect.wire == wire and self.now() - effect.made_at <= self.key_life_s
            ),
            None,
        )
        if first is not None:
            same = first.body == body
            return Reply(200, self._shown(first)) if same else Reply(409, {"code": "conflict"})
        scaled = asked["amount"].scaleb(_MINOR[asked["currency"]])
        new = self.make(wire, int(scaled), asked["currency"], body)
        if isinstance(new, str):
            return Reply(429 if new == "try_later" else 422, {"code": new})
        self.truth.made("payout", [new])
        return Reply(201, self._shown(new))

    def _shown(self, effect: Effect) -> dict[str, Any]:
        amount = Decimal(effect.amount_minor).scaleb(-_MINOR[effect.currency])
        shown = {
            "id": int(effect.ref),
            "referenceId": effect.wire,
            "amount": amount,
            "currency": effect.currency,
            "status": self._WORDS[self.phase(effect)],
        }
        if shown["status"] == "FAILED":
            shown["statusReason"] = "account_closed: no"
        return shown
