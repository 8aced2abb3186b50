"""A spreadsheet that has turned account numbers into numbers, and the same saved as CSV."""

from __future__ import annotations

from typing import Final

from inputs.making import checkdigits
from inputs.making.sample import Row, Sample, csv_text
from inputs.making.workbook import Cell, workbook

__all__ = ["COLUMNS", "sample", "saved"]

COLUMNS: Final = (
    *("reference", "name", "country", "currency", "amount", "method", "account", "bank_code"),
    *("document", "document_kind", "network"),
)
_CLABE: Final = checkdigits.clabe("012180" + "04118359719")
_RFC: Final = "RECL800101AB1"
_GHANA: Final = "030100"
_CPF: Final = checkdigits.cpf("012345678")
_GOOD: Final = ("XL-1", "Ana Souza Lima", "BR", "BRL", "120.50", "pix", "ana.lima@example.com")


def sample() -> Sample:
    """Three accounts are numbers in their cells, one has lost its zeros, one is 1.2E+15."""
    rows: list[list[Cell]] = [
        list(COLUMNS),
        [*_GOOD, "", _CPF, "CPF", ""],
        ["XL-2", "Luis Reyes Cruz", "MX", "MXN", 1850, "spei", float(_CLABE), "", "", "", ""],
        ["XL-3", "Kofi Mensah", "GH", "GHS", 310, "bank_transfer", 1441000123456, "30100"],
        [
            "XL-4",
            "Rafael Costa Rocha",
            "BR",
            "BRL",
            88.2,
            "pix",
            "rafa@example.com",
            "",
            int(_CPF),
            "CPF",
        ],
        ["XL-5", "Tunde Bello", "NG", "NGN", 45000, "bank_transfer", "1.2E+15", "058"],
    ]
    return Sample(
        "excel_damage.xlsx",
        workbook(rows),
        "what a spreadsheet does to account numbers that are typed as numbers: lost zeros, lost"
        " last digits, `1.2E+15`. The file is refused and the cells are named. Exit code 4.",
        refused="E_FILE_ACCOUNT_NUMERIC",
    )


def saved() -> Sample:
    """The same table saved as CSV: now only the lines are damaged, and each says how."""
    anna, rafa = "ana.lima@example.com", "rafa@example.com"
    pix, spei, bank = {"method": "pix"}, {"method": "spei"}, {"method": "bank_transfer"}
    clabe, cpf = _CLABE.lstrip("0"), _CPF.lstrip("0")
    rows = [
        _row("XL-1", "Ana Souza Lima", "BR", amount="120.50", account=anna, document=_CPF, **pix),
        _row("XL-2", "Luis Reyes Cruz", "MX", amount="1850", account=clabe, document=_RFC, **spei),
        _row(
            "XL-3", "Ama Owusu", "GH", amount="310", account="1.441E+12", bank_code=_GHANA, **bank
        ),
        _row("XL-4", "Rafael Costa", "BR", amount="88.20", account=rafa, document=cpf, **pix),
        _row("XL-5", "Tunde Bello", "NG", amount="45000", account="#N/A", bank_code="058", **bank),
    ]
    return Sample(
        "damaged/spreadsheet_saved_as.csv",
        csv_text(COLUMNS, rows).encode(),
        "a damaged sheet saved as CSV: each damaged line is rejected and says what was done to it.",
        lines=len(rows),
        codes={
            3: ("E_CLABE_FORMAT", "E_SPREADSHEET_ZEROS"),
            4: ("E_ACCOUNT_SPREADSHEET", "E_SPREADSHEET_EXPONENT"),
            5: ("E_CPF_FORMAT", "E_SPREADSHEET_ZEROS"),
            6: ("E_NUBAN_FORMAT", "E_SPREADSHEET_ERROR"),
        },
    )


_CURRENCY: Final = {"BR": "BRL", "MX": "MXN", "GH": "GHS", "NG": "NGN"}
_KIND: Final = {"BR": "CPF", "MX": "RFC"}


def _row(reference: str, name: str, country: str, **cells: str) -> Row:
    money = {"country": country, "currency": _CURRENCY[country]}
    kind = {"document_kind": _KIND.get(country, "")}
    return {"reference": reference, "name": name} | money | kind | cells
