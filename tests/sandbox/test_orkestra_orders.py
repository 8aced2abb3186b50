"""Orkestra's orders and refunds: what is collected, and what goes back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Sandbox
    from tests.sandbox.receiver import Receiver

CUSTOMER = {
    "firstName": "Ana",
    "lastName": "Souza",
    "documentType": "CPF",
    "document": "00000000000",
    "emailAddress": "ana@example.com",
}
CARD = {
    "number": "5200828282828210",
    "expiresAt": "12/2030",
    "securityCode": "123",
    "holder": "ANA SOUZA",
}
PAYEE: dict[str, Any] = {
    "paymentMethod": "PIX",
    "receivingBankAccount": {"key": "a@b.co", "document": "00000000000", "documentType": "CPF"},
    "beneficiary": {
        "firstName": "Ana",
        "lastName": "Souza",
        "type": "INDIVIDUAL",
        "document": "00000000000",
        "documentType": "CPF",
    },
}


def _order(
    method: str = "PIX", customer: dict[str, Any] | None = None, **changes: object
) -> dict[str, Any]:
    transaction: dict[str, Any] = {"paymentMethod": method}
    if method == "CREDIT_CARD":
        transaction["creditCard"] = {"card": CARD}
    charge = {"customer": {**CUSTOMER, **(customer or {})}, "transactions": [transaction]}
    return {
        "merchantOrderId": "O-1",
        "softDescriptor": "ACME",
        "amount": 190.5,
        "currency": "BRL",
        "allowsThirdPartyPayments": False,
        "charges": [charge],
        **changes,
    }


def _made(sandbox: Sandbox, order: dict[str, Any]) -> dict[str, Any]:
    reply = sandbox.orkestra.post("/orders", json=order)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


def _read(sandbox: Sandbox, kind: str, name: int) -> dict[str, Any]:
    shown: dict[str, Any] = sandbox.orkestra.get(f"/{kind}/{name}").raise_for_status().json()
    return shown


def _paid(sandbox: Sandbox, method: str = "PIX", **changes: Any) -> int:  # noqa: ANN401  JSON
    """Make an order that is paid at once, and give the id of its transaction."""
    sandbox.settings(speed="instant")
    order = _made(sandbox, _order(method, **changes))
    assert order["status"] == "PAID"
    name: int = order["transactions"][0]["id"]
    return name


def _refund(sandbox: Sandbox, transaction: int, **changes: object) -> httpx.Response:
    return sandbox.orkestra.post("/refunds", json={"transactionId": transaction, **changes})


# orders


def test_an_order_is_pending_and_then_paid(sandbox: Sandbox) -> None:
    sandbox.settings(speed=10)
    order = _made(sandbox, _order(metadata={"shop": 7, "rate": 1.5}))

    assert (order["status"], order["paidAmount"]) == ("PENDING", 0)
    assert (order["referenceId"], order["merchantOrderId"]) == ("O-1", "O-1")
    assert order["metadata"] == {"shop": 7, "rate": "1.5"}
    [charge] = order["charges"]
    [transaction] = charge["transactions"]
    assert order["transactions"] == [transaction]
    assert transaction["pix"]["qrCode"]
    assert len({order["id"], charge["id"], transaction["id"]}) == 3
    time.sleep(0.25)
    shown = _read(sandbox, "orders", order["id"])
    assert (shown["status"], shown["paidAmount"]) == ("PAID", 190.5)
    assert shown["transactions"][0]["status"] == "PAID"


@pytest.mark.parametrize(
    ("method", "currency"),
    [("SPEI", "MXN"), ("PSE", "COP"), ("CREDIT_CARD", "BRL"), ("CASH", "BRL")],
)
def test_every_documented_method_collects(sandbox: Sandbox, method: str, currency: str) -> None:
    sandbox.settings(speed="instant")

    order = _made(sandbox, _order(method, currency=currency))

    assert order["transactions"][0]["paymentMethod"] == method
    assert order["status"] == "PAID"


@pytest.mark.parametrize(
    ("customer", "status"),
    [
        ({"emailAddress": "ana+rejected_by_bank@example.com"}, "FAILED"),
        ({"emailAddress": "ana+insufficient_funds@example.com"}, "FAILED"),
        ({"emailAddress": "ana+cancelled@example.com"}, "CANCELLED"),
        ({"emailAddress": "ana+held@example.com"}, "PENDING"),
        ({"document": "00000771111"}, "FAILED"),
        ({"document": "00000771122"}, "CANCELLED"),
    ],
)
def test_magic_customers_decide_how_an_order_ends(
    sandbox: Sandbox, customer: dict[str, str], status: str
) -> None:
    sandbox.settings(speed="instant")

    order = _made(sandbox, _order(customer=customer))

    assert order["status"] == status
    assert ("statusReason" in order["transactions"][0]) == (status == "FAILED")


def test_an_order_has_charges_of_several_transactions(sandbox: Sandbox) -> None:
    sandbox.settings(speed="instant")
    parts = [{"paymentMethod": "PIX", "amount": 100}, {"paymentMethod": "CASH", "amount": 50}]
    lost = {**CUSTOMER, "document": "00000771111"}
    charges = [
        {"customer": CUSTOMER, "transactions": parts},
        {"customer": lost, "transactions": [{"paymentMethod": "PIX", "amount": 40.5}]},
    ]

    order = _made(sandbox, _order(charges=charges))

    assert [len(charge["transactions"]) for charge in order["charges"]] == [2, 1]
    assert [one["status"] for one in order["transactions"]] == ["PAID", "PAID", "FAILED"]
    assert (order["status"], order["paidAmount"]) == ("PAID", 150)
    wrong = _order(charges=charges, amount=200)
    assert sandbox.orkestra.post("/orders", json=wrong).status_code == 422


@pytest.mark.parametrize(
    "changes",
    [
        {"merchantOrderId": None},
        {"currency": "EUR"},
        {"amount": 0},
        {"amount": "190.5"},
        {"charges": []},
        {"charges": [{}]},
        {"charges": [{"customer": CUSTOMER, "transactions": [{"paymentMethod": "SEPA"}]}]},
        {"charges": [{"customer": CUSTOMER, "transactions": [{"paymentMethod": "SPEI"}]}]},
        {"charges": [{"customer": CUSTOMER, "transactions": [{"paymentMethod": "CREDIT_CARD"}]}]},
        {"notificationUrl": "here"},
    ],
)
def test_an_order_that_is_not_sound_is_refused(sandbox: Sandbox, changes: dict[str, Any]) -> None:
    before = len(sandbox.truth())

    assert sandbox.orkestra.post("/orders", json=_order(**changes)).status_code == 422

    assert len(sandbox.truth()) == before


def test_no_card_and_no_document_is_in_the_log(sandbox: Sandbox) -> None:
    _made(sandbox, _order("CREDIT_CARD", customer={"document": "98765432100"}))

    text = (sandbox.directory / "truth.jsonl").read_text(encoding="utf-8")

    assert "5200828282828210" not in text
    assert "98765432100" not in text
    assert '"securityCode"' not in text


def test_what_is_collected_is_a_line_of_the_truth(sandbox: Sandbox) -> None:
    name = _paid(sandbox, merchantOrderId="O-2")

    line = sandbox.truth()[-1]
    [effect] = line["effects"]

    assert (line["kind"], line["key"]) == ("order", "O-2")
    assert (effect["effect"], effect["kind"]) == (str(name), "collection")
    assert (effect["amount_minor"], effect["currency"]) == (19050, "BRL")


def test_a_payout_can_need_the_orders_that_fund_it(start: Callable[..., Sandbox]) -> None:
    """PROVIDERS 4.10: the page asks for it, and it is off unless switched on."""
    sandbox = start("--prefunded", "--speed", "instant")

    def status(reference: str, amount: float) -> int:
        body = sandbox.payout(reference, amount=amount)
        return sandbox.orkestra.post("/payouts", json=body).status_code

    assert status("PRE-1", 0.01) == 402
    transaction = _paid(sandbox)
    _refund(sandbox, transaction, amount=90).raise_for_status()

    assert [status("PRE-2", 100.51), status("PRE-3", 100.5), status("PRE-4", 0.01)] == [
        402,
        201,
        402,
    ]


# refunds


def test_a_transaction_is_refunded_whole(sandbox: Sandbox) -> None:
    transaction = _paid(sandbox)

    reply = _refund(sandbox, transaction, referenceId="RF-1")

    refund = reply.json()
    assert reply.status_code == 201
    assert (refund["type"], refund["method"]) == ("TOTAL", "ORIGINAL")
    assert (refund["amount"], refund["transactionId"]) == (190.5, transaction)
    assert _read(sandbox, "refunds", refund["id"])["status"] == "PAID"
    shown = _read(sandbox, "orders", refund["orderId"])["transactions"][0]
    assert shown["refundedAmount"] == 190.5
    line = sandbox.truth()[-1]
    assert (line["kind"], line["key"], line["effects"][0]["of"]) == (
        "refund",
        "RF-1",
        str(transaction),
    )


def test_several_refunds_are_possible_while_something_is_left(sandbox: Sandbox) -> None:
    transaction = _paid(sandbox)

    statuses = [
        _refund(sandbox, transaction, amount=amount).status_code
        for amount in (100, 90.5, 0.01, None)
    ]

    assert statuses == [201, 201, 422, 422]
    assert _refund(sandbox, _paid(sandbox), amount=190.51).json()["code"] == "exceeds_remainder"


def test_the_rest_is_refunded_where_no_amount_is_given(sandbox: Sandbox) -> None:
    transaction = _paid(sandbox)
    _refund(sandbox, transaction, amount=100).raise_for_status()

    rest = _refund(sandbox, transaction).json()

    assert (rest["amount"], rest["type"]) == (90.5, "PARTIAL")


def test_a_failed_refund_leaves_the_money_to_be_refunded(sandbox: Sandbox) -> None:
    transaction = _paid(sandbox)
    sandbox.faults({"fault": "fails_later", "route": "POST */refunds", "times": 1})

    failed = _refund(sandbox, transaction).json()
    again = _refund(sandbox, transaction)

    assert failed["status"] == "FAILED"
    assert failed["statusReason"].startswith("rejected_by_bank")
    assert again.json()["status"] == "PAID"


def test_cash_goes_back_by_a_payout(sandbox: Sandbox) -> None:
    """ORK-start: boleto cannot be reversed."""
    transaction = _paid(sandbox, "CASH")

    refused = _refund(sandbox, transaction)
    refund = _refund(sandbox, transaction, amount=50, **PAYEE)

    assert (refused.status_code, refused.json()["code"]) == (422, "payout_required")
    assert refund.status_code == 201
    assert (refund.json()["method"], refund.json()["paymentMethod"]) == ("PAYOUT", "PIX")
    incomplete = {**PAYEE, "beneficiary": {}}
    assert _refund(sandbox, transaction, amount=1, **incomplete).status_code == 422


def test_a_refund_by_a_payout_can_fail_as_payouts_do(sandbox: Sandbox) -> None:
    account = {**PAYEE["receivingBankAccount"], "key": "ana+account_closed@example.com"}

    refund = _refund(sandbox, _paid(sandbox), **{**PAYEE, "receivingBankAccount": account})

    assert (refund.status_code, refund.json()["status"]) == (201, "FAILED")


def test_a_refund_is_made_once_per_reference(sandbox: Sandbox) -> None:
    transaction = _paid(sandbox)
    first = _refund(sandbox, transaction, amount=10, referenceId="RF-2")

    again = _refund(sandbox, transaction, amount=10, referenceId="RF-2")
    other = _refund(sandbox, transaction, amount=11, referenceId="RF-2")

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert again.json()["id"] == first.json()["id"]
    assert len(sandbox.effects("RF-2")) == 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"transactionId": "1"}, 422),
        ({"transactionId": 1}, 404),
        ({"amount": 0}, 422),
        ({"amount": "10"}, 422),
        ({"amount": 10.001}, 422),
        ({"currency": "USD"}, 422),
        ({"referenceId": 5}, 422),
        ({"notificationUrl": 5}, 422),
    ],
)
def test_a_refund_that_cannot_be_is_refused(
    sandbox: Sandbox, changes: dict[str, Any], status: int
) -> None:
    transaction = _paid(sandbox)

    assert _refund(sandbox, transaction=transaction, **changes).status_code == status


def test_what_is_not_paid_cannot_be_refunded(sandbox: Sandbox) -> None:
    sandbox.settings(speed=0.01)
    order = _made(sandbox, _order())

    assert _refund(sandbox, order["transactions"][0]["id"]).status_code == 409
    assert _refund(sandbox, order["id"]).status_code == 404


def test_the_reply_of_a_refund_can_be_lost(sandbox: Sandbox) -> None:
    """The refund is made; only its reference tells a client so."""
    transaction = _paid(sandbox)
    sandbox.faults(
        {"fault": "effect_then_reset", "route": "POST /orkestra/refunds", "reference": "RF-3"}
    )
    body = {"referenceId": "RF-3", "amount": 190.5}

    with pytest.raises(httpx.TransportError):
        _refund(sandbox, transaction, **body)
    struck = sandbox.struck("effect_then_reset")
    sandbox.faults()
    again = _refund(sandbox, transaction, **body)

    assert struck == 1
    assert again.status_code == 200
    assert len(sandbox.effects("RF-3")) == 1


def test_orders_and_refunds_survive_a_restart(start: Callable[..., Sandbox]) -> None:
    before = start()
    transaction = _paid(before)
    refund = _refund(before, transaction, amount=100, referenceId="RF-4").json()
    before.end()

    after = start("--speed", "instant")

    assert _read(after, "refunds", refund["id"]) == refund
    assert _refund(after, transaction, amount=100, referenceId="RF-4").status_code == 200
    assert _refund(after, transaction, amount=100).status_code == 422


def test_what_does_not_exist_is_404_and_what_is_not_possible_is_405(sandbox: Sandbox) -> None:
    transaction = _paid(sandbox)
    for path in (f"/orders/{transaction}", "/orders/1", "/refunds/1", "/orders/x", "/else/1"):
        assert sandbox.orkestra.get(path).status_code == 404
    for path in ("/orders", "/refunds"):
        assert sandbox.orkestra.get(path).status_code == 405
    assert sandbox.orkestra.get(f"/payouts/{transaction}").status_code == 404


# notifications


def test_the_end_of_a_payout_is_told(told: Sandbox, receiver: Receiver) -> None:
    """A-ORK-4: Basic credentials, and the payout as the body."""
    payout = told.orkestra.post("/payouts", json=told.payout("TELL-1")).json()
    failing = {**told.payout("TELL-2")}
    failing["receivingBankAccount"] = {
        **failing["receivingBankAccount"],
        "key": "ana+rejected_by_bank@example.com",
    }
    told.orkestra.post("/payouts", json=failing).raise_for_status()

    receiver.wait(2)

    [paid], [failed] = receiver.of("TELL-1"), receiver.of("TELL-2")
    basic = httpx.BasicAuth("sandbox-orkestra-hook", "sandbox-orkestra-hook-secret")
    wanted = next(basic.auth_flow(httpx.Request("POST", receiver.url))).headers["authorization"]
    assert paid.headers["authorization"] == wanted
    assert paid.document == _read(told, "payouts", payout["id"])
    assert (paid.document["status"], failed.document["status"]) == ("PAID", "FAILED")


def test_a_request_can_name_its_own_address(sandbox: Sandbox, receiver: Receiver) -> None:
    """A-ORK-3, where the platform has no address at all."""
    sandbox.settings(speed=20)
    url = receiver.url.replace("/hook", "/own/{kind}")

    sandbox.orkestra.post("/payouts", json=sandbox.payout("OWN-1", notificationUrl=url))

    [got] = receiver.wait(1)
    assert got.path == "/own/payout"
    assert got.document["referenceId"] == "OWN-1"


def test_orders_and_refunds_are_told(told: Sandbox, receiver: Receiver) -> None:
    order = _made(told, _order(merchantOrderId="TELL-3"))
    got = receiver.wait(2)
    transaction = order["transactions"][0]["id"]
    _refund(told, transaction, referenceId="TELL-4").raise_for_status()
    receiver.wait(3)

    assert [one.document["status"] for one in got[:2]] == ["PENDING", "PAID"]
    assert got[1].document["paidAmount"] == 190.5
    assert got[1].document["transactions"][0]["id"] == transaction
    [refunded] = receiver.of("TELL-4")
    assert (refunded.document["transactionId"], refunded.document["status"]) == (
        transaction,
        "PAID",
    )


def test_what_is_released_is_told(told: Sandbox, receiver: Receiver) -> None:
    order = _made(told, _order(customer={"emailAddress": "ana+held@example.com"}))
    receiver.wait(1)

    held = {"effect": order["transactions"][0]["id"]}
    told.control.post("/_control/release", json=held).raise_for_status()

    assert [one.document["status"] for one in receiver.wait(2)] == ["PENDING", "PAID"]


def test_a_notification_that_is_not_accepted_comes_again(told: Sandbox, receiver: Receiver) -> None:
    """A-ORK-8."""
    told.settings(speed=1000)
    receiver.answers.extend([400, 500])

    told.orkestra.post("/payouts", json=told.payout("AGAIN")).raise_for_status()

    got = receiver.wait(3)
    assert got[0].body == got[1].body == got[2].body


def test_a_payout_can_come_back(told: Sandbox, receiver: Receiver) -> None:
    told.faults({"fault": "returned", "options": {"seconds": 0.05}})
    payout = told.orkestra.post("/payouts", json=told.payout("BACK-2")).json()

    receiver.wait(2)
    shown = told.orkestra.get(f"/payouts/{payout['id']}").json()

    assert (shown["status"], shown["returnedAmount"]) == ("RETURNED", 10.25)
    assert [got.document["status"] for got in receiver.wait(2)] == ["PAID", "RETURNED"]
