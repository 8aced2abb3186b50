"""Plant a bug in a copy of the package, run whoever has to notice, and demand that they do."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.proof.planted.bugs import SIMULATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.proof.planted.bugs import Bug, Edit

__all__ = ["Outcome", "PlantError", "changed", "edits_of", "hunt", "plant", "planted", "sources"]

ROOT = Path(__file__).parents[3]
SCHEDULES = 150
_TIMEOUT_S = 240.0
_COPIED = ("payouts", "pipelines", "inputs", "tests", "pyproject.toml", "README.md", "CHANGELOG.md")


class PlantError(Exception):
    """A bug cannot be planted: its target is gone, or stands more than once."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a hunt.

    Args:
        layers: `all on`, or `neighbour off`.
        how: the first sentence by which it was noticed; empty where it was not.
    """

    bug: str
    layers: str
    killed: bool
    seconds: float
    how: str


def sources(root: Path) -> dict[Path, str]:
    """The package's texts below `root`; the sandbox is no part of what is judged."""
    files = [*(root / "payouts").rglob("*.py"), *(root / "payouts").rglob("*.sql")]
    return {path: path.read_text("utf-8") for path in files if "sandbox" not in path.parts}


def changed(texts: dict[Path, str], edits: Iterable[Edit], layer: str = "") -> dict[Path, str]:
    """The texts that edits change, as they are then.

    Args:
        layer: the module that is meant where a text stands in several.

    Raises:
        PlantError: a text does not stand exactly once in the package.
    """
    found: dict[Path, str] = {}
    for before, after in edits:
        places = [path for path, text in texts.items() if before in text]
        if len(places) > 1:
            places = [path for path in places if ".".join(path.parts).endswith(f"{layer}.py")]
        times = sum(texts[path].count(before) for path in places)
        if times != 1:
            raise PlantError(f"stands {times} times in the package, and not once:\n{before}")
        path = places[0]
        found[path] = found.get(path, texts[path]).replace(before, after)
        if path.suffix == ".py":
            compile(found[path], str(path), "exec")
    return found


def plant(root: Path, edits: Iterable[Edit], layer: str = "") -> None:
    """Apply edits to the package below `root`."""
    for path, text in changed(sources(root), edits, layer).items():
        path.write_text(text, "utf-8")


def edits_of(bug: Bug, *, layer_off: bool = False) -> tuple[Edit, ...]:
    """A bug's edits, and where asked the one that switches its neighbouring layer off."""
    return (*bug.edits, *([_after_migrations(bug.off)] if layer_off else []))


def planted(folder: Path, edits: Iterable[Edit], layer: str = "") -> Path:
    """A copy of the project with the edits."""
    root = folder / "project"
    if root.exists():
        shutil.rmtree(root)
    root.mkdir(parents=True)
    for name in _COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, root / name)
    plant(root, edits, layer)
    return root


def hunt(
    bug: Bug,
    folder: Path,
    server: Path,
    *,
    layer_off: bool = False,
    focus: Sequence[str] = (),
    schedules: int = SCHEDULES,
) -> Outcome:
    """Plant a bug, run its killer in a process of its own.

    Args:
        server: folder of an embedded server that the simulation uses.
        focus: in place of the bug's own.

    Raises:
        PlantError: it cannot be planted, or its killer did not run.
    """
    root = planted(folder, edits_of(bug, layer_off=layer_off), bug.layer)
    begun = time.monotonic()
    done = subprocess.run(
        _command(bug, server, focus or bug.focus, schedules),
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode not in {0, 1}:
        raise PlantError(f"{bug.name}: the killer did not run\n{done.stdout}{done.stderr}")
    said = [line.strip() for line in done.stdout.splitlines() if _telling(line)]
    killed = done.returncode == 1 and bool(said)
    if done.returncode == 1 and not said:
        raise PlantError(f"{bug.name}: the killer broke down\n{done.stdout}{done.stderr}")
    return Outcome(
        bug.name,
        "neighbour off" if layer_off else "all on",
        killed,
        time.monotonic() - begun,
        said[0][:160] if killed else "",
    )


def _after_migrations(statements: str) -> Edit:
    """An edit by which the migrator runs these statements too."""
    last = "            context.run_migrations()\n"
    return last, f"{last}        connection.exec_driver_sql({statements!r})\n"


def _command(bug: Bug, server: Path, focus: Sequence[str], schedules: int) -> list[str]:
    if bug.killer == SIMULATION:
        given = ["--server", str(server), "--schedules", str(schedules), "--first"]
        given += ["--focus", ",".join(focus)]
        return [sys.executable, "-m", "tests.simulation", *given]
    tests = shlex.split(bug.killer)
    return [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]


def _telling(line: str) -> bool:
    return line.lstrip().startswith(("BROKEN ", "FAILED ", "ERROR "))
