"""Orchestrate's quirks, each over the socket."""

from __future__ import annotations

import hmac
import signal
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.sandbox.conftest import Sandbox
    from tests.sandbox.receiver import Receiver

KEY = {"authorization": "Bearer sandbox-orchestrate"}


def client_of(sandbox: Sandbox) -> httpx.Client:
    host, port = sandbox.address
    url = f"http://{host}:{port}/orchestrate/api/v1"
    return httpx.Client(base_url=url, headers=KEY, trust_env=False, timeout=10)


@pytest.fixture
def orchestrate(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with client_of(sandbox) as client:
        yield client


def made(client: httpx.Client, **changes: object) -> dict[str, Any]:
    reply = client.post("/payments", json={"amount": 500, "currency": "USD", **changes})
    assert reply.status_code == 201, reply.text
    payment: dict[str, Any] = reply.json()
    return payment


def pressed(link: str, outcome: str = "pay") -> httpx.Response:
    return httpx.post(link, data={"outcome": outcome}, trust_env=False)


def test_a_payment_is_made_with_201_and_its_amount_is_text(orchestrate: httpx.Client) -> None:
    payment = made(orchestrate, metadata={"order_id": 212}, customer={"name": "A", "email": "a@b"})

    assert (payment["status"], payment["amount"], payment["currency"]) == (
        "pending",
        "500.0",
        "USD",
    )
    assert payment["metadata"] == {"order_id": 212}
    assert payment["customer"]["email"] == "a@b"
    assert payment["completed_at"] is None
    assert payment["payment_method"] is None
    assert payment["payment_link"].endswith(f"/orchestrate/payments/{payment['id']}/collection")
    assert payment["created_at"].endswith("Z")


@pytest.mark.parametrize(
    ("amount", "shown"), [("12.5", "12.5"), ("12.55", "12.55"), ("0.01", "0.01"), ("3.00", "3.0")]
)
def test_an_amount_keeps_its_value_to_the_digit(
    orchestrate: httpx.Client, amount: str, shown: str
) -> None:
    reply = orchestrate.post("/payments", content=f'{{"amount": {amount}, "currency": "EUR"}}')

    assert reply.json()["amount"] == shown


def test_the_page_of_the_link_pays_and_sends_the_browser_on(orchestrate: httpx.Client) -> None:
    payment = made(orchestrate, success_url="https://example.com/thanks", description="<b>Week</b>")
    page = httpx.get(payment["payment_link"], trust_env=False)

    done = pressed(payment["payment_link"])

    assert "&lt;b&gt;Week" in page.text
    assert "500.0 USD" in page.text
    assert (done.status_code, done.headers["location"]) == (303, "https://example.com/thanks")
    paid = orchestrate.get(f"/payments/{payment['id']}").json()
    assert (paid["status"], paid["payment_method"]) == ("completed", "card")
    assert paid["completed_at"] >= payment["created_at"]
    assert pressed(payment["payment_link"]).status_code == 409


def test_who_cancels_has_paid_nothing_and_may_come_back(orchestrate: httpx.Client) -> None:
    payment = made(orchestrate, cancel_url="https://example.com/back")

    done = pressed(payment["payment_link"], "cancel")

    assert done.headers["location"] == "https://example.com/back"
    assert orchestrate.get(f"/payments/{payment['id']}").json()["status"] == "pending"
    assert pressed(payment["payment_link"], "fail").status_code == 303
    assert orchestrate.get(f"/payments/{payment['id']}").json()["status"] == "failed"


def test_the_other_wordings_of_the_pages_can_be_switched_on(
    sandbox: Sandbox, orchestrate: httpx.Client
) -> None:
    sandbox.settings(collected="succeeded", amount_text=False, link="next_action")

    payment = made(orchestrate, amount=12.25)

    assert payment["amount"] == 12.25
    assert "payment_link" not in payment
    pressed(payment["next_action"]["url"])
    assert orchestrate.get(f"/payments/{payment['id']}").json()["status"] == "succeeded"


def test_a_payment_expires_by_the_clock_and_can_then_not_be_paid(
    orchestrate: httpx.Client,
) -> None:
    payment = made(orchestrate, expires_in=1)
    assert payment["status"] == "pending"

    deadline = time.monotonic() + 5
    while payment["status"] != "expired":
        assert time.monotonic() < deadline
        time.sleep(0.05)
        payment = orchestrate.get(f"/payments/{payment['id']}").json()

    assert pressed(payment["payment_link"]).status_code == 409
    assert payment["completed_at"] is None


def test_a_list_has_pages_the_newest_first(orchestrate: httpx.Client) -> None:
    names = [made(orchestrate)["id"] for _ in range(3)]

    first = orchestrate.get("/payments", params={"per_page": 2}).json()
    second = orchestrate.get("/payments", params={"per_page": 2, "page": 2}).json()

    assert [item["id"] for item in first["items"]] == names[:0:-1]
    assert second["items"][0]["id"] == names[0]
    assert first["pagination"]["total_pages"] == -(-first["pagination"]["total_items"] // 2)
    assert orchestrate.get("/payments").json()["pagination"]["per_page"] == 10


@pytest.mark.parametrize("query", ["per_page=101", "per_page=0", "page=0", "page=x"])
def test_a_list_has_at_most_a_hundred_on_a_page(orchestrate: httpx.Client, query: str) -> None:
    assert orchestrate.get(f"/payments?{query}").status_code == 422


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": "TRY"}, "currency"),
        ({"currency": None}, "currency"),
        ({"amount": 0}, "amount"),
        ({"amount": "12"}, "amount"),
        ({"amount": 1.005}, "amount"),
        ({"success_url": "nowhere"}, "success_url"),
        ({"metadata": []}, "metadata"),
        ({"expires_in": -1}, "expires_in"),
        ({"description": 7}, "description"),
    ],
)
def test_what_it_does_not_take_is_422_with_the_field(
    orchestrate: httpx.Client, changes: dict[str, object], field: str
) -> None:
    """A-ORT-2."""
    reply = orchestrate.post("/payments", json={"amount": 5, "currency": "USD", **changes})

    assert reply.status_code == 422
    assert list(reply.json()["errors"]) == [field]
    assert reply.json()["message"]


