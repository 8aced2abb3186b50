"""Collecting over a real socket: asked once, followed by looks, booked once, whatever is lost."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from payouts.core.collections import CollectionState
from payouts.core.errors import UsageError
from payouts.flows import collect, inbox
from payouts.flows.inbox import Heard
from payouts.providers.calls import Calls
from payouts.providers.client import Permit, Timeouts, clock
from payouts.providers.events import Event
from payouts.providers.orchestrate import Intent
from payouts.settings import load_settings
from payouts.store import collections as store
from payouts.wiring import opened
from payouts.worker import work
from tests.flows.conftest import World, sepa
from tests.flows.till import ACTOR, Edited, Till
from tests.flows.victim import Doomed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from payouts.store import embedded
    from payouts.store.collections import Collection

ROOT = Path(__file__).parents[2]
PAST = "UPDATE collection SET ends_at = ends_at - interval '2 h' WHERE id = :id"
LEASE_OVER = "UPDATE collection_attempt SET lease_until = opened_at WHERE collection_id = :id"


@pytest.fixture(scope="module")
def _world(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: embedded.Server,
    make_database: Callable[..., str],
    payouts_template: str,
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("collect")
    args = postgres.connect_args(make_database("collect", template=payouts_template))
    url = f"postgresql://{args['user']}@/{args['dbname']}?host={args['host']}&port={args['port']}"
    settings = f'payer = "till"\n[database]\nurl = "{url}"\n[sandbox]\nopening = 0\n'
    (folder / "payouts.toml").write_text(f'{settings}speed = "instant"\n')
    with opened(load_settings(folder)) as parts:
        world = World(parts, folder)
        yield world
        world.check()


@pytest.fixture
def till(_world: World, request: pytest.FixtureRequest) -> Iterator[Till]:
    till = Till(_world, f"till{abs(hash(request.node.name)) % 10**9}")
    yield till
    till.control("faults", [])
    wording = {"collected": "completed", "amount_text": True, "link": "payment_link"}
    till.control("settings", wording)


def pay(link: str | None, outcome: str = "pay") -> None:
    assert link is not None
    httpx.post(link, data={"outcome": outcome}, trust_env=False)


def test_a_collection_has_a_link_and_is_booked_once_when_it_is_paid(till: Till) -> None:
    made = till.ask()
    assert (made.state, made.link is not None) == (CollectionState.OPEN, True)
    assert not till.look(made).booked
    assert till.funded() == 0

    pay(made.link)
    first, second = till.look(made), till.look(made)

    assert (first.booked, second.booked) == (True, False)
    assert first.collection.state is CollectionState.PAID
    assert till.funded() == 12_55
    assert till.life(made) == ["open", "paid"]


def test_the_money_goes_over_the_platform_into_the_funding_account(till: Till) -> None:
    made = till.ask()
    pay(made.link)

    till.look(made)

    rows = till.world.sql(
        "SELECT t.kind, c.name, d.name, t.amount_minor FROM ledger_transfer t"
        " JOIN ledger_account c ON c.id = t.credit_id JOIN ledger_account d ON d.id = t.debit_id"
        " JOIN collection_event e ON e.posting = t.posting AND e.collection_id = :id ORDER BY t.id",
        id=made.id,
    )
    assert rows == [
        ("paid_in", "external:EUR", "collected:orchestrate:EUR", 12_55),
        ("collect", "collected:orchestrate:EUR", f"funding:{till.account}:EUR", 12_55),
    ]


def test_a_run_that_waits_for_money_goes_on_with_it(till: Till) -> None:
    world = till.world
    loaded = world.load(world.write([sepa("R-1", "12.50")]), funding=till.account)
    assert world.states(loaded.run_id) == {"pending": 1}
    made = till.ask(12_50)
    pay(made.link)

    done = till.look(made)

    assert [run for run, _ in done.runs] == [loaded.run_id]
    assert world.work(loaded.run_id) == {"settled": 1}


@pytest.mark.parametrize("fault", ["effect_then_reset", "error_after_effect", "html"])
def test_an_answer_that_is_lost_is_found_in_the_list_and_never_asked_for_again(
    till: Till, fault: str
) -> None:
    """Asking again would make two links, and somebody might pay both."""
    till.fault(fault)
    made = till.ask()
    assert (made.state, made.link) == (CollectionState.UNCLEAR, None)

    found = till.look(made).collection

    assert (found.state, found.code) == (CollectionState.OPEN, "found")
    assert till.made_there(made) == 1
    pay(found.link)
    assert till.look(made).booked
    assert till.life(made) == ["unclear", "open", "paid"]
    assert till.funded() == 12_55


FAULTS = (
    *("reset_after_reading", "effect_then_close", "late_reply", "drip", "server_error"),
    *("bad_gateway", "unavailable", "request_timeout", "in_progress", "locked", "not_implemented"),
    *("redirect", "timeout_then_effect", "accepted", "no_content", "malformed", "empty_body"),
    *("repeated_keys", "nan", "cut", "cut_clean", "unknown_status", "other_amount"),
)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_makes_two_links_or_loses_one(till: Till, fault: str) -> None:
    till.fault(fault)
    made = till.ask()
    till.control("faults", [])
    time.sleep(0.6 if fault == "timeout_then_effect" else 0)

    seen = made if made.final else till.look(made).collection

    assert till.made_there(made) == (seen.state is CollectionState.OPEN)
    assert seen.state in {CollectionState.OPEN, CollectionState.UNCLEAR, CollectionState.REFUSED}


def test_it_is_found_behind_a_hundred_others(till: Till) -> None:
    till.fault("effect_then_reset")
    made = till.ask()
    connector = till.order().connector
    body = connector.create(Intent("other", 100, "EUR", "x", 60)).body
    with httpx.Client(
        base_url=connector.base_url, headers=connector.headers, trust_env=False
    ) as client:
        for _ in range(101):
            client.post("/payments", content=body).raise_for_status()

    assert till.look(made).collection.state is CollectionState.OPEN


def test_two_payments_of_one_key_are_an_alarm_and_the_paid_one_counts(till: Till) -> None:
    till.fault("effect_then_reset")
    made = till.ask()
    order = till.order()
    twin = order.connector.create(Intent(made.key, 12_55, "EUR", "x", 60))
    pay(order.connector.read(order.send(twin, Permit(1, 1, clock() + 9))).link)

    assert till.look(made).booked
    assert till.incidents(made) == ["E_COLLECTION_TWICE"]
    assert till.funded() == 12_55


def test_half_a_list_says_nothing(till: Till) -> None:
    """Not found in what could be read is not "not found"."""
    till.fault("reset_after_reading")
    made = till.ask()
    till.overrule(made, PAST)
    till.control("faults", [{"fault": "server_error", "route": "GET /orchestrate/api/v1/payments"}])

    assert till.look(made).collection.state is CollectionState.UNCLEAR


def test_one_that_was_lost_on_the_way_there_ends_when_its_link_would_have(till: Till) -> None:
    """What is not in the list today may appear tomorrow; a link that has ended cannot be paid."""
    till.fault("reset_after_reading")
    made = till.ask()
    assert made.state is CollectionState.UNCLEAR

    assert till.look(made).collection.state is CollectionState.UNCLEAR
    till.overrule(made, PAST)

    ended = till.look(made).collection
    assert (ended.state, ended.code) == (CollectionState.EXPIRED, "never_found")
    assert till.made_there(made) == 0


def test_what_was_proven_not_made_is_sent_again(till: Till) -> None:
    till.fault("too_many_requests", (1, 2))

    made = till.ask()

    assert made.state is CollectionState.OPEN
    rows = till.world.sql(
        "SELECT number, outcome, http_status FROM collection_attempt WHERE collection_id = :id"
        " ORDER BY number",
        id=made.id,
    )
    assert rows == [(1, "not_executed", 429), (2, "not_executed", 429), (3, "readable", 201)]


def test_one_that_was_given_up_between_two_attempts_was_not_made(till: Till) -> None:
    """Who asks may still be about to try again, so that nothing is said before the lease is over."""

    class EndError(Exception):
        pass

    def end(_seconds: float) -> None:
        raise EndError

    till.fault("too_many_requests")
    order = replace(till.order(), pause=end)
    with pytest.raises(EndError):
        collect.ask(order, collect.Asked(till.account, Intent("", 5_00, "EUR", "x", 60), ACTOR))
    made = newest(till)

    assert till.look(made).collection.state is CollectionState.OPENING
    till.overrule(made, LEASE_OVER)
    given_up = till.look(made).collection
    assert (given_up.state, given_up.code) == (CollectionState.REFUSED, "not_executed")


def test_a_platform_that_cannot_be_reached_refuses_the_collection(till: Till) -> None:
    away = till.order(send=Calls("http://127.0.0.1:9", {}, Timeouts(connect=1.0)))

    made = collect.ask(away, collect.Asked(till.account, Intent("", 5_00, "EUR", "x", 60), ACTOR))

    assert (made.state, made.code) == (CollectionState.REFUSED, "not_connected")
    assert made.final


@pytest.mark.parametrize(("fault", "code"), [("unauthorized", "http_401"), ("poison", "http_400")])
def test_what_is_refused_ends_the_collection_and_nothing_else(
    till: Till, fault: str, code: str
) -> None:
    till.fault(fault)

    made = till.ask()

    assert (made.state, made.code, made.final) == (CollectionState.REFUSED, code, True)
    assert not till.look(made).booked


def test_a_currency_that_it_does_not_take_is_refused_before_anything_is_written(
    till: Till,
) -> None:
    count = till.world.sql("SELECT count(*) FROM collection")

    with pytest.raises(UsageError, match="does not collect TRY"):
        till.ask(currency="TRY")

    assert till.world.sql("SELECT count(*) FROM collection") == count


def test_a_link_that_ends_ends_the_collection(till: Till) -> None:
    made = till.ask(expires_s=1)

    end = time.monotonic() + 5
    while (seen := till.look(made).collection).state is CollectionState.OPEN:
        assert time.monotonic() < end
        time.sleep(0.1)

    assert (seen.state, seen.status, seen.final) == (CollectionState.EXPIRED, "expired", True)
    assert till.funded() == 0


def test_a_payment_that_fails_ends_it_without_money(till: Till) -> None:
    made = till.ask()
    pay(made.link, "fail")

    assert till.look(made).collection.state is CollectionState.FAILED
    assert till.funded() == 0


def test_the_other_wordings_of_the_platform_are_read_as_well(till: Till) -> None:
    """`succeeded`, amounts as numbers, and the link in `next_action`."""
    wording = {"collected": "succeeded", "amount_text": False, "link": "next_action"}
    till.control("settings", wording)
    made = till.ask()
    pay(made.link)

    assert till.look(made).collection.status == "succeeded"
    assert till.funded() == 12_55


def test_a_webhook_only_makes_us_look(till: Till) -> None:
    """A-ORT-5: what it claims is not believed, and the look decides."""
    made = till.ask()
    event = Event(
        "collection", "payment.succeeded", ref=made.ref, wire=made.key, status="completed"
    )

    def hear(event: Event) -> set[int]:
        with till.world.parts.database.unit() as unit:
            return collect.hear(unit, [Heard(7, "orchestrate", event, 0, b"", 0)])

    assert hear(event) == set()
    assert looked_due(till, made).collection.state is CollectionState.OPEN
    pay(made.link)
    hear(event)
    assert looked_due(till, made).booked
    assert hear(replace(event, ref="nobody", wire="nothing")) == {7}


def looked_due(till: Till, made: Collection) -> collect.Looked:
    """What a worker's turn finds of one collection."""
    found = collect.look_due(till.order(), actor="worker:orchestrate")
    (mine,) = [one for one in found if one.collection.id == made.id]
    return mine


