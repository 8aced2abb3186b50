"""Statements of a lane: who works it, what a turn leaves behind, when it is paused.

A lane is the work of one provider and funding account. All statements are set-based over the
batches of a turn; rows of `batch` are locked in key order before anything of theirs is written.
What is due stands in `due`, attempts in `attempts`, looks in `looks`; this module gives them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.errors import UniqueViolation
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, SMALLINT, TEXT

from payouts.store import bulk
from payouts.store.attempts import (
    WORKER_LOCKS,
    Claim,
    Payload,
    close_attempts,
    count_outcomes,
    expired_attempts,
    live_attempts,
    open_attempts,
    payloads,
    unknown_after_death,
)
from payouts.store.due import (
    DueBatch,
    DueItem,
    cancelling,
    due_batches,
    due_items,
    next_due,
    refresh_due,
)
from payouts.store.looks import ask_looks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = [
    "LANE_LOCKS",
    "WORKER_LOCKS",
    "Claim",
    "DueBatch",
    "DueItem",
    "Payload",
    "ask_looks",
    "cancelling",
    "close_attempts",
    "count_outcomes",
    "due_batches",
    "due_items",
    "end_frozen",
    "expired_attempts",
    "hold_items",
    "hold_replacements",
    "insert_batch_events",
    "insert_evidence",
    "items_of_refs",
    "live_attempts",
    "lock_batches",
    "lock_funding",
    "map_refs",
    "mostly_failed",
    "next_due",
    "now",
    "open_attempts",
    "pause",
    "paused",
    "payloads",
    "refresh_due",
    "register_worker",
    "resume",
    "retry_now",
    "show_worker",
    "try_lane",
    "unknown_after_death",
]

LANE_LOCKS = 7_024_613
"""First key of the advisory lock of a lane that is worked; the second is the hash of its name."""


def now(connection: Connection) -> datetime:
    """The database's time: one reading per turn."""
    value: datetime = connection.execute(text("SELECT payouts_now()")).scalar_one()
    return value


def register_worker(connection: Connection) -> int:
    """A new worker number, and the session lock that shows that its writer is alive."""
    worker = int(connection.execute(text("SELECT nextval('worker_seq')")).scalar_one())
    show_worker(connection, worker)
    return worker


def show_worker(connection: Connection, worker: int) -> None:
    """Show that a worker is alive, for as long as this session lives."""
    connection.execute(
        text("SELECT pg_advisory_lock(:workers, :worker)"),
        {"workers": WORKER_LOCKS, "worker": worker},
    )
    connection.commit()


def try_lane(connection: Connection, provider: str, funding: str) -> bool:
    """Take the lane for this session; false where somebody works it already."""
    taken = connection.execute(
        text("SELECT pg_try_advisory_lock(:lanes, hashtext(:lane))"),
        {"lanes": LANE_LOCKS, "lane": f"{provider}/{funding}"},
    ).scalar_one()
    connection.commit()
    return bool(taken)


