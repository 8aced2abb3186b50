"""Attempts: what is on disk before its request leaves, and what becomes of it.

An attempt belongs to a worker, whose session lock shows that it lives, and carries a fence: an
outcome is written under that fence only (P20).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, SMALLINT, TEXT

from payouts.core.sealed import Sealed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

__all__ = [
    "WORKER_LOCKS",
    "Claim",
    "Payload",
    "close_attempts",
    "count_outcomes",
    "expired_attempts",
    "live_attempts",
    "open_attempts",
    "payloads",
    "unknown_after_death",
]

WORKER_LOCKS = 7_024_612
"""First key of the advisory lock of a living worker; the second is its number."""


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


def close_attempts(
    connection: Connection,
    closed: Sequence[tuple[int, str, int | None]],
    *,
    table: Literal["attempt", "cancel_attempt"] = "attempt",
) -> set[int]:
    """Close attempts: (attempt, outcome, HTTP status); returns those that were open."""
    if not closed:
        return set()
    rows = connection.execute(
        text(
            f"UPDATE {table} a SET closed_at = payouts_now(), outcome = c.outcome,"  # noqa: S608  one of two words
            " http_status = c.status FROM unnest(:ids, :outcomes, :statuses)"
            " AS c (id, outcome, status) WHERE a.id = c.id AND a.closed_at IS NULL RETURNING a.id"
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
    return set(rows.scalars())


def count_outcomes(connection: Connection, batch_id: int, outcome: str) -> int:
    """How many attempts of a batch ended like this."""
    return int(
        connection.execute(
            text("SELECT count(*) FROM attempt WHERE batch_id = :batch AND outcome = :outcome"),
            {"batch": batch_id, "outcome": outcome},
        ).scalar_one()
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
