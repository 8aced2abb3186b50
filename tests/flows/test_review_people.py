"""Two people at once, and what a traceback may show."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from payouts.flows import review
from payouts.flows.lane_writer import Writer
from payouts.providers.client import Exchange
from tests.flows.conftest import IBANS, sepa

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import World

pytestmark = pytest.mark.journey


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Start all of them together; what each gave, or the exception it ended by."""
    start = threading.Barrier(len(acts))
    given: list[object] = [None] * len(acts)

    def act(place: int) -> None:
        start.wait()
        try:
            given[place] = acts[place]()
        except Exception as error:  # noqa: BLE001  what came of it is judged by the test
            given[place] = error

    threads = [threading.Thread(target=act, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return given


def test_a_run_that_two_people_approve_at_once_is_reserved_once(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    run = world.load(world.write([sepa("R-1"), sepa("R-2")]), policy="person").run_id

    def approve() -> review.Review:
        return review.approve(world.parts.database, run, actor="person:ana", reason="checked")

    given = at_once(approve, approve, approve)

    assert sorted(made.batches for made in given if isinstance(made, review.Review)) == [0, 0, 1]
    assert world.sql("SELECT count(*) FROM approval") == [(1,)]
    assert world.work(run) == {"settled": 2}
    world.check()


def test_two_runs_that_are_approved_at_once_never_reserve_the_same_money(
    make_world: Callable[..., World],
) -> None:
    """Each alone has enough, both together do not."""
    world = make_world()
    runs = [
        world.load(
            world.write([sepa(f"{name}-1", "600000000.00")], f"{name}.csv"), policy="person"
        ).run_id
        for name in ("A", "B")
    ]

    given = at_once(
        *(
            lambda run=run: review.approve(
                world.parts.database, run, actor="person:ana", reason="checked"
            )
            for run in runs
        )
    )

    assert sorted(made.batches for made in given if isinstance(made, review.Review)) == [0, 1]
    world.check()


def test_what_is_in_flight_shows_no_account_in_a_traceback(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    world.load(world.write([sepa("R-1")]))
    writer = Writer(world.parts.lane_order("orkestra", "main"))
    assert writer.start()
    (claim,) = writer.turn([], 16).claims
    request = writer.order.connector.submission(claim.bodies, claim.key)
    writer.close()

    shown = f"{claim!r} {request!r} {Exchange(status=200, body=claim.bodies[0])!r} {writer.order!r}"

    assert IBANS[0].encode() in claim.bodies[0]
    assert IBANS[0] not in shown
    assert "sandbox-orkestra-secret" not in shown
