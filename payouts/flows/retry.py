"""Retry: a person asks that what waits be tried now, after the cause of the waiting is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from payouts import jobs
from payouts.store import control, lanes, runs

if TYPE_CHECKING:
    from payouts.store.engine import Database

__all__ = ["Retried", "retry_run"]


@dataclass(frozen=True, slots=True)
class Retried:
    """What a retry changed.

    Args:
        items: due now, in so many `batches`.
        resumed: lanes (provider, funding account) that were paused.
        kept: lanes that a person paused, or a restored backup: only `payouts resume` ends that.
    """

    batches: int
    items: int
    resumed: tuple[tuple[str, str], ...]
    kept: tuple[tuple[str, str], ...] = ()


def retry_run(database: Database, run_id: int) -> Retried:
    """Make due what was proven not executed and waits; resume the run's paused lanes.

    What is unclear is left alone: only evidence decides it (P5).
    """
    with database.unit() as unit:
        used = runs.lanes(unit, run_id)
        paused = tuple(lane for lane in used if lanes.paused(unit, *lane) is not None)
        kept = tuple(lane for lane in paused if control.stays_paused(unit, *lane))
        resumed = tuple(lane for lane in paused if lane not in kept)
        for lane in resumed:
            lanes.resume(unit, *lane)
        batches, items = lanes.retry_now(unit, run_id)
        if resumed or items:
            jobs.enqueue_lanes(unit, used)
    return Retried(batches, items, resumed, kept)
