"""Statements around a run: the file's claim, its batches, its approval and its holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
from sqlalchemy import text

from payouts.core.items import OPEN
from payouts.core.ledger import account_name
from payouts.store import bulk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = [
    "BatchAccounts",
    "NewRun",
    "approve",
    "claimed",
    "close",
    "close_load",
    "copy_in_use",
    "ensure_accounts",
    "ensure_payer",
    "hold",
    "insert_batches",
    "lock_payer",
    "lookalikes",
    "open_run",
    "recent_periods",
    "shortfall",
    "source_run",
]


@dataclass(frozen=True, slots=True)
class NewRun:
    """What is known of a run before its lines are read; `line_lo..line_hi` are their keys."""

    line_lo: int
    line_hi: int
    payer_id: int
    pipeline: str
    slot: str | None
    period: str
    source_name: str
    source_copy: str
    source_sha256: str
    source_bytes: int
    funding: str
    policy: str
    detected: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BatchAccounts:
    """Keys of the four ledger accounts of a batch."""

    funding: int
    reserved: int
    in_transit: int
    paid: int


def ensure_payer(connection: Connection, name: str) -> int:
    """The key of a payer, made on first use."""
    connection.execute(
        text("INSERT INTO payer (name) VALUES (:name) ON CONFLICT DO NOTHING"), {"name": name}
    )
    return int(
        connection.execute(
            text("SELECT id FROM payer WHERE name = :name"), {"name": name}
        ).scalar_one()
    )


def lock_payer(connection: Connection, payer_id: int) -> None:
    """One load of a payer at a time, until the unit ends."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('payouts.load'), :payer)"), {"payer": payer_id}
    )


def source_run(connection: Connection, payer_id: int, sha256: str) -> int | None:
    """The run that claimed these bytes, if any (P3)."""
    return connection.execute(
        text(
            "SELECT id FROM pipeline_run WHERE payer_id = :payer AND source_sha256 = :sha"
            " AND counts ? 'accepted'"
        ),
        {"payer": payer_id, "sha": sha256},
    ).scalar()


def copy_in_use(connection: Connection, source_copy: str) -> bool:
    """Whether a run was loaded from this copy of ours (a path relative to the project)."""
    return bool(
        connection.execute(
            text("SELECT EXISTS (SELECT FROM pipeline_run WHERE source_copy = :copy)"),
            {"copy": source_copy},
        ).scalar_one()
    )


def open_run(connection: Connection, run: NewRun) -> int:
    """The key of a new run row."""
    return int(
        connection.execute(
            text(
                "INSERT INTO pipeline_run (payer_id, pipeline, slot, period, source_name,"
                " source_copy, source_sha256, source_bytes, funding, policy, detected,"
                " line_lo, line_hi)"
                " VALUES (:payer_id, :pipeline, :slot, :period, :source_name, :source_copy,"
                " :source_sha256, :source_bytes, :funding, :policy, CAST(:detected AS jsonb), :line_lo, :line_hi)"
                " RETURNING id"
            ),
            {
                **{name: getattr(run, name) for name in NewRun.__slots__},
                "detected": json.dumps(run.detected),
            },
        ).scalar_one()
    )


def close_load(
    connection: Connection,
    run_id: int,
    *,
    read: int,
    counts: Mapping[str, int],
    totals: Mapping[str, int],
) -> None:
    """Write what the load found: outcomes, accepted totals per currency.

    The database holds them against the lines and batches that are there.
    """
    connection.execute(
        text(
            "UPDATE pipeline_run SET lines_read = :read,"
            " counts = CAST(:counts AS jsonb), totals = CAST(:totals AS jsonb) WHERE id = :run"
        ),
        {
            "run": run_id,
            "read": read,
            "counts": json.dumps(dict(counts)),
            "totals": json.dumps(dict(totals)),
        },
    )


def claimed(
    connection: Connection, payer_id: int, references: pl.Series, intent: int = 1
) -> pl.DataFrame:
    """Accepted lines that already hold one of these references.

    Columns: reference String, known_content Binary, known_run Int64, known_item Int64. A payer
    whose stored references lie outside the chunk's range is not probed line by line.
    """
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "reference": pl.String,
        "known_content": pl.Binary,
        "known_run": pl.Int64,
        "known_item": pl.Int64,
    }
    values = {"payer": payer_id, "intent": intent}
    overlap = (
        not references.is_empty()
        and connection.execute(
            text(
                "SELECT EXISTS (SELECT FROM line WHERE payer_id = :payer AND outcome = 'accepted'"
                " AND reference BETWEEN :low AND :high)"
            ),
            {"payer": payer_id, "low": references.min(), "high": references.max()},
        ).scalar_one()
    )
    if not overlap:
        return pl.DataFrame(schema=schema)
    return bulk.read(
        connection,
        "SELECT reference, content, run_id, item_id FROM line WHERE payer_id = :payer"
        " AND intent = :intent AND outcome = 'accepted' AND reference = ANY(:references)",
        schema,
        references=references.to_list(),
        **values,
    )


