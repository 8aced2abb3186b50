"""Killed between store and answer: the platform sends it again, and that changes nothing (P17)."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from payouts.flows import inbox
from tests.web.sender import Sender, orkesta_event
from tests.web.victim import order

if TYPE_CHECKING:
    from payouts.store.engine import Database

pytestmark = pytest.mark.journey

ROOT = Path(__file__).parents[2]


def child(database: Database, *words: str) -> subprocess.Popen[str]:
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.web.victim", url, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def stored(database: Database, event: str) -> list[tuple[str, int]]:
    """State and tries of an event, as often as it is there."""
    with database.reading() as connection:
        found = connection.execute(
            text("SELECT state, tries FROM webhook_inbox WHERE event_id = :event"),
            {"event": event},
        )
        return [(state, tries) for state, tries in found]


@pytest.mark.parametrize(
    ("point", "number", "kept"), [("before_store", 1, []), ("after_store", 2, [("new", 0)])]
)
def test_a_receiver_that_is_killed_loses_nothing_and_stores_nothing_twice(
    sender: Sender, database: Database, point: str, number: int, *, kept: list[tuple[str, int]]
) -> None:
    event = orkesta_event(number, "settled", "pay_1")
    with child(database, "receive", point) as process:
        assert process.stdout is not None
        base = process.stdout.readline().strip()
        with pytest.raises((http.client.HTTPException, OSError)):
            Sender(base).post("orkesta", event)
        assert process.wait(20) == -signal.SIGKILL
    before = stored(database, f"evt_{number}")

    status, _ = sender.post("orkesta", event)

    assert before == kept
    assert status == 200
    assert stored(database, f"evt_{number}") == [("new", 0)]


@pytest.mark.parametrize(
    ("point", "number", "left"),
    [("before_commit", 3, ("new", 0)), ("after_commit", 4, ("orphan", 1))],
)
def test_a_worker_that_is_killed_while_it_applies_is_carried_on(
    sender: Sender, database: Database, point: str, number: int, *, left: tuple[str, int]
) -> None:
    sender.post("orkesta", orkesta_event(number, "settled", "pay_unheard"))

    with child(database, "apply", point) as process:
        assert process.wait(20) == -signal.SIGKILL
    after = stored(database, f"evt_{number}")
    inbox.apply(order(database))

    assert after == [left]
    assert stored(database, f"evt_{number}")[0][0] == "orphan"
