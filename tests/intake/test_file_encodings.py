"""Encodings are decided only when the bytes prove them, and then said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.core.errors import FileRefusedError
from payouts.intake.reader import chunks
from payouts.intake.survey import survey
from payouts.intake.text import is_utf8

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "reference,name,country,currency,amount,method\n"


def put(folder: Path, name: str, country: str, encoding: str) -> Path:
    path = folder / "payees.csv"
    path.write_bytes(f"{HEADER}r-1,{name},{country},XXX,10.50,cash\n".encode(encoding))
    return path


def name_of(path: Path, encoding: str | None = None) -> str:
    (chunk,) = chunks(survey(path, encoding=encoding))
    return str(chunk.lines["name"].item())


@pytest.mark.parametrize(
    ("name", "country"),
    [
        ("Zoë Müller", "DE"),
        ("JOSÉ GARCÍA", "ES"),
        ("François Été", "FR"),
        ("Hans Groß", "AT"),
        ("Peña Núñez", "MX"),
        ("João Conceição", "BR"),
        ("Hélène Kèré", "BF"),
    ],
)
def test_windows_1252_is_read_where_it_is_certain(tmp_path: Path, name: str, country: str) -> None:
    path = put(tmp_path, name, country, "cp1252")

    assert name_of(path) == name
    assert "The text is Windows-1252." in survey(path).notes


@pytest.mark.parametrize(
    ("name", "country", "encoding"),
    [
        ("Peña", "DE", "cp1252"),  # in a Polish or Czech page the same byte is ń
        ("Zieliński", "PL", "cp1250"),
        ("Dvořák", "CZ", "cp1250"),
        ("Kovács Őrs", "HU", "cp1250"),
        ("Çağla Gülşah", "TR", "cp1254"),
        ("Παπαδόπουλος", "GR", "cp1253"),
        ("Иван Петров", "BG", "cp1251"),
        ("José", "MX", "cp850"),
        ("José", "MX", "mac_roman"),
        ("山田", "JP", "shift_jis"),
    ],
)
def test_what_other_code_pages_read_otherwise_is_refused(
    tmp_path: Path, name: str, country: str, encoding: str
) -> None:
    """A name that is read wrongly is a payment that comes back, or goes to somebody else."""
    with pytest.raises(FileRefusedError) as caught:
        survey(put(tmp_path, name, country, encoding))

    assert caught.value.code == "E_FILE_ENCODING"
    assert "line 2" in str(caught.value)


def test_utf_8_with_one_broken_byte_is_not_taken_for_a_code_page(tmp_path: Path) -> None:
    path = put(tmp_path, "José Zoë", "MX", "utf-8")
    path.write_bytes(path.read_bytes().replace("ë".encode(), b"\xeb"))

    with pytest.raises(FileRefusedError) as caught:
        survey(path)

    assert caught.value.code == "E_FILE_ENCODING"


def test_a_pipeline_can_name_the_encoding(tmp_path: Path) -> None:
    path = put(tmp_path, "Çağla Gülşah", "TR", "cp1254")

    assert name_of(path, "cp1254") == "Çağla Gülşah"


def test_a_byte_that_the_named_encoding_lacks_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, "Zoë", "DE", "cp1252")
    path.write_bytes(path.read_bytes().replace(b"Zo", b"\x81"))

    with pytest.raises(FileRefusedError) as caught:
        survey(path, encoding="cp1252")

    assert caught.value.code == "E_FILE_ENCODING"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_letters_of_any_script_survive_unicode(tmp_path: Path, encoding: str) -> None:
    assert name_of(put(tmp_path, "Çağla 山田 Ørsted", "TR", encoding)) == "Çağla 山田 Ørsted"


PARTS = (b"A", b"\x80", b"\xbf", b"\xc0", b"\xc2", b"\xe0\x80", b"\xed\xa0", b"\xed\x9f", b"\xf0\x9f",
         b"\xf4\x90", b"\xff", "é".encode(), "😀".encode(), "\ufffd".encode())  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), max_size=6).map(b"".join))
def test_bytes_are_utf8_where_python_says_so(data: bytes) -> None:
    """Also at the edges: overlong forms, surrogates, what lies beyond the last plane."""
    try:
        data.decode()
    except UnicodeDecodeError:
        expected = False
    else:
        expected = True

    assert is_utf8(data) is expected