def test_keys_paths_and_bodies_are_checked(sandbox: Sandbox, orchestrate: httpx.Client) -> None:
    wrong = httpx.get(
        f"http://127.0.0.1:{sandbox.address[1]}/orchestrate/api/v1/payments", trust_env=False
    )

    assert (wrong.status_code, wrong.json()["message"]) == (401, "Unauthenticated")
    assert orchestrate.get("/payments/nothing").status_code == 404
    assert orchestrate.delete("/payments/nothing").status_code == 405
    assert orchestrate.get("/refunds").status_code == 404
    assert orchestrate.post("/payments", content=b"{").status_code == 400


def test_payments_and_their_ends_survive_a_kill(start: Callable[..., Sandbox]) -> None:
    first = start()
    with client_of(first) as client:
        paid, open_ = made(client), made(client)
        pressed(paid["payment_link"])
    first.end(signal.SIGKILL)

    with client_of(start()) as client:
        statuses = [client.get(f"/payments/{one['id']}").json()["status"] for one in (paid, open_)]

    assert statuses == ["completed", "pending"]


def test_a_reply_that_is_lost_has_made_the_payment(
    sandbox: Sandbox, orchestrate: httpx.Client
) -> None:
    sandbox.faults({"fault": "effect_then_reset", "route": "POST /orchestrate/api/v1/payments"})

    with pytest.raises(httpx.TransportError):
        made(orchestrate, metadata={"collection_id": "lost-1"})

    found = orchestrate.get("/payments", params={"per_page": 1}).json()["items"][0]
    assert found["metadata"] == {"collection_id": "lost-1"}


# -- what it tells of its own accord ----------------------------------------------------------------


@pytest.fixture
def heard(sandbox: Sandbox, receiver: Receiver) -> Iterator[Receiver]:
    sandbox.settings(speed=100, webhooks={"orchestrate": receiver.url})
    yield receiver
    sandbox.settings(webhooks={"orchestrate": None})


def test_it_tells_what_happens_and_signs_it(orchestrate: httpx.Client, heard: Receiver) -> None:
    """A-ORT-3; the status in the payload is another word than the event's, as in the vendor's page."""
    payment = made(orchestrate, metadata={"collection_id": "C-1"})
    pressed(payment["payment_link"])

    created, paid = heard.wait(2)

    assert [one.type for one in (created, paid)] == [
        "payment.created",
        "payment.succeeded",
    ]
    event = paid.document
    assert event["payload"]["id"] == payment["id"]
    assert (event["payload"]["status"], event["payload"]["amount"]) == ("completed", 500)
    assert event["payload"]["metadata"] == {"collection_id": "C-1"}
    assert event["id"].startswith("evt_")
    digest = hmac.digest(b"sandbox-orchestrate-webhook-secret", paid.body, "sha256").hex()
    assert paid.headers["x-orchestrate-signature"] == digest


def test_it_tells_that_a_link_has_ended_only_when_it_has(
    sandbox: Sandbox, orchestrate: httpx.Client, heard: Receiver
) -> None:
    sandbox.settings(envelope="api_version")
    paid, left = made(orchestrate, expires_in=1), made(orchestrate, expires_in=1)
    pressed(paid["payment_link"])

    told = [one.document for one in heard.wait(4)]

    ends = {one["payload"]["id"]: one["type"] for one in told if one["type"] != "payment.created"}
    assert ends == {paid["id"]: "payment.succeeded", left["id"]: "payment.expired"}
    assert all("id" not in one and one["api_version"] == "1" for one in told)
