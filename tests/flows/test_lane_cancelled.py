"""What somebody asked to be cancelled is not sent, and not sent again, while the rest goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from payouts.core.outcomes import Verdict
from payouts.flows.lane_writer import Writer
from payouts.flows.looked import Looked
from payouts.providers.client import Exchange
from payouts.providers.connector import Reading
from payouts.store import due, lanes
from tests.flows.byhand import SUBMIT, faults, lane_once, work_until
from tests.flows.conftest import sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import World

pytestmark = pytest.mark.journey

QUICK = "[retry]\npace = 0.0005\n"


def ask_cancel(world: World, run: int, item: int | None) -> None:
    """Only the request's row, as the lane finds it."""
    with world.parts.database.unit() as unit:
        unit.execute(
            text(
                "INSERT INTO cancel_request (run_id, item_id, reason, actor)"
                " VALUES (:run, :item, 'wrong amount', 'person:ana')"
            ),
            {"run": run, "item": item},
        )


@pytest.mark.parametrize("line", [sepa, turkish])
def test_an_item_that_is_asked_to_be_cancelled_stays_when_its_batch_goes(
    make_world: Callable[..., World], line: Callable[..., dict[str, str]]
) -> None:
    world = make_world(settings=QUICK)
    run = world.load(world.write([line(f"R-{place}") for place in range(5)])).run_id
    (asked,) = world.sql("SELECT id FROM item ORDER BY id OFFSET 2 LIMIT 1")[0]
    ask_cancel(world, run, asked)
    turns = 0

    def counted(point: str) -> None:
        nonlocal turns
        turns += point == "before_turn"

    lane_once(world, "orkestra" if line is sepa else "orkesta", reached=counted)

    assert world.states(run) == {"settled": 4, "approved": 1}
    assert world.sql("SELECT state::text FROM item_now WHERE id = :it", it=asked) == [("approved",)]
    assert turns < 30, "the lane span around the item"


def test_a_run_that_is_asked_to_be_cancelled_is_not_sent(make_world: Callable[..., World]) -> None:
    world = make_world(settings=QUICK)
    run = world.load(world.write([turkish("R-0"), turkish("R-1")])).run_id
    ask_cancel(world, run, None)

    lane_once(world, "orkesta")

    assert world.states(run) == {"approved": 2}
    assert world.sql("SELECT count(*) FROM attempt") == [(0,)]


@pytest.mark.parametrize("whole", [False, True])
def test_what_is_unclear_and_asked_to_be_cancelled_is_not_sent_again(
    make_world: Callable[..., World], *, whole: bool
) -> None:
    """The first attempt may have paid it; a second one would be against the person's word."""
    world = make_world(
        f'[[fault]]\nfault = "server_error"\nroute = "{SUBMIT["orkestra"]}"\n', settings=QUICK
    )
    run = world.load(world.write([sepa("R-0"), sepa("R-1")])).run_id
    work_until(world, lambda: world.states(run) == {"unknown": 2})
    (first,) = world.sql("SELECT id FROM item ORDER BY id LIMIT 1")[0]
    ask_cancel(world, run, None if whole else first)
    faults(world)

    lane_once(world, "orkestra", horizon_s=1.0)

    assert world.states(run) == ({"unknown": 2} if whole else {"unknown": 1, "settled": 1})
    assert world.sql("SELECT max(tries) FROM item_now WHERE id = :item", item=first) == [(1,)]


def test_a_request_that_came_while_its_batch_was_being_locked_is_seen(
    make_world: Callable[..., World],
) -> None:
    """The statement that locks reads what was there when it began."""
    world = make_world(settings=QUICK)
    run = world.load(world.write([turkish("R-0"), turkish("R-1")])).run_id
    (first,) = world.sql("SELECT id FROM item ORDER BY id LIMIT 1")[0]
    with world.parts.database.unit() as unit:
        found = due.due_batches(unit, "orkesta", "main", limit=4)
        assert [batch.split for batch in found] == [False]
        ask_cancel(world, run, first)
        assert [batch.split for batch in due._without_cancelled(unit, found)] == [True]  # noqa: SLF001  what follows the lock
        ask_cancel(world, run, None)
        assert due._without_cancelled(unit, found) == []  # noqa: SLF001  what follows the lock


def test_the_platform_s_cancelled_is_our_cancel_where_we_asked_for_it(
    make_world: Callable[..., World],
) -> None:
    world = make_world(speed="0.001", settings="[retry]\npace = 1\n")
    run = world.load(world.write([turkish("R-0", "10.00"), turkish("R-1", "20.00")])).run_id
    lane_once(world, "orkesta")
    assert world.states(run) == {"processing": 2}
    first, second = [key for (key,) in world.sql("SELECT id FROM item ORDER BY id")]
    ask_cancel(world, run, first)
    with world.parts.database.unit() as unit:
        lanes.ask_looks(unit, [first, second], reason="cancel")
    writer = Writer(world.parts.lane_order("orkesta", "main"))
    assert writer.start()
    looked = [item for item, _ in writer.turn([], 4).looks]
    said = [Reading([Verdict.CANCELLED], [one.ref], ["cancelled"], [None], []) for one in looked]

    writer.turn(
        [Looked(one, Exchange(200, b"{}"), says) for one, says in zip(looked, said, strict=True)],
        0,
    )
    writer.close()

    assert world.sql("SELECT id, state::text FROM item_now ORDER BY id") == [
        (first, "cancelled"),
        (second, "failed"),
    ]
