"""Whole journeys with the sandbox's own webhooks, over real sockets, and then the checker."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from payouts.web.running import receiving
from payouts.worker import work
from tests.flows.conftest import sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.flows.conftest import World

pytestmark = pytest.mark.journey

COUNT = 6
LINES = {"orkesta": turkish, "orkestra": sepa}
NO_POLLS = "[retry]\npace = 1.0\n[web]\nport = 0\n"  # the first poll would come after a minute


def rows(provider: str) -> list[dict[str, str]]:
    return [LINES[provider](f"{provider}-{place}", f"{10 + place}.25") for place in range(COUNT)]


@contextmanager
def heard(world: World) -> Iterator[list[str]]:
    """A receiver that the world's sandbox sends to."""
    said: list[str] = []
    with receiving(world.parts, said=said.append):
        yield said


def worked_until(world: World, run: int, expected: dict[str, int]) -> dict[str, int]:
    """Work as `serve` does, also while the run rests: a webhook may still come."""
    end = time.monotonic() + 30

    def finished() -> bool:
        return world.states(run) == expected or time.monotonic() > end

    asyncio.run(work(world.parts, finished=finished, poll_s=0.05, said=world.alarms.append))
    return world.states(run)


def worked_for(world: World, run: int, seconds: float) -> dict[str, int]:
    """Work on for a while."""
    end = time.monotonic() + seconds
    asyncio.run(work(world.parts, finished=lambda: time.monotonic() > end, poll_s=0.05))
    return world.states(run)


@pytest.mark.parametrize("provider", ["orkesta", "orkestra"])
def test_webhooks_end_a_run_long_before_the_first_poll(
    make_world: Callable[..., World], provider: str
) -> None:
    world = make_world(speed="20", settings=NO_POLLS)
    with heard(world) as said:
        run = world.load(world.write(rows(provider))).run_id
        states = worked_until(world, run, {"settled": COUNT})

    assert states == {"settled": COUNT}
    assert said == []
    proofs = world.sql("SELECT count(*) FROM evidence WHERE kind = 'lookup'")
    assert proofs[0][0] >= COUNT  # it was the looks that settled them
    world.check()


@pytest.mark.parametrize(
    "fault",
    [
        "effect_then_reset",
        pytest.param("error_after_effect", marks=pytest.mark.long),
        pytest.param("cut", marks=pytest.mark.long),
    ],
)
def test_a_lost_batch_reply_is_resolved_by_the_webhooks_and_a_look(
    make_world: Callable[..., World], fault: str
) -> None:
    """Without them nobody could know which of 500 payments were made, and people would have to."""
    route = "POST /orkesta/v1/payments/batch"
    world = make_world(
        f'[[fault]]\nfault = "{fault}"\nroute = "{route}"\nnth = [1]\n',
        speed="20",
        settings=NO_POLLS,
    )
    with heard(world):
        run = world.load(world.write(rows("orkesta"))).run_id
        states = worked_until(world, run, {"settled": COUNT})

    assert states == {"settled": COUNT}
    assert [len(made) for made in world.effects().values()] == [1] * COUNT
    world.check()


ENDS = {"settled": 2 * COUNT - 1, "failed": 1}


def test_the_first_event_alone_is_enough_for_a_lost_batch_reply(
    make_world: Callable[..., World],
) -> None:
    """It comes while the request is on the wire, when nobody knows yet that its reply is lost."""
    route = "POST /orkesta/v1/payments/batch"
    rules = f'[[fault]]\nfault = "effect_then_reset"\nroute = "{route}"\nnth = [1]\n'
    for kind in ("processing", "settled"):
        rules += f'[[fault]]\nfault = "webhook_lost"\nroute = "WEBHOOK /orkesta/payment.{kind}"\n'
    world = make_world(rules, speed="20", settings="[web]\nport = 0\n")
    with heard(world):
        run = world.load(world.write(rows("orkesta"))).run_id
        states = worked_until(world, run, {"settled": COUNT})

    assert states == {"settled": COUNT}
    world.check()