def end_frozen(connection: Connection, provider: str, funding: str) -> bool:
    """End the session that holds a lane where the lease of an attempt in it is over.

    A worker that works records or gives back each attempt within its lease; one that was stopped,
    or cut off with its session still open, would keep the lane from everybody (P20).
    """
    ended = connection.execute(
        text(
            "SELECT bool_or(pg_terminate_backend(l.pid)) FROM pg_locks l"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.classid = :lanes"
            " AND l.objid::bigint = hashtext(:lane)::bigint & 4294967295"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND EXISTS (SELECT FROM attempt a JOIN batch b ON b.id = a.batch_id"
            " WHERE a.closed_at IS NULL AND a.lease_until < payouts_now()"
            " AND b.provider = :provider AND b.funding = :funding)"
        ),
        {
            "lanes": LANE_LOCKS,
            "lane": f"{provider}/{funding}",
            "provider": provider,
            "funding": funding,
        },
    ).scalar()
    connection.commit()
    return bool(ended)


def insert_batch_events(
    connection: Connection,
    *,
    posting: int,
    actor: str,
    before: str,
    after: str,
    clouded: bool,
    batches: Sequence[tuple[int, int, int | None, int | None, str | None, datetime | None]],
    status: str | None = None,
    counts: Sequence[tuple[int, int]] = (),
) -> None:
    """Move whole batches; rows are (batch, seq, attempt, evidence, code, due).

    Args:
        status: the provider's own word for all of their items.
        counts: (put-offs, re-sends) of each batch; left out: none.
    """
    if not batches:
        return
    columns = list(zip(*batches, strict=True))
    statement = text(
        "INSERT INTO batch_event (batch_id, seq, before, after, clouded, actor, posting,"
        " attempt_id, evidence_id, code, due_at, provider_status, put_offs, resends)"
        " SELECT b, s, CAST(:before AS item_state), CAST(:after AS item_state), :clouded, :actor,"
        " :posting, a, e, c, d, CAST(:status AS text), p, r"
        " FROM unnest(:batch, :seq, :attempt, :evidence, :code, CAST(:due AS timestamptz[]),"
        " :put_offs, :resends) AS rows (b, s, a, e, c, d, p, r)"
    ).bindparams(
        bindparam("batch", type_=ARRAY(BIGINT)),
        bindparam("seq", type_=ARRAY(SMALLINT)),
        bindparam("attempt", type_=ARRAY(BIGINT)),
        bindparam("evidence", type_=ARRAY(BIGINT)),
        bindparam("code", type_=ARRAY(TEXT)),
        bindparam("put_offs", type_=ARRAY(SMALLINT)),
        bindparam("resends", type_=ARRAY(SMALLINT)),
    )
    counted = list(counts) or [(0, 0)] * len(batches)
    connection.execute(
        statement,
        {
            "put_offs": [put_offs for put_offs, _ in counted],
            "resends": [resends for _, resends in counted],
            "before": before,
            "after": after,
            "clouded": clouded,
            "actor": actor,
            "posting": posting,
            "status": status,
            "batch": list(columns[0]),
            "seq": list(columns[1]),
            "attempt": list(columns[2]),
            "evidence": list(columns[3]),
            "code": list(columns[4]),
            "due": list(columns[5]),
        },
    )


def lock_batches(connection: Connection, batch_ids: Sequence[int]) -> None:
    """Lock batch rows in key order (ARCHITECTURE §5, Writers)."""
    connection.execute(
        text("SELECT id FROM batch WHERE id = ANY(:ids) ORDER BY id FOR UPDATE"),
        {"ids": sorted(set(batch_ids))},
    )


def lock_funding(connection: Connection, batch_ids: Sequence[int]) -> None:
    """Lock the funding accounts of batches in key order, before several statements book to them.

    Loads and approvals lock theirs in the same order, so that none of them waits in a circle with
    a turn, and a load of a million lines is never the one that is broken off.
    """
    connection.execute(
        text(
            "SELECT FROM ledger_account WHERE id IN (SELECT funding_id FROM batch"
            " WHERE id = ANY(:ids)) ORDER BY id FOR NO KEY UPDATE"
        ),
        {"ids": list(batch_ids)},
    )


def insert_evidence(connection: Connection, rows: Sequence[dict[str, object]]) -> list[int]:
    """Write evidence; returns its keys in order.

    Each row has kind, provider, batch_id, attempt_id, item_id, http_status, sha256, bytes, excerpt.
    """
    if not rows:
        return []
    lo = bulk.take_keys(connection, "evidence_id_seq", len(rows))
    columns = (
        "id",
        "kind",
        "provider",
        "batch_id",
        "attempt_id",
        "item_id",
        "http_status",
        "sha256",
        "bytes",
        "excerpt",
    )
    values = [(lo + place, *(row[name] for name in columns[1:])) for place, row in enumerate(rows)]
    bulk.copy_rows(connection, "evidence", columns, values)
    return list(range(lo, lo + len(rows)))


def map_refs(
    connection: Connection, provider: str, items: Sequence[int], refs: Sequence[str]
) -> set[int]:
    """Remember the provider's ids; returns the items whose id contradicts what is known.

    A contradiction is an id that belongs to another item already, or a second id for one item.
    """
    if not items:
        return set()
    columns = ("provider", "provider_ref", "item_id")
    # Ids are printable ASCII without blanks (`providers.strict.ident`): only `\\` means more.
    rows = "".join(
        [f"{provider}\t{ref}\t{item}\n" for item, ref in zip(items, refs, strict=True)]
    ).replace("\\", "\\\\")
    try:
        with connection.begin_nested():
            bulk.copy_text(connection, "provider_payment", columns, rows)
    except UniqueViolation:
        return _map_known_refs(connection, provider, items, refs)
    return set()


def _map_known_refs(
    connection: Connection, provider: str, items: Sequence[int], refs: Sequence[str]
) -> set[int]:
    """`map_refs` where some are known already: slower, row by row inside one statement."""
    statement = text(
        "WITH given AS (SELECT * FROM unnest(:items, :refs) AS g (item_id, ref)), new AS ("
        " INSERT INTO provider_payment (provider, provider_ref, item_id)"
        " SELECT :provider, ref, item_id FROM given ON CONFLICT DO NOTHING RETURNING item_id)"
        " SELECT g.item_id FROM given g WHERE g.item_id NOT IN (SELECT item_id FROM new)"
        " AND NOT EXISTS (SELECT FROM provider_payment p WHERE p.provider = :provider"
        " AND p.item_id = g.item_id AND p.provider_ref = g.ref)"
    ).bindparams(bindparam("items", type_=ARRAY(BIGINT)), bindparam("refs", type_=ARRAY(TEXT)))
    found = connection.execute(
        statement, {"provider": provider, "items": list(items), "refs": list(refs)}
    )
    return {int(row[0]) for row in found}


def mostly_failed(
    connection: Connection, batch_ids: Sequence[int], *, share: float, items_min: int
) -> list[tuple[int, int, int]]:
    """(batch, failed items, items) of those in which at least this share is failed."""
    rows = connection.execute(
        text(
            "SELECT b.id, c.items, b.items FROM batch b JOIN batch_count c ON c.batch_id = b.id"
            " AND c.state = 'failed' WHERE b.id = ANY(:ids) AND b.items >= :least"
            " AND c.items >= :share * b.items ORDER BY b.id"
        ),
        {"ids": list(batch_ids), "least": items_min, "share": share},
    )
    return [(int(batch), int(failed), int(items)) for batch, failed, items in rows]


def hold_replacements(unit: Connection, item_id: int, *, actor: str, detail: str) -> list[int]:
    """Hold what pays this item again, also what pays that one again; returns all that do.

    What is out already is held too: where it proves not executed, it is not sent once more.

    Args:
        detail: why, for the hold.
    """
    again = list(
        unit.execute(
            text(
                "WITH RECURSIVE later AS (SELECT item_id FROM line WHERE replaces = :item"
                " AND outcome = 'accepted' UNION SELECT l.item_id FROM line l JOIN later"
                " ON l.replaces = later.item_id WHERE l.outcome = 'accepted')"
                " SELECT item_id FROM later ORDER BY item_id"
            ),
            {"item": item_id},
        ).scalars()
    )
    hold_items(unit, again, actor=actor, detail=detail)
    return again


def hold_items(unit: Connection, item_ids: Sequence[int], *, actor: str, detail: str) -> None:
    """Hold items that a platform may have paid before; those that are final are left alone."""
    if not item_ids:
        return
    unit.execute(
        text(
            "INSERT INTO hold (run_id, item_id, reason, detail, opened_by)"
            " SELECT n.run_id, n.id, 'paid_before', :detail, :actor FROM item_now n"
            " WHERE n.id = ANY(:items)"
            " AND n.state IN ('pending', 'approved', 'sending', 'unknown', 'processing', 'review')"
            " AND NOT EXISTS (SELECT FROM hold h WHERE h.item_id = n.id"
            " AND h.reason = 'paid_before' AND h.released_at IS NULL)"
        ),
        {"items": list(item_ids), "detail": detail, "actor": actor},
    )


def items_of_refs(connection: Connection, provider: str, refs: Sequence[str]) -> set[int]:
    """The items that a provider's ids belong to."""
    rows = connection.execute(
        text(
            "SELECT item_id FROM provider_payment WHERE provider = :provider"
            " AND provider_ref = ANY(:refs)"
        ),
        {"provider": provider, "refs": list(refs)},
    )
    return {int(row[0]) for row in rows}


def pause(
    connection: Connection, provider: str, funding: str, reason: str, *, actor: str | None = None
) -> None:
    """Pause a lane: nothing more is sent until it is resumed; nobody is failed.

    A person's newer reason takes the place of what is there; one of the program's own never does,
    so that a person's word, and what waits for people, stays until it is resumed.

    Args:
        actor: the person; none for a reason of the program's own.
    """
    connection.execute(
        text(
            "INSERT INTO lane (provider, funding, paused_at, reason, paused_by)"
            " VALUES (:provider, :funding, payouts_now(), :reason, :actor)"
            " ON CONFLICT (provider, funding) DO UPDATE SET reason = excluded.reason,"
            " paused_by = excluded.paused_by,"
            " paused_at = coalesce(lane.paused_at, excluded.paused_at)"
            " WHERE lane.paused_at IS NULL OR excluded.paused_by IS NOT NULL"
        ),
        {"provider": provider, "funding": funding, "reason": reason, "actor": actor},
    )


def resume(connection: Connection, provider: str, funding: str) -> None:
    """Let a paused lane send again."""
    connection.execute(
        text(
            "UPDATE lane SET paused_at = NULL, reason = NULL"
            " WHERE provider = :provider AND funding = :funding"
        ),
        {"provider": provider, "funding": funding},
    )


def retry_now(connection: Connection, run_id: int) -> tuple[int, int]:
    """Make due now what waits after an answer that proved it was not executed: (batches, items).

    Never what is unclear, and never what was not sent yet: that waits for its own day. The due
    times of events are history; the batch notes when a person asked.
    """
    waiting = text(
        "SELECT b.id FROM batch b JOIN batch_count c ON c.batch_id = b.id"
        " AND c.state = 'approved' AND c.items > 0 WHERE b.run_id = :run ORDER BY b.id"
    )
    batch_ids = list(connection.execute(waiting, {"run": run_id}).scalars())
    lock_batches(connection, batch_ids)
    rows = connection.execute(
        text(
            "SELECT n.batch_id, count(*) FROM item_now n WHERE n.batch_id = ANY(:ids)"
            " AND n.state = 'approved' AND n.tries > 0 AND n.due_at > payouts_now() GROUP BY 1"
        ),
        {"ids": batch_ids},
    ).all()
    connection.execute(
        text(
            "UPDATE batch SET retried_at = payouts_now(), send_at = payouts_now()"
            " WHERE id = ANY(:ids)"
        ),
        {"ids": [batch for batch, _ in rows]},
    )
    return len(rows), sum(items for _, items in rows)


def paused(connection: Connection, provider: str, funding: str) -> str | None:
    """Why a lane is paused; none where it is not."""
    return connection.execute(
        text(
            "SELECT reason FROM lane WHERE provider = :provider AND funding = :funding"
            " AND paused_at IS NOT NULL"
        ),
        {"provider": provider, "funding": funding},
    ).scalar()
