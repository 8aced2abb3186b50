"""How far a run is: what is counted, what still moves by itself, and what waits for somebody.

A run has no state of its own (ARCHITECTURE §5): `read` counts its items in few statements,
`standing` judges the counts. A run is *over* when all items are final; it is *waiting* when
nothing that is left will be moved by the worker within the patience of whoever looks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

from payouts.core.items import FINAL, State
from payouts.store.cancels import COVERED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = [
    "Cell",
    "Facts",
    "Hold",
    "Paused",
    "Reason",
    "Standing",
    "Wait",
    "failures",
    "read",
    "standing",
]

PATIENCE_S = 600.0
"""What is due later than this is not waited for in the foreground."""


class Reason(StrEnum):
    """Why something waits."""

    APPROVAL = "approval"
    HELD = "held"
    PAUSED = "paused"
    LATER = "later"
    UNCLEAR = "unclear"
    REVIEW = "review"


class Cell(NamedTuple):
    """Items of one lane, currency and state, as the batch counters have them.

    Args:
        later: of these, items of batches whose next send is beyond the patience.
        send_at: the earliest next send among them.
    """

    provider: str
    funding: str
    currency: str
    state: State
    items: int
    amount_minor: int
    later: int = 0
    send_at: datetime | None = None


class Hold(NamedTuple):
    """An open hold on the run."""

    reason: str
    detail: str


class Paused(NamedTuple):
    """A paused lane of the run."""

    provider: str
    funding: str
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What `read` found of a run.

    Args:
        cells: where its items are.
        holds: open holds on the whole run.
        paused: its lanes that are paused.
        held_items: items in `approved` under an open hold of their own, by lane.
        stuck: items in `unknown` that neither a re-send nor a look will move, by lane; the rest of
            the unknown ones is sent again under its key or looked at.
        resent: items in `unknown` that move by a re-send only, by lane: a hold or pause stops them.
    """

    run_id: int
    cells: tuple[Cell, ...] = ()
    holds: tuple[Hold, ...] = ()
    paused: tuple[Paused, ...] = ()
    held_items: Mapping[tuple[str, str], int] = field(default_factory=dict)
    stuck: Mapping[tuple[str, str], int] = field(default_factory=dict)
    resent: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wait:
    """Some items that wait for the same thing.

    Args:
        detail: the hold's or the pause's own words, or when they are due.
    """

    reason: Reason
    items: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """The judgement on a run.

    Args:
        states: items per state, states without items left out.
        amounts: minor units per currency and state.
        moving: items that the worker will move by itself.
        waits: what is left, and for what it waits.
    """

    run_id: int
    states: Mapping[State, int]
    amounts: Mapping[str, Mapping[State, int]]
    moving: int
    waits: tuple[Wait, ...]

    @property
    def items(self) -> int:
        """All items of the run."""
        return sum(self.states.values())

    @property
    def final(self) -> int:
        """Items that are final."""
        return sum(count for state, count in self.states.items() if state in FINAL)

    @property
    def over(self) -> bool:
        """Every item is final."""
        return self.final == self.items

    @property
    def rests(self) -> bool:
        """Nothing moves by itself any more: the run is over, or all that is left waits."""
        return self.moving == 0

    @property
    def paid(self) -> int:
        """Items that the provider says are paid."""
        return self.states.get(State.SETTLED, 0) + self.states.get(State.RECONCILED, 0)

    @property
    def unpaid(self) -> int:
        """Final items that are not paid."""
        return self.final - self.paid


def standing(facts: Facts) -> Standing:
    """Judge what was counted: what moves by itself, and what waits for whom.

    >>> cell = Cell("orkesta", "main", "EUR", State.APPROVED, 3, 900)
    >>> standing(Facts(1, (cell,))).moving
    3
    >>> standing(Facts(1, (cell,), holds=(Hold("rejects", "40 %"),))).waits
    (Wait(reason=<Reason.HELD: 'held'>, items=3, detail='rejects: 40 %'),)
    """
    states: dict[State, int] = {}
    amounts: dict[str, dict[State, int]] = {}
    for cell in facts.cells:
        states[cell.state] = states.get(cell.state, 0) + cell.items
        of_currency = amounts.setdefault(cell.currency, {})
        of_currency[cell.state] = of_currency.get(cell.state, 0) + cell.amount_minor
    waits = _waits(facts, states)
    resting = sum(wait.items for wait in waits)
    open_items = sum(count for state, count in states.items() if state not in FINAL)
    return Standing(facts.run_id, states, amounts, max(0, open_items - resting), waits)


