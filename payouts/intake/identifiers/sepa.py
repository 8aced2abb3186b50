"""SEPA scope: the countries and territories that a euro credit transfer can reach.

>>> frame = pl.DataFrame({"country": ["DE", "RE", "XK", "MD"]})
>>> frame.select(in_scope(pl.col("country"), on=date(2026, 11, 20))).to_series().to_list()
[True, True, False, True]
"""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

__all__ = ["MEMBERS", "SCOPE", "TERRITORIES", "in_scope", "problem"]

_START = date(2008, 1, 28)

MEMBERS: Final[dict[str, date]] = {
    **dict.fromkeys(
        [
            "AT",
            "BE",
            "BG",
            "CY",
            "CZ",
            "DE",
            "DK",
            "EE",
            "ES",
            "FI",
            "FR",
            "GR",
            "HR",
            "HU",
            "IE",
            "IT",
            "LT",
            "LU",
            "LV",
            "MT",
            "NL",
            "PL",
            "PT",
            "RO",
            "SE",
            "SI",
            "SK",
            "IS",
            "LI",
            "NO",
            "CH",
            "MC",
            "SM",
            "GB",
        ],
        _START,
    ),
    "AD": date(2019, 3, 1),
    "VA": date(2019, 3, 1),
    "AL": date(2025, 10, 5),
    "ME": date(2025, 10, 5),
    "MD": date(2025, 10, 5),
    "MK": date(2025, 10, 5),
    "RS": date(2026, 5, 1),
}
"""The 41 countries and the day from which payments reach them (European Payments Council).

The founding members stand with the scheme's first day: only later joiners need their own.
"""

TERRITORIES: Final[dict[str, str]] = {
    "AX": "FI",
    "BL": "FR",
    "GF": "FR",
    "GG": "GB",
    "GI": "GI",
    "GP": "FR",
    "IM": "GB",
    "JE": "GB",
    "MF": "FR",
    "MQ": "FR",
    "PM": "FR",
    "RE": "FR",
    "YT": "FR",
}
"""Territories in the scope, with the country code their IBANs begin with."""

SCOPE: Final = frozenset(MEMBERS) | frozenset(TERRITORIES)


def in_scope(country: pl.Expr, *, on: date) -> pl.Expr:
    """True where `country` (alpha-2) can be paid by SEPA on a day; null stays null.

    Own dated table (European Payments Council, November 2026): schwifty lacks AL ME MD MK RS and
    says yes to NC PF WF TF (tests/intake/identifiers/test_sepa.py).
    """
    reached = {code for code, since in MEMBERS.items() if since <= on} | set(TERRITORIES)
    return country.is_in(sorted(reached))


def problem(iban: pl.Expr, country: pl.Expr) -> pl.Expr:
    """`E_SEPA_SCOPE` for the IBAN of a country that SEPA does not reach.

    `W_IBAN_OTHER_COUNTRY` where the account is in another country than the line says: common, and
    right for a payee who lives abroad. Null stays null.
    """
    home = iban.str.slice(0, 2)
    stated = country.replace(TERRITORIES)
    return (
        pl.when(~home.is_in(sorted(SCOPE)))
        .then(pl.lit("E_SEPA_SCOPE"))
        .when((home.replace(TERRITORIES) != stated) & stated.is_in(sorted(SCOPE)))
        .then(pl.lit("W_IBAN_OTHER_COUNTRY"))
    )
