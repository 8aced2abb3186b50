"""The writer of a lane: the one connection, and one transaction per turn.

A turn records the answers that are there, sweeps up what dead workers left, and claims what is sent
next. Where the database breaks a transaction off it is done again, so that no answer is dropped.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import psycopg
from sqlalchemy.exc import DBAPIError

from payouts import jobs
from payouts.core.errors import VaultAwayError
from payouts.flows.lane_claims import Claimer
from payouts.flows.lane_order import LaneLostError
from payouts.flows.looked import Looked
from payouts.flows.record import Recorder, Submitted
from payouts.providers.client import clock
from payouts.store import bulk, lanes
from payouts.store.engine import lost, passing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from payouts.flows.lane_order import LaneOrder
    from payouts.store.lanes import Claim
    from payouts.store.looks import LookedItem

__all__ = ["Health", "Turn", "Writer"]

_STOPPING_S = 1.0
_ENDING_S = (0.05, 0.1, 0.2, 0.4, 0.0)
_AGAIN_S = (0.02, 0.1, 0.3, 1.0, 2.0, 5.0, 10.0)  # before a broken transaction is done again

_Made = TypeVar("_Made")


@dataclass(slots=True)
class Turn:
    """What a turn hands to the senders.

    Args:
        begun: by `client.clock`; not later than the attempts' own time.
        due_s: seconds until something is due that was not claimed now; none where nothing ever is,
            and where there was no room for it.
    """

    begun: float = field(default_factory=clock)
    claims: list[Claim] = field(default_factory=list)
    looks: list[tuple[LookedItem, str]] = field(default_factory=list)
    due_s: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How the provider is doing, as far as a turn has to know.

    Args:
        sends: items that may be sent at once; 0 none, and none: no limit.
        looks: whether it may be asked.
        news: sentences about it that nobody has heard yet.
    """

    sends: int | None = None
    looks: bool = True
    news: tuple[str, ...] = ()


class Writer:
    """The one connection of a lane and everything that is done with it."""

    def __init__(self, order: LaneOrder) -> None:
        self.order = order
        self.recorder = Recorder(
            provider=order.connector.name,
            funding=order.funding,
            policy=order.policy,
            facts=order.connector.capabilities,
            draw=order.draw,
            actor=f"worker:{order.connector.name}",
        )
        self.claimer = Claimer(order, self.recorder)
        self.connection: Connection = order.database.engine.connect()
        self.worker = 0

    def start(self) -> bool:
        """Take the lane, also from a worker whose lease is over; false where it is taken."""
        lane = (self.order.connector.name, self.order.funding)
        if not lanes.try_lane(self.connection, *lane) and not self._take_over():
            return False
        self.worker = self.claimer.worker = lanes.register_worker(self.connection)
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

    def turn(
        self, group: Sequence[Submitted | Looked], room: int, health: Health | None = None
    ) -> Turn:
        """Record, sweep, claim: one transaction.

        Args:
            room: requests that may be made now.
            health: what the provider is let alone with; none: nothing.
        """
        self.order.reached("before_turn")
        health = health or Health()
        made = self._unbroken(lambda unit: self._turn(unit, group, room, health), group)
        if made.claims:
            self.order.claimed(max(claim.fence for claim in made.claims))
        # From here on the attempts are on disk: only now may their requests leave (P4).
        self.order.reached("after_turn")
        return made

    def _turn(
        self, unit: Connection, group: Sequence[Submitted | Looked], room: int, health: Health
    ) -> Turn:
        order, lane = self.order, (self.order.connector.name, self.order.funding)
        self._record(unit, group)
        self._sweep(unit)
        made = Turn()
        try:
            self._choose(unit, room, health, made)
        except VaultAwayError as error:
            self.recorder.alarms.tell(unit, error.code, error.message, severity=2)
            self.recorder.alarms.pause(unit, "vault_away")
        for sentence in health.news:
            self.recorder.alarms.tell(unit, "W_BREAKER_OPEN", sentence, severity=3)
        if len(made.claims) < room:
            made.due_s = lanes.next_due(unit, *lane)
        order.reached("before_commit")
        return made

    def _choose(self, unit: Connection, room: int, health: Health, made: Turn) -> None:
        """Claim what is sent and looked at next; nothing can be opened while the vault is away."""
        lane = (self.order.connector.name, self.order.funding)
        if room and health.sends != 0 and lanes.paused(unit, *lane) is None:
            made.claims = self.claimer.due(unit, room, health.sends)
        if not health.looks:
            return
        if room:
            made.looks = self.claimer.asked(unit)
        if room and not made.claims and not made.looks:
            made.looks = self.claimer.polls(unit)

    def _record(self, unit: Connection, group: Sequence[Submitted | Looked]) -> None:
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
        self, work: Callable[[Connection], _Made], group: Sequence[Submitted | Looked]
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

    def _reconnect(self, group: Sequence[Submitted | Looked]) -> None:
        """Take the lane again; where another has it, leave our answers as evidence and end."""
        self.connection.close()
        self.connection = self.order.database.engine.connect()
        if self._taken():
            lanes.show_worker(self.connection, self.worker)
            return
        self.keep(group)
        raise LaneLostError(f"another worker took the lane {self.order.connector.name}")

    def keep(self, group: Sequence[Submitted | Looked]) -> None:
        """Record answers without the lane: under a void fence they are evidence and ask a look."""
        with self.connection.begin():
            self._record(self.connection, group)

    # -- after a death ------------------------------------------------------------------------------

    def _sweep(self, unit: Connection) -> None:
        """Attempts without a living worker become unclear: nobody knows what they did."""
        dead = lanes.expired_attempts(unit, self.order.connector.name, self.order.funding)
        if not dead:
            return
        batches = sorted({batch for _, batch, _, _ in dead})
        lanes.lock_batches(unit, batches)
        posting = bulk.next_posting(unit)
        idempotent = self.recorder.facts.idempotent
        lanes.unknown_after_death(
            unit,
            [attempt for attempt, _, _, _ in dead],
            posting=posting,
            actor=self.recorder.actor,
            resend_s=self.order.policy.quiet_wait() if idempotent else None,
        )
        lanes.close_attempts(unit, [(attempt, "worker_lost", None) for attempt, _, _, _ in dead])
        self.recorder.refresh(unit, batches)
