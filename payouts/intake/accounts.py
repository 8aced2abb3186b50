"""Accounts: the identifiers of lines, read and judged one rule at a time.

Lines are partitioned by the rule that their coverage row names, so that each rule sees whole
columns of its own kind; then the documents and bank codes of all lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from payouts.intake.fields import Check, run
from payouts.intake.frames import no_problems
from payouts.intake.identifiers import COMPANIONS, RULES, identified, last4
from payouts.intake.identifiers.crypto import read_network
from payouts.intake.identifiers.msisdn import e164

__all__ = ["Identified", "with_accounts"]

_SEEN: Final = (
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
_MADE: Final = (
    "account",
    "account_kind",
    "account_last4",
    "document",
    "document_kind",
    "network",
    "code",
)
_KEPT: Final = ("account", "document", "document_kind", "network")
_BY_PHONE: Final = ("msisdn", "co_wallet")
_OWN_KEY: Final = ("pix_cpf", "pix_cnpj")
_NO_ACCOUNT: Final = "none"
_PIX: Final = "pix_key"
_CRYPTO: Final = "crypto_address"
_IS_OWN_KEY: Final = pl.col("account_kind").is_in(_OWN_KEY) & (
    pl.col("document") == pl.col("account")
)


@dataclass(frozen=True, slots=True)
class Identified:
    """Lines whose identifiers are read.

    Args:
        lines: the lines in their order; `account`, `document`, `bank_code` and `phone` normalised,
            `network` (of crypto), `account_kind` and `document_kind` as found, and a new column `account_last4`.
        problems: a problems frame with what is wrong with them.
    """

    lines: pl.DataFrame
    problems: pl.DataFrame


def with_accounts(lines: pl.DataFrame, own_accounts: frozenset[str]) -> Identified:
    """Read and judge account, document and bank code of each line.

    Args:
        lines: what `combinations.combined` gives; `identifier` names the rule of the account.
        own_accounts: our funding accounts in any spelling; paying them is a problem.
    """
    by_phone = pl.col("identifier").is_in(_BY_PHONE) & pl.col("account").is_null()
    lines = lines.with_columns(
        pl.when(by_phone).then(pl.col("phone")).otherwise(pl.col("account")).alias("account")
    )
    columns = [name for name in _SEEN if lines[name].null_count() < lines.height]
    seen = lines.select("line", *columns, "identifier")
    parts = seen.partition_by("identifier") or [seen]
    made = pl.concat([_part(part) for part in parts]).sort("line")
    lines = lines.with_columns(made[name] for name in _MADE if name != "code")
    problems = [
        run(made, [Check("account", pl.col("code"), of_blanks=True)]),
        _own(lines, own_accounts),
    ]
    for name in COMPANIONS:
        lines, found = _companion(lines, name)
        problems.append(found)
    if lines["phone"].null_count() < lines.height:
        lines = lines.with_columns(phone=e164(pl.col("phone"), pl.col("country")))
    return Identified(lines, pl.concat(problems))


def _part(part: pl.DataFrame) -> pl.DataFrame:
    """`line` and the columns `_MADE` of lines that share one rule for their accounts."""
    absent = [name for name in _KEPT if name not in part.columns]
    part = part.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    name: str | None = part.item(0, "identifier") if part.height else None
    rule = None if name is None else RULES.get(name)
    if rule is None or rule.column != "account":
        kind = None if name is None else _NO_ACCOUNT
        made = part.with_columns(
            pl.lit(kind, pl.String).alias("account_kind"),
            last4(pl.col("account")).alias("account_last4"),
            pl.lit(None, pl.String).alias("code"),
        )
    else:
        made = identified(rule, part)
    if name == _PIX:
        made = _with_holder(made)
    if name == _CRYPTO:
        made = made.with_columns(read_network(pl.col("network")).alias("network"))
    return made.select("line", *_MADE)


def _with_holder(made: pl.DataFrame) -> pl.DataFrame:
    """Pix lines with the document that a key of CPF or CNPJ is: its holder's own number (DICT)."""
    kind = pl.col("account_kind")
    is_blank, is_own = pl.col("document").is_null(), kind.is_in(_OWN_KEY)
    made = made.with_columns(
        pl.when(is_blank & is_own).then("account").otherwise("document").alias("document")
    )
    own_kind = pl.when(_IS_OWN_KEY).then(kind.str.strip_prefix("pix_"))
    return made.with_columns(pl.coalesce(own_kind, "document_kind").alias("document_kind"))


def _companion(lines: pl.DataFrame, name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines with one more column read, by a rule that holds for every line."""
    rule = RULES[name]
    if lines[rule.column].null_count() == lines.height:
        return lines, no_problems()
    wanted = pl.col(rule.column).is_not_null() & pl.col("country").is_not_null()
    if rule.column == "document":  # a Pix key that is the document has been judged as one
        wanted &= ~_IS_OWN_KEY.fill_null(value=False)
    places = lines.select(wanted.arg_true()).to_series()
    made = identified(rule, lines.select("line", *_SEEN)[places])
    changed = [rule.column, *(["document_kind"] if rule.column == "document" else [])]
    read = [lines[column].scatter(places, made[column]) for column in changed]
    return lines.with_columns(read), run(made, [Check(rule.column, pl.col("code"))])


def _own(lines: pl.DataFrame, own_accounts: frozenset[str]) -> pl.DataFrame:
    """Lines that would pay our own funding account: columns were swapped, or worse."""
    if not own_accounts:
        return no_problems()
    tidy = ["".join(filter(str.isalnum, account)).upper() for account in own_accounts]
    written = pl.col("account").str.replace_all(r"[^A-Za-z0-9]", "").str.to_uppercase()
    is_own = pl.when(written.is_in(tidy)).then(pl.lit("E_ACCOUNT_OWN"))
    return run(lines, [Check("account", is_own)])