def _waits(facts: Facts, states: Mapping[State, int]) -> tuple[Wait, ...]:
    """What waits; every open item is counted at most once."""
    found: list[Wait] = []
    pending = states.get(State.PENDING, 0)
    sendable, later, send_at = _sendable(facts)
    if facts.holds:
        words = "; ".join(f"{hold.reason}: {hold.detail}" for hold in facts.holds)
        resent = sum(facts.resent.values())
        found.append(Wait(Reason.HELD, pending + sum(sendable.values()) + resent, words))
    else:
        found.append(Wait(Reason.APPROVAL, pending))
        for lane in facts.paused:
            key = (lane.provider, lane.funding)
            items = sendable.pop(key, 0) + facts.resent.get(key, 0)
            later.pop(key, None)
            found.append(Wait(Reason.PAUSED, items, f"{lane.provider}: {lane.reason}"))
        held = sum(min(facts.held_items.get(key, 0), count) for key, count in sendable.items())
        found.append(Wait(Reason.HELD, held, "items held one by one"))
        when = f"{send_at:%Y-%m-%d %H:%M} UTC" if send_at else ""
        rest = sum(
            min(late, sendable[key] - facts.held_items.get(key, 0)) for key, late in later.items()
        )
        found.append(Wait(Reason.LATER, max(0, rest), when))
    found.append(Wait(Reason.UNCLEAR, sum(facts.stuck.values())))
    found.append(Wait(Reason.REVIEW, states.get(State.REVIEW, 0)))
    return tuple(wait for wait in found if wait.items > 0)


def _sendable(
    facts: Facts,
) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int], datetime | None]:
    """Approved items by lane, those due later by lane, and the first time of these."""
    sendable: dict[tuple[str, str], int] = {}
    later: dict[tuple[str, str], int] = {}
    first: datetime | None = None
    for cell in facts.cells:
        if cell.state is State.APPROVED:
            key = (cell.provider, cell.funding)
            sendable[key] = sendable.get(key, 0) + cell.items
            if cell.later:
                later[key] = later.get(key, 0) + cell.later
                if cell.send_at is not None and (first is None or cell.send_at < first):
                    first = cell.send_at
    return sendable, later, first


def read(
    connection: Connection,
    run_id: int,
    *,
    keyed: Collection[str] = (),
    patience_s: float = PATIENCE_S,
) -> Facts:
    """Count a run; a handful of statements whatever its size.

    Args:
        keyed: providers whose capabilities are idempotent: their unclear items are sent again
            under the key, and go to review when that is used up.
        patience_s: what is due later than this counts as waiting.
    """
    cells = tuple(
        Cell(provider, funding, currency, State(state), items, amount, later, send_at)
        for provider, funding, currency, state, items, amount, later, send_at in connection.execute(
            text(
                "SELECT b.provider, b.funding, b.currency, c.state::text, sum(c.items)::bigint,"
                " sum(c.amount_minor)::bigint, coalesce(sum(c.items) FILTER (WHERE b.send_at >"
                " payouts_now() + make_interval(secs => :patience)), 0)::bigint,"
                " min(b.send_at) FILTER (WHERE b.send_at >"
                " payouts_now() + make_interval(secs => :patience))"
                " FROM batch b JOIN batch_count c ON c.batch_id = b.id AND c.items > 0"
                " WHERE b.run_id = :run GROUP BY 1, 2, 3, c.state ORDER BY 1, 2, 3, c.state"
            ),
            {"run": run_id, "patience": patience_s},
        )
    )
    unclear = any(cell.state is State.UNKNOWN for cell in cells)
    stuck, resent = _unclear(connection, run_id, keyed) if unclear else ({}, {})
    return Facts(
        run_id,
        cells,
        holds=_holds(connection, run_id),
        paused=_paused(connection, run_id),
        held_items=_held_items(connection, run_id),
        stuck=stuck,
        resent=resent,
    )


