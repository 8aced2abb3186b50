"""Holds and pauses: what people stop stays stopped, and goes on with a person's word."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from payouts.flows import control
from payouts.flows.retry import retry_run
from payouts.store import control as store
from payouts.store.control import actions
from payouts.worker import work
from tests.flows.conftest import sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import World

pytestmark = pytest.mark.journey

WHY = "wrong month?"


def work_for(world: World, seconds: float) -> None:
    end = time.monotonic() + seconds
    asyncio.run(
        work(
            world.parts,
            finished=lambda: time.monotonic() > end,
            poll_s=0.02,
            said=world.alarms.append,
        )
    )


def words(world: World, subject: str) -> list[tuple[str, str, str]]:
    with world.parts.database.reading() as unit:
        return [(one.action, one.reason, one.actor) for one in actions(unit, subject)]


def test_a_held_run_waits_and_goes_on_when_it_is_released(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    run = world.load(world.write([turkish("R-1"), sepa("R-2")])).run_id

    assert control.hold(world.parts.database, run, reason=WHY, actor="person:ada")
    assert not control.hold(world.parts.database, run, reason="again", actor="person:bob")
    work_for(world, 0.5)
    held = world.states(run)
    ended = control.release(world.parts.database, run, reason="it was right", actor="person:bob")

    assert (held, ended) == ({"approved": 2}, 1)
    assert world.work(run) == {"settled": 2}
    (name,) = {row[0] for row in world.sql("SELECT subject FROM control_action")}
    assert name.startswith("run_")
    assert words(world, name) == [
        ("release", "it was right", "person:bob"),
        ("hold", WHY, "person:ada"),
    ]
    world.check()


def test_a_held_item_waits_and_its_batch_goes_on(make_world: Callable[..., World]) -> None:
    world = make_world()
    run = world.load(world.write([turkish(f"R-{n}", f"{10 + n}.00") for n in range(3)])).run_id
    (item,) = world.sql("SELECT min(id) FROM item_now WHERE run_id = :run", run=run)[0]

    control.hold(world.parts.database, run, item, reason=WHY, actor="person:ada")

    assert world.work(run) == {"approved": 1, "settled": 2}
    assert world.wires()[item] not in world.effects()
    assert control.release(world.parts.database, run, reason="x", actor="person:ada") == 0
    assert control.release(world.parts.database, run, item, reason="x", actor="person:ada") == 1
    assert world.work(run) == {"settled": 3}
    world.check()


def test_a_release_leaves_the_holds_that_are_no_persons(make_world: Callable[..., World]) -> None:
    world = make_world()
    run = world.load(world.write([turkish("R-1")])).run_id
    with world.parts.database.unit() as unit:
        unit.execute(
            text(
                "INSERT INTO hold (run_id, reason, detail, opened_by)"
                " VALUES (:run, 'rejects', '40 %', 'load')"
            ),
            {"run": run},
        )

    assert control.release(world.parts.database, run, reason="x", actor="person:ada") == 0
    assert world.work(run) == {"approved": 1}


def test_a_paused_platform_is_sent_nothing_not_even_on_lanes_to_come(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    database = world.parts.database
    first = world.load(world.write([turkish("R-1"), sepa("R-2")])).run_id

    paused = control.pause(database, "orkesta", reason="holiday", actor="person:ada")
    other = world.load(world.write([turkish("R-3")], "other.csv"), funding="second").run_id

    assert paused == [("orkesta", "*"), ("orkesta", "main")]
    assert world.work(first) == {"approved": 1, "settled": 1}
    assert world.work(other) == {"approved": 1}
    assert retry_run(database, first).kept == (("orkesta", "main"),)
    work_for(world, 0.3)
    assert world.states(first) == {"approved": 1, "settled": 1}
    resumed = control.resume(database, "orkesta", reason="it is over", actor="person:bob")
    assert [account for _, account in resumed.lanes] == ["*", "main", "second"]
    assert (world.work(first), world.work(other)) == ({"settled": 2}, {"settled": 1})
    assert words(world, "orkesta/*") == [
        ("resume", "it is over", "person:bob"),
        ("pause", "holiday", "person:ada"),
    ]
    world.check()


def test_one_lane_is_paused_and_the_others_go_on(make_world: Callable[..., World]) -> None:
    world = make_world()
    database = world.parts.database
    run = world.load(world.write([turkish("R-1")])).run_id
    lines = [turkish("R-2", "77.00")]
    other = world.load(world.write(lines, "other.csv"), funding="second").run_id

    control.pause(database, "orkesta", "main", reason="x", actor="person:ada")

    assert (world.work(run), world.work(other)) == ({"approved": 1}, {"settled": 1})
    assert control.resume(database, "orkesta", "second", reason="x", actor="a").lanes == ()
    assert len(control.resume(database, "orkesta", "main", reason="x", actor="a").lanes) == 1
    assert world.work(run) == {"settled": 1}


def test_what_waits_after_a_restored_backup_is_resumed_by_no_statement(
    make_world: Callable[..., World],
) -> None:
    """The database is the last line: whatever the program believes, nothing leaves."""
    world = make_world()
    run = world.load(world.write([turkish("R-1")])).run_id
    control.pause(world.parts.database, "orkesta", reason="x", actor="person:ada")
    with world.parts.database.unit() as unit:
        unit.execute(
            text(
                "INSERT INTO restoration (provider, generation, expected, since)"
                " VALUES ('orkesta', 1, 2, payouts_now())"
            )
        )

    with (
        pytest.raises(DBAPIError, match="waits for two people"),
        world.parts.database.unit() as unit,
    ):
        unit.execute(text("UPDATE lane SET paused_at = NULL"))
    with world.parts.database.unit() as unit:
        unit.execute(
            text(
                "INSERT INTO attempt (batch_id, number, items, key, request_hash, worker,"
                " send_by, lease_until) SELECT id, 1, items, 'k', 'h', 1, now(), now() FROM batch"
            )
        )
    with pytest.raises(DBAPIError, match="two people confirm"), world.parts.database.unit() as unit:
        unit.execute(
            text(
                "INSERT INTO batch_event (batch_id, seq, before, after, actor, posting,"
                " attempt_id) SELECT a.batch_id, 2, 'approved', 'sending', 'x',"
                " nextval('posting_seq'), a.id FROM attempt a"
            )
        )
    assert world.states(run) == {"approved": 1}


def test_a_hold_and_a_claim_at_once_leave_no_lane_broken(make_world: Callable[..., World]) -> None:
    """Held or sent, but never both half."""
    world = make_world(settings="[retry]\npace = 0.002\n")
    runs = [
        world.load(world.write([turkish(f"R-{turn}-{n}", f"{10 + turn}.{n}0") for n in range(2)]))
        for turn in range(10)
    ]
    held: dict[int, bool] = {}

    def hold_all() -> None:
        for made in runs:
            time.sleep(0.03)
            held[made.run_id] = control.hold(
                world.parts.database, made.run_id, reason=WHY, actor="person:ada"
            )

    thread = threading.Thread(target=hold_all)
    thread.start()
    work_for(world, 1.2)
    thread.join()
    between = [world.states(made.run_id) for made in runs]
    for made in runs:
        control.release(world.parts.database, made.run_id, reason="x", actor="person:ada")
    work_for(world, 0.2)

    assert all(states in ({"approved": 2}, {"settled": 2}) for states in between), between
    assert [world.work(made.run_id) for made in runs] == [{"settled": 2}] * len(runs)
    world.check()


def test_a_reason_of_the_programs_own_never_takes_the_place_of_a_persons(
    make_world: Callable[..., World],
) -> None:
    """What is confirmed after a restored backup must not lift what ana has stopped."""
    world = make_world()
    with world.parts.database.unit() as unit:
        store.pause(unit, "orkesta", "main", reason="fraud suspected", actor="person:ana")
        store.pause(unit, "orkesta", store.EVERY, reason="restored_found", actor=None)
        store.pause(unit, "orkesta", "main", reason="restored_found", actor=None)
        resumed = store.resume(unit, "orkesta", store.EVERY, reason="restored_found")

    assert resumed == [store.EVERY]
    assert world.sql("SELECT funding, reason, paused_by FROM lane WHERE paused_at IS NOT NULL") == [
        ("main", "fraud suspected", "person:ana")
    ]