def recent_periods(connection: Connection, payer_id: int, pipeline: str, period: str) -> list[str]:
    """Other periods of a pipeline's runs that paid somebody today or on one of the 7 days before."""
    return list(
        connection.execute(
            text(
                "SELECT DISTINCT period FROM pipeline_run WHERE payer_id = :payer"
                " AND pipeline = :pipeline AND period <> :period AND counts ? 'accepted'"
                " AND created_at >= payouts_now()::date - 7 ORDER BY period"
            ),
            {"payer": payer_id, "pipeline": pipeline, "period": period},
        ).scalars()
    )


def lookalikes(connection: Connection, run_id: int) -> list[int]:
    """Earlier runs of the payer within 7 days with the same totals and count, other bytes (P3).

    Days are whole: what was paid at noon a week ago is like what comes this afternoon.
    Two slots of one schedule are no look-alikes: an equal payroll every Friday is what was asked.
    """
    return list(
        connection.execute(
            text(
                "SELECT o.id FROM pipeline_run n JOIN pipeline_run o ON o.payer_id = n.payer_id"
                " AND o.id <> n.id AND o.totals = n.totals AND o.source_sha256 <> n.source_sha256"
                " AND o.counts -> 'accepted' = n.counts -> 'accepted'"
                " AND o.created_at >= n.created_at::date - 7"
                " AND NOT (o.pipeline = n.pipeline AND coalesce(o.slot <> n.slot, false))"
                " WHERE n.id = :run AND n.counts ? 'accepted' ORDER BY o.id"
            ),
            {"run": run_id},
        ).scalars()
    )


def ensure_accounts(
    connection: Connection, *, funding: str, run: str, provider: str, currency: str
) -> BatchAccounts:
    """The four accounts that batches of this provider and currency post to."""
    names = {
        "funding": (account_name("funding", funding, currency), funding),
        "reserved": (account_name("reserved", run, currency), run),
        "in_transit": (account_name("in_transit", provider, currency), provider),
        "paid": (account_name("paid", provider, currency), provider),
    }
    keys = {
        kind: ensure_account(connection, kind=kind, owner=owner, currency=currency)
        for kind, (_, owner) in names.items()
    }
    return BatchAccounts(keys["funding"], keys["reserved"], keys["in_transit"], keys["paid"])


def ensure_account(connection: Connection, *, kind: str, owner: str, currency: str) -> int:
    """The key of a ledger account, made on first use with a balance of zero where one is kept."""
    name = account_name(kind, owner, currency)
    connection.execute(
        text(
            "INSERT INTO ledger_account (name, kind, owner, currency, balance_minor)"
            " VALUES (:name, :kind, :owner, :currency, :balance) ON CONFLICT DO NOTHING"
        ),
        {
            "name": name,
            "kind": kind,
            "owner": owner,
            "currency": currency,
            "balance": 0 if kind in {"funding", "reserved"} else None,
        },
    )
    return int(
        connection.execute(
            text("SELECT id FROM ledger_account WHERE name = :name"), {"name": name}
        ).scalar_one()
    )


def insert_batches(connection: Connection, batches: pl.DataFrame) -> None:
    """Batch rows and their counters, all items pending.

    Columns: those of `batch` that have no default, with `payload_hash` Binary.
    """
    bulk.copy(connection, "batch", batches)
    connection.execute(
        text(
            "INSERT INTO batch_count (batch_id, state, items, amount_minor)"
            " SELECT b.id, s, CASE WHEN s = 'pending' THEN b.items ELSE 0 END,"
            " CASE WHEN s = 'pending' THEN b.amount_minor ELSE 0 END"
            " FROM batch b CROSS JOIN unnest(enum_range(NULL::item_state)) s"
            " WHERE b.id BETWEEN :lo AND :hi ORDER BY b.id, s"
        ),
        {"lo": batches["id"].min(), "hi": batches["id"].max()},
    )


def shortfall(connection: Connection, run_id: int) -> dict[str, int]:
    """Per currency, what the funding accounts lack to reserve the run; locks them."""
    rows = connection.execute(
        text(
            "WITH need AS (SELECT b.funding_id, b.currency, sum(c.amount_minor) AS amount"
            " FROM batch b JOIN batch_count c ON c.batch_id = b.id AND c.state = 'pending'"
            " WHERE b.run_id = :run GROUP BY 1, 2), locked AS (SELECT a.id, a.balance_minor"
            " FROM ledger_account a WHERE a.id IN (SELECT funding_id FROM need) ORDER BY a.id"
            " FOR NO KEY UPDATE)"
            " SELECT n.currency, (n.amount - l.balance_minor)::bigint FROM need n"
            " JOIN locked l ON l.id = n.funding_id WHERE n.amount > l.balance_minor"
        ),
        {"run": run_id},
    )
    return {currency: int(amount) for currency, amount in rows}


