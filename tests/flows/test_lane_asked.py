"""Looks that somebody asked for: whatever the item's state, the platform's current answer decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from payouts import jobs
from payouts.core.errors import UsageError
from payouts.core.ids import public_id
from payouts.core.outcomes import Verdict
from payouts.flows import reissue
from payouts.flows.lane_writer import Writer
from payouts.flows.looked import Looked
from payouts.providers.client import Exchange
from payouts.providers.connector import Reading
from payouts.store.incidents import open_incidents
from payouts.store.looks import ask_looks
from tests.flows.byhand import control, faults, lane_once
from tests.flows.conftest import sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from payouts.store.looks import LookedItem
    from tests.flows.conftest import World

pytestmark = pytest.mark.journey

QUICK = "[retry]\npace = 0.0005\n"
LOOK = "GET /orkestra/payouts/*"


def ask(world: World, *items: int) -> None:
    with world.parts.database.unit() as unit:
        jobs.enqueue_lanes(unit, ask_looks(unit, items, reason="webhook"))


def items_of(world: World) -> list[int]:
    return [key for (key,) in world.sql("SELECT id FROM item ORDER BY id")]


def incidents(world: World) -> set[tuple[str, int, str]]:
    with world.parts.database.reading() as unit:
        return {(one.code, one.severity, one.subject) for one in open_incidents(unit)}


class Hand:
    """A lane whose looks are answered by hand."""

    def __init__(self, world: World, provider: str = "orkestra") -> None:
        self.writer = Writer(world.parts.lane_order(provider, "main"))
        assert self.writer.start()

    def claim(self) -> list[LookedItem]:
        return [item for item, _ in self.writer.turn([], 16).looks]

    def say(self, verdict: Verdict, *items: LookedItem) -> None:
        said = [Reading([verdict], [item.ref], ["WORD"], [None], []) for item in items]
        answers = [
            Looked(item, Exchange(200, b"{}"), reading)
            for item, reading in zip(items, said, strict=True)
        ]
        self.writer.turn([*answers], 0)


@pytest.fixture
def hand() -> Iterator[Callable[[World], Hand]]:
    made: list[Hand] = []

    def make(world: World) -> Hand:
        made.append(Hand(world))
        return made[-1]

    yield make
    for one in made:
        one.writer.close()


def test_an_item_that_somebody_asked_about_is_looked_at_once(
    make_world: Callable[..., World],
) -> None:
    world = make_world(settings=QUICK)
    run = world.load(world.write([sepa("R-0"), sepa("R-1")])).run_id
    assert world.work(run) == {"settled": 2}
    first, _ = items_of(world)

    ask(world, first)
    ask(world, first)
    lane_once(world, "orkestra")

    assert world.sql("SELECT count(*) FROM look_request") == [(0,)]
    assert world.sql("SELECT item_id, http_status FROM evidence WHERE kind = 'lookup'") == [
        (first, 200)
    ]
    assert world.states(run) == {"settled": 2}
    assert incidents(world) == set()
    world.check()


def test_a_return_is_found_by_a_look(make_world: Callable[..., World]) -> None:
    """Nobody polls what is settled: the webhook's word is checked by the look, then booked."""
    world = make_world(settings=QUICK)
    run = world.load(world.write([sepa("R-0"), sepa("R-1")])).run_id
    assert world.work(run) == {"settled": 2}
    first, _ = items_of(world)
    hand = Hand(world)
    ask(world, first)
    (item,) = hand.claim()

    hand.say(Verdict.RETURNED, item)
    hand.writer.close()

    assert world.states(run) == {"settled": 1, "returned": 1}
    assert world.sql(
        "SELECT c.kind, c.item_id IS NOT NULL FROM ledger_transfer t JOIN ledger_transfer c"
        " ON c.id = t.corrects WHERE t.kind = 'settled>returned'"
    ) == [("sending>settled", False)]


# Where the item is, what the look says; where it is then, the incident, and whether the lane pauses.
LATE = [
    ("failed", Verdict.SETTLED, "settled", ("E_PAID_AFTER_FAILED", 1), False),
    ("failed", Verdict.RETURNED, "returned", ("E_PAID_AFTER_FAILED", 1), False),
    ("failed", Verdict.PROCESSING, "failed", ("E_ALIVE_AFTER_END", 1), False),
    ("failed", Verdict.REJECTED, "failed", None, False),
    ("cancelled", Verdict.SETTLED, "settled", ("E_PAID_AFTER_CANCEL", 1), True),
    ("expired", Verdict.SETTLED, "settled", ("E_PAID_AFTER_FAILED", 1), False),
    ("settled", Verdict.PROCESSING, "settled", None, False),
    ("settled", Verdict.REJECTED, "settled", ("E_FAILED_AFTER_PAID", 2), False),
    ("settled", Verdict.CANCELLED, "settled", ("E_FAILED_AFTER_PAID", 2), False),
    ("settled", Verdict.MISMATCH, "settled", ("E_LOOK_DIFFERS", 2), False),
    ("approved", Verdict.SETTLED, "settled", ("E_EFFECT_UNSENT", 1), True),
    ("approved", Verdict.PROCESSING, "processing", ("E_EFFECT_UNSENT", 1), True),
    ("approved", Verdict.REJECTED, "approved", None, False),
    ("pending", Verdict.SETTLED, "pending", ("E_EFFECT_UNSENT", 1), True),
]


