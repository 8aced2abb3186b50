"""A provider that fails is left alone; one that refuses much makes the lane ask a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payouts.core.ids import public_id
from payouts.store import lanes
from payouts.store.incidents import open_incidents
from tests.flows.byhand import SUBMIT, lane_once
from tests.flows.conftest import ACCOUNT, sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import World

pytestmark = pytest.mark.journey


def incidents(world: World) -> set[tuple[str, str]]:
    with world.parts.database.reading() as unit:
        return {(one.code, one.subject) for one in open_incidents(unit)}


def test_a_platform_that_fails_is_left_alone_and_then_tried_with_little(
    make_world: Callable[..., World],
) -> None:
    """Its trouble makes few payments unclear, and not all of the file."""
    world = make_world(
        f'[[fault]]\nfault = "unavailable"\nroute = "{SUBMIT["orkestra"]}"\nfor_s = 0.5\n',
        settings="[retry]\npace = 0.002\n",
    )
    run = world.load(world.write([sepa(f"R-{place}") for place in range(150)])).run_id

    lane_once(world, "orkestra")

    assert world.states(run) == {"settled": 150}
    (unclear,) = world.sql("SELECT count(*) FROM item_now WHERE resends > 0")[0]
    assert 5 <= unclear < 60, "without a breaker nearly all of them are"
    assert ("W_BREAKER_OPEN", "orkestra/main") in incidents(world)
    assert world.sql("SELECT count(*) FROM attempt WHERE items = 1") != [(0,)], "nothing was tried"
    world.check()


@pytest.mark.parametrize(("closed", "pauses"), [(9, False), (15, True)])
def test_a_batch_of_which_a_fifth_is_refused_makes_the_lane_ask(
    make_world: Callable[..., World], closed: int, *, pauses: bool
) -> None:
    """The wrong column in the file looks like many closed accounts."""
    world = make_world(settings="[retry]\npace = 0.0005\n")
    ends = ["771111"] * closed + [f"00{place:04d}" for place in range(60 - closed)]
    lines = [
        turkish(f"R-{place}", account=f"{ACCOUNT.format(0)[:-6]}{end}")
        for place, end in enumerate(ends)
    ]
    run = world.load(world.write(lines)).run_id

    lane_once(world, "orkesta")

    assert world.states(run) == {"failed": closed, "settled": 60 - closed}
    (batch,) = world.sql("SELECT id FROM batch")[0]
    with world.parts.database.unit() as unit:
        paused = lanes.paused(unit, "orkesta", "main")
        assert (paused is not None) == pauses
    subject = public_id("bat", batch)
    assert incidents(world) == (
        {("E_MANY_REJECTED", subject), ("E_LANE_PAUSED", "orkesta/main")} if pauses else set()
    )
    world.check()
