"""Identifiers: what an account of each country and method must look like.

`RULES` holds one rule per name of the coverage table's column `identifier`, and those of
`COMPANIONS` for other columns of the same line. A frame of lines is partitioned by that name, and
each part is identified whole:

>>> lines = pl.DataFrame({"line": [2], "account": ["de89 3704 0044 0532 0130 01"]})
>>> identified(RULES["iban"], lines).select("account", "account_kind", "account_last4", "code").row(0)
('DE89370400440532013001', 'iban', '3001', 'E_IBAN_CHECK_DIGITS')
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.intake.identifiers import (
    bank,
    bank_code,
    card,
    cbu,
    cci,
    clabe,
    co_wallet,
    crypto,
    document,
    iban,
    msisdn,
    nuban,
    orkesta,
    pix,
    rib,
    rut,
    sepa,
    spei,
    tr,
)
from payouts.intake.identifiers.rule import Context, Rule, Verb
from payouts.intake.identifiers.staged import first
from payouts.intake.identifiers.text import is_damaged, last4, masked

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "COMPANIONS",
    "RULES",
    "Context",
    "Rule",
    "Verb",
    "identified",
    "is_damaged",
    "last4",
    "masked",
]


def _always(kind: str) -> Verb:
    """The kind of a rule that knows only one."""
    return lambda account, _: pl.when(account.is_not_null()).then(pl.lit(kind))


def _iban_of_country(account: pl.Expr, context: Context) -> pl.Expr:
    """An IBAN of the line's own country, the only ones that a domestic rail pays."""
    is_other = account.str.slice(0, 2) != context.country
    return first(iban.problem(account), pl.when(is_other).then(pl.lit("E_IBAN_COUNTRY_OTHER")))


def _mobile_money(account: pl.Expr, context: Context) -> pl.Expr:
    """A mobile number of the country, then the hint about its operator."""
    return first(
        msisdn.problem(account, context.country),
        msisdn.network_problem(account, context.country, context.network),
    )


def _chilean(account: pl.Expr, context: Context) -> pl.Expr:
    """An account number, then the hint about a Cuenta RUT."""
    return first(
        bank.shape_problem(account, "CL"),
        rut.account_problem(account, context.account_type, context.document),
    )


def _document_kind(number: pl.Expr, context: Context) -> pl.Expr:
    return document.kind_of(number, context.country, context.document_kind)


def _document_problem(number: pl.Expr, context: Context) -> pl.Expr:
    found = context.found if context.found is not None else _document_kind(number, context)
    return document.problem(number, context.country, found)


def _document_rule(name: str) -> Rule:
    return Rule(
        name,
        lambda number, context: document.normalised(number, context.country, context.document_kind),
        _document_problem,
        _document_kind,
        column="document",
    )


def _bank_account(name: str, country: str) -> Rule:
    """An account number without a check digit, of one country."""
    return Rule(
        name,
        lambda account, _: bank.normalised(account),
        lambda account, _: bank.shape_problem(account, country),
        _always("bank_account"),
    )


