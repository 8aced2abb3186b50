"""A report names every line once, adds up, closes the run, and shows no account."""

from __future__ import annotations

import csv
import itertools
import json
import re
from datetime import date
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from payouts.core.errors import UsageError
from payouts.core.ids import public_id
from payouts.flows import report
from payouts.intake import coverage
from payouts.intake.checks import Rules
from payouts.store import queries
from tests.desk import german_iban

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from payouts.flows.report import Written
    from tests.desk import Desk

RULES = Rules(coverage.load(), "sandbox", date(2026, 11, 20))


def reported(desk: Desk, run_id: int, folder: Path, name: str | None = None) -> Written:
    return report.write(
        desk.database,
        run_id,
        desk.surveys[run_id],
        folder=folder,
        rules=RULES,
        environment="sandbox",
        database_id="ab12cd34",
        name=name,
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def mixed(start: int) -> str:
    """Eight lines: five good ones in three currencies, one repeated, two bad."""
    pix = "ana@example.com,52998224725,cpf"
    lines = [
        f"M{start},Jonas Weber,DE,EUR,10.00,sepa,{german_iban(start)},,",
        f"M{start + 1},Jonas Weber,DE,EUR,20.00,sepa,{german_iban(start + 1)},,",
        f"M{start + 2},Ana Silva,BR,BRL,30.00,pix,{pix}",
        f"M{start + 3},Awa Ndiaye,SN,XOF,5000,mobile_money,+221771230000,,",
        f"M{start + 4},Jonas Weber,DE,EUR,40.00,sepa,{german_iban(start + 4)},,",
        f"M{start},Jonas Weber,DE,EUR,10.00,sepa,{german_iban(start)},,",
        f"M{start + 5},Bad Iban,DE,EUR,7.00,sepa,DE00370400440000000001,,",
        f"M{start + 6},Jonas Weber,DE,EUR,8.00,sepa",
    ]
    header = "reference,name,country,currency,amount,method,account,document,document_kind"
    return "\n".join([header, *lines, ""])


STARTS = itertools.count(1000, 1000)


@pytest.fixture
def paid(desk: Desk) -> int:
    """A mixed run: one failed item, all others settled."""
    start = next(STARTS)
    run_id = desk.load(mixed(start), name="gig week.csv").run_id
    desk.send(run_id)
    desk.answer(run_id, "failed", lines=[3], code="account_closed: The account is closed")
    desk.answer(run_id)
    desk.close_attempts(run_id)
    return run_id


def test_every_line_of_the_file_has_one_outcome(desk: Desk, paid: int, tmp_path: Path) -> None:
    made = reported(desk, paid, tmp_path)

    rows = rows_of(made.results_csv)
    assert [row["line"] for row in rows] == [str(number) for number in range(2, 10)]
    assert [(row["outcome"], row["state"]) for row in rows] == [
        ("accepted", "settled"),
        ("accepted", "failed"),
        ("accepted", "settled"),
        ("accepted", "settled"),
        ("accepted", "settled"),
        ("duplicate", "settled"),
        ("rejected", ""),
        ("rejected", ""),
    ]
    assert rows[1]["codes"] == "account_closed: The account is closed"
    assert rows[5]["codes"] == "W_LINE_DUPLICATE"
    assert rows[5]["item"] == rows[0]["item"]
    assert (rows[3]["accepted_amount"], rows[2]["accepted_amount"]) == ("5000", "30.00")
    assert rows[0]["provider_reference"].startswith("pay_")


def test_the_json_twin_says_the_same(desk: Desk, paid: int, tmp_path: Path) -> None:
    made = reported(desk, paid, tmp_path)

    twins = [json.loads(line) for line in made.results_jsonl.read_text().splitlines()]
    assert [str(twin["item"] or "") for twin in twins] == [
        row["item"] for row in rows_of(made.results_csv)
    ]


def test_public_ids_of_many_are_those_of_one(desk: Desk, paid: int, tmp_path: Path) -> None:
    from payouts.core.ids import key_of, public_id  # noqa: PLC0415  next to its only use

    made = reported(desk, paid, tmp_path)

    found = [row["item"] for row in rows_of(made.results_csv) if row["item"]]
    assert found == [public_id("itm", key_of(one)[1]) for one in found]


def test_the_run_closes_when_all_agree_and_nothing_is_open(
    desk: Desk, paid: int, tmp_path: Path
) -> None:
    made = reported(desk, paid, tmp_path)

    assert made.closed
    assert made.report.proof.agrees
    with desk.database.reading() as connection:
        run = queries.run(connection, paid)
    assert run is not None
    assert run.closed_at is not None


def test_a_second_report_keeps_the_time_of_closing(desk: Desk, paid: int, tmp_path: Path) -> None:
    first = reported(desk, paid, tmp_path)
    second = reported(desk, paid, tmp_path)

    assert second.report.closed_at == first.report.closed_at


def test_a_run_with_an_open_item_is_reported_and_not_closed(
    desk: Desk, sepa: Callable[..., str], tmp_path: Path
) -> None:
    run_id = desk.load(sepa(4, prefix="OPEN")).run_id
    desk.send(run_id)
    desk.answer(run_id, "unknown", lines=[2], code="read_timeout")
    desk.answer(run_id)

    made = reported(desk, run_id, tmp_path)

    assert not made.closed
    assert made.report.proof.agrees
    assert made.report.open_items == 1
    assert "1 of 4 items are still open" in made.html.read_text()


def test_a_run_that_was_never_approved_agrees_too(
    desk: Desk, sepa: Callable[..., str], tmp_path: Path
) -> None:
    run_id = desk.load(sepa(3, prefix="PEND"), policy="person").run_id

    made = reported(desk, run_id, tmp_path)

    assert made.report.proof.agrees
    assert not made.closed


def test_a_file_of_repetitions_closes_at_once_and_names_the_items(
    desk: Desk, sepa: Callable[..., str], tmp_path: Path
) -> None:
    first = desk.load(sepa(3, prefix="TWICE")).run_id
    again = desk.load(sepa(3, prefix="TWICE") + "\n", name="again.csv").run_id

    made = reported(desk, again, tmp_path)

    assert first != again
    assert made.closed
    rows = rows_of(made.results_csv)
    assert {row["codes"] for row in rows} == {"W_LINE_DUPLICATE_EARLIER"}
    assert all(row["item"].startswith("itm_") for row in rows)
    assert made.rejects is None


def test_a_reference_with_other_content_is_a_conflict_that_the_reject_file_names(
    desk: Desk, sepa: Callable[..., str], tmp_path: Path
) -> None:
    desk.load(sepa(2, prefix="CON"))
    changed = sepa(2, prefix="CON").replace("11.50", "99.50")
    run_id = desk.load(changed, name="changed.csv").run_id

    made = reported(desk, run_id, tmp_path)

    assert made.rejects is not None
    (row,) = rows_of(made.rejects)
    assert (row["reference"], row["error_code"]) == ("CON-1", "E_LINE_CONFLICT_EARLIER")
    assert row["hint"]


def test_rejects_are_told_as_at_the_load_also_when_they_are_found_again(
    desk: Desk, paid: int, tmp_path: Path
) -> None:
    made = reported(desk, paid, tmp_path)

    assert made.rejects is not None
    rows = rows_of(made.rejects)
    assert [(row["line"], row["error_code"]) for row in rows] == [
        ("8", "E_IBAN_CHECK_DIGITS"),
        ("9", "E_LINE_FIELDS"),
    ]
    assert rows[0]["account"] == "DE00370400440000000001"
    assert "…0001" in rows[0]["error_message"]


def test_lines_that_were_summed_add_up_to_their_item(desk: Desk, tmp_path: Path) -> None:
    """Two lines of one worker are one payout: the proof counts lines through their item."""
    header = "reference,name,country,currency,amount,method,account\n"
    lines = [
        f"G-{n},Jonas Weber,DE,EUR,{n}.00,sepa,{german_iban(77 if n < 4 else 78)}\n"
        for n in range(1, 6)
    ]
    run_id = desk.load(header + "".join(lines), aggregated=True, pipeline="gig").run_id
    desk.send(run_id)
    desk.answer(run_id)
    desk.close_attempts(run_id)

    made = reported(desk, run_id, tmp_path)

    assert made.closed
    assert made.report.items == 2
    rows = rows_of(made.results_csv)
    assert [row["accepted_amount"] for row in rows] == ["1.00", "2.00", "3.00", "4.00", "5.00"]
    assert sorted({row["item_amount"] for row in rows}) == ["6.00", "9.00"]


def test_the_machine_result_has_a_version_and_the_whole_proof(
    desk: Desk, paid: int, tmp_path: Path
) -> None:
    made = reported(desk, paid, tmp_path)

    document = json.loads(made.result_json.read_text())
    assert document["schema_version"] == 1
    assert document["status"] == "closed"
    assert document["lines"] == {
        "accepted": 5,
        "rejected": 2,
        "duplicate": 1,
        "conflict": 0,
        "quarantined": 0,
    }
    assert document["items"] == {"settled": 4, "failed": 1}
    assert document["proof"]["agrees"] is True
    (not_paid,) = document["not_paid"]
    assert (not_paid["code"], not_paid["minor"]) == ("account_closed: The account is closed", 2000)
    euro = next(one for one in document["proof"]["currencies"] if one["currency"] == "EUR")
    assert euro["lines"]["rejected"] == {"lines": 1, "minor": 700}


def test_a_ledger_that_was_tampered_with_does_not_agree(
    desk: Desk, sepa: Callable[..., str], tmp_path: Path
) -> None:
    """Somebody with the owner's rights moved money by hand: the run must not close."""
    run_id = desk.load(sepa(2, prefix="TAMPER")).run_id
    desk.send(run_id)
    desk.answer(run_id)
    with desk.database.unit() as unit:
        unit.execute(
            text(
                "INSERT INTO ledger_transfer (posting, credit_id, debit_id, amount_minor, currency,"
                " kind, batch_id, run_id) SELECT nextval('posting_seq'), b.paid_id, b.in_transit_id,"
                " 1, 'EUR', 'by hand', b.id, b.run_id FROM batch b WHERE b.run_id = :run"
            ),
            {"run": run_id},
        )

    made = reported(desk, run_id, tmp_path)

    assert not made.report.proof.agrees
    assert not made.closed
    assert "The accounts do not agree" in made.html.read_text()


class _Page(HTMLParser):
    """Collects tags, and fails on what a self-contained page must not have."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "xlink:href"} and value:
                self.loads.append(value)


def test_the_page_needs_no_network_and_no_script(desk: Desk, paid: int, tmp_path: Path) -> None:
    made = reported(desk, paid, tmp_path)

    page = _Page()
    page.feed(made.html.read_text())
    assert "script" not in page.tags
    assert "svg" in page.tags
    assert all(link.startswith("./") for link in page.loads)
    assert "url(" not in made.html.read_text()


def test_the_page_shows_no_account_and_escapes_what_a_file_is_called(
    desk: Desk, sepa: Callable[..., str], tmp_path: Path
) -> None:
    run_id = desk.load(sepa(2, prefix="EVIL"), name="payees.csv").run_id
    with desk.database.unit() as unit:
        unit.execute(
            text("UPDATE pipeline_run SET source_name = :name WHERE id = :run"),
            {"name": "<script>alert(1)</script>&.csv", "run": run_id},
        )

    made = reported(desk, run_id, tmp_path, name="payees.csv")

    page = made.html.read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"DE[0-9]{20}", page)
    assert not re.search(r"DE[0-9]{20}", made.result_json.read_text())


def test_files_of_a_report_are_for_their_owner_only(desk: Desk, paid: int, tmp_path: Path) -> None:
    made = reported(desk, paid, tmp_path)

    assert {path.stat().st_mode & 0o077 for path in made.files} == {0}


def test_a_run_that_is_not_there_is_said_so(desk: Desk, paid: int, tmp_path: Path) -> None:
    desk.surveys[10**6] = desk.surveys[paid]

    with pytest.raises(UsageError, match="there is no run"):
        reported(desk, 10**6, tmp_path)


def test_files_of_another_run_are_not_written_over(desk: Desk, paid: int, tmp_path: Path) -> None:
    """A payee file is often called the same every week."""
    start = next(STARTS)
    second = desk.load(mixed(start), name="gig week.csv").run_id
    first = reported(desk, paid, tmp_path)
    before = first.results_csv.read_bytes()

    other = reported(desk, second, tmp_path)
    again = reported(desk, paid, tmp_path)

    name = public_id("run", second)
    assert other.results_csv.name == f"gig week.csv.{name}.results.csv"
    assert json.loads(other.result_json.read_text())["files"]["results_csv"] in {
        path.name for path in other.files
    }
    assert again.files == first.files
    assert again.results_csv.read_bytes() == before


def test_a_repaired_reject_file_is_not_written_over(desk: Desk, paid: int, tmp_path: Path) -> None:
    """Whoever runs the first file again, or asks for its report, would lose an hour's repairs."""
    rejects = reported(desk, paid, tmp_path).rejects
    assert rejects is not None
    repaired = rejects.read_text().replace("DE00370400440000000001", german_iban(77))
    rejects.write_text(repaired)

    for _ in range(2):
        again = reported(desk, paid, tmp_path)

        assert again.rejects == rejects
        assert rejects.read_text() == repaired
    assert [path.name for path in tmp_path.glob("*.new")] == []

    rejects.unlink()
    assert reported(desk, paid, tmp_path).rejects == rejects
    assert "DE00370400440000000001" in rejects.read_text()


def test_a_reject_file_of_unknown_making_is_left_alone(
    desk: Desk, paid: int, tmp_path: Path
) -> None:
    there = tmp_path / "gig week.csv.rejected.csv"
    there.write_text("somebody's own\n")

    first = reported(desk, paid, tmp_path).rejects
    again = reported(desk, paid, tmp_path).rejects

    assert there.read_text() == "somebody's own\n"
    assert first is not None
    assert first.name == "gig week.csv.rejected.2.csv"
    assert again == first
