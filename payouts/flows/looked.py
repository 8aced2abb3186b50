"""Recording looks: what the provider says an item is now, whatever we thought (P13).

A look that was asked for leaves evidence, also where it changes nothing; a poll only where it does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

from payouts.core.decisions import after_look, contradiction
from payouts.core.ids import public_id
from payouts.core.items import Move, State
from payouts.core.outcomes import Verdict
from payouts.flows import payment_ids
from payouts.store import bulk, lanes, looks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from payouts.core.capabilities import Capabilities
    from payouts.core.retry import RetryPolicy
    from payouts.flows.alarms import Alarms
    from payouts.providers.client import Exchange
    from payouts.providers.connector import Reading
    from payouts.store.looks import LookedItem

__all__ = ["LookRecorder", "Looked"]

_TWICE = 2  # "not found" is believed when it was said so often (P5)
_COLUMNS = (
    *("item_id", "batch_id", "evidence_id", "seq", "before", "after"),
    *("tries", "put_offs", "resends", "clouded", "code", "provider_status"),
)


@dataclass(frozen=True, slots=True)
class Looked:
    """The answer to one look at an item.

    Args:
        reading: what a readable answer says; none where it said nothing that can be read.
        absent: the provider says that it does not have it.
        fault: the name of the exception that our own reader stumbled with.
    """

    item: LookedItem
    exchange: Exchange
    reading: Reading | None
    fault: str | None = None
    absent: bool = False

    @property
    def said(self) -> str:
        """A stable word for what came back; never a body, which may hold account data."""
        failure = self.exchange.failure
        return str(failure) if failure is not None else f"http_{self.exchange.status}"


class _Present(NamedTuple):
    """Where an item is now."""

    state: State
    seq: int
    tries: int
    put_offs: int
    resends: int


class _Found(NamedTuple):
    """What a look means for its item."""

    look: Looked
    present: _Present
    verdict: Verdict | None
    moves: tuple[State, ...]
    status: str | None
    code: str | None

    @property
    def kept(self) -> bool:
        """Whether evidence is written: something moves, or somebody asked and was answered."""
        asked = self.look.item.asked_at is not None
        return bool(self.moves) or (asked and self.look.exchange.status > 0)

    @property
    def ends(self) -> bool:
        """Whether the look has told what it could, so that it is not repeated."""
        if self.verdict in {None, Verdict.UNCLEAR} or self.present.state is State.SENDING:
            return False
        told = contradiction(Verdict(self.verdict), self.present.state)
        return told is None or not told.again


@dataclass(slots=True)
class LookRecorder:
    """Writes what looks mean.

    Args:
        gives_up: whether an unclear item that nothing more can be found out about goes to review.
    """

    policy: RetryPolicy
    facts: Capabilities
    actor: str
    alarms: Alarms
    gives_up: Callable[[LookedItem], bool]

    @property
    def provider(self) -> str:
        """Whom the looks asked."""
        return self.alarms.provider

    def record(self, unit: Connection, looked: Sequence[Looked], at: datetime, posting: int) -> int:
        """Append what these looks mean; returns how many items are settled by it."""
        wrong = self._mapped(unit, looked)
        found = list(self._found(unit, looked, wrong))
        kept = [one for one in found if one.kept]
        proofs = lanes.insert_evidence(unit, [self._proof(one.look) for one in kept])
        rows = [list(_rows(one, proof)) for one, proof in zip(kept, proofs, strict=True)]
        # A second move may correct the transfer of the first, so it is booked after it.
        for step in range(max(map(len, rows), default=0)):
            bulk.copy_rows(
                unit,
                "item_event",
                (*_COLUMNS, "posting", "actor", "at"),
                [(*row[step], posting, self.actor, at) for row in rows if len(row) > step],
            )
        self._count_missing(unit, found)
        for one in found:
            self._tell(unit, one)
        looks.end_looks(unit, [one.look.item for one in found if one.ends or self._silent(one)])
        return sum(one.moves[-1] is State.SETTLED for one in found if one.moves)

    def _mapped(self, unit: Connection, looked: Sequence[Looked]) -> set[int]:
        """Keep the ids of what was found; returns the items whose id contradicts what is known."""
        news = [
            (look.item.item_id, ref)
            for look in looked
            if look.reading is not None
            and (ref := look.reading.refs[0]) is not None
            and ref != look.item.ref
        ]
        items, refs = [item for item, _ in news], [ref for _, ref in news]
        return payment_ids.learn(unit, self.alarms, items, refs)

    def _found(
        self, unit: Connection, looked: Sequence[Looked], wrong: set[int]
    ) -> Iterator[_Found]:
        """What each look means where its item is now; a second look at one sees the first."""
        present = {
            int(key): _Present(State(state), *map(int, counts))
            for key, state, *counts in unit.execute(
                text(
                    "SELECT id, state, seq, tries, put_offs, resends FROM item_now"
                    " WHERE id = ANY(:ids)"
                ),
                {"ids": sorted({look.item.item_id for look in looked})},
            )
        }
        cancelling = lanes.cancelling(unit, list(present))
        for look in looked:
            now = present[look.item.item_id]
            verdict, status, code = self._says(look, now.state)
            if look.item.item_id in wrong:
                verdict, code = Verdict.MISMATCH, "payment_id_differs"
            moves = (
                after_look(verdict, now.state, cancelling=look.item.item_id in cancelling)
                if verdict is not None
                else ()
            )
            yield _Found(look, now, verdict, moves, status, code)
            if moves:
                after = now._replace(state=moves[-1], seq=now.seq + len(moves))
                present[look.item.item_id] = after

    def _says(self, look: Looked, state: State) -> tuple[Verdict | None, str | None, str | None]:
        """What a look brought: nothing for an answer that says nothing, else the verdict."""
        if look.reading is not None:
            reading = look.reading
            return reading.verdicts[0], reading.statuses[0], reading.codes[0]
        if self._counts(look) and look.item.missing + 1 >= _TWICE:
            if look.item.ref is not None:
                return Verdict.MISMATCH, None, "payment_gone"
            # Under its key it may be sent again: that is the claim's to judge (P5).
            if state is not State.UNKNOWN or not self.facts.idempotent:
                return Verdict.MISMATCH, None, "not_found"
        if look.item.ref is None and state is State.UNKNOWN and self.gives_up(look.item):
            return Verdict.MISMATCH, None, "no_evidence"
        return None, None, None

    def _counts(self, look: Looked) -> bool:
        """Whether this "not found" counts."""
        item = look.item
        return (
            look.absent
            and item.asked_at is not None
            and self.policy.counts_missing(age_s=item.age_s, since_s=item.missing_s)
        )

    def _count_missing(self, unit: Connection, found: Sequence[_Found]) -> None:
        """Note who was not found; what only a poll missed is looked at by itself from now on."""
        absent = [one.look for one in found if one.look.absent]
        looks.count_missing(
            unit,
            [look.item.item_id for look in absent if self._counts(look)],
            apart_s=self.policy.apart_s * self.policy.pace,
        )
        looks.look_for_missing(
            unit,
            [look.item.item_id for look in absent if look.item.asked_at is None],
            first_s=self.policy.look_waits()[0],
        )

    def _silent(self, one: _Found) -> bool:
        """Whether a look that was asked for will never bring anything."""
        item = one.look.item
        blind = item.ref is None and not self.facts.lookup_by_reference
        return item.asked_at is not None and (blind or item.asks >= self.policy.looks_max)

    def _tell(self, unit: Connection, one: _Found) -> None:
        """Open incidents: contradictions, words that nobody knows, looks in vain."""
        subject = public_id("itm", one.look.item.item_id)
        if one.look.fault is not None:
            self.alarms.tell(
                unit,
                "E_REPLY_READER",
                f"a reply of {self.provider} was not understood: {one.look.fault}, a fault of ours",
                severity=2,
            )
        if one.verdict is not None and one.look.reading is not None:
            self._tell_contradiction(unit, one, one.verdict, subject)
            if one.code == "unknown_status_word":
                self.alarms.tell(
                    unit,
                    "W_STATUS_WORD",
                    f"{self.provider} uses a status word that we do not know: {one.status}",
                    severity=3,
                )
        if one.code == "payment_gone":
            self.alarms.tell(
                unit,
                "E_PAYMENT_GONE",
                f"{self.provider} does not have the payment of {subject} any more, which is"
                f" {one.present.state}",
                severity=2,
                subject=subject,
            )
        elif one.moves and one.moves[-1] is State.REVIEW and one.look.reading is None:
            self.alarms.tell(
                unit,
                "W_REVIEW",
                f"{subject} waits for a person: {one.code}",
                severity=2,
                subject=public_id("bat", one.look.item.batch_id),
            )
        if self._silent(one) and not one.ends and one.present.state is not State.UNKNOWN:
            self.alarms.tell(
                unit,
                "W_LOOK_SILENT",
                f"{self.provider} could not be asked about {subject}: {one.look.said}",
                severity=2,
                subject=subject,
            )

    def _tell_contradiction(
        self, unit: Connection, one: _Found, verdict: Verdict, subject: str
    ) -> None:
        """What is known is contradicted: say so, and hold what would pay the item again."""
        told = contradiction(verdict, one.present.state)
        if one.code == "found_twice":
            self.alarms.tell(
                unit,
                "E_FOUND_TWICE",
                f"{self.provider} has two payments of {subject}",
                severity=1,
                subject=subject,
            )
        elif told is not None:
            sentence = (
                f"{subject} is {one.present.state} and {self.provider} says"
                f" {one.status or one.verdict}"
            )
            item = one.look.item.item_id
            if one.present.state is State.PENDING and told.pauses:
                # Not sent by us, and there: whoever approves its run must not send it.
                lanes.hold_items(unit, [item], actor=self.actor, detail=sentence)
            if State.SETTLED in one.moves or told.again:
                again = lanes.hold_replacements(unit, item, actor=self.actor, detail=sentence)
                sentence += "".join(f"; {public_id('itm', new)} pays it again" for new in again)
            self.alarms.tell(unit, told.code, sentence, severity=told.severity, subject=subject)
            if told.pauses:
                self.alarms.pause(unit, f"{told.code} of {subject}")

    def _proof(self, look: Looked) -> dict[str, object]:
        body = look.exchange.body
        return {
            "kind": "lookup" if look.exchange.status else "lease",
            "provider": self.provider,
            "batch_id": look.item.batch_id,
            "attempt_id": None,
            "item_id": look.item.item_id,
            "http_status": look.exchange.status or None,
            "sha256": hashlib.sha256(body).digest() if body else None,
            "bytes": len(body),
            "excerpt": None if look.reading is not None else look.said,
        }


def _rows(one: _Found, proof: int) -> Iterator[tuple[object, ...]]:
    """The item's events, columns as `_COLUMNS`."""
    present, item = one.present, one.look.item
    before = present.state
    for seq, after in enumerate(one.moves, start=present.seq + 1):
        yield (
            *(item.item_id, item.batch_id, proof, seq, before, after),
            *(present.tries, present.put_offs, present.resends),
            *(Move.find(before, after).clouds, one.code, one.status),
        )
        before = after
