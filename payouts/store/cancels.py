"""Cancel requests and the attempts to have a provider cancel; set-based, under the batch lock.

Nothing that an open request covers is sent (`lanes` leaves it out of its claims, and the database
refuses it). A request ends when all that it covers is final, never before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, SMALLINT

from payouts.core.items import FINAL
from payouts.store import bulk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = [
    "COVERED",
    "Askable",
    "Asked",
    "CancelRow",
    "OpenCancel",
    "ask",
    "askable",
    "batches_of",
    "cancel_unsent",
    "claim_alone",
    "close_lost",
    "covered",
    "finish",
    "lock_money",
    "next_ask",
    "of_item",
    "open_attempts",
    "open_requests",
    "settle_due",
]

COVERED = (
    "EXISTS (SELECT FROM cancel_request c WHERE c.run_id = n.run_id AND c.done_at IS NULL"
    " AND (c.item_id IS NULL OR c.item_id = n.id))"
)
"""The item `n` of `item_now` is covered by an open request."""

_LOCK = 7_024_614
_FINAL = sorted(FINAL)


class Asked(NamedTuple):
    """A cancel request as it stands.

    Args:
        new: it was written now; else an open one was there.
    """

    id: int
    new: bool


class OpenCancel(NamedTuple):
    """An open cancel request; `item_id` is none where it covers its whole run."""

    id: int
    run_id: int
    item_id: int | None
    actor: str


class CancelRow(NamedTuple):
    """A cancel request for people."""

    id: int
    item_id: int | None
    reason: str
    actor: str
    asked_at: datetime
    done_at: datetime | None
    outcome: str | None


class Askable(NamedTuple):
    """A payment that its provider is to be asked to cancel.

    Args:
        number: of the attempt that is made now, 1 is the first.
    """

    request_id: int
    item_id: int
    batch_id: int
    ref: str
    number: int


def batches_of(unit: Connection, run_id: int, item_id: int | None) -> list[int]:
    """The batches that a request covers something of, locked in key order; the run before them.

    Who moves money with it locks that first (`lock_money`), as an approval does.
    """
    unit.execute(
        text("SELECT FROM pipeline_run WHERE id = :run FOR NO KEY UPDATE"), {"run": run_id}
    )
    found = unit.execute(
        text(
            "SELECT b.id FROM batch b WHERE b.run_id = :run AND (CAST(:item AS bigint) IS NULL"
            " OR :item BETWEEN b.lo AND b.hi) ORDER BY b.id FOR UPDATE"
        ),
        {"run": run_id, "item": item_id},
    )
    return list(found.scalars())


def lock_money(unit: Connection, run_id: int) -> None:
    """Lock the funding accounts of a run, in key order."""
    unit.execute(
        text(
            "SELECT FROM ledger_account WHERE id IN (SELECT funding_id FROM batch"
            " WHERE run_id = :run) ORDER BY id FOR NO KEY UPDATE"
        ),
        {"run": run_id},
    )


def ask(unit: Connection, run_id: int, item_id: int | None, *, reason: str, actor: str) -> Asked:
    """Write a request, or find the one that is open; the batches are locked (`batches_of`)."""
    made = unit.execute(
        text(
            "INSERT INTO cancel_request (run_id, item_id, reason, actor)"
            " VALUES (:run, :item, :reason, :actor)"
            " ON CONFLICT (run_id, item_id) WHERE done_at IS NULL DO NOTHING RETURNING id"
        ),
        {"run": run_id, "item": item_id, "reason": reason, "actor": actor},
    ).scalar()
    if made is not None:
        return Asked(int(made), new=True)
    there = unit.execute(
        text(
            "SELECT id FROM cancel_request WHERE run_id = :run AND done_at IS NULL"
            " AND item_id IS NOT DISTINCT FROM :item"
        ),
        {"run": run_id, "item": item_id},
    ).scalar_one()
    return Asked(int(there), new=False)


def cancel_unsent(unit: Connection, run_id: int, item_id: int | None, *, actor: str) -> int:
    """Cancel what is pending or approved of a request; returns the items.

    Whole batches move as one row. What was sent and proven not executed is approved again, so it
    is among them. The batches are locked.
    """
    values = {
        "run": run_id,
        "item": item_id,
        "actor": actor,
        "posting": bulk.next_posting(unit),
    }
    items = 0
    if item_id is None:
        items += unit.execute(
            text(
                "WITH moved AS (INSERT INTO batch_event (batch_id, seq, before, after, clouded,"
                " actor, posting, code) SELECT b.id, b.base_seq + 1, b.base_state, 'cancelled',"
                " false, :actor, :posting, 'cancel_asked' FROM batch b WHERE b.run_id = :run"
                " AND NOT b.split AND b.base_state IN ('pending', 'approved') ORDER BY b.id"
                " RETURNING batch_id) SELECT coalesce(sum(b.items), 0)::bigint FROM batch b"
                " WHERE b.id IN (SELECT batch_id FROM moved)"
            ),
            values,
        ).scalar_one()
    items += unit.execute(
        text(
            "INSERT INTO item_event (item_id, batch_id, posting, before, after, seq, tries,"
            " clouded, actor, code) SELECT n.id, n.batch_id, :posting, n.state, 'cancelled',"
            " n.seq + 1, n.tries, false, :actor, 'cancel_asked' FROM item_now n"
            " WHERE n.state IN ('pending', 'approved') AND n.batch_id IN (SELECT c.batch_id"
            " FROM batch_count c JOIN batch b ON b.id = c.batch_id WHERE b.run_id = :run"
            " AND c.state IN ('pending', 'approved') AND c.items > 0"
            " AND (CAST(:item AS bigint) IS NULL OR :item BETWEEN b.lo AND b.hi))"
            " AND (CAST(:item AS bigint) IS NULL OR n.id = :item) ORDER BY n.id"
        ),
        values,
    ).rowcount
    return int(items)


def settle_due(unit: Connection, run_id: int, item_id: int | None) -> None:
    """Set when the covered batches are next due to be sent, without what is to be cancelled.

    Never at once: a claim that read the old row a moment ago looks at the row again once it has
    the lock, and must find it not due, so that it comes again and sees the request.
    """
    if item_id is None:
        statement = "UPDATE batch SET send_at = NULL WHERE run_id = :run AND send_at IS NOT NULL"
        unit.execute(text(statement), {"run": run_id})
        return
    unit.execute(
        text(
            "UPDATE batch b SET send_at = greatest((SELECT min(n.due_at) FROM item_now n"  # noqa: S608  our own constant
            " WHERE n.batch_id = b.id AND n.state IN ('approved', 'unknown') AND NOT "
            + COVERED
            + " AND NOT EXISTS (SELECT FROM hold h WHERE h.run_id = b.run_id AND h.item_id = n.id"
            " AND h.released_at IS NULL)), payouts_now() + interval '0.25 s')"
            " WHERE b.run_id = :run AND :item BETWEEN b.lo AND b.hi AND b.send_at IS NOT NULL"
        ),
        {"run": run_id, "item": item_id},
    )
    # `greatest` passes over nulls: a batch without anything to send is not due at all.
    unit.execute(
        text(
            "UPDATE batch b SET send_at = NULL WHERE b.run_id = :run"  # noqa: S608  our own constant
            " AND :item BETWEEN b.lo AND b.hi AND NOT EXISTS (SELECT FROM item_now n"
            " WHERE n.batch_id = b.id AND n.state IN ('approved', 'unknown')"
            " AND n.due_at IS NOT NULL AND NOT " + COVERED + ")"
        ),
        {"run": run_id, "item": item_id},
    )


def covered(unit: Connection, run_id: int, item_id: int | None) -> dict[str, int]:
    """Items per state of what a request covers."""
    if item_id is None:
        statement = (
            "SELECT c.state::text, sum(c.items)::bigint FROM batch_count c JOIN batch b"
            " ON b.id = c.batch_id WHERE b.run_id = :run AND c.items > 0 GROUP BY 1 ORDER BY 1"
        )
    else:
        statement = "SELECT state::text, 1 FROM item_now WHERE id = :item AND run_id = :run"
    rows = unit.execute(text(statement), {"run": run_id, "item": item_id})
    return {state: int(items) for state, items in rows}


def finish(unit: Connection, request: int, states: Mapping[str, int]) -> bool:
    """End a request when all that it covers is final, and the holds on it; whether it ended."""
    if any(state not in FINAL for state in states):
        return False
    unit.execute(
        text(
            "UPDATE hold h SET released_at = payouts_now(), released_by = c.actor"
            " FROM cancel_request c WHERE c.id = :id AND c.done_at IS NULL"
            " AND h.run_id = c.run_id AND h.released_at IS NULL"
            " AND (c.item_id IS NULL OR h.item_id = c.item_id)"
        ),
        {"id": request},
    )
    outcome = ", ".join(f"{items} {state}" for state, items in sorted(states.items()))
    ended = unit.execute(
        text(
            "UPDATE cancel_request SET done_at = payouts_now(), outcome = :outcome"
            " WHERE id = :id AND done_at IS NULL"
        ),
        {"id": request, "outcome": outcome or "nothing"},
    )
    return ended.rowcount > 0


def open_requests(connection: Connection) -> list[OpenCancel]:
    """All open requests, the oldest first."""
    rows = connection.execute(
        text(
            "SELECT id, run_id, item_id, actor FROM cancel_request WHERE done_at IS NULL"
            " ORDER BY id"
        )
    )
    return [OpenCancel(*row) for row in rows]


def of_item(connection: Connection, run_id: int, item_id: int) -> list[CancelRow]:
    """Requests that cover an item, the newest first."""
    rows = connection.execute(
        text(
            "SELECT id, item_id, reason, actor, asked_at, done_at, outcome FROM cancel_request"
            " WHERE run_id = :run AND (item_id IS NULL OR item_id = :item) ORDER BY id DESC"
        ),
        {"run": run_id, "item": item_id},
    )
    return [CancelRow(*row) for row in rows]


# -- asking the provider ------------------------------------------------------------------------------

_AGAIN = ("unclear", "not_sent", "lost", "refused")
_WANTED = (
    " FROM cancel_request c JOIN batch b ON b.run_id = c.run_id AND b.provider = :provider"
    " AND (c.item_id IS NULL OR c.item_id BETWEEN b.lo AND b.hi)"
    " JOIN batch_count k ON k.batch_id = b.id AND k.state = 'processing' AND k.items > 0"
    " JOIN item_now n ON n.batch_id = b.id AND n.state = 'processing'"
    " AND (c.item_id IS NULL OR c.item_id = n.id)"
    " JOIN provider_payment p ON p.item_id = n.id AND p.provider = n.provider"
    " LEFT JOIN LATERAL (SELECT a.number, a.closed_at, a.outcome FROM cancel_attempt a"
    " WHERE a.item_id = n.id ORDER BY a.number DESC LIMIT 1) a ON true"
    " WHERE c.done_at IS NULL AND (a.number IS NULL OR (a.closed_at IS NOT NULL"
    " AND a.outcome = ANY(:again) AND a.number < :tries))"
)
_DUE = (
    "coalesce(a.closed_at + make_interval(secs => (CAST(:waits AS float8[]))"
    "[least(a.number, cardinality(:waits))]), c.asked_at)"
)


def claim_alone(unit: Connection) -> None:
    """Only one worker at a time decides what is asked for next."""
    unit.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def askable(
    unit: Connection, provider: str, *, waits_s: Sequence[float], tries_max: int, limit: int
) -> list[Askable]:
    """Payments that are processing, asked to be cancelled, and due to be told to the provider."""
    rows = unit.execute(
        text(
            "SELECT DISTINCT ON (n.id) c.id, n.id, n.batch_id, p.provider_ref,"
            " (coalesce(a.number, 0) + 1)::int"
            + _WANTED
            + " AND "
            + _DUE
            + " <= payouts_now() ORDER BY n.id, c.id LIMIT :limit"
        ),
        _values(provider, waits_s, tries_max) | {"limit": limit},
    )
    return [Askable(*row) for row in rows]


def next_ask(
    unit: Connection, provider: str, *, waits_s: Sequence[float], tries_max: int
) -> float | None:
    """Seconds until the provider is to be asked next; none where nothing is to be asked."""
    statement = f"SELECT extract(epoch FROM min({_DUE}) - payouts_now())::float8{_WANTED}"  # noqa: S608  our own constants
    found = unit.execute(text(statement), _values(provider, waits_s, tries_max)).scalar()
    return None if found is None else float(found)


def _values(provider: str, waits_s: Sequence[float], tries_max: int) -> dict[str, object]:
    return {
        "provider": provider,
        "waits": list(waits_s),
        "tries": tries_max,
        "again": list(_AGAIN),
    }


def open_attempts(
    unit: Connection, asked: Sequence[Askable], *, send_by_s: float
) -> list[tuple[int, int]]:
    """Write attempts; (key, fence) in the order of `asked` (P4)."""
    rows = unit.execute(
        text(
            "INSERT INTO cancel_attempt (request_id, item_id, number, send_by)"
            " SELECT r, i, n, payouts_now() + make_interval(secs => :send_by)"
            " FROM unnest(:requests, :items, :numbers) AS g (r, i, n)"
            " RETURNING item_id, id, fence"
        ).bindparams(
            bindparam("requests", type_=ARRAY(BIGINT)),
            bindparam("items", type_=ARRAY(BIGINT)),
            bindparam("numbers", type_=ARRAY(SMALLINT)),
        ),
        {
            "requests": [one.request_id for one in asked],
            "items": [one.item_id for one in asked],
            "numbers": [one.number for one in asked],
            "send_by": send_by_s,
        },
    )
    made = {int(item): (int(key), int(fence)) for item, key, fence in rows}
    return [made[one.item_id] for one in asked]


def close_lost(unit: Connection, *, after_s: float) -> list[int]:
    """Close attempts whose worker never came back; their items, whose payments are to be looked at.

    Args:
        after_s: since the last moment in which their first byte may have left.
    """
    rows = unit.execute(
        text(
            "UPDATE cancel_attempt SET closed_at = payouts_now(), outcome = 'lost'"
            " WHERE closed_at IS NULL AND send_by < payouts_now() - make_interval(secs => :after)"
            " RETURNING item_id"
        ),
        {"after": after_s},
    )
    return list(rows.scalars())
