"""Statements of a lane: what is due, what an attempt holds, what a turn leaves behind.

A lane is the work of one provider and funding account. All statements are set-based over the
batches of a turn; rows of `batch` are locked in key order before anything of theirs is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from psycopg.errors import UniqueViolation
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, SMALLINT, TEXT

from payouts.core.sealed import Sealed
from payouts.store import bulk
from payouts.store.cancels import COVERED
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

_RETRIED = (
    "(n.state = 'approved' AND n.tries > 0 AND b.retried_at > coalesce(n.at, (SELECT x.at"
    " FROM batch_event x WHERE x.batch_id = b.id AND x.seq = b.base_seq)))"
)
"""A person asked that this item, proven not executed, be tried at once (`retry_now`)."""

_HELD_INSIDE = (
    "EXISTS (SELECT FROM hold h WHERE h.run_id = b.run_id AND h.item_id BETWEEN b.lo AND b.hi"
    " AND h.released_at IS NULL)"
)
"""An item of the batch is held by itself."""

_CANCELLED_INSIDE = (
    "EXISTS (SELECT FROM cancel_request k WHERE k.run_id = b.run_id"
    " AND k.item_id BETWEEN b.lo AND b.hi AND k.done_at IS NULL)"
)
"""Somebody asked that an item of the batch be cancelled."""

_CANCELLED_WHOLE = (
    "EXISTS (SELECT FROM cancel_request k WHERE k.run_id = b.run_id AND k.item_id IS NULL"
    " AND k.done_at IS NULL)"
)
"""Somebody asked that the whole run be cancelled."""

_APART = f"({_HELD_INSIDE} OR {_CANCELLED_INSIDE})"
"""An item of the batch stays while the others go: they are worked item by item."""

_FREE = (
    "NOT EXISTS (SELECT FROM hold h WHERE h.run_id = n.run_id AND h.item_id = n.id"
    f" AND h.released_at IS NULL) AND NOT {COVERED}"
)
"""Neither is the item held by itself, nor is it asked to be cancelled."""

_NOT_FOUND = (
    " AND (n.state <> 'unknown' OR EXISTS (SELECT FROM look_request r WHERE r.item_id = n.id"
    " AND r.missing >= 2))"
)
"""The provider was asked by our reference for what is unclear, twice, and has not got it (P5)."""

WORKER_LOCKS = 7_024_612
"""First key of the advisory lock of a living worker; the second is its number."""
LANE_LOCKS = 7_024_613
"""First key of the advisory lock of a lane that is worked; the second is the hash of its name."""


@dataclass(frozen=True, slots=True)
class DueBatch:
    """A locked batch with something due to be sent.

    Args:
        split: its items go one by one: they have events of their own, or one of them is held.
        age_s: of an unclear batch, the seconds since its key was first used; else 0.
        put_offs: sends that were proven not executed, since the provider wanted them later.
        resends: sends under the same key after an unclear answer.
        fingerprint: of the account of ours that the last attempt was made with.
    """

    batch_id: int
    lo: int
    hi: int
    currency: str
    items: int
    payload_hash: bytes
    base_state: str
    base_seq: int
    base_clouded: bool
    split: bool
    tries: int
    age_s: float
    put_offs: int
    resends: int
    fingerprint: str | None


class DueItem(NamedTuple):
    """A due item of a split batch.

    Args:
        tries: sends so far.
        age_s: of an unclear item, the seconds since its key was first used; else 0.
        put_offs: as of `DueBatch`, and `resends` and `fingerprint` too.
    """

    item_id: int
    state: str
    seq: int
    clouded: bool
    tries: int
    code: str | None
    age_s: float
    put_offs: int
    resends: int
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt that is on disk and may be sent.

    Args:
        members: item keys of this attempt, in key order.
        whole: the attempt holds every item of a batch that was never split.
        seqs: number of each member's `sending` event.
        tries: sends of each member, this one included.
        put_offs: of these, those that were proven not executed, of each member.
        resends: of these, those after an unclear answer, this one included, of each member.
        clouded: whether each member has an earlier attempt that is unclear.
        amounts: minor units of each member.
        bodies: the bytes of each member, as sealed.
    """

    batch_id: int
    attempt_id: int
    fence: int
    key: str
    currency: str
    whole: bool
    members: list[int]
    seqs: list[int]
    tries: list[int]
    put_offs: list[int]
    resends: list[int]
    clouded: list[bool]
    amounts: list[int]
    bodies: list[bytes] = field(repr=False)  # account data (P24)


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


