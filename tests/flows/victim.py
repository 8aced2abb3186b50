"""A process that loads a file, works, and kills itself at a named point: `python -m … FOLDER …`.

Its arguments are the project folder, the file, the point and the hit at which it dies. It knows
nothing of its end beforehand: SIGKILL leaves no time to tidy up.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from payouts.core.pipeline import Pipeline
from payouts.flows import load as loading
from payouts.flows import progress
from payouts.intake.survey import survey
from payouts.settings import load_settings
from payouts.wiring import Parts, opened
from payouts.worker import work

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.flows.lane import LaneOrder

PATIENCE_S = 20.0


class Doomed:
    """Counts a point and kills the process at its hit."""

    def __init__(self, point: str, hit: int) -> None:
        self.point, self.left = point, hit

    def __call__(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class DoomedParts(Parts):
    """Parts whose lanes reach the point, in the order in which they come to it."""

    doomed: Doomed

    def lane_order(
        self, provider: str, funding: str, *, stopping: Callable[[], bool] = lambda: False
    ) -> LaneOrder:
        """As wired, with the failpoint."""
        order = super().lane_order(provider, funding, stopping=stopping)
        return replace(order, reached=self.doomed)


def main(folder: Path, path: Path, point: str, hit: int) -> None:
    """Load, work until the run rests or the end comes."""
    where, _, name = point.partition(":")
    doomed = Doomed(name, hit)
    with opened(load_settings(folder)) as parts:
        copy = parts.take_copy(path)
        order = parts.load_order(Pipeline("disbursement"), path, copy)
        loaded = loading.load(
            parts.database,
            survey(copy),
            parts.rules(),
            replace(order, reached=doomed) if where == "load" else order,
            encoders=parts.connectors,
            batch_max=parts.batch_max,
            signer=parts.signer,
            vault=parts.vault,
        )
        mine = DoomedParts(*(getattr(parts, each.name) for each in fields(Parts)))
        object.__setattr__(mine, "doomed", doomed if where == "lane" else Doomed("", 0))
        end = time.monotonic() + PATIENCE_S

        def rests() -> bool:
            with parts.database.reading() as unit:
                facts = progress.read(unit, loaded.run_id, keyed=("orkestra",))
            return progress.standing(facts).rests or time.monotonic() > end

        asyncio.run(work(mine, finished=rests, poll_s=0.05))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
