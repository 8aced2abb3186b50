"""What a report says: values for the page, and the machine result `run_result.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from payouts.core.currencies import currency
from payouts.core.ids import public_id
from payouts.core.items import FINAL, State
from payouts.flows.explain import meaning

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from payouts.flows.proof import Proof
    from payouts.store import queries
    from payouts.store.queries import CountRow, HoldRow, LineSum, RunRow, SendRow

__all__ = ["Reason", "RejectedBy", "Report", "proof_document"]

SCHEMA_VERSION = 1
"""Of `run_result.json`; fields are added without, changed or removed only with a new one."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Items in one state for one reason."""

    state: str
    provider: str
    currency: str
    code: str | None
    items: int
    amount_minor: int

    @property
    def words(self) -> str:
        """What the code means."""
        return meaning(self.code) or "no reason was given"


@dataclass(frozen=True, slots=True)
class RejectedBy:
    """Lines that carry one problem code.

    Args:
        outcome: what became of these lines.
        first: numbers of the first of them.
        words: what the code means, said of the first line.
        hint: what to do about it.
    """

    outcome: str
    code: str
    lines: int
    first: tuple[int, ...]
    words: str
    hint: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the page and the machine result say.

    Args:
        at: when it was read, by the database's clock.
        counters: items by provider, currency and state.
        reasons: items that are not paid, by reason.
        batches: the first of them, with their states.
    """

    run: RunRow
    environment: str
    database_id: str
    at: datetime
    proof: Proof
    counters: list[CountRow]
    lines: list[LineSum]
    reasons: list[Reason]
    rejects: list[RejectedBy]
    sends: list[SendRow]
    batches: list[queries.BatchRow]
    holds: list[HoldRow]
    paused: list[queries.LaneRow]
    closed_at: datetime | None

    @property
    def public(self) -> str:
        """The run's public id."""
        return public_id("run", self.run.id)

    def states(self) -> dict[str, tuple[int, dict[str, int]]]:
        """Per state: items, and minor units per currency; states without items left out."""
        made: dict[str, tuple[int, dict[str, int]]] = {}
        for row in self.counters:
            items, amounts = made.get(row.state, (0, {}))
            amounts[row.currency] = amounts.get(row.currency, 0) + row.amount_minor
            made[row.state] = (items + row.items, amounts)
        return {state: made[state] for state in State if state in made}

    @property
    def items(self) -> int:
        """All items."""
        return sum(row.items for row in self.counters)

    @property
    def open_items(self) -> int:
        """Items that are not final."""
        return sum(row.items for row in self.counters if State(row.state) not in FINAL)

    def document(self, files: Mapping[str, str]) -> dict[str, Any]:
        """The machine result: plain values, money as minor units with its currency beside."""
        run = self.run
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "run_result",
            "run": self.public,
            "status": "closed" if self.closed_at else "open",
            "environment": self.environment,
            "database_id": self.database_id,
            "generated_at": _iso(self.at),
            "pipeline": run.pipeline,
            "slot": run.slot,
            "funding": run.funding,
            "file": {
                "name": run.source_name,
                "sha256": run.source_sha256,
                "bytes": run.source_bytes,
                "lines": run.lines_read,
            },
            "created_at": _iso(run.created_at),
            "approved_at": _iso(run.approved_at),
            "approved_by": run.approved_by,
            "closed_at": _iso(self.closed_at),
            "lines": dict(self.proof.file.outcomes),
            "items": {state: items for state, (items, _) in self.states().items()},
            "totals": self._totals(),
            "not_paid": self._not_paid(),
            "line_codes": self._line_codes(),
            "sent": self._sent(),
            "holds": [
                {"reason": hold.reason, "detail": hold.detail, "opened_at": _iso(hold.opened_at)}
                for hold in self.holds
            ],
            "paused_lanes": [
                {"provider": lane.provider, "funding": lane.funding, "reason": lane.reason}
                for lane in self.paused
            ],
            "proof": proof_document(self.proof),
            "files": dict(files),
        }

    def _totals(self) -> list[dict[str, Any]]:
        """Per currency: accepted, and minor units by state."""
        return [
            {
                "currency": one.currency,
                "exponent": currency(one.currency).exponent,
                "accepted": {"lines": one.accepted.items, "minor": one.accepted.amount_minor},
                "states": {
                    state: {"minor": amounts[one.currency]}
                    for state, (_, amounts) in self.states().items()
                    if one.currency in amounts
                },
            }
            for one in self.proof.currencies
        ]

    def _not_paid(self) -> list[dict[str, Any]]:
        """Items that are not paid, by reason."""
        return [
            {
                "state": reason.state,
                "provider": reason.provider,
                "currency": reason.currency,
                "code": reason.code,
                "meaning": reason.words,
                "items": reason.items,
                "minor": reason.amount_minor,
            }
            for reason in self.reasons
        ]

    def _line_codes(self) -> list[dict[str, Any]]:
        """Lines that carry a code, by code."""
        return [
            {
                "outcome": one.outcome,
                "code": one.code,
                "meaning": one.words,
                "hint": one.hint,
                "lines": one.lines,
                "first_lines": list(one.first),
            }
            for one in self.rejects
        ]

    def _sent(self) -> list[dict[str, Any]]:
        """What each platform was sent, by currency."""
        return [
            {
                "provider": one.provider,
                "currency": one.currency,
                "batches": one.batches,
                "items": one.items,
                "minor": one.amount_minor,
                "attempts": one.attempts,
                "first_sent": _iso(one.first_sent),
                "last_answer": _iso(one.last_answer),
            }
            for one in self.sends
        ]


def proof_document(proof: Proof) -> dict[str, Any]:
    """The proof as plain values."""
    return {
        "agrees": proof.agrees,
        "open_items": proof.open_items,
        "file": {
            "agrees": proof.file.agrees,
            "read": proof.file.read,
            "written": proof.file.written,
            **proof.file.outcomes,
        },
        "currencies": [
            {
                "currency": one.currency,
                "agrees": one.agrees,
                "lines": {
                    outcome: {"lines": total.items, "minor": total.amount_minor}
                    for outcome, total in one.lines.items()
                },
                "items": {"items": one.items.items, "minor": one.items.amount_minor},
                "checks": [
                    {
                        "name": made.name,
                        "agrees": made.agrees,
                        "expected": {
                            "items": made.expected.items,
                            "minor": made.expected.amount_minor,
                        },
                        "found": {"items": made.found.items, "minor": made.found.amount_minor},
                    }
                    for made in one.checks
                ],
            }
            for one in proof.currencies
        ],
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")