def _holds(connection: Connection, run_id: int) -> tuple[Hold, ...]:
    rows = connection.execute(
        text(
            "SELECT reason, detail FROM hold WHERE run_id = :run AND item_id IS NULL"
            " AND released_at IS NULL ORDER BY id"
        ),
        {"run": run_id},
    )
    return tuple(Hold(reason, detail) for reason, detail in rows)


def _paused(connection: Connection, run_id: int) -> tuple[Paused, ...]:
    rows = connection.execute(
        text(
            "SELECT l.provider, l.funding, l.reason FROM lane l WHERE l.paused_at IS NOT NULL"
            " AND EXISTS (SELECT FROM batch b WHERE b.run_id = :run AND b.provider = l.provider"
            " AND b.funding = l.funding) ORDER BY 1, 2"
        ),
        {"run": run_id},
    )
    return tuple(Paused(provider, funding, reason or "") for provider, funding, reason in rows)


def _held_items(connection: Connection, run_id: int) -> dict[tuple[str, str], int]:
    rows = connection.execute(
        text(
            "SELECT n.provider, n.funding, count(*) FROM item_now n WHERE n.state = 'approved'"
            " AND n.id IN (SELECT item_id FROM hold WHERE run_id = :run AND item_id IS NOT NULL"
            " AND released_at IS NULL) GROUP BY 1, 2"
        ),
        {"run": run_id},
    )
    return {(provider, funding): count for provider, funding, count in rows}


def _unclear(
    connection: Connection, run_id: int, keyed: Collection[str]
) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """Unclear items per lane: those that nothing moves, and those that only a re-send moves.

    An item whose provider id is known is looked at. Without one, a keyed provider's item is sent
    again when due; when no more re-send is planned, the next look gives it up to review. What
    somebody asked to be cancelled is never sent again.
    """
    rows = connection.execute(
        text(
            "SELECT n.provider, n.funding,"  # noqa: S608  our own constant
            " count(*) FILTER (WHERE NOT n.provider = ANY(:keyed) OR " + COVERED + "),"
            " count(*) FILTER (WHERE n.provider = ANY(:keyed) AND n.due_at IS NOT NULL AND NOT "
            + COVERED
            + ") FROM item_now n WHERE n.run_id = :run AND n.state = 'unknown'"
            " AND n.batch_id IN (SELECT c.batch_id FROM batch_count c JOIN batch b"
            " ON b.id = c.batch_id WHERE b.run_id = :run AND c.state = 'unknown' AND c.items > 0)"
            " AND NOT EXISTS (SELECT FROM provider_payment p WHERE p.item_id = n.id"
            " AND p.provider = n.provider) GROUP BY 1, 2"
        ),
        {"run": run_id, "keyed": list(keyed)},
    )
    stuck: dict[tuple[str, str], int] = {}
    resent: dict[tuple[str, str], int] = {}
    for provider, funding, without_key, with_key in rows:
        stuck[provider, funding] = without_key
        resent[provider, funding] = with_key
    return stuck, resent


def failures(connection: Connection, run_id: int) -> list[tuple[str, int]]:
    """Codes of the items that are failed now, the most frequent first."""
    rows = connection.execute(
        text(
            "SELECT coalesce(n.code, 'no code'), count(*) FROM item_now n WHERE n.state = 'failed'"
            " AND n.batch_id IN (SELECT c.batch_id FROM batch_count c JOIN batch b"
            " ON b.id = c.batch_id WHERE b.run_id = :run AND c.state = 'failed' AND c.items > 0)"
            " GROUP BY 1 ORDER BY 2 DESC, 1"
        ),
        {"run": run_id},
    )
    return [(code, count) for code, count in rows]
