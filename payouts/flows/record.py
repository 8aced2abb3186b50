"""Recording a turn: what answers and looks mean is appended, in one transaction.

Everything is columns: one frame per turn, one COPY of events, whatever the number of items. The
frame that stands in the middle has one row per item that got an answer:

```
item_id batch_id attempt_id evidence_id seq tries put_offs resends   Int64
clouded  Boolean   an earlier attempt is unclear
verdict  String    core.outcomes.Verdict
found    Boolean   the answer is the payment itself, or binds as if it were
ref, status, code  String
due_at   Datetime  when the item is due again, for the states that are
```
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from payouts import jobs
from payouts.core.decisions import after_submission
from payouts.core.ids import public_id
from payouts.core.items import FINAL, Move, State
from payouts.core.outcomes import Answer, Verdict
from payouts.flows import payment_ids
from payouts.flows.alarms import Alarms
from payouts.flows.looked import LookRecorder
from payouts.flows.submitted import Submitted
from payouts.store import bulk, lanes, looks
from payouts.store.incidents import incident_known

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from payouts.core.capabilities import Capabilities
    from payouts.core.retry import RetryPolicy
    from payouts.flows.looked import Looked
    from payouts.store.looks import LookedItem

__all__ = ["Recorder", "Submitted"]

_WIDE: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.Int64,
    "batch_id": pl.Int64,
    "attempt_id": pl.Int64,
    "evidence_id": pl.Int64,
    "seq": pl.Int64,
    "tries": pl.Int64,
    "put_offs": pl.Int64,
    "resends": pl.Int64,
    "clouded": pl.Boolean,
    "verdict": pl.String,
    "found": pl.Boolean,
    "ref": pl.String,
    "status": pl.String,
    "code": pl.String,
    "due_at": pl.Datetime("us", "UTC"),
}
_BISECT = "bisect:"
_MANY = "E_MANY_REJECTED"
_PAUSING = frozenset({204, 206, 301, 302, 303, 307, 308, 402, 409})
_POISONED_MAX = 24  # one poison item of 500 costs 10 refusals, two cost 18
_AGAIN = frozenset({Verdict.NOT_EXECUTED, Verdict.UNCLEAR, Verdict.REJECTED})


_BatchMove: TypeAlias = "tuple[int, int, int | None, int | None, str | None, datetime | None]"
"""(batch, seq, attempt, evidence, code, due)"""


@dataclass(slots=True)
class Recorder:
    """Writes what a lane's answers mean.

    Args:
        draw: a number in [0, 1) for jitter.
        facts: what the provider can do.
        settled: items that are settled by what was recorded so far.
    """

    provider: str
    funding: str
    policy: RetryPolicy
    facts: Capabilities
    draw: Callable[[], float]
    actor: str = "worker"
    settled: int = 0
    alarms: Alarms = field(init=False)

    def __post_init__(self) -> None:
        """Open the lane's alarms."""
        self.alarms = Alarms(self.provider, self.funding)

    def record(
        self, unit: Connection, submitted: Sequence[Submitted], looked: Sequence[Looked]
    ) -> None:
        """Append what these answers mean; called inside the turn's transaction."""
        if not submitted and not looked:
            return
        touched = {s.claim.batch_id for s in submitted} | {look.item.batch_id for look in looked}
        lanes.lock_batches(unit, sorted(touched))
        at = lanes.now(unit)
        if submitted and looked:
            lanes.lock_funding(unit, sorted(touched))
        # Both may move items of one batch by the same arrow: each is booked by itself.
        if submitted:
            ended = self._submissions(unit, submitted, at, bulk.next_posting(unit))
            touched -= ended - {look.item.batch_id for look in looked}
        if looked:
            recorder = LookRecorder(
                self.policy, self.facts, self.actor, self.alarms, self._gives_up
            )
            self.settled += recorder.record(unit, looked, at, bulk.next_posting(unit))
        self.refresh(unit, sorted(touched))

    def refresh(self, unit: Connection, batch_ids: Sequence[int]) -> None:
        """Set when these batches are next due; what is unclear is looked for by our reference."""
        by_reference = self.facts.lookup_by_reference
        if by_reference:
            looks.look_for_unclear(unit, batch_ids, first_s=self.policy.look_waits()[0])
        lanes.refresh_due(
            unit,
            batch_ids,
            waits_s=self.policy.check_waits(),
            unclear_s=self.policy.unclear_max_s * self.policy.pace,
            by_reference=by_reference,
        )

    # -- submissions ------------------------------------------------------------------------------

    def _submissions(
        self, unit: Connection, submitted: Sequence[Submitted], at: datetime, posting: int
    ) -> set[int]:
        """Returns the batches that ended as one; nothing of them is due any more."""
        live = lanes.live_attempts(
            unit, sorted({(s.claim.attempt_id, s.claim.fence) for s in submitted})
        )
        proofs = lanes.insert_evidence(unit, [self._proof(s) for s in submitted])
        wrong = self._mapped(unit, [s for s in submitted if s.claim.attempt_id in live])
        whole: dict[tuple[State, str | None], list[tuple[_BatchMove, tuple[int, int]]]] = {}
        wide: dict[str, list[object]] = {name: [] for name in _WIDE}
        for answer, proof in zip(submitted, proofs, strict=True):
            if answer.claim.attempt_id not in live:
                self._stale(unit, answer)
                continue
            self._pause_where_needed(unit, answer)
            self._tell(unit, answer)
            row = self._as_whole(answer, proof, at, wrong)
            if row is not None:
                after, status, event, counts = row
                whole.setdefault((after, status), []).append((event, counts))
                self.settled += len(answer.places) if after is State.SETTLED else 0
            else:
                self._widen(wide, answer, proof, at, wrong)
        for (after, status), events in whole.items():
            lanes.insert_batch_events(
                unit,
                posting=posting,
                actor=self.actor,
                before=State.SENDING,
                after=after,
                clouded=after is State.UNKNOWN,
                batches=[event for event, _ in events],
                counts=[counts for _, counts in events],
                status=status,
            )
        if wide["item_id"]:  # a frame's expressions cost milliseconds, also where it is empty
            frame = pl.DataFrame(wide, schema=_WIDE)
            _append(unit, _events(frame), posting=posting, actor=self.actor)
            self.settled += frame.filter(pl.col("verdict") == Verdict.SETTLED).height
        self._pause_where_many_fail(unit, submitted)
        lanes.close_attempts(
            unit,
            [
                (s.claim.attempt_id, s.answer.name.lower(), s.exchange.status or None)
                for s in submitted
                if s.done and s.claim.attempt_id in live
            ],
        )
        return {
            event[0]
            for (after, _), events in whole.items()
            if after in FINAL
            for event, _ in events
        }

    def _pause_where_needed(self, unit: Connection, answer: Submitted) -> None:
        """Stop the lane on C, on redirects and where the provider misses money (RELIABILITY §3).

        So does a batch that is refused again and again whatever is in it: then it is not the items.
        """
        status = answer.exchange.status
        reason = None
        if answer.answer is Answer.CONFIGURATION or status in _PAUSING:
            reason = answer.said
        elif answer.poisoned and (
            lanes.count_outcomes(unit, answer.claim.batch_id, "poisoned") >= _POISONED_MAX
        ):
            reason = f"{answer.said} for every part of batch {answer.claim.batch_id}"
        if reason is not None:
            self.alarms.pause(unit, reason)

    def _pause_where_many_fail(self, unit: Connection, submitted: Sequence[Submitted]) -> None:
        """Ask a person where so much of a batch is refused that it may not be the payees.

        Once per batch: who resumes the lane has seen it.
        """
        refused = {
            s.claim.batch_id
            for s in submitted
            if s.answer is Answer.REJECTED
            or (s.reading is not None and Verdict.REJECTED in s.reading.verdicts)
        }
        if not refused:
            return
        many = lanes.mostly_failed(
            unit,
            sorted(refused),
            share=self.policy.rejected_share_max,
            items_min=self.policy.rejected_items_min,
        )
        for batch, failed, items in many:
            subject = public_id("bat", batch)
            if not incident_known(unit, code=_MANY, subject=subject):
                sentence = f"{failed} of {items} payments of {subject} were refused"
                self.alarms.tell(unit, _MANY, sentence, severity=2, subject=subject)
                self.alarms.pause(unit, f"{failed} of {items} refused in {subject}")

    def _proof(self, answer: Submitted) -> dict[str, object]:
        readable = answer.reading is not None
        body = answer.exchange.body
        return {
            "kind": "reply",
            "provider": self.provider,
            "batch_id": answer.claim.batch_id,
            "attempt_id": answer.claim.attempt_id,
            "item_id": answer.claim.members[answer.places[0]] if len(answer.places) == 1 else None,
            "http_status": answer.exchange.status or None,
            "sha256": hashlib.sha256(body).digest() if body else None,
            "bytes": len(body),
            "excerpt": None if readable else answer.said,
        }

    def _stale(self, unit: Connection, answer: Submitted) -> None:
        """A reply under a void fence writes no outcome; its ids let a look find the payments."""
        attempt = public_id("att", answer.claim.attempt_id)
        self.alarms.tell(
            unit,
            "W_LATE_REPLY",
            f"a late reply to {attempt} was kept as evidence",
            severity=3,
            subject=attempt,
        )
        if answer.reading is not None:
            found = [
                (answer.claim.members[place], ref)
                for place, ref in zip(answer.places, answer.reading.refs, strict=True)
                if ref is not None
            ]
            items = [item for item, _ in found]
            payment_ids.learn(unit, self.alarms, items, [ref for _, ref in found])
            jobs.enqueue_lanes(unit, lanes.ask_looks(unit, items, reason="late_reply"))

    def _as_whole(
        self, answer: Submitted, proof: int, at: datetime, wrong: set[int]
    ) -> tuple[State, str | None, _BatchMove, tuple[int, int]] | None:
        """One row for a batch that moves as one: (state, the provider's word, move, counts).

        Either no item was named, or the reply says the same of each of them.
        """
        claim = answer.claim
        if not claim.whole or len(answer.places) != len(claim.members):
            return None
        if answer.reading is not None:
            said = answer.of_all()
            if said is None or not wrong.isdisjoint(claim.members):
                return None
            verdict, status, code = said
        else:
            verdict, status, code = answer.verdict, None, answer.said
            if verdict not in {Verdict.NOT_EXECUTED, Verdict.UNCLEAR} or answer.poisoned:
                return None
        clouded = claim.clouded[0]
        counts = self._counts(verdict, answer, claim.put_offs[0], claim.resends[0], clouded=clouded)
        if self._ended(verdict, answer, counts[0], clouded=clouded):
            return None
        found = answer.reading is not None
        (after,) = after_submission(verdict, clouded=clouded, found=found)
        due = self._due(after, answer, counts[0], at)
        event = (claim.batch_id, claim.seqs[0] + 1, claim.attempt_id, proof, code, due)
        return after, status, event, counts

    def _tell(self, unit: Connection, answer: Submitted) -> None:
        """Open incidents about a reply: a fault of ours, strangers in it, words nobody knows."""
        attempt = public_id("att", answer.claim.attempt_id)
        if answer.fault is not None:
            self.alarms.tell(
                unit,
                "E_REPLY_READER",
                f"a reply of {self.provider} was not understood: {answer.fault}, a fault of ours",
                severity=2,
            )
        if answer.reading is None:
            return
        if answer.reading.strangers:
            self.alarms.tell(
                unit,
                "E_UNKNOWN_REFERENCE",
                f"{len(answer.reading.strangers)} unknown references in the reply to {attempt}",
                severity=2,
                subject=attempt,
            )
        if "unknown_status_word" in answer.reading.codes:
            place = answer.reading.codes.index("unknown_status_word")
            self.alarms.tell(
                unit,
                "W_STATUS_WORD",
                f"{self.provider} uses a status word that we do not know:"
                f" {answer.reading.statuses[place]}",
                severity=3,
            )

    def _widen(
        self,
        wide: dict[str, list[object]],
        answer: Submitted,
        proof: int,
        at: datetime,
        wrong: set[int],
    ) -> None:
        claim, span, count = answer.claim, answer.span, len(answer.places)
        verdicts, refs, statuses, codes = self._said_of_each(answer, wrong)
        clouded = claim.clouded[span]
        counts = [
            self._counts(verdict, answer, put_offs, resends, clouded=cloud)
            for verdict, put_offs, resends, cloud in zip(
                verdicts, claim.put_offs[span], claim.resends[span], clouded, strict=True
            )
        ]
        final = [
            Verdict.REJECTED if self._ended(verdict, answer, put_offs, clouded=cloud) else verdict
            for verdict, (put_offs, _), cloud in zip(verdicts, counts, clouded, strict=True)
        ]
        wide["item_id"] += claim.members[span]
        wide["batch_id"] += [claim.batch_id] * count
        wide["attempt_id"] += [claim.attempt_id] * count
        wide["evidence_id"] += [proof] * count
        wide["seq"] += claim.seqs[span]
        wide["tries"] += claim.tries[span]
        wide["put_offs"] += [put_offs for put_offs, _ in counts]
        wide["resends"] += [resends for _, resends in counts]
        wide["clouded"] += clouded
        wide["verdict"] += map(str, final)
        wide["found"] += [self.facts.binds_rejections or ref is not None for ref in refs]
        wide["ref"] += refs
        wide["status"] += statuses
        wide["code"] += codes
        wide["due_at"] += [
            self._item_due(verdict, answer, put_offs, at, clouded=cloud)
            for verdict, (put_offs, _), cloud in zip(final, counts, clouded, strict=True)
        ]

    @staticmethod
    def _said_of_each(
        answer: Submitted, wrong: set[int]
    ) -> tuple[list[Verdict], Sequence[str | None], Sequence[str | None], Sequence[str | None]]:
        """(verdicts, refs, statuses, codes) of the request's items."""
        members, count = answer.claim.members[answer.span], len(answer.places)
        if answer.reading is None:
            # To bisect is to send parts: never while an earlier attempt at the whole is unclear.
            bisect = answer.poisoned and count > 1 and not answer.claim.clouded[answer.places[0]]
            code = f"{_BISECT}{(count + 1) // 2}" if bisect else answer.said
            verdict = Verdict.REJECTED if answer.poisoned and count == 1 else answer.verdict
            nothing: list[str | None] = [None] * count
            return [verdict] * count, nothing, nothing, [code] * count
        reading = answer.reading
        verdicts, codes = list(reading.verdicts), list(reading.codes)
        for place, item in enumerate(members):
            if item in wrong:
                verdicts[place], codes[place] = Verdict.MISMATCH, "payment_id_differs"
        return verdicts, reading.refs, reading.statuses, codes

    @staticmethod
    def _counts(
        verdict: Verdict, answer: Submitted, put_offs: int, resends: int, *, clouded: bool
    ) -> tuple[int, int]:
        """(put-offs, re-sends) of an item after this answer.

        What was proven not executed was no re-send, and what the provider did not put off (our own
        settings, a deadline of ours, the search for a poison item) is no put-off.
        """
        if verdict is not Verdict.NOT_EXECUTED:
            return put_offs, resends
        put_off = answer.reading is not None or answer.put_off
        return put_offs + put_off, max(0, resends - (clouded and not answer.poisoned))

    def _ended(self, verdict: Verdict, answer: Submitted, put_offs: int, *, clouded: bool) -> bool:
        """Whether an item that was never executed fails, since it was put off too often (P18)."""
        if clouded or verdict is not Verdict.NOT_EXECUTED:
            return False
        put_off = answer.reading is not None or answer.put_off
        return put_off and put_offs >= self.policy.tries_max

    def _item_due(
        self, verdict: Verdict, answer: Submitted, put_offs: int, at: datetime, *, clouded: bool
    ) -> datetime | None:
        if verdict not in _AGAIN:
            return None
        after = after_submission(verdict, clouded=clouded, found=False)[-1]
        return self._due(after, answer, put_offs, at)

    def _due(self, after: State, answer: Submitted, put_offs: int, at: datetime) -> datetime | None:
        """When an item is sent again, or is found not to be sent any more."""
        if after is State.APPROVED:
            if answer.unsent or answer.poisoned:
                return at
            wait = self.policy.resend_wait(
                tries=max(1, put_offs), spread=self.draw(), retry_after_s=answer.retry_after_s
            )
            return at + timedelta(seconds=wait)
        if after is State.UNKNOWN and self.facts.idempotent:
            return at + timedelta(seconds=self.policy.quiet_wait())
        return None

    def may_resend(self, resends: int, put_offs: int) -> bool:
        """Whether a clouded item may be sent once more under its key, by what it has had."""
        few = resends < self.policy.resends_max and put_offs < self.policy.tries_max
        return self.facts.idempotent and few

    def key_lives(self, age_s: float) -> bool:
        """Whether the provider surely knows a key that was first used so long ago."""
        return self.policy.key_lives(age_s)

    def _gives_up(self, item: LookedItem) -> bool:
        """Whether nothing more can be found out about an unclear item."""
        if self.facts.lookup_by_reference:
            return item.asks >= self.policy.looks_max
        if self.policy.gives_up_unclear(item.age_s):
            return True
        used_up = self.facts.idempotent and not self.may_resend(item.resends, item.put_offs)
        return used_up and item.age_s >= self.policy.quiet_wait()

    def _mapped(self, unit: Connection, answers: Sequence[Submitted]) -> set[int]:
        """Store the provider's ids; returns the items whose id contradicts what is known."""
        items: list[int] = []
        refs: list[str] = []
        for answer in answers:
            if answer.reading is not None:
                members = answer.claim.members[answer.span]
                items += [m for m, r in zip(members, answer.reading.refs, strict=True) if r]
                refs += [ref for ref in answer.reading.refs if ref]
        return payment_ids.learn(unit, self.alarms, items, refs)


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """`item_event` rows of the answers: one or two per item, by `core.decisions`."""
    parts = []
    for key, part in frame.group_by("verdict", "clouded", "found", maintain_order=True):
        verdict, clouded, found = key
        before = State.SENDING
        moves = after_submission(Verdict(str(verdict)), clouded=bool(clouded), found=bool(found))
        for step, after in enumerate(moves, start=1):
            parts.append(
                part.select(
                    "item_id",
                    "batch_id",
                    "attempt_id",
                    "evidence_id",
                    (
                        pl.col("due_at") if step == len(moves) else pl.lit(None, _WIDE["due_at"])
                    ).alias("due_at"),
                    pl.lit(str(before)).alias("before"),
                    pl.lit(str(after)).alias("after"),
                    pl.col("seq") + step,
                    "tries",
                    "put_offs",
                    "resends",
                    pl.lit(Move.find(before, after).clouds).alias("clouded"),
                    "code",
                    pl.col("status").alias("provider_status"),
                )
            )
            before = after
    return pl.concat(parts).sort("item_id", "seq") if parts else pl.DataFrame()


def _append(unit: Connection, events: pl.DataFrame, *, posting: int, actor: str) -> None:
    if events.is_empty():
        return
    bulk.copy(
        unit,
        "item_event",
        events.with_columns(posting=pl.lit(posting), actor=pl.lit(actor)),
    )
