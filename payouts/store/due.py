"""What of a lane is due: batches to be sent, or items of a batch that are worked one by one.

Held is what a hold covers, by its run or by itself; what somebody asked to be cancelled is not sent
(P14). An item's due time is its event's; a batch keeps the earliest in `send_at` and `check_at`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

from payouts.store.cancels import COVERED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

__all__ = [
    "DueBatch",
    "DueItem",
    "cancelling",
    "due_batches",
    "due_items",
    "next_due",
    "refresh_due",
]

_RETRIED = (
    "(n.state = 'approved' AND n.tries > 0 AND b.retried_at > coalesce(n.at, (SELECT x.at"
    " FROM batch_event x WHERE x.batch_id = b.id AND x.seq = b.base_seq)))"
)
"""A person asked that this item, proven not executed, be tried at once (`retry_now`)."""

_HELD_INSIDE = (
    "EXISTS (SELECT FROM hold h WHERE h.run_id = b.run_id AND h.item_id BETWEEN b.lo AND b.hi"
    " AND h.released_at IS NULL)"
)
"""An item of the batch is held by itself."""

_CANCELLED_INSIDE = (
    "EXISTS (SELECT FROM cancel_request k WHERE k.run_id = b.run_id"
    " AND k.item_id BETWEEN b.lo AND b.hi AND k.done_at IS NULL)"
)
"""Somebody asked that an item of the batch be cancelled."""

_CANCELLED_WHOLE = (
    "EXISTS (SELECT FROM cancel_request k WHERE k.run_id = b.run_id AND k.item_id IS NULL"
    " AND k.done_at IS NULL)"
)
"""Somebody asked that the whole run be cancelled."""

_APART = f"({_HELD_INSIDE} OR {_CANCELLED_INSIDE})"
"""An item of the batch stays while the others go: they are worked item by item."""

_FREE = (
    "NOT EXISTS (SELECT FROM hold h WHERE h.run_id = n.run_id AND h.item_id = n.id"
    f" AND h.released_at IS NULL) AND NOT {COVERED}"
)
"""Neither is the item held by itself, nor is it asked to be cancelled."""

_NOT_FOUND = (
    " AND (n.state <> 'unknown' OR EXISTS (SELECT FROM look_request r WHERE r.item_id = n.id"
    " AND r.missing >= 2))"
)
"""The provider was asked by our reference for what is unclear, twice, and has not got it (P5)."""


@dataclass(frozen=True, slots=True)
class DueBatch:
    """A locked batch with something due to be sent.

    Args:
        split: its items go one by one: they have events of their own, or one of them is held.
        age_s: of an unclear batch, the seconds since its key was first used; else 0.
        put_offs: sends that were proven not executed, since the provider wanted them later.
        resends: sends under the same key after an unclear answer.
        fingerprint: of the account of ours that the last attempt was made with.
    """

    batch_id: int
    lo: int
    hi: int
    currency: str
    items: int
    payload_hash: bytes
    base_state: str
    base_seq: int
    base_clouded: bool
    split: bool
    tries: int
    age_s: float
    put_offs: int
    resends: int
    fingerprint: str | None


class DueItem(NamedTuple):
    """A due item of a split batch.

    Args:
        tries: sends so far.
        age_s: of an unclear item, the seconds since its key was first used; else 0.
        put_offs: as of `DueBatch`, and `resends` and `fingerprint` too.
    """

    item_id: int
    state: str
    seq: int
    clouded: bool
    tries: int
    code: str | None
    age_s: float
    put_offs: int
    resends: int
    fingerprint: str | None


def due_batches(
    connection: Connection,
    provider: str,
    funding: str,
    *,
    limit: int,
    by_reference: bool = False,
) -> list[DueBatch]:
    """Lock up to `limit` batches of a lane with something due that no hold covers.

    Args:
        by_reference: the provider finds payments by our reference, so that unclear items are sent
            again one by one, each when it was not found.
    """
    rows = connection.execute(
        text(
            "SELECT b.id, b.lo, b.hi, b.currency, b.items, b.payload_hash, b.base_state,"  # noqa: S608  our own constant
            " b.base_seq, b.base_clouded, b.split OR (:by_reference AND b.base_state = 'unknown') OR "
            + _APART
            + ", b.tries,"
            " CASE WHEN NOT b.base_clouded THEN 0 ELSE extract(epoch FROM payouts_now()"
            " - (SELECT max(e.at) FROM batch_event e WHERE e.batch_id = b.id"
            " AND e.before = 'approved')) END::float8, coalesce(x.put_offs, 0),"
            " coalesce(x.resends, 0), (SELECT a.account_fingerprint FROM attempt a"
            " WHERE a.batch_id = b.id AND a.members IS NULL ORDER BY a.number DESC LIMIT 1)"
            " FROM batch b LEFT JOIN batch_event x ON x.batch_id = b.id AND x.seq = b.base_seq"
            " WHERE b.provider = :provider AND b.funding = :funding AND b.send_at <= payouts_now()"
            " AND NOT EXISTS (SELECT FROM hold h WHERE h.run_id = b.run_id"
            " AND h.item_id IS NULL AND h.released_at IS NULL) AND NOT "
            + _CANCELLED_WHOLE
            + " ORDER BY b.id LIMIT :limit FOR UPDATE OF b SKIP LOCKED"
        ),
        {
            "provider": provider,
            "funding": funding,
            "limit": limit,
            "by_reference": by_reference,
        },
    )
    return _without_cancelled(connection, [DueBatch(*row) for row in rows])


def _without_cancelled(connection: Connection, due: list[DueBatch]) -> list[DueBatch]:
    """The same batches as their cancel requests are now that they are locked (P14).

    A request is written under the batch lock. One that was committed while we waited for the lock
    is not in what the locking statement read, so it is read again.
    """
    if not due:
        return []
    rows = connection.execute(
        text(
            "SELECT b.id, "  # noqa: S608  our own constants
            + _CANCELLED_WHOLE
            + ", "
            + _APART
            + " FROM batch b WHERE b.id = ANY(:ids)"
        ),
        {"ids": [batch.batch_id for batch in due]},
    )
    now = {batch_id: (whole, apart) for batch_id, whole, apart in rows}
    return [
        replace(batch, split=batch.split or now[batch.batch_id][1])
        for batch in due
        if not now[batch.batch_id][0]
    ]


def due_items(
    connection: Connection, batch_ids: Sequence[int], *, by_reference: bool = False
) -> dict[int, list[DueItem]]:
    """Due items of split batches that no hold covers, by batch and in key order.

    Args:
        by_reference: an unclear item is due only when it was looked for and not found, twice.
    """
    rows = connection.execute(
        text(
            "SELECT n.batch_id, n.id, n.state, n.seq, n.clouded, n.tries, n.code,"  # noqa: S608  our own constant
            " CASE WHEN NOT n.clouded THEN 0 ELSE extract(epoch FROM payouts_now()"
            " - (SELECT max(l.at) FROM item_life l WHERE l.item_id = n.id"
            " AND l.before = 'approved')) END::float8, n.put_offs, n.resends,"
            " (SELECT a.account_fingerprint FROM attempt a WHERE a.batch_id = n.batch_id"
            " AND (a.members IS NULL OR n.id = ANY(a.members)) ORDER BY a.number DESC LIMIT 1)"
            " FROM item_now n"
            " JOIN batch b ON b.id = n.batch_id"
            " WHERE n.batch_id = ANY(:ids) AND n.state IN ('approved', 'unknown')"
            " AND (n.due_at <= payouts_now() OR "
            + _RETRIED
            + ") AND "
            + _FREE
            + (_NOT_FOUND if by_reference else "")
            + " ORDER BY n.batch_id, n.id"
        ),
        {"ids": list(batch_ids)},
    )
    found: dict[int, list[DueItem]] = {}
    for batch_id, *item in rows:
        found.setdefault(batch_id, []).append(DueItem(*item))
    return found


def cancelling(connection: Connection, item_ids: Sequence[int]) -> set[int]:
    """Those of the items that somebody asked to be cancelled."""
    rows = connection.execute(
        text("SELECT n.id FROM item_now n WHERE n.id = ANY(:ids) AND " + COVERED),  # noqa: S608  our own constant
        {"ids": list(item_ids)},
    )
    return {int(row[0]) for row in rows}


def refresh_due(
    connection: Connection,
    batch_ids: Sequence[int],
    *,
    waits_s: Sequence[float],
    unclear_s: float,
    by_reference: bool = False,
) -> None:
    """Set when the touched batches are next due to be sent and to be looked at.

    Args:
        by_reference: an unclear item is due only when it was looked for and not found, twice.
    """
    if not batch_ids:
        return
    connection.execute(
        text(
            "UPDATE batch b SET"  # noqa: S608  our own constant
            " send_at = CASE WHEN c.sendable = 0 OR "
            + _CANCELLED_WHOLE
            + " THEN NULL WHEN NOT b.split AND NOT (:by_reference AND b.base_state = 'unknown')"
            " AND NOT " + _APART + " THEN"
            " (SELECT e.due_at FROM batch_event e WHERE e.batch_id = b.id AND e.seq = b.base_seq)"
            " ELSE (SELECT min(CASE WHEN "
            + _RETRIED
            + " THEN b.retried_at ELSE n.due_at END) FROM item_now n WHERE n.batch_id = b.id"
            " AND n.state IN ('approved', 'unknown') AND "
            + _FREE
            + (_NOT_FOUND if by_reference else "")
            + ") END,"
            " check_at = CASE WHEN c.processing > 0 THEN least(b.check_at,"
            " payouts_now() + make_interval(secs => (CAST(:waits AS float8[]))"
            "[least(b.checks + 1, cardinality(:waits))]))"
            # An unclear item whose payment's id is known can be asked for at once.
            " WHEN c.unknown > 0 THEN least(b.check_at, payouts_now() + make_interval(secs =>"
            " CASE WHEN EXISTS (SELECT FROM item_now n JOIN provider_payment p"
            " ON p.item_id = n.id AND p.provider = n.provider WHERE n.batch_id = b.id"
            " AND n.state = 'unknown') THEN (CAST(:waits AS float8[]))"
            "[least(b.checks + 1, cardinality(:waits))] ELSE :unclear END)) END"
            " FROM (SELECT batch_id,"
            " sum(items) FILTER (WHERE state IN ('approved', 'unknown')) AS sendable,"
            " sum(items) FILTER (WHERE state = 'processing') AS processing,"
            " sum(items) FILTER (WHERE state = 'unknown') AS unknown"
            " FROM batch_count WHERE batch_id = ANY(:ids) GROUP BY 1) c WHERE b.id = c.batch_id"
        ),
        {
            "ids": list(batch_ids),
            "waits": list(waits_s),
            "unclear": unclear_s,
            "by_reference": by_reference,
        },
    )


def next_due(connection: Connection, provider: str, funding: str) -> float | None:
    """Seconds until the lane has something to do (may be negative); none where it never has.

    Held runs do not count: their release enqueues the lane again.
    """
    value = connection.execute(
        text(
            "SELECT extract(epoch FROM min(at) - payouts_now())::float8 FROM ("  # noqa: S608  our own constant
            " (SELECT send_at AS at FROM batch b WHERE provider = :provider"
            " AND funding = :funding AND send_at IS NOT NULL AND NOT EXISTS (SELECT FROM hold h"
            " WHERE h.run_id = b.run_id AND h.item_id IS NULL AND h.released_at IS NULL)"
            " AND NOT "
            + _CANCELLED_WHOLE
            + " AND NOT EXISTS (SELECT FROM lane l WHERE l.provider = :provider"
            " AND l.funding = :funding AND l.paused_at IS NOT NULL) ORDER BY send_at LIMIT 1)"
            " UNION ALL (SELECT check_at FROM batch WHERE provider = :provider"
            " AND funding = :funding AND check_at IS NOT NULL ORDER BY check_at LIMIT 1)"
            " UNION ALL (SELECT r.due_at FROM look_request r JOIN batch b ON b.id = r.batch_id"
            " WHERE b.provider = :provider AND b.funding = :funding ORDER BY r.due_at LIMIT 1)"
            ") due"
        ),
        {"provider": provider, "funding": funding},
    ).scalar()
    return None if value is None else float(value)
