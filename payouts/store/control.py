"""What people say of runs, items and lanes: holds, pauses, and the log of who said what, and why.

A lane is a provider and a funding account; `EVERY` in place of the account stands for all lanes of
the provider, also for those to come: a new lane is paused with its first batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import text

from payouts.store import lanes

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = [
    "BY_PERSON",
    "EVERY",
    "ActionRow",
    "PausedLane",
    "actions",
    "hold",
    "lanes_of",
    "note",
    "pause",
    "paused_lanes",
    "release",
    "resume",
    "stays_paused",
]

EVERY: Final = "*"
"""All lanes of a provider."""

BY_PERSON: Final = "person"
"""The reason of a hold that a person opened; its detail is what the person said."""


class ActionRow(NamedTuple):
    """Something a person did."""

    action: str
    subject: str
    reason: str
    actor: str
    at: datetime


class PausedLane(NamedTuple):
    """A paused lane.

    Args:
        by: the person who paused it; none where an answer of the platform did.
    """

    provider: str
    funding: str
    at: datetime
    reason: str
    by: str | None


def note(unit: Connection, action: str, subject: str, *, reason: str, actor: str) -> None:
    """Keep who did what, and why."""
    unit.execute(
        text(
            "INSERT INTO control_action (action, subject, reason, actor)"
            " VALUES (:action, :subject, :reason, :actor)"
        ),
        {"action": action, "subject": subject, "reason": reason, "actor": actor},
    )


def actions(connection: Connection, subject: str, *, limit: int = 20) -> list[ActionRow]:
    """What people did to a subject, the newest first."""
    rows = connection.execute(
        text(
            "SELECT action, subject, reason, actor, at FROM control_action"
            " WHERE subject = :subject ORDER BY id DESC LIMIT :limit"
        ),
        {"subject": subject, "limit": limit},
    )
    return [ActionRow(*row) for row in rows]


# -- holds ----------------------------------------------------------------------------------------------


def hold(unit: Connection, run_id: int, item_id: int | None, *, reason: str, actor: str) -> bool:
    """Hold a run or an item in a person's name; false where the person's hold is open already.

    The batches are locked. They are never due at once: a claim that read them a moment ago looks
    at them again once it has the lock, and must not find them due, so that it sees the hold.
    """
    values = {"run": run_id, "item": item_id, "reason": BY_PERSON}
    there = unit.execute(
        text(
            "SELECT EXISTS (SELECT FROM hold WHERE run_id = :run AND reason = :reason"
            " AND item_id IS NOT DISTINCT FROM :item AND released_at IS NULL)"
        ),
        values,
    ).scalar_one()
    if there:
        return False
    unit.execute(
        text(
            "INSERT INTO hold (run_id, item_id, reason, detail, opened_by)"
            " VALUES (:run, :item, :reason, :detail, :actor)"
        ),
        {**values, "detail": reason, "actor": actor},
    )
    unit.execute(
        text(
            "UPDATE batch SET send_at = greatest(send_at, payouts_now() + interval '0.25 s')"
            " WHERE run_id = :run AND send_at IS NOT NULL"
            " AND (CAST(:item AS bigint) IS NULL OR :item BETWEEN lo AND hi)"
        ),
        values,
    )
    return True


def release(unit: Connection, run_id: int, item_id: int | None, *, actor: str) -> int:
    """End the holds that people opened on a run or an item; returns how many there were."""
    ended = unit.execute(
        text(
            "UPDATE hold SET released_at = payouts_now(), released_by = :actor"
            " WHERE run_id = :run AND reason = :reason AND released_at IS NULL"
            " AND item_id IS NOT DISTINCT FROM :item"
        ),
        {"run": run_id, "item": item_id, "reason": BY_PERSON, "actor": actor},
    )
    return ended.rowcount


# -- lanes ----------------------------------------------------------------------------------------------


def lanes_of(connection: Connection, provider: str) -> list[str]:
    """Funding accounts of the lanes that a provider has, with `EVERY` where it is paused."""
    rows = connection.execute(
        text(
            "SELECT funding FROM batch WHERE provider = :provider"
            " UNION SELECT funding FROM lane WHERE provider = :provider ORDER BY 1"
        ),
        {"provider": provider},
    )
    return list(rows.scalars())


def pause(
    unit: Connection, provider: str, funding: str, *, reason: str, actor: str | None
) -> list[str]:
    """Pause a lane, or with `EVERY` all of a provider; returns the accounts that are paused.

    Which reason a lane that was paused already says from now on is `lanes.pause`'s.

    Args:
        actor: the person; none for a reason of the program's own.
    """
    chosen = {funding} if funding != EVERY else {EVERY, *lanes_of(unit, provider)}
    for one in sorted(chosen):
        lanes.pause(unit, provider, one, reason, actor=actor)
    return sorted(chosen)


def resume(
    unit: Connection, provider: str, funding: str, *, reason: str | None = None
) -> list[str]:
    """Resume a lane, or with `EVERY` all of a provider; returns the accounts that were paused.

    Args:
        reason: only lanes that are paused for it; none for all.
    """
    rows = unit.execute(
        text(
            "UPDATE lane SET paused_at = NULL, reason = NULL, paused_by = NULL"
            " WHERE provider = :provider AND paused_at IS NOT NULL"
            " AND (funding = :funding OR :funding = :every)"
            " AND (CAST(:reason AS text) IS NULL OR reason = :reason) RETURNING funding"
        ),
        {"provider": provider, "funding": funding, "every": EVERY, "reason": reason},
    )
    return sorted(rows.scalars())


def paused_lanes(connection: Connection) -> list[PausedLane]:
    """All paused lanes; `EVERY` stands for those to come."""
    rows = connection.execute(
        text(
            "SELECT provider, funding, paused_at, coalesce(reason, ''), paused_by FROM lane"
            " WHERE paused_at IS NOT NULL ORDER BY 1, 2"
        )
    )
    return [PausedLane(*row) for row in rows]


def stays_paused(connection: Connection, provider: str, funding: str) -> bool:
    """Whether only people resume a lane: one of them paused it, or a backup was restored."""
    return bool(
        connection.execute(
            text(
                "SELECT EXISTS (SELECT FROM lane WHERE provider = :provider"
                " AND funding = :funding AND paused_at IS NOT NULL AND paused_by IS NOT NULL)"
                " OR EXISTS (SELECT FROM restoration_blocks WHERE provider = :provider)"
            ),
            {"provider": provider, "funding": funding},
        ).scalar_one()
    )
