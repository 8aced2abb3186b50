"""The books: on disk before the reply, and the same after a restart."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from payouts.sandbox.books import Books, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sandbox.conftest import Sandbox


def test_a_batch_is_one_line_that_names_each_effect(sandbox: Sandbox) -> None:
    reply = sandbox.batch(sandbox.item("L-1", amount=7), sandbox.item("L-2", amount=0))

    line = sandbox.truth()[-1]
    assert line["kind"] == "batch"
    assert line["platform"] == "orkesta"
    assert line["request"] == hashlib.sha256(reply.request.content).hexdigest()
    assert line["debits"] == {"acc_01hx3k9qze4p7vb2ntcm6d8faj": 7}
    assert line["refused"] == [
        {"reference": "L-2", "account": fingerprint("acc_01HABC"), "code": "invalid_amount"}
    ]
    [effect] = line["effects"]
    assert effect["effect"] == reply.json()[0]["id"]
    assert effect["amount_minor"] == 7
    assert effect["account"] == fingerprint("acc_01HABC")
    assert effect["fate"] == "paid"


def test_a_payout_is_one_line_with_its_key(sandbox: Sandbox) -> None:
    reply = sandbox.orkestra.post("/payouts", json=sandbox.payout("L-3"))

    line = sandbox.truth()[-1]
    assert (line["kind"], line["platform"], line["key"]) == ("payout", "orkestra", "L-3")
    assert line["effects"][0]["effect"] == str(reply.json()["id"])
    assert line["effects"][0]["amount_minor"] == 1025


def test_no_account_is_in_the_log_in_full(sandbox: Sandbox) -> None:
    sandbox.batch(sandbox.item(to_account="TR330006100519786457841326"), sandbox.item(amount=0))
    sandbox.orkestra.post("/payouts", json=sandbox.payout(None))

    text = (sandbox.directory / "truth.jsonl").read_text(encoding="utf-8")
    assert "TR330006100519786457841326" not in text
    assert "maria@example.com" not in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_finds_everything_again(start: Callable[..., Sandbox], number: int) -> None:
    before = start()
    payments = before.batch(*(before.item(f"A-{n}") for n in range(3))).json()
    cancelled = before.orkesta.delete(f"/payments/{payments[0]['id']}").json()
    payout = before.orkestra.post("/payouts", json=before.payout("A-4")).json()
    before.batch(before.item("A-5", to_account="TR33774444"))
    held = before.batch(before.item("A-6", to_account="TR33777777")).json()[0]
    before.control.post("/_control/release", json={"effect": held["id"]})
    accounts = before.orkesta.get("/accounts").json()
    truth = before.truth()
    before.end(number)

    after = start("--speed", "instant")

    assert after.truth() == truth
    assert after.orkesta.get("/accounts").json() == accounts
    assert after.orkesta.get(f"/payments/{cancelled['id']}").json()["status"] == "cancelled"
    assert after.orkesta.get(f"/payments/{payments[1]['id']}").json()["reference"] == "A-1"
    assert after.orkesta.get(f"/payments/{held['id']}").json()["status"] != "pending"
    assert after.orkestra.get(f"/payouts/{payout['id']}").json()["referenceId"] == "A-4"
    assert after.orkestra.post("/payouts", json=after.payout("A-4")).status_code == 200
    assert after.orkestra.post("/payouts", json=after.payout("A-4", amount=1)).status_code == 409
    retried = after.batch(after.item("A-5", to_account="TR33774444")).json()
    assert retried[0]["status"] == "settled"


def test_ids_stay_unique_over_restarts(start: Callable[..., Sandbox]) -> None:
    ids = set()
    for _ in range(3):
        sandbox = start()
        ids |= {payment["id"] for payment in sandbox.batch(sandbox.item(), sandbox.item()).json()}
        sandbox.end(signal.SIGKILL)

    assert len(ids) == 6


def test_a_line_that_a_crash_cut_short_is_dropped(start: Callable[..., Sandbox]) -> None:
    """It was never acknowledged; a line glued to its rest would be lost with it."""
    first = start()
    first.batch(first.item("T-1"))
    first.end(signal.SIGKILL)
    with (first.directory / "truth.jsonl").open("ab") as log:
        log.write(b'{"kind":"batch","effects":[{"eff')

    second = start()
    second.batch(second.item("T-2"))

    assert [line["effects"][0]["reference"] for line in second.truth()] == ["T-1", "T-2"]


def test_the_books_have_one_keeper(start: Callable[..., Sandbox]) -> None:
    sandbox = start()
    command = [sys.executable, "-m", "payouts.sandbox", "--dir", str(sandbox.directory)]

    second = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    assert second.returncode == 2
    assert "another sandbox keeps the books" in second.stderr
    assert sandbox.batch(sandbox.item()).status_code == 200


def test_a_signal_ends_it_cleanly(start: Callable[..., Sandbox]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        sandbox = start()
        with sandbox.connect():
            assert sandbox.end(number) == 0
        assert sorted(path.name for path in sandbox.directory.iterdir()) == ["lock", "truth.jsonl"]


def test_it_ends_when_the_books_cannot_be_kept(tmp_path: Path) -> None:
    """A full disk must never look like a payment that was made."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000));"
        "from payouts.sandbox.__main__ import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", code, "--dir", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        while not (tmp_path / "address").exists():
            assert process.poll() is None
        url = (tmp_path / "address").read_text(encoding="ascii")
        body = [
            {
                "amount": 1,
                "currency": "TRY",
                "method": "eft",
                "from_account": "acc_01hx3k9qze4p7vb2ntcm6d8faj",
                "to_account": f"acc_{number:05}",
            }
            for number in range(50)
        ]
        headers = {"authorization": "Bearer sandbox-orkesta-rw"}

        with pytest.raises(httpx.TransportError):
            httpx.post(
                f"{url}/orkesta/v1/payments/batch", json=body, headers=headers, trust_env=False
            )

        assert process.wait(timeout=10) == 1
        assert process.stderr is not None
        assert b"File too large" in process.stderr.read()


def test_requests_of_one_moment_share_a_sync_and_all_are_booked(sandbox: Sandbox) -> None:
    def send(number: int) -> int:
        with httpx.Client(base_url=sandbox.orkestra.base_url, auth=sandbox.orkestra.auth) as client:
            return client.post("/payouts", json=sandbox.payout(f"G-{number}")).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(send, range(40)))

    assert statuses == [201] * 40
    booked = {e["reference"] for line in sandbox.truth() for e in line.get("effects", ())}
    assert {f"G-{number}" for number in range(40)} <= booked


def test_nothing_is_acknowledged_before_it_is_written(tmp_path: Path) -> None:
    later: list[Callable[[], None]] = []
    books = Books(tmp_path, soon=later.append)
    entry = {"kind": "cancel", "at": 1.0, "effect": "pay_1"}

    books.append(entry)
    assert (tmp_path / "truth.jsonl").read_bytes() == b""
    later.pop()()

    assert json.loads((tmp_path / "truth.jsonl").read_bytes()) == entry
    books.close()


def test_a_line_outside_the_memory_is_read_from_the_file(tmp_path: Path) -> None:
    later: list[Callable[[], None]] = []
    books = Books(tmp_path, soon=later.append)
    for number in range(200):
        books.append({"kind": "cancel", "at": float(number), "effect": f"pay_{number}"})

    assert [(books.line(number) or {})["at"] for number in (0, 100, 199)] == [0.0, 100.0, 199.0]
    assert books.line(200) is None
    books.close()
