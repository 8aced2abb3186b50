"""Stopping `payouts run` and `payouts worker`, gently and not, and going on afterwards."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import ended, many, sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Terminal

pytestmark = pytest.mark.journey

SLOW = '[[fault]]\nfault = "latency"\nroute = "POST /orkestra/*"\noptions = { seconds = 0.05 }\n'


def test_ctrl_c_once_finishes_what_is_in_flight(make_terminal: Callable[..., Terminal]) -> None:
    terminal = make_terminal(SLOW)
    file = terminal.write(many(600))
    running = terminal.start("run", file)
    terminal.wait_for_effects(51, running)

    running.send_signal(signal.SIGINT)
    done = ended(running)

    assert done.code == 130, done.err
    assert "Stopping: nothing new is sent" in done.err
    assert "Stopped by you: nothing is lost" in done.out
    assert done.lines[-1].startswith(f"Next: payouts run {file}")
    assert "sending" not in done.out
    assert "unknown" not in done.out
    assert 50 < len(terminal.effects()) < 600

    again = terminal.run("run", file)
    assert again.code == 0, again.err
    assert sorted(terminal.effects().values()) == [1] * 600


def test_ctrl_c_twice_stops_at_once_and_nobody_is_paid_twice(
    make_terminal: Callable[..., Terminal],
) -> None:
    terminal = make_terminal(SLOW)
    file = terminal.write(many(300))
    running = terminal.start("run", file)
    terminal.wait_for_effects(21, running)

    running.send_signal(signal.SIGINT)
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    done = ended(running, timeout=15)

    assert done.code == 130, done.err
    assert "Traceback" not in done.err
    again = terminal.run("run", file)
    assert again.code == 0, again.err
    assert sorted(terminal.effects().values()) == [1] * 300


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_lines_are_checked_stores_nothing(
    terminal: Terminal, number: signal.Signals
) -> None:
    file = terminal.write(many(60_000))
    running = terminal.start("run", file)
    terminal.wait_for(lambda: any((terminal.folder / ".payouts" / "files").glob("*.csv")))

    running.send_signal(number)
    done = ended(running)

    assert done.code == 130, done.err
    assert "E_INTERRUPTED" in done.err
    assert not terminal.effects()


@pytest.mark.long  # up to a minute of quiet waits; tests/flows/test_crash.py is its short share
@pytest.mark.parametrize("seed", range(2))
def test_a_killed_run_goes_on_when_it_is_typed_again(fresh: Terminal, seed: int) -> None:
    """SIGKILL at random moments: before the load, in it, while sending, while looking."""
    dice = random.Random(seed)  # noqa: S311  moments, not secrets
    fresh.settings('payer = "first"\n[sandbox]\nspeed = 5\n')
    file = fresh.write(many(200))

    for _ in range(3):
        running = fresh.start("run", file)
        fresh.wait_for_effects(dice.randrange(200), running)
        running.kill()
        ended(running)
    done = fresh.run("run", file)

    assert done.code == 0, done.err
    assert "200 of 200 items" in done.out
    assert sorted(fresh.effects().values()) == [1] * 200


def test_a_worker_goes_on_where_a_run_was_killed(make_terminal: Callable[..., Terminal]) -> None:
    terminal = make_terminal(SLOW)
    file = terminal.write(many(300))
    running = terminal.start("run", file)
    terminal.wait_for_effects(21, running)
    running.kill()
    ended(running)

    worker = terminal.start("worker")
    terminal.wait_for_effects(300, worker)
    worker.send_signal(signal.SIGINT)
    stopped = ended(worker)

    assert stopped.code == 0, stopped.err
    assert "nothing of this worker is in flight" in stopped.err
    assert terminal.run("run", file).code == 0
    assert sorted(terminal.effects().values()) == [1] * 300


def test_a_batch_in_flight_at_a_kill_is_unclear_and_not_sent_again(
    make_terminal: Callable[..., Terminal],
) -> None:
    """Orkesta keeps no key: only evidence may say what became of it."""
    terminal = make_terminal(
        '[[fault]]\nfault = "effect_then_hang"\nroute = "POST /orkesta/*"\ntimes = 1\n'
    )
    file = terminal.write([turkish("T-1"), sepa("S-1")])
    running = terminal.start("run", file)
    terminal.wait_for_effects(2, running)
    running.kill()
    ended(running)

    done = terminal.run("run", file)

    assert done.code == 5, done.err
    assert "1 item without a clear answer" in done.out
    assert sorted(terminal.effects().values()) == [1, 1]


def test_a_run_whose_lane_another_command_worked_goes_on_when_that_one_leaves(
    make_terminal: Callable[..., Terminal],
) -> None:
    """A job that finds its lane taken ends at once: nobody must forget what it was for."""
    terminal = make_terminal(SLOW.replace("0.05", "0.2"))
    first = terminal.start("run", terminal.write(many(700, "A"), "a.csv"))
    terminal.wait_for_effects(10, first)

    second = terminal.start("run", terminal.write(many(50, "B"), "b.csv"))
    terminal.wait_for_effects(400, first)
    first.send_signal(signal.SIGINT)
    done = ended(second)

    assert ended(first).code == 130
    assert done.code == 0, done.err
    assert sorted(terminal.effects().values()) == [1] * 750
