"""Others at the lane: one slow answer holds up nobody, and a lost lane loses no answer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psycopg
import pytest

from payouts.flows.lane_order import LaneLostError
from payouts.flows.lane_writer import Writer
from tests.flows.byhand import SUBMIT, lane_once
from tests.flows.conftest import sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import World

pytestmark = pytest.mark.journey

KILL_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_what_is_due_does_not_wait_for_another_s_slow_answer(
    make_world: Callable[..., World],
) -> None:
    route = SUBMIT["orkesta"]
    world = make_world(
        f'[[fault]]\nfault = "late_reply"\nroute = "{route}"\nnth = [1]\n'
        "options = { seconds = 3.0 }\n"
        f'[[fault]]\nfault = "locked"\nroute = "{route}"\nnth = [2]\n',
        settings="[retry]\npace = 0.2\n",
    )
    runs = [
        world.load(world.write([turkish(f"{name}-0", amount)], f"{name}.csv")).run_id
        for name, amount in (("A", "10.00"), ("B", "20.00"))
    ]

    lane_once(world, "orkesta", draw=lambda: 0.9)

    assert [world.states(run) for run in runs] == [{"settled": 1}, {"settled": 1}]
    (span,) = world.sql(
        "SELECT max(at) - min(at) > interval '1 s' FROM item_life WHERE after = 'settled'"
    )
    assert span == (True,), "the second had to wait for the first"
    world.check()


def test_answers_that_are_under_way_when_the_lane_is_lost_become_evidence(
    make_world: Callable[..., World],
) -> None:
    """The other worker took the items for unclear; what the platform still says leads it to them."""
    route = SUBMIT["orkestra"]
    world = make_world(
        f'[[fault]]\nfault = "late_reply"\nroute = "{route}"\nnth = [1, 2]\n'
        "options = { seconds = 1.0 }\n"
        f'[[fault]]\nfault = "late_reply"\nroute = "{route}"\noptions = {{ seconds = 3.0 }}\n',
        settings="[retry]\npace = 0.05\n",
    )
    run = world.load(world.write([sepa(f"R-{place}") for place in range(5)])).run_id
    other: list[Writer] = []

    def take() -> None:
        with psycopg.connect(world.parts.database.conninfo(), autocommit=True) as connection:
            connection.execute(KILL_OTHERS)
        other.append(Writer(world.parts.lane_order("orkestra", "main")))
        assert other[0].start()
        other[0].turn([], 0)

    def once(point: str) -> None:
        if point == "before_send" and not threads:
            threads.append(threading.Timer(0.4, take))
            threads[0].start()

    threads: list[threading.Timer] = []
    with pytest.raises(LaneLostError):
        lane_once(world, "orkestra", reached=once)

    threads[0].join()
    assert world.states(run) == {"unknown": 5}
    assert world.sql("SELECT count(*) FROM evidence WHERE kind = 'reply'") == [(5,)]
    assert world.sql("SELECT count(*) FROM provider_payment") == [(5,)]
    assert world.sql("SELECT DISTINCT reason, count(*) FROM look_request GROUP BY 1") == [
        ("late_reply", 5)
    ]
    other[0].close()
    assert world.work(run) == {"settled": 5}
    assert world.sql("SELECT max(tries) FROM item_now") == [(1,)]
    world.check()
