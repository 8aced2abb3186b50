"""Cutting accepted items into batches: at most 500, one provider, account, currency, due date.

A batch is a contiguous range of item keys. What does not fill a batch is carried to the next chunk
of the file, so a million lines leave at most one short batch per group, not one per chunk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GROUP", "cut"]

GROUP = ("provider", "currency", "due_date")


def cut(
    items: pl.DataFrame, batch_max: Mapping[str, int], *, last: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Full batches and the rest; with `last`, everything is cut.

    Args:
        items: accepted items with the columns of `GROUP`, in file order.
        batch_max: items per batch of each provider (at most 500).

    Returns:
        `(cut, rest)`: `cut` is sorted by batch and has `batch` (Int64, 0, 1, 2 …); `rest` is to be
        put before the next chunk's items.
    """
    if items.is_empty():
        return items.with_columns(batch=pl.lit(0, pl.Int64)), items
    limit = pl.col("provider").replace_strict(dict(batch_max), return_dtype=pl.Int64)
    numbered = items.with_columns(
        place=pl.int_range(pl.len(), dtype=pl.Int64).over(GROUP) // limit,
        full=pl.len().over(GROUP).cast(pl.Int64) // limit,
    )
    whole = pl.lit(value=True) if last else pl.col("place") < pl.col("full")
    chosen = numbered.filter(whole).sort(*GROUP, "place", maintain_order=True)
    batch = pl.struct(*GROUP, "place").rle_id().cast(pl.Int64)
    rest = numbered.filter(~whole) if not last else numbered.clear()
    return (
        chosen.with_columns(batch=batch).drop("place", "full"),
        rest.drop("place", "full"),
    )
