"""Canadian bank: institution of three digits and transit of five, in one column or two.

>>> frame = pl.DataFrame({"bank_code": ["003", "000300001", "00001-003", "12"], "branch_code": ["00001", None, None, None]})
>>> code = normalised(pl.col("bank_code"), pl.col("branch_code"))
>>> frame.select(code).to_series().to_list()
['000300001', '000300001', '000300001', '12']
>>> frame.select(problem(code)).to_series().to_list()
[None, None, None, 'E_CA_BANK_FORMAT']
"""

from __future__ import annotations

import polars as pl

from payouts.intake.identifiers import text

__all__ = ["normalised", "problem"]


def normalised(bank_code: pl.Expr, branch_code: pl.Expr) -> pl.Expr:
    """The electronic form, `0`, institution, transit: nine digits; null stays null.

    Read from that form, from the form on cheques (`00001-003`, transit first), or from the
    institution with the transit in `branch_code`; anything else stays as written.
    """
    bank, branch = text.compact(bank_code), text.compact(branch_code)
    is_pair = bank.str.contains(r"^0?[0-9]{3}$") & branch.str.contains(r"^[0-9]{5}$")
    is_cheque = bank_code.str.contains(r"^[0-9]{5}\s*-\s*[0-9]{3}$")
    return (
        pl.when(is_pair)
        .then("0" + bank.str.slice(-3) + branch)
        .when(is_cheque)
        .then("0" + bank.str.slice(5) + bank.str.slice(0, 5))
        .otherwise(bank)
    )


def problem(bank_code: pl.Expr) -> pl.Expr:
    """`E_CA_BANK_FORMAT` for anything but `0` and eight digits; null stays null.

    Payments Canada, rule of the electronic transit number; there is no check digit.

    Oracle: `re` (tests/intake/identifiers/test_ca.py).
    """
    return pl.when(~bank_code.str.contains(r"^0[0-9]{8}$")).then(pl.lit("E_CA_BANK_FORMAT"))
