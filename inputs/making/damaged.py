"""Small damaged files, one kind of damage each, as RELIABILITY §5 lists them."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final

from inputs.making import spreadsheet
from inputs.making.sample import Sample
from inputs.making.workbook import Formula, workbook

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["samples"]

_HEADER: Final = "reference,name,country,currency,amount,method,account,description"
_ANNA: Final = "D-1,Anna Weber,DE,EUR,10.50,sepa,DE89370400440532013000,week 47"
_JONAS: Final = "D-2,Jonas Becker,DE,EUR,20.00,sepa,DE75512108001245126199,week 47"
_CELLS: Final = tuple(_HEADER.split(","))


def _text(*lines: str, end: str = "\n") -> bytes:
    return (end.join((_HEADER, *lines)) + end).encode()


_PLAIN: Final = _text(_ANNA, _JONAS)
_SEMICOLONS: Final = _PLAIN.replace(b",", b";")


def samples() -> list[Sample]:
    """All of them, those that are refused first."""
    return [
        *(
            Sample(f"damaged/{name}", content, says, refused=code)
            for name, content, code, says in _refused()
        ),
        *(Sample(f"damaged/{name}", content, says, lines=2) for name, content, says in _read()),
        *_with_lines(),
    ]


def _refused() -> Iterator[tuple[str, bytes, str, str]]:
    """Name, content, code, sentence."""
    yield "empty.csv", b"", "E_FILE_EMPTY", "no bytes at all."
    yield "header_only.csv", _text(), "E_FILE_NO_ROWS", "a header and nothing below."
    yield "cut_short.csv", _PLAIN[:-30], "E_FILE_CUT", "the copy stopped in the middle of a line."
    yield "nul_byte.csv", _PLAIN.replace(b"Jonas", b"Jo\0as"), "E_FILE_NUL", "a NUL byte in a name."
    yield (
        "open_quote.csv",
        _text(_ANNA, _JONAS.replace("Jonas", '"Jonas')),
        "E_FILE_QUOTE",
        "a quote that never closes.",
    )
    yield "compressed.csv", _gzip(_PLAIN), "E_FILE_MAGIC", "a gzip archive that is called .csv."
    yield (
        "web_page.csv",
        b"<!DOCTYPE html>\n<html><body><table><tr><td>amount</td></tr></table></body></html>\n",
        "E_FILE_MAGIC",
        "a web page that is called .csv, as a log-in form saves it.",
    )
    yield (
        "entities.csv",
        b'<?xml version="1.0"?>\n<!DOCTYPE Document [<!ENTITY a SYSTEM "file:///etc/hostname">]>\n<Document>&a;</Document>\n',
        "E_FILE_XML_DTD",
        "XML that declares entities.",
    )
    yield (
        "turkish_code_page.csv",
        _PLAIN.replace(b"Anna Weber", "Gülşah Özdoğan".encode("cp1254")),
        "E_FILE_ENCODING",
        "bytes of a code page that nothing proves.",
    )
    yield (
        "no_header.csv",
        f"{_ANNA}\n{_JONAS}\n".encode(),
        "E_FILE_HEADER_MISSING",
        "the first line is a payment already.",
    )
    yield (
        "title_above_header.csv",
        b"Payments of November\n\n" + _PLAIN,
        "E_FILE_HEADER_LATE",
        "a title above the column names.",
    )
    yield (
        "unnamed_column.csv",
        _PLAIN.replace(b"\n", b",\n"),
        "E_FILE_HEADER_EMPTY",
        "an empty last column.",
    )
    yield (
        "duplicate_column.csv",
        _PLAIN.replace(b"description", b"Amount", 1),
        "E_FILE_HEADER_DUPLICATE",
        "the column amount stands twice.",
    )
    yield (
        "unknown_column.csv",
        _PLAIN.replace(b"account", b"accuont_number", 1),
        "E_FILE_COLUMN_UNKNOWN",
        "a column name with a typing error; the message says which was meant.",
    )
    yield (
        "missing_column.csv",
        _PLAIN.replace(b"currency", b"email", 1),
        "E_FILE_COLUMN_MISSING",
        "no currency.",
    )
    yield (
        "many_columns.csv",
        (",".join((_HEADER, *(f"extra_{n}" for n in range(1000)))) + "\n").encode(),
        "E_FILE_COLUMNS",
        "more than a thousand columns.",
    )
    yield (
        "ambiguous_amounts.csv",
        _SEMICOLONS.replace(b"10.50", b"1,234").replace(b"20.00", b"7"),
        "E_FILE_DECIMAL_AMBIGUOUS",
        "`1,234` can be two amounts, and no other line proves which.",
    )
    yield (
        "two_decimal_marks.csv",
        _SEMICOLONS.replace(b"10.50", b"10,50"),
        "E_FILE_DECIMAL_MIXED",
        "a decimal comma in one line, a point in the next.",
    )
    yield (
        "wrong_total.csv",
        _text(_ANNA, _JONAS, "TOTAL,,,,30.51,,,"),
        "E_FILE_TRAILER",
        "a total line that is a cent off.",
    )
    yield (
        "card_numbers.csv",
        _text("D-1,Bruno Lima Costa,BR,BRL,10.50,cards,4111 1111 1111 1111,"),
        "E_FILE_CARDS",
        "a (published test) card number where a token belongs.",
    )
    yield (
        "formula.xlsx",
        workbook(
            [
                _CELLS,
                _ANNA.split(","),
                [*_JONAS.split(",")[:4], Formula("E2*2"), *_JONAS.split(",")[5:]],
            ]
        ),
        "E_FILE_XLSX_FORMULA",
        "an amount that is a formula.",
    )
    yield (
        "hidden_row.xlsx",
        workbook([_CELLS, _ANNA.split(","), _JONAS.split(",")], hidden_row=3),
        "E_FILE_XLSX_HIDDEN",
        "a row that nobody sees.",
    )
    yield (
        "bomb.xlsx",
        _lying(workbook([_CELLS, _ANNA.split(",")])),
        "E_FILE_ZIP_BOMB",
        "a workbook whose directory promises four gigabytes (it has none).",
    )
    yield (
        "broken.xlsx",
        workbook([_CELLS, _ANNA.split(",")])[:-40],
        "E_FILE_DAMAGED",
        "a workbook without its end.",
    )
    yield (
        "broken.parquet",
        b"PAR1" + bytes(64) + b"PAR1",
        "E_FILE_DAMAGED",
        "a Parquet file with nothing in it that can be read.",
    )


def _read() -> Iterator[tuple[str, bytes, str]]:
    """Name, content, sentence: each gives the same two lines."""
    yield "old_macintosh.csv", _PLAIN.replace(b"\n", b"\r"), "lines end with CR alone."
    yield "mixed_line_ends.csv", _PLAIN.replace(b"\n", b"\r\n", 1), "CRLF and LF mixed."
    yield "byte_order_mark.csv", b"\xef\xbb\xbf" + _PLAIN, "a byte order mark in front."
    yield (
        "utf16.csv",
        b"\xff\xfe" + _PLAIN.replace(b",", b"\t").decode().encode("utf-16-le"),
        "UTF-16 with tabs: Excel's Unicode text.",
    )
    yield (
        "windows_1252.csv",
        _PLAIN.replace(b"Anna Weber", "Anna Köhler".encode("cp1252")),
        "a Windows code page that the file itself proves.",
    )
    yield (
        "semicolons.csv",
        _SEMICOLONS.replace(b"10.50", b"10,50").replace(b"20.00", b"20,00"),
        "semicolons and decimal commas, as in most of Europe.",
    )
    yield (
        "blank_lines.csv",
        _text(_ANNA, "", ",,,,,,,", _JONAS),
        "blank lines between, which are counted as blank.",
    )
    yield (
        "good_total.csv",
        _PLAIN + b"TOTAL,,,,30.50,,,\n",
        "a total line that fits; it is no payment.",
    )


def _with_lines() -> Iterator[Sample]:
    """Files that are read, some lines of which are not paid."""
    yield Sample(
        "damaged/fields.csv",
        _text(
            _ANNA,
            "D-3,Petra Klein,DE,EUR,12.00,sepa",
            _JONAS,
            "D-4,Koch, Jan,DE,EUR,9.00,sepa,DE02120300000000202051,x",
        ),
        "a line with a field missing and one with a comma too many: both are rejected.",
        lines=4,
        codes={3: ("E_LINE_FIELDS",), 5: ("E_LINE_FIELDS",)},
    )
    yield Sample(
        "damaged/same_reference.csv",
        _text(_ANNA, _ANNA, _JONAS, _JONAS.replace("20.00", "21.00")),
        "one reference twice: an equal line is a duplicate and paid once, unequal ones conflict and"
        " none is paid.",
        lines=4,
        repeats={3: "duplicate", 4: "conflict", 5: "conflict"},
    )
    bare = [line.partition(",")[2] for line in (_HEADER, _ANNA, _ANNA, _JONAS)]
    yield Sample(
        "damaged/no_reference.csv",
        ("\n".join(bare) + "\n").encode(),
        "no reference column: the second of two equal lines waits until somebody releases it.",
        lines=3,
        repeats={3: "repeated_without_reference"},
    )
    yield Sample(
        "damaged/line_break_in_a_cell.csv",
        _PLAIN.replace(b"week 47\nD-2", b'"week\n47"\nD-2'),
        "a line break inside quotes: the lines are counted right, and only that one is rejected.",
        lines=2,
        codes={2: ("E_DESCRIPTION_CONTROL", "W_DESCRIPTION_TRANSLITERATED")},
    )
    yield spreadsheet.saved()
    amounts = {
        "10.005": "E_AMOUNT_PRECISION",
        "1e3": "E_AMOUNT_FORMAT",
        "$10": "E_AMOUNT_FORMAT",
        "(10)": "E_AMOUNT_FORMAT",
        "+10": "E_AMOUNT_FORMAT",
        "NaN": "E_AMOUNT_FORMAT",
        ".5": "E_AMOUNT_FORMAT",
        "\uff11\uff10": "E_AMOUNT_FORMAT",  # full-width digits
        "-10": "E_AMOUNT_NEGATIVE",
        "0": "E_AMOUNT_ZERO",
        "99999999999999999999": "E_AMOUNT_RANGE",
    }
    yield Sample(
        "damaged/amounts.csv",
        _text(
            *(
                _ANNA.replace("10.50", amount).replace("D-1", f"D-{n}")
                for n, amount in enumerate(amounts)
            )
        ),
        "amounts that are none: never guessed, never rounded.",
        lines=len(amounts),
        codes={line: (code,) for line, code in enumerate(amounts.values(), 2)},
    )
    names = {
        "=1+1 Weber": ("W_NAME_MARKUP",),
        "<b>Weber</b>": ("W_NAME_MARKUP",),
        "Anna \u202ereb": ("W_NAME_BIDI",),
        "12345": ("E_NAME_LETTERS",),
        "\u5c71\u7530": ("E_NAME_SCRIPT",),  # Yamada
    }
    yield Sample(
        "damaged/names.csv",
        _text(
            *(
                _ANNA.replace("Anna Weber", name).replace("D-1", f"D-{n}")
                for n, name in enumerate(names)
            )
        ),
        "names with formulas, markup and invisible characters: kept as plain text, with a warning;"
        " what cannot be written in SEPA is rejected.",
        lines=len(names),
        codes=dict(enumerate(names.values(), 2)),
    )
    yield Sample(
        "damaged/objects.jsonl",
        _objects(
            '"reference": "D-1", "country": "DE", "currency": "EUR", "amount": "10.50"',
            '"reference": "D-2", "country": "GH", "currency": "GHS", "amount": "20.00"',
            '"reference": "D-3", "country": "DE", "currency": "EUR", "amount": "9.00"',
        ),
        "JSON Lines with an account that is a number, a key that stands twice, and a cut object.",
        lines=4,
        codes={2: ("E_LINE_NUMBER",), 3: ("E_LINE_JSON_KEY",), 4: ("E_LINE_JSON",)},
    )


def _objects(first: str, second: str, third: str) -> bytes:
    """Four lines of JSON: a good one, an account without quotes, a key twice, and a cut one."""
    to_anna = '"name": "Anna Weber", "method": "sepa", "account": "DE89370400440532013000"'
    to_kofi = '"name": "Kofi Mensah", "method": "mobile_money", "account": 244123456'
    objects = (
        f"{{{first}, {to_anna}}}",
        f"{{{second}, {to_kofi}}}",
        f'{{"reference": "D-0", {third}, {to_anna}}}',
        '{"reference": "D-4", "name": "Jan Koch",',
    )
    return ("\n".join(objects) + "\n").encode()


def _gzip(plain: bytes) -> bytes:
    """A gzip file with stored blocks, so that no library's choices show (RFC 1952, RFC 1951)."""
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    block = struct.pack("<BHH", 1, len(plain), len(plain) ^ 0xFFFF) + plain
    return head + block + struct.pack("<II", zlib.crc32(plain), len(plain))


def _lying(made: bytes) -> bytes:
    """The directory entry of the last part says that it unpacks to four gigabytes."""
    entry = made.rfind(b"PK\x01\x02")
    return made[: entry + 24] + struct.pack("<I", 0xFFFF_FF00) + made[entry + 28 :]
