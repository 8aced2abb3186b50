"""What an item waits for, and who said what about it: for people who ask why nothing happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

from payouts.store import cancels, generation, resolutions

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from payouts.store.cancels import CancelRow
    from payouts.store.generation import OpenRestoration
    from payouts.store.resolutions import Proposal

__all__ = ["Awaited", "awaited"]


class Awaited(NamedTuple):
    """What is known beside an item's own row.

    Args:
        key_used_at: when its key was first used for what is unclear now.
        look_due_at: when it is looked at, since somebody asked.
        look_reason: why they asked: `webhook`, `cancel` …
        attempt_until: an attempt may be on the wire until then.
        cancels: requests that it is not paid, the newest first.
        proposals: what a first person proposed about it.
        restored: its platform was used before a restored backup, and nobody confirmed.
    """

    key_used_at: datetime | None = None
    look_due_at: datetime | None = None
    look_reason: str | None = None
    attempt_until: datetime | None = None
    cancels: tuple[CancelRow, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    restored: tuple[OpenRestoration, ...] = ()

    @property
    def cancelling(self) -> CancelRow | None:
        """The open request that it is not paid."""
        return next((one for one in self.cancels if one.done_at is None), None)


def awaited(connection: Connection, item_id: int) -> Awaited:
    """Read it for one item."""
    row = connection.execute(
        text(
            "SELECT b.run_id, b.provider, (SELECT max(l.at) FROM item_life l"
            " WHERE l.item_id = i.id AND l.before = 'approved'), r.due_at, r.reason,"
            " (SELECT max(a.lease_until) FROM attempt a WHERE a.batch_id = b.id"
            " AND (a.members IS NULL OR i.id = ANY(a.members)) AND (a.closed_at IS NULL"
            " OR (a.outcome = 'worker_lost' AND a.lease_until > payouts_now())))"
            " FROM item i JOIN batch b ON b.id = i.batch_id"
            " LEFT JOIN look_request r ON r.item_id = i.id WHERE i.id = :item"
        ),
        {"item": item_id},
    ).one_or_none()
    if row is None:
        return Awaited()
    run_id, provider, used, due, reason, until = row
    return Awaited(
        used,
        due,
        reason,
        until,
        tuple(cancels.of_item(connection, run_id, item_id)),
        tuple(resolutions.of_item(connection, item_id)),
        tuple(generation.open_restorations(connection, provider)),
    )
