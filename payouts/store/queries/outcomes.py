"""Lines and what became of them: sums, codes, and outcomes page by page for a results file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl
from sqlalchemy import text

from payouts.store import bulk

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = [
    "ITEMS",
    "OUTCOMES",
    "LineSum",
    "OutcomePages",
    "codes",
    "line_codes",
    "line_sums",
]


@dataclass(frozen=True, slots=True)
class LineSum:
    """Lines of a run with one outcome and currency; no currency: their amount was unreadable."""

    outcome: str
    currency: str | None
    lines: int
    amount_minor: int


def line_sums(connection: Connection, lines: tuple[int, int]) -> list[LineSum]:
    """Lines and money by outcome and currency, counted from the lines themselves.

    Args:
        lines: first and last line key of the run.
    """
    rows = connection.execute(
        text(
            "SELECT outcome::text, currency, count(*), coalesce(sum(amount_minor), 0)::bigint"
            " FROM line WHERE id BETWEEN :lo AND :hi GROUP BY outcome, currency"
            " ORDER BY outcome, currency NULLS LAST"
        ),
        {"lo": lines[0], "hi": lines[1]},
    )
    return [LineSum(*row) for row in rows]


def line_codes(connection: Connection, line_id: int) -> list[str]:
    """Problem codes of one line; of an accepted one these are warnings."""
    stored = connection.execute(
        text("SELECT codes FROM line WHERE id = :line"), {"line": line_id}
    ).scalar()
    return (stored or "").split()


def codes(connection: Connection, lines: tuple[int, int]) -> list[tuple[str, str, int]]:
    """(outcome, code, lines) of lines that carry problem codes; a line counts under each."""
    rows = connection.execute(
        text(
            "SELECT outcome::text, code, count(*) FROM line,"
            " unnest(string_to_array(codes, ' ')) AS code"
            " WHERE id BETWEEN :lo AND :hi AND codes IS NOT NULL"
            " GROUP BY 1, 2 ORDER BY 3 DESC, 2"
        ),
        {"lo": lines[0], "hi": lines[1]},
    )
    return [(outcome, code, int(count)) for outcome, code, count in rows]


# -- outcomes, for a results file -------------------------------------------------------------------

_COLUMNS: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "item_id": pl.Int64,
    "first_line": pl.Int64,
    "provider": pl.String,
    "item_currency": pl.String,
    "item_minor": pl.Int64,
    "state": pl.String,
    "attempts": pl.Int64,
    "code": pl.String,
    "provider_ref": pl.String,
    "at": pl.Datetime("us", "UTC"),
}
ITEMS: Final = pl.Schema(_COLUMNS)
"""What is known of an item now; `first_line` is the key of the first line that it pays."""

_RANGE: Final = pl.Schema(
    {
        "item_id": pl.Int64,
        "first_line": pl.Int64,
        "batch_id": pl.Int64,
        "item_minor": pl.Int64,
        "state": pl.String,
        "attempts": pl.Int64,
        "code": pl.String,
        "at": pl.Int64,
        "paid_by": pl.String,
        "provider_ref": pl.String,
    }
)
_OF_BATCH: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "batch_id": pl.Int64,
    "lo": pl.Int64,
    "hi": pl.Int64,
    "provider": pl.String,
    "item_currency": pl.String,
    "base_state": pl.String,
    "base_attempts": pl.Int64,
    "base_code": pl.String,
    "base_at": pl.Datetime("us", "UTC"),
}
_BATCHES: Final = pl.Schema(_OF_BATCH)
_LINES: Final = pl.Schema(
    {
        "line_id": pl.Int64,
        "line": pl.Int64,
        "outcome": pl.String,
        "line_codes": pl.String,
        "currency": pl.String,
        "amount_minor": pl.Int64,
        "item_id": pl.Int64,
    }
)
OUTCOMES: Final = pl.Schema(_LINES | {name: ITEMS[name] for name in ITEMS.names()[1:]})
"""One row per line: what became of it and, where it has an item, of that."""


@dataclass(slots=True)
class OutcomePages:
    """Outcomes of a run's lines, page by page in file order.

    Calling it with the first and last line number of a page gives an `OUTCOMES` frame of the lines
    in between. Pages come in order, each once; the cost of a page does not depend on its place.
    """

    connection: Connection
    line_lo: int
    line_hi: int
    _next: int = field(init=False)

    def __post_init__(self) -> None:
        self._next = self.line_lo

    def __call__(self, lo: int, hi: int) -> pl.DataFrame:
        """The lines numbered `lo` to `hi` that no earlier page had."""
        del lo
        lines = bulk.copied(
            self.connection,
            "SELECT l.id, l.number, l.outcome, l.codes, l.currency, l.amount_minor,"
            # A repetition inside the file names no item; its reference leads to the one that pays.
            " CASE WHEN l.item_id IS NOT NULL OR l.outcome <> 'duplicate' THEN l.item_id"
            " ELSE (SELECT o.item_id FROM line o WHERE o.payer_id = l.payer_id"
            " AND o.reference = l.reference AND o.outcome = 'accepted'"
            " ORDER BY o.intent DESC LIMIT 1) END FROM line l"
            # A line's number is never below its place in the file, so the key range is bounded.
            " WHERE l.id BETWEEN {next} AND {last} AND l.number <= {hi} ORDER BY l.id",
            _LINES,
            next=self._next,
            last=min(self.line_hi, self.line_lo + hi - 1),
            hi=hi,
        )
        if lines.height:
            self._next = int(lines["line_id"].tail(1).item()) + 1
        found = item_frame(self.connection, lines["item_id"].drop_nulls().unique().sort())
        return lines.join(found, on="item_id", how="left", maintain_order="left").select(
            OUTCOMES.names()
        )


def item_frame(connection: Connection, item_ids: pl.Series) -> pl.DataFrame:
    """What is known now of items (an `ITEMS` frame), read by ranges of the batches that hold them.

    Args:
        item_ids: sorted, unique. Whole batches are read, so the frame may hold their other items.
    """
    if item_ids.is_empty():
        return pl.DataFrame(schema=ITEMS)
    batches = _batches_of(connection, item_ids)
    parts = [_range_frame(connection, lo, hi) for lo, hi in _merged(batches)]
    base = [pl.coalesce(name, f"base_{name}").alias(name) for name in ("state", "attempts", "at")]
    own = pl.col("state").is_not_null()  # of the item alone; else all of its batch is one
    return (
        pl.concat(parts)
        .join(batches.drop("lo", "hi"), on="batch_id", how="left", maintain_order="left")
        .with_columns(
            *base,
            pl.when(own).then("code").otherwise("base_code").alias("code"),
            pl.when(pl.col("paid_by") == pl.col("provider")).then("provider_ref"),
        )
        # After a fallback an item has an id at two platforms: its own batch's is shown.
        .sort("item_id", pl.col("provider_ref").is_null(), maintain_order=True)
        .unique("item_id", keep="first", maintain_order=True)
        .select(ITEMS.names())
    )


def _range_frame(connection: Connection, lo: int, hi: int) -> pl.DataFrame:
    """Items of a range of keys with the last event of their own and the platforms' ids."""
    return bulk.copied(
        connection,
        "SELECT i.id, i.line_id, i.batch_id, i.amount_minor, e.after, e.tries, e.code,"
        " (date_part('epoch', e.at) * 1000000)::bigint, p.provider, p.provider_ref FROM item i"
        " LEFT JOIN (SELECT DISTINCT ON (item_id) item_id, after, tries, code, at FROM item_event"
        " WHERE item_id BETWEEN {lo} AND {hi} ORDER BY item_id, seq DESC) e ON e.item_id = i.id"
        " LEFT JOIN provider_payment p ON p.item_id = i.id AND p.item_id BETWEEN {lo} AND {hi}"
        " WHERE i.id BETWEEN {lo} AND {hi} ORDER BY i.id",
        _RANGE,
        lo=lo,
        hi=hi,
    ).with_columns(pl.from_epoch("at", "us").dt.replace_time_zone("UTC"))


