"""Every fault recipe is shown to strike, and whether the money moves."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from payouts.sandbox.faults import ALL_RECIPES
from payouts.sandbox.recipes import table

if TYPE_CHECKING:
    from tests.sandbox.conftest import Sandbox

BATCH = "POST /orkesta/v1/payments/batch"

# What httpx makes of an end that comes while it is still writing depends on the moment.
EARLY = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.ConnectError)


def _send(sandbox: Sandbox, *references: str) -> httpx.Response:
    """Send a batch over a new connection, and do not wait long."""
    items = [sandbox.item(reference) for reference in references]
    return sandbox.fresh.post("/payments/batch", json=items, timeout=0.7)


def _strike(sandbox: Sandbox, fault: str, *references: str, **options: object) -> Any:  # noqa: ANN401
    """Let a fault strike at one batch and give the reply's document."""
    sandbox.faults({"fault": fault, "route": BATCH, "options": options})
    reply = _send(sandbox, *references)
    assert sandbox.struck(fault) == 1
    return reply.json()


# connections


@pytest.mark.parametrize(
    ("fault", "error", "effects"),
    [
        ("accept_then_close", EARLY, 0),
        ("reset_on_accept", EARLY, 0),
        ("reset_before_reading", EARLY, 0),
        ("reset_after_reading", httpx.ReadError, 0),
        ("hang_without_effect", httpx.ReadTimeout, 0),
        ("effect_then_reset", httpx.ReadError, 1),
        ("effect_then_close", httpx.RemoteProtocolError, 1),
        ("effect_then_hang", httpx.ReadTimeout, 1),
        ("cut", httpx.RemoteProtocolError, 1),
    ],
)
@pytest.mark.parametrize("route", ["*", BATCH])
def test_the_connection_ends_with_or_without_the_effect(
    sandbox: Sandbox,
    fault: str,
    error: type[Exception] | tuple[type[Exception], ...],
    effects: int,
    route: str,
) -> None:
    """A reset looks the same before and after the effect: only the truth log knows."""
    reference = f"{fault}-{len(route)}"
    sandbox.faults({"fault": fault, "route": route, "times": 1})

    with pytest.raises(error):
        _send(sandbox, reference)

    assert sandbox.struck(fault) == 1
    assert len(sandbox.effects(reference)) == effects
    assert _send(sandbox, f"{reference}-after").status_code == 200


@pytest.mark.parametrize("fault", ["accept_then_close", "reset_on_accept"])
def test_a_connection_can_end_before_a_byte_is_sent(sandbox: Sandbox, fault: str) -> None:
    sandbox.faults({"fault": fault})

    if fault == "reset_on_accept":
        with pytest.raises(ConnectionResetError), sandbox.connect() as connection:
            connection.recv(1)
    else:
        with sandbox.connect() as connection:
            assert connection.recv(1) == b""


