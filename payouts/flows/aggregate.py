"""Aggregation: the lines of one payee become one payout (ARCHITECTURE §5).

Lines are claimed one by one first; only lines that are newly accepted are summed. So a file that
comes again with one more line pays just that line.
"""

from __future__ import annotations

import hashlib

import polars as pl

__all__ = ["GROUP", "aggregate"]

GROUP = (
    "name",
    "account",
    "account_kind",
    "bank_code",
    "branch_code",
    "country",
    "currency",
    "method",
    "provider",
    "due_date",
)


def aggregate(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sum lines per payee and account.

    Args:
        lines: accepted lines with `line_id`, `reference`, `amount_minor` and the columns of
            `GROUP`, in file order.

    Returns:
        `(items, members)`: items have the columns of the first line of each group, the sum, the
        count as `lines`, and a reference that is a hash of the sorted line references; members are
        `line_id` and `reference` of the item each line went into.
    """
    keyed = lines.with_columns(group=pl.struct(*GROUP).rank("dense").cast(pl.Int64))
    sums = keyed.group_by("group", maintain_order=True).agg(
        pl.exclude("amount_minor", "reference", "group").first(),
        pl.col("amount_minor").sum(),
        pl.len().cast(pl.Int64).alias("lines"),
        pl.col("reference").sort().str.join("\x1f").alias("joined"),
    )
    references = [
        "sum:" + hashlib.sha256(joined.encode()).hexdigest() for joined in sums["joined"].to_list()
    ]
    items = sums.with_columns(pl.Series("reference", references, dtype=pl.String)).drop("joined")
    members = keyed.select("line_id", "group").join(
        items.select("group", "reference"), on="group", how="left", maintain_order="left"
    )
    return items.drop("group"), members.select("line_id", "reference")
