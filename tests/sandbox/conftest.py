"""Sandboxes for the tests: each a process of its own, spoken to over its socket."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SOURCE = "acc_01hx3k9qze4p7vb2ntcm6d8faj"
RW = {"authorization": "Bearer sandbox-orkesta-rw"}
BASIC = ("sandbox-orkestra", "sandbox-orkestra-secret")


@dataclass
class Sandbox:
    """A running sandbox and the ways to speak to it."""

    directory: Path
    process: subprocess.Popen[bytes]
    orkesta: httpx.Client
    fresh: httpx.Client  # as `orkesta`, but with a new connection for each request
    orkestra: httpx.Client
    control: httpx.Client

    @property
    def address(self) -> tuple[str, int]:
        """Host and port for raw sockets."""
        return "127.0.0.1", self.orkesta.base_url.port or 0

    def item(self, reference: str | None = "R-1", **changes: object) -> dict[str, Any]:
        """Give an Orkesta payment that is good unless changed."""
        return {
            "amount": 1500,
            "currency": "TRY",
            "method": "eft",
            "from_account": SOURCE,
            "to_account": "acc_01HABC",
            "description": "Invoice #1001",
            "reference": reference,
            **changes,
        }

    def batch(self, *items: object) -> httpx.Response:
        """Send a batch to Orkesta."""
        return self.orkesta.post("/payments/batch", json=items)

    def payout(self, reference: str | None = "R-1", **changes: object) -> dict[str, Any]:
        """Give an Orkestra payout that is good unless changed."""
        return {
            "amount": 10.25,
            "currency": "BRL",
            "paymentMethod": "PIX",
            "receivingBankAccount": {
                "key": "maria@example.com",
                "document": "00000000000",
                "documentType": "CPF",
            },
            "beneficiary": {
                "firstName": "Maria",
                "lastName": "Silva",
                "type": "INDIVIDUAL",
                "document": "00000000000",
                "documentType": "CPF",
            },
            "referenceId": reference,
            **changes,
        }

    def faults(self, *rules: dict[str, Any]) -> None:
        """Put rules in force."""
        self.control.post("/_control/faults", json=list(rules)).raise_for_status()

    def struck(self, fault: str) -> int:
        """Give how often a fault has struck under the rules in force."""
        rules = self.control.get("/_control/faults").json()["rules"]
        return sum(rule["struck"] for rule in rules if rule["fault"] == fault)

    def settings(self, **changes: object) -> None:
        """Change settings."""
        self.control.post("/_control/settings", json=changes).raise_for_status()

    def truth(self) -> list[dict[str, Any]]:
        """Read the truth log."""
        text = (self.directory / "truth.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def effects(self, reference: str) -> list[dict[str, Any]]:
        """Give the effects of one reference."""
        return [
            effect
            for line in self.truth()
            for effect in line.get("effects", ())
            if effect["reference"] == reference
        ]

    def connect(self) -> socket.socket:
        """Open a raw connection."""
        return socket.create_connection(self.address, timeout=10)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait, and give the exit status."""
        for client in (self.orkesta, self.fresh, self.orkestra, self.control):
            client.close()
        self.process.send_signal(number)
        return self.process.wait(timeout=10)


def _start(directory: Path, *arguments: str) -> Sandbox:
    command = [sys.executable, "-m", "payouts.sandbox", "--dir", str(directory), *arguments]
    for name in ("address", "control"):  # of one that was killed
        (directory / name).unlink(missing_ok=True)
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 20
    while not (directory / "address").exists():
        assert process.poll() is None, "the sandbox ended at once"
        assert time.monotonic() < deadline, "the sandbox does not listen"
        time.sleep(0.01)
    url = (directory / "address").read_text(encoding="ascii")
    control = (directory / "control").read_text(encoding="ascii")
    return Sandbox(
        directory,
        process,
        httpx.Client(base_url=f"{url}/orkesta/v1", headers=RW, trust_env=False, timeout=10),
        httpx.Client(
            base_url=f"{url}/orkesta/v1",
            headers=RW,
            trust_env=False,
            timeout=10,
            limits=httpx.Limits(max_keepalive_connections=0),
        ),
        httpx.Client(base_url=f"{url}/orkestra", auth=BASIC, trust_env=False, timeout=10),
        httpx.Client(base_url=control, trust_env=False, timeout=10),
    )


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes with arguments; all in one directory unless another is given."""
    running = []

    def started(*arguments: str, directory: Path = tmp_path / "books") -> Sandbox:
        sandbox = _start(directory, *arguments)
        running.append(sandbox)
        return sandbox

    yield started
    for sandbox in running:
        if sandbox.process.poll() is None:
            sandbox.end(signal.SIGKILL)


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = _start(tmp_path_factory.mktemp("sandbox"))
    yield sandbox
    assert sandbox.end() == 0


@pytest.fixture
def sandbox(_shared: Sandbox) -> Iterator[Sandbox]:
    """One sandbox for many tests; each finds it without faults and with the usual settings."""
    usual = _shared.control.get("/_control/settings").json()
    yield _shared
    _shared.control.delete("/_control/faults").raise_for_status()
    _shared.settings(**usual)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks that accepts everything."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def told(sandbox: Sandbox, receiver: Receiver) -> Iterator[Sandbox]:
    """A quick sandbox that tells the receiver."""
    sandbox.settings(speed=20, webhooks={"orkesta": receiver.url, "orkestra": receiver.url})
    yield sandbox
    sandbox.settings(webhooks={"orkesta": None, "orkestra": None})
