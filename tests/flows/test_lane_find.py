"""A platform that finds payments by our reference: what is unclear is looked for, not guessed.

The platform is invented and small: it speaks Orkestra's payout objects over a real socket, and
lists them by `referenceId` besides.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from payouts.core.outcomes import Verdict
from payouts.providers import strict
from payouts.providers.client import Exchange, Request
from payouts.providers.connector import Reading, Sent
from payouts.providers.orkestra import Orkestra
from payouts.store.incidents import open_incidents
from tests.flows.byhand import lane_once
from tests.flows.conftest import sepa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.flows.conftest import World

pytestmark = pytest.mark.journey

QUICK = "[retry]\npace = 0.0003\n"  # the quiet time is a quarter of a second


@dataclass
class Platform:
    """What it does with the 1st, 2nd … payment, the last for all others; and what it has done.

    Args:
        plan: `pay` and answer, `lose` the answer after paying, `drop` the request unpaid.
        finds: whether its list answers: yes, `never` (500), or every payment `twice`.
    """

    plan: tuple[str, ...] = ("pay",)
    finds: str = "yes"
    made: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    looks: int = 0
    url: str = ""

    def pay(self, wanted: dict[str, Any]) -> dict[str, Any] | None:
        """Make a payment, or bring back the one of the same reference; none: no answer."""
        act = self.plan[min(len(self.asked), len(self.plan) - 1)]
        self.asked.append(wanted["referenceId"])
        known = [one for one in self.made if one["referenceId"] == wanted["referenceId"]]
        if act != "drop" and not known:
            same = {name: wanted[name] for name in ("amount", "currency", "referenceId")}
            self.made.append({"id": f"p{len(self.made) + 1}", "status": "PAID", **same})
            known = self.made[-1:]
        return known[0] if act == "pay" else None

    def listed(self, wire: str) -> list[dict[str, Any]] | None:
        """Payments of a reference; none: an error."""
        self.looks += 1
        found = [one for one in self.made if one["referenceId"] == wire]
        return {"yes": found, "never": None, "twice": found * 2}[self.finds]


@contextmanager
def served(platform: Platform) -> Iterator[Platform]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made = platform.pay(json.loads(body))
            if made is None:
                self.close_connection = True
                return
            self.say(200, made)

        def do_GET(self) -> None:
            (wire,) = parse_qs(urlsplit(self.path).query)["referenceId"]
            found = platform.listed(wire)
            self.say(500 if found is None else 200, {"payouts": found})

        def say(self, status: int, value: object) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    platform.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Finder(Orkestra):
    """Its connector: look-up by our reference, with or without a key."""

    def __init__(self, url: str, *, keyed: bool) -> None:
        super().__init__(url, key_id="k", secret="s", concurrency=4)  # noqa: S106  invented
        life = self.capabilities.key_life_s if keyed else 0.0
        self.capabilities = replace(
            self.capabilities, lookup_by_reference=True, idempotent=keyed, key_life_s=life
        )

    def find(self, wire: str) -> Request:
        return Request("GET", f"/payouts?referenceId={wire}")

    def read_find(self, exchange: Exchange, sent: Sent) -> Reading | None:
        rows = strict.loads(exchange.body)["payouts"]
        if not rows:
            return None
        if len(rows) > 1:
            return Reading([Verdict.MISMATCH], [None], [None], ["found_twice"], [])
        return self.read_poll(Exchange(200, json.dumps(rows[0], default=float).encode()), sent)


@pytest.fixture
def looked_for(
    make_world: Callable[..., World],
) -> Callable[..., World]:
    """Give a function that pays a line at a platform and works the lane for some seconds."""

    def work(platform: Platform, *, keyed: bool, horizon_s: float = 1.2) -> World:
        world = make_world(settings=QUICK)
        world.load(world.write([sepa("R-0", "10.00")]))
        with served(platform):
            connector = Finder(platform.url, keyed=keyed)
            assert connector.capabilities.level == ("C2" if keyed else "C1")
            lane_once(world, "orkestra", connector=connector, horizon_s=horizon_s)
        return world

    return work


def state(world: World) -> list[tuple[Any, ...]]:
    return world.sql("SELECT state::text, code FROM item_now")


@pytest.mark.parametrize("keyed", [True, False])
def test_a_payment_whose_answer_was_lost_is_found_and_not_sent_again(
    looked_for: Callable[..., World], *, keyed: bool
) -> None:
    platform = Platform(("lose",))

    world = looked_for(platform, keyed=keyed)

    assert state(world) == [("settled", None)]
    assert len(platform.asked) == len(platform.made) == 1
    assert world.sql("SELECT provider_ref FROM provider_payment") == [("p1",)]
    assert world.sql("SELECT count(*) FROM look_request") == [(0,)]


def test_what_is_not_found_twice_apart_is_sent_again_under_its_key(
    looked_for: Callable[..., World],
) -> None:
    """Not at once: the first request may still be on its way when the first look goes."""
    platform = Platform(("drop", "pay"))

    world = looked_for(platform, keyed=True)

    assert state(world) == [("settled", None)]
    assert len(platform.asked) == 2
    assert len(set(platform.asked)) == 1, "the same reference both times"
    assert len(platform.made) == 1
    (early, counted) = world.sql(
        "SELECT count(*) FILTER (WHERE e.at < u.at + interval '0.25 s'), count(*)"
        " FROM evidence e, item_life u WHERE e.kind = 'lookup' AND u.code = 'read_broken'"
    )[0]
    assert counted >= early + 2
    assert world.sql(
        "SELECT s.at - u.at > interval '0.25 s' FROM item_life s, item_life u"
        " WHERE s.before = 'unknown' AND s.after = 'sending' AND u.after = 'unknown'"
    ) == [(True,)]


def test_a_platform_without_keys_is_never_sent_the_same_twice(
    looked_for: Callable[..., World],
) -> None:
    platform = Platform(("drop", "pay"))

    world = looked_for(platform, keyed=False)

    assert state(world) == [("review", "not_found")]
    assert len(platform.asked) == 1
    with world.parts.database.reading() as unit:
        assert [one.code for one in open_incidents(unit)] == ["W_REVIEW"]


def test_two_payments_of_one_reference_are_for_people(looked_for: Callable[..., World]) -> None:
    platform = Platform(("lose",), finds="twice")

    world = looked_for(platform, keyed=True)

    assert state(world) == [("review", "found_twice")]
    assert len(platform.asked) == 1
    with world.parts.database.reading() as unit:
        assert [(one.code, one.severity) for one in open_incidents(unit)] == [("E_FOUND_TWICE", 1)]


def test_a_look_up_that_fails_says_nothing(looked_for: Callable[..., World]) -> None:
    platform = Platform(("drop", "pay"), finds="never")

    world = looked_for(platform, keyed=True, horizon_s=0.6)

    assert [found for found, _ in state(world)] == ["unknown"]
    assert platform.looks > 2
    assert len(platform.asked) == 1
    assert world.sql("SELECT missing FROM look_request") == [(0,)]