def _merged(batches: pl.DataFrame) -> list[tuple[int, int]]:
    """Ranges of item keys, neighbours put together."""
    ranges: list[tuple[int, int]] = []
    for lo, hi in batches.select("lo", "hi").iter_rows():
        if ranges and ranges[-1][1] + 1 == lo:
            ranges[-1] = (ranges[-1][0], hi)
        else:
            ranges.append((lo, hi))
    return ranges


def _batches_of(connection: Connection, item_ids: pl.Series) -> pl.DataFrame:
    """The batches that hold these items (a `_BATCHES` frame); they are matched here, by range."""
    near = bulk.copied(
        connection,
        "SELECT b.id, b.lo, b.hi, b.provider, b.currency, b.base_state, b.tries, x.code,"
        " coalesce(x.at, b.created_at) FROM batch b LEFT JOIN batch_event x"
        " ON x.batch_id = b.id AND x.seq = b.base_seq"
        " WHERE b.lo <= {last} AND b.hi >= {first} ORDER BY b.lo",
        _BATCHES,
        first=int(item_ids[0]),
        last=int(item_ids[-1]),
    )
    matched = item_ids.alias("item_id").to_frame().join_asof(near, left_on="item_id", right_on="lo")
    held = matched.filter(pl.col("item_id") <= pl.col("hi"))["batch_id"].unique()
    return near.filter(pl.col("batch_id").is_in(held.implode()))
