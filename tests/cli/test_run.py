"""`payouts run`: what it does, says, writes and returns, seen from outside."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import COLUMNS, many, sepa, turkish
from tests.desk import german_iban

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Terminal

pytestmark = pytest.mark.journey

BAD = dict(zip(COLUMNS, ("BAD-1", "Bob", "DE", "EUR", "1.005", "sepa", "DE1"), strict=True))


def test_the_first_file_of_a_new_project_is_paid(fresh: Terminal) -> None:
    """The first minute of somebody who has nothing but the package."""
    file = fresh.write(many(30))

    done = fresh.run("run", file)

    assert done.code == 0, done.err
    assert 5 <= len(done.lines) <= 8
    assert "30 of 30 items" in done.out
    assert "the sandbox opens it with 1,000,000,000.00 EUR" in done.out
    assert done.lines[-1].startswith("Next: payouts status run_")
    assert "sandbox · database" in done.err
    assert sorted(fresh.effects().values()) == [1] * 30
    names = ("report.html", "results.csv", "results.jsonl", "run_result.json")
    assert all((fresh.folder / f"{file}.{name}").stat().st_size for name in names)
    assert not (fresh.folder / f"{file}.rejected.csv").exists()


def test_the_same_bytes_under_any_name_pay_nobody_again(terminal: Terminal) -> None:
    rows = many(5)
    first = terminal.run("run", terminal.write(rows))

    again = terminal.run("run", terminal.write(rows, "other_name.csv"))

    assert (first.code, again.code) == (0, 0)
    assert "These bytes were loaded before, as run_" in again.err
    assert "(payees.csv," in again.err
    assert sorted(terminal.effects().values()) == [1] * 5


def test_one_more_line_is_the_only_one_that_is_paid(terminal: Terminal) -> None:
    rows = many(5)
    terminal.run("run", terminal.write(rows))

    done = terminal.run("run", terminal.write([*rows, sepa("NEW")], "more.csv"), "--json")

    assert done.code == 0
    assert done.document["counts"] == {"accepted": 1, "duplicate": 5}
    assert sorted(terminal.effects().values()) == [1] * 6


def test_a_file_of_paid_lines_only_is_nothing_to_do(terminal: Terminal) -> None:
    rows = many(5)
    terminal.run("run", terminal.write(rows))

    done = terminal.run("run", terminal.write(rows[::-1], "reversed.csv"))

    assert done.code == 0, done.err
    assert "5 lines = 5 duplicate" in done.out
    assert sorted(terminal.effects().values()) == [1] * 5


def test_a_repaired_reject_file_pays_just_those_lines(terminal: Terminal) -> None:
    done = terminal.run("run", terminal.write([*many(99), BAD]))
    assert done.code == 3, done.err
    assert done.lines[-1].startswith("Next: payouts run payees.csv.rejected.csv")
    (reject,) = terminal.read("payees.csv.rejected.csv")
    assert (reject["reference"], reject["amount"], reject["line"]) == ("BAD-1", "1.005", "101")
    paid = terminal.effects()

    reject |= {"amount": "1.01", "account": sepa("BAD-1")["account"]}
    again = terminal.run("run", terminal.write([reject], "payees.csv.rejected.csv"))

    assert again.code == 0, again.err
    assert len(terminal.effects() - paid) == 1
    assert sorted(terminal.effects().values()) == [1] * 100


def test_a_file_with_too_many_bad_lines_is_held_until_somebody_says_pay_the_good(
    terminal: Terminal,
) -> None:
    file = terminal.write([*many(4), BAD])

    held = terminal.run("run", file)
    assert held.code == 5, held.err
    assert "4 items held (rejects: 20.0 % of the lines are rejected)" in held.out
    assert held.lines[-1].startswith(f"Next: payouts run {file} --skip-invalid")
    assert not terminal.effects()

    done = terminal.run("run", file, "--skip-invalid")
    assert done.code == 3, done.err
    assert sorted(terminal.effects().values()) == [1] * 4


@pytest.mark.parametrize("words", [("--reject-limit", "20%"), ("--reject-limit", "0.2")])
def test_a_higher_limit_lets_bad_lines_pass(terminal: Terminal, words: tuple[str, ...]) -> None:
    done = terminal.run("run", terminal.write([*many(4), BAD]), *words)

    assert done.code == 3, done.err
    assert len(terminal.effects()) == 4


def test_a_file_without_a_good_line_is_refused_and_its_reject_file_written(
    terminal: Terminal,
) -> None:
    done = terminal.run("run", terminal.write([BAD]), "--json")

    assert done.code == 4
    assert done.document["error"]["code"] == "E_FILE_ALL_REJECTED"
    assert [row["line"] for row in terminal.read("payees.csv.rejected.csv")] == ["2"]
    assert list((terminal.folder / ".payouts" / "files").iterdir()) == []


def test_of_a_refused_file_nothing_is_kept(terminal: Terminal) -> None:
    """It may hold card numbers, which are stored nowhere."""
    (terminal.folder / "broken.csv").write_text("reference,amount\nA,1\x00\n")

    done = terminal.run("run", "broken.csv")

    assert done.code == 4
    assert "(E_FILE_" in done.err
    assert done.out == ""
    assert list((terminal.folder / ".payouts" / "files").iterdir()) == []


def test_another_file_with_the_same_totals_waits_for_a_yes(terminal: Terminal) -> None:
    """The same payments under new references are what a double export looks like."""
    terminal.run("run", terminal.write(many(4)))
    twin = terminal.write(many(4, prefix="TWIN"), "twin.csv")

    held = terminal.run("run", twin)
    assert held.code == 5, held.err
    assert "lookalike" in held.out
    assert held.lines[-1].startswith("Next: payouts run twin.csv --yes")
    assert len(terminal.effects()) == 4

    done = terminal.run("run", twin, "--yes")
    assert done.code == 0, done.err
    assert len(terminal.effects()) == 8


def test_a_failed_item_is_told_with_its_reason_and_its_neighbours_are_paid(
    terminal: Terminal,
) -> None:
    closed = sepa("CLOSED", account=german_iban(771111))

    done = terminal.run("run", terminal.write([*many(5), closed]))

    assert done.code == 3, done.err
    assert "Failed   1: account_closed 1" in done.out
    assert "5 of 6 items" in done.out
    assert "--state failed" in done.lines[-1]


def test_a_lost_reply_of_a_platform_without_look_up_waits(
    make_terminal: Callable[..., Terminal],
) -> None:
    """Nobody can know whether it paid, so it is never sent again by itself."""
    terminal = make_terminal(
        '[[fault]]\nfault = "effect_then_reset"\nroute = "POST /orkesta/*"\ntimes = 1\n'
    )
    file = terminal.write([turkish("T-1"), turkish("T-2", amount="7.00"), sepa("S-1")])

    done = terminal.run("run", file)
    again = terminal.run("run", file)

    assert (done.code, again.code) == (5, 5), done.err
    assert "2 items without a clear answer" in done.out
    assert "--state unknown" in done.lines[-1]
    assert "1 of 3 items" in done.out
    assert sorted(terminal.effects().values()) == [1, 1, 1]


def test_a_refused_key_pauses_the_lane_and_fails_nobody(
    make_terminal: Callable[..., Terminal],
) -> None:
    terminal = make_terminal(
        '[[fault]]\nfault = "unauthorized"\nroute = "POST /orkestra/*"\ntimes = 3\n'
    )
    file = terminal.write(many(3))

    done = terminal.run("run", file)

    assert done.code == 5, done.err
    assert "3 items in a paused lane (orkestra:" in done.out
    assert terminal.run("run", file).code == 5
    assert "Next: payouts retry run_0000000001" in done.lines[-1]
    assert not terminal.effects()

    assert terminal.run("retry", "run_0000000001").code == 0
    again = terminal.run("run", file)
    assert again.code == 0, again.err
    assert sorted(terminal.effects().values()) == [1, 1, 1]


def test_a_run_without_money_waits_and_goes_on_when_it_is_there(
    make_terminal: Callable[..., Terminal],
) -> None:
    terminal = make_terminal(more="opening = 20\n")
    file = terminal.write(many(3))

    held = terminal.run("run", file)
    assert held.code == 5, held.err
    assert "3 items held (funds: EUR)" in held.out
    assert not terminal.effects()

    step = held.lines[-1].removeprefix("Next: ").partition("   ")[0]
    assert step == "payouts fund main 13.03 EUR --reason 'for run_0000000001'"
    assert terminal.run(*shlex.split(step)[1:]).code == 0
    done = terminal.run("run", file)
    assert done.code == 0, done.err
    assert sorted(terminal.effects().values()) == [1, 1, 1]


def test_what_is_due_next_year_is_not_waited_for(terminal: Terminal) -> None:
    rows = [row | {"due_date": "2027-06-01" if place else ""} for place, row in enumerate(many(3))]

    done = terminal.run("run", terminal.write(rows))

    assert done.code == 5, done.err
    assert "2 items due 2027-06-01 00:00 UTC" in done.out
    assert done.lines[-1].startswith("Next: payouts worker")
    assert len(terminal.effects()) == 1


def test_json_is_one_document_whatever_else_is_said(terminal: Terminal) -> None:
    done = terminal.run("run", terminal.write(many(3)), "--json")

    document = done.document
    assert (document["schema_version"], document["kind"]) == (1, "run")
    assert document["states"] == {"settled": 3}
    assert document["exit_code"] == done.code == 0
    assert all(name.startswith("payees.csv.") for name in document["files"])


def test_the_machine_result_agrees_with_what_was_said(terminal: Terminal) -> None:
    done = terminal.run("run", terminal.write([*many(99), BAD]), "--json")

    result = json.loads((terminal.folder / "payees.csv.run_result.json").read_text())
    assert result["run"] == done.document["run"]
    assert result["items"] == done.document["states"]
    assert result["status"] == "closed"
    assert result["proof"]["agrees"] is True


def test_samples_and_their_repaired_rejects_leave_the_checkout_clean(terminal: Terminal) -> None:
    (terminal.folder / "inputs").mkdir()
    terminal.write([*many(99), BAD], "inputs/sample.csv")

    done = terminal.run("run", "inputs/sample.csv")

    assert done.code == 3, done.err
    assert [path.name for path in (terminal.folder / "inputs").iterdir()] == ["sample.csv"]
    assert "Next: payouts run .payouts/reports/sample.csv.rejected.csv" in done.out
    assert terminal.run("run", ".payouts/reports/sample.csv.rejected.csv").code == 4


def test_a_hostile_file_name_does_nothing_to_the_screen(terminal: Terminal) -> None:
    name = terminal.write(many(1), "pay\x1b[2Jroll\u202e.csv")

    done = terminal.run("run", name)

    assert done.code == 0, done.err
    assert "\x1b" not in done.out + done.err
    assert "\u202e" not in done.out + done.err


def test_lines_without_a_reference_are_told_apart_by_the_period(terminal: Terminal) -> None:
    rows = [{key: value for key, value in row.items() if key != "reference"} for row in many(3)]
    terminal.run("run", terminal.write(rows), "--period", "week-1")

    same = terminal.run("run", terminal.write(rows[::-1], "same.csv"), "--period", "week-1")
    assert "3 duplicate" in same.out
    other = terminal.run("run", terminal.write(rows[::-1], "o.csv"), "--period", "week-2", "--yes")
    assert other.code == 0, other.err
    assert len(terminal.effects()) == 3 * 2
