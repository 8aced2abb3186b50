"""Webhooks: what arrives, how it is proven, and what happens when nobody answers."""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from payouts.sandbox.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sandbox.conftest import Sandbox
    from tests.sandbox.receiver import Receiver

SECRET = b"sandbox-orkesta-webhook-secret"
SETTLED = ["payment.created", "payment.processing", "payment.settled"]


def _deliveries(sandbox: Sandbox, reference: str) -> list[dict[str, Any]]:
    deliveries = sandbox.control.get("/_control/webhooks").json()["deliveries"]
    return [line for line in deliveries if line["reference"] == reference]


def _until(sandbox: Sandbox, reference: str, state: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait for so many deliveries in a state."""
    deadline = time.monotonic() + 10
    while True:
        found = [line for line in _deliveries(sandbox, reference) if line["state"] == state]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, _deliveries(sandbox, reference)
        time.sleep(0.01)


# Orkesta


def test_a_payment_is_told_of_from_its_making_to_its_end(told: Sandbox, receiver: Receiver) -> None:
    [payment] = told.batch(told.item("HOOK-1")).json()

    got = receiver.wait(3)

    assert [event.type for event in got] == SETTLED
    assert [event.document["data"]["status"] for event in got] == [
        "pending",
        "processing",
        "settled",
    ]
    last = got[-1].document
    assert set(last) == {"id", "type", "created_at", "data"}
    assert last["id"].startswith("evt_")
    assert last["data"]["id"] == payment["id"]
    assert last["data"]["reference"] == "HOOK-1"
    assert len({event.document["id"] for event in got}) == 3


def test_the_signature_is_over_the_raw_body(told: Sandbox, receiver: Receiver) -> None:
    """A-OKS-6, with and without the prefix."""
    told.batch(told.item("SIGN-1"))
    receiver.wait(3)
    told.settings(bare_signature=True)
    told.batch(told.item("SIGN-2"))
    got = receiver.wait(6)

    for number, event in enumerate(got):
        proof = hmac.new(SECRET, event.body, hashlib.sha256).hexdigest()
        assert event.headers["x-signature-256"] == ("sha256=" if number < 3 else "") + proof
        assert event.headers["content-type"] == "application/json"


def test_what_fails_and_what_is_cancelled_is_told(told: Sandbox, receiver: Receiver) -> None:
    told.batch(told.item("FAIL-1", to_account="TR33778888"))
    [held] = told.batch(told.item("FAIL-2", to_account="TR33777777")).json()
    told.orkesta.delete(f"/payments/{held['id']}").raise_for_status()

    receiver.wait(5)

    assert [event.type for event in receiver.of("FAIL-1")][-1] == "payment.failed"
    assert receiver.of("FAIL-1")[-1].document["data"]["error"]["code"] == "rejected_by_bank"
    assert [event.type for event in receiver.of("FAIL-2")] == [
        "payment.created",
        "payment.cancelled",
    ]


def test_an_approved_payment_is_told_of(told: Sandbox, receiver: Receiver) -> None:
    told.settings(approval=True)
    [payment] = told.batch(told.item("APPROVE-1")).json()
    receiver.wait(1)

    told.control.post("/_control/approve", json={"payment": payment["id"]}).raise_for_status()

    assert [event.type for event in receiver.wait(4)] == [
        "payment.created",
        "payment.approved",
        "payment.processing",
        "payment.settled",
    ]
    assert receiver.got[1].document["data"]["status"] == "approved"


def test_a_settled_payment_is_reconciled_where_that_is_switched_on(
    told: Sandbox, receiver: Receiver
) -> None:
    told.settings(reconcile_s=2)
    [payment] = told.batch(told.item("RECON-1")).json()

    got = receiver.wait(4)

    assert [event.type for event in got] == [*SETTLED, "reconciliation.completed"]
    assert got[-1].document["data"]["status"] == "reconciled"
    assert told.orkesta.get(f"/payments/{payment['id']}").json()["status"] == "reconciled"


def test_without_an_address_nobody_is_told(sandbox: Sandbox, receiver: Receiver) -> None:
    sandbox.settings(speed=20)
    sandbox.batch(sandbox.item("SILENT"))

    sandbox.settings(webhooks={"orkesta": receiver.url})
    sandbox.batch(sandbox.item("LOUD"))
    receiver.wait(3)
    sandbox.settings(webhooks={"orkesta": None})

    assert not receiver.of("SILENT")
    assert "hooks" not in sandbox.truth()[-2]


def test_few_connections_serve_many_webhooks(told: Sandbox, receiver: Receiver) -> None:
    told.batch(*(told.item(f"MANY-{number}") for number in range(100)))

    receiver.wait(300)

    assert len(receiver.peers) <= 4
    assert len({event.document["id"] for event in receiver.got}) == 300


# repetitions


@pytest.mark.parametrize("status", [500, 404, 301])
def test_what_is_not_accepted_comes_again(told: Sandbox, receiver: Receiver, status: int) -> None:
    told.settings(speed=1000)
    receiver.answers.extend([status])

    told.batch(told.item(f"AGAIN-{status}"))
    got = receiver.wait(4)

    assert [line["status"] for line in _until(told, f"AGAIN-{status}", "failed")] == [status]
    bodies = [one.body for one in got]
    first, repeated = [one for one in got if bodies.count(one.body) == 2]
    assert 0.055 < repeated.at - first.at < 10  # 1 m at speed 1


def test_the_endpoint_is_switched_off_after_the_fifth_repetition(
    told: Sandbox, receiver: Receiver
) -> None:
    told.settings(speed=100_000)
    receiver.usual = 500

    told.batch(told.item("OFF-1"))
    given_up = _until(told, "OFF-1", "given_up")
    endpoint = told.control.get("/_control/webhooks").json()["endpoints"]["orkesta"]
    told.batch(told.item("OFF-2"))
    dropped = _until(told, "OFF-2", "dropped", 3)
    receiver.usual = 200
    told.control.post("/_control/webhooks", json={"enable": "orkesta"}).raise_for_status()
    told.batch(told.item("OFF-3"))

    assert given_up[0]["attempt"] == 6
    assert endpoint["enabled"] is False
    assert len(dropped) == 3
    assert not receiver.of("OFF-2")
    assert len(_until(told, "OFF-3", "delivered", 3)) == 3


def test_an_answer_that_takes_too_long_counts_as_none(told: Sandbox, receiver: Receiver) -> None:
    told.settings(webhook_deadline_s=0.1)
    receiver.pause_s = 0.3

    told.batch(told.item("SLOW-1"))

    assert _until(told, "SLOW-1", "failed")[0]["error"] == "timeout"
    receiver.pause_s = 0


def test_nobody_at_the_address_is_no_accident(told: Sandbox) -> None:
    told.settings(webhooks={"orkesta": "http://127.0.0.1:9/none"})

    assert told.batch(told.item("NOBODY")).status_code == 200

    assert _until(told, "NOBODY", "failed")[0]["error"] == "ConnectionRefusedError"


def test_a_hanging_receiver_does_not_slow_the_api(told: Sandbox, receiver: Receiver) -> None:
    receiver.pause_s = 3
    begun = time.monotonic()

    for number in range(10):
        told.batch(told.item(f"HANG-{number}")).raise_for_status()

    assert time.monotonic() - begun < 3
    receiver.pause_s = 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_tells_what_is_still_to_be_told(
    start: Callable[..., Sandbox], receiver: Receiver, number: int
) -> None:
    before = start("--webhook", f"orkesta={receiver.url}", "--speed", "0.5")
    before.batch(before.item("RESTART-84"))  # a reference that is settled soon
    receiver.wait(1)
    _until(before, "RESTART-84", "delivered")
    before.end(number)
    told_before = {event.type for event in receiver.got}
    receiver.got.clear()

    after = start("--webhook", f"orkesta={receiver.url}")
    _until(after, "RESTART-84", "delivered", 3)

    assert "payment.created" in told_before
    assert told_before | {event.type for event in receiver.got} == set(SETTLED)
    assert "payment.created" not in {event.type for event in receiver.got}


def test_after_a_restart_what_has_no_address_waits_for_one(
    start: Callable[..., Sandbox], receiver: Receiver
) -> None:
    before = start("--webhook", f"orkesta={receiver.url}", "--speed", "1")
    before.batch(before.item("WAIT-1"))
    before.end(signal.SIGKILL)
    receiver.got.clear()
    after = start()
    time.sleep(0.1)

    after.settings(webhooks={"orkesta": receiver.url})

    receiver.wait(1)
    assert receiver.got[0].document["data"]["reference"] == "WAIT-1"


def test_a_wrong_address_ends_the_start(tmp_path: Path) -> None:
    for wrong in ("orkesta=", "orkesta=ftp://x", "orchestra=http://x", "http://x"):
        assert main(["--dir", str(tmp_path / "books"), "--webhook", wrong]) == 2


def test_the_log_of_deliveries_is_a_file_too(told: Sandbox, receiver: Receiver) -> None:
    told.batch(told.item("FILE-1"))
    receiver.wait(3)
    _until(told, "FILE-1", "delivered", 3)

    text = (told.directory / "webhooks.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["type"] for line in lines if line["reference"] == "FILE-1"] == SETTLED
