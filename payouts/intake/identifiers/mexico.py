"""CURP and RFC: the numbers of a person and of a taxpayer in Mexico.

>>> frame = pl.DataFrame({"document": ["BOXW310820HNERXN09", "BOXW310820HNERXN08", "GODE561231GR8"]})
>>> frame.select(curp_problem(pl.col("document"))).to_series().to_list()
[None, 'E_CURP_CHECK_DIGIT', 'E_CURP_FORMAT']
>>> frame.select(rfc_problem(pl.col("document"))).to_series().to_list()
['E_RFC_FORMAT', 'E_RFC_FORMAT', None]
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from payouts.intake.identifiers.matrix import Bytes, Index, judged, mod10, weighted

__all__ = ["CURP_LENGTH", "curp_problem", "rfc_problem"]

CURP_LENGTH: Final = 18

_DATE = (
    r"[0-9]{2}(?:(?:0[13578]|1[02])(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)(?:0[1-9]|[12][0-9]|30)|02(?:0[1-9]|1[0-9]|2[0-9]))"
)
_STATES = "AS|B[CS]|C[CHLMS]|D[FG]|G[RT]|HG|JC|M[CNS]|N[ELT]|OC|PL|Q[RT]|S[LPR]|T[CLS]|VZ|YN|ZS"
_CURP = rf"^[A-Z]{{4}}{_DATE}[HM](?:{_STATES})[A-Z]{{3}}[0-9A-Z][0-9]$"
_RFC = rf"^[A-ZÑ&]{{3,4}}{_DATE}[0-9A-Z]{{2}}[0-9A]$|^[A-ZÑ&]{{4}}{_DATE}$"
_CODES = (None, "E_CURP_CHECK_DIGIT")
_VALUE = np.zeros(256, np.uint8)
_VALUE[48:58] = np.arange(10)
_VALUE[65:79] = np.arange(10, 24)  # A to N; 24 is Ñ
_VALUE[79:91] = np.arange(25, 37)


def curp_problem(document: pl.Expr) -> pl.Expr:
    """The code of what is wrong with a CURP without blanks, or null; null stays null.

    Four letters, a birth date, sex, state, three letters, a character for the century, and the
    digit that fills the sum with weights 18 to 2 to a multiple of ten (RENAPO).

    Oracle: `stdnum.mx.curp`, which also refuses rude words in front and the leap days of years
    that had none (tests/intake/identifiers/test_mexico.py).
    """
    shaped = document.str.contains(_CURP)
    return (
        pl.when(~shaped)
        .then(pl.lit("E_CURP_FORMAT"))
        .otherwise(judged(pl.when(shaped).then(document), CURP_LENGTH, _judge, _CODES))
    )


def rfc_problem(document: pl.Expr) -> pl.Expr:
    """`E_RFC_FORMAT` for anything but three or four letters, a date and three characters.

    A person's three may be missing, as they are on many old forms. The last is a check digit that SAT
    itself has not kept to, so nothing is said of it. Null stays null.

    Oracle: `stdnum.mx.rfc` (tests/intake/identifiers/test_mexico.py).
    """
    return pl.when(~document.str.contains(_RFC)).then(pl.lit("E_RFC_FORMAT"))


def _judge(table: Bytes) -> Index:
    values = _VALUE[table]
    check = mod10(weighted(values, range(18, 1, -1)))
    index: Index = (check != values[:, 17]).astype(np.uint8)
    return index
