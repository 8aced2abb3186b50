"""One schedule: load, work under faults, heal, work on until nothing is due, and judge.

The engine is the product's: its lane, its store, its database with all guards. What is ours is the
clock, the network, the platform, and whoever restarts workers. The verdict is the checker's
(`tests.proof.checker`), which shares no code with us, and that everything has come to its end.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from payouts.core.currencies import currency
from payouts.core.errors import FileRefusedError, UsageError
from payouts.core.retry import RetryPolicy
from payouts.flows import retry
from payouts.flows.cancel import CancelOrder, cancel, work_cancels
from payouts.flows.lane import LaneLostError, LaneOrder, work_lane
from payouts.providers.client import Timeouts
from payouts.store.engine import passing
from tests.proof.checker import broken_promises
from tests.simulation import platform
from tests.simulation.loading import Office, prefix_of, wire_of
from tests.simulation.network import PROVEN, Network
from tests.simulation.statements import NEXT, SENDING
from tests.simulation.virtual import WORKER, DiedError, Worker, virtual_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from payouts.providers.client import Client
    from tests.simulation.plan import Plan
    from tests.simulation.virtual import VirtualLoop

__all__ = ["Verdict", "play"]

PROVIDERS = {"C0": "orkesta", "C1": "orkestra"}
_LIVES_MAX = 600
_DAYS_MAX = 40


@dataclass
class Verdict:
    """What came of a schedule.

    Args:
        broken: sentences, one per broken promise; empty is what one wants.
        trace: what happened, one line each.
        states: items by their last state.
        fired: faults that befell a request, by name.
    """

    broken: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)


def play(office: Office, plan: Plan, name: str) -> Verdict:
    """Play a plan; `name` must be new in this database."""
    verdict = Verdict()
    networks: list[Network] = []

    def connected(*args: Any, **named: Any) -> Client:  # noqa: ANN401  as the client's own
        return networks[0].client(*args, **named)

    with virtual_time({"Client": connected}) as loop:
        office.stage.clock = loop.instant
        schedule = _Schedule(office, plan, name, loop, verdict)
        networks.append(schedule.network)
        try:
            loop.run_until_complete(schedule.run())
        except Exception as error:  # noqa: BLE001  whatever it is, the seed shall be told
            schedule.wrong(error)
        schedule.judge()
    return verdict


class _Schedule:
    """A plan being played."""

    def __init__(
        self, office: Office, plan: Plan, name: str, loop: VirtualLoop, verdict: Verdict
    ) -> None:
        self.office, self.plan, self.name, self.loop = office, plan, name, loop
        self.verdict = verdict
        self.provider = PROVIDERS[plan.level]
        self.lines = [(f"{name}-{place}", amount) for place, amount in enumerate(plan.amounts)]
        self.references: dict[str, int] = {}
        self.truth = platform.Truth()
        kind = {"C0": platform.Orkesta, "C1": platform.Orkestra}[plan.level]
        self.platform = kind(self.truth, self._fate, loop.time, office.ids)
        self.network = Network(
            loop,
            self.platform,
            faults=[f for f in plan.faults if f.item is None or f.item < len(plan.amounts)],
            wires=[wire_of(name, reference) for reference, _ in self.lines],
            tell=self.tell,
            leaving=self._leaving,
        )
        self.fates: dict[str, platform.Fate] = {}
        self.draws = random.Random(plan.seed)  # noqa: S311  a seed must replay
        self.hits: Counter[str] = Counter()
        self.runs: list[int] = []
        self.workers: list[Worker] = []
        self.lives = 0
        self.healed = False
        self.disturbed = False
        self.errors: list[str] = []
        self.held: set[str] = set()
        self.released = True
        self.cancelled: set[str] = set()
        self.never: set[str] = set()

    def tell(self, sentence: str) -> None:
        worker = WORKER.get()
        who = worker.name if worker is not None else "-"
        self.verdict.trace.append(f"{self.loop.now:12.3f} {who} {sentence}")

    def _fate(self, wire: str) -> platform.Fate:
        return self.fates.get(wire, platform.Fate())

    # -- the play ---------------------------------------------------------------------------------

    async def run(self) -> None:
        self._load()
        self._name_fates()
        others = [
            asyncio.create_task(self._mishap(place)) for place in range(len(self.plan.mishaps))
        ]
        healing = asyncio.create_task(self._heal())
        await self._machine("A")
        for worker in self.workers:
            worker.die()
        left = asyncio.all_tasks() - {asyncio.current_task()} | {*others, healing}
        for task in left:
            task.cancel()
        for result in await asyncio.gather(*left, return_exceptions=True):
            if isinstance(result, Exception):
                self.wrong(result)

    def _load(self) -> None:
        if self.plan.filed:
            result = self.office.file(self.name, self.provider, self.lines, self.plan.batch_max)
            self.runs.append(result.run_id)
        else:
            self.runs.append(
                self.office.quick(self.name, self.provider, self.lines, self.plan.batch_max)
            )
        self.tell(f"loaded run {self.runs[-1]}")

    def _name_fates(self) -> None:
        for (reference, _), fate in zip(self.lines, self.plan.fates, strict=True):
            self.fates[wire_of(self.name, reference)] = fate

    async def _machine(self, name: str) -> None:
        """A machine on which the worker is started again whenever it ends."""
        while True:
            await self._life(f"{name}{self.lives}")
            if self.cancelled:
                await self._cancels(f"C{self.lives}")
            wait = self._next_wake()
            if self.lives > _LIVES_MAX or self.loop.now > _DAYS_MAX * 86_400:
                self.errors.append(f"after {self.lives} lives and {self.loop.now:.0f} s no rest")
                return
            if wait is None and self.healed:
                return
            if wait is None or not self.healed:
                until_heal = self.plan.heals_at - self.loop.now + 0.001
                wait = until_heal if wait is None else min(wait, max(until_heal, 0.001))
            await asyncio.sleep(max(wait, 5.0))

    async def _life(self, name: str) -> None:
        """One process, from its start to its end."""
        self.lives += 1
        worker = Worker(name)
        self.workers.append(worker)
        task = asyncio.create_task(self._work(worker))
        worker.closing.append(
            lambda: None if task is asyncio.current_task(self.loop) else _cancel(task)
        )
        try:
            await task
        except (DiedError, asyncio.CancelledError):
            if not worker.dead:
                raise
            await asyncio.sleep(0.5)
        except LaneLostError:
            self.tell(f"{name} lost the lane")
        except Exception as error:  # noqa: BLE001  every other end is a finding
            self.wrong(error)
        finally:
            worker.die()

    async def _cancels(self, name: str) -> None:
        """Open cancel requests are worked as far as they go now."""
        worker = Worker(name)
        self.workers.append(worker)
        policy = RetryPolicy()
        connectors = {self.provider: self.office.connectors[self.provider]}
        order = CancelOrder(
            self.office.stage, connectors, dict.fromkeys(connectors, policy), Timeouts()
        )
        await asyncio.create_task(self._cancelling(worker, order))
        worker.die()

    async def _cancelling(self, worker: Worker, order: CancelOrder) -> None:
        WORKER.set(worker)
        try:
            await work_cancels(order)
        except DiedError:
            self.tell(f"{worker.name} died")
        except (DBAPIError, psycopg.Error) as error:
            if not passing(error):
                self.wrong(error)

    async def _work(self, worker: Worker) -> None:
        WORKER.set(worker)
        for alarm in await work_lane(self._order(worker)):
            self.tell(f"alarm: {alarm}")

    def _order(self, worker: Worker) -> LaneOrder:
        connector = self.office.connectors[self.provider]
        return LaneOrder(
            database=self.office.stage,
            connector=connector,
            funding=self.name,
            policy=RetryPolicy(key_life_s=connector.capabilities.key_life_s),
            vault=self.office.vault,
            exponents=lambda code: currency(code).exponent,
            timeouts=Timeouts(),
            horizon_s=self.plan.horizon_s,
            draw=self.draws.random,
            reached=lambda point: self._reached(worker, point),
        )

    def _reached(self, worker: Worker, point: str) -> None:
        """Crashes and freezes happen here."""
        if worker.dead:
            raise DiedError
        self.hits[point] += 1
        if self.healed:
            return
        for mishap in self.plan.mishaps:
            if (mishap.point, mishap.hit) != (point, self.hits[point]):
                continue
            if mishap.name == "crash":
                self.tell(f"dies at {point}")
                self.disturbed = True
                worker.die()
                raise DiedError
            if mishap.name == "freeze":
                self.tell(f"freezes at {point} for {mishap.seconds:.0f} s")
                self._freeze(worker, mishap.seconds)

    def _freeze(self, worker: Worker, seconds: float) -> None:
        self.disturbed = True
        worker.thaws_at = self.loop.now + seconds
        # Others come and go meanwhile; one of them may take the lane over.
        for share in (0.3, 0.6, 0.9, 1.1):
            self.loop.call_later(share * seconds, self._another)

    def _another(self) -> None:
        task = self.loop.create_task(self._life(f"B{self.lives}"))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    # -- what happens beside the workers ----------------------------------------------------------

    async def _mishap(self, place: int) -> None:  # noqa: C901  one arm per mishap
        mishap = self.plan.mishaps[place]
        await asyncio.sleep(mishap.at)
        if self.healed and mishap.name not in {"again", "edited"}:
            return
        living = [worker for worker in self.workers if not worker.dead]
        match mishap.name:
            case "kill" | "restart":
                self.disturbed = True
                for worker in living:
                    self.tell(f"{worker.name} is killed")
                    worker.die()
            case "second":
                self._another()
            case "resume":
                self._resume()
            case "cut_off":
                self._cut_off()
            case "hold":
                self._hold(mishap.seconds)
            case "cancel":
                self._cancel()
            case "again":
                again = self.office.file(self.name, self.provider, self.lines, self.plan.batch_max)
                if not again.known:
                    self.errors.append("the same bytes were not known again")
            case "more" | "edited":
                self._file_once_more(mishap.name)
            case _:
                pass  # at a point of the engine, in `_reached`

    def _file_once_more(self, name: str) -> None:
        """The file with one line more, in another order, or with other amounts."""
        extra = (f"{self.name}-extra", 4321)
        lines = [*reversed(self.lines), extra]
        if name == "edited":
            lines = [(reference, amount + 1) for reference, amount in self.lines]
        try:
            result = self.office.file(self.name, self.provider, lines, self.plan.batch_max)
        except FileRefusedError:
            return
        self.tell(f"{name}: {result.counts}")
        if result.known:
            return
        self.runs.append(result.run_id)
        wanted = {"conflict": len(lines)} if name == "edited" else {"duplicate": len(self.lines)}
        got = {key: count for key, count in result.counts.items() if key != "accepted"}
        accepted = result.counts.get("accepted", 0)
        if got != wanted and (got, accepted) != ({"duplicate": len(lines)}, 0):
            self.errors.append(f"{name}: {result.counts}")

    def _resume(self) -> None:
        for run in self.runs:
            retry.retry_run(self.office.stage, run)

    def _cut_off(self) -> None:
        """The server ends the sessions of all workers: it was restarted."""
        self.tell("the database ends all sessions")
        self.office.stage.cut_off()

    def _cancel(self) -> None:
        """A person asks that the first item is not paid."""
        wire = self.network.wires[0]
        with self.office.stage.reading() as unit:
            item = unit.execute(
                text("SELECT min(id) FROM item_now WHERE run_id = :run"), {"run": self.runs[0]}
            ).scalar_one()
        try:
            made = cancel(
                self.office.stage, self.runs[0], item, reason="a mistake", actor="person:ana"
            )
        except UsageError:
            return
        self.tell(f"item {item} is to be cancelled: {made.states}")
        self.cancelled.add(wire)
        # What was claimed before may still leave.
        self.loop.call_later(60.0, self.never.add, wire)

    def _hold(self, seconds: float) -> None:
        with self.office.stage.unit() as unit:
            item = unit.execute(
                text("SELECT max(id) FROM item_now WHERE run_id = :run"), {"run": self.runs[0]}
            ).scalar_one()
            unit.execute(
                text(
                    "SELECT id FROM batch WHERE id = (SELECT batch_id FROM item WHERE id = :item)"
                    " FOR UPDATE"
                ),
                {"item": item},
            )
            unit.execute(
                text(
                    "INSERT INTO hold (run_id, item_id, reason, detail, opened_by)"
                    " VALUES (:run, :item, 'person', 'wait', 'person:ana')"
                ),
                {"run": self.runs[0], "item": item},
            )
        self.tell(f"item {item} is held")
        # What was claimed before it was held may still leave.
        self.released = False
        self.loop.call_later(60.0, self._is_held)
        self.loop.call_later(seconds, self._release)

    def _is_held(self) -> None:
        if not self.released:
            self.held.add(self.network.wires[-1])

    def _release(self) -> None:
        self.released = True
        self.held.clear()
        with self.office.stage.unit() as unit:
            unit.execute(
                text(
                    "UPDATE hold SET released_at = payouts_now(), released_by = 'person:ana'"
                    " WHERE run_id = ANY(:runs) AND released_at IS NULL"
                ),
                {"runs": self.runs},
            )

    async def _heal(self) -> None:
        await asyncio.sleep(self.plan.heals_at)
        self.tell("heals")
        self.healed = True
        self.network.heal()
        self.platform.held = False
        for worker in self.workers:
            worker.thaws_at = min(worker.thaws_at, self.loop.now)
        self._release()
        self._resume()

    def _leaving(self, wires: list[str]) -> Iterator[str]:
        """Whether what leaves now is on disk as sent, by an attempt that is open (P4, P20)."""
        yield from (f"{wire} was sent while it is held" for wire in self.held & set(wires))
        yield from (f"{wire} was sent after its cancel" for wire in self.never & set(wires))
        with self.office.stage.reading() as connection:
            rows = connection.execute(
                text(SENDING), {"funding": self.name, "prefixes": [prefix_of(w) for w in wires]}
            )
            sent = [tuple(row) for row in rows]
        if [row[0] for row in sent] != ["sending"] * len(wires):
            yield f"{len(wires)} items left, on disk they are {sent}"
        if not all(opened for _, opened in sent):
            yield "a submission left without an open attempt"

    def _next_wake(self) -> float | None:
        """Seconds until anything of ours is due; none where nothing ever is."""
        with self.office.stage.reading() as connection:
            return connection.execute(
                text(NEXT), {"funding": self.name, "runs": self.runs}
            ).scalar()

    def wrong(self, error: Exception) -> None:
        """An end that no part may have."""
        if isinstance(error, DBAPIError | psycopg.Error):
            self.tell(f"database: {error}")
        self.errors.append(f"{type(error).__name__}: {error}")

    # -- the verdict ------------------------------------------------------------------------------

    def _end_requests(self) -> None:
        """What waits for a person is not to be worked by the schedules that follow."""
        with self.office.stage.unit() as unit:
            unit.execute(
                text(
                    "UPDATE cancel_request SET done_at = payouts_now(), outcome = 'end of play'"
                    " WHERE run_id = ANY (:runs) AND done_at IS NULL"
                ),
                {"runs": self.runs},
            )

    def judge(self) -> None:
        wires = self.office.wires(self.name)
        if self.cancelled:
            self._end_requests()
        verdict, stage = self.verdict, self.office.stage
        verdict.fired.update(self.network.fired)
        verdict.broken += [*self.errors, *dict.fromkeys(self.network.broken)]
        with psycopg.connect(stage.conninfo()) as connection:
            verdict.broken += broken_promises(connection, self.truth.lines, wires, runs=self.runs)
            rows = connection.execute(
                "SELECT n.id, n.state::text, n.code FROM item_now n WHERE n.run_id = ANY(%s)"
                " ORDER BY n.id",
                [self.runs],
            ).fetchall()
            verdict.broken += [
                f"attempt {attempt} is still open"
                for (attempt,) in connection.execute(
                    "SELECT a.id FROM attempt a JOIN batch b ON b.id = a.batch_id"
                    " WHERE a.closed_at IS NULL AND b.run_id = ANY(%s)",
                    [self.runs],
                )
            ]
        for item, state, code in rows:
            verdict.states[state] += 1
            verdict.broken += self._ended(item, state, code, wires[item])

    def _ended(self, item: int, state: str, code: str | None, wire: str) -> Iterator[str]:
        """Whether the item came to an end that its platform and its luck allow."""
        struck = self.network.struck[wire]
        stopped = any(one.wire == wire and one.cancelled for one in self.platform.effects.values())
        refused = stopped or self._fate(wire).ends != "paid" or bool(struck & _REFUSING)
        if state == "failed" and not refused:
            yield f"item {item} failed ({code}) though nobody refused it"
        doubtful = self.disturbed or bool(struck - PROVEN)
        ends = {"settled", "failed"} | ({"cancelled"} if wire in self.cancelled else set())
        if state in ends or (state == "review" and doubtful):
            return
        yield f"item {item} is stuck in {state} ({code})"


_REFUSING = frozenset({"whole_batch_400", "bad_request", "twice_different"})
"""Faults by which a platform says of an item that it is refused."""


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
