"""What a dead worker leaves behind is taken over: everything, once, and only as far as is safe."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.flows.byhand import SUBMIT, control, faults, lane_dies, work_until
from tests.flows.conftest import sepa

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import World

pytestmark = pytest.mark.journey

QUICK = "[retry]\npace = 0.0005\n"


def test_a_death_while_one_item_is_sent_again_and_its_neighbours_still_fly(
    make_world: Callable[..., World],
) -> None:
    """The item is in two open attempts, the batch's and its own; it becomes unclear once."""
    world = make_world(
        f'[[fault]]\nfault = "too_many_requests"\nroute = "{SUBMIT["orkestra"]}"\nnth = [1]\n'
        f'[[fault]]\nfault = "late_reply"\nroute = "{SUBMIT["orkestra"]}"\nnth = [2]\n'
        "options = { seconds = 1.8 }\n"
        f'[[fault]]\nfault = "hang_without_effect"\nroute = "{SUBMIT["orkestra"]}"\n'
        "nth = [3, 4, 5, 6]\n",
        settings=QUICK,
    )
    run = world.load(world.write([sepa(f"R-{place}") for place in range(6)])).run_id
    lane_dies(world, "orkestra", "before_send", 7)
    assert world.sql("SELECT count(*) FROM attempt WHERE closed_at IS NULL") == [(2,)]
    faults(world)

    states = world.work(run)

    assert states == {"settled": 6}
    world.check()


def test_an_unclear_item_is_not_sent_again_when_the_platform_has_forgotten_its_key(
    make_world: Callable[..., World],
) -> None:
    """The worker was away for longer than the key lives: the re-send would be a second payment."""
    world = make_world(
        f'[[fault]]\nfault = "effect_then_reset"\nroute = "{SUBMIT["orkestra"]}"\n',
        settings="[retry]\npace = 0.001\n[orkestra]\nkey_life_h = 0.5\n",
    )
    run = world.load(world.write([sepa(f"R-{place}") for place in range(3)])).run_id
    work_until(world, lambda: world.states(run) == {"unknown": 3})
    faults(world)
    control(world, "settings", {"key_life_s": 1.8})
    time.sleep(2.0)

    states = world.work(run)

    assert [len(made) for made in world.effects().values()] == [1, 1, 1]
    assert states == {"review": 3}
    world.check()
