"""CLABE: the 18-digit bank account number of Mexico, the last digit being its control digit.

>>> frame = pl.DataFrame({"account": ["032 180 000118359719", "032180000118359710", "3218", None]})
>>> frame.select(problem(normalised(pl.col("account")))).to_series().to_list()
['W_CLABE_BANK', 'E_CLABE_CHECK_DIGIT', 'E_CLABE_FORMAT', None]
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl  # noqa: TC002  the examples above use it

from payouts.intake.identifiers import text
from payouts.intake.identifiers.matrix import Bytes, Index, judged, mod10, number

__all__ = ["BANKS", "LENGTH", "normalised", "problem"]

LENGTH: Final = 18

BANKS: Final = frozenset(
    [
        "001",
        "002",
        "006",
        "009",
        "012",
        "014",
        "019",
        "021",
        "030",
        "036",
        "042",
        "044",
        "058",
        "059",
        "060",
        "062",
        "072",
        "106",
        "108",
        "110",
        "112",
        "113",
        "124",
        "127",
        "128",
        "129",
        "130",
        "132",
        "133",
        "135",
        "136",
        "137",
        "138",
        "140",
        "141",
        "143",
        "145",
        "147",
        "148",
        "150",
        "151",
        "152",
        "154",
        "155",
        "156",
        "157",
        "158",
        "159",
        "160",
        "166",
        "167",
        "168",
        "600",
        "601",
        "602",
        "605",
        "616",
        "617",
        "620",
        "630",
        "631",
        "634",
        "638",
        "646",
        "652",
        "653",
        "656",
        "659",
        "661",
        "670",
        "677",
        "680",
        "683",
        "684",
        "685",
        "688",
        "689",
        "699",
        "703",
        "706",
        "710",
        "714",
        "715",
        "720",
        "721",
        "722",
        "723",
        "725",
        "727",
        "728",
        "729",
        "730",
        "732",
        "734",
        "738",
        "901",
        "902",
        "903",
    ]
)
"""SPEI participants in November 2026 (Banco de México); old files hold retired ones, like 032."""

_CODES = (None, "W_CLABE_BANK", "E_CLABE_CHECK_DIGIT", "E_CLABE_FORMAT")
_WEIGHTS = (3, 7, 1) * 6
_KNOWN = np.zeros(1000, np.bool_)
_KNOWN[[int(bank) for bank in BANKS]] = True


def normalised(account: pl.Expr) -> pl.Expr:
    """Without blanks, dots and dashes; null stays null."""
    return text.compact(account)


def problem(account: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a normalised CLABE, or null; null stays null.

    Weights 3, 7, 1 repeated, each product modulo 10, control digit = what the sum lacks to a
    multiple of ten (Banco de México). A bank that takes no part in SPEI today is a warning.

    Oracle: the `clabe` package and flipped digits (tests/intake/identifiers/test_clabe.py).
    """
    return judged(account, LENGTH + 1, _judge, _CODES)


def _judge(table: Bytes) -> Index:
    values, is_number = number(table, LENGTH)
    control = mod10((values[:, :-1].astype(np.int64) * _WEIGHTS[:-1] % 10).sum(axis=1))
    bank = np.minimum(values[:, :3].astype(np.int64) @ np.array([100, 10, 1]), 999)
    index = np.zeros(len(table), np.uint8)
    index[~_KNOWN[bank]] = 1
    index[control != values[:, -1]] = 2
    index[~is_number] = 3
    return index
