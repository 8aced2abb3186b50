"""Identifiers: what an account of each country and method must look like.

`RULES` holds one rule per name of the coverage table's column `identifier`. A frame of lines is
partitioned by that name, and each part is identified whole:

>>> lines = pl.DataFrame({"line": [2], "account": ["de89 3704 0044 0532 0130 01"]})
>>> identified(RULES["iban"], lines).select("account", "account_kind", "account_last4", "code").row(0)
('DE89370400440532013001', 'iban', '3001', 'E_IBAN_CHECK_DIGITS')
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.intake.identifiers import clabe, iban, msisdn, pix, sepa, tr
from payouts.intake.identifiers.rule import Context, Rule, Verb
from payouts.intake.identifiers.text import is_damaged, last4, masked

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RULES", "Context", "Rule", "Verb", "identified", "is_damaged", "last4", "masked"]

_COLUMNS = [
    "account",
    "country",
    "currency",
    "method",
    "account_kind",
    "bank_code",
    "branch_code",
    "account_type",
    "document",
    "document_kind",
    "phone",
    "network",
]


def _always(kind: str) -> Verb:
    """The kind of a rule that knows only one."""
    return lambda account, _: pl.when(account.is_not_null()).then(pl.lit(kind))


def _first(*problems: pl.Expr) -> pl.Expr:
    """The first problem that rejects, else the first that warns, else null."""
    errors = [pl.when(each.str.starts_with("E_")).then(each) for each in problems]
    return pl.coalesce(*errors, *problems)


def _same_country(account: pl.Expr, context: Context) -> pl.Expr:
    """`E_IBAN_COUNTRY_OTHER` where an IBAN is not of the line's country, which the rail needs."""
    other = account.str.slice(0, 2) != context.country
    return pl.when(other).then(pl.lit("E_IBAN_COUNTRY_OTHER"))


_LIST = (
    Rule(
        "iban",
        lambda account, _: iban.normalised(account),
        lambda account, context: _first(iban.problem(account), _same_country(account, context)),
        _always("iban"),
    ),
    Rule(
        "iban_sepa",
        lambda account, _: iban.normalised(account),
        lambda account, context: _first(
            iban.problem(account), sepa.problem(account, context.country)
        ),
        _always("iban"),
    ),
    Rule(
        "iban_tr",
        lambda account, _: iban.normalised(account),
        lambda account, _: tr.problem(account),
        _always("iban"),
    ),
    Rule(
        "clabe",
        lambda account, _: clabe.normalised(account),
        lambda account, _: clabe.problem(account),
        _always("clabe"),
    ),
    Rule(
        "pix_key",
        lambda account, context: pix.normalised(account, context.account_kind),
        lambda account, context: pix.problem(account, context.account_kind, context.written),
        lambda account, _: pix.kind(account),
    ),
    Rule(
        "msisdn",
        lambda account, context: msisdn.normalised(account, context.country),
        lambda account, context: _first(
            msisdn.problem(account, context.country),
            msisdn.network_problem(account, context.country, context.network),
        ),
        _always("msisdn"),
    ),
)


def _guarded(rule: Rule) -> Rule:
    """The rule with the fault that every text column can have: spreadsheet damage."""

    def problem(account: pl.Expr, context: Context) -> pl.Expr:
        return (
            pl.when(is_damaged(context.written))
            .then(pl.lit("E_ACCOUNT_SPREADSHEET"))
            .otherwise(rule.problem(account, context))
        )

    return Rule(rule.name, rule.normalise, problem, rule.kind, rule.column)


RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.name: _guarded(rule) for rule in _LIST})
"""One rule per name of coverage.csv's column `identifier`."""


def identified(rule: Rule, lines: pl.DataFrame) -> pl.DataFrame:
    """Normalise and judge one column of lines that share a rule.

    Args:
        lines: the canonical columns as String; one that is absent counts as missing everywhere.

    Returns:
        `lines` in the same order with `rule.column` normalised and three more columns of String:
        `account_kind` (replaced by the kind found), `account_last4` and `code` (null: fine).
    """
    absent = [
        pl.lit(None, dtype=pl.String).alias(name) for name in _COLUMNS if name not in lines.columns
    ]
    context = Context.of_columns(written="written")
    return (
        lines.with_columns(*absent, pl.col(rule.column).alias("written"))
        .with_columns(rule.normalise(pl.col(rule.column), context).alias(rule.column))
        .with_columns(
            rule.kind(pl.col(rule.column), context).alias("account_kind"),
            last4(pl.col(rule.column)).alias("account_last4"),
            rule.problem(pl.col(rule.column), context).alias("code"),
        )
        .drop("written")
    )