def put(world: World, run: int, state: str) -> list[int]:
    """Two items in a state, each known to the platform."""
    with world.parts.database.unit() as unit:
        unit.execute(
            text(
                "INSERT INTO provider_payment (provider, provider_ref, item_id)"
                " SELECT 'orkestra', 'pay_' || id, id FROM item"
            )
        )
        if state in {"settled", "failed"}:
            _sent(unit, run, state)
        elif state in {"cancelled", "expired"}:
            unit.execute(
                text(
                    "INSERT INTO batch_event (batch_id, seq, before, after, actor, posting)"
                    " SELECT id, base_seq + 1, 'approved', CAST(:state AS item_state), 'test',"
                    " nextval('posting_seq') FROM batch"
                ),
                {"state": state},
            )
        unit.execute(text("UPDATE batch SET send_at = NULL"))
    return items_of(world)


def _sent(unit: object, run: int, state: str) -> None:
    for before, after in (("approved", "sending"), ("sending", state)):
        unit.execute(  # type: ignore[attr-defined]
            text(
                "WITH a AS (INSERT INTO attempt (batch_id, number, items, key, request_hash,"
                " worker, send_by, lease_until) SELECT id, 1, items, 'key', payload_hash, 1,"
                " payouts_now(), payouts_now() + interval '1 hour' FROM batch"
                " WHERE run_id = :run AND :after = 'sending' RETURNING id, batch_id),"
                " p AS (INSERT INTO evidence (kind, provider, batch_id) SELECT 'reply', 'orkestra',"
                " id FROM batch WHERE :after <> 'sending' RETURNING id, batch_id)"
                " INSERT INTO batch_event (batch_id, seq, before, after, actor, posting,"
                " attempt_id, evidence_id) SELECT id, base_seq + 1, CAST(:before AS item_state),"
                " CAST(:after AS item_state), 'test', nextval('posting_seq'),"
                " (SELECT id FROM a), (SELECT id FROM p) FROM batch"
            ),
            {"run": run, "before": before, "after": after},
        )
    unit.execute(text("UPDATE attempt SET closed_at = payouts_now()"))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("state", "verdict", "after", "told", "paused"), LATE)
def test_late_and_contradictory_facts(
    make_world: Callable[..., World],
    hand: Callable[[World], Hand],
    *,
    state: str,
    verdict: Verdict,
    after: str,
    told: tuple[str, int] | None,
    paused: bool,
) -> None:
    """Both items of a batch say it in one turn: each is booked, and corrects its own transfer."""
    world = make_world(settings=QUICK)
    policy = "person" if state == "pending" else None
    lines = [sepa("R-0", "10.00"), sepa("R-1", "20.00")]
    run = world.load(world.write(lines), policy=policy).run_id
    items = put(world, run, state)
    lane = hand(world)
    ask(world, *items)
    looked = lane.claim()
    assert [item.item_id for item in looked] == items

    lane.say(verdict, *looked)

    assert world.states(run) == {after: 2}
    assert incidents(world) == (
        {(*told, public_id("itm", item)) for item in items} if told else set()
    ) | ({("E_LANE_PAUSED", 2, "orkestra/main")} if paused else set())
    assert world.sql("SELECT count(*) FROM lane WHERE paused_at IS NOT NULL") == [(int(paused),)]
    left = 2 if told and told[0] == "E_ALIVE_AFTER_END" else 0
    assert world.sql("SELECT count(*) FROM look_request") == [(left,)]
    assert world.sql("SELECT count(*) FROM evidence WHERE kind = 'lookup'") == [(2,)]
    with world.parts.database.reading() as unit:
        astray = text(
            "SELECT count(*) FROM ledger_transfer t JOIN ledger_transfer c ON c.id = t.corrects"
            " WHERE c.item_id <> t.item_id OR c.batch_id <> t.batch_id"
        )
        assert unit.scalar(astray) == 0
        assert unit.scalar(text("SELECT sum(balance_minor) FROM ledger_balance")) == 0


