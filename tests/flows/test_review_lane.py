"""A lane among others: holds on single items, a database that breaks off, workers that freeze."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text

from payouts.flows.lane_writer import Writer
from tests.flows.byhand import SUBMIT, DiedError, dies_at, lane_once
from tests.flows.conftest import sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.store.engine import Database
    from tests.flows.conftest import World

pytestmark = pytest.mark.journey

QUICK = "[retry]\npace = 0.0005\n"
KILL_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def hold_item(world: World, run: int, item: int) -> None:
    with world.parts.database.unit() as unit:
        unit.execute(
            text(
                "INSERT INTO hold (run_id, item_id, reason, detail, opened_by)"
                " VALUES (:run, :item, 'person', 'first payment', 'person:ana')"
            ),
            {"run": run, "item": item},
        )


def release_items(world: World) -> None:
    with world.parts.database.unit() as unit:
        unit.execute(text("UPDATE hold SET released_at = payouts_now() WHERE item_id IS NOT NULL"))


@pytest.mark.parametrize("line", [sepa, turkish])
def test_a_held_item_stays_when_its_batch_goes(
    make_world: Callable[..., World], line: Callable[..., dict[str, str]]
) -> None:
    """A hold on one item must also count while its batch still moves as a whole."""
    world = make_world(settings=QUICK)
    run = world.load(world.write([line(f"R-{place}") for place in range(5)])).run_id
    (held,) = world.sql("SELECT id FROM item ORDER BY id OFFSET 2 LIMIT 1")[0]
    hold_item(world, run, held)
    turns = 0

    def counted(point: str) -> None:
        nonlocal turns
        turns += point == "before_turn"

    provider = "orkestra" if line is sepa else "orkesta"
    lane_once(world, provider, reached=counted)

    assert world.states(run) == {"settled": 4, "approved": 1}
    assert world.sql("SELECT state::text FROM item_now WHERE id = :held", held=held) == [
        ("approved",)
    ]
    assert turns < 30, "the lane span around the held item"
    release_items(world)
    assert world.work(run) == {"settled": 5}
    world.check()


@pytest.mark.parametrize("provider", ["orkesta", "orkestra"])
def test_answers_survive_a_database_that_ends_all_sessions(
    make_world: Callable[..., World], provider: str
) -> None:
    """What came back of a platform that can do neither look-up nor key must not be lost to that."""
    world = make_world(
        f'[[fault]]\nfault = "late_reply"\nroute = "{SUBMIT[provider]}"\n'
        "options = { seconds = 0.6 }\n",
        settings="[retry]\npace = 0.0005\n",
    )
    line = turkish if provider == "orkesta" else sepa
    run = world.load(world.write([line(f"R-{place}") for place in range(8)])).run_id
    killed: list[bool] = []

    def kill(point: str) -> None:
        if point == "before_send" and not killed:
            killed.append(True)
            threading.Timer(0.3, _kill_others, [world.parts.database]).start()

    lane_once(world, provider, reached=kill)

    assert killed
    assert world.states(run) == {"settled": 8}
    assert world.sql("SELECT count(*) FROM attempt") == [(1,)]
    world.check()


def _kill_others(database: Database) -> None:
    with psycopg.connect(database.conninfo()) as connection:
        connection.execute(KILL_OTHERS)


def test_a_deadlock_undoes_a_turn_and_the_turn_is_done_again(
    make_world: Callable[..., World],
) -> None:
    """Two lanes of one run and currency lock its accounts in the order of their answers."""
    world = make_world(settings=QUICK)
    run = world.load(world.write([turkish(f"R-{place}") for place in range(4)])).run_id
    (reserved,) = world.sql("SELECT id FROM ledger_account WHERE kind = 'reserved'")[0]
    (batch,) = world.sql("SELECT id FROM batch")[0]
    locked = threading.Event()

    def stranger() -> None:
        with world.parts.database.unit() as unit:
            unit.execute(
                text("SELECT 1 FROM ledger_account WHERE id = :id FOR NO KEY UPDATE"),
                {"id": reserved},
            )
            locked.set()
            time.sleep(0.5)  # the lane has locked the batch by now and waits for the account
            unit.execute(text("SELECT 1 FROM batch WHERE id = :id FOR UPDATE"), {"id": batch})

    def tried() -> None:
        try:
            stranger()
        except Exception as error:  # noqa: BLE001  one of the two is the victim
            victims.append(error)

    victims: list[Exception] = []
    for _ in range(2):
        other = threading.Thread(target=tried)
        other.start()
        locked.wait(5)
        locked.clear()
        lane_once(world, "orkesta")
        other.join()

    assert world.states(run) == {"settled": 4}
    world.check()


def test_a_frozen_worker_loses_its_lane_when_its_lease_is_over(
    make_world: Callable[..., World],
) -> None:
    """It comes back to a void fence: what it still brings is evidence and moves nothing."""
    world = make_world(settings=QUICK)
    run = world.load(world.write([sepa(f"R-{place}") for place in range(3)])).run_id
    frozen = Writer(world.parts.lane_order("orkestra", "main"))
    assert frozen.start()
    (claim,) = frozen.turn([], 16).claims
    assert lane_once(world, "orkestra") == []  # the lease runs: the lane is taken
    assert world.states(run) == {"sending": 3}
    with world.parts.database.unit() as unit:
        unit.execute(text("UPDATE attempt SET lease_until = payouts_now() - interval '1 s'"))

    states = world.work(run)

    assert states == {"settled": 3}
    assert claim.members == [key for (key,) in world.sql("SELECT id FROM item ORDER BY id")]
    frozen.close()
    world.check()


def test_a_request_leaves_only_while_its_attempt_is_fresh(
    make_world: Callable[..., World],
) -> None:
    """Frozen between the commit and the send: the time runs from the commit (P20)."""
    world = make_world(settings=QUICK)
    run = world.load(world.write([turkish("R-1")])).run_id
    slept: list[bool] = []

    def freeze(point: str) -> None:
        if point == "after_turn" and not slept:
            slept.append(True)
            time.sleep(0.4)

    lane_once(world, "orkesta", send_by_s=0.3, reached=freeze)

    assert world.states(run) == {"settled": 1}
    assert world.sql("SELECT outcome, http_status FROM attempt ORDER BY id") == [
        ("not_executed", None),
        ("readable", 200),
    ]
    world.check()


def test_a_lane_that_is_stopped_leaves_its_rest_to_a_job(make_world: Callable[..., World]) -> None:
    world = make_world(settings=QUICK)
    run = world.load(world.write([sepa(f"R-{place}") for place in range(3)])).run_id
    with world.parts.database.unit() as unit:
        unit.execute(text("DELETE FROM queue.procrastinate_jobs"))

    lane_once(world, "orkestra", stopping=lambda: True)

    assert world.states(run) == {"approved": 3}
    assert world.sql(
        "SELECT args ->> 'provider', status::text, scheduled_at > now()"
        " FROM queue.procrastinate_jobs"
    ) == [("orkestra", "todo", True)]


def test_waiting_for_answers_fills_no_queue_with_jobs(make_world: Callable[..., World]) -> None:
    """One job for what is due later, however many turns the lane took."""
    world = make_world(speed="0.001", settings="[retry]\npace = 1\n")
    world.load(world.write([sepa(f"R-{place}") for place in range(60)]))
    with world.parts.database.unit() as unit:
        unit.execute(text("DELETE FROM queue.procrastinate_jobs"))

    lane_once(world, "orkestra")

    assert world.sql("SELECT count(*) FROM queue.procrastinate_jobs") == [(1,)]


def test_an_unclear_item_whose_id_is_known_is_asked_for_soon(
    make_world: Callable[..., World],
) -> None:
    """An id with a status word that nobody knows: the next look tells, not the end of the day."""
    world = make_world(
        f'[[fault]]\nfault = "unknown_status"\nroute = "{SUBMIT["orkesta"]}"\nnth = [1]\n',
        settings="[retry]\npace = 0.002\n",
    )

    states = world.pay([turkish(f"R-{place}") for place in range(3)])

    assert states == {"settled": 3}
    world.check()


def test_a_sender_that_breaks_ends_its_lane_and_is_not_forgotten(
    make_world: Callable[..., World],
) -> None:
    """Also when it broke while a turn was being written; what had come by then is recorded."""
    world = make_world(settings=QUICK)
    run = world.load(world.write([sepa(f"R-{place}") for place in range(30)])).run_id

    with pytest.raises(DiedError):
        lane_once(world, "orkestra", reached=dies_at("after_send", 20))

    assert set(world.states(run)) == {"settled", "sending"}
    assert world.work(run) == {"settled": 30}
    world.check()


def test_a_worker_survives_a_database_that_ends_all_sessions(
    make_world: Callable[..., World],
) -> None:
    """The queue's own connections end too: what is in flight is recorded and the run goes on."""
    world = make_world(
        f'[[fault]]\nfault = "late_reply"\nroute = "{SUBMIT["orkesta"]}"\n'
        "options = { seconds = 0.8 }\n",
        settings=QUICK,
    )
    run = world.load(world.write([turkish(f"R-{place}") for place in range(8)])).run_id

    def kill_in_flight() -> None:
        with psycopg.connect(world.parts.database.conninfo(), autocommit=True) as watching:
            while not watching.execute("SELECT FROM attempt").fetchall():
                time.sleep(0.02)
        _kill_others(world.parts.database)

    killer = threading.Thread(target=kill_in_flight)
    killer.start()

    states = world.work(run)

    killer.join()
    assert states == {"settled": 8}
    assert world.sql("SELECT outcome FROM attempt") == [("readable",)]
    world.check()
