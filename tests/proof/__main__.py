"""`poe prove`: everything the promises rest on, at length, as one command that prints its figures.

    poe prove                                  all of it: hours on two cores
    poe prove --schedules 5000 --from 70001    other schedules of the simulation, or fewer
    poe prove --only simulation,planted

Each row of the table says what was done, with which seeds, at which commit, how long it took and
what came of it. It ends with 1 where anything was not as promised.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from payouts.store import embedded
from tests.proof.planted.bugs import BUGS
from tests.proof.planted.runner import ROOT, PlantError, hunt

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.proof.planted.bugs import Bug

_PART = 500
_COUNTED = ("schedules", "items", "faults")
_FIGURES = re.compile(r"(\d+) schedules, (\d+) items, (\d+) faults")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    what: str
    seeds: str
    seconds: float
    result: str
    good: bool


def main() -> int:
    """Prove, print the table; 1 where something was not as promised."""
    parser = argparse.ArgumentParser(
        prog="poe prove", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--schedules", type=int, default=100_000)
    parser.add_argument("--from", dest="begin", type=int, default=1)
    parser.add_argument("--only", default="checker,crashes,machines,planted,simulation")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="payouts-prove-") as folder:
        prover = Prover(Path(folder), given.jobs)
        for name in given.only.split(","):
            works: dict[str, Callable[[], list[Row]]] = {
                "checker": prover.checker,
                "crashes": prover.crashes,
                "machines": prover.machines,
                "planted": prover.planted,
                "simulation": lambda: prover.simulation(given.begin, given.schedules),
            }
            rows += works[name]()
    print(_table(rows, _commit()))  # noqa: T201  the figures
    return 0 if rows and all(row.good for row in rows) else 1


class Prover:
    """Runs each proof in processes of its own.

    Args:
        folder: a scratch folder.
        jobs: processes at once.
    """

    def __init__(self, folder: Path, jobs: int) -> None:
        self.folder, self.jobs = folder, jobs

    def checker(self) -> list[Row]:
        """The judge first: it must refuse every forged history."""
        return [self._tests("checker: forged histories", "tests/proof/test_checker.py")]

    def crashes(self) -> list[Row]:
        """Every failpoint of a process that is killed, and pairs: killed while it recovers."""
        return [
            self._tests(
                "crash journeys, single and in pairs", "tests/flows/test_crash.py", "-m", _ALL
            )
        ]

    def machines(self) -> list[Row]:
        """State machines at their deep settings; a failure prints how it is repeated."""
        return [self._tests("state machines, deep", "tests/proof/test_machines.py", "-m", "long")]

    def _tests(self, what: str, *arguments: str) -> Row:
        begun = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stdout[-6000:], done.stderr[-2000:], flush=True)  # noqa: T201  the figures
        lines = done.stdout.strip().splitlines() or ["nothing was said"]
        return Row(what, "", time.monotonic() - begun, lines[-1].strip("= "), not done.returncode)

    def planted(self) -> list[Row]:
        """Every planted bug, also with its neighbouring layer off."""
        cases = [(bug, off) for bug in BUGS for off in ((False, True) if bug.off else (False,))]
        with embedded.running(self.folder / "bugs"), ThreadPoolExecutor(self.jobs) as pool:
            return list(pool.map(self._hunted, range(len(cases)), *zip(*cases, strict=True)))

    def _hunted(self, number: int, bug: Bug, layer_off: bool) -> Row:  # noqa: FBT001  zipped
        what = f"bug: {bug.name}" + (" (neighbour off)" if layer_off else "")
        begun = time.monotonic()
        try:
            found = hunt(
                bug, self.folder / f"bug{number}", self.folder / "bugs", layer_off=layer_off
            )
        except (PlantError, subprocess.TimeoutExpired) as error:
            return Row(what, "", time.monotonic() - begun, f"was not hunted: {error}", good=False)
        said = "killed" if found.killed else "SURVIVED"
        return Row(what, "", found.seconds, said, found.killed)

    def simulation(self, begin: int, schedules: int) -> list[Row]:
        """The long share, cut into parts that run beside each other."""
        begun = time.monotonic()
        parts = [
            range(start, min(start + _PART, begin + schedules))
            for start in range(begin, begin + schedules, _PART)
        ]
        with embedded.running(self.folder / "simulation"), ThreadPoolExecutor(self.jobs) as pool:
            told = list(pool.map(self._played, parts))
        sums: Counter[str] = Counter()
        for text, _ in told:
            figures = _FIGURES.search(text)
            if figures is not None:
                for name, count in zip(_COUNTED, figures.groups(), strict=True):
                    sums[name] += int(count)
        failed = [text for text, good in told if not good]
        print(*failed, sep="\n", end="\n" if failed else "", flush=True)  # noqa: T201  the figures
        result = f"{sums['schedules']} schedules, {sums['items']} items, {sums['faults']} faults: "
        result += f"{len(failed)} parts with a broken promise" if failed else "0 broken promises"
        seeds = f"{begin}-{begin + schedules - 1}"
        good = not failed and sums["schedules"] == schedules
        return [Row("simulation", seeds, time.monotonic() - begun, result, good)]

    def _played(self, part: range) -> tuple[str, bool]:
        command = [sys.executable, "-m", "tests.simulation", "--from", str(part.start)]
        command += ["--schedules", str(len(part)), "--server", str(self.folder / "simulation")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr[-3000:], done.returncode == 0


_ALL = "long or not long"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _table(rows: list[Row], commit: str) -> str:
    head = ("what", "seeds", "commit", "duration", "result")
    cells = [
        (row.what, row.seeds, commit, f"{row.seconds:.0f} s", row.result.splitlines()[0])
        for row in rows
    ]
    widths = [max(len(cell[place]) for cell in (head, *cells)) for place in range(len(head))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(cell, widths, strict=True)).rstrip()
        for cell in (head, *cells)
    )


if __name__ == "__main__":
    raise SystemExit(main())
