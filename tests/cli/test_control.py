"""Holding, cancelling, pausing, resolving from the command line: words, documents, exit codes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from payouts.cli import main
from tests.cli.conftest import Done, ended, many, turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Terminal

pytestmark = pytest.mark.journey

HELD = "acc_01hx3k9qze4p7vb2ntcm777777"
LOST = '[[fault]]\nfault = "{fault}"\nroute = "POST /orkesta/v1/payments/batch"\ntimes = 1\n'
WHY = ("--reason", "asked Ana")


@dataclass
class Desk:
    """Commands typed in a project folder; in this process, which saves a second each."""

    terminal: Terminal
    capsys: pytest.CaptureFixture[str]

    def run(self, *words: str) -> Done:
        """Type a command and read what it said."""
        code = main([*words])
        said = self.capsys.readouterr()
        return Done(code, said.out, said.err)

    def item(self) -> str:
        """The id of an item of the newest run."""
        return str(self.run("items", "last", "--json").document["items"][0]["item"])


@pytest.fixture
def make_desk(
    make_terminal: Callable[..., Terminal],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Desk]:
    def make(faults: str = "", **more: str) -> Desk:
        terminal = make_terminal(faults, **more)
        monkeypatch.chdir(terminal.folder)
        for name, value in terminal.environment.items():
            monkeypatch.setenv(name, value)
        return Desk(terminal, capsys)

    return make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()


def test_a_run_is_held_released_and_cancelled(desk: Desk) -> None:
    desk.terminal.write(many(2))
    desk.run("pause", "orkestra", *WHY)
    loaded = desk.run("run", "payees.csv")

    held = desk.run("hold", "last", "--reason", "wrong month?", "--actor", "ana")
    again = desk.run("hold", "payees.csv", *WHY)
    shown = desk.run("status", "--json").document
    released = desk.run("release", "last", *WHY, "--json")
    cancelled = desk.run("cancel", "last", *WHY)
    late = desk.run("cancel", "last", *WHY)

    assert (loaded.code, held.code, again.code) == (5, 0, 0)
    assert "is held by person:ana" in held.out
    assert "was held already" in again.out
    assert [one["reason"] for one in shown["holds"]] == ["person"]
    assert (released.code, released.document["holds"]) == (0, 1)
    assert cancelled.code == 0, cancelled.err
    assert "Cancelled 2 items: nothing of it was sent" in cancelled.out
    assert (late.code, "E_CANCEL_LATE" in late.err) == (2, True)
    assert not desk.terminal.truth.exists() or not desk.terminal.effects()


def test_a_platform_is_paused_and_resumed(desk: Desk) -> None:
    desk.terminal.write([turkish("R-1")])

    paused = desk.run("pause", "orkesta", "--reason", "holiday")
    waits = desk.run("run", "payees.csv")
    shown = desk.run("status")
    resumed = desk.run("resume", "orkesta", *WHY, "--json")
    unknown = desk.run("pause", "nobody", *WHY)
    empty = desk.run("pause", "orkesta", "--reason", " ")
    confirmed = desk.run("resume", "orkesta", "--confirm-restored", *WHY)

    assert (paused.code, "every lane to come" in paused.out) == (0, True)
    assert waits.code == 5
    assert "holiday" in shown.out
    assert [one["funding"] for one in resumed.document["resumed"]] == ["*", "main"]
    assert (unknown.code, "orkesta, orkestra" in unknown.err) == (2, True)
    assert (empty.code, confirmed.code) == (2, 2)
    assert "E_RESTORED_NOT" in confirmed.err
    assert desk.run("run", "payees.csv").code == 0


def test_a_held_payment_is_cancelled_by_the_platform(desk: Desk) -> None:
    line = turkish("R-1") | {"account": HELD}
    desk.terminal.write([line])
    process = desk.terminal.start("run", "payees.csv")
    desk.terminal.wait_for_effects(1, process)
    desk.terminal.wait_for(
        lambda: desk.run("items", "last", "--state", "processing", "--json").out.count("itm_") > 0
    )
    asked = desk.run("cancel", "R-1", *WHY)
    ended(process)
    states = desk.run("status", "last", "--json").document["items"]

    assert (asked.code, "1 item at the platform" in asked.out) == (5, True), asked.err
    assert [one["state"] for one in states] == ["cancelled"]


def test_two_people_resolve_an_item(make_desk: Callable[..., Desk]) -> None:
    """One person alone moves no money, whatever is typed."""
    desk = make_desk(LOST.format(fault="reset_after_reading"), settings="[retry]\npace = 1e-5")
    desk.terminal.write([turkish("R-1")])
    desk.run("run", "payees.csv")
    item = desk.item()
    words = ("resolve", item, "--as", "approved", *WHY)
    proof = ("--evidence", "statement of 12 to 15 May: no such payment")

    bare = desk.run(*words, "--actor", "ana")
    first = desk.run(*words, *proof, "--actor", "ana")
    explained = desk.run("explain", item)
    same = desk.run(*words, *proof, "--actor", "Ana")
    other = desk.run("resolve", item, "--as", "failed", *WHY, *proof, "--actor", "bob")
    second = desk.run(*words, "--actor", "bob", "--wait")

    assert (bare.code, "E_EVIDENCE" in bare.err) == (2, True)
    assert first.code == 5, first.err
    assert "nothing has moved" in first.out
    assert "person:ana proposed approved" in explained.out
    assert (same.code, "E_TWO_PEOPLE" in same.err) == (2, True)
    assert (other.code, "E_RESOLVE_OTHER" in other.err) == (2, True)
    assert second.code == 0, second.out + second.err
    assert list(desk.terminal.effects().values()) == [1]


def test_a_batch_is_resolved_and_a_proposal_withdrawn(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(LOST.format(fault="effect_then_reset"), settings="[retry]\npace = 1e-5")
    desk.terminal.write([turkish(f"R-{n}", amount=f"{10 + n}.00") for n in range(3)])
    desk.run("run", "payees.csv")
    found = re.search(r"bat_\w+", desk.run("explain", desk.item()).out)
    assert found is not None
    words = ("resolve", "--batch", found[0], "--as", "settled", *WHY)
    proof = ("--evidence", "their list of payments of 12 May")

    desk.run(*words, *proof, "--actor", "ana")
    withdrawn = desk.run("resolve", "--batch", found[0], "--withdraw")
    desk.run(*words, *proof, "--actor", "ana")
    second = desk.run(*words, "--actor", "bob", "--json")

    assert "is withdrawn" in withdrawn.out
    assert (second.code, second.document["applied"]) == (0, True)
    assert len(second.document["items"]) == 3
    assert desk.run("status", "last").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("resolve", *WHY),
        ("resolve", "itm_0000000010", "--batch", "bat_0000000010", *WHY),
        ("resolve", "--batch", "run_0000000010", "--as", "settled", *WHY),
        ("resolve", "itm_0000000010", "--as", "paid", *WHY),
        ("cancel", "nothing-like-it", *WHY),
        ("incidents", "--close", "99", *WHY),
    ],
)
def test_words_that_mean_nothing_change_nothing(desk: Desk, words: tuple[str, ...]) -> None:
    done = desk.run(*words)

    assert done.code == 2, done.out
    assert done.err.startswith("✗")


def test_incidents_are_listed_and_closed(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk('[[fault]]\nfault = "unauthorized"\ntimes = 1\n')
    desk.terminal.write([turkish("R-1")])
    desk.run("run", "payees.csv")

    listed = desk.run("incidents", "--json")
    (one, *_) = listed.document["incidents"]
    closed = desk.run("incidents", "--close", str(one["id"]), "--reason", "key renewed")
    again = desk.run("incidents", "--close", str(one["id"]), *WHY)
    after = desk.run("incidents")

    assert listed.code == 5
    assert closed.code == 0
    assert (again.code, "E_INCIDENT_UNKNOWN" in again.err) == (2, True)
    assert (after.code, "No incident is open." in after.out) == (0, True)


def test_accounts_show_the_platforms_balances_to_the_minor_unit(desk: Desk) -> None:
    desk.terminal.write([turkish("R-1", amount="12.34")])

    def lira() -> int:
        platforms = desk.run("accounts", "--json").document["platforms"]
        (theirs,) = [one["accounts"] for one in platforms if one["provider"] == "orkesta"]
        return sum(int(one["minor"]) for one in theirs if one["currency"] == "TRY")

    before = lira()
    desk.run("run", "payees.csv")
    done = desk.run("accounts")

    assert before - lira() == 1234
    assert done.code == 0, done.err
    assert "TRY" in done.out
    ledger = desk.run("accounts", "--json").document["ledger"]
    assert any(one["kind"] == "funding" for one in ledger)


def test_a_key_without_the_scope_is_explained(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk('[[fault]]\nfault = "forbidden"\nroute = "GET /orkesta/v1/accounts"\n')

    done = desk.run("accounts")

    assert done.code == 1
    assert "scope" in done.out


def test_a_restored_backup_is_said_and_two_people_confirm(desk: Desk) -> None:
    desk.terminal.write([turkish("R-1")])
    desk.run("status")
    path = desk.terminal.folder / ".payouts" / "generation"
    mark = json.loads(path.read_text())
    path.write_text(json.dumps(mark | {"generation": mark["generation"] + 100}))
    words = ("resume", "orkesta", "--confirm-restored", "--reason", "compared with their list")

    noticed = desk.run("status")
    waits = desk.run("run", "payees.csv")
    shown = desk.run("incidents")
    plain = desk.run("resume", "orkesta", *WHY)
    first = desk.run(*words, "--actor", "ana")
    same = desk.run(*words, "--actor", "ANA")
    second = desk.run(*words, "--actor", "bob", "--json")
    paid = desk.run("run", "payees.csv")

    assert "older copy" in noticed.err
    assert "older copy" not in waits.err
    assert waits.code == 5
    assert "E_RESTORED" in shown.out
    assert (plain.code, "E_RESTORED_WAITS" in plain.err) == (2, True)
    assert (first.code, same.code) == (5, 2)
    assert (second.code, second.document["over"]) == (0, True)
    assert paid.code == 0, paid.out + paid.err
    assert list(desk.terminal.effects().values()) == [1]
