"""`poe bench`: floors beside ours, measured in the same run, in one table.

Each measurement is a process of its own. The ways of a group take turns, three times; what is shown
is the median. What came of each is verified from a fresh connection before it counts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import sql

from payouts.store import embedded, migrate
from payouts.store.engine import Database
from tests.benchmarks import data
from tests.benchmarks.table import GROUPS, Group, Sample, printed
from tests.benchmarks.ways import Place, registered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.benchmarks.ways import Way

_ROOT: Final = Path(__file__).parents[2]
_TEMPLATE: Final = "payouts_template"
_SHORT: Final = 40_000
_MAKERS: Final = {"turkish": data.turkish, "failing": data.failing, "mixed": data.mixed}


@dataclass(slots=True)
class _Bench:
    """The server and the files that all measurements of a run share."""

    folder: Path
    server: embedded.Server
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def prepare(self, lines: int, *names: str) -> None:
        """Make the data files that are not there yet."""
        _say(f"making {', '.join(names)} of {lines:,} lines")
        for name in names:
            path = self.folder / f"{name}_{lines}.csv"
            if not path.exists():
                _MAKERS[name](path, lines)

    def template(self) -> None:
        """Make the migrated database that others are copies of."""
        self.server.ensure_database(_TEMPLATE)
        database = Database.from_args(self.server.connect_args(_TEMPLATE))
        migrate.upgrade(database)
        database.dispose()

    def measured(self, way: Way, lines: int) -> dict[str, Any]:
        """One measurement in a fresh process, with a database of its own."""
        number = next(self.numbers)
        own = self.folder / f"own_{number}"
        with self._database(way.database, f"bench_{number}") as args:
            place = Place(self.folder, own, lines, args)
            command = [sys.executable, "-m", "tests.benchmarks.ways", way.name]
            done = subprocess.run(
                command,
                input=place.text(),
                text=True,
                stdout=subprocess.PIPE,
                cwd=_ROOT,
                check=True,
            )
        shutil.rmtree(own, ignore_errors=True)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    @contextmanager
    def _database(self, kind: str, name: str) -> Iterator[dict[str, str]]:
        if not kind:
            yield {}
            return
        template = _TEMPLATE if kind == "payouts" else "template0"
        self.server.ensure_database(name, template=template)
        with self.server.connect("postgres", autocommit=True) as connection:
            connection.execute("CHECKPOINT")  # none of the measurement before is left to be written
        yield self.server.connect_args(name)
        with self.server.connect("postgres", autocommit=True) as connection:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            connection.execute(drop)

    def group(self, group: Group, lines: int, repeats: int) -> dict[str, Sample]:
        """All ways of a group, taking turns."""
        ways = registered()
        found: dict[str, list[dict[str, Any]]] = {shown.way: [] for shown in group.ways}
        for turn in range(repeats):
            for name, measured in found.items():
                _say(f"{name} ({turn + 1} of {repeats})")
                measured.append(self.measured(ways[name], lines))
        return {name: Sample.of(measured) for name, measured in found.items()}


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201  progress


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="poe bench", description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000_000, help="of the payee files")
    parser.add_argument("--quick", action="store_true", help="the same as --lines 100000")
    parser.add_argument("--only", action="append", metavar="NAME", help="a group; may be repeated")
    parser.add_argument("--big", action="store_true", help="also ten times as many lines, once")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each way")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there, too")
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    given = parser.parse_args()
    known = {group.name for group in GROUPS}
    strange = set(given.only or ()) - known
    if strange:
        parser.error(f"there is no group {', '.join(sorted(strange))}; there are {sorted(known)}")
    if given.quick:
        given.lines = 100_000
    return given


def _machine(server: embedded.Server, lines: int) -> dict[str, object]:
    with server.connect("postgres") as connection:
        row = connection.execute("SHOW server_version").fetchone()
    git = shutil.which("git")
    commit = "unknown"
    if git is not None:
        words = [git, "describe", "--always", "--dirty", "--abbrev=10"]
        found = subprocess.run(words, cwd=_ROOT, capture_output=True, text=True, check=False)
        commit = found.stdout.strip() or commit
    return {
        "lines": lines,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "postgresql": str((row or ("?",))[0]),
        "system": f"{platform.system()} {platform.machine()}",
        "commit": commit,
    }


def _machine_line(machine: dict[str, object]) -> str:
    return (
        f"{machine['lines']:,} lines · {machine['cores']} cores (load {machine['load']:.1f} at the"
        f" start) · {machine['system']} · Python {machine['python']} · PostgreSQL"
        f" {machine['postgresql']} · psycopg {psycopg.__version__} · commit {machine['commit']}"
    )


def _big(bench: _Bench, lines: int, small: Sample | None) -> tuple[str, dict[str, Any]]:
    """The whole flow with ten times as many lines, once: memory and time must follow."""
    bench.prepare(10 * lines, "turkish")
    _say("flow.ours with ten times as many lines")
    ways = registered()
    facts = bench.measured(ways["flow.ours"], 10 * lines)
    if small is None:
        small = Sample.of([bench.measured(ways["flow.ours"], lines)])
    rows = [f"ten times as many lines: {facts['seconds']:.1f} s, {facts['peak_mib']:.0f} MiB"]
    for words, value, bound in (
        ("peak memory against a tenth", facts["peak_mib"] / small["peak_mib"], 1.25),
        ("peak memory, MiB", facts["peak_mib"], 600),
        ("time against a tenth", facts["seconds"] / small.seconds, 11),
        ("status, ms", facts["ms_status"], 50),
        ("explain, ms", facts["ms_explain"], 50),
        ("first page of items, ms", facts["ms_items"], 50),
        ("large tables scanned by them", float(len(facts["scans"])), 0),
    ):
        verdict = "met" if value <= bound else "NOT MET"
        rows.append(f"    goal: {words:<50}{value:>12,.2f}{f'≤ {bound:g}':>13}{verdict:>10}")
    return "\n".join(rows), facts


def main() -> None:
    """Measure and print."""
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="payouts-bench-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with embedded.running(folder / "postgres") as server:
            _measure(_Bench(folder, server), given)


def _measure(bench: _Bench, given: argparse.Namespace) -> None:
    say: Callable[[str], None] = lambda text: print(text, flush=True)  # noqa: E731, T201  the table
    chosen = [group for group in GROUPS if not given.only or group.name in given.only]
    machine = _machine(bench.server, given.lines)
    say(_machine_line(machine))
    bench.prepare(given.lines, *_MAKERS)
    bench.prepare(_SHORT, "turkish")
    bench.template()
    results: dict[str, Sample] = {}
    for group in chosen:
        found = bench.group(group, given.lines, given.repeats)
        results |= found
        say("\n" + printed(group, found))
    document: dict[str, Any] = {"machine": machine}
    document["ways"] = {
        name: dict(sample.facts) | {"all_s": sample.all_s} for name, sample in results.items()
    }
    if given.big:
        text, document["ten_times"] = _big(bench, given.lines, results.get("flow.ours"))
        say("\n" + text)
    if given.json is not None:
        given.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