def test_a_webhook_that_is_kept_leads_to_the_booking(till: Till) -> None:
    """Stored, applied, and then a worker asks the platform."""
    parts = till.world.parts
    made = till.ask()
    pay(made.link)
    payload = {"id": made.ref, "status": "completed", "metadata": {"collection_id": made.key}}
    raw = json.dumps({"id": "evt_1", "type": "payment.succeeded", "payload": payload}).encode()
    assert parts.orchestrate is not None

    inbox.keep(parts.database, parts.vault, parts.orchestrate, provider="orchestrate", raw=raw)
    inbox.apply(parts.inbox_order())

    rows = till.world.sql("SELECT state FROM webhook_inbox WHERE provider = 'orchestrate'")
    assert rows == [("applied",)]
    assert looked_due(till, made).booked


def test_a_worker_looks_by_itself(till: Till) -> None:
    """Polling stays the backstop: without webhooks and without anybody typing."""
    made = till.ask()
    pay(made.link)
    till.overrule(made, "UPDATE collection SET look_at = payouts_now() WHERE id = :id")
    end = time.monotonic() + 20

    def finished() -> bool:
        return till.funded() > 0 or time.monotonic() > end

    asyncio.run(work(till.world.parts, finished=finished, poll_s=0.05))

    assert till.life(made) == ["open", "paid"]


