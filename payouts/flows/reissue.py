"""Re-issue: what is finally not paid is paid again, as a new line and item that name the old one.

A final item is never re-opened. Its line's identity gets the next intent, so the new item has a
wire reference of its own, and `line.replaces` is unique: nothing is replaced twice. Only an item
that is failed, returned, cancelled or expired and not clouded qualifies, and that is looked at with
its batch locked, in the transaction that loads the new one.

The new lines are written as a payee file in our own columns, with `replaces` (an item's id) before
them, and go through the same checks and the same load as any file. So a re-issue is a run with a
report, and can be re-issued itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
from sqlalchemy import text

from payouts.core.currencies import currency
from payouts.core.errors import InvariantError, UsageError
from payouts.core.ids import public_id
from payouts.core.items import State
from payouts.core.money import format_minor
from payouts.flows.load import Again
from payouts.intake.frames import CANONICAL
from payouts.store import lanes, queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from payouts.store.queries import ItemRow, RunRow

__all__ = ["CHANGEABLE", "MAPPING", "PIPELINE", "Reissue", "prepare", "require"]

PIPELINE: Final = "reissue"
"""Name of the pipeline in runs of re-issues."""

MAPPING: Final = {"replaces": ""}
"""How its files are read: the first column is ours and no part of a payment."""

_FIXED: Final = ("reference", "amount", "currency", "due_date")
CHANGEABLE: Final = tuple(name for name in CANONICAL if name not in _FIXED)
"""Columns that may be given anew; who is paid how much stays."""

_QUALIFIED: Final = (State.FAILED, State.RETURNED, State.CANCELLED, State.EXPIRED)
_OF_ACCOUNT: Final = ("account_kind", "bank_code", "branch_code", "account_type")
"""What was said about the old account; a new account comes with its own."""

_SHOWN_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Reissue:
    """A file of lines to be paid again, and how it is to be loaded.

    Args:
        funding: the account that paid before and pays again.
        items: the old items, in the order of the file's lines.
    """

    funding: str
    items: Sequence[ItemRow]
    again: Again


def require(connection: Connection, item_ids: Sequence[int]) -> None:
    """Lock the items' batches and see that each may be paid again now.

    Raises:
        UsageError: E_REISSUE with the first of those that may not, and why.
    """
    batch_ids = connection.execute(
        text("SELECT DISTINCT batch_id FROM item WHERE id = ANY(:ids)"), {"ids": list(item_ids)}
    ).scalars()
    lanes.lock_batches(connection, list(batch_ids))
    found = {row.id: row for row in queries.items_of(connection, item_ids)}
    rows = connection.execute(
        text("SELECT replaces, item_id FROM line WHERE replaces = ANY(:ids)"),
        {"ids": list(item_ids)},
    )
    replaced = {int(old): int(new) for old, new in rows}
    asked = set(
        connection.execute(
            text("SELECT item_id FROM look_request WHERE item_id = ANY(:ids)"),
            {"ids": list(item_ids)},
        ).scalars()
    )
    wrong = [
        f"{public_id('itm', key)} {why}"
        for key in item_ids
        if (why := _obstacle(found.get(key), replaced.get(key), asked=key in asked))
    ]
    if wrong:
        more = f" and {len(wrong) - _SHOWN_MAX} more" if len(wrong) > _SHOWN_MAX else ""
        raise UsageError(
            f"not to be paid again: {'; '.join(wrong[:_SHOWN_MAX])}{more}",
            hint="Only what is failed, returned, cancelled or expired, and clear, is paid again;"
            " `payouts explain ITEM` says where it stands.",
            code="E_REISSUE",
        )


def _obstacle(item: ItemRow | None, replaced_by: int | None, *, asked: bool) -> str:
    """Why an item may not be paid again; empty where it may.

    Args:
        asked: the platform is being asked about it, since something spoke of it.
    """
    if item is None:
        return "does not exist"
    if replaced_by is not None:
        return f"is paid again by {public_id('itm', replaced_by)} already"
    if item.state not in _QUALIFIED:
        return f"is {item.state}"
    if asked:
        return "is being asked about: the platform may have paid it after all"
    return "is clouded: an earlier attempt is still unclear" if item.clouded else ""


def prepare(
    connection: Connection,
    wanted: Mapping[int, Mapping[str, str]],
    *,
    lines_of: Callable[[RunRow], Iterable[pl.DataFrame]],
    path: Path,
) -> Reissue:
    """Write the file of a re-issue.

    Args:
        wanted: item -> columns of `CHANGEABLE` that are given anew; all of one funding account.
        lines_of: the canonical lines of a run's file, as they were loaded.
        path: where the file is written.

    Raises:
        UsageError: E_REISSUE where an item may not be paid again, or the items are paid from
            several funding accounts.
    """
    require(connection, list(wanted))
    items = queries.items_of(connection, list(wanted))
    accounts = sorted({item.funding for item in items})
    if len(accounts) > 1:
        raise UsageError(
            f"these items are paid from several accounts: {', '.join(accounts)}",
            hint="Re-issue them account by account.",
            code="E_REISSUE",
        )
    originals = _originals(connection, items, lines_of)
    rows = [_line(item, originals[item.id], wanted[item.id]) for item in items]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("replaces", *CANONICAL), pl.String))
    path.write_bytes(frame.write_csv(quote_style="necessary").encode())
    path.chmod(0o600)
    keys = [item.id for item in items]
    lines = pl.DataFrame(
        {
            "line": range(2, len(items) + 2),
            "reference": [item.reference for item in items],
            "intent": [item.intent + 1 for item in items],
            "replaces": keys,
        },
        schema={
            "line": pl.Int64,
            "reference": pl.String,
            "intent": pl.Int64,
            "replaces": pl.Int64,
        },
    )
    return Reissue(accounts[0], items, Again(lines, lambda unit: require(unit, keys)))


def _originals(
    connection: Connection,
    items: Sequence[ItemRow],
    lines_of: Callable[[RunRow], Iterable[pl.DataFrame]],
) -> dict[int, dict[str, str | None]]:
    """The canonical cells of the line that each item was made of (of the first, where summed)."""
    found: dict[int, dict[str, str | None]] = {}
    for run_id in sorted({item.run_id for item in items}):
        run = queries.run(connection, run_id)
        if run is None:
            raise InvariantError(f"run {run_id} has items and no row")
        numbers = {item.number: item.id for item in items if item.run_id == run_id}
        wanted = pl.Series(sorted(numbers), dtype=pl.Int64)
        for lines in lines_of(run):
            chosen = lines.filter(pl.col("line").is_in(wanted.implode()))
            for row in chosen.iter_rows(named=True):
                found[numbers[row["line"]]] = {name: row[name] for name in CANONICAL}
    missing = [item.id for item in items if item.id not in found]
    if missing:
        raise InvariantError(
            f"the line of {public_id('itm', missing[0])} is not in the file it was loaded from",
            hint="The copy under `.payouts/files` was altered; restore it from a backup.",
        )
    return found


def _line(
    item: ItemRow, original: Mapping[str, str | None], changes: Mapping[str, str]
) -> dict[str, str | None]:
    """The cells of a line that pays an item again."""
    made = dict(original)
    if "account" in changes:
        made |= dict.fromkeys(_OF_ACCOUNT)
    made |= changes
    visible = not item.reference.startswith(("fp:", "sum:"))
    return {
        "replaces": public_id("itm", item.id),
        **made,
        "reference": item.reference if visible else public_id("itm", item.id),
        "amount": format_minor(item.amount_minor, currency(item.currency).exponent),
        "currency": item.currency,
        "due_date": None,
    }
