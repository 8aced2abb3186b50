"""Runs: what they are, their counters, holds, lanes, batches and what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from payouts.core.items import OPEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy import Connection

__all__ = [
    "BatchRow",
    "CountRow",
    "HoldRow",
    "LaneRow",
    "PausedRow",
    "RunRow",
    "SendRow",
    "batches",
    "counts",
    "ended_runs",
    "holds",
    "lanes",
    "open_holds",
    "open_runs",
    "paused_lanes",
    "run",
    "runs",
    "sends",
]


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as its row says; `counts` is lines by outcome, `totals` accepted minor units."""

    id: int
    payer: str
    pipeline: str
    slot: str | None
    period: str
    source_name: str
    source_copy: str
    source_sha256: str
    source_bytes: int
    funding: str
    policy: str
    lines_read: int
    line_lo: int
    line_hi: int
    counts: Mapping[str, int]
    totals: Mapping[str, int]
    detected: Mapping[str, object]
    approved_by: str | None
    approved_at: datetime | None
    created_at: datetime
    closed_at: datetime | None


_RUN: Final = (
    "SELECT r.id, p.name, r.pipeline, r.slot, r.period, r.source_name, r.source_copy,"
    " r.source_sha256, r.source_bytes, r.funding, r.policy, r.lines_read, r.line_lo, r.line_hi,"
    " r.counts, r.totals, r.detected, r.approved_by, r.approved_at, r.created_at, r.closed_at"
    " FROM pipeline_run r JOIN payer p ON p.id = r.payer_id"
)


def runs(connection: Connection, *, limit: int = 20, before: int | None = None) -> list[RunRow]:
    """The newest runs, newest first; `before` is the cursor: the last key of the page before."""
    rows = connection.execute(
        text(
            f"{_RUN} WHERE r.id < coalesce(CAST(:before AS bigint), 9223372036854775807)"
            " ORDER BY r.id DESC LIMIT :limit"
        ),
        {"before": before, "limit": limit},
    )
    return [RunRow(*row) for row in rows]


def open_runs(connection: Connection) -> list[int]:
    """Keys of the runs that are not closed, oldest first."""
    return list(
        connection.execute(
            text("SELECT id FROM pipeline_run WHERE closed_at IS NULL ORDER BY id")
        ).scalars()
    )


def ended_runs(connection: Connection) -> list[int]:
    """Keys of runs that are not closed although none of their items is open, oldest first.

    Without those of schedules, and at most a hundred.
    """
    return list(
        connection.execute(
            text(
                "SELECT r.id FROM pipeline_run r WHERE r.closed_at IS NULL AND r.slot IS NULL"
                " AND r.counts ? 'accepted' AND NOT EXISTS (SELECT FROM batch b"
                " JOIN batch_count c ON c.batch_id = b.id WHERE b.run_id = r.id AND c.items > 0"
                " AND c.state = ANY(CAST(:open AS item_state[]))) ORDER BY r.id LIMIT 100"
            ),
            {"open": sorted(OPEN)},
        ).scalars()
    )


def run(connection: Connection, run_id: int) -> RunRow | None:
    """One run."""
    row = connection.execute(text(f"{_RUN} WHERE r.id = :run"), {"run": run_id}).one_or_none()
    return None if row is None else RunRow(*row)


@dataclass(frozen=True, slots=True)
class CountRow:
    """Items of a run in one state at one provider in one currency."""

    run_id: int
    provider: str
    currency: str
    state: str
    items: int
    amount_minor: int


