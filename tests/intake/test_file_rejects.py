"""Reject and result files: every line comes back as it was, with what became of it."""

from __future__ import annotations

import csv
import io
import json
import stat
from typing import TYPE_CHECKING

import polars as pl
import pytest
import xlsxwriter  # type: ignore[import-untyped]  # it ships no types

from payouts.core.errors import FileRefusedError, InvariantError
from payouts.core.problems import KINDS
from payouts.intake.frames import PROBLEMS, no_problems
from payouts.intake.reader import chunks
from payouts.intake.rejects import told, write_rejects
from payouts.intake.results import write_results
from payouts.intake.survey import Survey, survey

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "reference,Payee Name,country,currency,amount,method,account"
ROWS = (
    "r-1,Ann,DE,EUR,10.50,sepa,DE89370400440532013000",
    'r-2,"Bob, ""the"" 2nd\nof two",DE,EUR,1e3,sepa,DE00',
    "r-3,=1+2,DE,EUR,20.00,sepa,  DE75512108001245126199 ",
    "r-4,Zoë,DE,EUR,x,sepa,00123",
)
PLAIN = "\n".join((HEADER, *ROWS)) + "\n"


def problems(*rows: tuple[int, str, str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=PROBLEMS, orient="row")


BAD = problems(
    (3, "E_AMOUNT_FORMAT", "amount", "1e3", ""),
    (3, "W_LINE_DUPLICATE", "", "", ""),
    (3, "E_LINE_CONFLICT", "", "", ""),
    (6, "E_AMOUNT_FORMAT", "amount", "x", ""),
    (5, "W_LINE_DUPLICATE", "", "", ""),
)


def surveyed(path: Path, content: bytes) -> Survey:
    path.write_bytes(content)
    return survey(path)


def cells(path: Path, encoding: str = "utf-8-sig", delimiter: str = ",") -> list[list[str]]:
    text = path.read_bytes().decode(encoding)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_a_reject_file_holds_the_bad_lines_untouched_and_says_why(tmp_path: Path) -> None:
    found = surveyed(tmp_path / "payees.csv", PLAIN.encode())

    count = write_rejects(found, BAD, tmp_path / "out.csv")

    head, second, fourth = cells(tmp_path / "out.csv")
    assert count == 2
    assert head == [
        *HEADER.split(","),
        "line",
        "error_code",
        "error_column",
        "error_message",
        "hint",
    ]
    assert second[:8] == ["r-2", 'Bob, "the" 2nd\nof two', "DE", "EUR", "1e3", "sepa", "DE00", "3"]
    assert second[8:10] == ["E_AMOUNT_FORMAT | E_LINE_CONFLICT | W_LINE_DUPLICATE", "amount |  | "]
    assert second[10].startswith("'1e3' is not an amount") or "1e3" in second[10]
    assert KINDS["E_LINE_CONFLICT"].hint in second[11]
    assert fourth[:8] == ["r-4", "Zoë", "DE", "EUR", "x", "sepa", "00123", "6"]


def test_no_file_is_made_for_warnings_alone(tmp_path: Path) -> None:
    found = surveyed(tmp_path / "payees.csv", PLAIN.encode())

    assert write_rejects(found, BAD.filter(pl.col("line") == 5), tmp_path / "out.csv") == 0
    assert write_rejects(found, no_problems(), tmp_path / "out.csv") == 0
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("content", "encoding", "delimiter", "newline"),
    [
        (PLAIN.encode(), "utf-8", ",", "\n"),
        (PLAIN.encode("utf-8-sig"), "utf-8-sig", ",", "\n"),
        (PLAIN.encode("utf-16"), "utf-16", ",", "\n"),
        (PLAIN.replace("Zoë", "José").encode("cp1252"), "utf-8-sig", ",", "\n"),
        (PLAIN.replace(", ", ". ").replace(",", ";").encode(), "utf-8", ";", "\n"),
        (PLAIN.replace(", ", ". ").replace(",", "\t").encode(), "utf-8", "\t", "\n"),
        (PLAIN.replace("\n", "\r\n").encode(), "utf-8", ",", "\r\n"),
        (PLAIN.replace("\n", "\r").encode(), "utf-8", ",", "\n"),
    ],
)
def test_a_reject_file_is_in_the_dialect_of_its_file(
    tmp_path: Path, content: bytes, encoding: str, delimiter: str, newline: str
) -> None:
    found = surveyed(tmp_path / "payees.csv", content)

    write_rejects(found, BAD, tmp_path / "out.csv")

    rows = cells(tmp_path / "out.csv", encoding, delimiter)
    assert [row[7] for row in rows] == ["line", "3", "6"]
    assert {len(row) for row in rows} == {12}
    first = (tmp_path / "out.csv").read_bytes().decode(encoding).partition("\n")[0]
    assert first.endswith("hint" + newline.removesuffix("\n"))


