"""The files of the project: what git tracks, or would."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

__all__ = ["ROOT", "source_files", "text_files", "tracked"]

ROOT = Path(__file__).parents[2]
_BINARY = {".xlsx", ".parquet", ".png", ".gz"}
_OURS_TO_IGNORE = {".git", ".venv", "__pycache__", "dist", "build", "node_modules"}


@cache
def tracked() -> tuple[Path, ...]:
    """All files, absolute; without git, those that its ignore list would leave."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode == 0 and done.stdout:
        names = done.stdout.decode().rstrip("\0").split("\0")
        return tuple(path for name in names if (path := ROOT / name).is_file())
    found = []
    for folder, below, names in os.walk(ROOT):
        below[:] = [
            name
            for name in below
            if name not in _OURS_TO_IGNORE
            and not name.endswith((".egg-info", "_cache"))
            and name not in {".payouts", ".hypothesis"}
        ]
        found += [Path(folder, name) for name in names]
    return tuple(found)


def text_files() -> list[Path]:
    """Files that people read, without the damaged samples."""
    return [
        path
        for path in tracked()
        if path.suffix not in _BINARY and "damaged" not in path.relative_to(ROOT).parts
    ]


def source_files(*packages: str) -> list[Path]:
    """Our Python files below these packages of `payouts`."""
    homes = tuple(ROOT / "payouts" / name for name in packages)
    return [
        path
        for path in tracked()
        if path.suffix == ".py" and any(path.is_relative_to(home) for home in homes)
    ]
