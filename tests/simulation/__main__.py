"""`python -m tests.simulation`: play schedules, and replay the one that failed.

python -m tests.simulation --schedules 2000 --from 1
python -m tests.simulation --seed 4711
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from payouts.store import embedded
from tests.simulation.runner import Report, replay, run


def main() -> int:
    """Parse, play, print; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one and make it smaller")
    parser.add_argument("--schedules", type=int, default=500)
    parser.add_argument("--from", dest="begin", type=int, default=1)
    parser.add_argument("--server", type=Path, help="folder of an embedded server to be used")
    parser.add_argument("--first", action="store_true", help="stop at the first failure as it is")
    parser.add_argument("--focus", default="", help="faults and mishaps that befall every plan")
    given = parser.parse_args()
    report, focus = Report(), [name for name in given.focus.split(",") if name]
    with (
        tempfile.TemporaryDirectory(prefix="payouts-sim-") as folder,
        embedded.running(given.server or Path(folder) / "postgres") as server,
    ):
        if given.seed is not None:
            return replay(server, Path(folder), given.seed)
        seeds = range(given.begin, given.begin + given.schedules)
        run(server, Path(folder), seeds, report, plain=given.first, focus=focus)
    print(report)  # noqa: T201  the figures
    return 1 if report.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
