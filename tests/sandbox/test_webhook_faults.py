"""Every way in which a webhook can go wrong is shown to strike."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.test_webhooks import SECRET, SETTLED

if TYPE_CHECKING:
    from tests.sandbox.conftest import Sandbox
    from tests.sandbox.receiver import Got, Receiver


def _strike(told: Sandbox, fault: str, kind: str = "payment.settled", **more: Any) -> None:  # noqa: ANN401
    """Let a fault strike at one type of event of one payment, and make that payment."""
    rule = {"fault": fault, "route": f"WEBHOOK /orkesta/{kind}", "times": 1, **more}
    told.faults(rule)
    told.batch(told.item("W-1"))


def _is_genuine(got: Got) -> bool:
    proof = hmac.new(SECRET, got.body, hashlib.sha256).hexdigest()
    return got.headers.get("x-signature-256") == f"sha256={proof}"


def _types(receiver: Receiver) -> list[str]:
    return [got.type for got in receiver.got]


def test_one_can_be_lost(told: Sandbox, receiver: Receiver) -> None:
    _strike(told, "webhook_lost", "payment.processing")

    receiver.wait(2)
    time.sleep(0.1)

    assert _types(receiver) == ["payment.created", "payment.settled"]
    assert told.struck("webhook_lost") == 1


def test_one_can_be_late(told: Sandbox, receiver: Receiver) -> None:
    _strike(told, "webhook_late", "payment.created", options={"seconds": 0.6})

    got = receiver.wait(3)

    assert _types(receiver) == [*SETTLED[1:], "payment.created"]
    assert got[-1].document["data"]["status"] == "pending"


def test_they_can_come_out_of_order(told: Sandbox, receiver: Receiver) -> None:
    _strike(told, "webhook_out_of_order", "payment.created")

    receiver.wait(3)

    assert _types(receiver) == [*SETTLED[1:], "payment.created"]


def test_they_can_come_in_a_burst(told: Sandbox, receiver: Receiver) -> None:
    told.faults({"fault": "webhook_burst", "options": {"seconds": 0.5}})
    told.batch(*(told.item(f"BURST-{number}") for number in range(20)))

    got = receiver.wait(60)

    moments = {int(one.at / 0.5) for one in got}
    assert len(moments) <= 2
    assert told.struck("webhook_burst") == 60


def test_one_can_come_twice(told: Sandbox, receiver: Receiver) -> None:
    _strike(told, "webhook_duplicated", options={"copies": 2})

    receiver.wait(5)

    same = [got.body for got in receiver.got if got.type == "payment.settled"]
    assert same == [same[0]] * 3
    assert all(map(_is_genuine, receiver.got))


def test_one_can_be_replayed_long_after(told: Sandbox, receiver: Receiver) -> None:
    _strike(told, "webhook_replayed", "payment.created", options={"seconds": 0.5})

    got = receiver.wait(4)

    assert [one.type for one in got] == [*SETTLED, "payment.created"]
    assert got[3].body == got[0].body
    assert _is_genuine(got[3])


def test_one_can_be_forged(told: Sandbox, receiver: Receiver) -> None:
    _strike(told, "webhook_forged")

    got = receiver.wait(4)

    [forged] = [one for one in got if not _is_genuine(one)]
    assert forged.type == "payment.failed"
    assert forged.document["data"]["status"] == "failed"
    assert forged.headers["x-signature-256"].startswith("sha256=")


@pytest.mark.parametrize("fault", ["webhook_wrong_secret", "webhook_unsigned", "webhook_altered"])
def test_one_that_cannot_be_verified_comes_again_as_it_should(
    told: Sandbox, receiver: Receiver, fault: str
) -> None:
    told.settings(speed=1000)
    receiver.answers.append(401)
    _strike(told, fault, "payment.created")

    receiver.wait(4)

    first, again = [got for got in receiver.got if got.type == "payment.created"]
    assert not _is_genuine(first)
    assert _is_genuine(again)
    assert ("x-signature-256" in first.headers) == (fault != "webhook_unsigned")
    assert (first.body == again.body) == (fault != "webhook_altered")


def test_one_can_be_altered_in_its_amount(told: Sandbox, receiver: Receiver) -> None:
    _strike(told, "webhook_altered")

    settled = receiver.wait(3)[-1]

    assert settled.document["data"]["amount"] == 91500
    assert not _is_genuine(settled)


@pytest.mark.parametrize(("says", "status"), [(None, "failed"), ("processing", "processing")])
def test_one_can_contradict_another(
    told: Sandbox, receiver: Receiver, says: str | None, status: str
) -> None:
    """Both are genuine: only a look-up can tell what is true."""
    _strike(told, "webhook_contradictory", options={"says": says})

    got = receiver.wait(4)

    said = {one.type: one.document for one in got if one.document["id"].endswith("x")}
    [settled] = [one.document for one in got if one.type == "payment.settled"]
    [other] = said.values()
    assert other["data"]["status"] == status
    assert other["type"] == f"payment.{status}"
    assert other["data"]["id"] == settled["data"]["id"]
    assert other["id"] != settled["id"]
    assert all(map(_is_genuine, got))


def test_one_can_be_about_nobody(told: Sandbox, receiver: Receiver) -> None:
    _strike(told, "webhook_unknown_item")

    strange = [one for one in receiver.wait(4) if b"NOT-YOURS" in one.body]

    assert len(strange) == 1
    assert _is_genuine(strange[0])
    assert told.orkesta.get(f"/payments/{strange[0].document['data']['id']}").status_code == 404


def test_one_can_say_another_amount(told: Sandbox, receiver: Receiver) -> None:
    _strike(told, "webhook_other_amount", options={"delta": -500})

    settled = receiver.wait(3)[-1]

    assert settled.document["data"]["amount"] == 1000
    assert _is_genuine(settled)


def test_one_can_be_no_json(told: Sandbox, receiver: Receiver) -> None:
    _strike(told, "webhook_malformed")

    assert receiver.wait(3)[-1].body == b"{"
    assert _is_genuine(receiver.got[-1])


def test_one_can_arrive_before_the_reply(told: Sandbox, receiver: Receiver) -> None:
    told.faults({"fault": "webhook_before_reply", "reference": "FIRST-1"})

    told.batch(told.item("FIRST-1")).raise_for_status()

    assert _types(receiver)[:1] == ["payment.created"]
    assert told.struck("webhook_before_reply") == 1


def test_a_rule_can_wait_for_a_reference(told: Sandbox, receiver: Receiver) -> None:
    told.faults({"fault": "webhook_lost", "reference": "QUIET-*"})
    told.batch(told.item("QUIET-1"), told.item("LOUD-1"))

    receiver.wait(3)
    time.sleep(0.1)

    assert not receiver.of("QUIET-1")
    assert told.struck("webhook_lost") == 3


def test_it_strikes_by_chance_and_by_number_too(told: Sandbox, receiver: Receiver) -> None:
    told.faults(
        {"fault": "webhook_duplicated", "every": 10},
        {"fault": "webhook_lost", "probability": 0.5, "route": "WEBHOOK */payment.processing"},
    )
    told.batch(*(told.item(f"CHANCE-{number}") for number in range(40)))

    receiver.wait(80)
    time.sleep(0.2)

    assert 4 <= told.struck("webhook_lost") <= 36
    assert told.struck("webhook_duplicated") in {11, 12}
    assert len(receiver.got) >= 80