def test_a_repaired_reject_file_is_read_as_if_our_columns_were_not_there(tmp_path: Path) -> None:
    found = surveyed(tmp_path / "payees.csv", PLAIN.encode())
    write_rejects(found, BAD, tmp_path / "out.csv")
    repaired = tmp_path / "repaired.csv"
    repaired.write_text((tmp_path / "out.csv").read_text().replace(",1e3,", ",1000.00,"))

    again = survey(repaired)
    (chunk,) = chunks(again)

    assert again.header == found.header == tuple(HEADER.split(","))
    assert "The columns that a reject file adds are read over." in again.notes
    assert chunk.lines["amount"].to_list() == ["1000.00", "x"]
    assert chunk.lines["account"].to_list() == ["DE00", "00123"]
    assert chunk.original.drop("line").columns == list(again.header)


def test_what_is_rejected_twice_gets_its_five_columns_once(tmp_path: Path) -> None:
    found = surveyed(tmp_path / "payees.csv", PLAIN.encode())
    write_rejects(found, BAD, tmp_path / "out.csv")
    again = survey(tmp_path / "out.csv")

    write_rejects(again, problems((4, "E_LINE_QUOTE", "", "", "")), tmp_path / "twice.csv")

    head, row = cells(tmp_path / "twice.csv")
    assert len(head) == 12
    assert row[:9] == ["r-4", "Zoë", "DE", "EUR", "x", "sepa", "00123", "4", "E_LINE_QUOTE"]


def test_our_columns_are_unknown_where_they_are_not_wanted(tmp_path: Path) -> None:
    found = surveyed(tmp_path / "payees.csv", PLAIN.encode())
    write_rejects(found, BAD, tmp_path / "out.csv")

    with pytest.raises(FileRefusedError) as caught:
        survey(tmp_path / "out.csv", own_columns_ok=False)

    assert caught.value.code in ("E_FILE_HEADER_RESERVED", "E_FILE_COLUMN_UNKNOWN")


def test_a_header_less_file_is_rejected_with_a_header_that_reads_again(tmp_path: Path) -> None:
    path = tmp_path / "payees.csv"
    path.write_text("ann@example.com,1e3,EUR\nbob@example.com,7,EUR\n")
    place = {"country": "DE", "method": "sepa"}
    path.write_text("ann@example.com,5,EUR\nbob@example.com,7,EUR\n")
    found = survey(path, constants=place)
    write_rejects(found, problems((1, "E_LINE_CONFLICT", "", "", "")), tmp_path / "out.csv")

    again = survey(tmp_path / "out.csv", constants=place)
    (chunk,) = chunks(again)

    assert again.template == "PayPal"
    assert chunk.lines.select("line", "account", "amount").rows() == [(2, "ann@example.com", "5")]


def test_a_cut_line_comes_back_and_can_be_repaired(tmp_path: Path) -> None:
    long = "r-5,Doe, John,DE,EUR,1.00,sepa,DE89370400440532013000"
    found = surveyed(tmp_path / "payees.csv", f"{PLAIN}{long}\nr-6,Carl\n".encode())
    reasons = pl.concat(chunk.problems for chunk in chunks(found))

    write_rejects(found, reasons, tmp_path / "out.csv")

    _, fifth, sixth = cells(tmp_path / "out.csv")
    assert fifth[:7] == ["r-5", "Doe", " John", "DE", "EUR", "1.00", "sepa,DE89370400440532013000"]
    assert sixth[:8] == ["r-6", "Carl", "", "", "", "", "", "8"]


def test_rejects_of_a_workbook_keep_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "payees.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        for number, line in enumerate((HEADER, ROWS[0], ROWS[3])):
            for position, cell in enumerate(line.split(",")):
                sheet.write_string(number, position, cell)
    found = survey(path)

    write_rejects(found, problems((3, "E_AMOUNT_FORMAT", "amount", "x", "")), tmp_path / "out.csv")

    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert cells(tmp_path / "out.csv")[1][:8] == [*ROWS[3].split(","), "3"]
    (chunk,) = chunks(survey(tmp_path / "out.csv"))
    assert chunk.lines["account"].to_list() == ["00123"]


