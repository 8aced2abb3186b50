"""Orchestrate: what is sent, what each answer says, over a real socket and by hand."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from payouts import local
from payouts.core.collections import CollectionState, Standing, after_look
from payouts.core.errors import InvariantError, UsageError
from payouts.core.outcomes import Answer, Failure
from payouts.providers.calls import Calls
from payouts.providers.client import Exchange, Permit, clock
from payouts.providers.events import Hearing
from payouts.providers.orchestrate import CURRENCIES, Intent, Orchestrate
from payouts.providers.strict import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

OFFLINE = Orchestrate("https://orchestrate.invalid/", api_key="secret-key")
INTENT = Intent("C" + "A" * 31, 12_50, "EUR", "Funding of run_1", 3600)


def body(intent: Intent = INTENT) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(OFFLINE.create(intent).body or b"", parse_float=Decimal)
    return made


def payment(**changes: object) -> dict[str, Any]:
    made = {
        "id": "cbbbc264",
        "status": "pending",
        "metadata": {"collection_id": INTENT.key},
        "currency": "EUR",
        "amount": "12.5",
        "payment_link": "https://orchestrate.invalid/payments/cbbbc264/collection",
    } | changes
    return {name: value for name, value in made.items() if value is not ...}


def read(**changes: object) -> Any:  # noqa: ANN401  a Payment; its fields are the test's matter
    return OFFLINE.read(Exchange(200, json.dumps(payment(**changes)).encode()))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Orchestrate, Calls]]:
    """The connector with the sandbox behind it."""
    with local.sandbox_running(tmp_path_factory.mktemp("sandbox")) as url:
        platform = Orchestrate(f"{url}/orchestrate", api_key="sandbox-orchestrate")
        yield platform, Calls(platform.base_url, platform.headers)


def permit() -> Permit:
    return Permit(1, 1, clock() + 10)


# -- what is sent -----------------------------------------------------------------------------------


def test_a_payment_is_asked_for_as_the_page_shows_it() -> None:
    made = body(
        Intent(
            "C1",
            12_50,
            "EUR",
            "Funding",
            3600,
            name="Ada",
            email="ada@example.com",
            success_url="https://x/paid",
            cancel_url="https://x/left",
            mcc=6012,
        )
    )

    assert made == {
        "amount": Decimal("12.50"),
        "currency": "EUR",
        "mcc": 6012,
        "customer": {"name": "Ada", "email": "ada@example.com"},
        "description": "Funding",
        "success_url": "https://x/paid",
        "cancel_url": "https://x/left",
        "metadata": {"collection_id": "C1"},
        "expires_in": 3600,
    }


def test_what_is_not_known_is_left_out() -> None:
    assert set(body()) == {"amount", "currency", "description", "metadata", "expires_in"}


@pytest.mark.parametrize(("minor", "digits"), [(1, "0.01"), (1250, "12.50"), (10**15 - 1, None)])
def test_an_amount_is_written_digit_by_digit(minor: int, digits: str | None) -> None:
    """The largest of them has more digits than a float keeps (P16)."""
    raw = OFFLINE.create(Intent("C", minor, "USD", "x", 60)).body or b""

    assert raw.startswith(b'{"amount":%b,' % (digits or "9999999999999.99").encode())


@pytest.mark.parametrize("currency", ["TRY", "BRL", "eur", "USDC"])
def test_other_currencies_are_refused_before_anything_is_sent(currency: str) -> None:
    assert currency not in CURRENCIES
    with pytest.raises(UsageError, match="does not collect") as refused:
        OFFLINE.create(Intent("C", 100, currency, "x", 60))

    assert refused.value.code == "E_COLLECT_CURRENCY"


def test_a_payment_is_never_asked_for_without_an_attempt() -> None:
    """P4."""
    with pytest.raises(InvariantError):
        Calls("http://127.0.0.1:9", {})(OFFLINE.create(INTENT))


def test_no_key_stands_in_what_is_shown() -> None:
    calls = Calls(OFFLINE.base_url, OFFLINE.headers)

    assert "secret-key" not in repr(OFFLINE) + repr(calls)


# -- what is read -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "standing"),
    [
        ("pending", Standing.PENDING),
        ("completed", Standing.PAID),
        ("succeeded", Standing.PAID),
        ("failed", Standing.FAILED),
        ("expired", Standing.EXPIRED),
        ("Completed", None),
        ("", None),
        (7, None),
    ],
)
def test_both_words_for_paid_are_known_and_no_other(word: object, standing: object) -> None:
    assert read(status=word).standing is standing


@pytest.mark.parametrize(
    ("amount", "agrees"),
    [
        ("12.50", True),
        ("12.5", True),
        ("12.500", True),
        ("12.501", False),
        (12, False),
        ("1250", False),
        (True, False),
        (None, False),
        ("12,50", False),
        ("1e999999", False),
        ("-12.50", False),
    ],
)
def test_an_amount_is_read_as_number_or_text_and_compared_to_the_digit(
    amount: object,
    agrees: bool,  # noqa: FBT001  a column of the table
) -> None:
    """A-ORT-1."""
    assert read(amount=amount).agrees(12_50, "EUR") is agrees
    assert read(amount=12.5).agrees(12_50, "EUR")


def test_another_currency_never_agrees() -> None:
    assert not read(currency="USD").agrees(12_50, "EUR")
    assert not read(currency=None).agrees(12_50, "EUR")


@pytest.mark.parametrize(
    ("changes", "link"),
    [
        ({}, payment()["payment_link"]),
        ({"payment_link": ..., "next_action": {"url": "https://x/3ds"}}, "https://x/3ds"),
        ({"payment_link": None, "next_action": None}, None),
        ({"payment_link": "javascript:alert(1)"}, None),
        ({"payment_link": "https://x/\x1b[2J"}, None),
        ({"payment_link": ["https://x"]}, None),
        ({"payment_link": "https://x/" + "a" * 3000}, None),
    ],
)
def test_the_link_stands_in_either_place_and_is_one(
    changes: dict[str, object], link: str | None
) -> None:
    assert read(**changes).link == link


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"id": ""}',
        b'{"status": "completed"}',
        b'{"id": "a", "id": "b"}',
        b'{"id": "a", "amount": NaN}',
        b'{"id": "a", "status": "comp',
    ],
)
def test_what_is_no_payment_says_nothing(raw: bytes) -> None:
    with pytest.raises(UnreadableError):
        OFFLINE.read(Exchange(201, raw))


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (201, Answer.READABLE),
        (200, Answer.READABLE),
        (400, Answer.REJECTED),
        (422, Answer.REJECTED),
        (401, Answer.CONFIGURATION),
        (403, Answer.CONFIGURATION),
        (404, Answer.CONFIGURATION),
        (429, Answer.NOT_EXECUTED),
        (500, Answer.UNCLEAR),
        (502, Answer.UNCLEAR),
        (503, Answer.UNCLEAR),
        (504, Answer.UNCLEAR),
        (409, Answer.UNCLEAR),
        (204, Answer.UNCLEAR),
        (302, Answer.UNCLEAR),
    ],
)
def test_a_status_has_its_class(status: int, answer: Answer) -> None:
    assert OFFLINE.answer(Exchange(status)) is answer


def test_a_failure_has_its_class() -> None:
    assert OFFLINE.answer(Exchange(failure=Failure.READ_TIMEOUT)) is Answer.UNCLEAR
    assert OFFLINE.answer(Exchange(failure=Failure.NOT_CONNECTED)) is Answer.NOT_EXECUTED


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (
            b'{"message": "no", "errors": {"currency": ["bad"], "amount": ["bad"]}}',
            "amount,currency",
        ),
        (b'{"message": "no"}', "http_422"),
        (b"<html>", "http_422"),
        (b"[]", "http_422"),
    ],
)
def test_a_refusal_names_the_fields(raw: bytes, why: str) -> None:
    """A-ORT-2."""
    assert OFFLINE.refusal(Exchange(422, raw)) == why


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"items": []}',
        b'{"items": {}, "pagination": {"total_pages": 1}}',
        b'{"items": [], "pagination": {"total_pages": "1"}}',
        b'{"items": [], "pagination": {"total_pages": -1}}',
    ],
)
def test_a_page_without_its_end_is_no_page(raw: bytes) -> None:
    """Not found in half a list is not "not found"."""
    with pytest.raises(UnreadableError):
        OFFLINE.read_page(Exchange(200, raw))


def test_foreign_payments_of_a_page_are_left_out() -> None:
    rows = [payment(), payment(metadata={}), payment(metadata=None), {"status": "pending"}, 7]
    raw = json.dumps({"items": rows, "pagination": {"total_pages": 3}}).encode()

    page = OFFLINE.read_page(Exchange(200, raw))

    assert ([one.key for one in page.payments], page.pages) == ([INTENT.key], 3)


# -- webhooks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [{"id": "evt_1"}, {"api_version": "1"}])
def test_both_envelopes_of_a_webhook_are_read(head: dict[str, str]) -> None:
    raw = json.dumps(head | {"type": "payment.succeeded", "payload": payment(amount=1000)})

    event = OFFLINE.event(raw.encode())

    assert isinstance(OFFLINE, Hearing)
    assert (event.topic, event.name, event.id) == (
        "collection",
        "payment.succeeded",
        head.get("id"),
    )
    assert (event.ref, event.wire, event.status) == ("cbbbc264", INTENT.key, "pending")
    assert event.verdict is None  # what it claims is nobody's evidence (A-ORT-5)


@pytest.mark.parametrize(
    "raw", [b"[]", b"{}", b'{"type": "x"}', b'{"type": "x", "payload": {}}', b"nothing"]
)
def test_what_is_no_webhook_is_unreadable(raw: bytes) -> None:
    with pytest.raises(UnreadableError):
        OFFLINE.event(raw)


# -- the decision -----------------------------------------------------------------------------------


def test_only_a_payment_that_agrees_is_ever_booked() -> None:
    for state in CollectionState:
        for standing in (*Standing, None):
            assert after_look(state, standing, agrees=False) is not CollectionState.PAID
            if standing is not Standing.PAID:
                assert after_look(state, standing, agrees=True) is not CollectionState.PAID


# -- over the socket --------------------------------------------------------------------------------


def test_a_payment_is_made_read_listed_and_paid(live: tuple[Orchestrate, Calls]) -> None:
    platform, call = live

    made = platform.read(call(platform.create(INTENT), permit()))
    page = platform.read_page(call(platform.listing(1)))
    assert made.link is not None
    httpx.post(made.link, data={"outcome": "pay"}, trust_env=False)
    paid = platform.read(call(platform.poll(made.ref)))

    assert (made.standing, made.key) == (Standing.PENDING, INTENT.key)
    assert made.agrees(12_50, "EUR")
    assert made.ref in [one.ref for one in page.payments]
    assert paid.standing is Standing.PAID


def test_a_key_that_is_wrong_stops_and_fails_nobody(live: tuple[Orchestrate, Calls]) -> None:
    platform, _ = live
    wrong = Calls(platform.base_url, {"Authorization": "Bearer nobody"})

    assert platform.answer(wrong(platform.listing(1))) is Answer.CONFIGURATION


def test_what_it_refuses_is_told_by_field(live: tuple[Orchestrate, Calls]) -> None:
    platform, call = live
    exchange = call(platform.create(Intent("C", 0, "EUR", "x", 60)), permit())

    assert platform.answer(exchange) is Answer.REJECTED
    assert platform.refusal(exchange) == "amount"
