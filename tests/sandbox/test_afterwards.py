"""What comes after the reply: returns, silence, look-ups that lag, keys that are forgotten."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from payouts.sandbox.books import Books
from payouts.sandbox.http import Request
from payouts.sandbox.orkesta import MOUNT, Orkesta
from payouts.sandbox.platforms import Wish, World
from payouts.sandbox.settings import Settings
from tests.sandbox.conftest import SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sandbox.conftest import Sandbox
    from tests.sandbox.receiver import Receiver


def _line(sandbox: Sandbox, kind: str, name: str) -> dict[str, Any]:
    """Wait for a line of the truth log about an effect."""
    deadline = time.monotonic() + 10
    while True:
        for line in sandbox.truth():
            if line["kind"] == kind and line["effect"] == name:
                return line
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _balance(sandbox: Sandbox) -> int:
    balance: float = sandbox.orkesta.get("/accounts").json()[0]["balance"]
    return round(100 * balance)


# money that comes back


def test_a_settled_payment_can_come_back(told: Sandbox, receiver: Receiver) -> None:
    """A-OKS-14."""
    before = _balance(told)
    rule = {"fault": "returned", "route": "POST *", "reference": "BACK-1"}
    told.faults({**rule, "options": {"seconds": 0.1}})
    [payment] = told.batch(told.item("BACK-1")).json()

    line = _line(told, "return", payment["id"])
    shown = told.orkesta.get(f"/payments/{payment['id']}").json()

    assert (line["reference"], line["amount_minor"], line["currency"]) == ("BACK-1", 1500, "TRY")
    assert (shown["status"], shown["returned_amount"]) == ("returned", 1500)
    assert _balance(told) == before
    assert [got.type for got in receiver.wait(4)][2:] == ["payment.settled", "payment.returned"]
    assert receiver.got[2].document["data"]["status"] == "settled"
    assert told.struck("returned") == 1


def test_a_part_of_a_settled_payment_can_come_back(told: Sandbox, receiver: Receiver) -> None:
    options = {"seconds": 0, "share": 0.4, "references": "PART-1"}
    told.faults({"fault": "returned", "options": options})
    payment, other = told.batch(told.item("PART-1"), told.item("PART-2")).json()

    assert _line(told, "return", payment["id"])["amount_minor"] == 600
    shown = told.orkesta.get(f"/payments/{payment['id']}").json()

    assert (shown["status"], shown["returned_amount"]) == ("settled", 600)
    assert "returned_amount" not in told.orkesta.get(f"/payments/{other['id']}").json()
    returned = [got for got in receiver.wait(7) if got.type == "payment.returned"]
    assert [got.document["data"]["returned_amount"] for got in returned] == [600]


def test_a_payment_can_be_sent_back_by_hand_and_not_more_than_once(sandbox: Sandbox) -> None:
    sandbox.settings(speed="instant")
    [payment] = sandbox.batch(sandbox.item("HAND-1")).json()

    def back(**changes: object) -> int:
        body = {"effect": payment["id"], **changes}
        return sandbox.control.post("/_control/return", json=body).status_code

    assert back(effect="pay_none") == 404
    assert back(amount_minor=1501) == back(amount_minor=0) == back(amount_minor=1.5) == 422
    assert back(amount_minor=500) == 200
    assert back() == 200
    assert back(amount_minor=1) == 422
    assert sandbox.orkesta.get(f"/payments/{payment['id']}").json()["status"] == "returned"


def test_what_is_not_paid_does_not_come_back(sandbox: Sandbox) -> None:
    sandbox.settings(speed=10)
    sandbox.faults({"fault": "returned", "options": {"seconds": 0}})
    [cancelled] = sandbox.batch(sandbox.item("NEVER-1", to_account="TR776666")).json()
    [held] = sandbox.batch(sandbox.item("NEVER-2", to_account="TR777777")).json()
    [failed] = sandbox.batch(sandbox.item("NEVER-3", to_account="TR778888")).json()
    sandbox.orkesta.delete(f"/payments/{cancelled['id']}").raise_for_status()
    time.sleep(0.3)

    for payment in (cancelled, held, failed):
        body = {"effect": payment["id"]}
        assert sandbox.control.post("/_control/return", json=body).status_code == 422
    assert not [line for line in sandbox.truth() if str(line.get("effect")).startswith("NEVER")]


def test_a_marked_payment_that_was_held_comes_back_too(sandbox: Sandbox) -> None:
    sandbox.settings(speed=20)
    sandbox.faults({"fault": "returned", "options": {"seconds": 0}})
    [held] = sandbox.batch(sandbox.item("HELD-1", to_account="TR777777")).json()

    sandbox.control.post("/_control/release", json={"effect": held["id"]}).raise_for_status()

    assert _line(sandbox, "return", held["id"])["amount_minor"] == 1500


def test_a_marked_payment_comes_back_after_a_restart(start: Callable[..., Sandbox]) -> None:
    before = start("--speed", "100")
    before.faults({"fault": "returned", "options": {"seconds": 0.5}})
    [payment] = before.batch(before.item("LATER-1")).json()
    before.end()

    after = start()

    _line(after, "return", payment["id"])
    assert after.orkesta.get(f"/payments/{payment['id']}").json()["status"] == "returned"


# money that was never gone: one platform in this process, and its clock in our hand


class _Own:
    """Orkesta with a clock that stands still."""

    def __init__(self, directory: Path) -> None:
        later: list[Callable[[], None]] = []
        self.now = 1_800_000_000.0
        self.books = Books(directory, soon=later.append)
        self.platform = Orkesta(World(self.books, Settings(), lambda: self.now))

    def ask(self, method: str, path: str, document: object = None) -> Any:  # noqa: ANN401  JSON
        """Ask the platform and give the document of its reply."""
        headers = {
            "authorization": "Bearer sandbox-orkesta-rw",
            "content-type": "application/json",
        }
        body = json.dumps(document).encode()
        return self.platform.answer(Request(method, MOUNT + path, headers, body), Wish()).document

    def pay(self, account: str) -> dict[str, Any]:
        """Make a payment of 15.00 lira."""
        item = {"amount": 1500, "currency": "TRY", "method": "eft", "to_account": account}
        payment: dict[str, Any] = self.ask("POST", "/payments", {**item, "from_account": SOURCE})
        return payment

    def balance(self) -> int:
        """Minor units on the account that pays."""
        return int(100 * self.ask("GET", "/accounts")[0]["balance"])


@pytest.mark.parametrize("account", ["TR33778888", "TR33773333"])
def test_the_money_of_a_failed_payment_comes_back(tmp_path: Path, account: str) -> None:
    own = _Own(tmp_path)
    before = own.balance()

    payment = own.pay(account)

    assert own.balance() == before - 1500
    own.now += 2.1
    assert own.ask("GET", f"/payments/{payment['id']}")["status"] == "failed"
    assert own.balance() == before
    assert own.balance() == before


@pytest.mark.parametrize("account", ["TR33000000", "TR33778888"])
def test_the_money_of_a_cancelled_payment_comes_back_once(tmp_path: Path, account: str) -> None:
    own = _Own(tmp_path)
    before = own.balance()
    payment = own.pay(account)
    own.now += 0.1

    own.ask("DELETE", f"/payments/{payment['id']}")
    own.now += 60

    assert own.balance() == before
    own.books.flush()
    own.books.close()
    again = _Own(tmp_path)
    again.now += 60
    assert again.balance() == before


def test_a_cancelled_payment_is_not_said_to_be_settled(tmp_path: Path) -> None:
    own = _Own(tmp_path)
    payment = own.pay("TR33000000")
    line = own.books.line(0)
    assert line is not None
    agenda = sorted(own.platform.agenda(line))
    own.now += 0.1

    own.ask("DELETE", f"/payments/{payment['id']}")

    told = [own.platform.news(line, index, kind, at) for at, index, kind in agenda]
    assert [news.type for news in told if news is not None] == ["payment.created"]
    assert len(told) == 3


def test_a_cancel_is_a_line_that_says_what_is_undone(sandbox: Sandbox) -> None:
    sandbox.settings(speed=0.01)
    [payment] = sandbox.batch(sandbox.item("STOPS-2")).json()

    sandbox.orkesta.delete(f"/payments/{payment['id']}").raise_for_status()

    line = _line(sandbox, "cancel", payment["id"])
    assert (line["platform"], line["reference"]) == ("orkesta", "STOPS-2")
    assert (line["amount_minor"], line["currency"]) == (1500, "TRY")


# silence


@pytest.mark.parametrize(
    ("then", "status", "webhooks"),
    [("lookup", "settled", 0), ("webhook", "pending", 3), ("never", "pending", 0)],
)
def test_an_accepted_batch_can_end_in_one_way_only(
    told: Sandbox, receiver: Receiver, then: str, status: str, webhooks: int
) -> None:
    told.faults({"fault": "accepted_then", "options": {"then": then}})

    reply = told.batch(told.item("QUIET"))
    [payment] = reply.json()
    receiver.wait(webhooks)
    time.sleep(0.2)

    assert (reply.status_code, payment["status"]) == (202, "pending")
    assert told.orkesta.get(f"/payments/{payment['id']}").json()["status"] == status
    assert len(receiver.got) == webhooks
    assert len(told.effects("QUIET")) >= 1


# look-ups that lag, keys that are forgotten


def test_a_look_up_can_lag(sandbox: Sandbox) -> None:
    """First it does not find what is there, then it shows what was."""
    [payment] = sandbox.batch(sandbox.item("LAG-44")).json()
    payout = sandbox.orkestra.post("/payouts", json=sandbox.payout("LAGS-86")).json()
    sandbox.faults({"fault": "lagging", "route": "GET *", "options": {"seconds": 1.5}})
    seen: list[tuple[Any, Any]] = []
    deadline = time.monotonic() + 15
    while not seen or seen[-1] != ("settled", "PAID"):
        assert time.monotonic() < deadline
        first = sandbox.orkesta.get(f"/payments/{payment['id']}").json().get("status")
        second = sandbox.orkestra.get(f"/payouts/{payout['id']}").json().get("status")
        seen.append((first, second))
        time.sleep(0.02)

    assert seen[0] == (None, None)
    assert [*dict.fromkeys(first for first, _ in seen)] == [
        None,
        "pending",
        "processing",
        "settled",
    ]


def test_a_key_can_be_forgotten(sandbox: Sandbox) -> None:
    """Then the same request pays once more; the life of a key is what a client must respect."""
    sandbox.orkestra.post("/payouts", json=sandbox.payout("FORGET")).raise_for_status()
    sandbox.faults({"fault": "forgotten_key", "reference": "FORGET"})

    again = sandbox.orkestra.post("/payouts", json=sandbox.payout("FORGET"))

    assert again.status_code == 201
    assert len(sandbox.effects("FORGET")) == 2
