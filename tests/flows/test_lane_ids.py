"""The platform's ids: one for each item; where they are mixed up, nobody is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payouts.core.ids import public_id
from payouts.core.outcomes import Answer, Verdict
from payouts.flows.lane_writer import Writer
from payouts.flows.submitted import Submitted
from payouts.providers.client import Exchange
from payouts.providers.connector import Reading
from payouts.store.incidents import open_incidents
from tests.flows.byhand import faults, lane_once
from tests.flows.conftest import sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from payouts.store.lanes import Claim
    from tests.flows.conftest import World

pytestmark = pytest.mark.journey

QUICK = "[retry]\npace = 0.0005\n"
LOOK = "GET /orkestra/payouts/*"


def said(
    claim: Claim, refs: Sequence[str], places: range | None = None, *, done: bool = True
) -> Submitted:
    count = len(refs)
    reading = Reading([Verdict.SETTLED] * count, [*refs], ["PAID"] * count, [None] * count, [])
    return Submitted(
        *(claim, places or range(count), Exchange(200, b"{}"), Answer.READABLE, reading),
        done=done,
    )


def incidents(world: World) -> set[tuple[str, str]]:
    with world.parts.database.reading() as unit:
        return {(one.code, one.subject) for one in open_incidents(unit)}


def test_an_id_that_two_items_of_a_reply_have_is_neither_s(
    make_world: Callable[..., World],
) -> None:
    """One payment for two people: the first in the list is as likely unpaid as the second."""
    world = make_world(settings=QUICK)
    run = world.load(world.write([turkish(f"R-{place}") for place in range(3)])).run_id
    writer = Writer(world.parts.lane_order("orkesta", "main"))
    assert writer.start()
    (claim,) = writer.turn([], 4).claims

    writer.turn([said(claim, ["pay_1", "pay_1", "pay_3"])], 0)
    writer.close()

    one, two, three = claim.members
    assert world.sql("SELECT id, state::text, code FROM item_now ORDER BY id") == [
        (one, "review", "payment_id_differs"),
        (two, "review", "payment_id_differs"),
        (three, "settled", None),
    ]
    assert world.sql("SELECT provider_ref, item_id FROM provider_payment") == [("pay_3", three)]
    assert incidents(world) == {
        ("E_PAYMENT_ID", "orkesta/main"),
        ("E_PAYMENT_ID", public_id("itm", one)),
        ("E_PAYMENT_ID", public_id("itm", two)),
    }
    assert world.states(run) == {"review": 2, "settled": 1}


def test_an_id_that_an_earlier_item_has_makes_that_one_be_looked_at(
    make_world: Callable[..., World],
) -> None:
    world = make_world(settings=QUICK)
    world.load(world.write([sepa("R-0"), sepa("R-1")]))
    writer = Writer(world.parts.lane_order("orkestra", "main"))
    assert writer.start()
    (claim,) = writer.turn([], 16).claims
    one, two = claim.members
    writer.turn([said(claim, ["pay_1"], range(1), done=False)], 0)

    writer.turn([said(claim, ["pay_1"], range(1, 2))], 0)
    writer.close()

    assert world.sql("SELECT id, state::text FROM item_now ORDER BY id") == [
        (one, "settled"),
        (two, "review"),
    ]
    assert world.sql("SELECT item_id, reason FROM look_request") == [(one, "payment_id")]
    assert ("E_PAYMENT_ID", public_id("itm", one)) in incidents(world)


@pytest.mark.parametrize("nth", [[1], []])
def test_a_payment_that_the_platform_does_not_know_any_more_goes_to_people(
    make_world: Callable[..., World], nth: list[int]
) -> None:
    """It said "taken" and now "no such payment": neither paid nor failed; once is no word."""
    world = make_world(speed="0.001", settings=QUICK)
    run = world.load(world.write([sepa("R-0")])).run_id
    faults(world, {"fault": "not_found", "route": LOOK, **({"nth": nth} if nth else {})})

    lane_once(world, "orkestra", horizon_s=2.5)

    (item,) = world.sql("SELECT id FROM item")[0]
    subject = public_id("itm", item)
    if nth:
        assert world.states(run) == {"processing": 1}
        assert incidents(world) == set()
        assert world.sql("SELECT count(*) FROM look_request") == [(0,)]
    else:
        assert world.states(run) == {"review": 1}
        assert world.sql("SELECT code FROM item_now") == [("payment_gone",)]
        assert incidents(world) == {("E_PAYMENT_GONE", subject)}
        assert world.sql(
            "SELECT count(*) >= 2 FROM evidence WHERE kind = 'lookup' AND http_status = 404"
        ) == [(True,)]
    world.check()
