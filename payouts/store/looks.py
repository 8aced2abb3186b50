"""Looks: items that are due to be asked for at their provider, and those that somebody asked about.

Two reasons to look stand beside each other. A batch with open items is polled as a whole when its
`check_at` is due. A row of `look_request` asks for one item, whatever its state: a webhook spoke of
it, a person wants to know. Who asks never judges: the look decides (P13).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = [
    "LookedItem",
    "ask_looks",
    "claim_asked",
    "claim_checks",
    "count_missing",
    "end_looks",
    "forget_looks",
    "look_for_missing",
    "look_for_unclear",
]


@dataclass(frozen=True, slots=True)
class LookedItem:
    """An item that is due to be looked at.

    Args:
        ref: the provider's id, where one is known.
        age_s: seconds since its last event.
        put_offs: sends that were proven not executed.
        resends: sends under the same key after an unclear answer.
        asked_at: somebody asked for this look, then; none for a poll.
        asks: looks that this request has had, this one included.
        missing: how often the provider has said that it does not have the payment, as it counts.
        missing_s: seconds since it said so.
    """

    batch_id: int
    item_id: int
    currency: str
    amount_minor: int
    wire_prefix: int
    state: str
    seq: int
    tries: int
    clouded: bool
    ref: str | None
    age_s: float
    put_offs: int = 0
    resends: int = 0
    asked_at: datetime | None = None
    asks: int = 0
    missing: int = 0
    missing_s: float | None = None


_LOOKED = (
    "SELECT n.batch_id, n.id, n.currency, n.amount_minor, n.wire_prefix, n.state, n.seq,"
    " n.tries, n.clouded, p.provider_ref,"
    " extract(epoch FROM payouts_now() - coalesce(n.at, (SELECT e.at FROM batch_event e"
    " WHERE e.batch_id = n.batch_id ORDER BY e.seq DESC LIMIT 1)))::float8, n.put_offs, n.resends"
    " FROM item_now n LEFT JOIN provider_payment p"
    " ON p.item_id = n.id AND p.provider = n.provider"
)


def ask_looks(unit: Connection, item_ids: Sequence[int], *, reason: str) -> list[tuple[str, str]]:
    """Ask that these items be looked at now, whatever their state.

    Asking again is one request, due now. The caller enqueues what is returned, in the same unit:
    `jobs.enqueue_lanes(unit, ask_looks(…))`.

    Args:
        reason: why, as a word that `payouts explain ITEM` may show (`webhook`, `cancel` …).

    Returns:
        (provider, funding account) of the items, each once.
    """
    if not item_ids:
        return []
    wanted = sorted(set(item_ids))
    unit.execute(
        text(
            "INSERT INTO look_request (item_id, batch_id, reason)"
            " SELECT id, batch_id, :reason FROM item WHERE id = ANY(:ids) ORDER BY id"
            " ON CONFLICT (item_id) DO UPDATE SET reason = excluded.reason, tries = 0,"
            " due_at = payouts_now(), asked_at = payouts_now()"
        ).bindparams(bindparam("ids", type_=ARRAY(BIGINT))),
        {"ids": wanted, "reason": reason},
    )
    rows = unit.execute(
        text(
            "SELECT DISTINCT b.provider, b.funding FROM item i JOIN batch b ON b.id = i.batch_id"
            " WHERE i.id = ANY(:ids) ORDER BY 1, 2"
        ).bindparams(bindparam("ids", type_=ARRAY(BIGINT))),
        {"ids": wanted},
    )
    return [(provider, funding) for provider, funding in rows]


def claim_asked(
    connection: Connection, provider: str, funding: str, *, waits_s: Sequence[float], limit: int
) -> list[LookedItem]:
    """Up to `limit` items of a lane that somebody asked about; puts each next look off.

    An item whose submission is still in flight waits for its answer and is not returned.

    Args:
        waits_s: seconds until a look is repeated that brought nothing, the last repeats.
    """
    rows = connection.execute(
        text(
            "WITH due AS (SELECT r.item_id FROM look_request r JOIN batch b ON b.id = r.batch_id"
            " WHERE b.provider = :provider AND b.funding = :funding AND r.due_at <= payouts_now()"
            " ORDER BY r.due_at LIMIT :limit FOR UPDATE OF r SKIP LOCKED)"
            " UPDATE look_request r SET tries = r.tries + 1, due_at = payouts_now()"
            " + make_interval(secs => (CAST(:waits AS float8[]))"
            "[least(r.tries + 1, cardinality(:waits))])"
            " FROM due WHERE r.item_id = due.item_id RETURNING r.item_id, r.asked_at, r.tries,"
            " r.missing, extract(epoch FROM payouts_now() - r.missing_at)::float8"
        ),
        {"provider": provider, "funding": funding, "limit": limit, "waits": list(waits_s)},
    ).all()
    if not rows:
        return []
    asked = {int(item): request for item, *request in rows}
    found = connection.execute(
        text(_LOOKED + " WHERE n.id = ANY(:ids) AND n.state <> 'sending' ORDER BY n.id"),
        {"ids": list(asked)},
    )
    made = []
    for row in found:
        asked_at, asks, missing, missing_s = asked[row[1]]
        item = LookedItem(*row)
        made.append(
            replace(item, asked_at=asked_at, asks=asks, missing=missing, missing_s=missing_s)
        )
    return made


def look_for_unclear(connection: Connection, batch_ids: Sequence[int], *, first_s: float) -> None:
    """Have the unclear items of these batches looked for; those that are stay as they are.

    Args:
        first_s: seconds until the first look.
    """
    if not batch_ids:
        return
    connection.execute(
        text(
            "INSERT INTO look_request (item_id, batch_id, reason, due_at)"
            " SELECT n.id, n.batch_id, 'unclear', payouts_now() + make_interval(secs => :first)"
            " FROM item_now n WHERE n.state = 'unknown' AND n.batch_id IN (SELECT batch_id"
            " FROM batch_count WHERE batch_id = ANY(:ids) AND state = 'unknown' AND items > 0)"
            " ORDER BY n.id ON CONFLICT (item_id) DO NOTHING"
        ).bindparams(bindparam("ids", type_=ARRAY(BIGINT))),
        {"ids": list(batch_ids), "first": first_s},
    )


def look_for_missing(connection: Connection, item_ids: Sequence[int], *, first_s: float) -> None:
    """Look again at items that a poll did not find, until that counts or they are found."""
    if not item_ids:
        return
    connection.execute(
        text(
            "INSERT INTO look_request (item_id, batch_id, reason, due_at)"
            " SELECT id, batch_id, 'not_found', payouts_now() + make_interval(secs => :first)"
            " FROM item WHERE id = ANY(:ids) ORDER BY id ON CONFLICT (item_id) DO NOTHING"
        ).bindparams(bindparam("ids", type_=ARRAY(BIGINT))),
        {"ids": list(item_ids), "first": first_s},
    )


def count_missing(connection: Connection, item_ids: Sequence[int], *, apart_s: float) -> None:
    """The provider said of these items that it does not have them, and that counts.

    Args:
        apart_s: seconds until the next look at the latest.
    """
    if not item_ids:
        return
    connection.execute(
        text(
            "UPDATE look_request SET missing = missing + 1, missing_at = payouts_now(),"
            " due_at = least(due_at, payouts_now() + make_interval(secs => :apart))"
            " WHERE item_id = ANY(:ids)"
        ).bindparams(bindparam("ids", type_=ARRAY(BIGINT))),
        {"ids": list(item_ids), "apart": apart_s},
    )


def forget_looks(connection: Connection, item_ids: Sequence[int]) -> None:
    """These items are sent again: what was found out before says nothing of that."""
    if not item_ids:
        return
    connection.execute(
        text("DELETE FROM look_request WHERE item_id = ANY(:ids)").bindparams(
            bindparam("ids", type_=ARRAY(BIGINT))
        ),
        {"ids": list(item_ids)},
    )


def end_looks(connection: Connection, looked: Sequence[LookedItem]) -> None:
    """The look has told what it could; a request that was made anew meanwhile stays."""
    answered = [(look.item_id, look.asked_at) for look in looked if look.asked_at is not None]
    if not answered:
        return
    connection.execute(
        text(
            "DELETE FROM look_request r USING unnest(:items, :asked) AS done (item_id, asked_at)"
            " WHERE r.item_id = done.item_id AND r.asked_at = done.asked_at"
        ).bindparams(
            bindparam("items", type_=ARRAY(BIGINT)),
            bindparam("asked", type_=ARRAY(TIMESTAMP(timezone=True))),
        ),
        {"items": [item for item, _ in answered], "asked": [at for _, at in answered]},
    )


def claim_checks(
    connection: Connection,
    provider: str,
    funding: str,
    *,
    waits_s: Sequence[float],
    limit: int,
) -> list[LookedItem]:
    """Items of up to `limit` batches whose look is due; puts the next look off by `waits_s`."""
    rows = connection.execute(
        text(
            "WITH due AS (SELECT id FROM batch WHERE provider = :provider AND funding = :funding"  # noqa: S608  our own constant
            " AND check_at <= payouts_now() ORDER BY check_at LIMIT :limit FOR UPDATE SKIP LOCKED),"
            " later AS (UPDATE batch b SET checks = b.checks + 1,"
            " check_at = payouts_now() + make_interval(secs =>"
            " (CAST(:waits AS float8[]))[least(b.checks + 2, cardinality(:waits))])"
            " FROM due WHERE b.id = due.id RETURNING b.id) "
            + _LOOKED
            + " WHERE n.batch_id IN (SELECT id FROM due)"
            " AND n.state IN ('processing', 'unknown') ORDER BY n.id"
        ),
        {"provider": provider, "funding": funding, "limit": limit, "waits": list(waits_s)},
    )
    return [LookedItem(*row) for row in rows]