def due_batches(
    connection: Connection,
    provider: str,
    funding: str,
    *,
    limit: int,
    by_reference: bool = False,
) -> list[DueBatch]:
    """Lock up to `limit` batches of a lane with something due that no hold covers.

    Args:
        by_reference: the provider finds payments by our reference, so that unclear items are sent
            again one by one, each when it was not found.
    """
    rows = connection.execute(
        text(
            "SELECT b.id, b.lo, b.hi, b.currency, b.items, b.payload_hash, b.base_state,"  # noqa: S608  our own constant
            " b.base_seq, b.base_clouded, b.split OR (:by_reference AND b.base_state = 'unknown') OR "
            + _APART
            + ", b.tries,"
            " CASE WHEN NOT b.base_clouded THEN 0 ELSE extract(epoch FROM payouts_now()"
            " - (SELECT max(e.at) FROM batch_event e WHERE e.batch_id = b.id"
            " AND e.before = 'approved')) END::float8, coalesce(x.put_offs, 0),"
            " coalesce(x.resends, 0), (SELECT a.account_fingerprint FROM attempt a"
            " WHERE a.batch_id = b.id AND a.members IS NULL ORDER BY a.number DESC LIMIT 1)"
            " FROM batch b LEFT JOIN batch_event x ON x.batch_id = b.id AND x.seq = b.base_seq"
            " WHERE b.provider = :provider AND b.funding = :funding AND b.send_at <= payouts_now()"
            " AND NOT EXISTS (SELECT FROM hold h WHERE h.run_id = b.run_id"
            " AND h.item_id IS NULL AND h.released_at IS NULL) AND NOT "
            + _CANCELLED_WHOLE
            + " ORDER BY b.id LIMIT :limit FOR UPDATE OF b SKIP LOCKED"
        ),
        {
            "provider": provider,
            "funding": funding,
            "limit": limit,
            "by_reference": by_reference,
        },
    )
    return _without_cancelled(connection, [DueBatch(*row) for row in rows])


def _without_cancelled(connection: Connection, due: list[DueBatch]) -> list[DueBatch]:
    """The same batches as their cancel requests are now that they are locked (P14).

    A request is written under the batch lock. One that was committed while we waited for the lock
    is not in what the locking statement read, so it is read again.
    """
    if not due:
        return []
    rows = connection.execute(
        text(
            "SELECT b.id, "  # noqa: S608  our own constants
            + _CANCELLED_WHOLE
            + ", "
            + _APART
            + " FROM batch b WHERE b.id = ANY(:ids)"
        ),
        {"ids": [batch.batch_id for batch in due]},
    )
    now = {batch_id: (whole, apart) for batch_id, whole, apart in rows}
    return [
        replace(batch, split=batch.split or now[batch.batch_id][1])
        for batch in due
        if not now[batch.batch_id][0]
    ]


def due_items(
    connection: Connection, batch_ids: Sequence[int], *, by_reference: bool = False
) -> dict[int, list[DueItem]]:
    """Due items of split batches that no hold covers, by batch and in key order.

    Args:
        by_reference: an unclear item is due only when it was looked for and not found, twice.
    """
    rows = connection.execute(
        text(
            "SELECT n.batch_id, n.id, n.state, n.seq, n.clouded, n.tries, n.code,"  # noqa: S608  our own constant
            " CASE WHEN NOT n.clouded THEN 0 ELSE extract(epoch FROM payouts_now()"
            " - (SELECT max(l.at) FROM item_life l WHERE l.item_id = n.id"
            " AND l.before = 'approved')) END::float8, n.put_offs, n.resends,"
            " (SELECT a.account_fingerprint FROM attempt a WHERE a.batch_id = n.batch_id"
            " AND (a.members IS NULL OR n.id = ANY(a.members)) ORDER BY a.number DESC LIMIT 1)"
            " FROM item_now n"
            " JOIN batch b ON b.id = n.batch_id"
            " WHERE n.batch_id = ANY(:ids) AND n.state IN ('approved', 'unknown')"
            " AND (n.due_at <= payouts_now() OR "
            + _RETRIED
            + ") AND "
            + _FREE
            + (_NOT_FOUND if by_reference else "")
            + " ORDER BY n.batch_id, n.id"
        ),
        {"ids": list(batch_ids)},
    )
    found: dict[int, list[DueItem]] = {}
    for batch_id, *item in rows:
        found.setdefault(batch_id, []).append(DueItem(*item))
    return found


def cancelling(connection: Connection, item_ids: Sequence[int]) -> set[int]:
    """Those of the items that somebody asked to be cancelled."""
    rows = connection.execute(
        text("SELECT n.id FROM item_now n WHERE n.id = ANY(:ids) AND " + COVERED),  # noqa: S608  our own constant
        {"ids": list(item_ids)},
    )
    return {int(row[0]) for row in rows}


