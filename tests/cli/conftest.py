"""A project folder and its command line: the real command in a process of its own."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql

from payouts import local
from tests.desk import german_iban
from tests.proof.checker import effects_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from payouts.store import embedded

COLUMNS = ("reference", "name", "country", "currency", "amount", "method", "account")


def sepa(reference: str, *, amount: str = "12.50", account: str | None = None) -> dict[str, str]:
    """A good SEPA line; the account follows from the reference."""
    number = sum(ord(letter) * 131**place for place, letter in enumerate(reference)) % 10**9
    row = (reference, "Ada Lovelace", "DE", "EUR", amount, "sepa", account or german_iban(number))
    return dict(zip(COLUMNS, row, strict=True))


def turkish(reference: str, *, amount: str = "12.50") -> dict[str, str]:
    """A good line that Orkesta pays, whose answers nobody can look up without its own id."""
    account = "TR330006100519786457841326"
    row = (reference, "Ada Lovelace", "TR", "TRY", amount, "bank_transfer", account)
    return dict(zip(COLUMNS, row, strict=True))


def many(count: int, prefix: str = "R", **changes: str) -> list[dict[str, str]]:
    """So many good SEPA lines, each with an amount of its own."""
    return [
        sepa(f"{prefix}-{place:05d}", amount=f"{10 + place % 400}.{place % 100:02d}") | changes
        for place in range(count)
    ]


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Its JSON document."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def lines(self) -> list[str]:
        """The lines of its data."""
        return self.out.splitlines()


@dataclass
class Terminal:
    """A project folder and the commands that are typed in it.

    Args:
        sandbox: its base URL, where the test keeps one running.
        accounts: those of the payee files; no command may show one of them.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    sandbox: str = ""
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    accounts: set[str] = field(default_factory=set)

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """Begin a command and leave it running."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PAYOUTS_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "payouts", *words],
            cwd=self.folder,
            env={**inherited, **self.environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def leave(self) -> None:
        """Kill what a failed test left running."""
        for process in self.started:
            if process.returncode is None:
                process.kill()
                process.communicate()

    def run(self, *words: str, timeout: float = 50, **more: str) -> Done:
        """Type a command and wait for its end; whatever it says holds no account of a file."""
        done = ended(self.start(*words, **more), timeout=timeout)
        told = [account[-4:] for account in self.accounts if account in done.out + done.err]
        assert not told, f"`payouts {' '.join(words)}` shows accounts that end with {told}"
        return done

    def write(self, rows: list[dict[str, str]], name: str = "payees.csv") -> str:
        """A payee file of these rows; returns its name."""
        with (self.folder / name).open("w", newline="") as file:
            out = csv.DictWriter(file, list(rows[0]))
            out.writeheader()
            out.writerows(rows)
        self.accounts |= {row["account"] for row in rows if len(row.get("account") or "") > 7}
        return name

    def read(self, name: str) -> list[dict[str, str]]:
        """The rows of a file."""
        with (self.folder / name).open(newline="") as file:
            return list(csv.DictReader(file))

    def settings(self, text: str) -> None:
        """Write `payouts.toml`."""
        (self.folder / "payouts.toml").write_text(text)

    @property
    def truth(self) -> Path:
        """The sandbox's own log of everything that it did."""
        return self.folder / ".payouts" / "sandbox" / "truth.jsonl"

    def effects(self) -> Counter[str]:
        """How often each reference was paid, says the sandbox."""
        return Counter({wire: len(made) for wire, made in effects_of(self.truth).items()})

    def wait_for_effects(self, count: int, process: subprocess.Popen[str]) -> None:
        """Wait until the sandbox paid so many, or the command ended."""
        self.wait_for(lambda: len(self.effects()) >= count or process.poll() is not None)

    def wait_for(self, what: Callable[[], bool], *, wait_max: float = 30.0) -> None:
        """Wait until something is so."""
        end = time.monotonic() + wait_max
        while not what():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)


def ended(process: subprocess.Popen[str], *, timeout: float = 50) -> Done:
    """Wait for the end of a command; one that does not end is killed and fails the test."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"the command did not end:\n{out}\n{err}")
    return Done(process.returncode, out, err)


def _drop(postgres: embedded.Server, name: str) -> None:
    with postgres.connect("postgres", autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def _url(args: Mapping[str, str]) -> str:
    return f"postgresql://{args['user']}@/{args['dbname']}?host={args['host']}&port={args['port']}"


@pytest.fixture
def make_terminal(
    tmp_path: Path,
    postgres: embedded.Server,
    make_database: Callable[..., str],
    payouts_template: str,
) -> Iterator[Callable[..., Terminal]]:
    """Give a function that makes a project whose servers run already, which saves seconds."""
    with ExitStack() as stack:

        def make(
            faults: str = "", *, speed: str = "instant", settings: str = "", more: str = ""
        ) -> Terminal:
            name = make_database("cli", template=payouts_template)
            stack.callback(_drop, postgres, name)  # all at the end would take a minute
            args = postgres.connect_args(name)
            terminal = Terminal(tmp_path, {"PAYOUTS_DATABASE__URL": _url(args)})
            terminal.settings(f'payer = "desk"\n{settings}\n[sandbox]\nspeed = 1\n{more}')
            played = tmp_path / "faults.toml"
            played.write_text(faults)
            running = local.sandbox_running(
                tmp_path / ".payouts" / "sandbox",
                speed="instant" if speed == "instant" else float(speed),
                extra_args=["--faults", str(played)] if faults else [],
            )
            stack.callback(terminal.leave)
            terminal.sandbox = stack.enter_context(running)
            return terminal

        yield make


@pytest.fixture
def terminal(make_terminal: Callable[..., Terminal]) -> Terminal:
    """A project whose payments settle within the reply."""
    return make_terminal()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Terminal]:
    """A project as somebody's first: its own PostgreSQL and sandbox, started by the commands."""
    folder = tmp_path / "first project"
    folder.mkdir()
    made = Terminal(folder)
    made.settings('payer = "first"\n[sandbox]\nspeed = "instant"\n')
    yield made
    made.leave()
