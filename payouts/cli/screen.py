"""What a person sees while a run goes on: a live view on a terminal, else a line every 5 seconds.

Everything is written to stderr. A screen is told what happened and decides by itself when to draw.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from payouts.cli import frame
from payouts.core.items import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    from payouts.flows.progress import Standing

__all__ = ["Plain", "Screen", "opened", "pace", "stage"]

_PLAIN_EVERY_S = 5.0
_RATE_OVER_S = 5.0
_CURRENCIES_MAX = 4
_UNSENT = (State.PENDING, State.APPROVED, State.SENDING)


class Screen(Protocol):
    """Where the progress of one command is shown."""

    def note(self, sentence: str) -> None:
        """Show a sentence that stays."""

    def reading(self, name: str) -> None:
        """The file is looked at."""

    def checked(self, lines: int, total: int) -> None:
        """So many lines were checked."""

    def moved(self, standing: Standing) -> None:
        """The run stands like this now."""


@contextmanager
def opened() -> Iterator[Screen]:
    """A live view where stderr is a terminal, else plain lines."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        live = _Live()
        try:
            yield live
        finally:
            live.close()
    else:
        yield Plain()


class _Rates:
    """Things per second over the last few seconds, per stage, of numbers that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[str, deque[tuple[float, int]]] = {}

    def of(self, stage: str, number: int) -> str:
        """The rate in words, now that so many are done in this stage."""
        at, seen = self._clock(), self._seen.setdefault(stage, deque())
        seen.append((at, number))
        while len(seen) > 2 and at - seen[1][0] >= _RATE_OVER_S:  # noqa: PLR2004  two make a span
            seen.popleft()
        first, before = seen[0]
        return pace((number - before) / (at - first)) if at > first else ""


def pace(rate: float) -> str:
    """A rate for people.

    >>> pace(1234.4), pace(7.26), pace(0)
    ('1,234/s', '7.3/s', '')
    """
    if rate <= 0:
        return ""
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"  # noqa: PLR2004  two digits at least


def stage(standing: Standing) -> str:
    """The word for what the run is doing."""
    if standing.rests:
        return "done" if standing.over else "waiting"
    if any(standing.states.get(state) for state in _UNSENT):
        return "sending"
    return "settling"


def _answered(standing: Standing) -> int:
    """Items that a platform has answered for, as far as the states tell."""
    return standing.items - sum(standing.states.get(state, 0) for state in _UNSENT)


def _states(standing: Standing) -> str:
    return " · ".join(f"{state} {count:,}" for state, count in standing.states.items())


def _paid_money(standing: Standing) -> str:
    """Money that is paid, per currency, the largest counts of items first."""
    paid = {
        currency: of.get(State.SETTLED, 0) + of.get(State.RECONCILED, 0)
        for currency, of in standing.amounts.items()
    }
    shown = [frame.money(minor, currency) for currency, minor in sorted(paid.items()) if minor]
    more = len(shown) - _CURRENCIES_MAX
    return " · ".join(shown[:_CURRENCIES_MAX]) + (f" · {more} more" if more > 0 else "")


class Plain:
    """A line when something begins, then one every 5 seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = clock() + _PLAIN_EVERY_S
        self._rates = _Rates(clock)

    def note(self, sentence: str) -> None:
        """Show a sentence that stays."""
        frame.say(sentence)

    def reading(self, name: str) -> None:
        """The file is looked at."""
        frame.say(f"reading {name}")

    def checked(self, lines: int, total: int) -> None:
        """So many lines were checked."""
        rate = self._rates.of("checking", lines)
        if self._due():
            frame.say(f"checking: {lines:,} of {frame.count(total, 'line')}; {rate}".rstrip("; "))

    def moved(self, standing: Standing) -> None:
        """The run stands like this now."""
        word = stage(standing)
        number = standing.final if word != "sending" else _answered(standing)
        rate = self._rates.of(word, number)
        if self._due() and not standing.rests:
            done = f"{number:,} of {frame.count(standing.items, 'item')}"
            frame.say("; ".join(filter(None, (f"{word}: {done}", rate, _states(standing)))))

    def _due(self) -> bool:
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + _PLAIN_EVERY_S
        return True


class _Live:
    """A spinner, a bar, the counters and the money, redrawn in place; finished stages stay."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415  only a terminal needs it
        from rich.live import Live  # noqa: PLC0415  the same
        from rich.spinner import Spinner  # noqa: PLC0415  the same

        self._console = Console(stderr=True, highlight=False)
        self._spinner = Spinner("dots")
        self._live = Live(
            console=self._console, refresh_per_second=8, transient=True, redirect_stdout=False
        )
        self._live.start()
        self._rates = _Rates(time.monotonic)

    def close(self) -> None:
        """Take the view away; what was noted stays."""
        self._live.update("")
        self._live.stop()

    def note(self, sentence: str) -> None:
        self._console.print(frame.clean(sentence), markup=False, soft_wrap=True)

    def reading(self, name: str) -> None:
        self._draw("reading", frame.clean(name))

    def checked(self, lines: int, total: int) -> None:
        rate = self._rates.of("checking", lines)
        if lines >= total > 0:
            self._draw("storing", f"{total:,} lines")
            return
        self._draw("checking", f"{lines:,}/{total:,} lines", rate, of=(lines, total))

    def moved(self, standing: Standing) -> None:
        word = stage(standing)
        number = standing.final if word != "sending" else _answered(standing)
        rate = self._rates.of(word, number)
        below = "\n".join((_states(standing), _paid_money(standing)))
        done = f"{number:,}/{standing.items:,} items"
        self._draw(word, done, rate, of=(number, standing.items), below=below)

    def _draw(
        self, word: str, done: str, rate: str = "", *, of: tuple[int, int] = (0, 0), below: str = ""
    ) -> None:
        from rich.console import Group  # noqa: PLC0415  only a terminal needs it
        from rich.progress_bar import ProgressBar  # noqa: PLC0415  the same
        from rich.table import Table  # noqa: PLC0415  the same
        from rich.text import Text  # noqa: PLC0415  the same

        self._spinner.text = Text(word.ljust(8))
        row = Table.grid(padding=(0, 1))
        cells: list[RenderableType] = [self._spinner]
        if of[1]:
            cells.append(ProgressBar(total=of[1], completed=of[0], width=24))
        row.add_row(*cells, Text(done), Text(rate, style="dim"))
        lines = [
            Text(f"   {line}", style="dim", no_wrap=True, overflow="ellipsis")
            for line in below.splitlines()
            if line
        ]
        self._live.update(Group(row, *lines))
