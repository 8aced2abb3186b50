"""`payouts collect`, typed: a link, the wait for it, the list, and the run that goes on."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.cli.conftest import ended, many, sepa
from tests.desk import german_iban

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.cli.conftest import Terminal

pytestmark = pytest.mark.journey


def pressed(link: str, outcome: str = "pay") -> None:
    httpx.post(link, data={"outcome": outcome}, trust_env=False)


def magic(reference: str, ending: str) -> dict[str, str]:
    """A SEPA line whose account misbehaves in the sandbox."""
    bban = f"370400440000{ending}"
    return sepa(reference, account=f"DE{98 - int(bban + '131400') % 97:02d}{bban}")


def link_said(process: subprocess.Popen[str]) -> str:
    """Read what a command says until the link stands there."""
    assert process.stderr is not None
    end = time.monotonic() + 30
    for line in process.stderr:
        if line.startswith("Pay at"):
            return line.split()[-1]
        assert time.monotonic() < end
    raise AssertionError("no link was printed")


def test_a_run_that_lacks_money_is_funded_by_a_link(make_terminal: Callable[..., Terminal]) -> None:
    terminal = make_terminal(more="opening = 0\n")
    terminal.write(many(3))  # 10.00, 11.01 and 12.02
    assert terminal.run("run", "payees.csv").code == 5
    first = terminal.run("collect", "--for", "last", "--no-wait")
    waiting = terminal.start("collect", "--for", "last", "--json")

    link = link_said(waiting)
    pressed(link)
    done = ended(waiting)
    assert link in first.out  # typed again, it is the same link

    assert done.code == 0, done.err
    assert (done.document["state"], done.document["minor"]) == ("paid", 33_03)
    assert done.document["for"] == "run_0000000001"
    assert [one["approved_batches"] for one in done.document["runs"]] == [1]
    again = terminal.run("collect", "--list", "--json").document
    assert [(one["collection"], one["state"]) for one in again["collections"]] == [
        ("col_0000000001", "paid")
    ]
    assert terminal.run("run", "payees.csv").code == 0
    assert sorted(terminal.effects().values()) == [1, 1, 1]


def test_a_link_is_printed_and_a_list_looks_at_it_later(terminal: Terminal) -> None:
    asked = terminal.run("collect", "12.50", "eur", "--no-wait", "--account", "other")
    link = asked.out.split()[2]

    before = terminal.run("collect", "--list")
    pressed(link)
    after = terminal.run("collect", "--list")

    assert (asked.code, before.code, after.code) == (5, 5, 0)
    assert link.startswith(terminal.sandbox)
    assert "Next: payouts collect --list" in asked.out
    assert link in before.out
    assert "paid" in after.out
    assert "12.50 EUR" in after.out


def test_ctrl_c_leaves_the_link_as_it_is(terminal: Terminal) -> None:
    waiting = terminal.start("collect", "5.00", "USD")
    link = link_said(waiting)
    time.sleep(0.3)

    waiting.send_signal(signal.SIGINT)
    done = ended(waiting)

    assert done.code == 130
    assert link in done.out


def test_a_payment_that_fails_is_told(terminal: Terminal) -> None:
    failed = terminal.start("collect", "5.00", "USD")
    pressed(link_said(failed), "fail")
    told = ended(failed)
    assert (told.code, "Failed" in told.out) == (3, True)


def test_words_that_make_no_sense_ask_for_nothing(terminal: Terminal) -> None:
    for words, code in (
        (["100.00", "TRY"], "E_COLLECT_CURRENCY"),
        (["10.00"], "E_USAGE"),
    ):
        done = terminal.run("collect", *words)
        assert (done.code, code in done.err) == (2, True), words

    assert "Nothing was collected" in terminal.run("collect", "--list").out


def test_a_run_is_paid_with_its_key_at_orchestra_and_refused_without(
    make_terminal: Callable[..., Terminal],
) -> None:
    terminal = make_terminal(settings='vault = "orchestra"')
    terminal.write(many(2))

    assert terminal.run("run", "payees.csv").code == 0
    terminal.write([magic("CLOSED", "771111")], "closed.csv")
    assert terminal.run("run", "closed.csv").code == 3
    again = terminal.run("reissue", "CLOSED", "--account", german_iban(555))
    assert again.code == 5, again.err  # sealed anew by a command that talks to no payer
    checks = {one["what"]: one for one in terminal.run("doctor", "--json").document["checks"]}

    assert {checks[name]["verdict"] for name in ("orchestra", "orchestrate")} == {"ok"}
    url = (terminal.folder / ".payouts" / "sandbox" / "control").read_text()
    away = [{"fault": "unavailable", "route": "POST /orchestra/StringTokens"}]
    httpx.post(f"{url}/_control/faults", json=away, trust_env=False).raise_for_status()
    terminal.write(many(2, "S"), "second.csv")
    refused = terminal.run("run", "second.csv")
    assert (refused.code, "E_VAULT_AWAY" in refused.err) == (4, True)
    assert sorted(terminal.effects().values()) == [1, 1, 1]
