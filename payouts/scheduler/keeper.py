"""The keeper: looks what is due, claims it, and has it run; rung by APScheduler."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import (  # type: ignore[import-untyped]  # it has no types
    AsyncIOScheduler,
)
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]  # the same

from payouts import local
from payouts.core.schedule import Cron, due, instant, slot_key, wall_time
from payouts.flows.pickup import Settling
from payouts.scheduler.calendar import upcoming
from payouts.scheduler.pickup import Day, Pickup
from payouts.scheduler.reports import Reports
from payouts.store import slots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from payouts.core.pipeline import Pipeline
    from payouts.wiring import Parts

__all__ = ["Scheduler"]

log = logging.getLogger(__name__)

_LOOK_S = 30.0
_REPORT_S = 2.0
_LATE = timedelta(minutes=2)
_MISSED_MAX = 100
_SAID_MAX = 5


class Scheduler:
    """Keeps the schedules of a project's pipelines.

    Args:
        now: the clock; an argument so that tests own it.
        said: receives a sentence for people whenever something happens; from several threads.
        settling: how long a file must be quiet before it is taken.
    """

    def __init__(
        self,
        parts: Parts,
        pipelines: Mapping[str, Pipeline],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        said: Callable[[str], None] = lambda _sentence: None,
        settling: Settling | None = None,
    ) -> None:
        self.parts, self.now, self.said = parts, now, said
        self.pipelines = {name: one for name, one in pipelines.items() if one.schedule is not None}
        self.stopped = False
        self._idle: set[str] = set()  # pipelines whose last slot had nothing to do, and said so
        self.reports = Reports(parts, folder=self._folder, said=said)
        self._pickup = Pickup(
            parts,
            folder=self._folder,
            settling=settling or Settling(),
            now=lambda: now().timestamp(),
            stopping=lambda: self.stopped,
        )

    def _folder(self) -> Path:
        return local.private_directory(self.parts.project.state / "reports")

    # -- one look --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start keeping schedules that nobody kept before, and find the runs to report on."""
        with self.parts.database.unit() as unit:
            for name in self.pipelines:
                slots.begin(unit, name, self.now())
        self.reports.find(self.pipelines)

    def look(self, name: str) -> None:
        """Run what is due of a pipeline and not claimed, and finish what somebody died over."""
        pipeline = self.pipelines[name]
        while not self.stopped and self._look_once(pipeline):
            pass
        with self.parts.database.reading() as connection:
            left = slots.unfinished(connection, name)
        for slot in left:
            if not self.stopped:
                self._run(pipeline, slot, "taken over from a scheduler that died")

    def _look_once(self, pipeline: Pipeline) -> bool:
        """Claim the latest due slot and run it; whether there was one to claim."""
        now, zone = self.now(), ZoneInfo(pipeline.timezone)
        with self.parts.database.unit() as unit:
            since = slots.begin(unit, pipeline.name, now)
            last = slots.last(unit, pipeline.name, slot_key(wall_time(now, zone)))
            if last is not None:
                since = max(since, instant(datetime.fromisoformat(last), zone))
            waiting = list(due(Cron.parse(pipeline.schedule or ""), zone, since=since, until=now))
            if not waiting:
                return False
            *missed, latest = waiting
            mine = slots.claim(unit, pipeline.name, slot_key(latest))
            keys = [slot_key(slot) for slot in missed[-_MISSED_MAX:]]
            words = f"nobody was there; {slot_key(latest)} takes its files"
            flagged = slots.miss(unit, pipeline.name, keys, words)
        if flagged:
            self._say_missed(pipeline, flagged, len(missed) - len(keys), slot_key(latest))
        if mine:
            self._run(pipeline, slot_key(latest), _late(now - instant(latest, zone)))
        return mine

    def _say_missed(
        self, pipeline: Pipeline, flagged: list[str], unlisted: int, latest: str
    ) -> None:
        more = len(flagged) - _SAID_MAX + unlisted
        shown = ", ".join(flagged[-_SAID_MAX:]) + (f" and {more:,} before" if more > 0 else "")
        self.said(f"! {pipeline.name}: missed {shown}; {latest} takes their files")

    # -- one slot --------------------------------------------------------------------------------

    def _run(self, pipeline: Pipeline, slot: str, remark: str) -> None:
        """Run a claimed slot while holding its lock; say and record what came of it."""
        with slots.held(self.parts.database, pipeline.name, slot) as mine:
            if not mine:
                return
            day = self._taken(pipeline, slot)
            detail = "; ".join(([remark] if remark else []) + day.words)
            with self.parts.database.unit() as unit:
                slots.finish(unit, pipeline.name, slot, day.state, detail)
                slots.forget_empty(unit, pipeline.name)
        self.reports.watch(day.loaded)
        news = day.state != "empty" or pipeline.name not in self._idle
        (self._idle.add if day.state == "empty" else self._idle.discard)(pipeline.name)
        if news:
            self.said(f"{'! ' if day.troubled else ''}{pipeline.name} {slot}: {detail}")

    def _taken(self, pipeline: Pipeline, slot: str) -> Day:
        """What the slot did; the schedule goes on whatever that was."""
        try:
            return self._pickup.take(pipeline, slot)
        except Exception as error:
            log.exception("slot_broke pipeline=%s slot=%s", pipeline.name, slot)
            day = Day()
            first = str(error).partition("\n")[0]
            day.trouble(f"broke: {type(error).__name__}: {first}")
            return day

    # -- all of it -------------------------------------------------------------------------------

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep the schedules until `stopping` is set; a slot that is being run is finished first.

        Raises:
            Exception: the database went away, or a bug of ours.
        """
        await asyncio.to_thread(self.begin)
        bells = {name: asyncio.Event() for name in self.pipelines}
        clock = AsyncIOScheduler(timezone=UTC)
        for name, bell in bells.items():
            trigger = _SlotTrigger(self.pipelines[name], self.now)
            clock.add_job(_ring, trigger, [bell], misfire_grace_time=None, coalesce=True)
        clock.start()
        keepers = [self._keep(name, bell, stopping) for name, bell in bells.items()]
        tasks = [asyncio.create_task(one) for one in (*keepers, self._report(stopping))]
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.stopped = True
            stopping.set()
            stop.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            clock.shutdown(wait=False)
            await asyncio.sleep(0)  # its shutdown is a callback of this loop
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _keep(self, name: str, bell: asyncio.Event, stopping: asyncio.Event) -> None:
        """Look at once, whenever the bell rings, and every half a minute.

        A clock that was set, a laptop that slept and another scheduler that died ring no bell.
        """
        while not stopping.is_set():
            bell.clear()
            await asyncio.to_thread(self.look, name)
            await _first_of(bell, stopping, wait_s=_LOOK_S)

    async def _report(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await asyncio.to_thread(self.reports.write)
            await _first_of(stopping, wait_s=_REPORT_S)
        await asyncio.to_thread(self.reports.write)


class _SlotTrigger(BaseTrigger):  # type: ignore[misc]  # it has no types
    """Rings whenever a slot of a pipeline is due by `clock`."""

    def __init__(self, pipeline: Pipeline, clock: Callable[[], datetime]) -> None:
        self.cron, self.zone = Cron.parse(pipeline.schedule or ""), ZoneInfo(pipeline.timezone)
        self.clock = clock

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """When the next slot is due; `now` is what APScheduler reads from the machine's clock."""
        ours = self.clock()
        return now + (instant(upcoming(self.cron, self.zone, ours), self.zone) - ours)


async def _ring(bell: asyncio.Event) -> None:
    bell.set()


async def _first_of(*events: asyncio.Event, wait_s: float) -> None:
    """Wait until one of these is set, for a while."""
    tasks = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(tasks, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _late(late: timedelta) -> str:
    """How late a slot is run, where that is worth a word.

    >>> _late(timedelta(seconds=20)), _late(timedelta(hours=30, minutes=5))
    ('', 'caught up 1 day, 6:05 h late')
    """
    if late < _LATE:
        return ""
    return f"caught up {str(late).rpartition(':')[0]} h late"
