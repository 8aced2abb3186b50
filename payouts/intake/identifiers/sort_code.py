"""Sort code: the six digits of a bank's branch in the United Kingdom.

>>> frame = pl.DataFrame({"bank_code": ["20-00-00", "200000", "2000000"]})
>>> frame.select(problem(normalised(pl.col("bank_code")))).to_series().to_list()
[None, None, 'E_SORT_CODE_FORMAT']
"""

from __future__ import annotations

import polars as pl

from payouts.intake.identifiers import text

__all__ = ["normalised", "problem"]


def normalised(bank_code: pl.Expr) -> pl.Expr:
    """Without blanks, dots and dashes; null stays null."""
    return text.compact(bank_code)


def problem(bank_code: pl.Expr) -> pl.Expr:
    """`E_SORT_CODE_FORMAT` for anything but six digits; null stays null.

    Whether sort code and account belong together is a check with Pay.UK's weight tables, which
    change several times a year and are not part of this program: the bank's answer tells.

    Oracle: `re` (tests/intake/identifiers/test_sort_code.py).
    """
    return pl.when(~bank_code.str.contains(r"^[0-9]{6}$")).then(pl.lit("E_SORT_CODE_FORMAT"))
