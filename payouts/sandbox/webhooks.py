"""Webhooks: what the platforms tell their clients of their own accord.

    books ──line──▶ agenda of the platform ──due──▶ faults ──▶ POST ──▶ log
                                      ▲                  │ not accepted
                                      └───── waits ──────┘

Each platform has one endpoint here: an address, a heap of what is due, and a few connections.
Only lines that were booked while the endpoint had an address (or that bring one, A-ORK-3) are told;
such a line carries `"hooks": true`, so that a restart finds what is still to be told.
What became of each delivery is in `deliveries`.
"""

from __future__ import annotations

import asyncio
import heapq
import traceback
from array import array
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol
from zlib import crc32

import orjson

from payouts.sandbox.channels import CHANNELS, FORGED
from payouts.sandbox.deliveries import Log, Sent, Telling
from payouts.sandbox.http import Request
from payouts.sandbox.post import Poster
from payouts.sandbox.webhook_recipes import Parcel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from payouts.sandbox.books import Books, Entry
    from payouts.sandbox.channels import Channel, News
    from payouts.sandbox.faults import Faults
    from payouts.sandbox.post import Headers
    from payouts.sandbox.settings import Settings

__all__ = ["WEBHOOK", "Due", "Endpoint", "Teller", "Webhooks"]

Due = tuple[float, int, str]

WEBHOOK: Final = "WEBHOOK"  # in the place of the method, in the routes of rules

_QUEUES: Final = 4
_QUEUED_MAX: Final = 64
_INSTANT: Final = 1000.0  # the speed of repetitions where payments are done in the reply


class Teller(Protocol):
    """A platform that has something to tell."""

    def agenda(self, entry: Entry) -> Iterable[Due]:
        """Give what will be told of a line: when, of which of its things, and the type."""

    def news(self, entry: Entry, index: int, kind: str, at: float) -> News | None:
        """Give what is told then; None: it did not come to that after all."""


@dataclass(slots=True)
class _Line:
    """A line of the books whose agenda is not read yet."""

    number: int


@dataclass(slots=True)
class _Rest:
    """What is still to be told of a line, in the order of time."""

    number: int
    types: list[str]
    ats: array[float]
    indexes: array[int]
    kinds: array[int]
    place: int = 0

    def next(self) -> Telling:
        """Take the soonest."""
        place, self.place = self.place, self.place + 1
        kind = self.types[self.kinds[place]]
        return Telling(self.number, self.indexes[place], kind, self.ats[place], self.ats[-1])


@dataclass(slots=True)
class _Copy:
    """One more POST that a fault added."""

    telling: Telling
    label: str
    url: str
    headers: Headers
    body: bytes
    reference: str | None


