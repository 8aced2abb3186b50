"""The calendar: when each pipeline runs next, and what its last slots did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from payouts.core.schedule import Cron, due, instant, slot_key
from payouts.store import slots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from payouts.core.pipeline import Pipeline
    from payouts.store.engine import Database
    from payouts.store.slots import SlotRow

__all__ = ["Calendar", "calendar", "upcoming"]

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Calendar:
    """What is known of a pipeline's schedule.

    Args:
        next_slot: the next slot, as a wall clock in its zone shows it.
        next_at: when that is due, in UTC.
        recent: the latest slots and what became of them, newest first.
    """

    pipeline: Pipeline
    next_slot: str
    next_at: datetime
    recent: tuple[SlotRow, ...]


def calendar(
    database: Database, pipelines: Mapping[str, Pipeline], *, now: datetime, recent: int = 3
) -> list[Calendar]:
    """Next and last slots of the pipelines that have a schedule, the next one first."""
    made = []
    with database.reading() as connection:
        for pipeline in pipelines.values():
            if pipeline.schedule is None:
                continue
            zone = ZoneInfo(pipeline.timezone)
            slot = upcoming(Cron.parse(pipeline.schedule), zone, now)
            rows = slots.latest(connection, pipeline.name, limit=recent)
            made.append(Calendar(pipeline, slot_key(slot), instant(slot, zone), tuple(rows)))
    return sorted(made, key=lambda one: (one.next_at, one.pipeline.name))


def upcoming(cron: Cron, zone: ZoneInfo, now: datetime) -> datetime:
    """The first slot that is due after `now`."""
    return next(due(cron, zone, since=now, until=_NEVER))
