"""Likeness: whether a file looks like one that was paid a few days ago under another name (P3).

A line without a reference is known by what it pays and by the period of its pipeline, so the file
of yesterday with one more line is new in every line today. Its lines are looked for under the
other periods of the last days too; where enough of them are found, a person has to confirm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.core.ids import public_id
from payouts.flows.identity import fingerprints
from payouts.store import runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Repeats", "alike"]

_LEAST: Final = 2
_SHARE: Final = 2
"""One in so many of the lines."""


class Repeats:
    """Counts the lines of a file without references that earlier periods have accepted.

    Costs one look-up of a chunk's fingerprints per period, and nothing where there is none.

    Args:
        periods: of the pipeline's runs of the last days, without the file's own.
    """

    def __init__(self, probe: Connection, payer_id: int, periods: list[str]) -> None:
        self._probe, self._payer_id, self._periods = probe, payer_id, periods
        self._lines = 0
        self._runs: dict[int, int] = {}

    def add(self, accepted: pl.DataFrame) -> None:
        """Look at more lines that are to be paid; they have `content`, each once in a file."""
        if not self._periods or accepted.is_empty():
            return
        asked = [accepted.select(fingerprints(period)).to_series() for period in self._periods]
        found = pl.concat([runs.claimed(self._probe, self._payer_id, each) for each in asked])
        self._lines += found["known_content"].n_unique()
        for run_id, lines in found["known_run"].value_counts().iter_rows():
            self._runs[run_id] = self._runs.get(run_id, 0) + lines

    def sentence(self, accepted: int) -> str | None:
        """What is alike, where it is at least half of `accepted` lines and more than one."""
        if self._lines < max(_LEAST, -(-accepted // _SHARE)):
            return None
        run_id, lines = max(self._runs.items(), key=lambda found: (found[1], found[0]))
        others = f", {self._lines} with other runs" if self._lines > lines else ""
        return (
            f"{lines:,} of {accepted:,} lines pay what run {public_id('run', run_id)}"
            f" paid in another period{others}"
        )


def alike(unit: Connection, run_id: int, repeats: Repeats, accepted: int) -> str | None:
    """Why a run is to be confirmed: its lines were paid lately, or its totals and count are."""
    sentence = repeats.sentence(accepted)
    if sentence is not None:
        return sentence
    twins = runs.lookalikes(unit, run_id)
    return f"same totals and count as run {public_id('run', twins[-1])}" if twins else None
