"""Picking up: which files of a pipeline's folder are payee files, and which of them are whole.

A file is whole when it did not change for a while: its last change is `settle_s` old, or two looks
`settle_s` apart see the same size and time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

__all__ = ["Settling", "arrivals", "fingerprint", "settled"]

_OURS: Final = (".results.csv", ".results.jsonl", ".run_result.json", ".report.html")
_UNFINISHED: Final = (".part", ".partial", ".filepart", ".tmp", ".crdownload", ".swp", "~")
_NOTES: Final = (".md", ".ready")


@dataclass(frozen=True, slots=True)
class Settling:
    """How long a file must be quiet, and how long that is waited for."""

    settle_s: float = 2.0
    wait_max_s: float = 600.0


def arrivals(root: Path, pattern: str) -> list[Path]:
    """The files that a pattern, relative to a folder, stands for, by name.

    Left out are hidden files, files that other programs are still writing by their names, notes,
    and the reports that we wrote beside a payee file: a results file has the payer's columns and
    would be paid again.
    """
    whole = root / pattern
    found = Path(whole.anchor).glob(str(whole.relative_to(whole.anchor)))
    return sorted(path for path in found if path.is_file() and _taken(path.name))


def _taken(name: str) -> bool:
    low = name.lower()
    return not (name.startswith((".", "~$")) or low.endswith((*_OURS, *_UNFINISHED, *_NOTES)))


def settled(
    files: Iterable[Path],
    *,
    settling: Settling,
    now: Callable[[], float] = time.time,
    stopping: Callable[[], bool] = lambda: False,
) -> tuple[list[Path], list[Path]]:
    """Wait until files are whole: `(whole, restless)`; those that vanish are in neither.

    Args:
        now: seconds since the epoch, as the files' times are.
        stopping: gives up waiting; what is not whole then is restless.
    """
    seen = {path: print_ for path in files if (print_ := fingerprint(path)) is not None}
    whole = [path for path, print_ in seen.items() if now() - print_[1] / 1e9 >= settling.settle_s]
    waiting = {path: print_ for path, print_ in seen.items() if path not in set(whole)}
    end = time.monotonic() + settling.wait_max_s
    while waiting and not stopping() and time.monotonic() < end:
        time.sleep(settling.settle_s)
        for path, before in list(waiting.items()):
            after = fingerprint(path)
            if after is None:
                del waiting[path]
            elif after == before:
                del waiting[path]
                whole.append(path)
            else:
                waiting[path] = after
    return sorted(whole), sorted(waiting)


def fingerprint(path: Path) -> tuple[int, int, int] | None:
    """Size, time of the last change in nanoseconds and inode of a file; none where it is gone."""
    try:
        found: os.stat_result = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino
