"""Items: as they are now, their moves, attempts and evidence.

A list of items goes through the batches that hold the wanted states and from there by key range,
so that its cost follows what is shown and not what is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from payouts.core.sealed import Sealed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = [
    "AttemptRow",
    "EventRow",
    "EvidenceRow",
    "ItemRow",
    "attempts",
    "evidence",
    "find",
    "item",
    "item_sums",
    "items",
    "items_of",
    "life",
    "payload",
    "replaced_by",
]


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item as it is now, with the first of its lines.

    Args:
        number: its line in the file; the first of them where lines were summed.
        due_at: when it may be sent next, for states that wait for that.
        check_at: when its batch is looked at next.
    """

    id: int
    batch_id: int
    run_id: int
    provider: str
    funding: str
    currency: str
    amount_minor: int
    lines: int
    account_last4: str | None
    state: str
    clouded: bool
    tries: int
    code: str | None
    provider_status: str | None
    provider_ref: str | None
    due_at: datetime | None
    check_at: datetime | None
    at: datetime
    line_id: int
    number: int
    reference: str
    intent: int
    replaces: int | None


_NOW: Final = (
    "SELECT i.id, i.batch_id, b.run_id, b.provider, b.funding, b.currency, i.amount_minor,"
    " i.lines, i.account_last4, coalesce(e.after, b.base_state)::text,"
    " coalesce(e.clouded, b.base_clouded), coalesce(e.tries, b.tries),"
    " CASE WHEN e.item_id IS NULL THEN x.code ELSE e.code END,"
    " CASE WHEN e.item_id IS NULL THEN x.provider_status ELSE e.provider_status END,"
    " p.provider_ref,"
    " CASE WHEN e.item_id IS NULL THEN x.due_at ELSE e.due_at END, b.check_at,"
    " coalesce(e.at, x.at, b.created_at), i.line_id, l.number, l.reference, l.intent, l.replaces"
    " FROM batch b JOIN item i ON i.id BETWEEN b.lo AND b.hi"
    " LEFT JOIN batch_event x ON x.batch_id = b.id AND x.seq = b.base_seq"
    " LEFT JOIN LATERAL (SELECT * FROM item_event y WHERE y.item_id = i.id"
    " ORDER BY y.seq DESC LIMIT 1) e ON true"
    " LEFT JOIN provider_payment p ON p.item_id = i.id AND p.provider = b.provider"
    " JOIN line l ON l.id = i.line_id"
)


def items(
    connection: Connection,
    run_id: int,
    states: Sequence[str],
    *,
    after: int = 0,
    limit: int = 50,
    code: str | None = None,
) -> list[ItemRow]:
    """Items of a run that are in one of these states now, in key order.

    Args:
        after: the cursor: the last key of the page before.
        code: only items whose last move has this code.
    """
    rows = connection.execute(
        text(
            "SELECT n.* FROM (SELECT b.id FROM batch b WHERE b.run_id = :run AND b.hi > :after"  # noqa: S608  our own constant
            " AND EXISTS (SELECT FROM batch_count c WHERE c.batch_id = b.id AND c.items > 0"
            " AND c.state = ANY(CAST(:states AS item_state[]))) ORDER BY b.id) held,"
            " LATERAL (" + _NOW + " WHERE b.id = held.id AND i.id > :after"
            " AND coalesce(e.after, b.base_state) = ANY(CAST(:states AS item_state[]))"
            " AND (CAST(:code AS text) IS NULL"
            " OR CASE WHEN e.item_id IS NULL THEN x.code ELSE e.code END = :code)"
            " ORDER BY i.id) n LIMIT :limit"
        ).bindparams(bindparam("states", type_=ARRAY(TEXT))),
        {"run": run_id, "after": after, "states": list(states), "limit": limit, "code": code},
    )
    return [ItemRow(*row) for row in rows]


def item(connection: Connection, item_id: int) -> ItemRow | None:
    """One item as it is now."""
    row = connection.execute(
        text(f"{_NOW} WHERE i.id = :item AND i.batch_id = b.id"),
        {"item": item_id},
    ).one_or_none()
    return None if row is None else ItemRow(*row)


def items_of(connection: Connection, item_ids: Sequence[int]) -> list[ItemRow]:
    """These items as they are now, in key order; unknown keys lack."""
    rows = connection.execute(
        text(f"{_NOW} WHERE i.id = ANY(:ids) AND i.batch_id = b.id ORDER BY i.id"),
        {"ids": list(item_ids)},
    )
    return [ItemRow(*row) for row in rows]