def open_attempts(
    connection: Connection,
    rows: Sequence[tuple[int, list[int] | None, int, str, bytes]],
    *,
    worker: int,
    send_by_s: float,
    lease_s: float,
    fingerprint: str | None = None,
) -> list[tuple[int, int]]:
    """Write attempts; returns (attempt key, fence) in the order of `rows`.

    Args:
        rows: (batch, members or None for the whole batch, items, key, hash of the bytes).
        fingerprint: of the account of ours that they are made with.
    """
    if not rows:
        return []
    columns = list(zip(*rows, strict=True))
    # An array of arrays has to be a rectangle, so the members travel as one list cut by lengths.
    members = [member for row in columns[1] for member in row or ()]
    statement = text(
        "INSERT INTO attempt (batch_id, number, members, items, key, request_hash, worker,"
        " send_by, lease_until, account_fingerprint) SELECT g.batch, g.place + (SELECT coalesce(max(a.number), 0)"
        " FROM attempt a WHERE a.batch_id = g.batch),"
        " CASE WHEN g.given > 0 THEN (CAST(:members AS bigint[]))[g.upto - g.given + 1 : g.upto]"
        " END, g.items, g.key, g.hash, :worker,"
        " payouts_now() + make_interval(secs => :send_by),"
        " payouts_now() + make_interval(secs => :lease), CAST(:fingerprint AS text)"
        " FROM (SELECT r.*,"
        " row_number() OVER (PARTITION BY r.batch ORDER BY r.nth) AS place,"
        " sum(r.given) OVER (ORDER BY r.nth) AS upto FROM unnest(:batch, :given, :items, :key,"
        " CAST(:hash AS bytea[])) WITH ORDINALITY AS r (batch, given, items, key, hash, nth)) g"
        " ORDER BY g.nth RETURNING id, fence"
    ).bindparams(
        bindparam("batch", type_=ARRAY(BIGINT)),
        bindparam("given", type_=ARRAY(BIGINT)),
        bindparam("items", type_=ARRAY(BIGINT)),
        bindparam("key", type_=ARRAY(TEXT)),
    )
    made = connection.execute(
        statement,
        {
            "batch": list(columns[0]),
            "members": members,
            "given": [len(row or ()) for row in columns[1]],
            "items": list(columns[2]),
            "key": list(columns[3]),
            "hash": list(columns[4]),
            "worker": worker,
            "send_by": send_by_s,
            "lease": lease_s,
            "fingerprint": fingerprint,
        },
    )
    return sorted((int(attempt), int(fence)) for attempt, fence in made)  # keys in row order


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


class Payload(NamedTuple):
    """What a batch holds.

    Args:
        lo: key of its first item; the others follow.
        digest: SHA-256 of the bytes, as approved.
        amounts: minor units of all its items in key order.
    """

    sealed: Sealed
    lo: int
    digest: bytes
    amounts: list[int]


def payloads(connection: Connection, batch_ids: Sequence[int]) -> dict[int, Payload]:
    """What batches hold, by batch."""
    rows = connection.execute(
        text(
            "SELECT p.batch_id, p.key_id, p.data_key, p.body, b.lo, b.payload_hash,"
            " (SELECT array_agg(i.amount_minor ORDER BY i.id) FROM item i"
            " WHERE i.id BETWEEN b.lo AND b.hi)"
            " FROM batch_payload p JOIN batch b ON b.id = p.batch_id WHERE p.batch_id = ANY(:ids)"
        ),
        {"ids": list(batch_ids)},
    )
    return {
        batch_id: Payload(Sealed(key_id, data_key, body), lo, digest, amounts)
        for batch_id, key_id, data_key, body, lo, digest, amounts in rows
    }


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


def live_attempts(connection: Connection, attempts: Sequence[tuple[int, int]]) -> set[int]:
    """Those (attempt, fence) pairs that are still open under that fence (P20)."""
    rows = connection.execute(
        text(
            "SELECT a.id FROM attempt a JOIN unnest(:ids, :fences) AS mine (id, fence)"
            " ON mine.id = a.id AND mine.fence = a.fence WHERE a.closed_at IS NULL"
        ).bindparams(
            bindparam("ids", type_=ARRAY(BIGINT)), bindparam("fences", type_=ARRAY(BIGINT))
        ),
        {"ids": [key for key, _ in attempts], "fences": [fence for _, fence in attempts]},
    )
    return {int(row[0]) for row in rows}


