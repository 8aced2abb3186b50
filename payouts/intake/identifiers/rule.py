"""A rule: how one kind of account identifier is read, named and judged, as Polars expressions.

A rule has three verbs. `normalise` takes the text of the file and gives the canonical identifier;
`problem` and `kind` take that canonical identifier. What the file said stays at hand as
`Context.written`, for the few rules in which punctuation carries meaning (a CPF with its dots is
no mobile number).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from payouts.intake.identifiers import text

__all__ = ["Context", "Rule", "Verb"]


@dataclass(frozen=True, slots=True)
class Context:
    """The other columns of the same line, as expressions of dtype String (null: missing).

    Args:
        written: the column under test as the file has it, outer blanks stripped.
        account: the account, normalised; what rules of other columns compare with.
        country: ISO 3166 alpha-2, upper case.
        currency: ISO 4217 code or USDT/USDC, upper case.
        method: canonical method, snake_case.
        account_kind: the kind the file names (`cpf`, `clabe`, …), any spelling.
        bank_code, branch_code, account_type, document, document_kind, phone, network: as written.
        found: the kind that the rule has found already, where it was asked before.
    """

    written: pl.Expr
    account: pl.Expr
    country: pl.Expr
    currency: pl.Expr
    method: pl.Expr
    account_kind: pl.Expr
    bank_code: pl.Expr
    branch_code: pl.Expr
    account_type: pl.Expr
    document: pl.Expr
    document_kind: pl.Expr
    phone: pl.Expr
    network: pl.Expr
    found: pl.Expr | None = None

    @classmethod
    def of_columns(cls, written: str = "account") -> Context:
        """A context over the canonical columns, `written` being the name of the raw one."""
        return cls(
            written=pl.col(written),
            account=pl.col("account"),
            country=pl.col("country"),
            currency=pl.col("currency"),
            method=pl.col("method"),
            account_kind=pl.col("account_kind"),
            bank_code=pl.col("bank_code"),
            branch_code=pl.col("branch_code"),
            account_type=pl.col("account_type"),
            document=pl.col("document"),
            document_kind=pl.col("document_kind"),
            phone=pl.col("phone"),
            network=pl.col("network"),
        )


Verb: TypeAlias = Callable[[pl.Expr, Context], pl.Expr]


def _last4(account: pl.Expr, _: Context) -> pl.Expr:
    return text.last4(account)


@dataclass(frozen=True, slots=True)
class Rule:
    """One identifier rule of the coverage table.

    Args:
        name: what the column `identifier` of coverage.csv says.
        normalise: (column as written, context) → canonical identifier; null stays null. Text that
            has no canonical form comes back merely tidied, so that `problem` can name the fault.
        problem: (canonical identifier, context) → the code of its problem, or null where it is
            fine or missing. `E_…` rejects, `W_…` warns.
        kind: (canonical identifier, context) → its kind (`iban`, `cvu`, `pix_cpf`, …), or null
            where it has none of the rule's shapes.
        column: the canonical column the rule reads.
        last4: (canonical identifier, context) → what may be shown of it; for tokens not simply its
            own last four.
    """

    name: str
    normalise: Verb
    problem: Verb
    kind: Verb
    column: str = "account"
    last4: Verb = _last4