@pytest.mark.parametrize(
    "fields", [{"amount": "12.54"}, {"currency": "USD"}, {"amount": None}, {"amount": "1e999999"}]
)
def test_another_amount_than_was_asked_for_books_nothing(
    till: Till, fields: dict[str, object]
) -> None:
    made = till.ask()
    pay(made.link)

    seen = till.look(made, send=Edited(till.order(), **fields))

    assert (seen.collection.state, seen.booked) == (CollectionState.REVIEW, False)
    assert till.incidents(made) == ["E_COLLECTION_DIFFERS"]
    assert till.funded() == 0
    assert till.look(made).booked  # the right answer still counts


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"id": "another"}, CollectionState.OPEN),
        ({"metadata": {"collection_id": "X"}}, CollectionState.OPEN),
        ({"metadata": {}}, CollectionState.PAID),  # asked by its id; an echo is not promised
    ],
)
def test_an_answer_about_another_payment_moves_nothing(
    till: Till, fields: dict[str, object], state: CollectionState
) -> None:
    made = till.ask()
    pay(made.link)

    assert till.look(made, send=Edited(till.order(), **fields)).collection.state is state


def test_an_unknown_status_word_is_neither_paid_nor_failed(till: Till) -> None:
    made = till.ask()

    seen = till.look(made, send=Edited(till.order(), status="paidish"))

    assert seen.collection.state is CollectionState.OPEN
    assert till.incidents(made) == ["W_STATUS_WORD"]


