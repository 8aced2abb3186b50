"""The inbox of webhooks: stored before they are answered, applied later, never forgotten.

```
new       not looked at yet
orphan    about nothing that we know; tried again ever more rarely, since its item may yet appear
applied   its item was looked at, or needed no look
recorded  there was nothing to do
poisoned  it cannot be read or applied; the error says why
```
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, TEXT

from payouts.core.sealed import Sealed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

__all__ = [
    "Known",
    "Mark",
    "Stored",
    "claim",
    "due_s",
    "items_by_prefix",
    "items_by_ref",
    "known",
    "mark",
    "payloads",
    "put",
    "take_key",
]


@dataclass(frozen=True, slots=True)
class Stored:
    """A webhook that is due to be looked at, and locked."""

    id: int
    provider: str
    sha256: bytes
    bytes: int
    tries: int
    sealed: Sealed


class Mark(NamedTuple):
    """What became of a webhook.

    Args:
        wait_s: seconds until it is looked at again, for `orphan`.
    """

    id: int
    state: str
    name: str | None = None
    ref: str | None = None
    item_id: int | None = None
    error: str | None = None
    wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """An item that a webhook may be about, as it is now."""

    item_id: int
    batch_id: int
    provider: str
    funding: str
    state: str
    currency: str
    amount_minor: int
    wire_prefix: int


def take_key(unit: Connection) -> int:
    """A new key: what is sealed is bound to it, so it is needed before the row is written."""
    return int(unit.execute(text("SELECT nextval('webhook_seq')")).scalar_one())


def put(
    unit: Connection, key: int, provider: str, event_id: str, *, raw: bytes, body: Sealed
) -> bytes | None:
    """Store one webhook.

    Args:
        raw: the body as it came, of which only hash and length are kept in the clear.

    Returns:
        None where it was stored; else the SHA-256 of the event that was there under this id.
    """
    made = unit.execute(
        text(
            "INSERT INTO webhook_inbox (id, provider, event_id, sha256, bytes, key_id, data_key,"
            " body) VALUES (:id, :provider, :event, :sha256, :bytes, :key_id, :data_key, :body)"
            " ON CONFLICT (provider, event_id) DO NOTHING RETURNING id"
        ),
        {
            "id": key,
            "provider": provider,
            "event": event_id,
            "sha256": hashlib.sha256(raw).digest(),
            "bytes": len(raw),
            **body._asdict(),
        },
    )
    if made.first() is not None:
        return None
    there: bytes = unit.execute(
        text("SELECT sha256 FROM webhook_inbox WHERE provider = :provider AND event_id = :event"),
        {"provider": provider, "event": event_id},
    ).scalar_one()
    return bytes(there)


def claim(unit: Connection, providers: Sequence[str], *, limit: int) -> list[Stored]:
    """Lock up to `limit` webhooks that are due, the longest due first; others take other rows.

    Args:
        providers: those that this process can read; the rest waits for a process that can.
    """
    rows = unit.execute(
        text(
            "SELECT id, provider, sha256, bytes, tries, key_id, data_key, body FROM webhook_inbox"
            " WHERE due_at <= payouts_now() AND provider = ANY(:providers)"
            " ORDER BY due_at, id LIMIT :limit FOR UPDATE SKIP LOCKED"
        ),
        {"limit": limit, "providers": list(providers)},
    )
    found = [
        Stored(key, provider, bytes(sha256), size, tries, Sealed(key_id, data_key, body))
        for key, provider, sha256, size, tries, key_id, data_key, body in rows
    ]
    return sorted(found, key=lambda one: one.id)


def due_s(connection: Connection, providers: Sequence[str]) -> float | None:
    """Seconds until the next webhook of some providers is due (may be negative), or none ever."""
    value = connection.execute(
        text(
            "SELECT extract(epoch FROM min(due_at) - payouts_now())::float8 FROM webhook_inbox"
            " WHERE due_at IS NOT NULL AND provider = ANY(:providers)"
        ),
        {"providers": list(providers)},
    ).scalar()
    return None if value is None else float(value)


def mark(unit: Connection, marks: Sequence[Mark]) -> None:
    """Write what became of webhooks: one statement for all."""
    if not marks:
        return
    unit.execute(
        text(
            "UPDATE webhook_inbox w SET state = m.state, name = m.name, provider_ref = m.ref,"
            " item_id = m.item, error = m.error, tries = w.tries + 1,"
            " due_at = payouts_now() + make_interval(secs => m.wait),"
            " done_at = CASE WHEN m.wait IS NULL THEN payouts_now() END"
            " FROM unnest(:ids, :states, :names, :refs, :items, :errors, CAST(:waits AS float8[]))"
            " AS m (id, state, name, ref, item, error, wait) WHERE w.id = m.id"
        ).bindparams(
            bindparam("ids", type_=ARRAY(BIGINT)),
            bindparam("states", type_=ARRAY(TEXT)),
            bindparam("names", type_=ARRAY(TEXT)),
            bindparam("refs", type_=ARRAY(TEXT)),
            bindparam("items", type_=ARRAY(BIGINT)),
            bindparam("errors", type_=ARRAY(TEXT)),
        ),
        {
            "ids": [one.id for one in marks],
            "states": [one.state for one in marks],
            "names": [one.name for one in marks],
            "refs": [one.ref for one in marks],
            "items": [one.item_id for one in marks],
            "errors": [one.error for one in marks],
            "waits": [one.wait_s for one in marks],
        },
    )


def items_by_ref(
    unit: Connection, asked: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[int, int]]:
    """(item, batch) by (provider, the provider's id), as far as they are known."""
    rows = unit.execute(
        text(
            "SELECT p.provider, p.provider_ref, i.id, i.batch_id"
            " FROM unnest(:providers, :refs) AS g (provider, ref)"
            " JOIN provider_payment p ON p.provider = g.provider AND p.provider_ref = g.ref"
            " JOIN item i ON i.id = p.item_id"
        ).bindparams(
            bindparam("providers", type_=ARRAY(TEXT)), bindparam("refs", type_=ARRAY(TEXT))
        ),
        {"providers": [one[0] for one in asked], "refs": [one[1] for one in asked]},
    )
    return {(provider, ref): (int(item), int(batch)) for provider, ref, item, batch in rows}


def items_by_prefix(
    unit: Connection, prefixes: Sequence[int]
) -> dict[int, list[tuple[int, int, int]]]:
    """(item, batch, place in the batch) by wire prefix; who asks compares the whole reference."""
    rows = unit.execute(
        text(
            "SELECT i.wire_prefix, i.id, i.batch_id, i.id - b.lo FROM item i"
            " JOIN batch b ON b.id = i.batch_id WHERE i.wire_prefix = ANY(:prefixes) ORDER BY i.id"
        ).bindparams(bindparam("prefixes", type_=ARRAY(BIGINT))),
        {"prefixes": list(prefixes)},
    )
    found: dict[int, list[tuple[int, int, int]]] = {}
    for prefix, item, batch, place in rows:
        found.setdefault(prefix, []).append((int(item), int(batch), int(place)))
    return found


def payloads(unit: Connection, batch_ids: Sequence[int]) -> dict[int, Sealed]:
    """The sealed bytes of batches, which hold the whole wire references of their items."""
    rows = unit.execute(
        text(
            "SELECT batch_id, key_id, data_key, body FROM batch_payload WHERE batch_id = ANY(:ids)"
        ).bindparams(bindparam("ids", type_=ARRAY(BIGINT))),
        {"ids": list(batch_ids)},
    )
    return {int(batch): Sealed(*sealed) for batch, *sealed in rows}


def known(unit: Connection, item_ids: Sequence[int]) -> dict[int, Known]:
    """Items as they are now; their batches are locked by who asks, so they stay so."""
    rows = unit.execute(
        text(
            "SELECT id, batch_id, provider, funding, state::text, currency, amount_minor,"
            " wire_prefix FROM item_now WHERE id = ANY(:ids)"
        ).bindparams(bindparam("ids", type_=ARRAY(BIGINT))),
        {"ids": list(item_ids)},
    )
    return {row[0]: Known(*row) for row in rows}
