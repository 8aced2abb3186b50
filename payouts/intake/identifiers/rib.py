"""RIB: the national account number inside the IBANs of the two CFA franc zones.

>>> accounts = ["CI93 CI008 01113 011342912005 89", "BJ0610100100144390000769", "DE89370400440532013000"]
>>> frame = pl.DataFrame({"account": accounts, "country": ["CI", "BJ", "CI"]})
>>> account = normalised(pl.col("account"), pl.col("country"))
>>> frame.select(account).to_series().to_list()
['CI93CI0080111301134291200589', 'BJ66BJ0610100100144390000769', 'DE89370400440532013000']
>>> frame.select(problem(account, pl.col("country"))).to_series().to_list()
[None, None, 'E_IBAN_COUNTRY_OTHER']
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from payouts.intake.identifiers import iban
from payouts.intake.identifiers.matrix import Bytes, Index, judged
from payouts.intake.identifiers.staged import first

__all__ = ["CENTRAL", "COUNTRIES", "WEST", "normalised", "problem"]

WEST: Final = ("BF", "BJ", "CI", "ML", "NE", "SN", "TG")
"""The countries of the XOF zone with a RIB of 24 characters: bank 5, branch 5, account 12, key 2."""

CENTRAL: Final = ("CF", "CG", "CM", "GA", "GQ", "TD")
"""The countries of the XAF zone with a RIB of 23 digits: bank 5, branch 5, account 11, key 2."""

COUNTRIES: Final = (*WEST, *CENTRAL)

_WEST_SHAPE = r"^[A-Z][A-Z0-9][0-9]{22}$"
_CENTRAL_SHAPE = r"^[0-9]{23}$"
_CODES = (None, "E_RIB_KEY")


def normalised(account: pl.Expr, country: pl.Expr) -> pl.Expr:
    """The IBAN: as written, or made of a bare RIB of `country`; null stays null.

    The check digits of an IBAN follow from the rest of it, so that nothing is guessed: a RIB with
    a wrong digit still fails its own key.
    """
    tidy = iban.normalised(account)
    is_rib = (country.is_in(WEST) & tidy.str.contains(_WEST_SHAPE)) | (
        country.is_in(CENTRAL) & tidy.str.contains(_CENTRAL_SHAPE)
    )
    return pl.when(is_rib).then(iban.completed(country, tidy)).otherwise(tidy)


def problem(account: pl.Expr, country: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised IBAN of a CFA country, or null.

    The IBAN's own rules, then the country, then the RIB key: 97 minus the remainder by 97 of bank,
    branch and account times 100, letters counting by the French table (A, J 1 … I, R 9, S 2 … Z 9;
    BCEAO, BEAC). These countries have not registered their IBANs, so length and shape come from
    use; the two checks together make that no warning. Null stays null.

    Oracle: the published accounts of the zone, schwifty's structure and a plain loop; stdnum knows
    none of these countries (tests/intake/identifiers/test_rib.py).
    """
    is_other = account.str.slice(0, 2) != country
    return first(
        pl.when(~account.str.contains(r"^[A-Z]{2}[0-9]{2}")).then(pl.lit("E_RIB_FORMAT")),
        iban.problem(account, unregistered=None),
        pl.when(is_other).then(pl.lit("E_IBAN_COUNTRY_OTHER")),
        judged(account, iban.LONGEST + 1, _judge, _CODES),
    )


def _french() -> tuple[Bytes, Bytes]:
    """What a byte multiplies a number by and adds to it: one digit per letter."""
    times, plus = np.ones(256, np.uint8), np.zeros(256, np.uint8)
    times[48:58] = times[65:91] = 10
    plus[48:58] = np.arange(10)
    plus[65:91] = [*range(1, 10), *range(1, 10), *range(2, 10)]
    return times, plus


_TIMES, _PLUS = _french()


def _judge(table: Bytes) -> Index:
    """The whole RIB, key included, is a multiple of 97, and the key is one of 01 to 97."""
    total = np.zeros(len(table), np.int64)
    for position in range(4, 28):
        column = table[:, position]
        total *= _TIMES[column]
        total += _PLUS[column]
        if position in (12, 20):
            total %= 97
    length = (table != 0).sum(axis=1)
    rows = np.arange(len(table))
    last = np.maximum(length, 2)
    key = 10 * _PLUS[table[rows, last - 2]].astype(np.int64) + _PLUS[table[rows, last - 1]]
    index = np.zeros(len(table), np.uint8)
    index[(total % 97 != 0) | (key < 1) | (key > 97)] = 1  # noqa: PLR2004  the key's own range
    return index
