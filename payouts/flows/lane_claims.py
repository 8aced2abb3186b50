"""Claims: what is due is put under an attempt that is on disk before anything of it is sent (P4).

A batch goes as a whole while all of its items stand alike; else its items go in parts. Unclear
items are sent again under their key only: not when the provider may have forgotten it, not under
other credentials, not more often than the policy allows. What may not go again waits in review.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from payouts.core.errors import InvariantError
from payouts.core.items import State
from payouts.store import bulk, lanes, looks
from payouts.store.lanes import Claim
from payouts.vault import ErasedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from payouts.flows.lane_order import LaneOrder
    from payouts.flows.record import Recorder
    from payouts.store.lanes import DueBatch, DueItem
    from payouts.store.looks import LookedItem

__all__ = ["WIRE", "Claimer"]

WIRE = slice(-34, -2)
"""Where a body's wire reference stands: it is the last member; `flows.load` checks it."""

_SENDABLE = (State.APPROVED, State.UNKNOWN)
_REMEMBERED = 64  # batches whose wire references are kept between looks
_BISECT = "bisect:"
_WHY = {
    "key_life_over": "{provider} may have forgotten their keys",
    "resends_used": "they were sent again as often as is allowed",
    "credentials_changed": "the credentials are others, and keys of the old ones mean nothing now",
}
_CODES = {
    "key_life_over": "W_KEY_FORGOTTEN",
    "resends_used": "W_REVIEW",
    "credentials_changed": "W_CREDENTIALS_CHANGED",
}


@dataclass(frozen=True, slots=True)
class _Opened:
    """A batch's items: keys, bodies, amounts."""

    ids: list[int]
    bodies: list[bytes] = field(repr=False)  # account data (P24)
    amounts: list[int]


