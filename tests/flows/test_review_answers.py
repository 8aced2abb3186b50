"""Answers that would stop a lane, or that say the same thing in two places at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from payouts.core.outcomes import Answer, Verdict
from payouts.flows.lane import asked_wait
from payouts.flows.lane_writer import Writer
from payouts.flows.looked import Looked
from payouts.flows.record import Submitted
from payouts.providers.client import Exchange
from payouts.providers.connector import Reading
from payouts.providers.orkestra import Orkestra
from payouts.store.looks import LookedItem
from tests.flows.byhand import SUBMIT, faults, lane_once, work_until
from tests.flows.conftest import sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.providers.connector import Sent
    from tests.flows.conftest import World

pytestmark = pytest.mark.journey

QUICK = "[retry]\npace = 0.0005\n"


def put_off(wires: list[str], **rule: object) -> list[dict[str, object]]:
    """Faults: the platform tells these items to come again."""
    return [
        {
            "fault": "refused_items",
            "route": SUBMIT["orkesta"],
            "options": {"code": "try_later", "references": wire},
            **rule,
        }
        for wire in wires
    ]


class Stumbling(Orkestra):
    """A connector whose reader has a fault that shows at one reply."""

    def __init__(self, other: Any) -> None:  # noqa: ANN401  any connector; its attributes are taken over
        self.__dict__ = dict(other.__dict__)
        self.read_so_far = 0

    def read(self, exchange: Exchange, sent: Sent) -> Reading:
        self.read_so_far += 1
        if self.read_so_far == 3:
            raise KeyError(sent.currency)
        return super().read(exchange, sent)


def test_a_fault_in_a_reader_costs_one_item_its_answer_and_no_other(
    make_world: Callable[..., World],
) -> None:
    """Two hundred replies are in flight when one of them trips the reader."""
    world = make_world(settings=QUICK)
    run = world.load(world.write([sepa(f"R-{place}") for place in range(40)])).run_id
    connector = Stumbling(world.parts.connectors["orkestra"])

    alarms = lane_once(world, "orkestra", connector=connector, horizon_s=0.0)

    assert world.states(run) == {"settled": 39, "unknown": 1}
    assert alarms == ["a reply of orkestra was not understood: KeyError, a fault of ours"]
    assert world.work(run) == {"settled": 40}
    world.check()


@pytest.mark.parametrize(
    "asked",
    [
        "Mon, 99 Jan 99999999999999999999 00:00:00",
        "Mon, 01 Jan 2024 00:00:00 +99999999999999999999",
        "soon",
        "\x00",
        "",
    ],
)
def test_a_retry_after_that_means_nothing_is_no_wait(asked: str) -> None:
    assert asked_wait(Exchange(status=429, retry_after=asked)) is None


def test_an_item_that_is_always_put_off_ends(make_world: Callable[..., World]) -> None:
    """Bounded retries also where the reply is readable and names the item (P18)."""
    world = make_world(settings="[retry]\npace = 0.00002\ntries_max = 3\n")
    run = world.load(world.write([turkish(f"R-{place}") for place in range(3)])).run_id
    faults(world, *put_off(sorted(world.wires().values())[:1]))

    states = world.work(run, wait_max=15)

    assert states == {"settled": 2, "failed": 1}
    assert world.sql("SELECT max(tries) FROM item_event") == [(3,)]
    world.check()


def test_a_late_rejection_and_a_look_in_one_turn_are_booked_apart(
    make_world: Callable[..., World],
) -> None:
    """Both move an unclear item of one batch to failed; each is a transfer of its own."""
    world = make_world(
        f'[[fault]]\nfault = "server_error"\nroute = "{SUBMIT["orkestra"]}"\n', settings=QUICK
    )
    run = world.load(world.write([sepa("R-0", "10.00"), sepa("R-1", "20.00")])).run_id
    work_until(world, lambda: world.states(run) == {"unknown": 2})
    (first, second) = [key for (key,) in world.sql("SELECT id FROM item ORDER BY id")]
    with world.parts.database.unit() as unit:
        unit.execute(
            text(
                "INSERT INTO hold (run_id, item_id, reason, detail, opened_by)"
                " VALUES (:run, :item, 'person', 'not yet', 'person:ana')"
            ),
            {"run": run, "item": second},
        )
    time.sleep(0.5)
    writer = Writer(world.parts.lane_order("orkestra", "main"))
    assert writer.start()
    (claim,) = writer.turn([], 16).claims
    assert claim.members == [first]
    failed = Reading([Verdict.REJECTED], ["77"], ["FAILED"], ["account_closed"], [])
    (row,) = world.sql(
        "SELECT batch_id, id, currency, amount_minor, wire_prefix, state::text, seq, tries, clouded,"
        " '78', 1.0::float8 FROM item_now WHERE id = :second",
        second=second,
    )
    seen = Reading([Verdict.REJECTED], ["78"], ["FAILED"], ["account_closed"], [])
    looked = Looked(LookedItem(*row), Exchange(status=200, body=b"{}"), seen)
    said = Submitted(
        claim, range(1), Exchange(status=200, body=b"{}"), Answer.READABLE, failed, done=True
    )

    writer.turn([said, looked], 0)
    writer.close()

    assert world.states(run) == {"failed": 2}
    world.check()


def test_a_key_names_the_bytes_that_it_was_used_for(make_world: Callable[..., World]) -> None:
    """Another choice of items under the same key would bring back the answer of the first (P15)."""
    world = make_world(settings=QUICK)
    run = world.load(world.write([turkish(f"R-{place}") for place in range(6)])).run_id
    faults(world, *put_off(sorted(world.wires().values())[:3], times=1))

    states = world.work(run)

    assert states == {"settled": 6}
    keys = world.sql("SELECT key, encode(request_hash, 'hex') FROM attempt ORDER BY id")
    assert len(keys) == 2
    assert all(key.endswith(digest[:16]) for key, digest in keys)
    world.check()
