"""Magic accounts, on both platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.sandbox.conftest import Sandbox


def _orkesta(sandbox: Sandbox, reference: str, ending: str) -> dict[str, Any]:
    [outcome] = sandbox.batch(sandbox.item(reference, to_account=f"TR33000610{ending}")).json()
    return dict(outcome)


def _orkestra(sandbox: Sandbox, reference: str, key: str) -> httpx.Response:
    account = {"key": key, "document": "00000000000", "documentType": "CPF"}
    body = sandbox.payout(reference, receivingBankAccount=account)
    return sandbox.orkestra.post("/payouts", json=body)


def _seen_by_orkesta(sandbox: Sandbox, outcome: dict[str, Any]) -> dict[str, Any]:
    return dict(sandbox.orkesta.get(f"/payments/{outcome['id']}").json())


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("771111", "account_closed"),
        ("772222", "account_blocked"),
        ("775555", "insufficient_funds"),
        ("779999", "invalid_account"),
    ],
)
def test_orkesta_refuses_such_an_account_in_the_reply(
    sandbox: Sandbox, ending: str, code: str
) -> None:
    for _ in range(2):
        outcome = _orkesta(sandbox, f"M-{ending}", ending)
        assert (outcome["status"], outcome["error"]["code"]) == ("failed", code)
        assert "id" not in outcome

    assert not sandbox.effects(f"M-{ending}")
    assert sandbox.truth()[-1]["refused"][0]["code"] == code


@pytest.mark.parametrize(
    ("ending", "code"), [("773333", "name_mismatch"), ("778888", "rejected_by_bank")]
)
def test_orkesta_finds_out_late_about_such_an_account(
    sandbox: Sandbox, ending: str, code: str
) -> None:
    sandbox.settings(speed=10)
    outcome = _orkesta(sandbox, f"M-{ending}", ending)
    assert outcome["status"] == "pending"
    sandbox.settings(speed="instant")
    failed = _orkesta(sandbox, f"M2-{ending}", ending)

    assert failed["status"] == _seen_by_orkesta(sandbox, failed)["status"] == "failed"
    assert failed["error"]["code"] == code
    assert sandbox.effects(f"M2-{ending}")[0]["fate"] == "failed"


def test_a_payment_that_may_be_tried_later_works_the_next_time(sandbox: Sandbox) -> None:
    first = _orkesta(sandbox, "LATER-1", "774444")
    second = _orkesta(sandbox, "LATER-1", "774444")
    other = _orkesta(sandbox, "LATER-2", "774444")

    assert first["error"]["code"] == other["error"]["code"] == "try_later"
    assert second["status"] == "pending"


def test_a_payout_that_may_be_tried_later_works_the_next_time(sandbox: Sandbox) -> None:
    first = _orkestra(sandbox, "LATER-3", "+5511774444")
    second = _orkestra(sandbox, "LATER-3", "+5511774444")

    assert first.status_code == 429
    assert first.headers["retry-after"] == "1"
    assert first.json()["code"] == "try_later"
    assert second.status_code == 201
    assert len(sandbox.effects("LATER-3")) == 1


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("+5511771111", "account_closed"),
        ("+5511772222", "account_blocked"),
        ("+5511773333", "name_mismatch"),
        ("+5511778888", "rejected_by_bank"),
        ("ana+account_closed@example.com", "account_closed"),
    ],
)
def test_orkestra_accepts_such_an_account_and_fails_later(
    sandbox: Sandbox, key: str, code: str
) -> None:
    sandbox.settings(speed="instant")

    reply = _orkestra(sandbox, f"K-{key}", key)

    assert reply.status_code == 201
    assert reply.json()["status"] == "FAILED"
    assert reply.json()["statusReason"].startswith(f"{code}: ")


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        ("+5511775555", 402, "insufficient_funds"),
        ("+5511779999", 422, "invalid_account"),
        ("ana+insufficient_funds@example.com", 402, "insufficient_funds"),
    ],
)
def test_orkestra_refuses_such_an_account_at_once(
    sandbox: Sandbox, key: str, status: int, code: str
) -> None:
    reply = _orkestra(sandbox, f"R-{key}", key)

    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert not sandbox.effects(f"R-{key}")


@pytest.mark.parametrize("send", [_orkesta, lambda *a: _orkestra(*a).json()])
def test_a_slow_account_takes_sixty_times_as_long(
    sandbox: Sandbox, send: Callable[..., dict[str, Any]]
) -> None:
    send(sandbox, "SLOW", "776666")

    assert sandbox.effects("SLOW")[-1]["fate"] == "slow_paid"


def test_a_held_payment_goes_on_when_it_is_released(sandbox: Sandbox) -> None:
    sandbox.settings(speed="instant")
    payment = _orkesta(sandbox, "HELD-1", "777777")
    payout = _orkestra(sandbox, "HELD-2", "+5511777777").json()
    assert (payment["status"], payout["status"]) == ("pending", "PENDING")

    for held in (payment, payout):
        body = {"effect": held["id"]}
        sandbox.control.post("/_control/release", json=body).raise_for_status()

    assert _seen_by_orkesta(sandbox, payment)["status"] == "settled"
    assert sandbox.orkestra.get(f"/payouts/{payout['id']}").json()["status"] == "PAID"


def test_an_unknown_payment_cannot_be_released(sandbox: Sandbox) -> None:
    assert sandbox.control.post("/_control/release", json={"effect": "1"}).status_code == 404
    assert sandbox.control.post("/_control/release", json={}).status_code == 422


def test_magic_can_be_switched_off(sandbox: Sandbox) -> None:
    """Else one random account in 110,000 fails, and a benchmark's sums with it."""
    sandbox.settings(magic=False)

    assert _orkesta(sandbox, "PLAIN-1", "771111")["status"] == "pending"
    assert _orkestra(sandbox, "PLAIN-2", "+5511779999").status_code == 201
