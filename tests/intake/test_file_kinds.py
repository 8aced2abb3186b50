"""Files that are not delimited text: JSON Lines, Parquet, workbooks, and things that are no files."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest
import xlsxwriter  # type: ignore[import-untyped]  # it ships no types

from payouts.core.errors import FileRefusedError
from payouts.intake.limits import FileLimits
from payouts.intake.reader import Chunk, chunks
from payouts.intake.survey import survey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


ROW = {
    "reference": "r-1",
    "name": "Ann",
    "country": "DE",
    "currency": "EUR",
    "amount": "10.50",
    "method": "sepa",
    "account": "DE89370400440532013000",
}
HEADER = list(ROW)


def read(path: Path) -> Chunk:
    parts = list(chunks(survey(path)))
    return Chunk(
        pl.concat(part.original for part in parts),
        pl.concat(part.lines for part in parts),
        pl.concat(part.problems for part in parts),
        pl.concat(part.doubtful for part in parts),
    )


def told(chunk: Chunk) -> list[tuple[int, str, str]]:
    return chunk.problems.select("line", "code", "column").rows()


def refusal(path: Path, limits: FileLimits | None = None) -> FileRefusedError:
    with pytest.raises(FileRefusedError) as caught:
        survey(path, limits=limits)
    return caught.value


# What is no file


def test_links_pipes_folders_and_sockets_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("amount\n1\n")
    (tmp_path / "link.csv").symlink_to("real.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.csv"))
        for name, word in (
            ("link.csv", "a link"),
            ("pipe.csv", "a pipe"),
            ("folder.csv", "a folder"),
            ("socket.csv", "a socket"),
        ):
            error = refusal(tmp_path / name)
            assert (error.code, word in str(error)) == ("E_FILE_NOT_REGULAR", True)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.csv").code == "E_FILE_NOT_FOUND"


def test_a_path_through_a_file_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    assert refusal(tmp_path / "file" / "payees.csv").code == "E_FILE_UNREADABLE"


def test_more_lines_than_allowed_are_refused(tmp_path: Path) -> None:
    path = jsonl(tmp_path, *[json.dumps(ROW)] * 4)

    assert survey(path, limits=FileLimits(rows_max=4)).lines == 4
    assert refusal(path, FileLimits(rows_max=3)).code == "E_FILE_ROWS_TOO_MANY"


def test_a_hostile_name_is_made_visible(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2J\n.csv"
    path.mkdir()

    assert "a·[2J·.csv" in str(refusal(path))


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(9 << 30)

    assert refusal(path).code == "E_FILE_TOO_LARGE"


def test_a_file_that_changes_between_the_passes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "payees.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    found = survey(path)
    path.write_text(json.dumps(ROW | {"amount": "99.50"}) + "\n")

    with pytest.raises(FileRefusedError) as caught:
        list(chunks(found))

    assert caught.value.code == "E_FILE_CHANGED"


def test_other_bytes_of_the_same_size_and_time_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "payees.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    found = survey(path)
    before = path.stat()
    with path.open("r+") as file:
        file.write(json.dumps(ROW | {"amount": "99.50"}) + "\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(FileRefusedError) as caught:
        list(chunks(found))

    assert caught.value.code == "E_FILE_CHANGED"


# JSON Lines


def jsonl(folder: Path, *lines: str) -> Path:
    path = folder / "payees.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_json_numbers_keep_their_digits(tmp_path: Path) -> None:
    line = json.dumps(ROW).replace('"10.50"', "10.50")

    found = read(jsonl(tmp_path, line, "", line.replace("10.50", "1e3")))

    assert found.lines["amount"].to_list() == ["10.50", "1e3"]
    assert found.lines["line"].to_list() == [1, 3]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"reference": ', ("E_LINE_JSON", "")),
        ("[1, 2]", ("E_LINE_JSON", "")),
        ('"text"', ("E_LINE_JSON", "")),
        ('{"amount": NaN}', ("E_LINE_JSON", "")),
        ("[" * 100_000, ("E_LINE_JSON", "")),
        ('{"amount": ["1"]}', ("E_LINE_JSON_TYPE", "amount")),
        ('{"amount": {"value": 1}}', ("E_LINE_JSON_TYPE", "amount")),
        ('{"amount": true}', ("E_LINE_JSON_TYPE", "amount")),
        ('{"amount": "1", "amount": "2"}', ("E_LINE_JSON_KEY", "amount")),
    ],
)
def test_a_broken_json_line_is_a_problem_of_that_line_alone(
    tmp_path: Path, line: str, problem: tuple[str, str]
) -> None:
    found = read(jsonl(tmp_path, json.dumps(ROW), line, json.dumps(ROW)))

    assert told(found) == [(2, *problem)]
    assert found.readable()["line"].to_list() == [1, 3]
    assert found.original.height == found.lines.height == 3


def test_a_json_account_number_must_be_text(tmp_path: Path) -> None:
    line = json.dumps(ROW | {"account": 123456789012345678})

    assert told(read(jsonl(tmp_path, line))) == [(1, "E_LINE_NUMBER", "account")]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("{nothing}\n", "E_FILE_JSON"),
        (json.dumps(ROW) + "\n" + json.dumps(ROW)[:-20], "E_FILE_CUT"),
        (json.dumps(ROW | {"colour": "red"}) + "\n", "E_FILE_COLUMN_UNKNOWN"),
        (json.dumps(ROW) + "\n" + json.dumps({"colour": 1}) + "\n", "E_FILE_COLUMN_UNKNOWN"),
        (json.dumps({f"k{i}": "" for i in range(1_000)}) + "\n", "E_FILE_COLUMNS"),
        (json.dumps(ROW | {"name": "x" * (2 << 20)}) + "\n", "E_FILE_LINE_TOO_LONG"),
    ],
)
def test_a_json_file_like_this_is_refused(tmp_path: Path, content: str, code: str) -> None:
    path = tmp_path / "payees.jsonl"
    path.write_text(content)

    assert refusal(path).code == code


def test_a_blank_json_file_is_empty(tmp_path: Path) -> None:
    assert refusal(jsonl(tmp_path, "", "")).code == "E_FILE_EMPTY"


def test_json_named_csv_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "payees.csv"
    path.write_text(json.dumps(ROW) + "\n")

    assert refusal(path).code == "E_FILE_MAGIC"


# Parquet


def parquet(folder: Path, **columns: object) -> Path:
    path = folder / "payees.parquet"
    pl.DataFrame(ROW | columns).write_parquet(path)
    return path


def test_parquet_decimals_and_dates_are_read_as_text(tmp_path: Path) -> None:
    found = read(parquet(tmp_path, amount=Decimal("10.50"), due_date=date(2026, 11, 27)))

    assert found.lines.select("line", "amount", "due_date").rows() == [(1, "10.50", "2026-11-27")]


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"amount": 10.5}, "E_FILE_PARQUET_FLOAT"),
        ({"amount": [[1]]}, "E_FILE_PARQUET_TYPE"),
        ({"name": b"Ann"}, "E_FILE_PARQUET_TYPE"),
        ({"account": 123456789012345678}, "E_FILE_ACCOUNT_NUMERIC"),
    ],
)
def test_a_parquet_type_that_cannot_hold_it_is_refused(
    tmp_path: Path, columns: dict[str, object], code: str
) -> None:
    assert refusal(parquet(tmp_path, **columns)).code == code


def test_malformed_parquet_never_raises_anything_but_a_refusal(tmp_path: Path) -> None:
    """Polars raises PanicException, which derives from BaseException, for some of these."""
    sound = parquet(tmp_path, name=["x" * 50] * 500).read_bytes()
    chance = random.Random(3)  # noqa: S311  a seed, so that the same damage comes again
    path = tmp_path / "broken.parquet"
    codes = set()
    for _ in range(120):
        broken = bytearray(sound)
        for _ in range(4):
            broken[chance.randrange(4, len(broken) - 4)] = chance.randrange(256)
        path.write_bytes(broken)
        try:
            survey(path)
        except FileRefusedError as error:
            codes.add(error.code)

    assert "E_FILE_DAMAGED" in codes


def test_parquet_with_more_records_than_bytes_is_refused(tmp_path: Path) -> None:
    """A run of one value costs no bytes on disk and sixteen for each record in memory."""
    path = tmp_path / "payees.parquet"
    pl.select(
        pl.lit(cell).repeat_by(3_000_000).explode().alias(name) for name, cell in ROW.items()
    ).write_parquet(path)
    assert path.stat().st_size < 1 << 20

    assert refusal(path).code == "E_FILE_ZIP_BOMB"


def test_one_long_text_in_many_parquet_records_is_refused(tmp_path: Path) -> None:
    assert refusal(parquet(tmp_path, name=["x" * (2 << 20)] * 500)).code == "E_FILE_LINE_TOO_LONG"


def test_long_parquet_records_are_read_in_small_pieces(tmp_path: Path) -> None:
    path = parquet(
        tmp_path, name=["x" * 50_000] * 2_000, reference=[f"r-{i}" for i in range(2_000)]
    )

    found = list(chunks(survey(path)))

    assert len(found) > 8
    assert [line for chunk in found for line in chunk.lines["line"]] == list(range(1, 2_001))


# Workbooks


def workbook(folder: Path, fill: Callable[[xlsxwriter.Workbook], None]) -> Path:
    path = folder / "payees.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        book.set_properties({"created": datetime(2026, 11, 20, tzinfo=UTC)})
        fill(book)
    return path


def sheet(book: xlsxwriter.Workbook, *rows: Sequence[object]) -> xlsxwriter.worksheet.Worksheet:
    found = book.add_worksheet()
    for number, row in enumerate(([*HEADER], *rows)):
        for position, cell in enumerate(row):
            if isinstance(cell, str):
                found.write_string(number, position, cell)
            elif cell is not None:
                found.write(number, position, cell)
    return found


GOOD = list(ROW.values())


def changed(**cells: object) -> list[object]:
    return list((ROW | cells).values())


def test_a_workbook_is_read_as_text(tmp_path: Path) -> None:
    path = workbook(
        tmp_path,
        lambda book: sheet(book, GOOD, [], changed(amount=4.1, reference=1002), changed(amount=7)),
    )

    found = read(path)

    assert found.lines.select("line", "reference", "amount").rows() == [
        (2, "r-1", "10.50"),
        (4, "1002", "4.1"),
        (5, "r-1", "7"),
    ]
    assert survey(path).blank_lines == 1


def test_a_number_has_the_fifteen_digits_that_excel_shows(tmp_path: Path) -> None:
    """Excel stores what was typed as 4.1 as 4.0999999999999996."""
    path = workbook(tmp_path, lambda book: sheet(book, changed(amount=4.1)))
    rewrite(path, "xl/worksheets/sheet1.xml", "<v>4.1</v>", "<v>4.0999999999999996</v>")

    assert read(path).lines["amount"].to_list() == ["4.1"]


def test_numeric_account_cells_are_refused_by_their_names(tmp_path: Path) -> None:
    rows = [changed(account=123456789012345678) for _ in range(7)]

    error = refusal(workbook(tmp_path, lambda book: sheet(book, GOOD, *rows)))

    assert error.code == "E_FILE_ACCOUNT_NUMERIC"
    assert "G3, G4, G5, G6, G7 and 2 more" in str(error)
    assert "1234567890" not in str(error)


def test_a_reference_with_more_digits_than_a_cell_keeps_is_a_problem(tmp_path: Path) -> None:
    path = workbook(tmp_path, lambda book: sheet(book, changed(reference=1234567890123456)))

    assert told(read(path)) == [(2, "E_SPREADSHEET_PRECISION", "reference")]


def test_a_date_cell_is_read_as_a_date(tmp_path: Path) -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        style = book.add_format({"num_format": "dd/mm/yyyy"})
        found = sheet(book, GOOD)
        found.write_string(0, 7, "due_date")
        found.write_datetime(1, 7, date(2026, 11, 27), style)

    assert read(workbook(tmp_path, fill)).lines["due_date"].to_list() == ["2026-11-27"]


def with_formula(book: xlsxwriter.Workbook) -> None:
    sheet(book, GOOD).write_formula(1, 4, "=5+5.5", None, 10.5)


def with_hidden_sheet(book: xlsxwriter.Workbook) -> None:
    sheet(book, GOOD)
    book.add_worksheet("secret").hide()


def with_hidden_row(book: xlsxwriter.Workbook) -> None:
    sheet(book, GOOD, GOOD).set_row(2, None, None, {"hidden": True})


def with_hidden_column(book: xlsxwriter.Workbook) -> None:
    sheet(book, GOOD).set_column(4, 4, None, None, {"hidden": True})


def with_merged_cells(book: xlsxwriter.Workbook) -> None:
    sheet(book, GOOD).merge_range(3, 0, 3, 2, "Total")


def with_two_sheets(book: xlsxwriter.Workbook) -> None:
    sheet(book, GOOD)
    sheet(book, GOOD)


def with_a_title(book: xlsxwriter.Workbook) -> None:
    found = book.add_worksheet()
    found.write_string(0, 0, "Payments of May")
    found.write_row(2, 0, HEADER)
    found.write_row(3, 0, [str(cell) for cell in GOOD])


@pytest.mark.parametrize(
    ("fill", "code", "words"),
    [
        (with_formula, "E_FILE_XLSX_FORMULA", "E2"),
        (with_hidden_sheet, "E_FILE_XLSX_HIDDEN", "a sheet"),
        (with_hidden_row, "E_FILE_XLSX_HIDDEN", "row 3"),
        (with_hidden_column, "E_FILE_XLSX_HIDDEN", "column E"),
        (with_merged_cells, "E_FILE_XLSX_MERGED", "A4:C4"),
        (with_two_sheets, "E_FILE_XLSX_SHEETS", "2 sheets"),
        (with_a_title, "E_FILE_HEADER_LATE", "row 3"),
        (lambda book: book.add_worksheet(), "E_FILE_EMPTY", "empty"),
        (sheet, "E_FILE_NO_ROWS", "no lines"),
    ],
)
def test_a_workbook_that_hides_or_computes_is_refused(
    tmp_path: Path, fill: Callable[[xlsxwriter.Workbook], None], code: str, words: str
) -> None:
    error = refusal(workbook(tmp_path, fill))

    assert (error.code, words in str(error)) == (code, True)


def rewrite(path: Path, name: str, old: str, new: str) -> None:
    """Change one part of a workbook."""
    with zipfile.ZipFile(path) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    assert old.encode() in parts[name]
    parts[name] = parts[name].replace(old.encode(), new.encode())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)


def add(path: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("xl/vbaProject.bin", "E_FILE_XLSX_MACRO"),
        ("xl/macrosheets/sheet1.xml", "E_FILE_XLSX_MACRO"),
        ("xl/externalLinks/externalLink1.xml", "E_FILE_XLSX_MACRO"),
        ("xl/embeddings/oleObject1.bin", "E_FILE_XLSX_MACRO"),
    ],
)
def test_a_workbook_with_macros_or_links_is_refused(tmp_path: Path, part: str, code: str) -> None:
    path = workbook(tmp_path, lambda book: sheet(book, GOOD))
    add(path, part, b"x")

    assert refusal(path).code == code


def test_a_workbook_with_a_document_type_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, lambda book: sheet(book, GOOD))
    entity = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><worksheet'
    rewrite(path, "xl/worksheets/sheet1.xml", "<worksheet", entity)

    assert refusal(path).code == "E_FILE_XML_DTD"


def test_a_protected_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "payees.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))

    assert refusal(path).code == "E_FILE_XLSX_ENCRYPTED"


def test_another_archive_is_no_workbook(tmp_path: Path) -> None:
    path = tmp_path / "payees.xlsx"
    add(path, "word/document.xml", b"<x/>")

    assert refusal(path).code == "E_FILE_KIND"


def test_a_damaged_workbook_is_refused(tmp_path: Path) -> None:
    whole = workbook(tmp_path, lambda book: sheet(book, *[GOOD] * 200)).read_bytes()
    chance = random.Random(5)  # noqa: S311  a seed, so that the same damage comes again
    path = tmp_path / "broken.xlsx"
    codes = set()
    for _ in range(150):
        broken = bytearray(whole)
        for _ in range(3):
            broken[chance.randrange(4, len(broken))] = chance.randrange(256)
        path.write_bytes(broken[: chance.choice((len(broken), len(broken) // 2))])
        try:
            survey(path)
        except FileRefusedError as error:
            codes.add(error.code)

    assert "E_FILE_DAMAGED" in codes


BOMB = """
import sys, resource
from pathlib import Path
from payouts.core.errors import FileRefusedError
from payouts.intake.survey import survey
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    survey(Path(sys.argv[1]))
except FileRefusedError as error:
    print(error.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(
    "inside", ["<row>" * 500, '<row r="' + "1" * (5 << 20) + '"/>'], ids=["deep", "long"]
)
def test_xml_that_would_fill_the_parser_is_refused(tmp_path: Path, inside: str) -> None:
    path = workbook(tmp_path, lambda book: sheet(book, GOOD))
    rewrite(path, "xl/worksheets/sheet1.xml", "<sheetData>", f"<sheetData>{inside}")

    limits = FileLimits(ratio_max=1 << 30)

    assert refusal(path, limits).code == "E_FILE_ZIP_BOMB"


def test_one_long_text_in_many_cells_is_refused(tmp_path: Path) -> None:
    long = changed(name="x" * 30_000)
    path = workbook(tmp_path, lambda book: sheet(book, *[long] * 50))
    limits = FileLimits(line_bytes_max=20_000)

    assert refusal(path, limits).code == "E_FILE_LINE_TOO_LONG"


@pytest.mark.parametrize(
    ("stored", "precise"), [("274.65999999999997", True), ("12345678901234.56", False)]
)
def test_digits_that_a_spreadsheet_does_not_show_are_a_problem(
    tmp_path: Path, stored: str, *, precise: bool
) -> None:
    path = workbook(tmp_path, lambda book: sheet(book, changed(amount=4.1)))
    rewrite(path, "xl/worksheets/sheet1.xml", "<v>4.1</v>", f"<v>{stored}</v>")

    found = told(read(path))

    assert found == ([] if precise else [(2, "E_SPREADSHEET_PRECISION", "amount")])


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"])
def test_a_workbook_that_unpacks_to_gigabytes_is_refused_in_bounded_memory(
    tmp_path: Path, part: str
) -> None:
    path = workbook(tmp_path, lambda book: sheet(book, GOOD))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != part}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        with archive.open(part, "w", force_zip64=True) as out:
            for _ in range(300):
                out.write(b"<row>" * 200_000)

    done = subprocess.run(
        [sys.executable, "-c", BOMB, str(path)], capture_output=True, text=True, check=True
    )
    code, grown = done.stdout.split()

    assert code == "E_FILE_ZIP_BOMB"
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(grown) * unit < 100 << 20


def test_a_workbook_that_lies_about_its_sizes_is_read_no_further_than_they_say(
    tmp_path: Path,
) -> None:
    path = workbook(tmp_path, lambda book: sheet(book, *[GOOD] * 2_000))
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    content = path.read_bytes()
    path.write_bytes(content.replace(size.to_bytes(4, "little"), (size // 2).to_bytes(4, "little")))

    assert refusal(path).code == "E_FILE_DAMAGED"


def test_many_parts_are_refused_before_the_directory_is_read(tmp_path: Path) -> None:
    path = tmp_path / "payees.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(1_200):
            archive.writestr(f"xl/part{number}.xml", b"")

    assert refusal(path).code == "E_FILE_ZIP_BOMB"
