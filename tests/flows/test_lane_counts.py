"""What is counted apart: put off, sent again under the key, sent in parts; and what ends by each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payouts.flows import review
from payouts.flows.cancel import cancel
from payouts.providers.orkestra import Orkestra
from payouts.store.incidents import open_incidents
from tests.flows.byhand import SUBMIT, faults, lane_once, work_until
from tests.flows.conftest import sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.flows.conftest import World

pytestmark = pytest.mark.journey

QUICK = "[retry]\npace = 0.0005\n"
KEYED = SUBMIT["orkestra"]


def test_an_item_that_was_put_off_often_is_still_sent_again_three_times(
    make_world: Callable[..., World],
) -> None:
    """A busy platform that then loses answers: the key still brings the payment back."""
    world = make_world(
        f'[[fault]]\nfault = "locked"\nroute = "{KEYED}"\nnth = [1, 2, 3, 4, 5]\n'
        f'[[fault]]\nfault = "error_after_effect"\nroute = "{KEYED}"\nnth = [6, 7, 8]\n',
        settings=QUICK,
    )

    states = world.pay([sepa("R-0")])

    assert states == {"settled": 1}
    assert world.sql("SELECT tries, put_offs, resends FROM item_now") == [(9, 5, 3)]
    world.check()


def test_a_re_send_that_is_put_off_is_no_re_send(make_world: Callable[..., World]) -> None:
    """It was proven not executed; what counts towards the three is what may have been."""
    world = make_world(
        f'[[fault]]\nfault = "error_after_effect"\nroute = "{KEYED}"\nnth = [1]\n'
        f'[[fault]]\nfault = "locked"\nroute = "{KEYED}"\nnth = [2, 3, 4, 5]\n',
        settings=QUICK,
    )

    states = world.pay([sepa("R-0")])

    assert states == {"settled": 1}
    assert world.sql("SELECT tries, put_offs, resends FROM item_now") == [(6, 4, 1)]
    world.check()


def test_the_search_for_a_poison_item_fails_no_innocent_one(
    make_world: Callable[..., World],
) -> None:
    """Each part is a send, and some of them are put off besides."""
    world = make_world(settings="[retry]\npace = 0.0005\ntries_max = 4\n")
    run = world.load(world.write([turkish(f"R-{place}") for place in range(24)])).run_id
    poison = sorted(world.wires().items())[5][1]
    faults(
        world,
        {"fault": "poison", "route": SUBMIT["orkesta"], "reference": poison},
        {"fault": "locked", "route": SUBMIT["orkesta"], "nth": [4, 6, 8]},
    )

    states = world.work(run)

    assert states == {"failed": 1, "settled": 23}
    assert world.sql("SELECT max(put_offs) < 4, max(tries) > 4 FROM item_now") == [(True, True)]
    world.check()


def test_what_was_sent_again_as_often_as_is_allowed_goes_to_review_at_once(
    make_world: Callable[..., World],
) -> None:
    """Nothing more can happen by itself, so nobody has to wait a day for the alarm."""
    world = make_world(
        f'[[fault]]\nfault = "server_error"\nroute = "{KEYED}"\n',
        settings="[retry]\npace = 0.0005\n",  # a day is 43 seconds, the quiet time half a second
    )
    run = world.load(world.write([sepa("R-0"), sepa("R-1")])).run_id

    work_until(world, lambda: world.states(run) == {"review": 2}, wait_max=20)

    assert world.sql("SELECT DISTINCT code, tries, resends FROM item_now") == [
        ("resends_used", 4, 3)
    ]
    with world.parts.database.reading() as unit:
        assert "W_REVIEW" in {one.code for one in open_incidents(unit)}
    world.check()


class Renamed(Orkestra):
    """The same platform, asked with another account's credentials."""

    def __init__(self, other: Any) -> None:  # noqa: ANN401  any connector; its attributes are taken over
        self.__dict__ = dict(other.__dict__)
        self.account_fingerprint = "another account"


def test_an_unclear_item_is_not_sent_again_with_the_credentials_of_another_account(
    make_world: Callable[..., World],
) -> None:
    """There its key is unknown, and the same request would be a second payment."""
    world = make_world(
        f'[[fault]]\nfault = "error_after_effect"\nroute = "{KEYED}"\n', settings=QUICK
    )
    run = world.load(world.write([sepa("R-0"), sepa("R-1")])).run_id
    work_until(world, lambda: world.states(run) == {"unknown": 2})
    faults(world)

    lane_once(world, "orkestra", connector=Renamed(world.parts.connectors["orkestra"]))

    assert world.states(run) == {"review": 2}
    assert world.sql("SELECT DISTINCT code FROM item_life WHERE after = 'review'") == [
        ("credentials_changed",)
    ]
    assert world.sql("SELECT count(DISTINCT account_fingerprint), count(*) FROM attempt") == [
        (1, 1)
    ]
    with world.parts.database.reading() as unit:
        assert [one.code for one in open_incidents(unit)] == ["W_CREDENTIALS_CHANGED"]
    world.check()


def test_an_approval_reaches_the_rest_of_a_batch_that_lost_an_item(
    make_world: Callable[..., World],
) -> None:
    world = make_world(settings=QUICK)
    run = world.load(
        world.write([turkish(f"R-{place}") for place in range(3)]), policy="person"
    ).run_id
    (first,) = world.sql("SELECT min(id) FROM item")[0]
    cancel(world.parts.database, run, first, reason="wrong amount", actor="person:ana")
    assert world.states(run) == {"pending": 2, "cancelled": 1}

    review.approve(world.parts.database, run, actor="person:ben", reason="checked")

    assert world.states(run) == {"approved": 2, "cancelled": 1}
    assert world.work(run) == {"settled": 2, "cancelled": 1}
    world.check()