def counts(connection: Connection, run_ids: Sequence[int]) -> list[CountRow]:
    """Items and money of these runs by provider, currency and state; states without items lack."""
    rows = connection.execute(
        text(
            "SELECT b.run_id, b.provider, b.currency, c.state::text, sum(c.items)::bigint,"
            " sum(c.amount_minor)::bigint FROM batch b JOIN batch_count c ON c.batch_id = b.id"
            " AND c.items > 0 WHERE b.run_id = ANY(:runs) GROUP BY 1, 2, 3, c.state"
            " ORDER BY 1, 2, 3, c.state"
        ),
        {"runs": list(run_ids)},
    )
    return [CountRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A hold on a run or on one item of it."""

    id: int
    run_id: int
    item_id: int | None
    reason: str
    detail: str
    opened_at: datetime
    opened_by: str
    released_at: datetime | None
    released_by: str | None


def holds(connection: Connection, run_ids: Sequence[int], *, open_only: bool) -> list[HoldRow]:
    """Holds of these runs, in the order they were opened."""
    rows = connection.execute(
        text(
            "SELECT id, run_id, item_id, reason, detail, opened_at, opened_by, released_at,"
            " released_by FROM hold WHERE run_id = ANY(:runs)"
            " AND (released_at IS NULL OR NOT :open_only) ORDER BY id"
        ),
        {"runs": list(run_ids), "open_only": open_only},
    )
    return [HoldRow(*row) for row in rows]


def open_holds(connection: Connection, *, limit: int = 100) -> list[HoldRow]:
    """Holds that are open, of whatever run, the oldest first."""
    rows = connection.execute(
        text(
            "SELECT id, run_id, item_id, reason, detail, opened_at, opened_by, released_at,"
            " released_by FROM hold WHERE released_at IS NULL ORDER BY id LIMIT :limit"
        ),
        {"limit": limit},
    )
    return [HoldRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class PausedRow:
    """A lane that sends nothing; the funding account `*` stands for all lanes of the provider."""

    provider: str
    funding: str
    paused_at: datetime
    reason: str


def paused_lanes(connection: Connection) -> list[PausedRow]:
    """Lanes that are paused, of whatever run."""
    rows = connection.execute(
        text(
            "SELECT provider, funding, paused_at, coalesce(reason, '') FROM lane"
            " WHERE paused_at IS NOT NULL ORDER BY 1, 2"
        )
    )
    return [PausedRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A lane that a run uses: whether it is paused, and when the run next needs it."""

    run_id: int
    provider: str
    funding: str
    paused_at: datetime | None
    reason: str | None
    send_at: datetime | None
    check_at: datetime | None


def lanes(connection: Connection, run_ids: Sequence[int]) -> list[LaneRow]:
    """Lanes of these runs."""
    rows = connection.execute(
        text(
            "SELECT b.run_id, b.provider, b.funding, l.paused_at, l.reason, min(b.send_at),"
            " min(b.check_at) FROM batch b LEFT JOIN lane l"
            " ON l.provider = b.provider AND l.funding = b.funding"
            " WHERE b.run_id = ANY(:runs) GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3"
        ),
        {"runs": list(run_ids)},
    )
    return [LaneRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One batch; `states` is items by state."""

    id: int
    provider: str
    currency: str
    due_date: date | None
    items: int
    amount_minor: int
    attempts: int
    send_at: datetime | None
    check_at: datetime | None
    states: Mapping[str, int]


def batches(
    connection: Connection, run_id: int, *, limit: int = 200, after: int = 0
) -> list[BatchRow]:
    """Batches of a run in key order, `after` a key."""
    rows = connection.execute(
        text(
            "SELECT b.id, b.provider, b.currency, b.due_date, b.items, b.amount_minor,"
            " (SELECT count(*) FROM attempt a WHERE a.batch_id = b.id), b.send_at, b.check_at,"
            " (SELECT jsonb_object_agg(c.state, c.items) FROM batch_count c"
            " WHERE c.batch_id = b.id AND c.items > 0) FROM batch b"
            " WHERE b.run_id = :run AND b.id > :after ORDER BY b.id LIMIT :limit"
        ),
        {"run": run_id, "after": after, "limit": limit},
    )
    return [BatchRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class SendRow:
    """What one provider was sent of a run in one currency."""

    provider: str
    currency: str
    batches: int
    items: int
    amount_minor: int
    attempts: int
    first_sent: datetime | None
    last_answer: datetime | None


def sends(connection: Connection, run_id: int) -> list[SendRow]:
    """Batches and attempts of a run by provider and currency."""
    rows = connection.execute(
        text(
            "SELECT b.provider, b.currency, count(*), sum(b.items)::bigint,"
            " sum(b.amount_minor)::bigint, coalesce(sum(a.attempts), 0)::bigint, min(a.first),"
            " max(a.last) FROM batch b LEFT JOIN LATERAL (SELECT count(*) AS attempts,"
            " min(opened_at) AS first, max(closed_at) AS last FROM attempt"
            " WHERE batch_id = b.id) a ON true WHERE b.run_id = :run GROUP BY 1, 2 ORDER BY 1, 2"
        ),
        {"run": run_id},
    )
    return [SendRow(*row) for row in rows]
