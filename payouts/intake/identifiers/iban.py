"""IBAN: country, two check digits and a national account number of a fixed shape.

>>> accounts = ["de89 3704 0044 0532 0130 00", "DE89370400440532013001", "DE8937040044053201300"]
>>> frame = pl.DataFrame({"account": accounts})
>>> frame.select(problem(normalised(pl.col("account")))).to_series().to_list()
[None, 'E_IBAN_CHECK_DIGITS', 'E_IBAN_LENGTH']
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, byte_table, judged

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "LONGEST",
    "REGISTERED",
    "UNREGISTERED",
    "check_digits",
    "completed",
    "normalised",
    "problem",
]

LONGEST: Final = 34

REGISTERED: Final[dict[str, str]] = {
    "AD": "8n12c",
    "AE": "19n",
    "AL": "8n16c",
    "AT": "16n",
    "AZ": "4a20c",
    "BA": "16n",
    "BE": "12n",
    "BG": "4a6n8c",
    "BH": "4a14c",
    "BI": "23n",
    "BR": "23n1a1c",
    "BY": "4c4n16c",
    "CH": "5n12c",
    "CR": "18n",
    "CY": "8n16c",
    "CZ": "20n",
    "DE": "18n",
    "DJ": "23n",
    "DK": "14n",
    "DO": "4c20n",
    "EE": "16n",
    "EG": "25n",
    "ES": "20n",
    "FI": "14n",
    "FK": "2a12n",
    "FO": "14n",
    "FR": "10n11c2n",
    "GB": "4a14n",
    "GE": "2a16n",
    "GI": "4a15c",
    "GL": "14n",
    "GR": "7n16c",
    "GT": "24c",
    "HN": "4a20n",
    "HR": "17n",
    "HU": "24n",
    "IE": "4a14n",
    "IL": "19n",
    "IQ": "4a15n",
    "IS": "22n",
    "IT": "1a10n12c",
    "JO": "4a4n18c",
    "KW": "4a22c",
    "KZ": "3n13c",
    "LB": "4n20c",
    "LC": "4a24c",
    "LI": "5n12c",
    "LT": "16n",
    "LU": "3n13c",
    "LV": "4a13c",
    "LY": "21n",
    "MC": "10n11c2n",
    "MD": "20c",
    "ME": "18n",
    "MK": "3n10c2n",
    "MN": "16n",
    "MR": "23n",
    "MT": "4a5n18c",
    "MU": "4a19n3a",
    "NI": "4a20n",
    "NL": "4a10n",
    "NO": "11n",
    "OM": "3n16c",
    "PK": "4a16c",
    "PL": "24n",
    "PS": "4a21c",
    "PT": "21n",
    "QA": "4a21c",
    "RO": "4a16c",
    "RS": "18n",
    "RU": "14n15c",
    "SA": "2n18c",
    "SC": "4a20n3a",
    "SD": "14n",
    "SE": "20n",
    "SI": "15n",
    "SK": "20n",
    "SM": "1a10n12c",
    "SO": "19n",
    "ST": "21n",
    "SV": "4a20n",
    "TL": "19n",
    "TN": "20n",
    "TR": "6n16c",
    "UA": "6n19c",
    "VA": "18n",
    "VG": "4a16n",
    "XK": "16n",
    "YE": "4a4n18c",
}
"""Shape of the national part by country (n digits, a letters, c either): SWIFT's IBAN registry."""

UNREGISTERED: Final[dict[str, str]] = {
    "AO": "21n",
    "AX": "14n",
    "BF": "2c22n",
    "BJ": "2c22n",
    "BL": "10n11c2n",
    "CF": "23n",
    "CG": "23n",
    "CI": "2c22n",
    "CM": "23n",
    "CV": "21n",
    "DZ": "22n",
    "GA": "23n",
    "GF": "10n11c2n",
    "GG": "4a14n",
    "GP": "10n11c2n",
    "GQ": "23n",
    "GW": "2c19n",
    "IM": "4a14n",
    "IR": "22n",
    "JE": "4a14n",
    "KM": "23n",
    "MA": "24n",
    "MF": "10n11c2n",
    "MG": "23n",
    "ML": "2c22n",
    "MQ": "10n11c2n",
    "MZ": "21n",
    "NC": "10n11c2n",
    "NE": "2c22n",
    "PF": "10n11c2n",
    "PM": "10n11c2n",
    "RE": "10n11c2n",
    "SN": "2c22n",
    "TD": "23n",
    "TF": "10n11c2n",
    "TG": "2c22n",
    "WF": "10n11c2n",
    "YT": "10n11c2n",
}
"""Shapes in use in countries that have not registered theirs: right in form, so only warned of.

Territories stand here too: their accounts are written with the code of the mother country, which
is in the registry.
"""

_CODES = (
    "E_IBAN_CHECK_DIGITS",
    "E_IBAN_STRUCTURE",
    "E_IBAN_LENGTH",
    "E_IBAN_COUNTRY",
    "E_IBAN_CHARACTERS",
)
_WARN, _CHECK, _STRUCTURE, _LENGTH, _COUNTRY, _CHARACTERS = range(1, 7)


def normalised(account: pl.Expr) -> pl.Expr:
    """Upper case, no blanks, dots or dashes, no leading word `IBAN`; null stays null."""
    return text.upper(text.compact(account)).str.strip_prefix("IBAN").str.strip_prefix(":")