@pytest.mark.parametrize(
    "fault", ["reset_before_reading", "reset_after_reading", "effect_then_reset"]
)
def test_a_reset_is_a_reset_and_no_clean_end(sandbox: Sandbox, fault: str) -> None:
    sandbox.faults({"fault": fault})

    with sandbox.connect() as connection:
        connection.sendall(b"GET /orkesta/v1/accounts HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_connections_are_refused_for_a_while(sandbox: Sandbox) -> None:
    sandbox.faults({"fault": "refuse_connections", "options": {"seconds": 0.4}, "times": 1})

    with pytest.raises(httpx.TransportError):
        _send(sandbox, "REFUSED")
    with pytest.raises(httpx.ConnectError):
        _send(sandbox, "REFUSED")
    time.sleep(0.6)

    assert _send(sandbox, "REFUSED").status_code == 200
    assert len(sandbox.effects("REFUSED")) == 1


def test_connections_can_be_refused_from_a_certain_request_on(sandbox: Sandbox) -> None:
    sandbox.faults(
        {"fault": "refuse_connections", "reference": "SHUT", "options": {"seconds": 0.2}}
    )

    with pytest.raises(httpx.ReadError):
        _send(sandbox, "SHUT")
    with pytest.raises(httpx.ConnectError):
        _send(sandbox, "OPEN")
    time.sleep(0.4)

    assert _send(sandbox, "OPEN").status_code == 200


def test_a_kept_connection_can_be_stale(sandbox: Sandbox) -> None:
    sandbox.faults({"fault": "stale_keep_alive", "times": 1})
    with httpx.Client(base_url=sandbox.orkesta.base_url, headers=sandbox.orkesta.headers) as client:
        assert client.post("/payments/batch", json=[sandbox.item("STALE-1")]).status_code == 200

        with pytest.raises(EARLY):
            client.post("/payments/batch", json=[sandbox.item("STALE-2")])

    assert sandbox.struck("stale_keep_alive") == 1
    assert not sandbox.effects("STALE-2")


# time


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("latency", {"seconds": 0.3}),
        ("latency", {"seconds": 0.3, "jitter_s": 0.1}),
        ("late_reply", {"seconds": 0.3}),
        ("slow_head", {"seconds": 0.02}),
        ("drip", {"seconds": 0.02}),
    ],
)
def test_a_reply_takes_its_time(sandbox: Sandbox, fault: str, options: dict[str, Any]) -> None:
    begun = time.monotonic()

    document = _strike(sandbox, fault, "TIME", **options)

    assert time.monotonic() - begun > 0.29
    assert document[0]["reference"] == "TIME"


def test_a_dripping_body_outlives_a_read_timeout(sandbox: Sandbox) -> None:
    """RELIABILITY 3: that is why there has to be an overall deadline."""
    sandbox.faults({"fault": "drip", "options": {"seconds": 0.06}})
    url = sandbox.orkesta.base_url.join("accounts")
    begun = time.monotonic()

    reply = httpx.get(url, headers=sandbox.orkesta.headers, timeout=0.2)

    assert reply.status_code == 200
    assert time.monotonic() - begun > 0.8


def test_the_effect_comes_after_the_latency_and_before_the_late_reply(sandbox: Sandbox) -> None:
    sandbox.faults(
        {"fault": "latency", "reference": "EARLY", "options": {"seconds": 5}},
        {"fault": "late_reply", "reference": "LATE", "options": {"seconds": 5}},
    )

    for reference in ("EARLY", "LATE"):
        with pytest.raises(httpx.ReadTimeout):
            _send(sandbox, reference)

    assert (len(sandbox.effects("EARLY")), len(sandbox.effects("LATE"))) == (0, 1)


# statuses


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("status", 500, "fault"),
        ("server_error", 500, "internal_error"),
        ("bad_gateway", 502, "bad_gateway"),
        ("unavailable", 503, "unavailable"),
        ("gateway_timeout", 504, "gateway_timeout"),
        ("too_many_requests", 429, "too_many_requests"),
        ("poison", 400, "bad_request"),
        ("unauthorized", 401, "unauthorized"),
        ("no_funds", 402, "insufficient_funds"),
        ("forbidden", 403, "forbidden"),
        ("not_found", 404, "not_found"),
        ("request_timeout", 408, "request_timeout"),
        ("in_progress", 409, "in_progress"),
        ("locked", 423, "locked"),
        ("too_early", 425, "too_early"),
        ("not_implemented", 501, "not_implemented"),
        ("duplicate", 409, "duplicate"),
    ],
)
def test_a_status_without_an_effect_in_the_platforms_own_shape(
    sandbox: Sandbox, fault: str, status: int, code: str
) -> None:
    sandbox.faults({"fault": fault})

    orkesta = sandbox.batch(sandbox.item(f"S-{fault}"))
    orkestra = sandbox.orkestra.post("/payouts", json=sandbox.payout(f"S-{fault}"))

    assert orkesta.status_code == orkestra.status_code == status
    assert orkesta.json()["error"]["code"] == orkestra.json()["code"] == code
    assert sandbox.struck(fault) == 2
    assert not sandbox.effects(f"S-{fault}")


