"""Aggregation: the lines of one payee become one payout (ARCHITECTURE §5).

Lines are claimed one by one first; only lines that are newly accepted are summed. So a file that
comes again with one more line pays just that line. The bounds of the coverage table are those of a
payout, so they are held against the sums and not against the lines.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import polars as pl

from payouts.core.errors import InvariantError
from payouts.core.money import MINOR_MAX
from payouts.intake import amounts
from payouts.intake.frames import PROBLEMS

__all__ = ["GROUP", "Summed", "aggregate", "beyond", "require_sums", "unbounded"]

GROUP = (
    "name",
    "account",
    "account_kind",
    "account_type",
    "bank_code",
    "branch_code",
    "network",
    # Cash has no account: the payee is who shows this document or answers this phone.
    "document",
    "document_kind",
    "phone",
    "country",
    "currency",
    "method",
    "provider",
    "due_date",
)
"""What lines must share to be one payout: payee, account, country, currency, method, day."""

_BOUNDED = ("country", "currency", "method")


@dataclass(frozen=True, slots=True)
class Summed:
    """Payouts and the lines they are made of.

    Args:
        items: one row per group, in the order of their first lines: its columns, `amount_minor`
            (the sum), `lines` (Int64), `reference` (a hash of the sorted references of its lines)
            and `note` (String: what a payee is shown in place of it).
        members: `line_id` (unique) and `reference` of the item it went into.
    """

    items: pl.DataFrame
    members: pl.DataFrame


def unbounded(coverage: pl.DataFrame) -> pl.DataFrame:
    """The coverage table for judging lines that are summed later: without bounds of amounts."""
    none = pl.lit(None, pl.Int64)
    return coverage.with_columns(none.alias("min_minor"), none.alias("max_minor"))


def aggregate(lines: pl.DataFrame) -> Summed:
    """Sum lines per payee and account.

    Args:
        lines: accepted lines with `line_id`, `reference`, `amount_minor` and the columns of
            `GROUP`, in file order. Sums are Int128 here, since nothing has bounded them yet.
    """
    groups = lines.group_by(*GROUP, maintain_order=True).agg(
        pl.exclude(*GROUP, "amount_minor", "reference").first(),
        pl.col("amount_minor").cast(pl.Int128).sum(),
        pl.len().cast(pl.Int64).alias("lines"),
        pl.col("reference").first().alias("note"),
        pl.col("reference").sort().str.join("\x1f").alias("joined"),
        pl.col("line_id").alias("members"),
    )
    references = [
        "sum:" + hashlib.sha256(joined.encode()).hexdigest()
        for joined in groups["joined"].to_list()
    ]
    more = pl.format("{} +{}", "note", pl.col("lines") - 1)
    items = groups.with_columns(
        pl.Series("reference", references, dtype=pl.String),
        pl.when(pl.col("lines") > 1).then(more).otherwise("note").alias("note"),
    )
    members = items.select(pl.col("members").alias("line_id"), "reference").explode("line_id")
    return Summed(items.select(*lines.columns, "lines", "note"), members)


def beyond(summed: Summed, lines: pl.DataFrame, coverage: pl.DataFrame) -> pl.DataFrame:
    """The problems of lines whose sum is no amount that may be paid: all lines of such a group.

    Args:
        lines: as given to `aggregate`, with `line`.
        coverage: the frame of `intake.coverage.load`, with its bounds.

    Returns:
        A PROBLEMS frame with one row per line; `value` is the sum, `allowed` the bound.
    """
    least, greatest = pl.col("min_minor"), pl.min_horizontal("max_minor", pl.lit(MINOR_MAX))
    bounds = coverage.select(*_BOUNDED, "min_minor", "max_minor")
    amount, exponent = pl.col("amount_minor"), pl.col("exponent")
    wrong = (
        summed.items.select("reference", "amount_minor", "exponent", *_BOUNDED)
        .join(bounds, on=_BOUNDED, how="left", maintain_order="left")
        .with_columns(
            code=pl.when(amount > greatest)
            .then(pl.lit("E_AMOUNT_SUM_ABOVE_MAXIMUM"))
            .when(amount < least)
            .then(pl.lit("E_AMOUNT_SUM_BELOW_MINIMUM")),
            bound=pl.when(amount > greatest).then(greatest).otherwise(least),
        )
        .filter(pl.col("code").is_not_null())
        .select(
            "reference",
            "code",
            pl.lit("amount").alias("column"),
            amounts.text(amount, exponent).alias("value"),
            amounts.text(pl.col("bound"), exponent).alias("allowed"),
        )
    )
    return (
        lines.select("line", "line_id")
        .join(summed.members, on="line_id", how="inner", maintain_order="left")
        .join(wrong, on="reference", how="inner", maintain_order="left")
        .select(PROBLEMS.names())
    )


def require_sums(items: pl.DataFrame, rows: pl.DataFrame) -> None:
    """Hold each item against its lines once more, just before they are written.

    Args:
        items: `item_id`, `amount_minor`, `lines`.
        rows: the accepted lines, `item_id` and `amount_minor`.

    Raises:
        InvariantError: an item's amount or count is not that of its lines.
    """
    summed = rows.group_by("item_id").agg(
        pl.col("amount_minor").sum().alias("paid"), pl.len().cast(pl.Int64).alias("count")
    )
    both = items.join(summed, on="item_id", how="full", coalesce=True)
    agrees = (pl.col("amount_minor") == pl.col("paid")) & (pl.col("lines") == pl.col("count"))
    if not both.select(agrees.fill_null(value=False).all()).item():
        raise InvariantError("an item does not have the amount or the count of its lines")
