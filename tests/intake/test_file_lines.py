"""Lines of delimited files: where they begin, what shape they have, and what is wrong with them."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payouts.intake.frames import CANONICAL
from payouts.intake.limits import FileLimits
from payouts.intake.reader import Chunk, chunks
from payouts.intake.survey import survey

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "reference,name,country,currency,amount,method,account,description"
ANN = "r-1,Ann,DE,EUR,10.50,sepa,DE89370400440532013000,week 1"
BOB = "r-2,Bob,DE,EUR,20.00,sepa,DE75512108001245126199,week 2"
SMALL_BLOCKS = FileLimits(block_bytes=70)


def read(
    folder: Path, *lines: str, header: str = HEADER, limits: FileLimits | None = None
) -> Chunk:
    """Read a file of a few lines as one chunk."""
    path = folder / "payees.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8", newline="")
    parts = list(chunks(survey(path, limits=limits)))
    return Chunk(
        pl.concat(part.original for part in parts),
        pl.concat(part.lines for part in parts),
        pl.concat(part.problems for part in parts),
        pl.concat(part.doubtful for part in parts),
    )


def told(chunk: Chunk) -> list[tuple[int, str, str]]:
    return chunk.problems.select("line", "code", "column").rows()


def test_a_chunk_has_all_canonical_columns_as_text(tmp_path: Path) -> None:
    found = read(tmp_path, ANN).lines

    assert found.columns == ["line", *CANONICAL]
    assert set(found.drop("line").dtypes) == {pl.String}
    assert found["line"].dtype == pl.Int64


def test_line_numbers_are_those_of_an_editor(tmp_path: Path) -> None:
    two_lines = ANN.replace("week 1", '"week 1\nand 2"')

    found = read(tmp_path, "", two_lines, "", "", BOB, limits=SMALL_BLOCKS)

    assert found.original["line"].to_list() == [3, 7]
    assert found.original["description"].to_list() == ["week 1\nand 2", "week 2"]


def test_blank_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "payees.csv"
    path.write_text(f"{HEADER}\n\n{ANN}\n  \n,,,,,,,\n{BOB}\n\n")

    found = survey(path)

    assert (found.lines, found.blank_lines) == (2, 4)
    assert "Blank lines passed over: 4." in found.notes


@pytest.mark.parametrize("limits", [None, SMALL_BLOCKS])
def test_a_line_of_another_width_is_a_problem_of_that_line_alone(
    tmp_path: Path, limits: FileLimits | None
) -> None:
    """Polars fills a short line with nulls in silence, and fails the whole file for a long one."""
    short = "r-3,Carl,DE,EUR,10.50"
    long = "r-4,Doe, John,DE,EUR,1.00,sepa,DE89370400440532013000,week 1"

    found = read(tmp_path, ANN, short, long, BOB, limits=limits)

    assert found.original["line"].to_list() == [2, 3, 4, 5]
    assert found.lines["line"].to_list() == [2, 3, 4, 5]
    assert found.readable()["line"].to_list() == [2, 5]
    assert found.lines.row(1) == (3, *[None] * 18), "a shifted cell could be an account number"
    assert found.problems.rows() == [
        (3, "E_LINE_FIELDS", "", "5", "8"),
        (4, "E_LINE_FIELDS", "", "9", "8"),
    ]
    assert found.original.row(1) == (3, "r-3", "Carl", "DE", "EUR", "10.50", None, None, None)
    assert found.original["description"][2] == "DE89370400440532013000,week 1"


def test_a_short_and_a_long_line_do_not_make_up_for_each_other(tmp_path: Path) -> None:
    found = read(tmp_path, ANN, ANN.removesuffix(",week 1"), BOB + ",more")

    assert [line for line, *_ in told(found)] == [3, 4]


def test_a_quote_inside_a_cell_is_a_problem_of_that_line_alone(tmp_path: Path) -> None:
    found = read(tmp_path, ANN.replace("Ann", 'Ann "A" Lee'), BOB)

    assert told(found) == [(2, "E_LINE_QUOTE", "")]
    assert found.readable()["line"].to_list() == [3]


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("account", "8.93E+19", "E_SPREADSHEET_EXPONENT"),
        ("account", "1.23457E+15", "E_SPREADSHEET_EXPONENT"),
        ("account", '"1,23457E+15"', "E_SPREADSHEET_EXPONENT"),
        ("account", "1E+15", "E_SPREADSHEET_EXPONENT"),
        ("reference", "1.2E+15", "E_SPREADSHEET_EXPONENT"),
        ("name", "#N/A", "E_SPREADSHEET_ERROR"),
        ("account", "########", "E_SPREADSHEET_ERROR"),
    ],
)
def test_spreadsheet_damage_is_named(tmp_path: Path, column: str, value: str, code: str) -> None:
    cells = ANN.split(",")
    cells[HEADER.split(",").index(column)] = value

    found = read(tmp_path, BOB, ",".join(cells))

    assert told(found) == [(3, code, column)]
    assert found.readable()["line"].to_list() == [2, 3], (
        "other problems of the line are told as well"
    )


@pytest.mark.parametrize("value", ["12E5", "E2E", "2E15", "#1", "0x1E+", "00123"])
def test_what_only_looks_like_damage_is_left_alone(tmp_path: Path, value: str) -> None:
    assert told(read(tmp_path, ANN.replace("r-1", value))) == []


@pytest.mark.parametrize(
    ("country", "method", "column", "whole"),
    [
        ("MX", "spei", "account", "032180000118359719"),
        ("AR", "bank_transfer", "account", "0170099220000067797370"),
        ("PE", "bank_transfer", "account", "01136600010003254221"),
        ("BR", "pix", "document", "01234567890"),
        ("US", "bank_transfer", "bank_code", "021000021"),
    ],
)
def test_lost_zeros_are_told_where_check_digits_prove_them(
    tmp_path: Path, country: str, method: str, column: str, whole: str
) -> None:
    header = "reference,country,currency,amount,method,account,document,bank_code"
    empty = {"account": "", "document": "", "bank_code": ""}
    damaged = empty | {column: whole.lstrip("0")}
    sound = empty | {column: whole}

    found = read(
        tmp_path,
        f"r-1,{country},XXX,1,{method},{','.join(damaged.values())}",
        f"r-2,{country},XXX,1,{method},{','.join(sound.values())}",
        header=header,
    )

    assert told(found) == [(2, "E_SPREADSHEET_ZEROS", column)]
    assert whole.lstrip("0") not in str(found.problems.rows()), "masked"


@pytest.mark.parametrize(
    ("written", "read_as"),
    [("10,50", "10.50"), ("1.234,56", "1234.56"), ("1.234.567,8", "1234567.8"), ("7", "7")],
)
def test_amounts_of_a_comma_file_get_points(tmp_path: Path, written: str, read_as: str) -> None:
    lines = [line.replace(",", ";") for line in (BOB.replace("20.00", '"3,50"'), ANN)]

    found = read(
        tmp_path,
        lines[0].replace('"3;50"', "3,50"),
        lines[1].replace("10.50", written),
        header=HEADER.replace(",", ";"),
    )

    assert found.lines["amount"].to_list() == ["3.50", read_as]
    assert told(found) == []


def test_thousands_without_decimals_in_a_comma_file_wait_for_a_person(tmp_path: Path) -> None:
    """1.234 is 1234 or 1.234: read wrongly it is a thousand times too much."""
    lines = [line.replace(",", ";") for line in (BOB, ANN)]

    found = read(
        tmp_path,
        lines[0].replace("20.00", "3,50"),
        lines[1].replace("10.50", "1.234"),
        header=HEADER.replace(",", ";"),
    )

    assert told(found) == [(3, "E_AMOUNT_GROUPED", "amount")]
    assert found.readable()["line"].to_list() == [2]


@pytest.mark.parametrize(
    "amount", ['"1,000.00"', "$10", "(10)", "1e3", "10.005", "NaN", ".5", "+1"]
)
def test_odd_amounts_of_a_point_file_are_left_for_the_checks(tmp_path: Path, amount: str) -> None:
    found = read(tmp_path, BOB, ANN.replace("10.50", amount))

    assert found.lines["amount"].to_list() == ["20.00", amount.strip('"')]


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
TABLE = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=12)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    table=TABLE,
    delimiter=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n"]),
    block=st.integers(20, 400),
)
def test_any_text_that_the_csv_module_writes_is_read_cell_by_cell(
    tmp_path: Path, table: list[tuple[str, str, str]], delimiter: str, newline: str, block: int
) -> None:
    if newline == "\n":  # a CR before LF cannot be told from CRLF
        table = [
            (a.replace("\r", ""), b.replace("\r", ""), c.replace("\r", "")) for a, b, c in table
        ]
    rows = [("k", "DE", "EUR", "1.50", "sepa", *cells) for cells in table]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_MINIMAL)
    writer.writerow(
        ("email", "country", "currency", "amount", "method", "name", "phone", "network")
    )
    writer.writerows(rows)
    path = tmp_path / "payees.csv"
    path.write_bytes(out.getvalue().encode())

    found = survey(path, limits=FileLimits(block_bytes=block))
    read_back = pl.concat(chunk.original for chunk in chunks(found))

    assert found.lines == len(rows)
    assert [tuple(cell or "" for cell in row[1:]) for row in read_back.rows()] == rows
    assert read_back["line"].to_list() == editor_lines(out.getvalue())


def editor_lines(text: str) -> list[int]:
    """Count by hand: the line on which each record after the header begins."""
    starts, line, quoted, begins = [], 1, False, True
    for char in text:
        if begins:
            starts.append(line)
        begins = char == "\n" and not quoted
        quoted ^= char == '"'
        line += char == "\n"
    return starts[1:]