def approve(connection: Connection, run_id: int, *, actor: str) -> int:
    """Move every batch of a run from pending to approved and make it due; returns the batches.

    One row per batch; the trigger reserves the money in the same statement and refuses an
    overdraft of the funding account. Where an item of a batch went its own way before (it was
    cancelled), the others move one by one.
    """
    posting = bulk.next_posting(connection)
    moved = connection.execute(
        text(
            "INSERT INTO batch_event (batch_id, seq, before, after, actor, posting, due_at)"
            " SELECT b.id, b.base_seq + 1, 'pending', 'approved', :actor, :posting,"
            " greatest(payouts_now(), b.due_date::timestamptz) FROM batch b"
            " WHERE b.run_id = :run AND b.base_state = 'pending' AND NOT b.split ORDER BY b.id"
        ),
        {"run": run_id, "actor": actor, "posting": posting},
    ).rowcount
    connection.execute(
        text(
            "UPDATE batch b SET send_at = greatest(payouts_now(), b.due_date::timestamptz)"
            " WHERE b.run_id = :run AND b.base_state = 'approved' AND NOT b.split"
        ),
        {"run": run_id},
    )
    moved += _approve_members(connection, run_id, actor=actor, posting=posting)
    connection.execute(
        text(
            "UPDATE pipeline_run SET approved_by = :actor, approved_at = payouts_now()"
            " WHERE id = :run"
        ),
        {"run": run_id, "actor": actor},
    )
    return moved


def _approve_members(connection: Connection, run_id: int, *, actor: str, posting: int) -> int:
    """Approve what is pending in batches that do not move as one any more; returns the batches."""
    rows = connection.execute(
        text(
            "WITH made AS (INSERT INTO item_event (item_id, batch_id, posting, before, after, seq,"
            " tries, actor, due_at) SELECT n.id, n.batch_id, :posting, 'pending', 'approved',"
            " n.seq + 1, n.tries, :actor, greatest(payouts_now(), b.due_date::timestamptz)"
            " FROM item_now n JOIN batch b ON b.id = n.batch_id WHERE b.run_id = :run AND b.split"
            " AND n.state = 'pending' ORDER BY n.id RETURNING batch_id)"
            " SELECT DISTINCT batch_id FROM made"
        ),
        {"run": run_id, "actor": actor, "posting": posting},
    )
    batch_ids = list(rows.scalars())
    connection.execute(
        text(
            "UPDATE batch SET send_at = greatest(payouts_now(), due_date::timestamptz)"
            " WHERE id = ANY(:ids)"
        ),
        {"ids": batch_ids},
    )
    return len(batch_ids)


def hold(connection: Connection, run_id: int, *, reason: str, detail: str, actor: str) -> None:
    """Open a hold on a run: nothing of it is sent until it is released."""
    connection.execute(
        text(
            "INSERT INTO hold (run_id, reason, detail, opened_by)"
            " VALUES (:run, :reason, :detail, :actor)"
        ),
        {"run": run_id, "reason": reason, "detail": detail, "actor": actor},
    )


def lanes(connection: Connection, run_id: int) -> Sequence[tuple[str, str]]:
    """The (provider, funding account) pairs of a run's batches."""
    rows = connection.execute(
        text("SELECT DISTINCT provider, funding FROM batch WHERE run_id = :run ORDER BY 1, 2"),
        {"run": run_id},
    )
    return [(provider, funding) for provider, funding in rows]


def close(connection: Connection, run_id: int) -> datetime | None:
    """Close a run of which nothing is open; when it was closed, none where something still is.

    That its accounts agree is the caller's to know (`flows.proof`).
    """
    connection.execute(
        text(
            "UPDATE pipeline_run SET closed_at = payouts_now() WHERE id = :run"
            " AND closed_at IS NULL AND NOT EXISTS (SELECT FROM batch b JOIN batch_count c"
            " ON c.batch_id = b.id WHERE b.run_id = :run AND c.items > 0"
            " AND c.state = ANY(CAST(:states AS item_state[])))"
        ),
        {"run": run_id, "states": sorted(OPEN)},
    )
    statement = text("SELECT closed_at FROM pipeline_run WHERE id = :run")
    closed: datetime | None = connection.execute(statement, {"run": run_id}).scalar_one()
    return closed
