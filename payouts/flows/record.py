"""Recording a turn: what answers and looks mean is appended, in one transaction.

Everything is columns: one frame per turn, one COPY of events, whatever the number of items. The
frame that stands in the middle has one row per item that got an answer:

```
item_id batch_id attempt_id evidence_id seq tries   Int64
clouded  Boolean   an earlier attempt is unclear
verdict  String    core.outcomes.Verdict
found    Boolean   the answer is the payment itself
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

from payouts.core.decisions import after_submission
from payouts.core.ids import public_id
from payouts.core.items import FINAL, Move, State
from payouts.core.outcomes import Answer, Failure, Verdict
from payouts.flows.alarms import Alarms
from payouts.flows.looked import LookRecorder
from payouts.store import bulk, lanes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from payouts.core.retry import RetryPolicy
    from payouts.flows.looked import Looked
    from payouts.providers.client import Exchange
    from payouts.providers.connector import Reading
    from payouts.store.lanes import Claim
    from payouts.store.looks import LookedItem

__all__ = ["Recorder", "Submitted"]

_WIDE: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.Int64,
    "batch_id": pl.Int64,
    "attempt_id": pl.Int64,
    "evidence_id": pl.Int64,
    "seq": pl.Int64,
    "tries": pl.Int64,
    "clouded": pl.Boolean,
    "verdict": pl.String,
    "found": pl.Boolean,
    "ref": pl.String,
    "status": pl.String,
    "code": pl.String,
    "due_at": pl.Datetime("us", "UTC"),
}
_BISECT = "bisect:"
_PAUSING = frozenset({204, 206, 301, 302, 303, 307, 308, 402, 409})
_POISONED_MAX = 24  # one poison item of 500 costs 10 refusals, two cost 18
_TAKEN = frozenset({Verdict.SETTLED, Verdict.PROCESSING})
_UNSENT = frozenset({Failure.SEND_BY_PASSED, Failure.NOTHING_SENT})


_BatchMove: TypeAlias = "tuple[int, int, int | None, int | None, str | None, datetime | None]"
"""(batch, seq, attempt, evidence, code, due)"""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The answer to one request of a claim.

    Args:
        places: positions of the request's items in the claim.
        reading: what a readable answer says; none where it said nothing that can be read.
        done: no further request of the claim is open.
        retry_after_s: what the provider asked for.
        fault: the name of the exception that our own reader stumbled with.
    """

    claim: Claim
    places: range
    exchange: Exchange
    answer: Answer
    reading: Reading | None
    done: bool
    retry_after_s: float | None = None
    fault: str | None = None