def close_attempts(connection: Connection, closed: Sequence[tuple[int, str, int | None]]) -> None:
    """Close attempts: (attempt, outcome, HTTP status)."""
    if not closed:
        return
    connection.execute(
        text(
            "UPDATE attempt a SET closed_at = payouts_now(), outcome = c.outcome,"
            " http_status = c.status FROM unnest(:ids, :outcomes, :statuses)"
            " AS c (id, outcome, status) WHERE a.id = c.id AND a.closed_at IS NULL"
        ).bindparams(
            bindparam("ids", type_=ARRAY(BIGINT)),
            bindparam("outcomes", type_=ARRAY(TEXT)),
            bindparam("statuses", type_=ARRAY(SMALLINT)),
        ),
        {
            "ids": [row[0] for row in closed],
            "outcomes": [row[1] for row in closed],
            "statuses": [row[2] for row in closed],
        },
    )


def count_outcomes(connection: Connection, batch_id: int, outcome: str) -> int:
    """How many attempts of a batch ended like this."""
    return int(
        connection.execute(
            text("SELECT count(*) FROM attempt WHERE batch_id = :batch AND outcome = :outcome"),
            {"batch": batch_id, "outcome": outcome},
        ).scalar_one()
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


def refresh_due(
    connection: Connection,
    batch_ids: Sequence[int],
    *,
    waits_s: Sequence[float],
    unclear_s: float,
    by_reference: bool = False,
) -> None:
    """Set when the touched batches are next due to be sent and to be looked at.

    Args:
        by_reference: an unclear item is due only when it was looked for and not found, twice.
    """
    if not batch_ids:
        return
    connection.execute(
        text(
            "UPDATE batch b SET"  # noqa: S608  our own constant
            " send_at = CASE WHEN c.sendable = 0 OR "
            + _CANCELLED_WHOLE
            + " THEN NULL WHEN NOT b.split AND NOT (:by_reference AND b.base_state = 'unknown')"
            " AND NOT " + _APART + " THEN"
            " (SELECT e.due_at FROM batch_event e WHERE e.batch_id = b.id AND e.seq = b.base_seq)"
            " ELSE (SELECT min(CASE WHEN "
            + _RETRIED
            + " THEN b.retried_at ELSE n.due_at END) FROM item_now n WHERE n.batch_id = b.id"
            " AND n.state IN ('approved', 'unknown') AND "
            + _FREE
            + (_NOT_FOUND if by_reference else "")
            + ") END,"
            " check_at = CASE WHEN c.processing > 0 THEN least(b.check_at,"
            " payouts_now() + make_interval(secs => (CAST(:waits AS float8[]))"
            "[least(b.checks + 1, cardinality(:waits))]))"
            # An unclear item whose payment's id is known can be asked for at once.
            " WHEN c.unknown > 0 THEN least(b.check_at, payouts_now() + make_interval(secs =>"
            " CASE WHEN EXISTS (SELECT FROM item_now n JOIN provider_payment p"
            " ON p.item_id = n.id AND p.provider = n.provider WHERE n.batch_id = b.id"
            " AND n.state = 'unknown') THEN (CAST(:waits AS float8[]))"
            "[least(b.checks + 1, cardinality(:waits))] ELSE :unclear END)) END"
            " FROM (SELECT batch_id,"
            " sum(items) FILTER (WHERE state IN ('approved', 'unknown')) AS sendable,"
            " sum(items) FILTER (WHERE state = 'processing') AS processing,"
            " sum(items) FILTER (WHERE state = 'unknown') AS unknown"
            " FROM batch_count WHERE batch_id = ANY(:ids) GROUP BY 1) c WHERE b.id = c.batch_id"
        ),
        {
            "ids": list(batch_ids),
            "waits": list(waits_s),
            "unclear": unclear_s,
            "by_reference": by_reference,
        },
    )


def expired_attempts(
    connection: Connection, provider: str, funding: str
) -> list[tuple[int, int, bool, int]]:
    """Open attempts whose lease is over or whose worker is gone: (attempt, batch, whole, items).

    A worker's writer holds an advisory lock; the server drops it when the process dies, so a
    SIGKILL is noticed at once. Moving such items to `unknown` is safe even if the process should
    still breathe: its fence is void and the same key protects the re-send.
    """
    rows = connection.execute(
        text(
            "SELECT a.id, a.batch_id, a.members IS NULL, a.items FROM attempt a"
            " JOIN batch b ON b.id = a.batch_id"
            " WHERE a.closed_at IS NULL AND b.provider = :provider AND b.funding = :funding"
            " AND (a.lease_until < payouts_now() OR NOT EXISTS (SELECT FROM pg_locks l"
            " WHERE l.locktype = 'advisory' AND l.classid = :workers AND l.objid = a.worker"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())))"
            " ORDER BY a.batch_id, a.id FOR UPDATE OF a"
        ),
        {"provider": provider, "funding": funding, "workers": WORKER_LOCKS},
    )
    return [(int(a), int(b), bool(w), int(n)) for a, b, w, n in rows]


