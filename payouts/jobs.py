"""Jobs: the names of the queue's tasks, and how one is put there.

A job is enqueued on the connection of the transaction that writes the rows it is about, so there
is never a job without its rows or rows without their job. Which flow runs under a name is
`worker`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import procrastinate
from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = [
    "APPLY_INBOX",
    "LANE_QUEUE",
    "LOOK_COLLECTIONS",
    "WORK_CANCELS",
    "WORK_LANE",
    "enqueue_cancels",
    "enqueue_collections",
    "enqueue_inbox",
    "enqueue_lanes",
    "open_cancels",
    "open_collections",
    "open_inbox",
    "open_lanes",
    "overdue_lanes",
]

WORK_LANE = "payouts.work_lane"
WORK_CANCELS = "payouts.work_cancels"
APPLY_INBOX = "payouts.apply_inbox"
LOOK_COLLECTIONS = "payouts.look_collections"
LANE_QUEUE = "lanes"

_app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())


def enqueue_lanes(
    unit: Connection, lanes: Sequence[tuple[str, str]], *, at: datetime | None = None
) -> None:
    """One job per (provider, funding account), in this transaction.

    A job too many is harmless: a lane that is being worked already lets the newcomer go.
    """
    raw = unit.connection.driver_connection
    for provider, funding in lanes:
        task = _app.configure_task(
            WORK_LANE, allow_unknown=True, queue=LANE_QUEUE, schedule_at=at, connection=raw
        )
        task.defer(provider=provider, funding=funding)


def enqueue_cancels(unit: Connection, *, at: datetime | None = None) -> None:
    """A job that works the open cancel requests, in this transaction; none where one waits already.

    Nothing depends on it: a request stays open until it is worked, and each worker asks at its
    start, and now and then, whether there is one.
    """
    _enqueue_one(unit, WORK_CANCELS, at)


def enqueue_collections(unit: Connection) -> None:
    """A job that looks at the collections that are due, as `enqueue_cancels`."""
    _enqueue_one(unit, LOOK_COLLECTIONS, None)


def open_collections(unit: Connection) -> bool:
    """Whether a collection is due to be looked at."""
    due = "SELECT EXISTS (SELECT FROM collection WHERE look_at <= payouts_now())"
    return bool(unit.execute(text(due)).scalar_one())


def enqueue_inbox(unit: Connection) -> None:
    """A job that applies the webhooks that are due, as `enqueue_cancels`."""
    _enqueue_one(unit, APPLY_INBOX, None)


def _enqueue_one(unit: Connection, name: str, at: datetime | None) -> None:
    waits = unit.execute(
        text(
            "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE task_name = :task"
            " AND status = 'todo' AND coalesce(scheduled_at, '-infinity')"
            " <= coalesce(CAST(:at AS timestamptz), payouts_now()))"
        ),
        {"task": name, "at": at},
    ).scalar_one()
    if not waits:
        raw = unit.connection.driver_connection
        task = _app.configure_task(
            name, allow_unknown=True, queue=LANE_QUEUE, schedule_at=at, connection=raw
        )
        task.defer()


def open_inbox(unit: Connection) -> bool:
    """Whether a webhook is due to be applied."""
    statement = "SELECT EXISTS (SELECT FROM webhook_inbox WHERE due_at <= payouts_now())"
    return bool(unit.execute(text(statement)).scalar_one())


def open_cancels(unit: Connection) -> bool:
    """Whether a cancel request is open."""
    statement = "SELECT EXISTS (SELECT FROM cancel_request WHERE done_at IS NULL)"
    return bool(unit.execute(text(statement)).scalar_one())


def open_lanes(unit: Connection) -> list[tuple[str, str]]:
    """Lanes with anything still to be sent, looked at, or swept up after a crash."""
    rows = unit.execute(
        text(
            "SELECT DISTINCT provider, funding FROM batch b WHERE send_at IS NOT NULL"
            " OR check_at IS NOT NULL OR EXISTS (SELECT FROM attempt a WHERE a.batch_id = b.id"
            " AND a.closed_at IS NULL) OR id IN (SELECT batch_id FROM look_request) ORDER BY 1, 2"
        )
    )
    return [(provider, funding) for provider, funding in rows]


def overdue_lanes(unit: Connection, *, late_s: float) -> list[tuple[str, str]]:
    """Lanes with something that nobody did although it was due so long ago.

    A job that finds its lane taken ends at once; when the one that took it leaves (its own run is
    over, its process was killed), nobody has a job for the rest. Held runs and the sends of paused
    lanes do not count: their release enqueues the lane.
    """
    rows = unit.execute(
        text(
            "SELECT provider, funding FROM batch"
            " WHERE check_at < payouts_now() - make_interval(secs => :late)"
            " UNION SELECT b.provider, b.funding FROM batch b"
            " WHERE b.send_at < payouts_now() - make_interval(secs => :late)"
            " AND NOT EXISTS (SELECT FROM hold h WHERE h.run_id = b.run_id AND h.item_id IS NULL"
            " AND h.released_at IS NULL) AND NOT EXISTS (SELECT FROM lane l"
            " WHERE l.provider = b.provider AND l.funding = b.funding"
            " AND l.paused_at IS NOT NULL)"
            " UNION SELECT b.provider, b.funding FROM attempt a JOIN batch b ON b.id = a.batch_id"
            " WHERE a.closed_at IS NULL AND a.opened_at < payouts_now()"
            " - make_interval(secs => :late) UNION SELECT b.provider, b.funding FROM look_request r"
            " JOIN batch b ON b.id = r.batch_id WHERE r.due_at < payouts_now()"
            " - make_interval(secs => :late) ORDER BY 1, 2"
        ),
        {"late": late_s},
    )
    return [(provider, funding) for provider, funding in rows]
