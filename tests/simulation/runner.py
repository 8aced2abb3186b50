"""Many schedules: one database for some hundred of them, and a smaller plan for each that fails."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.loading import make_office
from tests.simulation.plan import draw, smaller
from tests.simulation.schedule import Verdict, play
from tests.simulation.stage import prepared

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from payouts.store import embedded
    from tests.simulation.loading import Office
    from tests.simulation.plan import Plan

__all__ = ["Report", "play_all", "replay", "run"]

_PER_DATABASE = 400
_SHRINKS_MAX = 150
_SHRINKING_S = 20.0
_FAILURES_MAX = 3
_names = itertools.count(1)


@dataclass
class Report:
    """Figures of many schedules."""

    schedules: int = 0
    items: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_s: float = 0.0

    def add(self, verdict: Verdict) -> None:
        """Count one."""
        self.schedules += 1
        self.items.update(verdict.states)
        self.faults.update(verdict.fired)

    def __str__(self) -> str:
        each = 1000 * self.cpu_s / max(self.schedules, 1)
        lines = [
            (
                f"{self.schedules} schedules, {self.items.total()} items, {self.faults.total()} faults"
                f" of {len(self.faults)} kinds, {self.seconds:.1f} s ({each:.0f} ms of our CPU each)"
            ),
            "items: " + ", ".join(f"{count} {state}" for state, count in self.items.most_common()),
            *self.failures,
        ]
        return "\n".join(lines)


def run(
    server: embedded.Server,
    folder: Path,
    seeds: Iterable[int],
    report: Report,
    *,
    plain: bool = False,
    focus: Sequence[str] = (),
) -> None:
    """Play the plans of these seeds; stops after a few that broke a promise.

    Args:
        plain: stop at the first failure, and tell it as it is.
        focus: faults and mishaps that befall every plan.
    """
    left = iter(seeds)
    begun, cpu = time.monotonic(), time.process_time()
    enough = 1 if plain else _FAILURES_MAX
    while len(report.failures) < enough and (part := list(itertools.islice(left, _PER_DATABASE))):
        with prepared(server, f"simulation_{os.getpid()}_{next(_names)}") as stage:
            play_all(make_office(stage, folder), part, report, enough, plain=plain, focus=focus)
    report.seconds += time.monotonic() - begun
    report.cpu_s += time.process_time() - cpu


def play_all(
    office: Office,
    seeds: Iterable[int],
    report: Report,
    enough: int = 1,
    *,
    plain: bool = False,
    focus: Sequence[str] = (),
) -> None:
    """Play the plans of these seeds in one database, until `enough` have broken a promise."""
    for seed in seeds:
        plan = draw(seed, focus)
        verdict = play(office, plan, f"s{seed}")
        report.add(verdict)
        if verdict.broken:
            report.failures.append(told(office, plan, verdict, plain=plain))
            if len(report.failures) >= enough:
                return


def told(office: Office, plan: Plan, verdict: Verdict, *, plain: bool = False) -> str:
    """A failure as a person wants it: the smallest plan that still fails, and what happened."""
    if not plain:
        plan, verdict = _shrunken(office, plan, verdict)
    return "\n".join(
        [
            f"FAILED: python -m tests.simulation --seed {plan.seed}",
            str(plan),
            *(f"  {line}" for line in verdict.trace),
            *(f"  BROKEN {sentence}" for sentence in verdict.broken),
        ]
    )


def _shrunken(office: Office, plan: Plan, verdict: Verdict) -> tuple[Plan, Verdict]:
    tries, end = 0, time.monotonic() + _SHRINKING_S
    again = True
    while again and tries < _SHRINKS_MAX and time.monotonic() < end:
        again = False
        for less in smaller(plan):
            tries += 1
            found = play(office, less, f"s{plan.seed}_{tries}")
            if found.broken:
                plan, verdict, again = less, found, True
                break
            if tries >= _SHRINKS_MAX or time.monotonic() > end:
                break
    return plan, verdict


def replay(server: embedded.Server, folder: Path, seed: int) -> int:
    """Play one seed and print everything; 1 where it broke a promise."""
    with prepared(server, f"simulation_{os.getpid()}_{next(_names)}") as stage:
        office = make_office(stage, folder)
        verdict = play(office, draw(seed), f"s{seed}")
        print(draw(seed))  # noqa: T201  the figures
        print("\n".join(verdict.trace))  # noqa: T201  the figures
        print(dict(verdict.states))  # noqa: T201  the figures
        if verdict.broken:
            print(told(office, draw(seed), verdict))  # noqa: T201  the figures
    return 1 if verdict.broken else 0
