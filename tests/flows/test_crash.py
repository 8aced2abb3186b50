"""Killed at any point and started again: nobody is paid twice, nobody is lost, the money adds up.

A child process loads and works a file and is SIGKILLed at a named point; another process drops the
same file once more and works on. Real database, real socket, and then the checker.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.flows.conftest import sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import World

pytestmark = pytest.mark.journey

ROOT = Path(__file__).parents[2]
ROWS = [sepa(f"S-{place}", f"{10 + place}.25") for place in range(7)]
ROWS += [turkish(f"T-{place}", f"{20 + place}.50") for place in range(5)]
KEYED = "orkestra"

POINTS = [
    ("load:before_commit", 1),
    ("load:after_commit", 1),
    *(
        (f"lane:{point}", hit)
        for point in ("before_turn", "before_commit", "after_turn", "before_send", "after_send")
        for hit in (1, 2, 5)
    ),
]


def killed_at(world: World, path: Path, point: str, hit: int) -> None:
    """Run a child on the file; it must have come to its end, at the point."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.flows.victim", world.folder, path, point, str(hit)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, f"{point} was not reached:\n{child.stderr}"


def recovered(world: World, path: Path) -> None:
    """Drop the file again, work, and hold the outcome against the truth."""
    again = world.load(path)
    states = world.work(again.run_id)
    rows = world.sql(
        "SELECT provider, state::text, count(*) FROM item_now WHERE run_id = :run GROUP BY 1, 2",
        run=again.run_id,
    )
    by_provider = {(provider, state): count for provider, state, count in rows}
    assert world.sql("SELECT count(*) FROM line WHERE outcome = 'accepted'") == [(len(ROWS),)]
    assert sum(states.values()) == len(ROWS)
    assert by_provider.get((KEYED, "settled")) == 7, by_provider
    assert {state for _, state in by_provider} <= {"settled", "unknown"}, by_provider
    effects = [len(made) for made in world.effects().values()]
    assert max(effects, default=0) <= 1
    assert sum(effects) >= by_provider.get(("orkesta", "settled"), 0) + 7
    assert world.sql("SELECT count(*) FROM attempt WHERE closed_at IS NULL") == [(0,)]
    world.check()


@pytest.mark.parametrize(("point", "hit"), POINTS, ids=str)
def test_a_worker_that_is_killed_leaves_nothing_broken(
    make_world: Callable[..., World], point: str, hit: int
) -> None:
    world = make_world(settings="[retry]\npace = 0.0005\n")
    path = world.write(ROWS)

    killed_at(world, path, point, hit)

    recovered(world, path)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("lane:after_send", 2), ("lane:after_turn", 1)),
        (("lane:before_send", 5), ("lane:before_commit", 1)),
    ],
    ids=["sent-then-swept", "claimed-then-sweeping"],
)
def test_a_worker_that_is_killed_while_it_recovers_leaves_nothing_broken(
    make_world: Callable[..., World], first: tuple[str, int], second: tuple[str, int]
) -> None:
    world = make_world(settings="[retry]\npace = 0.0005\n")
    path = world.write(ROWS)

    killed_at(world, path, *first)
    killed_at(world, path, *second)

    recovered(world, path)


@pytest.mark.parametrize("hit", [6, 9])
def test_a_worker_that_is_killed_among_lost_and_put_off_answers_leaves_nothing_broken(
    make_world: Callable[..., World], hit: int
) -> None:
    """Items are out again while their batch is out, some of them unclear, when the end comes."""
    world = make_world(
        '[[fault]]\nfault = "effect_then_reset"\nroute = "POST /orkestra/payouts"\nnth = [2, 9]\n'
        '[[fault]]\nfault = "locked"\nroute = "POST /orkestra/payouts"\nnth = [1, 3]\n'
        '[[fault]]\nfault = "late_reply"\nroute = "POST /orkestra/payouts"\nnth = [5, 6, 7]\n'
        "options = { seconds = 0.3 }\n",
        settings="[retry]\npace = 0.0005\n",
    )
    path = world.write(ROWS)

    killed_at(world, path, "lane:after_send", hit)

    recovered(world, path)
