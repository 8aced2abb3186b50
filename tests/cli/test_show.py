"""`status`, `items`, `explain` and `report` say where things stand, in words and as documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import COLUMNS, many, sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Terminal

pytestmark = pytest.mark.journey


def magic(reference: str, ending: str) -> dict[str, str]:
    """A SEPA line whose account misbehaves in the sandbox."""
    bban = f"370400440000{ending}"
    return sepa(reference, account=f"DE{98 - int(bban + '131400') % 97:02d}{bban}")


BAD = dict(zip(COLUMNS, ("BAD-1", "Bob", "DE", "EUR", "1.00", "sepa", "DE1"), strict=True))


def test_a_run_is_shown_listed_and_explained(terminal: Terminal) -> None:
    file = terminal.write([*many(60), magic("CLOSED", "771111"), BAD])
    assert terminal.run("run", file).code == 3

    every = terminal.run("status", "--json").document
    one = terminal.run("status", "last")
    document = terminal.run("status", file, "--json").document
    failed = terminal.run("items", "last", "--state", "unpaid", "--json").document
    why = terminal.run("explain", "CLOSED")
    values = terminal.run("explain", "CLOSED", "--json").document

    assert [(run["file"], run["now"]) for run in every["runs"]] == [(file, "closed")]
    assert one.code == 3
    assert "Paid     60 of 61 items" in one.out
    assert one.lines[-1].startswith("Next: payouts items run_0000000001 --state unpaid")
    assert (document["kind"], document["schema_version"], document["lines"]) == (
        "run_status",
        1,
        62,
    )
    (item,) = failed["items"]
    assert (item["reference"], item["state"], item["account_last4"]) == ("CLOSED", "failed", "1111")
    assert why.code == 0
    for words in ("the destination account is closed", "…1111", "attempt 1", "in_transit:orkestra"):
        assert words in why.out, why.out
    assert why.lines[-1] == f"Next: payouts reissue {item['item']}"
    (explained,) = values["items"]
    assert [move["to"] for move in explained["life"]] == ["approved", "sending", "failed"]
    assert explained["life"][-1]["evidence"] in {proof["id"] for proof in explained["evidence"]}
    assert explained["now"]["command"] == f"payouts reissue {item['item']}"


def test_nothing_shows_a_whole_account(terminal: Terminal) -> None:
    """A screenshot of a terminal must not give an account away."""
    row = sepa("SECRET")
    terminal.write([row])
    terminal.run("run", "payees.csv")

    said = [
        terminal.run(*words.split())
        for words in ("status last", "items last", "explain SECRET", "explain SECRET --json")
    ]

    for done in said:
        assert done.code == 0, done.err
        assert row["account"] not in done.out + done.err
        assert row["account"][:-4] not in done.out + done.err


def test_items_come_page_by_page(terminal: Terminal) -> None:
    terminal.write(many(7))
    terminal.run("run", "payees.csv")

    first = terminal.run("items", "last", "--limit", "4", "--json").document
    rest = terminal.run(
        "items", "last", "--limit", "4", "--after", first["after"], "--json"
    ).document
    text = terminal.run("items", "last", "--limit", "4")

    assert [item["line"] for item in first["items"] + rest["items"]] == list(range(2, 9))
    assert rest["after"] is None
    assert text.lines[-1].startswith(f"Next: payouts items run_0000000001 --after {first['after']}")


def test_an_unclear_item_is_explained_as_nothing_that_anybody_sends_again(
    make_terminal: Callable[..., Terminal],
) -> None:
    """Orkesta cannot be asked: a person who sends such an item by hand pays it twice."""
    terminal = make_terminal('[[fault]]\nfault = "error_after_effect"\ntimes = 1\n')
    terminal.write([turkish("LOST")])
    assert terminal.run("run", "payees.csv").code == 5

    why = terminal.run("explain", "LOST")
    status = terminal.run("status", "last")

    assert "has to decide" in why.out
    assert "sent again" not in why.out.split("Now  ")[1]
    assert status.code == 5
    assert "without a clear answer" in status.out


def test_a_report_is_written_again_from_our_own_copy(terminal: Terminal) -> None:
    """The file that was dropped may be gone or changed by then."""
    terminal.write([*many(5), BAD])
    terminal.run("run", "payees.csv", "--skip-invalid")
    (terminal.folder / "payees.csv").unlink()
    out = terminal.folder / "out"
    out.mkdir()

    done = terminal.run("report", "last", "--to", "out")
    document = terminal.run("report", "last", "--json").document

    assert done.code == 3
    assert "file, items and ledger agree; the run is closed" in done.out
    assert sorted(path.name for path in out.iterdir()) == [
        "payees.csv.rejected.csv",
        "payees.csv.report.html",
        "payees.csv.results.csv",
        "payees.csv.results.jsonl",
        "payees.csv.run_result.json",
    ]
    (rejected,) = terminal.read("out/payees.csv.rejected.csv")
    assert (rejected["reference"], rejected["line"]) == ("BAD-1", "7")
    assert document["proof"]["agrees"] is True


def test_words_that_mean_nothing_are_answered_with_what_to_do(terminal: Terminal) -> None:
    terminal.write(many(1))
    terminal.run("run", "payees.csv")

    for words, code, hint in (
        ("status run_9", "E_RUN_UNKNOWN", "`payouts status` lists them"),
        ("status nothing.csv", "E_RUN_UNKNOWN", "there is no run"),
        ("items last --state paid", "E_USAGE", "There are: pending"),
        ("explain itm_9zz", "E_ITEM_UNKNOWN", "Give an item's id"),
        ("explain E_IBAN_CHECK", "E_CODE_UNKNOWN", "E_IBAN_CHECK_DIGITS"),
        ("report last --to nowhere", "E_USAGE", "Make it first"),
    ):
        done = terminal.run(*words.split())
        assert done.code == 2, words
        assert code in done.err
        assert hint in done.err


def test_a_code_is_explained_without_any_project_or_database(terminal: Terminal) -> None:
    done = terminal.run("explain", "e_iban_check_digits", PAYOUTS_DATABASE__URL="postgresql://no")

    assert done.code == 0
    assert done.lines[0] == "E_IBAN_CHECK_DIGITS"
    assert "the line is not paid" in done.out


def test_a_first_status_says_how_to_start(terminal: Terminal) -> None:
    done = terminal.run("status")

    assert done.code == 0
    assert "There is no run yet." in done.out
    assert done.lines[-1].startswith("Next: payouts ")


def test_the_shell_completes_ids_of_runs(terminal: Terminal) -> None:
    terminal.write(many(1))
    terminal.run("run", "payees.csv")

    terminal.environment |= {"COMP_WORDS": "payouts status run", "COMP_CWORD": "2"}
    done = terminal.run(_PAYOUTS_COMPLETE="complete_bash")

    assert done.out.split() == ["run_0000000001"]