def find(connection: Connection, word: str, *, wire_prefix: int | None = None) -> list[int]:
    """Keys of items that a person may mean by a word: a payer's reference or a provider's id.

    Args:
        wire_prefix: of the word, where it has the form of a wire reference.
    """
    rows = connection.execute(
        text(
            "SELECT item_id FROM line WHERE outcome = 'accepted' AND reference = :word"
            " AND payer_id IN (SELECT id FROM payer)"
            " UNION SELECT item_id FROM provider_payment WHERE provider_ref = :word"
            " AND provider IN (SELECT DISTINCT provider FROM batch)"
            " UNION SELECT id FROM item WHERE wire_prefix = :prefix ORDER BY 1 LIMIT 50"
        ),
        {"word": word, "prefix": wire_prefix},
    )
    return [int(row[0]) for row in rows]


def item_sums(connection: Connection, run_id: int) -> list[tuple[str, str, int, int, int]]:
    """(currency, state, items, lines, minor units) of a run, by the last event of each item.

    Counted from the items one by one, apart from the batches' counters; reads all of them.
    """
    rows = connection.execute(
        text(
            "SELECT currency, state::text, count(*), sum(lines)::bigint,"
            " sum(amount_minor)::bigint FROM item_now WHERE run_id = :run GROUP BY 1, 2"
        ),
        {"run": run_id},
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


def replaced_by(connection: Connection, item_id: int) -> int | None:
    """The item that pays this one again, where there is one."""
    return connection.execute(
        text("SELECT item_id FROM line WHERE replaces = :item"), {"item": item_id}
    ).scalar()


@dataclass(frozen=True, slots=True)
class EventRow:
    """One move of an item, made alone or together with its batch."""

    seq: int
    before: str
    after: str
    at: datetime
    actor: str
    clouded: bool
    code: str | None
    provider_status: str | None
    due_at: datetime | None
    attempt_id: int | None
    evidence_id: int | None
    posting: int


def life(connection: Connection, item_id: int) -> list[EventRow]:
    """All moves of an item, first to last."""
    rows = connection.execute(
        text(
            "SELECT seq, before::text, after::text, at, actor, clouded, code, provider_status,"
            " due_at, attempt_id, evidence_id, posting FROM item_life WHERE item_id = :item"
            " ORDER BY seq"
        ),
        {"item": item_id},
    )
    return [EventRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One submission that an item was part of; `items` counts all of its members."""

    id: int
    number: int
    items: int
    key: str
    opened_at: datetime
    closed_at: datetime | None
    outcome: str | None
    http_status: int | None


def attempts(connection: Connection, batch_id: int, item_id: int) -> list[AttemptRow]:
    """The attempts of an item, first to last."""
    rows = connection.execute(
        text(
            "SELECT id, number, items, key, opened_at, closed_at, outcome, http_status"
            " FROM attempt WHERE batch_id = :batch AND (members IS NULL OR :item = ANY(members))"
            " ORDER BY number"
        ),
        {"batch": batch_id, "item": item_id},
    )
    return [AttemptRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """What justifies a move: never a body, only its hash, its size and a word."""

    id: int
    kind: str
    provider: str
    attempt_id: int | None
    http_status: int | None
    sha256: str | None
    bytes: int
    excerpt: str | None
    at: datetime


def evidence(connection: Connection, batch_id: int, item_id: int) -> list[EvidenceRow]:
    """Evidence that speaks of an item: its own, and that of the attempts it was part of."""
    rows = connection.execute(
        text(
            "SELECT id, kind, provider, attempt_id, http_status, encode(sha256, 'hex'), bytes,"
            " excerpt, at FROM evidence WHERE batch_id = :batch AND (item_id = :item"
            " OR (item_id IS NULL AND attempt_id IN (SELECT id FROM attempt"
            " WHERE batch_id = :batch AND (members IS NULL OR :item = ANY(members)))))"
            " ORDER BY id"
        ),
        {"batch": batch_id, "item": item_id},
    )
    return [EvidenceRow(*row) for row in rows]


def payload(connection: Connection, batch_id: int) -> tuple[int, str, Sealed] | None:
    """First item key, encoder and sealed bytes of a batch."""
    row = connection.execute(
        text(
            "SELECT b.lo, p.encoder, p.key_id, p.data_key, p.body FROM batch_payload p"
            " JOIN batch b ON b.id = p.batch_id WHERE p.batch_id = :batch"
        ),
        {"batch": batch_id},
    ).one_or_none()
    return None if row is None else (row[0], row[1], Sealed(*row[2:]))