@pytest.mark.parametrize("kind", ["none", "seconds", "date", "garbage"])
@pytest.mark.parametrize("fault", ["too_many_requests", "unavailable"])
def test_retry_after_comes_in_four_kinds(sandbox: Sandbox, fault: str, kind: str) -> None:
    sandbox.faults({"fault": fault, "options": {"retry_after": kind, "wait_s": 30}})

    value = sandbox.batch(sandbox.item()).headers.get("retry-after")

    match kind:
        case "none":
            assert value is None
        case "seconds":
            assert value == "30"
        case "date":
            assert 25 < (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds() <= 31
        case _:
            assert value == "soon, perhaps"


def test_any_status_can_be_asked_for(sandbox: Sandbox) -> None:
    sandbox.faults({"fault": "status", "options": {"status": 599, "code": "odd"}})

    assert sandbox.batch(sandbox.item()).status_code == 599


def test_a_redirect_leads_to_another_host(sandbox: Sandbox) -> None:
    sandbox.faults({"fault": "redirect"})

    reply = sandbox.batch(sandbox.item("REDIRECT"))

    assert reply.status_code == 307
    assert reply.headers["location"] == "http://elsewhere.invalid/"
    assert not sandbox.effects("REDIRECT")


def test_an_error_can_come_after_the_effect(sandbox: Sandbox) -> None:
    """A 500 never means that nothing was done."""
    sandbox.faults({"fault": "error_after_effect"})

    assert sandbox.batch(sandbox.item("AFTER")).status_code == 500
    assert len(sandbox.effects("AFTER")) == 1


def test_an_effect_can_come_after_the_error(sandbox: Sandbox) -> None:
    sandbox.faults({"fault": "timeout_then_effect", "options": {"seconds": 0.2}})

    assert sandbox.batch(sandbox.item("THEN")).status_code == 504
    assert not sandbox.effects("THEN")
    time.sleep(0.5)

    assert len(sandbox.effects("THEN")) == 1


@pytest.mark.parametrize(("fault", "status"), [("accepted", 202), ("no_content", 204)])
def test_a_success_can_have_another_status(sandbox: Sandbox, fault: str, status: int) -> None:
    sandbox.faults({"fault": fault})

    reply = sandbox.batch(sandbox.item(f"OK-{fault}"))

    assert reply.status_code == status
    assert len(sandbox.effects(f"OK-{fault}")) == 1
    assert bool(reply.content) is (status == 202)


# unreadable replies


@pytest.mark.parametrize("fault", ["html", "malformed", "empty_body", "cut_clean"])
def test_a_200_can_be_unreadable(sandbox: Sandbox, fault: str) -> None:
    sandbox.faults({"fault": fault})

    reply = _send(sandbox, f"U-{fault}")

    assert reply.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.content)
    assert sandbox.struck(fault) == 1
    assert len(sandbox.effects(f"U-{fault}")) == 1


def test_amounts_can_be_nan_and_keys_can_be_repeated(sandbox: Sandbox) -> None:
    """Both are things that a lenient parser takes without a word."""
    sandbox.faults({"fault": "nan"})
    assert b'"amount":NaN' in sandbox.batch(sandbox.item()).content

    sandbox.faults({"fault": "repeated_keys"})
    body = sandbox.batch(sandbox.item()).content
    assert b'"status":"failed","status":"pending"' in body
    assert json.loads(body)[0]["status"] == "pending"


# wrong content


def test_items_can_come_in_another_order(sandbox: Sandbox) -> None:
    references = [f"ORDER-{number}" for number in range(20)]

    got = [item["reference"] for item in _strike(sandbox, "shuffled", *references)]

    assert sorted(got) == sorted(references)
    assert got != references


def test_items_can_be_missing(sandbox: Sandbox) -> None:
    got = _strike(sandbox, "missing_items", "MISS-1", "MISS-2", "MISS-3", count=2)

    assert len(got) == 1
    assert all(sandbox.effects(f"MISS-{number}") for number in (1, 2, 3))


