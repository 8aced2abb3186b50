"""Working a lane: claim, send, record, look, until nothing is due.

One coroutine per lane. Bounded senders put answers into a queue; one writer thread owns the one
connection. Each turn is one transaction: it records the answers that are there (never waiting for
more) and claims what is sent next. The order that makes a double payment impossible is: claim and
attempt are committed, only then is the request released (P4).
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

import psycopg
from sqlalchemy.exc import DBAPIError

from payouts import jobs
from payouts.core.errors import InvariantError, PayoutsError
from payouts.core.items import State
from payouts.core.outcomes import Answer
from payouts.flows.looked import Looked
from payouts.flows.record import Recorder, Submitted
from payouts.providers.client import Client, Exchange, Permit, clock
from payouts.providers.connector import Sent
from payouts.providers.strict import UnreadableError
from payouts.store import bulk, lanes, looks
from payouts.store.engine import lost, passing
from payouts.store.lanes import Claim

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from sqlalchemy import Connection

    from payouts.core.retry import RetryPolicy
    from payouts.providers.client import Timeouts
    from payouts.providers.connector import Connector, Reading
    from payouts.store.engine import Database
    from payouts.store.lanes import DueBatch, DueItem
    from payouts.store.looks import LookedItem
    from payouts.vault import Vault

__all__ = ["LaneOrder", "work_lane"]

_GROUP = 64
_STOPPING_S = 1.0
_ENDING_S = (0.05, 0.1, 0.2, 0.4, 0.0)
_AGAIN_S = (0.02, 0.1, 0.3, 1.0, 2.0, 5.0, 10.0)  # before a broken transaction is done again
_SENDABLE = (State.APPROVED, State.UNKNOWN)
_FORGOTTEN = "key_life_over"
_REMEMBERED = 64  # batches whose wire references are kept between looks
_WIRE = slice(-34, -2)  # the wire reference is the last member of every body; flows.load checks it


_Made = TypeVar("_Made")


class LaneLostError(PayoutsError):
    """The connection was lost and another worker has taken the lane; it goes on there."""

    code = "E_LANE_LOST"


@dataclass(frozen=True, slots=True)
class LaneOrder:
    """What a lane is worked with; plain values and injected parts (P27).

    Args:
        exponents: decimals by currency.
        send_by_s: an attempt's first byte leaves within this many seconds of its commit (P20).
        horizon_s: the lane stays awake when something is due within it, else a job is scheduled.
        stopping: asked before each claim; true after Ctrl-C.
        draw: a number in [0, 1) for jitter.
        reached: called at named points (a no-op; the crash journeys put failpoints there).
    """

    database: Database
    connector: Connector
    funding: str
    policy: RetryPolicy
    vault: Vault
    exponents: Callable[[str], int]
    timeouts: Timeouts
    send_by_s: float = 15.0
    horizon_s: float = 5.0
    stopping: Callable[[], bool] = lambda: False
    draw: Callable[[], float] = random.random
    reached: Callable[[str], None] = lambda _point: None


@dataclass(slots=True)
class _Turn:
    """What a turn hands to the senders.

    Args:
        begun: by `client.clock`; not later than the attempts' own time.
        due_s: seconds until something is due, where nothing was claimed; none where nothing ever is.
    """

    begun: float = field(default_factory=clock)
    claims: list[Claim] = field(default_factory=list)
    looks: list[tuple[LookedItem, str]] = field(default_factory=list)
    due_s: float | None = None


async def work_lane(order: LaneOrder) -> list[str]:
    """Work one lane until nothing is due within the horizon; returns alarms for the operator.

    Returns at once where another worker holds the lane.
    """
    with ThreadPoolExecutor(1, "payouts-writer") as pool:
        loop = asyncio.get_running_loop()
        writer = await loop.run_in_executor(pool, _Writer, order)
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
        self, order: LaneOrder, writer: _Writer, pool: ThreadPoolExecutor, client: Client
    ) -> None:
        self.order, self.writer, self.pool, self.client = order, writer, pool, client
        self.answers: asyncio.Queue[Submitted | Looked] = asyncio.Queue()
        self.gate = asyncio.Semaphore(order.connector.capabilities.concurrency)
        self.open: set[asyncio.Task[None]] = set()
        self.broken: list[BaseException] = []

    async def run(self) -> None:
        """Turn after turn; when it is ended from outside, no request is left behind."""
        try:
            await self._turns()
        finally:
            for task in self.open:
                task.cancel()
            await asyncio.gather(*self.open, return_exceptions=True)

    async def _turns(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            group = [self.answers.get_nowait() for _ in range(min(_GROUP, self.answers.qsize()))]
            turn = await loop.run_in_executor(self.pool, self.writer.turn, group, self._room())
            for claim in turn.claims:
                self._start_claim(claim, turn.begun + self.order.send_by_s)
            for item, wire in turn.looks:
                self._start(self._look(item, wire))
            if self.open or not self.answers.empty():
                await self._wait_for_answer()
            elif self.order.stopping() or turn.due_s is None or turn.due_s > self.order.horizon_s:
                if not group and await loop.run_in_executor(self.pool, self.writer.leaves):
                    return
            else:
                await asyncio.sleep(max(turn.due_s, 0.005))
            if self.broken:
                here = [self.answers.get_nowait() for _ in range(self.answers.qsize())]
                await loop.run_in_executor(self.pool, self.writer.turn, here, 0)
                raise self.broken[0]

    def _room(self) -> int:
        """Batches that may be claimed now."""
        if self.order.stopping():
            return 0
        facts = self.order.connector.capabilities
        free = facts.concurrency - len(self.open)
        return max(0, free if facts.per_request > 1 else min(free, 1))

    async def _wait_for_answer(self) -> None:
        while self.open and self.answers.empty() and not self.broken:
            await asyncio.wait(self.open, return_when=asyncio.FIRST_COMPLETED)

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
            exchange = await self.client.send(request, permit)
            self.order.reached("after_send")
        left[0] -= 1
        answer = connector.answer(exchange)
        reading, fault = None, None
        if answer in {Answer.READABLE, Answer.REJECTED}:
            sent = Sent(
                [body[_WIRE].decode() for body in bodies],
                claim.amounts[places.start : places.stop],
                claim.currency,
                self.order.exponents(claim.currency),
            )
            reading, fault = _read(lambda: connector.read(exchange, sent))
            if reading is None:
                answer = Answer.UNCLEAR
        done, asked = left[0] == 0, _asked(exchange)
        self.answers.put_nowait(
            Submitted(claim, places, exchange, answer, reading, done, asked, fault)
        )

    async def _look(self, item: LookedItem, wire: str) -> None:
        if item.ref is None:
            self.answers.put_nowait(Looked(item, Exchange(detail="no id is known"), None))
            return
        connector = self.order.connector
        async with self.gate:
            exchange = await self.client.send(connector.poll(item.ref))
        reading, fault = None, None
        if connector.answer(exchange) is Answer.READABLE:
            exponent = self.order.exponents(item.currency)
            sent = Sent([wire], [item.amount_minor], item.currency, exponent)
            reading, fault = _read(lambda: connector.read_poll(exchange, sent))
        self.answers.put_nowait(Looked(item, exchange, reading, fault))


def _read(read: Callable[[], Reading]) -> tuple[Reading | None, str | None]:
    """What a reply says; nothing where it cannot be read, for whatever reason.

    The payment may have been made whatever our reader stumbles over, so an item must never lose
    its answer by it, and its neighbours must not either (P5, P15).

    Returns:
        (reading, the name of the exception where it is a fault of ours).
    """
    try:
        return read(), None
    except UnreadableError:
        return None, None
    except Exception as error:  # noqa: BLE001  any failure to read is an unclear answer
        return None, type(error).__name__


def _asked(exchange: Exchange) -> float | None:
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


class _Writer:
    """The one connection of a lane and everything that is done with it."""

    def __init__(self, order: LaneOrder) -> None:
        self.order = order
        facts = order.connector.capabilities
        self.recorder = Recorder(
            provider=order.connector.name,
            funding=order.funding,
            policy=order.policy,
            idempotent=facts.idempotent,
            draw=order.draw,
            actor=f"worker:{order.connector.name}",
        )
        self.connection: Connection = order.database.engine.connect()
        self.worker = 0
        self.wires: dict[int, tuple[int, list[str]]] = {}

    def start(self) -> bool:
        """Take the lane, also from a worker whose lease is over; false where it is taken."""
        lane = (self.order.connector.name, self.order.funding)
        if not lanes.try_lane(self.connection, *lane) and not self._take_over():
            return False
        self.worker = lanes.register_worker(self.connection)
        return True

    def _take_over(self) -> bool:
        """End the session of a worker that froze with the lane in its hands (P20).

        It has let the lease of an attempt run out, and its fences are void from the sweep on.
        """
        lane = (self.order.connector.name, self.order.funding)
        return lanes.end_frozen(self.connection, *lane) and self._taken()

    def _taken(self) -> bool:
        """Whether the lane is ours, in a moment in which a session may just be ending."""
        for wait in _ENDING_S:
            if lanes.try_lane(self.connection, self.order.connector.name, self.order.funding):
                return True
            time.sleep(wait)
        return False

    def close(self) -> None:
        """Leave the lane: its locks go with the session, so the connection is really closed."""
        self.connection.invalidate()
        self.connection.close()

    def turn(self, group: list[Submitted | Looked], room: int) -> _Turn:
        """Record, sweep, claim: one transaction."""
        self.order.reached("before_turn")
        made = self._unbroken(lambda unit: self._turn(unit, group, room), group)
        # From here on the attempts are on disk: only now may their requests leave (P4).
        self.order.reached("after_turn")
        return made

    def _turn(self, unit: Connection, group: list[Submitted | Looked], room: int) -> _Turn:
        order, name = self.order, self.order.connector.name
        self._record(unit, group)
        self._sweep(unit)
        made = _Turn()
        if room and lanes.paused(unit, name, order.funding) is None:
            made.claims = self._claim(unit, room)
        if room:
            made.looks = self._claim_asked(unit)
        if room and not made.claims and not made.looks:
            made.looks = self._claim_polls(unit)
        if not made.claims and not made.looks:
            made.due_s = lanes.next_due(unit, name, order.funding)
        order.reached("before_commit")
        return made

    def _record(self, unit: Connection, group: list[Submitted | Looked]) -> None:
        """Record before the sweep: an answer that is here counts, however late it was read."""
        self.recorder.record(
            unit,
            [answer for answer in group if isinstance(answer, Submitted)],
            [answer for answer in group if isinstance(answer, Looked)],
        )

    def leaves(self) -> bool:
        """Whether the lane may be left; what is due later, or is left undone, gets its job."""
        return self._unbroken(self._leaves, [])

    def _leaves(self, unit: Connection) -> bool:
        order = self.order
        lane = (order.connector.name, order.funding)
        due_s = lanes.next_due(unit, *lane)
        if due_s is None:
            return True
        if due_s <= order.horizon_s and not order.stopping():
            return False
        # Who stops leaves it to others, and must not fetch the job itself while it still works.
        later = max(due_s, _STOPPING_S if order.stopping() else 0.0)
        jobs.enqueue_lanes(unit, [lane], at=lanes.now(unit) + timedelta(seconds=later))
        return True

    # -- a database that breaks off ---------------------------------------------------------------

    def _unbroken(
        self, work: Callable[[Connection], _Made], group: list[Submitted | Looked]
    ) -> _Made:
        """Do a transaction, again where the database broke it off: answers are never dropped.

        A deadlock or a lost connection undoes all of it, so it is simply done anew. A connection
        is made again under the same worker number: our attempts are still ours.
        """
        waits = iter(_AGAIN_S)
        while True:
            said = self.recorder.alarms.mark()
            try:
                if self.connection.invalidated or self.connection.closed:
                    self._reconnect(group)
                with self.connection.begin():
                    return work(self.connection)
            except (DBAPIError, psycopg.Error) as error:
                self.recorder.alarms.back_to(said)
                wait = next(waits, None)
                if wait is None or not passing(error):
                    raise
                if lost(error) and not self.connection.closed:
                    self.connection.invalidate()
                time.sleep(wait)

    def _reconnect(self, group: list[Submitted | Looked]) -> None:
        """Take the lane again; where another has it, leave our answers as evidence and end."""
        self.connection.close()
        self.connection = self.order.database.engine.connect()
        if self._taken():
            lanes.show_worker(self.connection, self.worker)
            return
        with self.connection.begin():
            self._record(self.connection, group)
        raise LaneLostError(f"another worker took the lane {self.order.connector.name}")

    def _claim_asked(self, unit: Connection) -> list[tuple[LookedItem, str]]:
        """Looks that somebody asked for; beside what is sent, so that they never starve."""
        order = self.order
        return self._with_wires(
            unit,
            looks.claim_asked(
                unit,
                order.connector.name,
                order.funding,
                waits_s=order.policy.look_waits(),
                limit=order.connector.capabilities.concurrency,
            ),
        )

    def _claim_polls(self, unit: Connection) -> list[tuple[LookedItem, str]]:
        order = self.order
        return self._with_wires(
            unit,
            looks.claim_checks(
                unit,
                order.connector.name,
                order.funding,
                waits_s=order.policy.check_waits(),
                limit=1 if order.connector.capabilities.per_request == 1 else 2,
            ),
        )

    def _with_wires(
        self, unit: Connection, looked: list[LookedItem]
    ) -> list[tuple[LookedItem, str]]:
        """The items with their wire references, which are in the sealed bytes of their batches."""
        batches = sorted({look.batch_id for look in looked})
        missing = [batch_id for batch_id in batches if batch_id not in self.wires]
        if len(self.wires) + len(missing) > _REMEMBERED:
            self.wires = {}
            missing = batches
        if missing:
            for batch_id, (ids, bodies, _) in self._opened(unit, missing).items():
                self.wires[batch_id] = ids[0], [body[_WIRE].decode() for body in bodies]
        return [(look, self._wire(look)) for look in looked]

    def _wire(self, look: LookedItem) -> str:
        lo, wires = self.wires[look.batch_id]
        return wires[look.item_id - lo]

    # -- claims -----------------------------------------------------------------------------------

    def _claim(self, unit: Connection, room: int) -> list[Claim]:
        due = lanes.due_batches(unit, self.order.connector.name, self.order.funding, limit=room)
        if not due:
            return []
        opened = self._opened(unit, [batch.batch_id for batch in due])
        split = [batch.batch_id for batch in due if batch.split]
        items = lanes.due_items(unit, split) if split else {}
        posting = bulk.next_posting(unit)
        whole = self._whole_in_key_life(unit, [b for b in due if not b.split], posting)
        claims = self._claim_whole(unit, whole, opened, posting)
        for batch in due:
            if batch.split:
                chosen = self._in_key_life(unit, batch, items.get(batch.batch_id, []), posting)
                claims += self._claim_members(unit, batch, chosen, opened, posting)
        lanes.refresh_due(
            unit,
            [batch.batch_id for batch in due],
            waits_s=self.order.policy.check_waits(),
            unclear_s=self.order.policy.unclear_max_s * self.order.policy.pace,
        )
        return claims

    def _whole_in_key_life(
        self, unit: Connection, due: list[DueBatch], posting: int
    ) -> list[DueBatch]:
        """Batches that may be sent; those whose key the provider may have forgotten go to review.

        Due or not: a worker that was away, a pause and a hold all let the time run on, and with a
        key that is forgotten a re-send is a second payment (P1, P5).
        """
        unclear = [batch for batch in due if batch.base_state == State.UNKNOWN]
        late = [batch for batch in unclear if not self._remembered(batch.tries, batch.age_s)]
        lanes.insert_batch_events(
            unit,
            posting=posting,
            actor=self.recorder.actor,
            before=State.UNKNOWN,
            after=State.REVIEW,
            clouded=True,
            batches=[(b.batch_id, b.base_seq + 1, None, None, _FORGOTTEN, None) for b in late],
        )
        self._say_forgotten(unit, sum(batch.items for batch in late))
        return [b for b in due if b.base_state in _SENDABLE and b not in late]

    def _in_key_life(
        self, unit: Connection, batch: DueBatch, due: list[DueItem], posting: int
    ) -> list[DueItem]:
        """As above, item by item."""
        unclear = [item for item in due if item.state == State.UNKNOWN]
        late = [item for item in unclear if not self._remembered(item.tries, item.age_s)]
        same = (batch.batch_id, posting, "unknown", "review", True, self.recorder.actor, _FORGOTTEN)
        columns = ("batch_id", "posting", "before", "after", "clouded", "actor", "code")
        bulk.copy_rows(
            unit,
            "item_event",
            (*columns, "item_id", "seq", "tries"),
            [(*same, item.item_id, item.seq + 1, item.tries) for item in late],
        )
        self._say_forgotten(unit, len(late))
        return [item for item in due if item not in late]

    def _remembered(self, tries: int, age_s: float) -> bool:
        return self.recorder.may_resend(tries, age_s=age_s)

    def _say_forgotten(self, unit: Connection, items: int) -> None:
        if items:
            self.recorder.alarms.tell(
                unit,
                "W_KEY_FORGOTTEN",
                f"{items} unclear payments are not sent again: {self.recorder.provider} may have"
                " forgotten their keys; they wait in review",
                severity=2,
            )

    def _opened(
        self, unit: Connection, batch_ids: list[int]
    ) -> dict[int, tuple[list[int], list[bytes], list[int]]]:
        """Per batch: item keys, bodies, amounts; what was sealed is what is sent (P23)."""
        made = {}
        for batch_id, (sealed, lo, digest, amounts) in lanes.payloads(unit, batch_ids).items():
            plain = self.order.vault.open(batch_id, sealed)
            if hashlib.sha256(plain).digest() != digest:
                raise InvariantError(f"the payload of batch {batch_id} is not what was approved")
            bodies = plain.split(b"\n")
            made[batch_id] = (list(range(lo, lo + len(bodies))), bodies, amounts)
        return made

    def _claim_whole(
        self,
        unit: Connection,
        due: list[DueBatch],
        opened: dict[int, tuple[list[int], list[bytes], list[int]]],
        posting: int,
    ) -> list[Claim]:
        rows = [
            (
                b.batch_id,
                None,
                b.items,
                self._key(opened[b.batch_id][1], b.payload_hash),
                b.payload_hash,
            )
            for b in due
        ]
        attempts = self._attempts(unit, rows)
        claims = []
        for before in _SENDABLE:
            chosen = [
                (batch, attempt)
                for batch, attempt in zip(due, attempts, strict=True)
                if batch.base_state == before
            ]
            lanes.insert_batch_events(
                unit,
                posting=posting,
                actor=self.recorder.actor,
                before=before,
                after=State.SENDING,
                clouded=before is State.UNKNOWN,
                batches=[
                    (batch.batch_id, batch.base_seq + 1, attempt[0], None, None, None)
                    for batch, attempt in chosen
                ],
            )
            for batch, attempt in chosen:
                ids, bodies, amounts = opened[batch.batch_id]
                claims.append(
                    Claim(
                        batch.batch_id,
                        *attempt,
                        key=self._key(bodies, batch.payload_hash),
                        currency=batch.currency,
                        whole=True,
                        members=ids,
                        seqs=[batch.base_seq + 1] * len(ids),
                        tries=[batch.tries + 1] * len(ids),
                        clouded=[before is State.UNKNOWN] * len(ids),
                        amounts=amounts,
                        bodies=bodies,
                    )
                )
        return claims

    def _claim_members(
        self,
        unit: Connection,
        batch: DueBatch,
        due: list[DueItem],
        opened: dict[int, tuple[list[int], list[bytes], list[int]]],
        posting: int,
    ) -> list[Claim]:
        if not due:
            return []
        _, bodies, amounts = opened[batch.batch_id]
        claims, rows = [], []
        for part in _parts(due):
            chosen = [bodies[item.item_id - batch.lo] for item in part]
            members = [item.item_id for item in part]
            digest = hashlib.sha256(b"\n".join(chosen)).digest()
            key = self._key(chosen, digest)
            (attempt,) = self._attempts(unit, [(batch.batch_id, members, len(part), key, digest)])
            claims.append(
                Claim(
                    batch.batch_id,
                    *attempt,
                    key=key,
                    currency=batch.currency,
                    whole=False,
                    members=members,
                    seqs=[item.seq + 1 for item in part],
                    tries=[item.tries + 1 for item in part],
                    clouded=[item.clouded for item in part],
                    amounts=[amounts[item - batch.lo] for item in members],
                    bodies=chosen,
                )
            )
            rows += [
                (
                    item.item_id,
                    batch.batch_id,
                    posting,
                    attempt[0],
                    item.state,
                    "sending",
                    item.seq + 1,
                    item.tries + 1,
                    item.clouded,
                    self.recorder.actor,
                )
                for item in part
            ]
        columns = (
            "item_id",
            "batch_id",
            "posting",
            "attempt_id",
            "before",
            "after",
            "seq",
            "tries",
            "clouded",
            "actor",
        )
        bulk.copy_rows(unit, "item_event", columns, rows)
        return claims

    def _attempts(
        self, unit: Connection, rows: Sequence[tuple[int, list[int] | None, int, str, bytes]]
    ) -> list[tuple[int, int]]:
        return lanes.open_attempts(
            unit,
            rows,
            worker=self.worker,
            send_by_s=self.order.send_by_s,
            lease_s=self.order.send_by_s + self.order.timeouts.overall + 30.0,
        )

    @staticmethod
    def _key(bodies: list[bytes], digest: bytes) -> str:
        """The idempotency key of a request; other items never come under the same key (P15).

        The wire reference of a single item, else the first one's and the hash of all bytes.
        """
        first = bodies[0][_WIRE].decode()
        return first if len(bodies) == 1 else f"{first}-{digest.hex()[:16]}"

    # -- after a death ------------------------------------------------------------------------------

    def _sweep(self, unit: Connection) -> None:
        """Attempts without a living worker become unclear: nobody knows what they did."""
        dead = lanes.expired_attempts(unit, self.order.connector.name, self.order.funding)
        if not dead:
            return
        batches = sorted({batch for _, batch, _, _ in dead})
        lanes.lock_batches(unit, batches)
        posting = bulk.next_posting(unit)
        lanes.unknown_after_death(
            unit,
            [attempt for attempt, _, _, _ in dead],
            posting=posting,
            actor=self.recorder.actor,
            resend_s=self.order.policy.quiet_wait() if self.recorder.idempotent else None,
            resends_max=self.order.policy.resends_max,
        )
        lanes.close_attempts(unit, [(attempt, "worker_lost", None) for attempt, _, _, _ in dead])
        lanes.refresh_due(
            unit,
            batches,
            waits_s=self.order.policy.check_waits(),
            unclear_s=self.order.policy.unclear_max_s * self.order.policy.pace,
        )


def _parts(due: list[DueItem]) -> list[list[DueItem]]:
    """Due items as attempts: unclear ones apart from fresh ones, halves where one is poison."""
    parts = []
    for clouded in (False, True):
        same = [item for item in due if item.clouded is clouded]
        size = 500
        for item in same:
            if item.code is not None and item.code.startswith("bisect:"):
                size = min(size, int(item.code.removeprefix("bisect:")))
        parts += [same[start : start + size] for start in range(0, len(same), size)]
    return parts
