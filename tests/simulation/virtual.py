"""Virtual time: an event loop that jumps to the next due instant, and workers that freeze and die.

Everything runs in one thread: what a lane hands to its writer's thread runs at once, so that a
seed replays to the last statement. A *worker* is a name in a context variable. A frozen one does
nothing until it thaws, a dead one never again, and what it held at the database falls to the
server, as when a process is stopped or killed.
"""

from __future__ import annotations

import asyncio
import contextvars
import selectors
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from payouts.providers import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["BEGIN", "WORKER", "DiedError", "VirtualLoop", "Worker", "frozen", "virtual_time"]

BEGIN = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""Where a schedule's time begins."""


_LANES = ("payouts.flows.lane", "payouts.flows.cancel")


class DiedError(BaseException):
    """The process has died here: nothing that catches `Exception` may go on."""


@dataclass(slots=True)
class Worker:
    """A process that works lanes.

    Args:
        thaws_at: by the loop's time; until then it is frozen.
        closing: gives its database sessions back to the server, as its death does.
    """

    name: str
    thaws_at: float = 0.0
    dead: bool = False
    closing: list[Callable[[], None]] = field(default_factory=list)

    def die(self) -> None:
        """From here on nothing of it happens; its sessions end."""
        self.dead = True
        for close in self.closing:
            close()
        self.closing.clear()


WORKER: contextvars.ContextVar[Worker | None] = contextvars.ContextVar("worker", default=None)


class _Jumping(selectors.SelectSelector):
    """Waits by moving the clock."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again: the schedule is stuck")
        if timeout > 0:
            self.loop.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is a number that jumps."""

    def __init__(self) -> None:
        selector = _Jumping()
        self.now = 0.0
        super().__init__(selector)
        selector.loop = self

    def time(self) -> float:
        """Seconds since the schedule began."""
        return self.now

    def instant(self) -> datetime:
        """The same as a point in time."""
        return BEGIN + timedelta(seconds=self.now)

    def run_in_executor(  # type: ignore[override]  # ours gives a task, which is a future
        self,
        executor: Any,  # noqa: ANN401, ARG002  there is one thread only
        func: Callable[..., Any],
        *args: Any,  # noqa: ANN401  as asyncio has it
    ) -> asyncio.Future[Any]:
        return self.create_task(_at_once(self, func, args))


async def _at_once(loop: VirtualLoop, func: Callable[..., Any], args: tuple[Any, ...]) -> object:
    worker = WORKER.get()
    if worker is not None:
        await frozen(loop, worker)
    return func(*args)


async def frozen(loop: VirtualLoop, worker: Worker) -> None:
    """Wait while the worker is frozen, which may become longer meanwhile.

    Raises:
        DiedError: it is dead.
    """
    while worker.thaws_at > loop.now and not worker.dead:  # noqa: ASYNC110  time only jumps by sleeping
        await asyncio.sleep(worker.thaws_at - loop.now)
    if worker.dead:
        raise DiedError


class _Time:
    """Stands for the module `time` where the engine reads a clock or waits with its thread."""

    CLOCK_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", 0)

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def clock_gettime(self, _which: int) -> float:
        return self._loop.now

    def monotonic(self) -> float:
        return self._loop.now

    def sleep(self, _seconds: float) -> None:
        """The server ends a session in real time; a moment is enough for that."""
        time.sleep(0.002)


@contextmanager
def virtual_time(patched: Mapping[str, Any] | None = None) -> Iterator[VirtualLoop]:
    """A loop of virtual time; inside, the engine's clocks show it.

    Args:
        patched: more names of the lane's modules that are replaced meanwhile.
    """
    loop = VirtualLoop()
    shown = _Time(loop)
    modules = [module for name, module in sys.modules.items() if name.startswith(_LANES)]
    places = [(module, "time", shown) for module in (client, *modules) if hasattr(module, "time")]
    places += [
        (module, name, value)
        for name, value in (patched or {}).items()
        for module in modules
        if hasattr(module, name)
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in places]
    try:
        for module, name, value in places:
            setattr(module, name, value)
        yield loop
    finally:
        for module, name, value in before:
            setattr(module, name, value)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.close()
