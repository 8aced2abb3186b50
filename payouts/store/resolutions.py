"""Resolutions: what one person proposed about items in review and another applied; set-based."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, SMALLINT

from payouts.store import bulk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = [
    "Member",
    "Proposal",
    "apply_moves",
    "end",
    "frame_of",
    "make_due",
    "members",
    "of_item",
    "open_proposal",
    "propose",
    "withdraw",
    "write_evidence",
]


class Member(NamedTuple):
    """An item that a decision is about, as it is now.

    Args:
        due_at: it is sent again then, under its key.
        known: the provider's id is known, so that it can be asked.
        asked: a look is asked for and not answered.
        cancelling: somebody asked that it be cancelled.
        attempts: attempts that may still be on the wire: open, or lost and within their lease.
    """

    item_id: int
    batch_id: int
    state: str
    seq: int
    clouded: bool
    tries: int
    due_at: datetime | None
    known: bool
    asked: bool
    cancelling: bool
    attempts: int


class Proposal(NamedTuple):
    """A proposal that waits for a second person."""

    id: int
    members: list[int]
    seqs: list[int]
    decision: str
    reason: str
    evidence: str
    first_actor: str
    first_at: datetime


class Frame(NamedTuple):
    """Where the items of a decision are: their batch, locked."""

    batch_id: int
    run_id: int
    provider: str
    funding: str


def frame_of(unit: Connection, *, item_id: int | None, batch_id: int | None) -> Frame | None:
    """The batch of an item, or the batch itself, locked; none where there is none."""
    row = unit.execute(
        text(
            "SELECT b.id, b.run_id, b.provider, b.funding FROM batch b WHERE b.id ="
            " coalesce(CAST(:batch AS bigint), (SELECT batch_id FROM item WHERE id = :item))"
            " FOR UPDATE"
        ),
        {"batch": batch_id, "item": item_id},
    ).one_or_none()
    return None if row is None else Frame(*row)


def members(unit: Connection, batch_id: int, item_id: int | None) -> list[Member]:
    """An item, or all of a batch that are unclear or in review, in key order."""
    rows = unit.execute(
        text(
            "SELECT n.id, n.batch_id, n.state::text, n.seq, n.clouded, n.tries, n.due_at,"
            " EXISTS (SELECT FROM provider_payment p WHERE p.item_id = n.id"
            " AND p.provider = n.provider),"
            " EXISTS (SELECT FROM look_request r WHERE r.item_id = n.id),"
            " EXISTS (SELECT FROM cancel_request c WHERE c.run_id = n.run_id AND c.done_at IS NULL"
            " AND (c.item_id IS NULL OR c.item_id = n.id)),"
            " (SELECT count(*) FROM attempt a WHERE a.batch_id = n.batch_id"
            " AND (a.members IS NULL OR n.id = ANY(a.members)) AND (a.closed_at IS NULL"
            " OR (a.outcome = 'worker_lost' AND a.lease_until > payouts_now())))::int"
            " FROM item_now n WHERE n.batch_id = :batch"
            " AND CASE WHEN CAST(:item AS bigint) IS NULL THEN n.state IN ('unknown', 'review')"
            " ELSE n.id = :item END ORDER BY n.id"
        ),
        {"batch": batch_id, "item": item_id},
    )
    return [Member(*row) for row in rows]


_PROPOSAL = (
    "SELECT id, members, seqs, decision, reason, evidence, first_actor, first_at FROM resolution"
)


def open_proposal(
    connection: Connection, *, item_id: int | None, batch_id: int | None
) -> Proposal | None:
    """The proposal about an item, or about a batch, that waits for a second person."""
    row = connection.execute(
        text(
            _PROPOSAL + " WHERE applied_at IS NULL AND withdrawn_at IS NULL"
            " AND item_id IS NOT DISTINCT FROM :item AND batch_id IS NOT DISTINCT FROM :batch"
        ),
        {"item": item_id, "batch": batch_id},
    ).one_or_none()
    return None if row is None else Proposal(*row)


def of_item(connection: Connection, item_id: int) -> list[Proposal]:
    """Proposals that an item is among and that wait for a second person."""
    rows = connection.execute(
        text(
            _PROPOSAL + " WHERE applied_at IS NULL AND withdrawn_at IS NULL"
            " AND :item = ANY(members) ORDER BY id"
        ),
        {"item": item_id},
    )
    return [Proposal(*row) for row in rows]


def propose(
    unit: Connection,
    chosen: Sequence[Member],
    *,
    item_id: int | None,
    decision: str,
    reason: str,
    evidence: str,
    actor: str,
) -> int:
    """Write a proposal about these items as they are now; returns its key."""
    made = unit.execute(
        text(
            "INSERT INTO resolution (item_id, batch_id, members, seqs, decision, reason, evidence,"
            " first_actor) VALUES (:item, :batch, :members, :seqs, :decision, :reason, :evidence,"
            " :actor) RETURNING id"
        ).bindparams(
            bindparam("members", type_=ARRAY(BIGINT)), bindparam("seqs", type_=ARRAY(SMALLINT))
        ),
        {
            "item": item_id,
            "batch": None if item_id is not None else chosen[0].batch_id,
            "members": [one.item_id for one in chosen],
            "seqs": [one.seq for one in chosen],
            "decision": decision,
            "reason": reason,
            "evidence": evidence,
            "actor": actor,
        },
    )
    return int(made.scalar_one())


def withdraw(unit: Connection, resolution: int, *, actor: str) -> None:
    """End a proposal that is not applied."""
    unit.execute(
        text(
            "UPDATE resolution SET withdrawn_by = :actor, withdrawn_at = payouts_now()"
            " WHERE id = :id"
        ),
        {"id": resolution, "actor": actor},
    )


def end(
    unit: Connection, resolution: int, *, reason: str, evidence: str | None, actor: str
) -> None:
    """The second person's word; the database refuses the first one's."""
    unit.execute(
        text(
            "UPDATE resolution SET second_actor = :actor, second_reason = :reason,"
            " second_evidence = :evidence, second_at = payouts_now(), applied_at = payouts_now()"
            " WHERE id = :id"
        ),
        {"id": resolution, "reason": reason, "evidence": evidence, "actor": actor},
    )


def write_evidence(unit: Connection, where: Frame, resolution: int, item_id: int | None) -> int:
    """A person's evidence; what was said stands in the resolution. Returns its key."""
    made = unit.execute(
        text(
            "INSERT INTO evidence (kind, provider, batch_id, item_id, excerpt)"
            " VALUES ('person', :provider, :batch, :item, :excerpt) RETURNING id"
        ),
        {
            "provider": where.provider,
            "batch": where.batch_id,
            "item": item_id,
            "excerpt": f"resolution {resolution}",
        },
    )
    return int(made.scalar_one())


