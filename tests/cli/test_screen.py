"""What stands on a terminal, and what is written where there is none."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from payouts.cli import screen
from payouts.core.items import State
from payouts.flows.progress import Cell, Facts, standing
from tests.cli.conftest import many
from tests.cli.test_live import approved_by, live

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Terminal

COLOUR = re.compile(r"\x1b\[[0-9;]*[1-9][0-9;]*m")


def typed(terminal: Terminal, *words: str, answer: str = "", **more: str) -> tuple[int, str]:
    """Run a command with a terminal as all three streams; gives its code and what it drew."""
    ours, theirs = pty.openpty()
    inherited = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "PAYOUTS_CONFIG"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "payouts", *words],
        cwd=terminal.folder,
        env={**inherited, **terminal.environment, "TERM": "xterm-256color", **more},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    if answer:
        os.write(ours, answer.encode())
    drawn = bytearray()
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux: the other side is closed
            break
        if not piece:
            break
        drawn += piece
    os.close(ours)
    return process.wait(timeout=30), drawn.decode()


@pytest.mark.journey
def test_a_terminal_shows_a_bar_and_leaves_only_the_summary(
    make_terminal: Callable[..., Terminal],
) -> None:
    terminal = make_terminal(speed="1")

    code, drawn = typed(terminal, "run", terminal.write(many(40)))

    assert code == 0, drawn
    assert "━" in drawn
    assert "settling" in drawn
    assert "settled 40" in drawn or "processing 40" in drawn
    last = drawn[drawn.index("run_") :]
    assert "payouts status run_" in last
    assert "━" not in last


@pytest.mark.journey
def test_no_color_means_no_colour(make_terminal: Callable[..., Terminal]) -> None:
    terminal = make_terminal(speed="1")
    (terminal.folder / "bad.csv").write_text("")

    coloured = typed(terminal, "run", "bad.csv")[1]
    plain = typed(terminal, "run", "bad.csv", NO_COLOR="1")[1]
    drawn = typed(terminal, "run", terminal.write(many(5)), NO_COLOR="1")[1]

    assert COLOUR.search(coloured)
    assert not COLOUR.search(plain)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", drawn)


@pytest.mark.journey
@pytest.mark.parametrize(("answer", "code", "paid"), [("y\n", 0, 3), ("n\n", 5, 0), ("\n", 5, 0)])
def test_a_person_is_asked_in_live_and_the_answer_counts(
    make_terminal: Callable[..., Terminal], answer: str, code: int, paid: int
) -> None:
    terminal = live(make_terminal())

    ended, drawn = typed(terminal, "run", terminal.write(many(3)), answer=answer, LOGNAME="ana")

    assert "Approve and pay this? [y/N]" in drawn
    assert "Batches   1 batch with 3 items" in drawn
    assert ended == code, drawn
    assert len(terminal.effects()) == paid
    assert approved_by(terminal) == ["person:ana" if paid else None]


def cells(**states: int) -> Facts:
    return Facts(
        1, tuple(Cell("orkestra", "main", "EUR", State(s), n, n * 100) for s, n in states.items())
    )


def test_without_a_terminal_a_line_is_written_every_five_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = [0.0]
    plain = screen.Plain(clock=lambda: now[0])

    for second in range(21):
        now[0] = float(second)
        sent = second * 10
        plain.moved(standing(cells(approved=400 - sent, processing=sent)))

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert lines[1] == "sending: 100 of 400 items; 10/s; approved 300 · processing 100"


@pytest.mark.parametrize(
    ("states", "word"),
    [
        ({"approved": 1, "processing": 5}, "sending"),
        ({"sending": 1, "settled": 5}, "sending"),
        ({"processing": 1, "settled": 5}, "settling"),
        ({"settled": 5}, "done"),
        ({"pending": 5}, "waiting"),
        ({"review": 1, "settled": 5}, "waiting"),
    ],
)
def test_the_stage_follows_from_the_states(states: dict[str, int], word: str) -> None:
    assert screen.stage(standing(cells(**states))) == word