BOTH = {"orkesta", "orkestra"}
STORM = [
    # fault, its options, whose webhooks are taken, incidents that are opened
    ("webhook_contradictory", "", BOTH, set()),
    # Basic does not cover the body: what was altered is taken, and only asked about.
    ("webhook_altered", "", {"orkestra"}, {"E_WEBHOOK_DIFFERS"}),
    ("webhook_other_amount", "", BOTH, {"E_WEBHOOK_DIFFERS"}),
    ("webhook_replayed", "seconds = 0.5", BOTH, set()),
]
LONG_STORM = [
    ("webhook_forged", "", BOTH, set()),
    ("webhook_malformed", "", set(), set()),
    ("webhook_lost", "", set(), set()),
    ("webhook_late", "seconds = 0.3", BOTH, set()),
    ("webhook_out_of_order", "", BOTH, set()),
    ("webhook_duplicated", "copies = 3", BOTH, set()),
    ("webhook_wrong_secret", "", set(), set()),
    ("webhook_unsigned", "", set(), set()),
    ("webhook_unknown_item", "", BOTH, {"W_WEBHOOK_ORPHAN"}),
]


@pytest.mark.parametrize(
    ("fault", "options", "taken", "incidents"),
    [
        *(pytest.param(*row, id=row[0]) for row in STORM),
        *(pytest.param(*row, id=row[0], marks=pytest.mark.long) for row in LONG_STORM),
    ],
)
def test_whatever_becomes_of_webhooks_the_run_ends_as_the_platform_says(
    make_world: Callable[..., World],
    fault: str,
    options: str,
    *,
    taken: set[str],
    incidents: set[str],
) -> None:
    """P11 to P13, and polling is the backstop."""
    rules = "".join(
        f'[[fault]]\nfault = "{fault}"\nroute = "WEBHOOK /{provider}/*"\n'
        + (f"[fault.options]\n{options}\n" if options else "")
        for provider in LINES
    )
    world = make_world(rules, speed="20", settings="[web]\nport = 0\n")
    with heard(world):
        lines = rows("orkesta") + rows("orkestra")
        lines[0]["account"] = "acc_01hx3k9qze4p7vb2ntcm773333"  # taken, and failed later
        run = world.load(world.write(lines)).run_id
        states = worked_until(world, run, ENDS)
        again = worked_for(world, run, 1.0)  # whatever still comes changes nothing

    assert states == again == ENDS
    assert sorted(len(made) for made in world.effects().values()) == [1] * (2 * COUNT)
    assert {name for (name,) in world.sql("SELECT provider FROM webhook_inbox")} == taken
    told = {code for (code,) in world.sql("SELECT code FROM incident WHERE code LIKE '%WEBHOOK%'")}
    assert told == incidents
    world.check()


@pytest.mark.parametrize("provider", ["orkesta", pytest.param("orkestra", marks=pytest.mark.long)])
def test_money_that_comes_back_long_after_is_heard_of_and_returned(
    make_world: Callable[..., World], provider: str
) -> None:
    """What is settled is not polled any more: nobody else would tell before the statement."""
    world = make_world(speed="20", settings="[web]\nport = 0\n")
    with heard(world):
        run = world.load(world.write(rows(provider))).run_id
        worked_until(world, run, {"settled": COUNT})
        (ref, item), *_ = world.sql("SELECT provider_ref, item_id FROM provider_payment")
        _send_back(world, ref)
        states = worked_until(world, run, {"settled": COUNT - 1, "returned": 1})

    assert states == {"settled": COUNT - 1, "returned": 1}
    assert world.sql("SELECT state::text FROM item_now WHERE id = :id", id=item) == [("returned",)]
    world.check()


def _send_back(world: World, ref: str) -> None:
    """The payment with this id comes back."""
    control = (world.folder / ".payouts" / "sandbox" / "control").read_text().strip()
    httpx.post(f"{control}/_control/return", json={"effect": ref}).raise_for_status()
