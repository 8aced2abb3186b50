"""Batches that move as one: a reply that says the same of all items is one row, not five hundred."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.flows.conftest import ACCOUNT, turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import World

COUNT = 6
ROUTE = "POST /orkesta/v1/payments/batch"
LIFE = "SELECT before::text, after::text, provider_status FROM item_life WHERE item_id = :item"


def rows(*, closed: int = 0) -> list[dict[str, str]]:
    endings = ["771111"] * closed + [f"00{place:04d}" for place in range(COUNT - closed)]
    return [
        turkish(f"R-{place}", account=f"{ACCOUNT.format(0)[:-6]}{ending}")
        for place, ending in enumerate(endings)
    ]


def test_a_reply_that_settles_all_items_is_one_move_of_the_batch(
    make_world: Callable[..., World],
) -> None:
    world = make_world()

    states = world.pay(rows())

    assert states == {"settled": COUNT}
    assert world.sql("SELECT count(*) FROM item_event") == [(0,)]
    for (item,) in world.sql("SELECT id FROM item"):
        assert world.sql(f"{LIFE} ORDER BY seq", item=item) == [
            ("pending", "approved", None),
            ("approved", "sending", None),
            ("sending", "settled", "settled"),
        ]
    assert world.sql("SELECT DISTINCT state::text, provider_status FROM item_now") == [
        ("settled", "settled")
    ]
    assert world.sql("SELECT count(DISTINCT provider_ref) FROM provider_payment") == [(COUNT,)]
    world.check()


def test_a_batch_that_was_taken_as_one_is_looked_at_item_by_item(
    make_world: Callable[..., World],
) -> None:
    world = make_world(speed="20")

    states = world.pay(rows())

    assert states == {"settled": COUNT}
    assert world.sql("SELECT DISTINCT before::text, after::text FROM item_event") == [
        ("processing", "settled")
    ]
    assert world.sql(
        "SELECT after::text, provider_status FROM batch_event ORDER BY seq DESC LIMIT 1"
    ) == [("processing", "pending")]
    world.check()


def test_one_item_that_is_refused_makes_each_item_move_by_itself(
    make_world: Callable[..., World],
) -> None:
    world = make_world()

    states = world.pay(rows(closed=1))

    assert states == {"failed": 1, "settled": COUNT - 1}
    assert world.sql("SELECT after::text, count(*) FROM item_event GROUP BY 1 ORDER BY 1") == [
        ("failed", 1),
        ("settled", COUNT - 1),
    ]
    world.check()


def test_an_id_that_is_another_payments_keeps_the_batch_from_moving_as_one(
    make_world: Callable[..., World],
) -> None:
    """A platform that gives one id twice has paid once: the second item goes to people."""
    world = make_world()
    result = world.load(world.write(rows()))
    (first,) = world.sql("SELECT min(id) FROM item")
    with world.parts.database.unit() as unit:
        unit.exec_driver_sql(
            "INSERT INTO provider_payment (provider, provider_ref, item_id)"
            " VALUES ('orkesta', 'pay_known_before', %s)",
            first,
        )

    states = world.work(result.run_id)

    assert states == {"review": 1, "settled": COUNT - 1}
    assert any("contradict" in alarm for alarm in world.alarms)