_LIST: Final = (
    Rule("iban", lambda account, _: iban.normalised(account), _iban_of_country, _always("iban")),
    Rule(
        "iban_sepa",
        lambda account, _: iban.normalised(account),
        lambda account, context: first(
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
        "iban_or_rib",
        lambda account, context: rib.normalised(account, context.country),
        lambda account, context: rib.problem(account, context.country),
        _always("iban"),
    ),
    Rule(
        "cbu_cvu_alias",
        lambda account, _: cbu.normalised(account),
        lambda account, _: cbu.problem(account),
        lambda account, _: cbu.kind(account),
    ),
    Rule(
        "pix_key",
        lambda account, context: pix.normalised(account, context.account_kind),
        lambda account, context: pix.problem(account, context.account_kind, context.written),
        lambda account, _: pix.kind(account),
    ),
    Rule(
        "cl_account",
        lambda account, _: bank.normalised(account),
        _chilean,
        lambda account, context: rut.account_kind(account, context.account_type),
    ),
    _bank_account("co_account", "CO"),
    Rule(
        "clabe",
        lambda account, _: clabe.normalised(account),
        lambda account, _: clabe.problem(account),
        _always("clabe"),
    ),
    Rule(
        "clabe_or_spei",
        lambda account, _: spei.normalised(account),
        lambda account, _: spei.problem(account),
        lambda account, _: spei.kind(account),
    ),
    Rule(
        "cci",
        lambda account, _: cci.normalised(account),
        lambda account, _: cci.problem(account),
        _always("cci"),
    ),
    Rule(
        "nuban",
        lambda account, _: nuban.normalised(account),
        lambda account, context: nuban.problem(account, context.bank_code),
        _always("nuban"),
    ),
    Rule(
        "bank_account",
        lambda account, _: bank.normalised(account),
        lambda account, context: bank.problem(account, context.country),
        _always("bank_account"),
    ),
    Rule(
        "msisdn",
        lambda account, context: msisdn.normalised(account, context.country),
        _mobile_money,
        _always("msisdn"),
    ),
    Rule(
        "co_wallet",
        lambda account, _: co_wallet.normalised(account),
        lambda account, _: co_wallet.problem(account),
        _always("msisdn"),
    ),
    Rule(
        "card_token",
        lambda account, _: card.normalised(account),
        lambda account, _: card.problem(account),
        _always("token"),
        last4=lambda account, context: card.last4(account, context.written),
    ),
    Rule(
        "crypto_address",
        lambda account, _: crypto.normalised(account),
        lambda account, context: crypto.problem(
            account, crypto.read_network(context.network), context.currency
        ),
        lambda account, _: crypto.kind(account),
    ),
    Rule(
        "orkesta_account",
        lambda account, _: orkesta.normalised(account),
        lambda account, _: orkesta.problem(account),
        lambda account, _: orkesta.kind(account),
    ),
    _bank_account("aba_account", "US"),
    _bank_account("uk_account", "GB"),
    _bank_account("ca_account", "CA"),
    _document_rule("cash_document"),
    _document_rule("document"),
    Rule(
        "bank_code",
        lambda code, context: bank_code.normalised(code, context.branch_code, context.country),
        lambda code, context: bank_code.problem(
            code, context.country, context.currency, context.account
        ),
        lambda _, context: bank_code.kind(context.country, context.currency),
        column="bank_code",
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

    return replace(rule, problem=problem)


RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.name: _guarded(rule) for rule in _LIST})
"""One rule per name of coverage.csv's column `identifier`, and the `COMPANIONS`."""

COMPANIONS: Final = ("document", "bank_code")
"""Rules for other columns than the account, to apply to every line whatever its identifier.

A missing value is no problem of theirs, and a country that they do not know is not judged.
"""

_COLUMNS: Final = (
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
)
_KIND_COLUMNS: Final = {"account": "account_kind", "document": "document_kind"}


def identified(rule: Rule, lines: pl.DataFrame) -> pl.DataFrame:
    """Normalise and judge one column of lines that share a rule.

    Args:
        lines: the canonical columns as String; one that is absent counts as missing everywhere.

    Returns:
        `lines` in the same order with `rule.column` normalised and a column `code` of String
        (null: fine). An account rule also gives `account_kind` (the kind found) and
        `account_last4`, a document rule `document_kind`.
    """
    absent = [
        pl.lit(None, dtype=pl.String).alias(name) for name in _COLUMNS if name not in lines.columns
    ]
    context = Context.of_columns(written="written")
    column = pl.col(rule.column)
    read = lines.with_columns(*absent, column.alias("written")).with_columns(
        rule.normalise(column, context).alias(rule.column)
    )
    kinds = _KIND_COLUMNS.get(rule.column)
    if kinds is not None:
        read = read.with_columns(found=rule.kind(column, context))
        context = replace(context, found=pl.col("found"))
    answers = [rule.problem(column, context).alias("code")]
    if kinds is not None:
        answers.append(pl.col("found").alias(kinds))
    if rule.column == "account":
        answers.append(rule.last4(column, context).alias("account_last4"))
    return read.with_columns(*answers).drop("written", "found", strict=False)
