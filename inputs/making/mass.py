"""A mass disbursement: 5,000 SEPA lines at month end, five of them bad."""

from __future__ import annotations

from typing import Final

from inputs.making.draw import Draw
from inputs.making.payees import sepa, sepa_company
from inputs.making.sample import Row, Sample, csv_text

__all__ = ["BAD", "sample"]

_COLUMNS: Final = (
    *("reference", "name", "country", "currency", "amount", "method", "account", "description"),
)
_LINES: Final = 5000
_COUNTRIES: Final = ("DE", "DE", "DE", "FR", "FR", "ES", "ES", "IT", "IT", "NL", "BE", "AT", "PT")
_SMALL: Final = ("IE", "FI")

BAD: Final = {
    701: ({"amount": "120.5.0"}, "E_AMOUNT_FORMAT"),
    1502: ({"account": "TR330006100519786457841326"}, "E_SEPA_SCOPE"),
    2303: ({"name": ""}, "E_REQUIRED_MISSING"),
    3404: ({"country": "Europe"}, "E_COUNTRY_EUROPE"),
    4805: ({"account": "DE89370400440532013001", "country": "DE"}, "E_IBAN_CHECK_DIGITS"),
}
"""Line number in the file → what is wrong there, and its code."""


def sample() -> Sample:
    """The file, with the codes of its bad lines."""
    draw = Draw("month end")
    rows = [_row(number, draw) for number in range(1, _LINES + 1)]
    for line, (changes, _) in BAD.items():
        rows[line - 2] |= changes
    return Sample(
        "mass_disbursement.csv",
        csv_text(_COLUMNS, rows).encode(),
        f"a month end, {_LINES:,} SEPA lines to suppliers and people in"
        f" {len({*_COUNTRIES, *_SMALL})} countries; {len(BAD)} lines are rejected. Exit code 3.",
        lines=_LINES,
        codes={line: (code,) for line, (_, code) in BAD.items()},
    )


def _row(number: int, draw: Draw) -> Row:
    country = draw.one((*_COUNTRIES, *_SMALL))
    supplier = draw.below(3) == 0
    payee = (sepa_company if supplier else sepa)(country, draw)
    cents = draw.between(15000, 980000) if supplier else draw.between(2500, 240000)
    words = f"Invoice {draw.between(10000, 99999)}" if supplier else "Settlement November 2026"
    return payee | {
        "reference": f"ME-2026-11-{number:05d}",
        "amount": f"{cents // 100}.{cents % 100:02d}",
        "description": words,
    }
