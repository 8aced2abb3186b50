"""Duplicates: lines of one file that say the same payment twice, found in bounded memory.

While a file is surveyed, each line leaves 24 bytes: a 64-bit hash of its reference, one of its
whole content, and its line number. Above a million lines they are spilled to temporary files, cut
by the first bits of the reference hash, so that equal references meet in one small part. What
remains in memory is one byte per line, and only for files that repeat something at all.

Two references with one hash (one chance in 400,000 for ten million lines) would show as a conflict
that people see, never as a duplicate: for that, both hashes would have to agree.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, Self

import numpy as np
import polars as pl

from payouts.intake.frames import CANONICAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["VERDICTS", "Duplicates", "Gathering"]

VERDICTS: Final = ("", "duplicate", "conflict", "repeated_without_reference")
"""What is said of a line; the code of its problem is in `CODES`."""

_DUPLICATE: Final = 1
_CONFLICT: Final = 2
_REPEATED: Final = 3
_PARTS: Final = 64
_KEPT_IN_MEMORY: Final = 1 << 20
_ROW: Final = np.dtype([("key", np.uint64), ("content", np.uint64), ("line", np.int64)])


@dataclass(frozen=True, slots=True, eq=False)
class Duplicates:
    """Which lines of a file repeat or contradict another.

    Args:
        verdicts: one number per line of the file (index into `VERDICTS`), empty where all differ.
        duplicates: how many lines equal an earlier one with the same reference.
        conflicts: how many lines share a reference with a line of other content.
        repeated: how many lines equal an earlier one in a file without references.
    """

    verdicts: NDArray[np.uint8]
    duplicates: int = 0
    conflicts: int = 0
    repeated: int = 0

    def mark(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Say which of these lines are not to be paid as they stand.

        Args:
            lines: has `line`; any part of the file.

        Returns:
            `line` (Int64) and `verdict` (String), only for lines that have one:
            `duplicate` (an earlier line of the file is equal and stands for it), `conflict` (all
            lines of one reference, if any two differ), `repeated_without_reference` (an earlier
            line is equal, and no reference says whether a second payment is meant).
        """
        if not self.verdicts.size:
            return pl.DataFrame(schema={"line": pl.Int64, "verdict": pl.String})
        number = lines["line"].to_numpy()
        known = number < len(self.verdicts)  # the last lines may be unreadable, hence unknown
        found = np.where(known, self.verdicts[np.where(known, number, 0)], 0)
        hit = np.flatnonzero(found)
        verdict = pl.Series("verdict", [VERDICTS[code] for code in found[hit]], pl.String)
        return pl.DataFrame([lines["line"].gather(hit), verdict])

    def __repr__(self) -> str:
        """Give the counts, not a number for every line."""
        return (
            f"Duplicates(duplicates={self.duplicates}, conflicts={self.conflicts}, "
            f"repeated={self.repeated})"
        )


class Gathering:
    """Collects the hashes of a file's lines, then compares them.

    Args:
        has_reference: whether the file names its payments; a line of such a file without a
            reference is compared with none (the checks refuse it).
    """

    def __init__(self, *, has_reference: bool) -> None:
        self._has_reference = has_reference
        self._held: list[NDArray[np.void]] = []
        self._count = 0
        self._last_line = 0
        self._spill: list[IO[bytes]] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._held.clear()

    def add(self, lines: pl.DataFrame) -> None:
        """Take more lines in; they have `line` and the canonical columns."""
        if not lines.height:
            return
        self._last_line = max(self._last_line, int(lines["line"][-1]))
        named = lines.filter(pl.col("reference").is_not_null()) if self._has_reference else lines
        rows = np.empty(named.height, _ROW)
        content = named.select(CANONICAL).hash_rows(seed=1)
        rows["content"] = content.to_numpy()
        rows["key"] = (
            named["reference"].hash(seed=7).to_numpy() if self._has_reference else rows["content"]
        )
        rows["line"] = named["line"].to_numpy()
        self._held.append(rows)
        self._count += len(rows)
        if self._spill or self._count > _KEPT_IN_MEMORY:
            self._write()

    def _write(self) -> None:
        """Move what is held to the temporary files."""
        if not self._spill:
            self._spill = [
                self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  the stack closes it
                for _ in range(_PARTS)
            ]
        for rows in self._held:
            part = (rows["key"] >> np.uint64(58)).astype(np.int64)
            ordered = rows[np.argsort(part, kind="stable")]
            edges = np.concatenate([[0], np.cumsum(np.bincount(part, minlength=_PARTS))])
            for number, file in enumerate(self._spill):
                file.write(ordered[edges[number] : edges[number + 1]].tobytes())
        self._held.clear()

    def _parts(self) -> Iterator[NDArray[np.void]]:
        """Yield all rows, those with one key together, in file order within a key."""
        if not self._spill:
            yield np.concatenate(self._held) if self._held else np.empty(0, _ROW)
        for file in self._spill:
            file.seek(0)
            yield np.frombuffer(file.read(), _ROW)

    def compared(self) -> Duplicates:
        """Compare all lines that were taken in."""
        verdicts = np.empty(0, np.uint8)
        for rows in self._parts():
            lines, found = _verdicts(rows, has_reference=self._has_reference)
            if found.size:
                if not verdicts.size:
                    verdicts = np.zeros(self._last_line + 1, np.uint8)
                verdicts[lines] = found
        counts = np.bincount(verdicts, minlength=len(VERDICTS))
        return Duplicates(
            verdicts,
            duplicates=int(counts[_DUPLICATE]),
            conflicts=int(counts[_CONFLICT]),
            repeated=int(counts[_REPEATED]),
        )


def _verdicts(
    rows: NDArray[np.void], *, has_reference: bool
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Give the lines that have a verdict, and the verdicts."""
    in_order = np.sort(rows["key"])
    shared = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    if not shared.size:
        return np.empty(0, np.int64), np.empty(0, np.uint8)
    some = rows[np.isin(rows["key"], shared)]
    some = some[np.argsort(some["key"], kind="stable")]
    first = np.concatenate([[True], some["key"][1:] != some["key"][:-1]])
    starts = np.flatnonzero(first)
    group = np.cumsum(first) - 1
    equal = some["content"] == some["content"][starts][group]
    agreed = np.logical_and.reduceat(equal, starts)[group]
    repeated = _DUPLICATE if has_reference else _REPEATED
    found = np.where(agreed, np.where(first, 0, repeated), _CONFLICT).astype(np.uint8)
    return some["line"][found > 0], found[found > 0]
