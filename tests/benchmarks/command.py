"""The command as a person types it: how long until help shows, and until the first file is paid."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.benchmarks.ways import Facts, Place, require, way

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__: list[str] = []

_ROOT: Final = Path(__file__).parents[2]
_SOME_REJECTED: Final = 3


def _run(words: Sequence[str], folder: Path) -> tuple[float, subprocess.CompletedProcess[str]]:
    command = [sys.executable, "-m", "payouts", *words]
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return time.perf_counter() - begun, done


@way("command.help")
def _help(place: Place) -> Facts:
    place.own.mkdir(parents=True, exist_ok=True)
    seconds, done = _run(["--help"], place.own)
    require("status of --help", done.returncode, 0)
    return {"seconds": seconds, "items": 1}


@way("command.first")
def _first(place: Place) -> Facts:
    """README's first command after installation: nothing was started or made before."""
    inputs = place.own / "inputs"
    inputs.mkdir(parents=True)
    shutil.copy(_ROOT / "inputs" / "gig_week.csv", inputs)
    shutil.copytree(_ROOT / "pipelines", place.own / "pipelines")
    (place.own / "payouts.toml").write_text('payer = "first"\n')
    seconds, done = _run(["run", "inputs/gig_week.csv"], place.own)
    if done.returncode != _SOME_REJECTED:
        sys.stderr.write(done.stderr + done.stdout)
    require("status of run", done.returncode, _SOME_REJECTED)
    return {"seconds": seconds, "items": 1_200}