@dataclass(slots=True)
class Recorder:
    """Writes what a lane's answers mean.

    Args:
        draw: a number in [0, 1) for jitter.
        idempotent: a clouded item may be sent again under its key.
    """

    provider: str
    funding: str
    policy: RetryPolicy
    idempotent: bool
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
                self.provider, self.policy, self.actor, self.alarms, self._gives_up
            )
            self.settled += recorder.record(unit, looked, at, bulk.next_posting(unit))
        lanes.refresh_due(
            unit,
            sorted(touched),
            waits_s=self.policy.check_waits(),
            unclear_s=self.policy.unclear_max_s * self.policy.pace,
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
        whole: dict[tuple[State, str | None], list[_BatchMove]] = {}
        wide: dict[str, list[object]] = {name: [] for name in _WIDE}
        for answer, proof in zip(submitted, proofs, strict=True):
            if answer.claim.attempt_id not in live:
                self._stale(unit, answer)
                continue
            self._pause_where_needed(unit, answer)
            self._tell(unit, answer)
            row = self._as_whole(answer, proof, at, wrong)
            if row is not None:
                after, status, event = row
                whole.setdefault((after, status), []).append(event)
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
                batches=events,
                status=status,
            )
        if wide["item_id"]:  # a frame's expressions cost milliseconds, also where it is empty
            frame = pl.DataFrame(wide, schema=_WIDE)
            _append(unit, _events(frame), posting=posting, actor=self.actor)
            self.settled += frame.filter(pl.col("verdict") == Verdict.SETTLED).height
        lanes.close_attempts(
            unit,
            [
                (s.claim.attempt_id, s.answer.name.lower(), s.exchange.status or None)
                for s in submitted
                if s.done and s.claim.attempt_id in live
            ],
        )
        return {
            event[0] for (after, _), events in whole.items() if after in FINAL for event in events
        }

    def _pause_where_needed(self, unit: Connection, answer: Submitted) -> None:
        """Stop the lane on C, on redirects and where the provider misses money (RELIABILITY §3).

        So does a batch that is refused again and again whatever is in it: then it is not the items.
        """
        status = answer.exchange.status
        reason = None
        if answer.answer is Answer.CONFIGURATION or status in _PAUSING:
            reason = _said(answer.exchange)
        elif _poisoned(answer) and (
            lanes.count_outcomes(unit, answer.claim.batch_id, "poisoned") >= _POISONED_MAX
        ):
            reason = f"{_said(answer.exchange)} for every part of batch {answer.claim.batch_id}"
        if reason is not None:
            self.alarms.pause(unit, reason)

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
            "excerpt": None if readable else _said(answer.exchange),
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
            lanes.map_refs(unit, self.provider, [i for i, _ in found], [r for _, r in found])

    def _as_whole(
        self, answer: Submitted, proof: int, at: datetime, wrong: set[int]
    ) -> tuple[State, str | None, _BatchMove] | None:
        """One row for a batch that moves as one: (state, the provider's word, move).

        Either no item was named, or the reply says the same of each of them.
        """
        claim = answer.claim
        if not claim.whole or len(answer.places) != len(claim.members):
            return None
        if answer.reading is not None:
            said = _of_all(answer.reading)
            if said is None or not wrong.isdisjoint(claim.members):
                return None
            verdict, status, code = said
        else:
            verdict, status, code = _verdict(answer), None, _said(answer.exchange)
            if verdict not in {Verdict.NOT_EXECUTED, Verdict.UNCLEAR} or _poisoned(answer):
                return None
            if self._exhausted(answer, claim.tries[0]):
                return None
        found = answer.reading is not None
        (after,) = after_submission(verdict, clouded=claim.clouded[0], found=found)
        due = self._due(after, answer, claim.tries[0], at)
        event = (claim.batch_id, claim.seqs[0] + 1, claim.attempt_id, proof, code, due)
        return after, status, event

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
        words = {
            status
            for status, code in zip(answer.reading.statuses, answer.reading.codes, strict=True)
            if code == "unknown_status_word"
        }
        if words:
            self.alarms.tell(
                unit,
                "W_STATUS_WORD",
                f"{self.provider} uses a status word that we do not know: {min(map(str, words))}",
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
        claim, places = answer.claim, answer.places
        span = slice(places.start, places.stop)
        count = len(places)
        tries = claim.tries[span]
        if answer.reading is not None:
            reading = answer.reading
            verdicts = [
                str(Verdict.REJECTED if self._put_off_for_good(v, tried) else v)
                for v, tried in zip(reading.verdicts, tries, strict=True)
            ]
            refs, statuses, codes = reading.refs, reading.statuses, list(reading.codes)
            for place, item in enumerate(claim.members[span]):
                if item in wrong:
                    verdicts[place], codes[place] = str(Verdict.MISMATCH), "payment_id_differs"
        else:
            verdict = _verdict(answer)
            if (_poisoned(answer) and count == 1) or self._exhausted(answer, max(tries)):
                verdict = Verdict.REJECTED
            verdicts = [str(verdict)] * count
            refs, statuses = [None] * count, [None] * count
            codes = [self._code(answer, count)] * count
        wide["item_id"] += claim.members[span]
        wide["batch_id"] += [claim.batch_id] * count
        wide["attempt_id"] += [claim.attempt_id] * count
        wide["evidence_id"] += [proof] * count
        wide["seq"] += claim.seqs[span]
        wide["tries"] += tries
        wide["clouded"] += claim.clouded[span]
        wide["verdict"] += verdicts
        wide["found"] += [ref is not None for ref in refs]
        wide["ref"] += refs
        wide["status"] += statuses
        wide["code"] += codes
        again = {str(Verdict.NOT_EXECUTED), str(Verdict.UNCLEAR), str(Verdict.REJECTED)}
        wide["due_at"] += [
            self._item_due(verdict, answer, tried, at, clouded=clouded)
            if verdict in again
            else None
            for verdict, clouded, tried in zip(verdicts, claim.clouded[span], tries, strict=True)
        ]

    def _put_off_for_good(self, verdict: Verdict, tries: int) -> bool:
        """Whether an item that is only ever told to come again has come often enough (P18)."""
        return verdict is Verdict.NOT_EXECUTED and tries >= self.policy.tries_max

    def _code(self, answer: Submitted, count: int) -> str:
        if _poisoned(answer) and count > 1:
            return f"{_BISECT}{(count + 1) // 2}"
        return _said(answer.exchange)

    def _exhausted(self, answer: Submitted, tries: int) -> bool:
        return (
            _verdict(answer) is Verdict.NOT_EXECUTED
            and answer.answer is Answer.NOT_EXECUTED
            and answer.exchange.failure not in _UNSENT
            and tries >= self.policy.tries_max
        )

    def _item_due(
        self, verdict: str, answer: Submitted, tries: int, at: datetime, *, clouded: bool
    ) -> datetime | None:
        after = after_submission(Verdict(verdict), clouded=clouded, found=False)[-1]
        return self._due(after, answer, tries, at)

    def _due(self, after: State, answer: Submitted, tries: int, at: datetime) -> datetime | None:
        if after is State.APPROVED:
            if answer.exchange.failure in _UNSENT or _poisoned(answer):
                return at
            wait = self.policy.resend_wait(
                tries=tries, spread=self.draw(), retry_after_s=answer.retry_after_s
            )
            return at + timedelta(seconds=wait)
        if after is State.UNKNOWN and self.may_resend(tries):
            return at + timedelta(seconds=self.policy.quiet_wait())
        return None

    def may_resend(self, tries: int, *, age_s: float = 0.0) -> bool:
        """Whether a clouded item that was sent `tries` times may be sent again under its key.

        Args:
            age_s: since the key was first used.
        """
        return self.idempotent and self.policy.may_resend(resends=tries - 1, age_s=age_s)

    def _gives_up(self, item: LookedItem) -> bool:
        """Whether nothing more can be found out about an unclear item."""
        stuck = not self.may_resend(item.tries)
        return stuck and (self.idempotent or self.policy.gives_up_unclear(item.age_s))

    def _mapped(self, unit: Connection, answers: Sequence[Submitted]) -> set[int]:
        """Store the provider's ids; returns the items whose id contradicts what is known."""
        items: list[int] = []
        refs: list[str] = []
        for answer in answers:
            if answer.reading is not None:
                span = slice(answer.places.start, answer.places.stop)
                members = answer.claim.members[span]
                items += [m for m, r in zip(members, answer.reading.refs, strict=True) if r]
                refs += [ref for ref in answer.reading.refs if ref]
        wrong = lanes.map_refs(unit, self.provider, items, refs)
        if wrong:
            self.alarms.tell(
                unit,
                "E_PAYMENT_ID",
                f"{self.provider} gave {len(wrong)} payment ids that contradict others",
                severity=1,
            )
        return wrong


def _verdict(answer: Submitted) -> Verdict:
    """The verdict on all items of an answer that names none of them."""
    match answer.answer:
        case Answer.NOT_EXECUTED | Answer.CONFIGURATION | Answer.POISONED:
            return Verdict.NOT_EXECUTED
        case Answer.REJECTED:
            return Verdict.REJECTED
        case _:
            return Verdict.UNCLEAR


def _of_all(reading: Reading) -> tuple[Verdict, str | None, str | None] | None:
    """(verdict, status, code) of a reply that says the same of all items, and names each payment.

    Only what needs nothing but the reply itself: paid, or taken and not final.
    """
    said = set(zip(reading.verdicts, reading.statuses, reading.codes, strict=True))
    if len(said) != 1 or None in reading.refs:
        return None
    ((verdict, status, code),) = said
    return (verdict, status, code) if verdict in _TAKEN else None


def _poisoned(answer: Submitted) -> bool:
    return answer.answer is Answer.POISONED


def _said(exchange: Exchange) -> str:
    """A stable word for what came back; never a body, which may hold account data."""
    if exchange.failure is not None:
        return str(exchange.failure)
    return f"http_{exchange.status}"


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