def next_due(connection: Connection, provider: str, funding: str) -> float | None:
    """Seconds until the lane has something to do (may be negative); none where it never has.

    Held runs do not count: their release enqueues the lane again.
    """
    value = connection.execute(
        text(
            "SELECT extract(epoch FROM min(at) - payouts_now())::float8 FROM ("  # noqa: S608  our own constant
            " (SELECT send_at AS at FROM batch b WHERE provider = :provider"
            " AND funding = :funding AND send_at IS NOT NULL AND NOT EXISTS (SELECT FROM hold h"
            " WHERE h.run_id = b.run_id AND h.item_id IS NULL AND h.released_at IS NULL)"
            " AND NOT "
            + _CANCELLED_WHOLE
            + " AND NOT EXISTS (SELECT FROM lane l WHERE l.provider = :provider"
            " AND l.funding = :funding AND l.paused_at IS NOT NULL) ORDER BY send_at LIMIT 1)"
            " UNION ALL (SELECT check_at FROM batch WHERE provider = :provider"
            " AND funding = :funding AND check_at IS NOT NULL ORDER BY check_at LIMIT 1)"
            " UNION ALL (SELECT r.due_at FROM look_request r JOIN batch b ON b.id = r.batch_id"
            " WHERE b.provider = :provider AND b.funding = :funding ORDER BY r.due_at LIMIT 1)"
            ") due"
        ),
        {"provider": provider, "funding": funding},
    ).scalar()
    return None if value is None else float(value)


def pause(connection: Connection, provider: str, funding: str, reason: str) -> None:
    """Pause a lane: nothing more is sent until it is resumed; nobody is failed."""
    connection.execute(
        text(
            "INSERT INTO lane (provider, funding, paused_at, reason)"
            " VALUES (:provider, :funding, payouts_now(), :reason) ON CONFLICT (provider, funding)"
            " DO UPDATE SET paused_at = coalesce(lane.paused_at, excluded.paused_at),"
            " reason = excluded.reason"
        ),
        {"provider": provider, "funding": funding, "reason": reason},
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


def unknown_after_death(
    connection: Connection,
    attempts: Sequence[int],
    *,
    posting: int,
    actor: str,
    resend_s: float | None,
) -> None:
    """Items still `sending` under these attempts become `unknown`, whole batches as one row.

    Args:
        resend_s: seconds until it is decided whether they are sent again under their key; none
            where there is no key.
    """
    values = {
        "ids": list(attempts),
        "posting": posting,
        "actor": actor,
        "resend": resend_s,
    }
    connection.execute(
        text(
            "INSERT INTO batch_event (batch_id, seq, before, after, clouded, actor, posting,"
            " attempt_id, code, due_at, put_offs, resends)"
            " SELECT b.id, b.base_seq + 1, 'sending', 'unknown', true, :actor, :posting, a.id,"
            " 'worker_lost', payouts_now() + make_interval(secs => CAST(:resend AS float8)),"
            " x.put_offs, x.resends FROM attempt a JOIN batch b ON b.id = a.batch_id"
            " JOIN batch_event x ON x.batch_id = b.id AND x.seq = b.base_seq"
            " WHERE a.id = ANY(:ids) AND a.members IS NULL AND NOT b.split"
            " AND b.base_state = 'sending'"
        ),
        values,
    )
    connection.execute(
        text(
            "INSERT INTO item_event (item_id, batch_id, posting, attempt_id, before, after, seq,"
            " tries, clouded, actor, code, due_at, put_offs, resends)"
            " SELECT n.id, n.batch_id, :posting, a.id, 'sending', 'unknown', n.seq + 1, n.tries,"
            " true, :actor, 'worker_lost',"
            " payouts_now() + make_interval(secs => CAST(:resend AS float8)), n.put_offs, n.resends"
            " FROM attempt a JOIN batch b ON b.id = a.batch_id AND b.split"
            # The attempt that an item is out with now; the batch's may be open beside it.
            " JOIN item_now n ON n.batch_id = b.id AND n.state = 'sending'"
            " AND (n.attempt_id = a.id OR (n.attempt_id IS NULL AND a.members IS NULL))"
            " WHERE a.id = ANY(:ids) ORDER BY n.id"
        ),
        values,
    )
