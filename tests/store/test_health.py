"""The doctor's numbers: each is seen to change with what it speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from payouts.store import lanes
from payouts.store.health import health

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.desk import Desk


def test_a_quiet_database_is_well(desk: Desk) -> None:
    with desk.database.reading() as connection:
        seen = health(connection)

    assert seen.version.startswith("PostgreSQL 18")
    assert seen.settings == {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
    assert (seen.workers, seen.lanes_worked, seen.orphans, seen.long_transactions) == (0, 0, 0, 0)
    assert not seen.moved_clock
    assert not seen.stuck
    assert not seen.paused


def test_what_is_stuck_paused_held_and_left_behind_is_counted(
    desk: Desk, sepa: Callable[..., str]
) -> None:
    run_id = desk.load(sepa(3)).run_id
    desk.send(run_id)
    desk.answer(run_id, "unknown", lines=[2], code="read_timeout")
    desk.answer(run_id)
    with desk.database.unit() as unit:
        lanes.pause(unit, "orkestra", "main", "http_401")

    with desk.database.reading() as connection:
        seen = health(connection)

    assert [(one.provider, one.state, one.items) for one in seen.stuck] == [
        ("orkestra", "unknown", 1)
    ]
    assert seen.paused == [("orkestra", "main", "http_401")]
    assert seen.orphans == 1  # the desk's attempt is open, and no worker lives
    assert (seen.jobs, seen.open_runs) == ({"todo": 1}, 1)


def test_living_workers_and_their_lanes_are_counted(desk: Desk) -> None:
    with desk.database.engine.connect() as worker:
        lanes.register_worker(worker)
        assert lanes.try_lane(worker, "orkestra", "main")

        with desk.database.reading() as connection:
            seen = health(connection)

        worker.execute(text("SELECT pg_advisory_unlock_all()"))
    assert (seen.workers, seen.lanes_worked) == (1, 1)