class Endpoint:
    """One platform's webhooks: what is due, and how it is delivered.

    Args:
        log: takes what became of each delivery.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        name: str,
        teller: Teller,
        *,
        books: Books,
        settings: Settings,
        faults: Faults,
        log: Log,
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._teller = teller
        self._channel: Channel = CHANNELS[name]
        self._books = books
        self._settings = settings
        self._faults = faults
        self._log = log
        self._clock = clock
        self._poster = Poster()
        self._heap: list[tuple[float, int, _Line | _Rest | Telling | _Copy]] = []
        self._order = count()
        self._changed = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._queues: list[deque[Telling | _Copy]] = [deque() for _ in range(_QUEUES)]
        self._sending: dict[int, asyncio.Task[None]] = {}
        self._queued = 0
        self._parked: list[Telling] = []
        self._had_url = self.url is not None
        self._from = 0  # lines before it are forgotten
        self.enabled = True

    @property
    def url(self) -> str | None:
        """Where the platform's webhooks go."""
        return self._settings.webhooks.get(self._name)

    def book(self, number: int, at: float) -> None:
        """Tell of a line of the books, when it is time."""
        self._push(at, _Line(number))

    def wake(self) -> None:
        """Look again: the address or the settings have changed.

        Where an address was taken away, what was still to be told is forgotten.
        """
        if self._had_url and self.url is None:
            self._heap.clear()
            self._parked.clear()
            self._from = self._books.next_line
        self._had_url = self.url is not None
        parked, self._parked = self._parked, []
        for telling in parked:
            self._push(self._clock(), telling)

    def enable(self) -> None:
        """Switch the endpoint on again; what it missed meanwhile is not told any more."""
        self.enabled = True

    def is_idle(self) -> bool:
        """Say whether nothing is due and nothing under way."""
        due = bool(self._heap) and self._heap[0][0] <= self._clock()
        return not due and not self._queued

    def shown(self) -> dict[str, Any]:
        """Give the endpoint as JSON can carry it."""
        states = {state: n for (name, state), n in self._log.states.items() if name == self._name}
        waiting = len(self._heap) + len(self._parked) + self._queued
        return {"url": self.url, "enabled": self.enabled, "waiting": waiting, "states": states}

    def close(self) -> None:
        """Stop; what is under way is told again after the next start."""
        for task in (self._pump, *self._sending.values()):
            if task is not None:
                task.cancel()
        self._poster.close()

    # what is due

    def _push(self, due: float, thing: _Line | _Rest | Telling | _Copy) -> None:
        heapq.heappush(self._heap, (due, next(self._order), thing))
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._work())
        self._changed.set()

    async def _work(self) -> None:
        """Queue deliveries as they become due, a few at a time."""
        while True:
            self._changed.clear()
            wait_s = self._heap[0][0] - self._clock() if self._heap else None
            if self._queued >= _QUEUED_MAX or wait_s is None:
                await self._changed.wait()
            elif wait_s > 0:
                try:
                    await asyncio.wait_for(self._changed.wait(), wait_s)
                except TimeoutError:
                    continue
            else:
                self._take()

    def _take(self) -> None:
        """Take what is due; a line's news are taken in one go, so that it is read once."""
        due, order, thing = heapq.heappop(self._heap)
        if isinstance(thing, _Line):
            rest = self._rest(thing.number)
            if rest is not None:
                self._push(rest.ats[0], rest)
        elif isinstance(thing, _Rest):
            self._queue(thing.next())
            if thing.place < len(thing.ats):
                following = thing.ats[thing.place]
                is_due = following <= self._clock()
                heapq.heappush(
                    self._heap,
                    (due, order, thing) if is_due else (following, next(self._order), thing),
                )
        else:
            self._queue(thing)

    def _rest(self, number: int) -> _Rest | None:
        entry = self._books.line(number)
        has_ended = self._log.take_ended(number)
        agenda = [] if entry is None else sorted(self._teller.agenda(entry))
        todo = [due for due in agenda if not has_ended(due[1], due[2])]
        if not todo:
            return None
        types = sorted({kind for _, _, kind in todo})
        return _Rest(
            number,
            types,
            array("d", (at for at, _, _ in todo)),
            array("L", (index for _, index, _ in todo)),
            array("B", (types.index(kind) for _, _, kind in todo)),
        )

    # queues: news of one thing are sent one after the other, in order unless a fault wants it

    def _queue(self, thing: Telling | _Copy) -> None:
        telling = thing if isinstance(thing, Telling) else thing.telling
        number = crc32(self._about(telling).encode()) % _QUEUES
        self._queues[number].append(thing)
        self._queued += 1
        if number not in self._sending:
            self._next(number)

    def _about(self, telling: Telling) -> str:
        """Name the thing that news are about."""
        entry = self._books.line(telling.number) or {}
        if "effects" in entry:
            return str(entry["effects"][telling.index]["effect"]) if entry["effects"] else ""
        held = entry.get("held")
        return str(held[telling.index] if held else entry.get("effect") or entry.get("payment"))

    def _next(self, number: int) -> None:
        thing = self._queues[number].popleft()
        work = self._tell(thing) if isinstance(thing, Telling) else self._deliver_copy(thing)
        task = asyncio.get_running_loop().create_task(work)
        self._sending[number] = task
        task.add_done_callback(lambda done: self._ended(number, done))

    def _ended(self, number: int, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            traceback.print_exception(task.exception())  # a bug of the sandbox: loud, and go on
        del self._sending[number]
        self._queued -= 1
        self._changed.set()
        if self._queues[number]:
            self._next(number)

    # delivering

    async def _tell(self, telling: Telling) -> None:
        """Make one attempt at a piece of news, with whatever faults want of it."""
        entry = self._books.line(telling.number)
        news = (
            None
            if entry is None
            else self._teller.news(entry, telling.index, telling.type, telling.at)
        )
        if news is None:
            return
        known = self._log.attempts.pop((telling.number, telling.index, telling.type), 0)
        telling.attempt = max(telling.attempt, known + 1)
        url = news.url or self.url
        if url is None:
            self._parked.append(telling)
            return
        sent = Sent(telling, news.reference, url)
        if news.url is None and not self.enabled:
            self._end(sent, "dropped")
            return
        now = self._clock()
        parcel = Parcel(news, max(0.0, telling.last_at - now), now)
        if not telling.delayed:
            sent.faults = self._fault(parcel)
        if parcel.lost:
            self._end(sent, "lost")
        elif parcel.delay_s > 0:
            telling.delayed = True
            self._push(now + parcel.delay_s, telling)
        else:
            await self._deliver(parcel, url, sent)

    def _fault(self, parcel: Parcel) -> list[str]:
        if not self._faults.rules:
            return []
        news = parcel.news
        route = f"/{self._name}/{news.type}"
        request = Request(WEBHOOK, route, {}, (news.reference or "").encode())
        return self._faults.apply("webhook", request, parcel)

    async def _deliver(self, parcel: Parcel, url: str, sent: Sent) -> None:
        body = parcel.body
        if body is None:
            body = _bytes(parcel.document or parcel.news.document)
        secret = FORGED if parcel.proof == "wrong" else self._channel.secret
        proof = () if parcel.proof == "none" else self._prove(body, secret)
        for extra in parcel.extras:
            said = body if extra.document is None else _bytes(extra.document)
            proven = self._prove(said, FORGED if extra.forged else self._channel.secret)
            copy = _Copy(sent.telling, extra.label, url, proven, said, sent.reference)
            self._push(self._clock() + extra.delay_s, copy)
        await self._post(sent, proof, body if parcel.alter is None else parcel.alter(body))
        if sent.status is not None and 200 <= sent.status < 300:  # noqa: PLR2004  success
            self._end(sent, "delivered")
        else:
            self._repeat(sent)

    def _prove(self, body: bytes, secret: str) -> Headers:
        return self._channel.prove(body, secret, self._settings)

    def _repeat(self, sent: Sent) -> None:
        """Try again after the wait that the platform keeps, or give up."""
        telling, waits_s = sent.telling, self._channel.waits_s
        if telling.attempt > len(waits_s):
            self._end(sent, "given_up")
            if self._channel.disables and sent.url == self.url:
                self.enabled = False
            return
        self._end(sent, "failed")
        wait_s = waits_s[telling.attempt - 1] / (self._settings.speed or _INSTANT)
        telling.attempt, telling.delayed = telling.attempt + 1, False
        if telling.number >= self._from:
            self._push(self._clock() + wait_s, telling)

    async def _deliver_copy(self, copy: _Copy) -> None:
        sent = Sent(copy.telling, copy.reference, copy.url, faults=[copy.label])
        await self._post(sent, copy.headers, copy.body)
        self._end(sent, "extra")

    async def _post(self, sent: Sent, proof: Headers, body: bytes) -> None:
        """Send; nothing is told that is not on disk."""
        await self._books.durable()
        url = (sent.url or "").replace("{kind}", sent.telling.type.partition(".")[0])
        try:
            sent.status = await self._poster.post(
                url,
                (*self._channel.headers, *proof),
                body,
                deadline_s=self._settings.webhook_deadline_s,
            )
        except TimeoutError:
            sent.error = "timeout"
        except OSError as error:
            sent.error = type(error).__name__

    def _end(self, sent: Sent, state: str) -> None:
        sent.state = state
        self._log.write(self._name, self._clock(), sent)


class Webhooks:
    """All endpoints, and the log of what was delivered.

    Args:
        tellers: the platforms that have something to tell, by name.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        tellers: Mapping[str, Any],
        *,
        books: Books,
        settings: Settings,
        faults: Faults,
        clock: Callable[[], float],
    ) -> None:
        self._log = Log(books.directory / "webhooks.jsonl")
        self._endpoints = {
            name: Endpoint(
                name,
                teller,
                books=books,
                settings=settings,
                faults=faults,
                log=self._log,
                clock=clock,
            )
            for name, teller in tellers.items()
        }
        for number in books.hooked:
            entry = books.line(number)
            if entry is not None:
                self._endpoints[entry["platform"]].book(number, entry["at"])

    def watch(self, number: int, entry: Entry) -> None:
        """Mark a line whose platform has somebody to tell, before it is written."""
        endpoint = self._endpoints.get(entry.get("platform", ""))
        if endpoint is not None and (endpoint.url is not None or entry.get("hooks")):
            entry["hooks"] = True
            endpoint.book(number, entry["at"])

    def wake(self) -> None:
        """Look again at what waits for an address."""
        for endpoint in self._endpoints.values():
            endpoint.wake()

    def enable(self, name: object) -> None:
        """Switch an endpoint on again.

        Raises:
            ValueError: there is none of that name.
        """
        endpoint = self._endpoints.get(str(name))
        if endpoint is None:
            raise ValueError(f"there is no endpoint {name!r}; there are {sorted(self._endpoints)}")
        endpoint.enable()

    async def idle(self, seconds: float) -> None:
        """Wait until all that is due has been told, but not for ever."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        await asyncio.sleep(0)
        while loop.time() < deadline and not self._is_idle():  # noqa: ASYNC110  idle has no one event
            await asyncio.sleep(0.005)

    def _is_idle(self) -> bool:
        return all(endpoint.is_idle() for endpoint in self._endpoints.values())

    def shown(self) -> dict[str, Any]:
        """Give endpoints and the last deliveries as JSON can carry them."""
        endpoints = {name: endpoint.shown() for name, endpoint in self._endpoints.items()}
        return {"endpoints": endpoints, "deliveries": list(self._log.recent)}

    def close(self) -> None:
        """Stop telling."""
        for endpoint in self._endpoints.values():
            endpoint.close()
        self._log.close()


def _bytes(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, default=_exact)


def _exact(value: Any) -> orjson.Fragment:  # noqa: ANN401  a Decimal
    return orjson.Fragment(format(value, "f"))