def test_a_success_after_a_failure_still_counts(till: Till) -> None:
    """Whether a later attempt of the customer can succeed is not documented."""
    made = till.ask()
    failed = till.look(made, send=Edited(till.order(), status="failed"))
    assert failed.collection.state is CollectionState.FAILED
    pay(made.link)

    assert till.look(made).booked
    assert till.life(made) == ["open", "failed", "paid"]


def test_two_that_look_at_once_book_once(till: Till) -> None:
    made = till.ask()
    pay(made.link)

    with ThreadPoolExecutor(4) as pool:
        booked = [one.booked for one in pool.map(lambda _: till.look(made), range(4))]

    assert sorted(booked) == [False, False, False, True]
    assert till.funded() == 12_55


# -- crashes ----------------------------------------------------------------------------------------


@pytest.mark.journey
@pytest.mark.parametrize("point", ["written", "answered", "before_record", "recorded"])
def test_a_crash_while_asking_loses_nothing_and_asks_nobody_twice(till: Till, point: str) -> None:
    """The row is there before the request; the list tells whether the payment is."""
    crashed(till, "ask", point)
    made = newest(till)

    early = till.look(made).collection

    if point == "written":
        assert (early.state, till.made_there(made)) == (CollectionState.OPENING, 0)
        till.overrule(made, LEASE_OVER)
        assert till.look(made).collection.state is CollectionState.UNCLEAR
    else:
        assert (early.state, till.made_there(made)) == (CollectionState.OPEN, 1)
        pay(early.link)
        assert till.look(made).booked
        assert till.funded() == 12_55


@pytest.mark.journey
@pytest.mark.parametrize("point", ["looked", "before_book", "booked"])
def test_a_crash_while_booking_books_once(till: Till, point: str) -> None:
    made = till.ask()
    pay(made.link)

    crashed(till, "look", point)

    assert till.look(made).booked is (point != "booked")
    assert till.funded() == 12_55


def newest(till: Till) -> Collection:
    with till.world.parts.database.reading() as connection:
        return store.listed(connection, limit=1)[0]


def crashed(till: Till, what: str, point: str) -> None:
    words = (till.world.folder, till.account, what, point)
    done = subprocess.run(
        [sys.executable, "-m", "tests.flows.test_collect", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == -9, done.stderr


def victim(folder: Path, account: str, what: str, point: str) -> None:
    """Ask, or look at the newest, and die at a point."""
    with opened(load_settings(folder)) as parts:
        order = replace(parts.collect_order(), reached=Doomed(point, 1))
        if what == "ask":
            intent = Intent("", 12_55, "EUR", "for the week", 3600)
            collect.ask(order, collect.Asked(account, intent, ACTOR))
        else:
            collect.look(order, newest(Till(World(parts, folder), account)).id, actor=ACTOR)


if __name__ == "__main__":
    victim(Path(sys.argv[1]), *sys.argv[2:])