@dataclass(slots=True)
class Claimer:
    """Claims sends and looks of one lane.

    Args:
        worker: its number; attempts are its own while its session lives.
        wires: wire references of batches that were opened for looks.
    """

    order: LaneOrder
    recorder: Recorder
    worker: int = 0
    wires: dict[int, tuple[int, list[str]]] = field(default_factory=dict)

    # -- looks --------------------------------------------------------------------------------------

    def asked(self, unit: Connection) -> list[tuple[LookedItem, str]]:
        """Looks that somebody asked for, with wire references."""
        order = self.order
        return self._with_wires(
            unit,
            looks.claim_asked(
                unit,
                order.connector.name,
                order.funding,
                waits_s=order.policy.look_waits(),
                limit=order.connector.capabilities.concurrency,
            ),
        )

    def polls(self, unit: Connection) -> list[tuple[LookedItem, str]]:
        """Items of batches whose poll is due, with wire references."""
        order = self.order
        return self._with_wires(
            unit,
            looks.claim_checks(
                unit,
                order.connector.name,
                order.funding,
                waits_s=order.policy.check_waits(),
                limit=1 if order.connector.capabilities.per_request == 1 else 2,
            ),
        )

    def _with_wires(
        self, unit: Connection, looked: list[LookedItem]
    ) -> list[tuple[LookedItem, str]]:
        """The items with their wire references, which are in the sealed bytes of their batches."""
        batches = sorted({look.batch_id for look in looked})
        missing = [batch_id for batch_id in batches if batch_id not in self.wires]
        if len(self.wires) + len(missing) > _REMEMBERED:
            self.wires = {}
            missing = batches
        if missing:
            for batch_id, opened in self._opened(unit, missing, erased=True).items():
                self.wires[batch_id] = (
                    opened.ids[0],
                    [body[WIRE].decode() for body in opened.bodies],
                )
        return [(look, self._wire(look)) for look in looked if look.batch_id in self.wires]

    def _wire(self, look: LookedItem) -> str:
        lo, wires = self.wires[look.batch_id]
        return wires[look.item_id - lo]

    # -- sends --------------------------------------------------------------------------------------

    def due(self, unit: Connection, room: int, most: int | None = None) -> list[Claim]:
        """Claim up to `room` batches, or parts of them, that are due.

        Args:
            most: items of one batch, while the provider is tried with little.
        """
        order, facts = self.order, self.recorder.facts
        if most is not None:
            room = 1
        due = lanes.due_batches(
            unit,
            order.connector.name,
            order.funding,
            limit=room,
            by_reference=facts.lookup_by_reference,
        )
        if not due:
            return []
        if most is not None:
            due = [self._little(batch) for batch in due]
        opened = self._opened(unit, [batch.batch_id for batch in due])
        split = [batch.batch_id for batch in due if batch.split]
        items = (
            lanes.due_items(unit, split, by_reference=facts.lookup_by_reference) if split else {}
        )
        posting = bulk.next_posting(unit)
        whole = self._whole_batches(unit, [b for b in due if not b.split], posting)
        claims = self._claim_whole(unit, whole, opened, posting)
        for batch in due:
            if batch.split:
                there = items.get(batch.batch_id, [])[:most]
                chosen = self._members(unit, batch, there, posting)
                claims += self._claim_members(unit, batch, chosen, opened, posting)
        self.recorder.refresh(unit, [batch.batch_id for batch in due])
        return claims

    def _little(self, batch: DueBatch) -> DueBatch:
        """The batch as one of which some items are sent alone.

        Not where a request carries many and the answer to an earlier one is unclear: a part of it
        would be another request (P15).
        """
        alone = self.recorder.facts.per_request == 1 or not batch.base_clouded
        return replace(batch, split=batch.split or alone)

    def _barred(self, due: DueBatch | DueItem) -> str | None:
        """Why something unclear is not sent again; nothing where it may be.

        Due or not: a worker that was away, a pause and a hold all let the time run on, and with a
        key that is forgotten a re-send is a second payment (P1, P5).
        """
        ours = self.order.connector.account_fingerprint
        if due.fingerprint is not None and due.fingerprint != ours:
            return "credentials_changed"
        if not self.recorder.key_lives(due.age_s):
            return "key_life_over"
        if not self.recorder.may_resend(due.resends, due.put_offs):
            return "resends_used"
        return None

    def _whole_batches(self, unit: Connection, due: list[DueBatch], posting: int) -> list[DueBatch]:
        """Batches that may be sent; unclear ones that may not go to review."""
        barred = {
            batch.batch_id: why
            for batch in due
            if batch.base_state == State.UNKNOWN and (why := self._barred(batch)) is not None
        }
        late = [batch for batch in due if batch.batch_id in barred]
        lanes.insert_batch_events(
            unit,
            posting=posting,
            actor=self.recorder.actor,
            before=State.UNKNOWN,
            after=State.REVIEW,
            clouded=True,
            batches=[
                (b.batch_id, b.base_seq + 1, None, None, barred[b.batch_id], None) for b in late
            ],
            counts=[(b.put_offs, b.resends) for b in late],
        )
        for why in sorted(set(barred.values())):
            self._tell_barred(unit, why, sum(b.items for b in late if barred[b.batch_id] == why))
        return [b for b in due if b.base_state in _SENDABLE and b.batch_id not in barred]

    def _members(
        self, unit: Connection, batch: DueBatch, due: list[DueItem], posting: int
    ) -> list[DueItem]:
        """As above, item by item."""
        barred = {
            item.item_id: why
            for item in due
            if item.state == State.UNKNOWN and (why := self._barred(item)) is not None
        }
        same = (batch.batch_id, posting, "unknown", "review", True, self.recorder.actor)
        columns = ("batch_id", "posting", "before", "after", "clouded", "actor")
        bulk.copy_rows(
            unit,
            "item_event",
            (*columns, "code", "item_id", "seq", "tries", "put_offs", "resends"),
            [
                (
                    *(*same, barred[item.item_id], item.item_id, item.seq + 1),
                    *(item.tries, item.put_offs, item.resends),
                )
                for item in due
                if item.item_id in barred
            ],
        )
        for why in sorted(set(barred.values())):
            self._tell_barred(unit, why, list(barred.values()).count(why))
        return [item for item in due if item.item_id not in barred]

    def _tell_barred(self, unit: Connection, why: str, items: int) -> None:
        reason = _WHY[why].format(provider=self.recorder.provider)
        self.recorder.alarms.tell(
            unit,
            _CODES[why],
            f"{items} unclear payments are not sent again: {reason}; they wait in review",
            severity=2,
        )

    def _opened(
        self, unit: Connection, batch_ids: list[int], *, erased: bool = False
    ) -> dict[int, _Opened]:
        """What was sealed is what is sent (P23).

        Args:
            erased: leave out batches whose account data was erased; nothing of them is sent.
        """
        made = {}
        for batch_id, (sealed, lo, digest, amounts) in lanes.payloads(unit, batch_ids).items():
            try:
                plain = self.order.vault.open(batch_id, sealed)
            except ErasedError:
                if not erased:
                    raise
                continue
            if hashlib.sha256(plain).digest() != digest:
                raise InvariantError(f"the payload of batch {batch_id} is not what was approved")
            bodies = plain.split(b"\n")
            made[batch_id] = _Opened(list(range(lo, lo + len(bodies))), bodies, amounts)
        return made

    def _claim_whole(
        self, unit: Connection, due: list[DueBatch], opened: dict[int, _Opened], posting: int
    ) -> list[Claim]:
        rows = [
            (
                *(b.batch_id, None, b.items),
                *(_key(opened[b.batch_id].bodies, b.payload_hash), b.payload_hash),
            )
            for b in due
        ]
        attempts = self._attempts(unit, rows)
        claims = []
        for before in _SENDABLE:
            chosen = [
                (batch, attempt)
                for batch, attempt in zip(due, attempts, strict=True)
                if batch.base_state == before
            ]
            again = before is State.UNKNOWN
            lanes.insert_batch_events(
                unit,
                posting=posting,
                actor=self.recorder.actor,
                before=before,
                after=State.SENDING,
                clouded=again,
                batches=[
                    (batch.batch_id, batch.base_seq + 1, attempt[0], None, None, None)
                    for batch, attempt in chosen
                ],
                counts=[(batch.put_offs, batch.resends + again) for batch, _ in chosen],
            )
            for batch, attempt in chosen:
                part = opened[batch.batch_id]
                count = len(part.ids)
                claims.append(
                    Claim(
                        batch.batch_id,
                        *attempt,
                        key=_key(part.bodies, batch.payload_hash),
                        currency=batch.currency,
                        whole=True,
                        members=part.ids,
                        seqs=[batch.base_seq + 1] * count,
                        tries=[batch.tries + 1] * count,
                        put_offs=[batch.put_offs] * count,
                        resends=[batch.resends + again] * count,
                        clouded=[again] * count,
                        amounts=part.amounts,
                        bodies=part.bodies,
                    )
                )
        return claims

    def _claim_members(
        self,
        unit: Connection,
        batch: DueBatch,
        due: list[DueItem],
        opened: dict[int, _Opened],
        posting: int,
    ) -> list[Claim]:
        if not due:
            return []
        whole = opened[batch.batch_id]
        claims = []
        for part in _parts(due):
            bodies = [whole.bodies[item.item_id - batch.lo] for item in part]
            members = [item.item_id for item in part]
            digest = hashlib.sha256(b"\n".join(bodies)).digest()
            key = _key(bodies, digest)
            (attempt,) = self._attempts(unit, [(batch.batch_id, members, len(part), key, digest)])
            claims.append(
                Claim(
                    batch.batch_id,
                    *attempt,
                    key=key,
                    currency=batch.currency,
                    whole=False,
                    members=members,
                    seqs=[item.seq + 1 for item in part],
                    tries=[item.tries + 1 for item in part],
                    put_offs=[item.put_offs for item in part],
                    resends=[item.resends + (item.state == State.UNKNOWN) for item in part],
                    clouded=[item.clouded for item in part],
                    amounts=[whole.amounts[item - batch.lo] for item in members],
                    bodies=bodies,
                )
            )
        states = {item.item_id: item.state for item in due}
        bulk.copy_rows(
            unit,
            "item_event",
            (
                *("item_id", "batch_id", "posting", "attempt_id", "before", "after", "seq"),
                *("tries", "put_offs", "resends", "clouded", "actor"),
            ),
            [
                (
                    *(item, batch.batch_id, posting, claim.attempt_id, states[item], "sending"),
                    *(claim.seqs[at], claim.tries[at], claim.put_offs[at], claim.resends[at]),
                    *(claim.clouded[at], self.recorder.actor),
                )
                for claim in claims
                for at, item in enumerate(claim.members)
            ],
        )
        if self.recorder.facts.lookup_by_reference:
            again = [item.item_id for item in due if item.state == State.UNKNOWN]
            looks.forget_looks(unit, again)
        return claims

    def _attempts(
        self, unit: Connection, rows: Sequence[tuple[int, list[int] | None, int, str, bytes]]
    ) -> list[tuple[int, int]]:
        order = self.order
        return lanes.open_attempts(
            unit,
            rows,
            worker=self.worker,
            send_by_s=order.send_by_s,
            lease_s=order.send_by_s + order.timeouts.overall + 30.0,
            fingerprint=order.connector.account_fingerprint,
        )


def _key(bodies: list[bytes], digest: bytes) -> str:
    """The idempotency key of a request; other items never come under the same key (P15).

    The wire reference of a single item, else the first one's and the hash of all bytes.
    """
    first = bodies[0][WIRE].decode()
    return first if len(bodies) == 1 else f"{first}-{digest.hex()[:16]}"


def _parts(due: list[DueItem]) -> list[list[DueItem]]:
    """Due items as attempts: unclear ones apart from fresh ones, halves where one is poison."""
    parts = []
    for clouded in (False, True):
        same = [item for item in due if item.clouded is clouded]
        size = 500
        for item in same:
            if item.code is not None and item.code.startswith(_BISECT):
                size = min(size, int(item.code.removeprefix(_BISECT)))
        parts += [same[start : start + size] for start in range(0, len(same), size)]
    return parts
