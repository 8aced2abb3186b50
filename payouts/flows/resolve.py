"""Resolving: two different people decide what automation cannot, with evidence they name.

The first proposes and the second, saying the same, applies; only then anything moves. The proposal
is about the items as they stood: whatever came in between makes it void. `approved` sends again,
once; so it needs proof that nothing was executed, and waits until no attempt can still be on the
wire (P20). Nothing that somebody asked to cancel is sent again (P14).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from payouts import jobs
from payouts.core.errors import UsageError
from payouts.core.ids import public_id
from payouts.core.items import State
from payouts.store import lanes, resolutions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from payouts.store.engine import Database
    from payouts.store.resolutions import Member, Proposal

__all__ = ["DECISIONS", "Decision", "Resolved", "resolve", "withdraw"]

Decision = Literal["approved", "failed", "settled"]
DECISIONS: Final[tuple[Decision, ...]] = ("settled", "failed", "approved")

_WORDS_MIN = 10


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a person's word did.

    Args:
        resolution: its key.
        items: keys of the items that it is about.
        first: who proposed.
        applied: this was the second person, and the items moved.
        replaced: an older proposal was void, since its items had moved on; this is a new one.
    """

    resolution: int
    run_id: int
    items: tuple[int, ...]
    decision: Decision
    first: str
    applied: bool
    replaced: bool = False


def resolve(
    database: Database,
    *,
    item_id: int | None = None,
    batch_id: int | None = None,
    decision: Decision,
    reason: str,
    evidence: str,
    actor: str,
) -> Resolved:
    """Propose a decision about an item, or all of a batch that waits, or apply another's proposal.

    Args:
        decision: `settled` it was paid, `failed` it was not and will not be, `approved` it was not
            and is sent once more.
        evidence: what the person saw: a statement and its dates, the provider's written answer.
            The second person may leave it to the first.
        actor: who says so, e.g. `person:ana`.

    Raises:
        UsageError: E_RESOLVE where the items are in no state to be decided, or too early;
            E_TWO_PEOPLE where the same person speaks twice; E_RESOLVE_OTHER where the proposal
            says something else; E_EVIDENCE where none is named.
    """
    with database.unit() as unit:
        where = resolutions.frame_of(unit, item_id=item_id, batch_id=batch_id)
        if where is None:
            raise UsageError("there is no such item or batch", code="E_ITEM_UNKNOWN")
        chosen = resolutions.members(unit, where.batch_id, item_id)
        _require_decidable(chosen, decision)
        there = resolutions.open_proposal(unit, item_id=item_id, batch_id=batch_id)
        stale = there is not None and not _same(there, chosen)
        if there is not None and stale:
            resolutions.withdraw(unit, there.id, actor="void: the items moved on")
            there = None
        if there is None:
            _require_evidence(evidence)
            made = resolutions.propose(
                unit,
                chosen,
                item_id=item_id,
                decision=decision,
                reason=reason,
                evidence=evidence,
                actor=actor,
            )
            items = tuple(one.item_id for one in chosen)
            return Resolved(
                made, where.run_id, items, decision, actor, applied=False, replaced=stale
            )
        _require_second(there, decision, actor)
        resolutions.end(unit, there.id, reason=reason, evidence=evidence or None, actor=actor)
        proof = resolutions.write_evidence(unit, where, there.id, item_id)
        lanes.lock_funding(unit, [where.batch_id])
        resolutions.apply_moves(unit, chosen, decision, evidence=proof, actor=actor)
        if decision == "approved":
            resolutions.make_due(unit, where.batch_id)
            jobs.enqueue_lanes(unit, [(where.provider, where.funding)])
        if jobs.open_cancels(unit):
            jobs.enqueue_cancels(unit)
        return Resolved(
            there.id, where.run_id, tuple(there.members), decision, there.first_actor, applied=True
        )


def withdraw(
    database: Database, *, item_id: int | None = None, batch_id: int | None = None, actor: str
) -> Proposal | None:
    """End the proposal that waits for a second person; none where there is none."""
    with database.unit() as unit:
        resolutions.frame_of(unit, item_id=item_id, batch_id=batch_id)
        there = resolutions.open_proposal(unit, item_id=item_id, batch_id=batch_id)
        if there is not None:
            resolutions.withdraw(unit, there.id, actor=actor)
        return there


def _same(there: Proposal, chosen: Sequence[Member]) -> bool:
    """Whether the items are those that were proposed, and none of them moved since."""
    now = [(one.item_id, one.seq) for one in chosen]
    return now == list(zip(there.members, there.seqs, strict=True))


def _require_decidable(chosen: Sequence[Member], decision: Decision) -> None:
    if not chosen:
        raise UsageError(
            "nothing of it waits for a decision",
            hint="`payouts items last --state review` lists what does.",
            code="E_RESOLVE",
        )
    for one in chosen:
        why = _undecidable(one, decision)
        if why is not None:
            name = public_id("itm", one.item_id)
            raise UsageError(
                f"{name} cannot be decided: {why}",
                hint=f"`payouts explain {name}` says what is awaited, and until when.",
                code="E_RESOLVE",
            )


def _undecidable(one: Member, decision: Decision) -> str | None:
    """Why people cannot decide an item, or not yet; none where they can."""
    if one.state not in {State.REVIEW, State.UNKNOWN}:
        return f"it is {one.state}; people decide what is in review"
    if one.attempts:
        return "an attempt may still be on the wire; wait until its lease is over"
    if one.state == State.UNKNOWN and one.due_at is not None:
        return f"it is sent again under its key at {one.due_at:%Y-%m-%d %H:%M:%S} UTC"
    if one.state == State.UNKNOWN and (one.known or one.asked):
        return "the platform is being asked about it"
    return _never_again(one) if decision == "approved" else None


def _never_again(one: Member) -> str | None:
    """Why an item may not be sent once more; none where it may."""
    if one.asked:
        return "the platform is being asked about it, and may have paid it"
    if one.known:
        return (
            "the platform has a payment of it, so it is never sent again; decide `failed` where that"
            " one was not executed, and `payouts reissue` it"
        )
    if one.cancelling:
        return "somebody asked that it be cancelled, so it is never sent again"
    return None


def _require_evidence(evidence: str) -> None:
    if len(evidence.strip()) < _WORDS_MIN:
        raise UsageError(
            "the evidence is missing",
            hint="Name what you saw: the statement and its dates, the platform's written answer:"
            " --evidence …. For `approved` it has to prove that nothing was executed.",
            code="E_EVIDENCE",
        )


def _require_second(there: Proposal, decision: Decision, actor: str) -> None:
    if there.first_actor.lower() == actor.lower():
        raise UsageError(
            f"{actor} has proposed this already: somebody else has to say the same",
            hint="The second person runs the same command, with --actor NAME where the user of"
            " this machine is shared; --withdraw takes the proposal back.",
            code="E_TWO_PEOPLE",
        )
    if there.decision != decision:
        raise UsageError(
            f"{there.first_actor} proposed {there.decision}, not {decision}",
            hint="Agree with each other; --withdraw takes the proposal back.",
            code="E_RESOLVE_OTHER",
        )