def test_our_own_cells_are_never_formulas(tmp_path: Path) -> None:
    found = surveyed(tmp_path / "payees.csv", PLAIN.encode())
    hostile = problems((5, "E_UNKNOWN", "=cmd()", "=cmd()", ""), (5, "E_LINE_QUOTE", "", "", ""))

    write_rejects(found, hostile, tmp_path / "out.csv")

    row = cells(tmp_path / "out.csv")[1]
    assert row[1] == "=1+2", "the payer's own columns are untouched"
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row[7:])


def test_a_rejected_line_that_the_file_does_not_have_is_our_bug(tmp_path: Path) -> None:
    found = surveyed(tmp_path / "payees.csv", PLAIN.encode())

    with pytest.raises(InvariantError):
        write_rejects(found, problems((4, "E_LINE_QUOTE", "", "", "")), tmp_path / "out.csv")


def test_every_kind_can_be_put_into_words() -> None:
    for kind in KINDS.values():
        told_row = told(problems((1, "E_LINE_QUOTE", "", "", ""), (1, kind.code, "c", "v", "a")))
        assert "{" not in str(told_row.rows())


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    found = surveyed(tmp_path / "payees.csv", PLAIN.encode())
    out = tmp_path / "out.csv"
    out.write_text("old")
    (tmp_path / "payees.csv").write_text(PLAIN + ROWS[0] + "\n")

    with pytest.raises(FileRefusedError) as caught:
        write_rejects(found, BAD, out)

    assert caught.value.code == "E_FILE_CHANGED"
    assert out.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"payees.csv", "out.csv"}


def test_what_is_written_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    found = surveyed(tmp_path / "payees.csv", PLAIN.encode())

    write_rejects(found, BAD, tmp_path / "out.csv")

    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600


# Results


def outcomes(first: int, last: int) -> pl.DataFrame:
    lines = [line for line in (2, 3, 5, 6) if first <= line <= last]
    return pl.DataFrame(
        {
            "line": lines,
            "item_id": [f"itm_{line}" for line in lines],
            "state": ["settled" if line == 2 else "rejected" for line in lines],
            "amount": [1050 for _ in lines],
            "note": ["-3 days" for _ in lines],
        },
        schema_overrides={"line": pl.Int64},
    )


def test_a_result_file_has_every_line_once_and_its_twin_the_same(tmp_path: Path) -> None:
    found = surveyed(tmp_path / "payees.csv", PLAIN.encode())

    count = write_results(found, outcomes, tmp_path / "out.csv", tmp_path / "out.jsonl")

    head, *rows = cells(tmp_path / "out.csv")
    twins = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert count == len(rows) == len(twins) == 4
    added = ["line", "item_id", "state", "payouts_amount", "note"]
    assert head == [*HEADER.split(","), *added]
    assert [row[7:10] for row in rows] == [
        ["2", "itm_2", "settled"],
        ["3", "itm_3", "rejected"],
        ["5", "itm_5", "rejected"],
        ["6", "itm_6", "rejected"],
    ]
    assert [twin["line"] for twin in twins] == [2, 3, 5, 6]
    assert (rows[2][1], twins[2]["Payee Name"]) == ("'=1+2", "=1+2")
    assert (rows[0][11], twins[0]["note"]) == ("'-3 days", "-3 days")
    assert twins[0]["payouts_amount"] == 1050


@pytest.mark.parametrize(
    "wrong",
    [
        lambda found: found.filter(pl.col("line") != 5),
        lambda found: pl.concat([found, found.head(1)]),
    ],
    ids=["none", "two"],
)
def test_a_line_without_an_outcome_or_with_two_is_our_bug(tmp_path: Path, wrong: object) -> None:
    found = surveyed(tmp_path / "payees.csv", PLAIN.encode())
    assert callable(wrong)

    with pytest.raises(InvariantError):
        write_results(
            found,
            lambda first, last: wrong(outcomes(first, last)),
            tmp_path / "out.csv",
            tmp_path / "out.jsonl",
        )

    assert {path.name for path in tmp_path.iterdir()} == {"payees.csv"}
