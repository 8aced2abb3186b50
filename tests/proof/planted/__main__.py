"""`python -m tests.proof.planted`: hunt all planted bugs, or those whose name has a word."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from payouts.store import embedded
from tests.proof.planted.bugs import BUGS
from tests.proof.planted.runner import hunt


def main() -> int:
    """Print a table; 1 where a bug was not noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.planted", description=__doc__)
    parser.add_argument("words", nargs="*", help="only bugs whose name has one of these")
    given = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory(prefix="payouts-bugs-") as folder:
        where = Path(folder)
        with embedded.running(where / "postgres"):
            for bug in BUGS:
                if given.words and not any(word in bug.name for word in given.words):
                    continue
                for layer_off in (False, True) if bug.off else (False,):
                    found = hunt(bug, where, where / "postgres", layer_off=layer_off)
                    missed += not found.killed
                    print(  # noqa: T201  the table
                        f"{'killed  ' if found.killed else 'SURVIVED'} {found.seconds:6.1f} s"
                        f"  {found.bug} ({found.layers})  {found.how}",
                        flush=True,
                    )
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
