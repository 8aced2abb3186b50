"""The corpus of bad files (RELIABILITY §5, Files): each with its exact code, nothing half-done."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import polars as pl
import pytest

from payouts.core.errors import FileRefusedError
from payouts.core.problems import KINDS
from payouts.intake.reader import chunks
from payouts.intake.survey import Survey, survey

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "reference,name,country,currency,amount,method,account,description"
ANN = "r-1,Ann,DE,EUR,10.50,sepa,DE89370400440532013000,week 1"
BOB = "r-2,Bob,DE,EUR,20.00,sepa,DE75512108001245126199,week 2"


def text(*lines: str, end: str = "\n") -> bytes:
    return (end.join((HEADER, *lines)) + end).encode()


def put(folder: Path, content: bytes, name: str = "payees.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def look(folder: Path, content: bytes, name: str = "payees.csv") -> Survey:
    return survey(put(folder, content, name))


def refusal(folder: Path, content: bytes, name: str = "payees.csv") -> FileRefusedError:
    with pytest.raises(FileRefusedError) as caught:
        look(folder, content, name)
    assert KINDS[caught.value.code].scope == "file"
    assert caught.value.hint
    assert not {path.name for path in folder.iterdir()} - {name}, "nothing else was written"
    return caught.value


def lines_of(found: Survey) -> pl.DataFrame:
    return pl.concat(chunk.lines for chunk in chunks(found))


def problems_of(found: Survey) -> list[tuple[int, str, str]]:
    frames = [chunk.problems for chunk in chunks(found)]
    return pl.concat(frames).select("line", "code", "column").rows()


def items(found: Survey) -> list[tuple[object, ...]]:
    return lines_of(found).drop("line").rows()


PLAIN = text(ANN, BOB)
LONG = "x" * (10 << 20)
WIDE = ",".join(f"c{i}" for i in range(1_000))
SEMICOLONS = PLAIN.replace(b",", b";")

REFUSED: dict[str, tuple[bytes, str]] = {
    "no bytes at all": (b"", "E_FILE_EMPTY"),
    "blanks alone": (b"\xef\xbb\xbf \r\n\n", "E_FILE_EMPTY"),
    "a header alone": (text(), "E_FILE_NO_ROWS"),
    "a header and blank lines": (text("", " ", ",,,,,,,"), "E_FILE_NO_ROWS"),
    "a NUL byte": (text(ANN, BOB.replace("Bob", "B\0b")), "E_FILE_NUL"),
    "a quote that never closes": (text(ANN, BOB.replace("Bob", '"Bob'), ANN), "E_FILE_QUOTE"),
    "a quote closed by another line": (
        text(ANN, BOB.replace("Bob", '"Bob'), ANN.replace("Ann", '"Ann"')),
        "E_FILE_QUOTE",
    ),
    "a duplicate column": (b"amount,Amount\n1,2\n", "E_FILE_HEADER_DUPLICATE"),
    "an empty column name": (PLAIN.replace(b"name", b"", 1), "E_FILE_HEADER_EMPTY"),
    "an empty last column": (PLAIN.replace(b"\n", b",\n"), "E_FILE_HEADER_EMPTY"),
    "an unknown column": (PLAIN.replace(b"name", b"colour", 1), "E_FILE_COLUMN_UNKNOWN"),
    "a required column missing": (PLAIN.replace(b"currency", b"email", 1), "E_FILE_COLUMN_MISSING"),
    "two columns of one meaning": (
        PLAIN.replace(b"description", b"IBAN", 1),
        "E_FILE_COLUMN_TWICE",
    ),
    "a column for card data": (PLAIN.replace(b"description", b"CVV", 1), "E_FILE_COLUMN_CARD"),
    "a column with our own name": (PLAIN.replace(b"name", b"line", 1), "E_FILE_HEADER_RESERVED"),
    "no header": ((ANN + "\n" + BOB + "\n").encode(), "E_FILE_HEADER_MISSING"),
    "a title above the header": (b"Payments of May\n\n" + PLAIN, "E_FILE_HEADER_LATE"),
    "two possible delimiters": (b"amount,currency;country\n1,2;3\n", "E_FILE_DELIMITER"),
    "1,000 columns": ((WIDE + ",amount\n").encode(), "E_FILE_COLUMNS"),
    "a cell of 10 MB": (text(ANN.replace("Ann", LONG)), "E_FILE_LINE_TOO_LONG"),
    "a cell of 10 MB in quotes": (text(ANN.replace("Ann", f'"{LONG}"')), "E_FILE_LINE_TOO_LONG"),
    "a quote that never closes in a long file": (
        text(ANN.replace("Ann", '"Ann'), *[BOB] * 100_000),
        "E_FILE_QUOTE",
    ),
    "a header of 10 MB": ((LONG + "," + HEADER + "\n").encode(), "E_FILE_LINE_TOO_LONG"),
    "cut in the middle of a row": (PLAIN[:-30], "E_FILE_CUT"),
    "cut in the middle of a quote": (PLAIN[:-8] + b',"wee', "E_FILE_QUOTE"),
    "cut, perhaps, in the last amount": (
        b"country,currency,method,amount\nDE,EUR,sepa,10.00\nDE,EUR,sepa,12",
        "E_FILE_CUT",
    ),
    "gzip": (gzip.compress(PLAIN), "E_FILE_MAGIC"),
    "HTML": (b"<!DOCTYPE html><html><table><tr><td>amount", "E_FILE_MAGIC"),
    "a workbook": (b"PK\x03\x04" + bytes(40), "E_FILE_MAGIC"),
    "PDF": (b"%PDF-1.7\n", "E_FILE_MAGIC"),
    "XML": (b"<?xml version='1.0'?><Document/>", "E_FILE_MAGIC"),
    "XML with a document type": (b"<?xml version='1.0'?><!DOCTYPE a [", "E_FILE_XML_DTD"),
    "XML with entities": (b"<!ENTITY x SYSTEM 'file:///etc/passwd'>", "E_FILE_XML_DTD"),
    "an amount that can be two": (
        SEMICOLONS.replace(b"10.50", b"1,234").replace(b"20.00", b"7"),
        "E_FILE_DECIMAL_AMBIGUOUS",
    ),
    "a point that can be two, among semicolons": (
        SEMICOLONS.replace(b"10.50", b"1.234").replace(b"20.00", b"7"),
        "E_FILE_DECIMAL_AMBIGUOUS",
    ),
    "both decimal marks": (SEMICOLONS.replace(b"10.50", b"10,50"), "E_FILE_DECIMAL_MIXED"),
    "a total that is wrong": (text(ANN, BOB, "TOTAL,,,,30.51,,,"), "E_FILE_TRAILER"),
    "a total over an amount that is none": (
        text(ANN, BOB.replace("20.00", "$20"), "TOTAL,,,,10.50,,,"),
        "E_FILE_TRAILER",
    ),
    "UTF-32": (PLAIN.decode().encode("utf-32"), "E_FILE_ENCODING"),
    "a Turkish code page": (
        PLAIN.replace(b"Ann", "Gülşah Özdoğan".encode("cp1254")),
        "E_FILE_ENCODING",
    ),
    "a Polish code page": (PLAIN.replace(b"Ann", "Wałęsa".encode("cp1250")), "E_FILE_ENCODING"),
    "a Russian code page": (PLAIN.replace(b"Ann", "Иванов".encode("cp1251")), "E_FILE_ENCODING"),
    "a DOS code page": (PLAIN.replace(b"Ann", "José Peña".encode("cp850")), "E_FILE_ENCODING"),
    "a Macintosh code page": (
        PLAIN.replace(b"Ann", "José Peña".encode("mac_roman")),
        "E_FILE_ENCODING",
    ),
    "UTF-8 cut in a letter": (PLAIN.replace(b"Ann", b"Ann\xc3"), "E_FILE_ENCODING"),
}


@pytest.mark.parametrize(("content", "code"), REFUSED.values(), ids=list(REFUSED))
def test_a_file_like_this_is_refused_whole(tmp_path: Path, content: bytes, code: str) -> None:
    assert refusal(tmp_path, content).code == code


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (text(ANN, BOB.replace("Bob", '"Bob'), ANN), "line 3"),
        (text(ANN, BOB.replace("Bob", "B\0b")), "line 3"),
        (PLAIN[:-30], "line 3"),
        (PLAIN.replace(b"name", b"accuont_number", 1), "did you mean 'account'?"),
        (PLAIN.replace(b"currency", b"curency", 1), "did you mean 'currency'?"),
        (SEMICOLONS.replace(b"10.50", b"10,50"), "'10,50' in line 2, '20.00' in line 3"),
        (text(ANN, BOB, "TOTAL,,,,30.51,,,"), "the lines give 2 lines and 30.5"),
    ],
)
def test_a_refusal_says_where(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in str(refusal(tmp_path, content))


def test_a_refusal_shows_no_account_number(tmp_path: Path) -> None:
    for content, _ in REFUSED.values():
        if content.strip(b"\xef\xbb\xbf \r\n"):
            told = str(refusal(tmp_path, content))
            assert "DE89370400440532013000"[-8:] not in told
            assert len(told) < 300


def test_numbers_in_a_header_that_is_data_are_masked(tmp_path: Path) -> None:
    told = str(refusal(tmp_path, b"note,4111 1111 1111 1111,TR330006100519786457841326\n1,2,3\n"))

    assert "…1111" in told
    assert "4111 1111" not in told
    assert "78645784" not in told


READ_ALIKE: dict[str, bytes] = {
    "CR alone": PLAIN.replace(b"\n", b"\r"),
    "CRLF": PLAIN.replace(b"\n", b"\r\n"),
    "CRLF and LF mixed": PLAIN.replace(b"\n", b"\r\n", 1),
    "no line break at the end": PLAIN[:-1],
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "UTF-16, little endian, marked": PLAIN.decode().encode("utf-16"),
    "UTF-16, big endian, marked": b"\xfe\xff" + PLAIN.decode().encode("utf-16-be"),
    "UTF-16 without mark": PLAIN.decode().encode("utf-16-le"),
    "tabs": PLAIN.replace(b",", b"\t"),
    "semicolons": SEMICOLONS,
    "vertical bars": PLAIN.replace(b",", b"|"),
    "Excel's line about the delimiter": b"sep=;\r\n" + SEMICOLONS,
    "a decimal comma": SEMICOLONS.replace(b"10.50", b"10,50").replace(b"20.00", b"20,00"),
    "all cells in quotes": b"\n".join(
        b",".join(b'"' + cell + b'"' for cell in line.split(b","))
        for line in PLAIN.split(b"\n")[:2]
    )
    + b"\n"
    + BOB.encode()
    + b"\n",
    "cells in single quotes": b"\n".join(
        b",".join(b"'" + cell + b"'" for cell in line.split(b","))
        for line in PLAIN.strip().split(b"\n")
    )
    + b"\n",
    "header in capitals with spaces": PLAIN.replace(
        HEADER.encode(), b"REFERENCE, Name ,Country,Currency,AMOUNT,Method,Account Number,Memo"
    ),
    "blanks around cells": PLAIN.replace(b"Ann", b"  Ann\xc2\xa0").replace(b",EUR,", b", EUR\t,"),
    "a total that fits": PLAIN + b"TOTAL,,,,30.50,,,\n",
    "a count and a total of another width": PLAIN + b"Total:,2,30.50\n",
}


@pytest.mark.parametrize("content", READ_ALIKE.values(), ids=list(READ_ALIKE))
def test_a_dialect_changes_nothing_of_what_is_read(tmp_path: Path, content: bytes) -> None:
    plain = items(look(tmp_path, PLAIN, "plain.csv"))

    found = look(tmp_path, content)

    assert found.lines == 2
    assert items(found) == plain
    assert problems_of(found) == []
