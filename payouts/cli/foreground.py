"""The worker inside a foreground command: it works until a run rests, or a person stops it.

Ctrl-C (or SIGTERM) once: nothing new is sent, what is in flight is finished and recorded. Twice:
stop at once; what was in flight is unclear then and is asked about before it is sent again.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from payouts.cli.frame import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from payouts.cli.screen import Screen
    from payouts.flows.progress import Standing
    from payouts.wiring import Parts

__all__ = ["Presses", "look", "until_rest", "work"]

_AT_ONCE = 2
_BY_FORCE = 3


@dataclass(slots=True)
class Presses:
    """How often a person asked to stop, and what that means."""

    note: Callable[[str], None]
    count: int = 0
    hard: asyncio.Event = field(default_factory=asyncio.Event)

    def pressed(self) -> None:
        """Count one more."""
        self.count += 1
        if self.count == 1:
            self.note(
                "Stopping: nothing new is sent, what is in flight is finished. Again: at once."
            )
        elif self.count == _AT_ONCE:
            self.note(
                "Stopping at once. What was in flight is asked about before it is sent again."
            )
            self.hard.set()
        elif self.count >= _BY_FORCE:
            os._exit(Exit.INTERRUPTED)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM while the loop of the caller runs."""
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in before:
            loop.add_signal_handler(number, self.pressed)
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)


def look(parts: Parts, run_id: int) -> Standing:
    """How the run stands now."""
    from payouts.flows import progress  # noqa: PLC0415  bodies import what they need

    keyed = [name for name, one in parts.connectors.items() if one.capabilities.idempotent]
    with parts.database.reading() as unit:
        return progress.standing(progress.read(unit, run_id, keyed=keyed))


def until_rest(parts: Parts, run_id: int, shown: Screen) -> tuple[Standing, bool]:
    """Work until nothing of the run moves by itself; also says whether a person stopped it."""
    standing = look(parts, run_id)
    shown.moved(standing)
    if standing.rests:
        return standing, False
    latest = [standing]

    def rests() -> bool:
        latest[0] = look(parts, run_id)
        shown.moved(latest[0])
        return latest[0].rests

    stopped = asyncio.run(work(parts, shown.note, finished=rests, ours=_lanes_of(parts, run_id)))
    return look(parts, run_id), stopped


def _lanes_of(parts: Parts, run_id: int) -> set[tuple[str, str]]:
    from payouts.store import runs  # noqa: PLC0415  bodies import what they need

    with parts.database.reading() as unit:
        return set(runs.lanes(unit, run_id))


async def work(
    parts: Parts,
    note: Callable[[str], None],
    *,
    finished: Callable[[], bool],
    ours: Collection[tuple[str, str]] | None = None,
) -> bool:
    """Run the worker until `finished`; says whether a person stopped it before.

    Args:
        ours: lanes (provider, funding account) whose breaking ends the work; others are told and
            left alone. None: all are only told.

    Raises:
        Exception: what broke one of `ours`.
    """
    from payouts import worker  # noqa: PLC0415  bodies import what they need

    presses = Presses(note)
    broken: list[Exception] = []

    def breaks(lane: tuple[str, str], error: Exception) -> None:
        if ours is not None and lane in ours:
            broken.append(error)
        else:
            note(f"! the lane {lane[0]}/{lane[1]} broke: {type(error).__name__}: {error}")

    with presses.listening():
        job = asyncio.create_task(
            worker.work(
                parts,
                finished=finished,
                stopping=lambda: presses.count > 0 or bool(broken),
                said=lambda alarm: note(f"! {alarm}"),
                broken=breaks,
            )
        )
        hard = asyncio.create_task(presses.hard.wait())
        await asyncio.wait({job, hard}, return_when=asyncio.FIRST_COMPLETED)
        hard.cancel()
        job.cancel()
        ended = await asyncio.gather(job, return_exceptions=True)
    if broken:
        raise broken[0]
    if isinstance(ended[0], Exception):
        raise ended[0]
    return presses.count > 0
