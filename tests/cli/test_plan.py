"""`payouts plan` says what `payouts run` will do, and does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.cli.conftest import COLUMNS, many, sepa, turkish
from tests.desk import german_iban

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Terminal

pytestmark = pytest.mark.journey

BAD = dict(zip(COLUMNS, ("BAD-1", "Bob", "DE", "EUR", "1.005", "sepa", "DE1"), strict=True))
TABLES = ("pipeline_run", "line", "item", "batch", "hold", "ledger_transfer", "approval")


def rows_of(terminal: Terminal) -> dict[str, int]:
    with psycopg.connect(terminal.environment["PAYOUTS_DATABASE__URL"]) as connection:
        found = {}
        for table in TABLES:
            (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)  # noqa: S608  names above
            found[table] = count
        return found


def mixed() -> list[dict[str, str]]:
    """Good lines of two platforms and three currencies; repeated, contradicting and bad ones."""
    lira = [turkish(f"T-{place}", amount=f"{place + 1}.00") for place in range(30)]
    dated = [row | {"amount": "3.00"} for row in many(5, "D")]
    pair = [sepa("TWICE", amount="5.00"), sepa("TWICE", amount="6.00")]
    return [*many(1100), *lira, *dated, many(1)[0], *pair, BAD]


def test_plan_predicts_exactly_what_run_does(terminal: Terminal) -> None:
    file = terminal.write(mixed())

    plan = terminal.run("plan", file, "--json")
    run = terminal.run("run", file, "--json")

    planned, done = plan.document, run.document
    assert (plan.code, run.code) == (3, 3), plan.err + run.err
    for field in ("lines", "counts", "totals_minor"):
        assert planned[field] == done[field], field
    assert planned["counts"] == {"accepted": 1135, "rejected": 1, "duplicate": 1, "conflict": 2}
    assert planned["items"] == sum(done["states"].values()) == 1135
    with psycopg.connect(terminal.environment["PAYOUTS_DATABASE__URL"]) as connection:
        batches = connection.execute(
            "SELECT provider, currency, count(*), sum(items)::int, sum(amount_minor)::int"
            " FROM batch GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()
    assert planned["batches"] == sum(row[2] for row in batches)
    assert {(row[0], row[1], row[3], row[4]) for row in batches} == {
        (route["provider"], route["currency"], route["items"], route["amount_minor"])
        for route in planned["routes"]
    }
    sums = {
        currency: sum(row[4] for row in batches if row[1] == currency)
        for currency in planned["totals_minor"]
    }
    assert sums == planned["totals_minor"]


def test_plan_moves_nothing_and_keeps_no_copy(terminal: Terminal) -> None:
    before = rows_of(terminal)

    done = terminal.run("plan", terminal.write(mixed()))

    assert done.code == 3, done.err
    assert rows_of(terminal) == before
    assert not terminal.truth.exists() or not terminal.effects()
    assert not (terminal.folder / ".payouts" / "files").exists()
    assert [path.name for path in terminal.folder.glob("payees.csv*")] == ["payees.csv"]


def test_plan_says_for_people_what_a_run_would_do(terminal: Terminal) -> None:
    done = terminal.run("plan", terminal.write(mixed()))

    assert "1,139 lines = 1,135 accepted + 1 rejected + 2 conflict + 1 duplicate" in done.out
    assert "duplicate (paid already or once in this file): 1,137" in done.out
    assert "conflict (same reference, other payment): 1,138, 1,139" in done.out
    assert "E_AMOUNT_PRECISION" in done.out
    assert "4 batches with 1,135 items" in done.out
    assert done.lines[-1] == "Next: payouts run payees.csv"


@pytest.mark.parametrize(
    ("rows", "code"), [([sepa("A")], 0), ([sepa("A"), *[BAD] * 1], 3), ([BAD], 4)]
)
def test_plan_returns_what_is_to_be_expected(
    terminal: Terminal, rows: list[dict[str, str]], code: int
) -> None:
    assert terminal.run("plan", terminal.write(rows)).code == code


def test_plan_of_a_refused_file_is_refused(terminal: Terminal) -> None:
    (terminal.folder / "empty.csv").write_text("")

    done = terminal.run("plan", "empty.csv")

    assert (done.code, done.out) == (4, "")
    assert "(E_FILE_EMPTY)" in done.err


def test_plan_foresees_the_hold_and_names_the_way_round(terminal: Terminal) -> None:
    done = terminal.run("plan", terminal.write([sepa("A"), BAD]))

    assert "Held      rejects: 50.0 % of the lines are rejected" in done.out
    assert done.lines[-1] == "Next: payouts run payees.csv --skip-invalid"


def test_plan_tells_the_gap_in_the_money(make_terminal: Callable[..., Terminal]) -> None:
    terminal = make_terminal(more="opening = 20\n")

    done = terminal.run("plan", terminal.write(many(3)))

    assert "Funding   lacks 13.03 EUR" in done.out


def test_plan_of_a_loaded_file_says_that_nobody_would_be_paid(terminal: Terminal) -> None:
    file = terminal.write(many(3))
    terminal.run("run", file)

    done = terminal.run("plan", file)

    assert done.code == 0
    assert "a run would pay nobody again" in done.out


def test_aggregated_payouts_are_predicted_too(terminal: Terminal) -> None:
    account = german_iban(7)
    rows = [sepa(f"RIDE-{place}", amount="1.10", account=account) for place in range(10)]
    file = terminal.write(rows)

    plan = terminal.run("plan", file, "--pipeline", "gig_payouts", "--json")
    run = terminal.run("run", file, "--pipeline", "gig_payouts", "--json")

    assert plan.document["items"] == sum(run.document["states"].values()) == 1
    assert plan.document["totals_minor"] == run.document["totals_minor"] == {"EUR": 1100}
    assert list(terminal.effects().values()) == [1]
