"""Working a lane: claim, send, record, look, until nothing is due.

One coroutine per lane. Bounded senders put answers into a queue; one writer thread owns the one
connection. Each turn is one transaction: it records the answers that are there (never waiting for
more) and claims what is sent next. The order that makes a double payment impossible is: claim and
attempt are committed, only then is the request released (P4).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from payouts.core.outcomes import Answer, Failure
from payouts.flows.lane_claims import WIRE
from payouts.flows.lane_health import LaneHealth
from payouts.flows.lane_order import LaneLostError, LaneOrder
from payouts.flows.lane_writer import Writer
from payouts.flows.looked import Looked
from payouts.flows.submitted import Submitted
from payouts.providers.client import Client, Exchange, Permit
from payouts.providers.connector import Sent
from payouts.providers.strict import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from payouts.providers.client import Request
    from payouts.store.lanes import Claim
    from payouts.store.looks import LookedItem

__all__ = ["LaneLostError", "LaneOrder", "asked_wait", "work_lane"]

_GROUP = 64
_WAKE_MIN_S = 0.05  # between two turns in which nothing that is due could be taken
_WAKE_MAX_S = 1.0  # what came meanwhile (a batch, an asked look) waits no longer for a slow answer
_GONE = frozenset({404, 410})

_Said = TypeVar("_Said")


async def work_lane(order: LaneOrder) -> list[str]:
    """Work one lane until nothing is due within the horizon; returns alarms for the operator.

    Returns at once where another worker holds the lane.

    Raises:
        LaneLostError: another worker took the lane while the database was away.
    """
    with ThreadPoolExecutor(1, "payouts-writer") as pool:
        loop = asyncio.get_running_loop()
        writer = await loop.run_in_executor(pool, Writer, order)
        try:
            if not await loop.run_in_executor(pool, writer.start):
                return []
            connector = order.connector
            async with Client(
                connector.base_url,
                headers=connector.headers,
                connections=connector.capabilities.concurrency,
                timeouts=order.timeouts,
            ) as client:
                await _Lane(order, writer, pool, client).run()
            return writer.recorder.alarms.said
        finally:
            await loop.run_in_executor(pool, writer.close)


class _Lane:
    """The senders of a lane."""

    def __init__(
        self, order: LaneOrder, writer: Writer, pool: ThreadPoolExecutor, client: Client
    ) -> None:
        self.order, self.writer, self.pool, self.client = order, writer, pool, client
        self.answers: asyncio.Queue[Submitted | Looked] = asyncio.Queue()
        self.gate = asyncio.Semaphore(order.connector.capabilities.concurrency)
        self.open: set[asyncio.Task[None]] = set()
        self.broken: list[BaseException] = []
        self.lost = False
        self.health = LaneHealth(order.connector.name, order.policy.breaker())

    async def run(self) -> None:
        """Turn after turn; when it is ended from outside, no request is left behind."""
        try:
            await self._turns()
        except LaneLostError:
            await self._keep_the_rest()
            raise
        finally:
            for task in self.open:
                task.cancel()
            await asyncio.gather(*self.open, return_exceptions=True)

    async def _turns(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            group = self._here(_GROUP)
            health = self.health.now(loop.time(), in_flight=bool(self.open))
            turn = await loop.run_in_executor(
                self.pool, self.writer.turn, group, self._room(), health
            )
            self.health.told(health)
            for claim in turn.claims:
                self._start_claim(claim, turn.begun + self.order.send_by_s)
            for item, wire in turn.looks:
                self._start(self._look(item, wire))
            if self.open or not self.answers.empty():
                await self._wait_for_answer(turn.due_s)
            elif self.order.stopping() or turn.due_s is None or turn.due_s > self.order.horizon_s:
                if not group and await loop.run_in_executor(self.pool, self.writer.leaves):
                    return
            else:
                held = min(self.health.wait(loop.time()), _WAKE_MAX_S)
                await asyncio.sleep(max(turn.due_s, held, 0.005))
            if self.broken:
                here = self._here(self.answers.qsize())
                await loop.run_in_executor(self.pool, self.writer.turn, here, 0)
                raise self.broken[0]

    def _here(self, most: int) -> list[Submitted | Looked]:
        """Answers that are there now."""
        return [self.answers.get_nowait() for _ in range(min(most, self.answers.qsize()))]

    async def _keep_the_rest(self) -> None:
        """The lane is another's: send nothing more, but keep what the platform still answers.

        Each request ends by its own deadline; those that wait for their turn are not sent.
        """
        self.lost = True
        await asyncio.gather(*self.open, return_exceptions=True)
        here = self._here(self.answers.qsize())
        if here:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self.pool, self.writer.keep, here)

    def _room(self) -> int:
        """Batches that may be claimed now."""
        if self.order.stopping():
            return 0
        facts = self.order.connector.capabilities
        free = facts.concurrency - len(self.open)
        return max(0, free if facts.per_request > 1 else min(free, 1))

    async def _wait_for_answer(self, due_s: float | None) -> None:
        """Wait until an answer is there, or something else of the lane is due.

        A platform that takes a minute for one answer must not hold up what others could do.
        """
        loop = asyncio.get_running_loop()
        wait = _WAKE_MAX_S if due_s is None else min(max(due_s, _WAKE_MIN_S), _WAKE_MAX_S)
        end = loop.time() + wait if self._room() else None
        while self.open and self.answers.empty() and not self.broken:
            left = None if end is None else end - loop.time()
            if left is not None and left <= 0:
                return
            await asyncio.wait(self.open, timeout=left, return_when=asyncio.FIRST_COMPLETED)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self.open.add(task)
        task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        """A sender is done; one that broke ends the lane, also where it did so during a turn."""
        self.open.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.broken.append(error)

    def _start_claim(self, claim: Claim, sent_by: float) -> None:
        step = self.order.connector.capabilities.per_request
        left = [-(-len(claim.members) // step)]
        for start in range(0, len(claim.members), step):
            places = range(start, min(start + step, len(claim.members)))
            self._start(self._submit(claim, places, sent_by, left))

    async def _submit(self, claim: Claim, places: range, sent_by: float, left: list[int]) -> None:
        connector = self.order.connector
        bodies = claim.bodies[places.start : places.stop]
        request = connector.submission(bodies, claim.key)
        permit = Permit(claim.attempt_id, claim.fence, sent_by)
        async with self.gate:
            self.order.reached("before_send")
            exchange = await self._sent(request, permit)
            self.order.reached("after_send")
        self.health.heard("send", exchange, asyncio.get_running_loop().time())
        left[0] -= 1
        answer = connector.answer(exchange)
        reading, fault = None, None
        if answer in {Answer.READABLE, Answer.REJECTED}:
            sent = Sent(
                [body[WIRE].decode() for body in bodies],
                claim.amounts[places.start : places.stop],
                claim.currency,
                self.order.exponents(claim.currency),
            )
            reading, fault, _ = _read(lambda: connector.read(exchange, sent))
            if reading is None:
                answer = Answer.UNCLEAR
        done, asked = left[0] == 0, asked_wait(exchange)
        self.answers.put_nowait(
            Submitted(claim, places, exchange, answer, reading, done, asked, fault)
        )

    async def _sent(self, request: Request, permit: Permit) -> Exchange:
        if self.lost:
            return Exchange(failure=Failure.SEND_BY_PASSED, detail="the lane is another worker's")
        if self.health.of("send").room(asyncio.get_running_loop().time()) == 0:
            return Exchange(failure=Failure.NOTHING_SENT, detail="the provider is left alone")
        return await self.client.send(request, permit)

    async def _look(self, item: LookedItem, wire: str) -> None:
        """Ask what an item is now: by the provider's id, else by our reference where that goes."""
        connector = self.order.connector
        by_id = item.ref is not None
        if not by_id and not connector.capabilities.lookup_by_reference:
            self.answers.put_nowait(Looked(item, Exchange(detail="no id is known"), None))
            return
        request = connector.find(wire) if item.ref is None else connector.poll(item.ref)
        async with self.gate:
            exchange = await self.client.send(request)
        self.health.heard("look", exchange, asyncio.get_running_loop().time())
        reading, fault, absent = None, None, exchange.status in _GONE
        if connector.answer(exchange) is Answer.READABLE:
            exponent = self.order.exponents(item.currency)
            sent = Sent([wire], [item.amount_minor], item.currency, exponent)
            if by_id:
                reading, fault, _ = _read(lambda: connector.read_poll(exchange, sent))
            else:
                reading, fault, read = _read(lambda: connector.read_find(exchange, sent))
                absent = read and reading is None
        self.answers.put_nowait(Looked(item, exchange, reading, fault, absent))


def _read(read: Callable[[], _Said]) -> tuple[_Said | None, str | None, bool]:
    """What a reply says; nothing where it cannot be read, for whatever reason.

    The payment may have been made whatever our reader stumbles over, so an item must never lose
    its answer by it, and its neighbours must not either (P5, P15).

    Returns:
        (what it says, the name of the exception where that is a fault of ours, whether it was
        read).
    """
    try:
        return read(), None, True
    except UnreadableError:
        return None, None, False
    except Exception as error:  # noqa: BLE001  any failure to read is an unclear answer
        return None, type(error).__name__, False


def asked_wait(exchange: Exchange) -> float | None:
    """`Retry-After` in seconds, from seconds or a date; nothing where it is neither."""
    asked = (exchange.retry_after or "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked[:6])
    try:
        moment = parsedate_to_datetime(asked)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):  # years and offsets that no clock has
        return None
