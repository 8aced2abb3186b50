"""Orkesta's quirks, each over the socket."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.sandbox.conftest import Sandbox


def test_accounts_are_a_bare_array_with_balances_in_major_units(sandbox: Sandbox) -> None:
    reply = sandbox.orkesta.get("/accounts")

    assert reply.status_code == 200
    first = reply.json()[0]
    assert set(first) == {"id", "name", "currency", "balance"}
    assert first["id"].startswith("acc_")
    assert {account["currency"] for account in reply.json()} == {"TRY", "USD", "EUR", "GBP"}


def test_a_payment_in_minor_units_lowers_the_balance_in_major_units(sandbox: Sandbox) -> None:
    """A-OKS-8: amounts are kuruş and balances are lira, on the same account."""
    before = sandbox.orkesta.get("/accounts").json()[0]["balance"]

    sandbox.orkesta.post("/payments", json=sandbox.item(amount=150_050)).raise_for_status()

    after = sandbox.orkesta.get("/accounts").json()[0]["balance"]
    assert round(before - after, 2) == 1500.50


def test_a_new_payment_is_pending_and_answered_with_201(sandbox: Sandbox) -> None:
    reply = sandbox.orkesta.post("/payments", json=sandbox.item("NEW-1"))

    assert reply.status_code == 201
    payment = reply.json()
    assert payment["id"].startswith("pay_")
    assert len(payment["id"]) == 30
    assert payment["status"] == "pending"
    assert payment["amount"] == 1500
    assert payment["reference"] == "NEW-1"
    assert payment["created_at"].endswith("Z")
    assert "completed_at" not in payment


def test_a_payment_goes_by_way_of_processing_to_settled(sandbox: Sandbox) -> None:
    name = sandbox.orkesta.post("/payments", json=sandbox.item("LIFE-1")).json()["id"]

    seen: list[dict[str, Any]] = []
    deadline = time.monotonic() + 10
    while not seen or seen[-1]["status"] != "settled":
        assert time.monotonic() < deadline
        payment = sandbox.orkesta.get(f"/payments/{name}").json()
        if not seen or payment["status"] != seen[-1]["status"]:
            seen.append(payment)
        time.sleep(0.02)

    assert [payment["status"] for payment in seen] == ["pending", "processing", "settled"]
    assert seen[-1]["completed_at"] >= seen[-1]["created_at"]


def test_a_payment_is_settled_in_the_reply_at_instant_speed(sandbox: Sandbox) -> None:
    sandbox.settings(speed="instant")

    assert sandbox.batch(sandbox.item()).json()[0]["status"] == "settled"


def test_the_quick_starts_word_completed_can_be_chosen(sandbox: Sandbox) -> None:
    sandbox.settings(speed="instant", wording="completed")

    [payment] = sandbox.batch(sandbox.item()).json()

    assert payment["status"] == "completed"
    assert payment["completed_at"] == payment["created_at"]


def test_a_payment_keeps_the_pace_it_was_made_with(sandbox: Sandbox) -> None:
    """Else a payment that was settled would be pending again after a change of speed."""
    sandbox.settings(speed="instant")
    [payment] = sandbox.batch(sandbox.item()).json()
    sandbox.settings(speed=0.001)

    assert sandbox.orkesta.get(f"/payments/{payment['id']}").json()["status"] == "settled"


def test_with_an_approval_workflow_a_payment_waits_for_its_approver(sandbox: Sandbox) -> None:
    sandbox.settings(speed="instant", approval=True)
    [payment] = sandbox.batch(sandbox.item()).json()
    assert payment["status"] == "pending"

    sandbox.control.post("/_control/release", json={"effect": None}).raise_for_status()

    assert sandbox.orkesta.get(f"/payments/{payment['id']}").json()["status"] == "settled"


@pytest.mark.parametrize("amount", [10.5, 10.0, 0, -1, "10", True, None, 10**14])
def test_an_amount_has_to_be_a_positive_integer(sandbox: Sandbox, amount: object) -> None:
    reply = sandbox.orkesta.post("/payments", json=sandbox.item("AMOUNT", amount=amount))

    assert reply.status_code == 422
    assert reply.json()["error"]["field"] == "amount"
    assert not sandbox.effects("AMOUNT")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"currency": "JPY"}, "unsupported_currency"),
        ({"currency": "USD"}, "currency_mismatch"),
        ({"currency": 7}, "invalid_type"),
        ({"method": "direct_debit"}, "unsupported_method"),
        ({"from_account": "acc_foreign"}, "unknown_account"),
        ({"from_account": ["x"]}, "invalid_type"),
        ({"to_account": "acc_01hx3k9qze4p7vb2ntcm6d8faj"}, "same_account"),
        ({"to_account": "TR 33"}, "invalid_account"),
        ({"to_account": None}, "missing_field"),
        ({"reference": "x" * 36}, "invalid_reference"),
        ({"reference": ""}, "invalid_reference"),
        ({"reference": 5}, "invalid_type"),
        ({"description": "x" * 501}, "invalid_description"),
    ],
)
def test_a_payment_that_is_not_sound_is_refused(
    sandbox: Sandbox, changes: dict[str, Any], code: str
) -> None:
    [outcome] = sandbox.batch(sandbox.item(**changes)).json()

    assert outcome["status"] == "failed"
    assert outcome["error"]["code"] == code
    assert "id" not in outcome


def test_items_of_a_batch_are_independent_and_come_in_request_order(sandbox: Sandbox) -> None:
    items = [sandbox.item("B-1"), sandbox.item("B-2", amount=0), "nonsense", sandbox.item("B-4")]

    reply = sandbox.batch(*items)

    assert reply.status_code == 200
    assert [outcome["reference"] for outcome in reply.json()] == ["B-1", "B-2", None, "B-4"]
    assert [outcome["status"] for outcome in reply.json()] == [
        "pending",
        "failed",
        "failed",
        "pending",
    ]
    assert reply.json()[1]["error"]["code"] == "invalid_amount"


def test_five_hundred_items_pass_and_each_can_be_read(sandbox: Sandbox) -> None:
    outcomes = sandbox.batch(*(sandbox.item(f"F-{number}") for number in range(500))).json()

    assert len({outcome["id"] for outcome in outcomes}) == 500
    for number in (0, 1, 31, 32, 498, 499):
        payment = sandbox.orkesta.get(f"/payments/{outcomes[number]['id']}").json()
        assert payment["reference"] == f"F-{number}"


@pytest.mark.parametrize("count", [0, 501])
def test_a_batch_of_a_wrong_size_creates_nothing(sandbox: Sandbox, count: int) -> None:
    """A-OKS-3: more than 500 is 422, and not even the first 500 are paid."""
    before = len(sandbox.truth())

    reply = sandbox.batch(*(sandbox.item(f"S-{number}") for number in range(count)))

    assert reply.status_code == 422
    assert reply.json()["error"]["code"] == "batch_size"
    assert len(sandbox.truth()) == before


def test_a_batch_can_be_wrapped_where_that_is_switched_on(sandbox: Sandbox) -> None:
    sandbox.settings(wrapped=True)

    reply = sandbox.orkesta.post("/payments/batch", json={"payments": [sandbox.item("W-1")]})

    assert reply.json()["results"][0]["reference"] == "W-1"
    assert sandbox.batch(sandbox.item()).status_code == 400


def test_a_repeated_batch_pays_twice(sandbox: Sandbox) -> None:
    """A-OKS-9: there is no idempotency, and a key in the header changes nothing."""
    key = {"idempotency-key": "K-1"}
    for _ in range(2):
        sandbox.orkesta.post("/payments/batch", json=[sandbox.item("TWICE")], headers=key)

    first, second = sandbox.effects("TWICE")
    assert first["effect"] != second["effect"]
    assert [line["key"] for line in sandbox.truth()[-2:]] == ["K-1", "K-1"]


def test_a_pending_payment_can_be_cancelled_once(sandbox: Sandbox) -> None:
    sandbox.settings(speed=0.01)
    name = sandbox.orkesta.post("/payments", json=sandbox.item()).json()["id"]

    first = sandbox.orkesta.delete(f"/payments/{name}")
    second = sandbox.orkesta.delete(f"/payments/{name}")

    assert (first.status_code, first.json()["status"]) == (200, "cancelled")
    assert second.status_code == 409
    assert sandbox.orkesta.get(f"/payments/{name}").json()["status"] == "cancelled"
    assert {"kind": "cancel", "effect": name}.items() <= sandbox.truth()[-1].items()


def test_an_approved_payment_can_be_cancelled(sandbox: Sandbox) -> None:
    sandbox.settings(speed=0.01, approval=True)
    name = sandbox.orkesta.post("/payments", json=sandbox.item()).json()["id"]
    sandbox.control.post("/_control/release", json={"effect": name}).raise_for_status()
    assert sandbox.orkesta.get(f"/payments/{name}").json()["status"] == "approved"

    assert sandbox.orkesta.delete(f"/payments/{name}").json()["status"] == "cancelled"


def test_a_settled_payment_cannot_be_cancelled(sandbox: Sandbox) -> None:
    """A-OKS-5: 409 and the state is unchanged."""
    sandbox.settings(speed="instant")
    name = sandbox.orkesta.post("/payments", json=sandbox.item()).json()["id"]

    assert sandbox.orkesta.delete(f"/payments/{name}").status_code == 409
    assert sandbox.orkesta.get(f"/payments/{name}").json()["status"] == "settled"


def test_a_processing_payment_cannot_be_cancelled(sandbox: Sandbox) -> None:
    sandbox.settings(speed=0.5)
    name = sandbox.orkesta.post("/payments", json=sandbox.item("PROC")).json()["id"]
    deadline = time.monotonic() + 10
    while sandbox.orkesta.get(f"/payments/{name}").json()["status"] != "processing":
        assert time.monotonic() < deadline
        time.sleep(0.02)

    assert sandbox.orkesta.delete(f"/payments/{name}").status_code == 409


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("name", ["pay_01ks2ammmw5gqks300000007fk", "pay_x", "12345", "batch"])
def test_an_unknown_payment_is_not_found(sandbox: Sandbox, method: str, name: str) -> None:
    assert sandbox.orkesta.request(method, f"/payments/{name}").status_code == 404


def test_a_payout_of_the_other_platform_is_not_found(sandbox: Sandbox) -> None:
    payout = sandbox.orkestra.post("/payouts", json=sandbox.payout("OTHER")).json()["id"]

    assert sandbox.orkesta.get(f"/payments/{payout}").status_code == 404


def test_a_missing_or_unknown_key_is_401(sandbox: Sandbox) -> None:
    url = sandbox.orkesta.base_url.join("accounts")

    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "sandbox-orkesta-rw"}):
        reply = httpx.get(url, headers=headers, trust_env=False)
        assert reply.status_code == 401
        assert reply.json()["error"]["code"] == "unauthorized"


def test_a_read_only_key_may_read_and_nothing_else(sandbox: Sandbox) -> None:
    read_only = {"authorization": "Bearer sandbox-orkesta-ro"}
    name = sandbox.orkesta.post("/payments", json=sandbox.item("RO")).json()["id"]

    def status(method: str, path: str) -> int:
        body = sandbox.item("RO-2") if method == "POST" else None
        return sandbox.orkesta.request(method, path, json=body, headers=read_only).status_code

    assert status("GET", "/accounts") == status("GET", f"/payments/{name}") == 200
    assert status("POST", "/payments") == status("POST", "/payments/batch") == 403
    assert status("DELETE", f"/payments/{name}") == 403
    assert not sandbox.effects("RO-2")


def test_an_admin_key_may_pay(sandbox: Sandbox) -> None:
    admin = {"authorization": "Bearer sandbox-orkesta-admin"}

    reply = sandbox.orkesta.post("/payments", json=sandbox.item("ADMIN"), headers=admin)

    assert reply.status_code == 201


def test_what_does_not_exist_is_404_and_what_is_not_possible_is_405(sandbox: Sandbox) -> None:
    """A-OKS-9: above all, there is no list of payments to find a lost one in."""
    assert sandbox.orkesta.get("/payments").status_code == 405
    assert sandbox.orkesta.put("/accounts").status_code == 405
    assert sandbox.orkesta.get("/batches").status_code == 404
    assert sandbox.orkesta.get(sandbox.orkesta.base_url.join("/else")).status_code == 404


def test_a_body_that_is_not_json_is_refused(sandbox: Sandbox) -> None:
    json_type = {"content-type": "application/json"}
    for body in (b"", b"{", b"[NaN]", b"\xff"):
        reply = sandbox.orkesta.post("/payments/batch", content=body, headers=json_type)
        assert reply.status_code == 400
    assert sandbox.orkesta.post("/payments/batch", content=b"[]").status_code == 415
    assert sandbox.orkesta.post("/payments/batch", json={"a": 1}).status_code == 400


def test_an_account_pays_no_more_than_it_has(sandbox: Sandbox) -> None:
    source = "acc_01hx3kh8a4d2m6z1r5w9q7n3vc"
    pound = {"from_account": source, "currency": "GBP", "amount": 10**13}

    outcomes = sandbox.batch(*(sandbox.item(f"GBP-{n}", **pound) for n in range(11))).json()

    assert [outcome["status"] for outcome in outcomes] == ["pending"] * 10 + ["failed"]
    assert outcomes[-1]["error"]["code"] == "insufficient_funds"
    balance = [a["balance"] for a in sandbox.orkesta.get("/accounts").json() if a["id"] == source]
    assert balance == [0.0]