def problem(account: pl.Expr, *, unregistered: str | None = "W_IBAN_UNREGISTERED") -> pl.Expr:
    """The code of what is wrong with a normalised IBAN, or null; null stays null.

    Length and shape by country (SWIFT's IBAN registry), then ISO 7064 mod 97-10 over the whole
    with check digits 02 to 98 only, since 00, 01 and 99 are never given out (ISO 13616). A country
    outside the registry whose shape is known is a warning.

    Args:
        unregistered: what to say of such a country, null where it is the rule.

    Oracle: schwifty and stdnum on valid and damaged accounts of every country
    (tests/intake/identifiers/test_iban.py, which also says where the two are wrong).
    """
    return judged(account, LONGEST + 1, _judge, (None, unregistered, *_CODES))


def check_digits(country: str, national: str) -> str:
    """The two check digits of one account: 98 minus the number's remainder by 97 (ISO 7064).

    >>> check_digits("DE", "370400440532013000")
    '89'
    """
    number = "".join(str(int(character, 36)) for character in f"{national}{country}00")
    return f"{98 - int(number) % 97:02d}"


def completed(country: pl.Expr, national: pl.Expr) -> pl.Expr:
    """The IBAN of a national account number; null where either is null.

    >>> frame = pl.DataFrame({"country": ["DE"], "national": ["370400440532013000"]})
    >>> frame.select(completed(pl.col("country"), pl.col("national"))).item()
    'DE89370400440532013000'
    """
    digits = (country + "00" + national).map_batches(
        _check_digits, return_dtype=pl.String, is_elementwise=True
    )
    return country + digits + national


def _check_digits(unfinished: pl.Series) -> pl.Series:
    """The check digits of IBANs that have 00 in their place."""
    remainder = _remainder(byte_table(unfinished, LONGEST + 1))
    digits = pl.Series(unfinished.name, 98 - remainder).cast(pl.String).str.zfill(2)
    return digits.zip_with(unfinished.is_not_null(), pl.Series([None], dtype=pl.String))


# What a byte may be, as bits: a shape allows a position one, two or none of them.
_DIGIT, _LETTER, _END = 1, 2, 4
_CLASS = np.zeros(256, np.uint8)
_CLASS[48:58] = _DIGIT
_CLASS[65:91] = _LETTER
_CLASS[0] = _END

# Appending a character to a number: a digit multiplies by ten, a letter (A = 10 … Z = 35) by a
# hundred, the end of the text leaves it as it is.
_TIMES = np.ones(256, np.int64)
_TIMES[48:58] = 10
_TIMES[65:91] = 100
_PLUS = np.zeros(256, np.int64)
_PLUS[48:58] = np.arange(10)
_PLUS[65:91] = np.arange(10, 36)

_ALLOWS = {"n": _DIGIT, "a": _LETTER, "c": _DIGIT | _LETTER}


def _shapes() -> tuple[Bytes, NDArray[np.uint8], NDArray[np.uint8]]:
    """Row by two letters, and per row the length and what each position allows; row 0: unknown."""
    countries = [*REGISTERED, *UNREGISTERED]
    rows = np.zeros((256, 256), np.uint8)
    lengths = np.zeros(len(countries) + 1, np.uint8)
    allowed = np.full((len(countries) + 1, LONGEST + 1), _END, np.uint8)
    for row, country in enumerate(countries, start=1):
        shape = "2a2n" + (REGISTERED.get(country) or UNREGISTERED[country])
        classes = [
            _ALLOWS[letter]
            for count, letter in re.findall(r"([0-9]+)([nac])", shape)
            for _ in range(int(count))
        ]
        rows[ord(country[0]), ord(country[1])] = row
        lengths[row] = len(classes)
        allowed[row, : len(classes)] = classes
    return rows, lengths, allowed


_ROWS, _LENGTHS, _ALLOWED = _shapes()
_FIRST_UNREGISTERED = len(REGISTERED) + 1


def _judge(table: Bytes) -> Index:
    """One index into `_CODES` per row of `LONGEST` + 1 bytes."""
    classes = _CLASS[table]
    row = _ROWS[table[:, 0], table[:, 1]]
    length = (classes != _END).sum(axis=1)
    index = np.zeros(len(table), np.uint8)
    index[row >= _FIRST_UNREGISTERED] = _WARN
    index[_remainder(table) != 1] = _CHECK
    index[~_has_possible_check_digits(table)] = _CHECK
    index[((classes & _ALLOWED[row]) == 0).any(axis=1)] = _STRUCTURE
    index[length != _LENGTHS[row]] = _LENGTH
    index[row == 0] = _COUNTRY
    index[(classes == 0).any(axis=1) | (length == 0)] = _CHARACTERS
    return index


def _has_possible_check_digits(table: Bytes) -> NDArray[np.bool_]:
    """True for 02 to 98."""
    number = (table[:, 2] - np.uint8(48)).astype(np.int16) * 10 + (table[:, 3] - np.uint8(48))
    return (number >= 2) & (number <= 98)  # noqa: PLR2004  ISO 13616


def _remainder(table: Bytes) -> NDArray[np.int64]:
    """The remainder by 97 with the first four characters moved to the end.

    The first eight letters after a reduction multiply by at most 100 each, which stays within 63
    bits: 97 times 100 to the eighth is below 2 to the 63rd.
    """
    columns = np.ascontiguousarray(table.T)
    total = np.zeros(len(table), np.int64)
    for step, position in enumerate([*range(4, LONGEST), 0, 1, 2, 3], start=1):
        column = columns[position]
        total *= _TIMES[column]
        total += _PLUS[column]
        if step % 8 == 0:
            total %= 97
    return total % 97
