"""The worker: runs the queue's jobs. Under each task name it registers one call of a flow."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import procrastinate
import psycopg
from sqlalchemy.exc import DBAPIError

from payouts import jobs
from payouts.flows import inbox
from payouts.flows.cancel import work_cancels
from payouts.flows.closing import close_ended
from payouts.flows.collect import look_due
from payouts.flows.lane import work_lane
from payouts.store.engine import passing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

    from payouts.wiring import Parts

__all__ = ["work"]

_NUDGE_S = 5.0
_OUTAGE_S = 20.0
_LATE_S = 2.0
"""What is due so long and still not done has no job: whoever worked its lane has left."""

log = logging.getLogger(__name__)


async def work(
    parts: Parts,
    *,
    finished: Callable[[], bool] = lambda: False,
    stopping: Callable[[], bool] = lambda: False,
    poll_s: float = 0.5,
    said: Callable[[str], None] = lambda _alarm: None,
    broken: Callable[[tuple[str, str], Exception], None] = lambda _lane, _error: None,
) -> None:
    """Run jobs until `finished` (asked every `poll_s` seconds) or `stopping` says so.

    Args:
        finished: the work that is waited for is over (a foreground run).
        stopping: a person asked to stop; what is in flight is finished first.
        said: receives alarms.
        broken: told which lane ended by which exception; its job is failed and not repeated.
    """
    connector = procrastinate.PsycopgConnector(conninfo=parts.database.conninfo(), max_size=4)
    app = procrastinate.App(connector=connector)

    over = asyncio.Event()

    def leaving() -> bool:
        return over.is_set() or stopping()

    @app.task(
        name=jobs.WORK_LANE,
        queue=jobs.LANE_QUEUE,
        retry=procrastinate.RetryStrategy(max_attempts=20, wait=1, linear_wait=2),
    )
    async def lane(provider: str, funding: str) -> None:
        try:
            await asyncio.to_thread(parts.keeper.before_sending)
            for alarm in await work_lane(parts.lane_order(provider, funding, stopping=leaving)):
                said(alarm)
        except Exception as error:
            broken((provider, funding), error)
            raise

    @app.task(name=jobs.WORK_CANCELS, queue=jobs.LANE_QUEUE)
    async def cancels() -> None:
        await work_cancels(parts.cancel_order(stopping=leaving))

    _apply_webhooks(app, parts, said, leaving)
    _look_at_collections(app, parts, leaving)

    async with app.open_async():
        await _forget_stalled(app)
        with parts.database.unit() as unit:
            _wake(unit, jobs.open_lanes(unit))
        running = asyncio.ensure_future(
            app.run_worker_async(
                queues=[jobs.LANE_QUEUE],
                concurrency=8,
                install_signal_handlers=False,
                fetch_job_polling_interval=1.0,
                delete_jobs="successful",
                shutdown_graceful_timeout=120.0,
            )
        )
        outage = _Outage()
        try:
            nudged = time.monotonic()
            while not running.done() and not stopping():
                with outage.ridden_out():
                    if finished():
                        break
                    if time.monotonic() - nudged > _NUDGE_S:
                        nudged = time.monotonic()
                        with parts.database.unit() as unit:
                            _wake(unit, jobs.overdue_lanes(unit, late_s=_LATE_S))
                        await asyncio.to_thread(parts.keeper.while_sending)
                        # The sums of a large run take seconds, and the lanes share this loop.
                        await asyncio.to_thread(close_ended, parts.database)
                await asyncio.wait({running}, timeout=poll_s)
            if running.done():
                running.result()  # nobody else hears of the worker's own end
        finally:
            # Lanes claim nothing more and finish what is in flight; then the worker itself ends.
            over.set()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _apply_webhooks(
    app: procrastinate.App,
    parts: Parts,
    said: Callable[[str], None],
    leaving: Callable[[], bool],
) -> None:
    """Register what takes webhooks out of the inbox; it is blocking, so it has a thread."""

    @app.task(
        name=jobs.APPLY_INBOX,
        queue=jobs.LANE_QUEUE,
        retry=procrastinate.RetryStrategy(max_attempts=20, wait=1, linear_wait=2),
    )
    async def apply_inbox() -> None:
        for alarm in await asyncio.to_thread(inbox.apply, parts.inbox_order(stopping=leaving)):
            said(alarm)


def _look_at_collections(
    app: procrastinate.App, parts: Parts, stopping: Callable[[], bool]
) -> None:
    """Register the task that looks at the collections that are due."""

    @app.task(name=jobs.LOOK_COLLECTIONS, queue=jobs.LANE_QUEUE)
    async def look_collections() -> None:
        if parts.orchestrate is not None:
            order = parts.collect_order()
            await asyncio.to_thread(look_due, order, actor="worker:orchestrate", stopping=stopping)


def _wake(unit: Connection, lanes: Sequence[tuple[str, str]]) -> None:
    """Enqueue these lanes, open cancel requests, and the webhooks and collections that are due."""
    jobs.enqueue_lanes(unit, lanes)
    if jobs.open_cancels(unit):
        jobs.enqueue_cancels(unit)
    if jobs.open_collections(unit):
        jobs.enqueue_collections(unit)
    if jobs.open_inbox(unit):
        jobs.enqueue_inbox(unit)


class _Outage:
    """How long the database has been away; lanes ride it out, and so do those who look on."""

    def __init__(self) -> None:
        self._since: float | None = None

    @contextmanager
    def ridden_out(self) -> Iterator[None]:
        """Let a lost connection pass, unless it lasts."""
        try:
            yield
        except (DBAPIError, psycopg.Error) as error:
            now = time.monotonic()
            self._since = self._since or now
            if not passing(error) or now - self._since > _OUTAGE_S:
                raise
        else:
            self._since = None


async def _forget_stalled(app: procrastinate.App) -> None:
    """Jobs of workers that died: the lanes are enqueued anew, so the old rows are just closed."""
    for job in await app.job_manager.get_stalled_jobs():
        await app.job_manager.finish_job(
            job, status=procrastinate.jobs.Status.FAILED, delete_job=True
        )
