"""Orchestra's quirks, each over the socket."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.sandbox.conftest import Sandbox

CARD = {
    "cardNumber": "4242424242424242",
    "cardHolderName": "Ada Lovelace",
    "expirationMonth": 12,
    "expirationYear": 2030,
}
APPROVES = {"paymentGatewayAccount": {"paymentGatewayName": "NULLSuccess", "credentials": []}}


def client_of(sandbox: Sandbox, key: str = "sandbox-orchestra") -> httpx.Client:
    host, port = sandbox.address
    url = f"http://{host}:{port}/orchestra"
    return httpx.Client(base_url=url, headers={"X-Api-Key": key}, trust_env=False, timeout=10)


@pytest.fixture
def orchestra(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with client_of(sandbox) as client:
        yield client


def operate(
    client: httpx.Client, method: str, word: str, **changes: object
) -> tuple[int, dict[str, Any]]:
    body = {"amount": 10.23, "currency": "EUR", "card": CARD, **APPROVES, **changes}
    reply = client.request(method, f"/PaymentGateway/{word}", json=body)
    return reply.status_code, reply.json()


def gateway(name: str) -> dict[str, Any]:
    return {"paymentGatewayAccount": {"paymentGatewayName": name, "credentials": []}}


def test_the_key_check_says_whose_key_it_is(orchestra: httpx.Client) -> None:
    found = orchestra.get("/Utils/apiKey").json()

    assert (found["status"], found["isSandbox"]) == ("OK", True)
    assert found["accountId"] > 2**53


def test_a_wrong_key_is_401_with_or_without_a_body(sandbox: Sandbox) -> None:
    """A-ORC-4."""
    with client_of(sandbox, "wrong") as client:
        spoken = client.get("/Utils/apiKey")
        sandbox.settings(empty_401=True)
        silent = client.get("/Utils/apiKey")

    assert (spoken.status_code, spoken.json()["fieldName"]) == (401, "X-Api-Key")
    assert (silent.status_code, silent.content) == (401, b"")


def test_a_charge_is_202_and_its_status_is_200(orchestra: httpx.Client) -> None:
    status, made = operate(orchestra, "POST", "charge", myRef="C-1")

    found = orchestra.post("/PaymentGateway/status", json={"myRef": "C-1"})
    same = orchestra.post(
        "/PaymentGateway/status", json={"refTransId": made["gatewayReference"]}
    ).json()

    assert (status, made["operationResultCode"], made["operationType"]) == (
        202,
        "Success",
        "Charge",
    )
    assert (made["amount"], made["currency"]) == (10.23, "EUR")
    assert found.status_code == 200
    assert found.json()["gatewayReference"] == made["gatewayReference"] == same["gatewayReference"]


@pytest.mark.parametrize(
    ("name", "status", "result"),
    [
        ("NULLSuccess", 202, "Success"),
        ("nullsuccess", 202, "Success"),
        ("NULLFailure", 409, "Rejected"),
        ("NULLTemporary", 503, "TemporaryFailure"),
        ("NULLFatal", 500, "FatalFailure"),
        ("NULLUnable", 409, "NotImplemented"),
        ("NULLLater", 202, "Accepted"),
    ],
)
def test_each_result_has_its_status(
    orchestra: httpx.Client, name: str, status: int, result: str
) -> None:
    """A-ORC-1 for NULLFailure."""
    found, made = operate(orchestra, "POST", "charge", **gateway(name))

    assert (found, made["operationResultCode"]) == (status, result)


def test_an_accepted_operation_succeeds_when_it_is_asked_again(orchestra: httpx.Client) -> None:
    operate(orchestra, "POST", "charge", myRef="later", **gateway("NULLLater"))

    found = orchestra.post("/PaymentGateway/status", json={"myRef": "later"}).json()

    assert found["operationResultCode"] == "Success"


def test_an_unknown_reference_is_rejected_and_what_failed_for_now_is_unknown(
    orchestra: httpx.Client,
) -> None:
    """A-ORC-2."""
    operate(orchestra, "POST", "charge", myRef="not-now", **gateway("NULLTemporary"))

    for name in ("nobody", "not-now"):
        reply = orchestra.post("/PaymentGateway/status", json={"myRef": name})
        assert (reply.status_code, reply.json()["operationResultCode"]) == (409, "Rejected")


def test_two_charges_of_one_reference_are_two_charges(
    sandbox: Sandbox, orchestra: httpx.Client
) -> None:
    """Nothing is idempotent here, and the books show it."""
    for _ in range(2):
        operate(orchestra, "POST", "charge", myRef="twice")

    assert sum(line.get("reference") == "twice" for line in sandbox.truth()) == 2


def test_money_is_captured_once_and_refunded_up_to_what_was_taken(
    orchestra: httpx.Client,
) -> None:
    _, held = operate(orchestra, "POST", "authorize")
    name = held["gatewayReference"]

    over, _ = operate(orchestra, "PUT", "capture", refTransId=name, amount=10.24)
    taken, made = operate(orchestra, "PUT", "capture", refTransId=name, amount=10)
    again, _ = operate(orchestra, "PUT", "capture", refTransId=name, amount=0.2)
    refunds = [
        operate(orchestra, "PUT", "refund", refTransId=made["gatewayReference"], amount=amount)[0]
        for amount in (4, 5.99, 0.02, 0.01)
    ]

    assert (over, taken, again) == (409, 202, 409)
    assert refunds == [202, 202, 409, 202]


def test_a_void_is_a_delete_with_a_body_and_only_before_all_else(orchestra: httpx.Client) -> None:
    _, held = operate(orchestra, "POST", "authorize")
    _, taken = operate(orchestra, "POST", "authorize")
    operate(orchestra, "PUT", "capture", refTransId=taken["gatewayReference"])

    first, made = operate(orchestra, "DELETE", "void", refTransId=held["gatewayReference"])
    again, _ = operate(orchestra, "DELETE", "void", refTransId=held["gatewayReference"])
    late, _ = operate(orchestra, "DELETE", "void", refTransId=taken["gatewayReference"])

    assert (first, made["operationType"]) == (202, "Void")
    assert (again, late) == (409, 409)


def test_declined_cards_and_unknown_originals_are_rejected(orchestra: httpx.Client) -> None:
    declined = {**CARD, "cardNumber": "4000000000000002"}

    assert operate(orchestra, "POST", "charge", card=declined)[0] == 409
    assert operate(orchestra, "PUT", "refund", refTransId="gw_nothing")[0] == 409


def test_a_card_is_tokenised_with_200(orchestra: httpx.Client) -> None:
    status, made = operate(orchestra, "POST", "tokenize")

    assert (status, len(made["gatewayToken"])) == (200, 24)


def test_a_token_stands_for_its_text_until_it_is_deleted(
    sandbox: Sandbox, orchestra: httpx.Client
) -> None:
    """A-ORC-3."""
    made = orchestra.post("/StringTokens", json={"payload": "4242424242424242"})
    token = made.json()["token"]
    other = orchestra.post("/StringTokens", json={"payload": "4242424242424242"}).json()["token"]
    path = f"/StringTokens/{token}"

    assert made.status_code == 201
    assert made.headers["location"].endswith(path)
    assert len(token) == 32
    assert token.isalnum()
    assert other != token
    assert orchestra.get(path).json()["clearPayload"] == "4242424242424242"
    assert set(orchestra.get(f"{path}/meta").json()) == {"token", "createTime"}
    charged, _ = operate(
        orchestra, "POST", "charge", card={**CARD, "cardNumber": f"@{token}"}, myRef="by-token"
    )
    assert charged == 202
    sandbox.settings(payload_name="payload")
    assert orchestra.get(path).json()["payload"] == "4242424242424242"

    assert orchestra.delete(path).status_code == 200
    gone = [orchestra.get(path), orchestra.get(f"{path}/meta"), orchestra.delete(path)]
    assert [reply.status_code for reply in gone] == [404] * 3
    assert operate(orchestra, "POST", "charge", card={**CARD, "cardNumber": f"@{token}"})[0] == 400


@pytest.mark.parametrize(("payload", "status"), [("", 400), ("x" * 16384, 201), ("x" * 16385, 400)])
def test_a_payload_has_its_bounds(orchestra: httpx.Client, payload: str, status: int) -> None:
    assert orchestra.post("/StringTokens", json={"payload": payload}).status_code == status


def test_a_gateway_account_is_kept_with_credentials_in_any_case(orchestra: httpx.Client) -> None:
    body = {
        "PaymentGatewayName": "stripe",
        "Credentials": [{"Key": "secretkey", "Value": "sk_test_1"}],
    }
    put = orchestra.put("/PaymentGatewayAccounts/stripe-production", json=body)
    listed = orchestra.get("/PaymentGatewayAccounts").json()
    shown = orchestra.get("/PaymentGatewayAccounts/stripe-production").json()

    assert put.status_code == 200
    assert {"name": "stripe-production", "paymentGatewayName": "Stripe"} in listed
    assert shown["credentials"] == [{"key": "SecretKey", "value": "sk_test_1"}]
    status, made = operate(
        orchestra,
        "POST",
        "charge",
        paymentGatewayAccount=None,
        paymentGatewayAccountName="stripe-production",
    )
    assert (status, made["gatewayName"]) == (202, "Stripe")

    assert orchestra.delete("/PaymentGatewayAccounts/stripe-production").status_code == 200
    assert orchestra.get("/PaymentGatewayAccounts/stripe-production").status_code == 404


def test_gateways_are_listed_with_the_names_of_their_credentials(orchestra: httpx.Client) -> None:
    found = {one["name"]: one for one in orchestra.get("/PaymentGateway").json()}

    assert found["NULLSuccess"]["credentialsNames"] == []
    assert found["Stripe"]["credentialsNames"] == ["SecretKey"]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"amount": "10"}, "amount"),
        ({"amount": 0}, "amount"),
        ({"currency": "eur"}, "currency"),
        ({"card": None}, "card"),
        ({"card": {**CARD, "cardNumber": "12"}}, "card.cardNumber"),
        ({"card": {**CARD, "expirationMonth": 13}}, "card.expirationMonth"),
        ({"card": {**CARD, "cardHolderName": " "}}, "card.cardHolderName"),
        (gateway("Nobody"), "paymentGatewayAccount.paymentGatewayName"),
        (gateway("Stripe"), "paymentGatewayAccount.credentials"),
        ({"paymentGatewayAccount": None}, "paymentGatewayAccountName"),
        ({"myRef": 7}, "myRef"),
    ],
)
def test_a_wrong_field_is_400_with_its_dotted_name(
    orchestra: httpx.Client, changes: dict[str, Any], name: str
) -> None:
    status, error = operate(orchestra, "POST", "charge", **changes)

    assert (status, error["fieldName"]) == (400, name)
    assert error["errors"]


def test_accounts_tokens_and_charges_survive_a_kill(start: Callable[..., Sandbox]) -> None:
    first = start()
    with client_of(first) as client:
        token = client.post("/StringTokens", json={"payload": "kept"}).json()["token"]
        gone = client.post("/StringTokens", json={"payload": "gone"}).json()["token"]
        client.delete(f"/StringTokens/{gone}")
        client.put(
            "/PaymentGatewayAccounts/main", json={"paymentGatewayName": "NULLSuccess"}
        ).raise_for_status()
        operate(client, "POST", "charge", myRef="kept")
    first.end(signal.SIGKILL)

    with client_of(start()) as client:
        assert client.get(f"/StringTokens/{token}").json()["clearPayload"] == "kept"
        assert client.get(f"/StringTokens/{gone}").status_code == 404
        assert client.get("/PaymentGatewayAccounts/main").status_code == 200
        found = client.post("/PaymentGateway/status", json={"myRef": "kept"})
        assert found.json()["operationResultCode"] == "Success"
