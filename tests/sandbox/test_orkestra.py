"""Orkestra's quirks, each over the socket."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.sandbox.conftest import Sandbox

JSON = {"content-type": "application/json"}
PERSON = {"firstName": "Ana", "lastName": "Lopez", "type": "INDIVIDUAL"}


def test_a_payout_is_pending_with_201_and_paid_later(sandbox: Sandbox) -> None:
    reply = sandbox.orkestra.post("/payouts", json=sandbox.payout("O-1"))
    assert reply.status_code == 201
    payout = reply.json()
    assert payout["status"] == "PENDING"
    assert {"id", "referenceId", "amount", "currency", "paymentMethod"} < set(payout)

    deadline = time.monotonic() + 10
    while payout["status"] != "PAID":
        assert time.monotonic() < deadline
        time.sleep(0.02)
        payout = sandbox.orkestra.get(f"/payouts/{payout['id']}").json()
        assert payout["status"] in {"PENDING", "PAID"}

    assert payout["updatedAt"] > payout["createdAt"]
    assert "statusReason" not in payout


def test_an_id_is_an_integer_that_no_float_can_carry(sandbox: Sandbox) -> None:
    """`id` is an int64; a client that reads numbers as floats asks for another payout."""
    first, second = (
        sandbox.orkestra.post("/payouts", json=sandbox.payout(None)).json()["id"] for _ in range(2)
    )

    assert 2**53 < first < 2**63
    assert second == first + 1 or second >> 28 > first >> 28


def test_the_vendors_pix_sample_passes(sandbox: Sandbox) -> None:
    """PROVIDERS 4.10: a business with a CPF, and a CPF of zeros."""
    person = {
        "firstName": "Acme",
        "lastName": "LTDA",
        "type": "BUSINESS",
        "document": "00000000000",
        "documentType": "CPF",
        "emailAddress": "pay@example.com",
        "phoneNumber": "+5511999999999",
        "gender": "M",
        "birthdate": "1990-01-31",
        "livingAddress": {"city": "anywhere"},
    }

    reply = sandbox.orkestra.post("/payouts", json=sandbox.payout(None, beneficiary=person))

    assert reply.status_code == 201


def test_the_vendors_spei_sample_passes(sandbox: Sandbox) -> None:
    """PROVIDERS 4.10: a CLABE with a wrong control digit, an RFC without its homoclave."""
    body = {
        "amount": 500,
        "currency": "MXN",
        "paymentMethod": "SPEI",
        "receivingBankAccount": {"key": "012345678910111314"},
        "beneficiary": {**PERSON, "document": "LOPA900131", "documentType": "RFC"},
    }

    reply = sandbox.orkestra.post("/payouts", json=body)

    assert reply.status_code == 201
    assert reply.json()["amount"] == 500


@pytest.mark.parametrize(
    ("method", "currency", "key"),
    [
        ("BANK_TRANSFER", "NGN", "0000014579"),
        ("BANK_TRANSFER", "SLL", "003001001234567890123"),
        ("MOBILE_MONEY", "KES", "+254712345678"),
        ("NEQUI", "COP", "3001234567"),
        ("DAVIPLATA", "COP", "3001234567"),
        ("SEPA", "EUR", "DE02120300000000202051"),
        ("CRYPTO_TRANSFER", "USDT", "0x52908400098527886E0F7030069857D2E4169EE7"),
        ("CARDS", "BRL", "tok_1"),
    ],
)
def test_every_rail_works(sandbox: Sandbox, method: str, currency: str, key: str) -> None:
    """A-ORK-5."""
    body = {
        "amount": 100,
        "currency": currency,
        "paymentMethod": method,
        "receivingBankAccount": {"key": key, "bankCode": "044", "network": "ETHEREUM"},
        "beneficiary": PERSON,
    }

    assert sandbox.orkestra.post("/payouts", json=body).status_code == 201


def test_cash_needs_a_document_and_no_account(sandbox: Sandbox) -> None:
    body: dict[str, Any] = {
        "amount": 20,
        "currency": "USD",
        "paymentMethod": "CASH",
        "beneficiary": {**PERSON, "document": "1710034065", "documentType": "CI"},
    }
    assert sandbox.orkestra.post("/payouts", json=body).status_code == 201

    body["beneficiary"] = PERSON
    assert sandbox.orkestra.post("/payouts", json=body).status_code == 422


@pytest.mark.parametrize("text", ["1.0", "10.10", "0.01", "123456789012.34", "1e2"])
def test_an_amount_is_read_digit_by_digit(sandbox: Sandbox, text: str) -> None:
    """A float would do 123456789012.34 harm that no reply shows."""
    body = json.dumps(sandbox.payout(f"DIGITS-{text}")).replace("10.25", text)

    reply = sandbox.orkestra.post("/payouts", content=body, headers=JSON)

    assert json.loads(reply.content, parse_float=Decimal)["amount"] == Decimal(text)
    [effect] = sandbox.effects(f"DIGITS-{text}")
    assert effect["amount_minor"] == int(Decimal(text) * 100)


@pytest.mark.parametrize(
    ("text", "currency", "method"),
    [
        ("0", "BRL", "PIX"),
        ("-1", "BRL", "PIX"),
        ('"1.00"', "BRL", "PIX"),
        ("true", "BRL", "PIX"),
        ("null", "BRL", "PIX"),
        ("10.255", "BRL", "PIX"),
        ("1e14", "BRL", "PIX"),
        ("10.5", "XOF", "BANK_TRANSFER"),
        ("0.0000001", "USDC", "CRYPTO_TRANSFER"),
    ],
)
def test_an_amount_that_cannot_be_paid_is_refused(
    sandbox: Sandbox, text: str, currency: str, method: str
) -> None:
    payout = sandbox.payout("NO-AMOUNT", currency=currency, paymentMethod=method)

    reply = sandbox.orkestra.post(
        "/payouts", content=json.dumps(payout).replace("10.25", text), headers=JSON
    )

    assert reply.status_code == 422
    assert reply.json()["details"] == {"field": "amount"}
    assert not sandbox.effects("NO-AMOUNT")


def test_an_amount_is_booked_in_the_minor_units_of_its_currency(sandbox: Sandbox) -> None:
    for currency, method, minor in (
        ("XOF", "BANK_TRANSFER", 5000),
        ("USDT", "CRYPTO_TRANSFER", 5_000_000_000),
        ("KES", "BANK_TRANSFER", 500_000),
    ):
        changes = {"currency": currency, "paymentMethod": method, "amount": 5000}
        payout = sandbox.payout(f"MINOR-{currency}", **changes)
        sandbox.orkestra.post("/payouts", json=payout).raise_for_status()
        assert sandbox.effects(f"MINOR-{currency}")[0]["amount_minor"] == minor


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("paymentMethod", "PSE"),
        ("paymentMethod", "pix"),
        ("currency", "MXN"),
        ("referenceId", 5),
        ("receivingBankAccount", None),
        ("receivingBankAccount.key", ""),
        ("receivingBankAccount.document", None),
        ("receivingBankAccount.documentType", "RFC"),
        ("beneficiary", "Maria"),
        ("beneficiary.firstName", None),
        ("beneficiary.lastName", ""),
        ("beneficiary.type", "PERSON"),
        ("beneficiary.document", None),
        ("beneficiary.documentType", "CURP"),
        ("beneficiary.gender", "X"),
        ("beneficiary.phoneNumber", "11999999999"),
        ("beneficiary.emailAddress", "nobody"),
        ("beneficiary.birthdate", "31/01/1990"),
        ("beneficiary.birthdate", "1990-02-30"),
    ],
)
def test_presence_enumeration_and_shape_are_checked(
    sandbox: Sandbox, path: str, value: object
) -> None:
    """A-ORK-9."""
    payout = sandbox.payout()
    parent, _, name = path.rpartition(".")
    (payout[parent] if parent else payout)[name] = value

    reply = sandbox.orkestra.post("/payouts", json=payout)

    assert reply.status_code == 422
    assert reply.json()["code"] == "validation_error"
    assert reply.json()["details"] == {"field": name}


def test_a_spei_key_has_the_length_of_one(sandbox: Sandbox) -> None:
    person = {**PERSON, "document": "LOPA900131", "documentType": "RFC"}
    spei = {"currency": "MXN", "paymentMethod": "SPEI", "beneficiary": person}

    def status(key: str) -> int:
        body = sandbox.payout(None, **spei, receivingBankAccount={"key": key})
        return sandbox.orkestra.post("/payouts", json=body).status_code

    assert status("032180000118359719") == status("5512345678") == 201
    assert status("03218000011835971") == status("0321800001183597XX") == 422


def test_the_same_reference_and_body_give_the_first_payout_again(sandbox: Sandbox) -> None:
    """A-ORK-6. Equal is what says the same: 10.0 is 10.00, and the order of keys is nothing."""
    payout = sandbox.payout("SAME-1")
    first = sandbox.orkestra.post("/payouts", json=payout)
    text = json.dumps(dict(reversed(payout.items()))).replace("10.25", "10.250")

    again = sandbox.orkestra.post("/payouts", content=text, headers=JSON)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert len(sandbox.effects("SAME-1")) == 1


def test_the_same_reference_with_another_body_is_409(sandbox: Sandbox) -> None:
    sandbox.orkestra.post("/payouts", json=sandbox.payout("SAME-2"))

    reply = sandbox.orkestra.post("/payouts", json=sandbox.payout("SAME-2", amount=10.26))

    assert reply.status_code == 409
    assert reply.json()["code"] == "reference_conflict"
    assert len(sandbox.effects("SAME-2")) == 1


def test_many_at_once_with_one_reference_make_one_payout(sandbox: Sandbox) -> None:
    body = sandbox.payout("RACE-1")

    def send(_: int) -> int:
        with httpx.Client(base_url=sandbox.orkestra.base_url, auth=sandbox.orkestra.auth) as client:
            return client.post("/payouts", json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(send, range(16)))

    assert statuses == [200] * 15 + [201]
    assert len(sandbox.effects("RACE-1")) == 1


def test_without_a_reference_every_payout_is_a_new_one(sandbox: Sandbox) -> None:
    ids = {
        sandbox.orkestra.post("/payouts", json=sandbox.payout(None)).json()["id"] for _ in range(2)
    }

    assert len(ids) == 2


def test_a_reference_is_forgotten_after_its_life(sandbox: Sandbox) -> None:
    """Then a repeat pays again, which is what `key_life` of our connector has to prevent."""
    sandbox.settings(key_life_s=0)

    for _ in range(2):
        assert sandbox.orkestra.post("/payouts", json=sandbox.payout("OLD-1")).status_code == 201

    assert len(sandbox.effects("OLD-1")) == 2


def test_credentials_are_basic(sandbox: Sandbox) -> None:
    url = sandbox.orkestra.base_url.join("payouts/1")

    for auth in (None, ("sandbox-orkestra", "wrong"), ("a", "b")):
        assert httpx.get(url, auth=auth, trust_env=False).status_code == 401
    for value in ("Bearer sandbox-orkestra-secret", "Basic ???", "Basic /w=="):
        reply = httpx.get(url, headers={"authorization": value}, trust_env=False)
        assert reply.json() == {
            "code": "unauthorized",
            "message": "Missing or invalid credentials",
        }


def test_what_does_not_exist_is_404_and_what_is_not_possible_is_405(sandbox: Sandbox) -> None:
    for name in ("1", "99999999999999999999", "pay_01ks2ammmw5gqks300000007fk", "x"):
        assert sandbox.orkestra.get(f"/payouts/{name}").status_code == 404
    assert sandbox.orkestra.get("/orders/1").status_code == 404
    assert sandbox.orkestra.get("/payouts").status_code == 405
    assert sandbox.orkestra.delete("/payouts/1").status_code == 405


def test_a_payment_of_the_other_platform_is_not_found(sandbox: Sandbox) -> None:
    name = sandbox.batch(sandbox.item()).json()[0]["id"]

    assert sandbox.orkestra.get(f"/payouts/{name}").status_code == 404


def test_a_body_that_is_not_json_is_refused(sandbox: Sandbox) -> None:
    for body in (b"", b"[1]", b'{"amount": NaN}', b"\xff"):
        reply = sandbox.orkestra.post("/payouts", content=body, headers=JSON)
        assert reply.status_code == 400
    assert sandbox.orkestra.post("/payouts", content=b"{}").status_code == 415