def test_what_was_paid_after_it_failed_is_not_paid_again(
    make_world: Callable[..., World], hand: Callable[[World], Hand]
) -> None:
    """The item was failed a moment ago, and somebody has its line in a file of re-issues."""
    world = make_world(settings=QUICK)
    run = world.load(world.write([sepa("R-0"), sepa("R-1")])).run_id
    first, second = put(world, run, "failed")
    with world.parts.database.unit() as unit:
        reissue.require(unit, [first, second])
    lane = hand(world)
    ask(world, first)
    with (
        pytest.raises(UsageError, match="is being asked about"),
        world.parts.database.unit() as unit,
    ):
        reissue.require(unit, [first])
    (item,) = lane.claim()

    lane.say(Verdict.SETTLED, item)

    with world.parts.database.unit() as unit:
        reissue.require(unit, [second])
        with pytest.raises(UsageError, match="is settled"):
            reissue.require(unit, [first])


def test_what_pays_again_what_was_paid_after_all_is_held(
    make_world: Callable[..., World], hand: Callable[[World], Hand]
) -> None:
    """It was re-issued in good faith; then the first payment turns out to be made."""
    world = make_world(settings=QUICK)
    run = world.load(world.write([sepa("R-0")])).run_id
    (old,) = put(world, run, "failed")
    again = world.load(world.write([sepa("R-0b", "13.00")], "again.csv"), policy="person").run_id
    (new,) = world.sql("SELECT max(id) FROM item")[0]
    with world.parts.database.unit() as unit:
        unit.execute(text("ALTER TABLE line DISABLE TRIGGER USER"))
        unit.execute(
            text("UPDATE line SET intent = 2, replaces = :old WHERE item_id = :new"),
            {"old": old, "new": new},
        )
        unit.execute(text("ALTER TABLE line ENABLE TRIGGER USER"))
    lane = hand(world)
    ask(world, old)
    (item,) = lane.claim()

    lane.say(Verdict.SETTLED, item)

    assert world.sql("SELECT item_id, reason FROM hold WHERE released_at IS NULL") == [
        (new, "paid_before")
    ]
    assert world.states(again) == {"pending": 1}
    with world.parts.database.reading() as unit:
        (incident,) = open_incidents(unit)
    assert incident.detail.endswith(f"; {public_id('itm', new)} pays it again")


def test_a_look_that_brings_nothing_is_repeated(make_world: Callable[..., World]) -> None:
    world = make_world(settings=QUICK)
    run = world.load(world.write([sepa("R-0")])).run_id
    assert world.work(run) == {"settled": 1}
    faults(world, {"fault": "server_error", "route": LOOK, "nth": [1, 2]})

    ask(world, *items_of(world))
    lane_once(world, "orkestra")

    assert world.sql("SELECT http_status FROM evidence WHERE kind = 'lookup' ORDER BY id") == [
        (500,),
        (500,),
        (200,),
    ]
    assert world.sql("SELECT count(*) FROM look_request") == [(0,)]


def test_a_look_that_never_brings_anything_ends_with_an_incident(
    make_world: Callable[..., World],
) -> None:
    world = make_world(settings=QUICK)
    run = world.load(world.write([sepa("R-0")])).run_id
    assert world.work(run) == {"settled": 1}
    (item,) = items_of(world)
    faults(world, {"fault": "server_error", "route": LOOK})
    ask(world, item)
    with world.parts.database.unit() as unit:
        unit.execute(text("UPDATE look_request SET tries = 75"))

    lane_once(world, "orkestra", horizon_s=10.0)

    assert world.sql("SELECT count(*) FROM look_request") == [(0,)]
    assert incidents(world) == {("W_LOOK_SILENT", 2, public_id("itm", item))}


def test_a_request_that_comes_while_a_look_is_out_gets_a_look_of_its_own(
    make_world: Callable[..., World], hand: Callable[[World], Hand]
) -> None:
    """The answer that is under way may be older than what the webhook tells."""
    world = make_world(settings=QUICK)
    run = world.load(world.write([sepa("R-0")])).run_id
    (item,) = put(world, run, "settled")
    lane = hand(world)
    ask(world, item)
    (early,) = lane.claim()
    ask(world, item)

    lane.say(Verdict.SETTLED, early)

    assert [late.item_id for late in lane.claim()] == [item]


def test_what_is_still_in_flight_is_not_looked_at(
    make_world: Callable[..., World],
) -> None:
    """A webhook before the reply: the reply comes, or its loss is found; then the look goes."""
    world = make_world(settings=QUICK)
    world.load(world.write([turkish("R-0")]))
    writer = Writer(world.parts.lane_order("orkesta", "main"))
    assert writer.start()
    (claim,) = writer.turn([], 4).claims
    ask(world, *claim.members)

    assert writer.turn([], 4).looks == []
    writer.close()
    assert world.sql("SELECT tries FROM look_request") == [(1,)]
    lane_once(world, "orkesta")
    control(world, "faults", [])
    assert world.sql("SELECT state::text FROM item_now") == [("unknown",)]
