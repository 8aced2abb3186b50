"""Collecting over a real socket: asked once, followed by looks, booked once, whatever is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from payouts.core.collections import MOVES, CollectionState
from payouts.core.errors import UsageError
from payouts.flows import collect
from payouts.providers.events import Event
from payouts.providers.orchestrate import Intent
from payouts.store import collections as store
from payouts.store.incidents import open_incidents
from tests.flows.conftest import sepa

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.store.collections import Collection
    from tests.flows.conftest import World

ROOT = Path(__file__).parents[2]
ACTOR = "person:test"
LOST = '[[fault]]\nfault = "{}"\nroute = "POST /orchestrate/api/v1/payments"\nnth = [1]\n'


def order_of(world: World, **changes: Any) -> collect.CollectOrder:  # noqa: ANN401  fields of it
    return replace(world.parts.collect_order(), pause=lambda _s: None, **changes)


def asked(world: World, amount_minor: int = 12_55, **changes: Any) -> Collection:  # noqa: ANN401  fields of Intent
    intent = Intent("", amount_minor, "EUR", "for the week", 3600)
    wanted = collect.Asked("main", replace(intent, **changes), ACTOR)
    return collect.ask(order_of(world), wanted)


def pay(link: str | None, outcome: str = "pay") -> None:
    assert link is not None
    httpx.post(link, data={"outcome": outcome}, trust_env=False)


def look(world: World, collection: Collection) -> collect.Looked:
    return collect.look(order_of(world), collection.id, actor=ACTOR)


def funded(world: World) -> int:
    rows = world.sql("SELECT balance_minor FROM ledger_balance WHERE name = 'funding:main:EUR'")
    return int(rows[0][0]) if rows else 0


def notes(world: World, act: str) -> list[dict[str, Any]]:
    """What Orchestrate itself says that it did."""
    lines = [json.loads(line) for line in world.truth.read_text().splitlines()]
    return [line for line in lines if line["kind"] == "note" and line["act"] == act]


def life(world: World, collection: Collection) -> list[str]:
    rows = world.sql(
        "SELECT after FROM collection_event WHERE collection_id = :id ORDER BY seq",
        id=collection.id,
    )
    return [str(after) for (after,) in rows]


def incidents(world: World) -> list[str]:
    with world.parts.database.reading() as connection:
        return [one.code for one in open_incidents(connection)]


def control(world: World) -> httpx.Client:
    url = (world.folder / ".payouts" / "sandbox" / "control").read_text()
    return httpx.Client(base_url=url, trust_env=False)


def test_a_collection_has_a_link_and_is_booked_once_when_it_is_paid(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    made = asked(world)
    assert (made.state, made.link is not None) == (CollectionState.OPEN, True)
    assert not look(world, made).booked
    assert funded(world) == 0

    pay(made.link)
    first, second = look(world, made), look(world, made)

    assert (first.booked, second.booked) == (True, False)
    assert first.collection.state is CollectionState.PAID
    assert funded(world) == 12_55
    assert life(world, made) == ["open", "paid"]
    world.check()


def test_the_money_goes_over_the_platform_into_the_funding_account(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    made = asked(world)
    pay(made.link)

    look(world, made)

    rows = world.sql(
        "SELECT t.kind, c.name, d.name, t.amount_minor FROM ledger_transfer t"
        " JOIN ledger_account c ON c.id = t.credit_id JOIN ledger_account d ON d.id = t.debit_id"
        " ORDER BY t.id"
    )
    assert rows == [
        ("paid_in", "external:EUR", "collected:orchestrate:EUR", 12_55),
        ("collect", "collected:orchestrate:EUR", "funding:main:EUR", 12_55),
    ]


def test_a_run_that_waits_for_money_goes_on_with_it(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYOUTS_SANDBOX__OPENING", "0")
    world = make_world()
    loaded = world.load(world.write([sepa("R-1", "12.50")]))
    assert world.states(loaded.run_id) == {"pending": 1}
    made = asked(world, 12_50)
    pay(made.link)

    done = look(world, made)

    assert [run for run, _ in done.runs] == [loaded.run_id]
    assert world.work(loaded.run_id) == {"settled": 1}
    world.check()


@pytest.mark.parametrize(
    ("fault", "state"), [("effect_then_reset", "unclear"), ("error_after_effect", "unclear")]
)
def test_an_answer_that_is_lost_is_found_in_the_list_and_never_asked_for_again(
    make_world: Callable[..., World], fault: str, state: str
) -> None:
    """Asking again would make two links, and somebody might pay both."""
    world = make_world(LOST.format(fault))
    made = asked(world)
    assert (str(made.state), made.link) == (state, None)

    found = look(world, made).collection

    assert (found.state, found.code) == (CollectionState.OPEN, "found")
    assert len(notes(world, "created")) == 1
    pay(found.link)
    assert look(world, made).booked
    assert life(world, made) == ["unclear", "open", "paid"]
    assert funded(world) == 12_55


def test_it_is_found_behind_a_hundred_others(make_world: Callable[..., World]) -> None:
    world = make_world(LOST.format("effect_then_reset"))
    made = asked(world)
    order = order_of(world)
    for _ in range(101):
        body = order.connector.create(Intent("other", 100, "EUR", "x", 60))
        with httpx.Client(
            base_url=order.connector.base_url, headers=order.connector.headers, trust_env=False
        ) as client:
            client.post("/payments", content=body.body).raise_for_status()

    assert look(world, made).collection.state is CollectionState.OPEN


def test_one_that_was_lost_on_the_way_there_ends_when_its_link_would_have(
    make_world: Callable[..., World],
) -> None:
    """What is not in the list today may appear tomorrow; a link that has ended cannot be paid."""
    world = make_world(LOST.format("reset_after_reading"))
    made = asked(world)
    assert made.state is CollectionState.UNCLEAR

    assert look(world, made).collection.state is CollectionState.UNCLEAR
    with world.parts.database.unit() as unit:
        unit.execute(text("ALTER TABLE collection DISABLE TRIGGER collection_frozen"))
        unit.execute(text("UPDATE collection SET ends_at = ends_at - interval '2 hours'"))
        unit.execute(text("ALTER TABLE collection ENABLE TRIGGER collection_frozen"))

    ended = look(world, made).collection
    assert (ended.state, ended.code) == (CollectionState.EXPIRED, "never_found")
    assert notes(world, "created") == []


def test_what_was_proven_not_made_is_sent_again_and_then_given_up(
    make_world: Callable[..., World],
) -> None:
    faults = '[[fault]]\nfault = "too_many_requests"\nroute = "POST /orchestrate/api/v1/payments"\nnth = {}\n'
    world = make_world(faults.format("[1, 2]"))

    assert asked(world).state is CollectionState.OPEN
    rows = world.sql("SELECT number, outcome, http_status FROM collection_attempt ORDER BY number")
    assert rows == [(1, "not_executed", 429), (2, "not_executed", 429), (3, "readable", 201)]


def test_a_platform_that_cannot_be_reached_refuses_the_collection(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    order = order_of(world)
    from payouts.providers.calls import Calls  # noqa: PLC0415  this test alone closes the way
    from payouts.providers.client import Timeouts  # noqa: PLC0415  the same

    away = replace(order, send=Calls("http://127.0.0.1:9", {}, Timeouts(connect=1.0)))
    made = collect.ask(away, collect.Asked("main", Intent("", 5_00, "EUR", "x", 60), ACTOR))

    assert (made.state, made.code) == (CollectionState.REFUSED, "not_connected")
    assert made.final


def test_a_key_that_is_refused_fails_nobody_but_the_collection(
    make_world: Callable[..., World],
) -> None:
    world = make_world(LOST.format("unauthorized"))

    made = asked(world)

    assert (made.state, made.code) == (CollectionState.REFUSED, "http_401")


def test_a_currency_that_it_does_not_take_is_refused_before_anything_is_written(
    make_world: Callable[..., World],
) -> None:
    world = make_world()

    with pytest.raises(UsageError, match="does not collect TRY"):
        asked(world, currency="TRY")

    assert world.sql("SELECT count(*) FROM collection") == [(0,)]


def test_a_link_that_ends_ends_the_collection(make_world: Callable[..., World]) -> None:
    world = make_world()
    made = asked(world, expires_s=1)

    end = time.monotonic() + 5
    while (seen := look(world, made).collection).state is CollectionState.OPEN:
        assert time.monotonic() < end
        time.sleep(0.1)

    assert (seen.state, seen.status, seen.final) == (CollectionState.EXPIRED, "expired", True)
    assert funded(world) == 0


def test_a_payment_that_fails_ends_it_without_money(make_world: Callable[..., World]) -> None:
    world = make_world()
    made = asked(world)
    pay(made.link, "fail")

    assert look(world, made).collection.state is CollectionState.FAILED
    assert funded(world) == 0


def test_the_other_wordings_of_the_platform_are_read_as_well(
    make_world: Callable[..., World],
) -> None:
    """`succeeded`, amounts as numbers, and the link in `next_action`."""
    world = make_world()
    with control(world) as steering:
        wording = {"collected": "succeeded", "amount_text": False, "link": "next_action"}
        steering.post("/_control/settings", json=wording).raise_for_status()
    made = asked(world)
    pay(made.link)

    assert look(world, made).collection.status == "succeeded"
    assert funded(world) == 12_55


def test_a_webhook_only_makes_us_look(make_world: Callable[..., World]) -> None:
    """A-ORT-5: what it claims is not believed, and the look decides."""
    world = make_world()
    made = asked(world)
    event = Event(
        "collection", "payment.succeeded", ref=made.ref, wire=made.key, status="completed"
    )
    from payouts.flows.inbox import Heard  # noqa: PLC0415  this test alone hears

    def hear(event: Event) -> set[int]:
        with world.parts.database.unit() as unit:
            return collect.hear(unit, [Heard(7, "orchestrate", event, 0, b"", 0)])

    assert hear(event) == set()
    (looked,) = collect.look_due(order_of(world), actor=ACTOR)
    assert looked.collection.state is CollectionState.OPEN
    pay(made.link)
    hear(event)
    (looked,) = collect.look_due(order_of(world), actor=ACTOR)
    assert looked.booked
    assert hear(replace(event, ref="nobody", wire="nothing")) == {7}


class Edited:
    """The way to the platform, with its answers to looks edited."""

    def __init__(self, order: collect.CollectOrder, **fields: object) -> None:
        self.order, self.fields = order, fields

    def __call__(self, request: Any, permit: Any) -> Any:  # noqa: ANN401  as `send`
        exchange = self.order.send(request, permit)
        document = json.loads(exchange.body) | self.fields
        return replace(exchange, body=json.dumps(document).encode())


@pytest.mark.parametrize(
    "fields", [{"amount": "12.54"}, {"currency": "USD"}, {"amount": None}, {"amount": "1e999999"}]
)
def test_another_amount_than_was_asked_for_books_nothing(
    make_world: Callable[..., World], fields: dict[str, object]
) -> None:
    world = make_world()
    made = asked(world)
    pay(made.link)
    order = order_of(world)

    seen = collect.look(replace(order, send=Edited(order, **fields)), made.id, actor=ACTOR)

    assert (seen.collection.state, seen.booked) == (CollectionState.REVIEW, False)
    assert incidents(world) == ["E_COLLECTION_DIFFERS"]
    assert funded(world) == 0
    assert look(world, made).booked  # the right answer still counts


@pytest.mark.parametrize(
    "fields", [{"id": "another"}, {"metadata": {}}, {"metadata": {"collection_id": "X"}}]
)
def test_an_answer_about_another_payment_moves_nothing(
    make_world: Callable[..., World], fields: dict[str, object]
) -> None:
    world = make_world()
    made = asked(world)
    pay(made.link)
    order = order_of(world)

    seen = collect.look(replace(order, send=Edited(order, **fields)), made.id, actor=ACTOR)

    assert seen.collection.state is CollectionState.OPEN


def test_an_unknown_status_word_is_neither_paid_nor_failed(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    made = asked(world)
    order = order_of(world)

    seen = collect.look(replace(order, send=Edited(order, status="paidish")), made.id, actor=ACTOR)

    assert seen.collection.state is CollectionState.OPEN
    assert incidents(world) == ["W_STATUS_WORD"]


def test_a_success_after_a_failure_still_counts(make_world: Callable[..., World]) -> None:
    """Whether a later attempt of the customer can succeed is not documented."""
    world = make_world()
    made = asked(world)
    order = order_of(world)
    failed = replace(order, send=Edited(order, status="failed"))
    assert collect.look(failed, made.id, actor=ACTOR).collection.state is CollectionState.FAILED
    pay(made.link)

    assert look(world, made).booked
    assert life(world, made) == ["open", "failed", "paid"]


def test_two_that_look_at_once_book_once(make_world: Callable[..., World]) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  this test alone

    world = make_world()
    made = asked(world)
    pay(made.link)

    with ThreadPoolExecutor(4) as pool:
        booked = [one.booked for one in pool.map(lambda _: look(world, made), range(4))]

    assert sorted(booked) == [False, False, False, True]
    assert funded(world) == 12_55


# -- crashes ----------------------------------------------------------------------------------------


@pytest.mark.journey
@pytest.mark.parametrize("point", ["written", "answered", "before_record", "recorded"])
def test_a_crash_while_asking_loses_nothing_and_asks_nobody_twice(
    make_world: Callable[..., World], point: str
) -> None:
    """The row is there before the request; the list tells whether the payment is."""
    world = make_world()
    crashed(world, "ask", point)
    [(key,)] = world.sql("SELECT id FROM collection")
    order = order_of(world)

    early = collect.look(order, key, actor=ACTOR).collection
    made = notes(world, "created")
    if point == "written":
        assert (early.state, made) == (CollectionState.OPENING, [])
        with world.parts.database.unit() as unit:
            unit.execute(text("ALTER TABLE collection_attempt DISABLE TRIGGER USER"))
            unit.execute(text("UPDATE collection_attempt SET lease_until = payouts_now()"))
            unit.execute(text("ALTER TABLE collection_attempt ENABLE TRIGGER USER"))
        assert collect.look(order, key, actor=ACTOR).collection.state is CollectionState.UNCLEAR
    else:
        assert (early.state, len(made)) == (CollectionState.OPEN, 1)
        pay(early.link)
        assert collect.look(order, key, actor=ACTOR).booked
        assert funded(world) == 12_55
    world.check()


@pytest.mark.journey
@pytest.mark.parametrize("point", ["looked", "before_book", "booked"])
def test_a_crash_while_booking_books_once(make_world: Callable[..., World], point: str) -> None:
    world = make_world()
    made = asked(world)
    pay(made.link)

    crashed(world, "look", point)

    assert look(world, made).booked is (point != "booked")
    assert funded(world) == 12_55
    world.check()


def crashed(world: World, what: str, point: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.flows.test_collect", world.folder, what, point],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == -9, done.stderr


def victim(folder: Path, what: str, point: str) -> None:
    """Ask or look, and die at a point."""
    from payouts.settings import load_settings  # noqa: PLC0415  the child's own
    from payouts.wiring import opened  # noqa: PLC0415  the same
    from tests.flows.victim import Doomed  # noqa: PLC0415  the same

    with opened(load_settings(folder)) as parts:
        order = replace(parts.collect_order(), reached=Doomed(point, 1))
        if what == "ask":
            intent = Intent("", 12_55, "EUR", "for the week", 3600)
            collect.ask(order, collect.Asked("main", intent, ACTOR))
        else:
            collect.look(order, 1, actor=ACTOR)


# -- the guards of the database ---------------------------------------------------------------------


def test_the_database_draws_the_same_arrows_as_the_code(make_world: Callable[..., World]) -> None:
    world = make_world()

    drawn = set(world.sql("SELECT before, after FROM collection_move"))

    assert drawn == {(str(before), str(after)) for before, after in MOVES}


def test_the_database_refuses_what_the_code_must_not_do(make_world: Callable[..., World]) -> None:
    world = make_world()
    made = asked(world)
    columns = "INSERT INTO collection_event (collection_id, seq, before, after, actor"
    forbidden = [
        "UPDATE collection SET amount_minor = 1",
        "UPDATE collection SET key = 'another'",
        "DELETE FROM collection",
        "DELETE FROM collection_attempt",
        "UPDATE collection_attempt SET outcome = 'not_executed'",
        "UPDATE collection_event SET after = 'paid'",
        "INSERT INTO collection_attempt VALUES (DEFAULT, 1, 2, '', 1, now(), now(), now())",
        columns + ") VALUES (1, 2, 'open', 'paid', 'x')",
        columns + ") VALUES (1, 2, 'open', 'failed', 'x')",
        columns + ") VALUES (1, 3, 'open', 'expired', 'x')",
        columns + ") VALUES (1, 2, 'opening', 'unclear', 'x')",
        columns + ") VALUES (1, 2, 'open', 'unclear', 'x')",
        columns + ", posting, evidence_id) VALUES (1, 2, 'open', 'paid', 'x', 99, 1)",
    ]
    assert made.id == 1
    for statement in forbidden:
        with pytest.raises(DBAPIError), world.parts.database.unit() as unit:
            unit.execute(text(statement))
    with world.parts.database.reading() as connection:
        assert store.read(connection, 1) == made


if __name__ == "__main__":
    victim(Path(sys.argv[1]), *sys.argv[2:])