def test_items_can_come_twice(sandbox: Sandbox) -> None:
    equal = _strike(sandbox, "repeated_items", "DOUBLE-1")
    other = _strike(sandbox, "repeated_items", "DOUBLE-2", status="failed")

    assert equal[0] == equal[1]
    assert [item["status"] for item in other] == ["pending", "failed"]


def test_an_item_can_be_nobodys(sandbox: Sandbox) -> None:
    got = _strike(sandbox, "foreign_item", "MINE")

    assert [item["reference"] for item in got] == ["MINE", "NOT-YOURS"]


@pytest.mark.parametrize(
    ("fault", "options", "field", "value"),
    [
        ("unknown_status", {}, "status", "in_orbit"),
        ("unknown_status", {"word": "PAID?"}, "status", "PAID?"),
        ("other_amount", {}, "amount", 1501),
        ("other_amount", {"delta": -1500}, "amount", 0),
        ("major_units", {}, "amount", 15.0),
        ("other_currency", {}, "currency", "XTS"),
        ("other_reference", {}, "reference", "NOT-YOURS"),
    ],
)
def test_an_echo_can_be_wrong(
    sandbox: Sandbox, fault: str, options: dict[str, Any], field: str, value: object
) -> None:
    [item] = _strike(sandbox, fault, "ECHO", **options)

    assert item[field] == value


def test_only_so_many_items_are_changed(sandbox: Sandbox) -> None:
    got = _strike(sandbox, "unknown_status", *(f"SOME-{n}" for n in range(10)), count=3)

    assert [item["status"] for item in got].count("in_orbit") == 3


def test_a_wrong_echo_strikes_at_orkestra_too(sandbox: Sandbox) -> None:
    sandbox.faults(
        {"fault": "other_amount", "options": {"delta": 1}},
        {"fault": "other_reference"},
        {"fault": "unknown_status"},
    )

    payout = sandbox.orkestra.post("/payouts", json=sandbox.payout("ECHO-2")).json()

    assert payout["amount"] == 11.25
    assert payout["referenceId"] == "NOT-YOURS"
    assert payout["status"] == "in_orbit"


def test_a_look_up_can_lag_and_can_be_false(sandbox: Sandbox) -> None:
    sandbox.settings(speed="instant")
    name = sandbox.batch(sandbox.item()).json()[0]["id"]
    sandbox.faults(
        {"fault": "not_found", "route": "GET *", "nth": 1},
        {"fault": "stale_status", "route": "GET *", "nth": 2},
    )

    replies = [sandbox.orkesta.get(f"/payments/{name}") for _ in range(3)]

    assert [reply.status_code for reply in replies] == [404, 200, 200]
    assert [reply.json()["status"] for reply in replies[1:]] == ["pending", "settled"]


def test_chosen_items_are_refused_and_the_others_go_through(sandbox: Sandbox) -> None:
    got = _strike(
        sandbox, "refused_items", "NO-1", "YES-1", "NO-2", references="NO-*", code="account_blocked"
    )

    assert [item["status"] for item in got] == ["failed", "pending", "failed"]
    assert got[0]["error"]["code"] == "account_blocked"
    assert not sandbox.effects("NO-1")
    assert sandbox.effects("YES-1")


def test_a_chosen_payout_is_refused(sandbox: Sandbox) -> None:
    sandbox.faults({"fault": "refused_items", "options": {"code": "try_later"}})

    reply = sandbox.orkestra.post("/payouts", json=sandbox.payout("NO-3"))

    assert (reply.status_code, reply.json()["code"]) == (429, "try_later")


# the table itself


def test_every_recipe_is_tested_here() -> None:
    files = [*Path(__file__).parent.glob("test_*.py")]
    words = {word for file in files for word in re.findall(r'"([a-z_]+)"', file.read_text("utf-8"))}

    assert set(ALL_RECIPES) <= words


def test_the_table_has_a_line_for_each_recipe() -> None:
    lines = table(ALL_RECIPES).splitlines()

    assert [line.split()[0] for line in lines] == list(ALL_RECIPES)
    assert all(
        recipe.says in line for line, recipe in zip(lines, ALL_RECIPES.values(), strict=True)
    )
