"""Outcomes of a run's lines, streamed into its results file and counted as they pass by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from payouts.core.currencies import CURRENCIES
from payouts.core.items import State
from payouts.flows.proof import ItemSum
from payouts.flows.result import Reason
from payouts.intake.amounts import text

if TYPE_CHECKING:
    from datetime import datetime

    from payouts.store import queries
    from payouts.store.queries import RunRow

__all__ = ["Tally"]

_OWN_CODES: Final = {
    ("duplicate", False): "W_LINE_DUPLICATE",
    ("duplicate", True): "W_LINE_DUPLICATE_EARLIER",
    ("conflict", False): "E_LINE_CONFLICT",
    ("conflict", True): "E_LINE_CONFLICT_EARLIER",
    ("quarantined", False): "E_LINE_REPEATED",
    ("quarantined", True): "E_LINE_REPEATED",
}
"""Code of a line that is not paid for what stands beside it: (outcome, it names an earlier item)."""

_EXPONENTS: Final = {code: unit.exponent for code, unit in CURRENCIES.items()}
_DIGITS: Final = np.frombuffer(b"0123456789abcdefghjkmnpqrstvwxyz", dtype=np.uint8)
_ID_DIGITS: Final = 10


@dataclass(slots=True)
class Tally:
    """Hands each line's outcome to the results file, and counts the items as they pass by.

    An item is counted with the first of its lines, so items are counted one by one from their own
    last events, apart from the batches' counters.
    """

    run: RunRow
    pages: queries.OutcomePages
    _items: list[pl.DataFrame] = field(default_factory=list)
    _reasons: list[pl.DataFrame] = field(default_factory=list)
    _remarks: list[pl.DataFrame] = field(default_factory=list)

    def __call__(self, lo: int, hi: int) -> pl.DataFrame:
        """The columns that the results file adds to the lines numbered `lo` to `hi`."""
        found = _with_codes(self.pages(lo, hi), self.run.line_lo)
        self._count(found)
        return _shown(found, self.run.created_at)

    def _count(self, found: pl.DataFrame) -> None:
        own = found.filter(outcome="accepted")
        first = own.filter(pl.col("first_line") == pl.col("line_id"))
        self._items += [
            # Lines that an item pays may come in other pages, so they are counted on their own.
            own.group_by("currency", "state").agg(
                pl.lit(0).cast(pl.Int64).alias("items"),
                pl.len().cast(pl.Int64).alias("lines"),
                pl.lit(0).cast(pl.Int64).alias("amount_minor"),
            ),
            first.group_by(pl.col("item_currency").alias("currency"), "state").agg(
                pl.len().cast(pl.Int64).alias("items"),
                pl.lit(0).cast(pl.Int64).alias("lines"),
                pl.col("item_minor").sum().alias("amount_minor"),
            ),
        ]
        paid = [str(State.SETTLED), str(State.RECONCILED)]
        unpaid = first.filter(~pl.col("state").is_in(paid))
        self._reasons.append(
            unpaid.group_by("state", "provider", "item_currency", "code").agg(
                pl.len().cast(pl.Int64).alias("items"), pl.col("item_minor").sum()
            )
        )
        coded = found.filter(pl.col("line_codes").is_not_null())
        self._remarks.append(coded.select("line", "outcome", "line_codes"))

    def remarks(self) -> pl.DataFrame:
        """line, outcome, line_codes of the lines that something is to be said of."""
        return pl.concat(self._remarks)

    def items(self) -> list[ItemSum]:
        """Items by currency and state."""
        summed = (
            pl.concat(self._items)
            .group_by("currency", "state")
            .agg(pl.col("items", "lines", "amount_minor").sum())
            .sort("currency", "state")
        )
        return [ItemSum(*row) for row in summed.iter_rows()]

    def reasons(self) -> list[Reason]:
        """Items that are not paid, the most frequent reason first."""
        summed = (
            pl.concat(self._reasons)
            .group_by("state", "provider", "item_currency", "code")
            .agg(pl.col("items", "item_minor").sum())
            .sort("items", "state", "item_currency", "code", descending=[True, False, False, False])
        )
        return [Reason(*row) for row in summed.iter_rows()]


def _with_codes(found: pl.DataFrame, line_lo: int) -> pl.DataFrame:
    """Give lines that are not paid because of another line the code that says so."""
    own = pl.lit(None, pl.String)
    named = pl.col("item_id").is_not_null() & (pl.col("first_line") < line_lo)
    for (outcome, earlier), code in _OWN_CODES.items():
        matches = (pl.col("outcome") == outcome) & (named.fill_null(value=False) == earlier)
        own = pl.when(matches).then(pl.lit(code)).otherwise(own)
    return found.with_columns(
        pl.concat_str("line_codes", own, separator=" ", ignore_nulls=True)
        .replace("", None)
        .alias("line_codes")
    )


def _shown(found: pl.DataFrame, accepted_at: datetime) -> pl.DataFrame:
    """The columns that a results file adds to the payer's own."""
    started = accepted_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return found.select(
        "line",
        "outcome",
        pl.concat_str("line_codes", "code", separator=" ", ignore_nulls=True)
        .replace("", None)
        .alias("codes"),
        _public("itm", found["item_id"]).alias("item"),
        "state",
        "provider",
        pl.col("provider_ref").alias("provider_reference"),
        "attempts",
        _amount("amount_minor", "currency").alias("accepted_amount"),
        _amount("item_minor", "item_currency").alias("item_amount"),
        pl.col("item_currency").alias("item_currency"),
        pl.when(outcome="accepted").then(pl.lit(started)).alias("accepted_at"),
        pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("updated_at"),
    )


def _amount(minor: str, code: str) -> pl.Expr:
    """Decimal text of minor units; null where the amount or its currency is not known."""
    exponent = pl.col(code).replace_strict(_EXPONENTS, default=None, return_dtype=pl.Int64)
    return pl.when(pl.col(minor).is_not_null()).then(text(pl.col(minor), exponent))


def _public(prefix: str, keys: pl.Series) -> pl.Series:
    """Public ids of many keys at once; null stays null."""
    values = keys.fill_null(0).to_numpy().astype(np.uint64)
    shifts = np.arange(5 * (_ID_DIGITS - 1), -1, -5, dtype=np.uint64)
    digits = ((values[:, None] >> shifts) & np.uint64(31)).astype(np.intp)
    rows = np.empty((len(values), _ID_DIGITS + 1), dtype=np.uint8)
    rows[:, :_ID_DIGITS] = _DIGITS[digits]
    rows[:, _ID_DIGITS] = ord("\n")
    texts = rows.tobytes().decode("ascii").split("\n")[:-1]
    frame = pl.DataFrame({"key": keys, "text": texts}, schema_overrides={"text": pl.String})
    known = pl.col("key").is_not_null()
    return frame.select(pl.when(known).then(pl.lit(f"{prefix}_") + pl.col("text"))).to_series()