def apply_moves(
    unit: Connection, chosen: Sequence[Member], decision: str, *, evidence: int, actor: str
) -> None:
    """Move items from review, those that are unclear through it; a whole batch as one row.

    The money goes with the moves. Who is to be paid again is due now.
    """
    posting = bulk.next_posting(unit)
    values = {
        "ids": [one.item_id for one in chosen],
        "batch": chosen[0].batch_id,
        "items": len(chosen),
        "evidence": evidence,
        "actor": actor,
        "posting": posting,
        "after": decision,
    }
    for before, after in (("unknown", "review"), ("review", decision)):
        step = {**values, "before": before, "after": after, "clouded": after == "review"}
        whole = unit.execute(
            text(
                "INSERT INTO batch_event (batch_id, seq, before, after, clouded, actor, posting,"
                " evidence_id, code, due_at) SELECT b.id, b.base_seq + 1, b.base_state,"
                " CAST(:after AS item_state), :clouded, :actor, :posting, :evidence,"
                " 'decided_by_people', CASE WHEN :after = 'approved' THEN payouts_now() END"
                " FROM batch b WHERE b.id = :batch AND NOT b.split AND b.items = :items"
                " AND b.base_state = CAST(:before AS item_state)"
            ),
            step,
        ).rowcount
        if whole:
            continue
        unit.execute(
            text(
                "INSERT INTO item_event (item_id, batch_id, posting, before, after, seq, tries,"
                " clouded, actor, evidence_id, code, due_at) SELECT n.id, n.batch_id, :posting,"
                " n.state, CAST(:after AS item_state), n.seq + 1, n.tries, :clouded, :actor,"
                " :evidence, 'decided_by_people',"
                " CASE WHEN :after = 'approved' THEN payouts_now() END FROM item_now n"
                " WHERE n.batch_id = :batch AND n.id = ANY(:ids)"
                " AND n.state = CAST(:before AS item_state) ORDER BY n.id"
            ).bindparams(bindparam("ids", type_=ARRAY(BIGINT))),
            step,
        )


def make_due(unit: Connection, batch_id: int) -> None:
    """Set when something of a batch is next due to be sent."""
    unit.execute(
        text(
            "UPDATE batch b SET send_at = (SELECT min(n.due_at) FROM item_now n"
            " WHERE n.batch_id = b.id AND n.state IN ('approved', 'unknown')) WHERE b.id = :batch"
        ),
        {"batch": batch_id},
    )
