"""What a person decides about money, typed: approve, retry, re-issue, fund, and the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import many, sepa, turkish
from tests.desk import german_iban

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Terminal

pytestmark = pytest.mark.journey

PERSON = '[pipelines.disbursement]\npolicy = "person"\n'


def magic(reference: str, ending: str) -> dict[str, str]:
    """A SEPA line whose account misbehaves in the sandbox."""
    bban = f"370400440000{ending}"
    return sepa(reference, account=f"DE{98 - int(bban + '131400') % 97:02d}{bban}")


def states(terminal: Terminal, run: str = "last") -> dict[str, int]:
    """Items of a run by state."""
    document: dict[str, Any] = terminal.run("status", run, "--json").document
    return {one["state"]: one["items"] for one in document["items"]}


def test_a_run_that_waits_for_a_person_is_approved_and_paid(
    make_terminal: Callable[..., Terminal],
) -> None:
    terminal = make_terminal(settings="", more=PERSON)
    terminal.write(many(3))
    waiting = terminal.run("run", "payees.csv")
    assert (waiting.code, states(terminal)) == (5, {"pending": 3})

    done = terminal.run("approve", "last", "--reason", "checked with Ana", "--wait")

    assert done.code == 0, done.err
    assert "is approved by person:" in done.out
    assert "Paid     3 of 3 items" in done.out
    assert states(terminal) == {"settled": 3}
    assert terminal.run("status", "--json").document["runs"][0]["now"] == "closed"


def test_an_approval_ends_the_hold_of_a_file_with_many_rejects(terminal: Terminal) -> None:
    terminal.write([*many(3), sepa("BAD", account="DE00370400440000000001")])
    assert terminal.run("run", "payees.csv").code == 5

    done = terminal.run("approve", "last", "--reason", "the good ones", "--wait")

    assert done.code == 3
    assert "Released rejects" in done.out
    assert states(terminal) == {"settled": 3}


def test_an_approval_needs_a_reason(terminal: Terminal) -> None:
    without = terminal.run("approve", "last")
    empty = terminal.run("approve", "last", "--reason", " ")

    assert (without.code, empty.code) == (2, 2)
    assert "--reason" in without.err
    assert "Say why" in empty.err


def test_money_that_comes_in_lets_a_run_go_on(make_terminal: Callable[..., Terminal]) -> None:
    terminal = make_terminal(more="opening = 20\n")
    terminal.write(many(3))  # 10.00, 11.01 and 12.02
    assert terminal.run("run", "payees.csv").code == 5

    little = terminal.run("fund", "main", "13.02", "EUR", "--reason", "first part")
    enough = terminal.run("fund", "main", "0.01", "eur", "--reason", "the cent", "--json")

    assert little.code == 0
    assert "lacks 0.01 EUR" in little.out
    assert enough.document["runs"] == [
        {"run": "run_0000000001", "approved_batches": 1, "short_minor": {}}
    ]
    assert states(terminal) == {"approved": 3}


def test_an_amount_that_is_none_books_nothing(terminal: Terminal) -> None:
    for amount, currency, code in (
        ("1,000", "EUR", "E_AMOUNT_FORMAT"),
        ("1.005", "EUR", "E_AMOUNT_PRECISION"),
        ("0.00", "EUR", "E_USAGE"),
        ("5", "XXL", "E_CURRENCY"),
    ):
        done = terminal.run("fund", "main", amount, currency, "--reason", "typo")
        assert done.code == 2, amount
        assert code in done.err

    assert terminal.run("ledger", "--json").document["accounts"] == []


def test_a_failed_item_is_paid_again_to_another_account(terminal: Terminal) -> None:
    terminal.write([*many(2), magic("CLOSED", "771111")])
    terminal.run("run", "payees.csv")
    account = german_iban(555)

    waits = terminal.run("reissue", "CLOSED", "--account", account)
    refused = terminal.run("reissue", "CLOSED")
    paid = terminal.run("approve", "last", "--reason", "new account by phone", "--wait")
    why = terminal.run("explain", "CLOSED", "--json").document

    assert waits.code == 5
    assert waits.lines[-1].startswith("Next: payouts approve run_0000000002")
    assert account not in waits.out
    assert (refused.code, "is pending" in refused.err) == (2, True)
    assert paid.code == 0, paid.out + paid.err
    old, new = why["items"]
    assert (old["state"], new["state"]) == ("failed", "settled")
    assert (old["replaced_by"], new["replaces"]) == (new["item"], old["item"])
    assert old["wire_reference"] != new["wire_reference"]
    assert sorted(terminal.effects().values()) == [1, 1, 1, 1]  # each reference once


def test_a_file_names_what_is_paid_again_and_a_report_of_it_can_be_written(
    terminal: Terminal,
) -> None:
    terminal.write([*many(2), magic("CLOSED", "771111"), magic("NAME", "773333")])
    terminal.run("run", "payees.csv")
    given = [
        {"item": "CLOSED", "account": german_iban(8), "name": ""},
        {"item": "NAME", "account": german_iban(9), "name": "Ada King"},
    ]
    terminal.write(given, name="again.csv")

    done = terminal.run("reissue", "again.csv", "--yes")
    report = terminal.run("report", "last", "--json").document

    assert done.code == 0, done.out + done.err
    assert "Paid     2 of 2 items" in done.out
    assert report["status"] == "closed"
    assert report["pipeline"] == "reissue"


def test_a_file_that_may_not_be_paid_again_pays_nobody(terminal: Terminal) -> None:
    terminal.write(many(2))
    terminal.run("run", "payees.csv")

    for rows, words in (
        ([{"item": "R-00000", "account": "x"}], "is settled"),
        ([{"item": "R-00000", "amount": "1.00"}], "unknown column 'amount'"),
        ([{"account": "x"}], "no column `item`"),
        ([{"item": "nobody", "account": ""}], "is not one item"),
        ([{"item": "R-00001"}, {"item": "R-00001"}], "stands there twice"),
    ):
        terminal.write(rows, name="again.csv")
        done = terminal.run("reissue", "again.csv")
        assert done.code == 2, done.out
        assert words in done.err

    assert len(terminal.run("status", "--json").document["runs"]) == 1
    assert not list((terminal.folder / ".payouts" / "drafts").glob("*"))


def test_an_unclear_item_is_neither_retried_nor_paid_again(
    make_terminal: Callable[..., Terminal],
) -> None:
    """Its money may be with the payee already."""
    terminal = make_terminal('[[fault]]\nfault = "error_after_effect"\ntimes = 1\n')
    terminal.write([turkish("LOST")])
    assert terminal.run("run", "payees.csv").code == 5

    retried = terminal.run("retry", "last", "--wait")
    again = terminal.run("reissue", "LOST", "--yes")

    assert "1 item without a clear answer" in retried.out
    assert (again.code, "is unknown" in again.err) == (2, True)
    assert sum(terminal.effects().values()) == 1


def test_a_paused_lane_is_resumed_and_its_items_are_paid(
    make_terminal: Callable[..., Terminal],
) -> None:
    terminal = make_terminal('[[fault]]\nfault = "unauthorized"\ntimes = 1\n')
    terminal.write([sepa("ONE")])
    paused = terminal.run("run", "payees.csv")
    assert paused.code == 5, paused.out

    done = terminal.run("retry", "last", "--wait")

    assert "Resumed  the lane orkestra/main" in done.out
    assert done.code == 0, done.out + done.err
    assert states(terminal) == {"settled": 1}


def test_the_ledger_balances_and_lists_transfers(terminal: Terminal) -> None:
    terminal.write(many(2))
    terminal.run("run", "payees.csv")

    overview = terminal.run("ledger")
    funding = terminal.run("ledger", "funding", "--json").document
    nothing = terminal.run("ledger", "nobody")

    assert "Balanced: every currency sums to zero" in overview.out
    (account,) = funding["accounts"]
    assert account["minor"] == account["kept_minor"] == 100_000_000_000 - 2101
    assert [move["kind"] for move in funding["transfers"]] == ["pending>approved", "opening"]
    assert (nothing.code, "E_ACCOUNT_UNKNOWN" in nothing.err) == (2, True)
