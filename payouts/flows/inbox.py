"""The inbox: webhooks are kept before they are answered, and applied later.

`keep` stores one that was verified; the platform hears 2xx only after its commit (P17). `apply`
takes what is due in groups. An event is believed in one thing only, namely whom to ask about: it
leads to an item by the platform's id or by our reference, maps the one to the other, and asks for a
look. The look decides (P13); so replays, any order and contradictions end in what the platform
says when it is asked (P11), and a lost reply of a platform without look-up by reference is resolved
by the id that its webhook brings (A-OKS-9).

An event that cannot be read or applied is marked with its error and never blocks the next.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from psycopg import Error as DriverError
from sqlalchemy.exc import DBAPIError

from payouts import jobs
from payouts.core.errors import VaultAwayError
from payouts.core.ids import public_id, wire_prefix
from payouts.core.items import State
from payouts.core.outcomes import Verdict
from payouts.flows.alarms import Alarms
from payouts.providers.events import PAYMENT, Event
from payouts.providers.strict import UnreadableError
from payouts.store import inbox, lanes, looks
from payouts.store.engine import passing
from payouts.store.inbox import Mark
from payouts.store.incidents import report_incident

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from payouts.providers.events import Hearing
    from payouts.store.engine import Database
    from payouts.store.inbox import Known, Stored
    from payouts.vault import Vault

__all__ = ["Handler", "Heard", "InboxOrder", "apply", "keep"]

_WIRE = slice(-34, -2)  # the wire reference is the last member of every body; flows.load checks it
_OURS = re.compile(r"P[A-Z2-7]{31}")
_ORPHAN_FIRST_S = 2.0
_ORPHAN_MAX_S = 86_400.0
_ORPHAN_SAID = (
    5  # tries after which an orphan is an incident: a reply that is late has come by then
)
_ERROR_MAX = 200
_STEP_S = 0.1
_REMEMBERED = 64  # batches whose wire references are kept between groups

_OLD_NEWS: Final = {
    # In flight: the reply comes, and if it is lost the id that was mapped is asked for then.
    State.SENDING: frozenset({Verdict.PROCESSING}),
    State.PROCESSING: frozenset({Verdict.PROCESSING}),
    State.SETTLED: frozenset({Verdict.PROCESSING, Verdict.SETTLED}),
    State.RECONCILED: frozenset({Verdict.PROCESSING, Verdict.SETTLED}),
    State.FAILED: frozenset({Verdict.REJECTED, Verdict.CANCELLED}),
    State.CANCELLED: frozenset({Verdict.REJECTED, Verdict.CANCELLED}),
    State.RETURNED: frozenset({Verdict.RETURNED}),
}
"""What an event may claim of an item in this state without anybody having to ask: plain progress
that is behind us, or the same fact once more."""

_UNSENT: Final = frozenset({State.PENDING, State.APPROVED})
_NO_EFFECT: Final = frozenset({Verdict.REJECTED, Verdict.CANCELLED})


@dataclass(frozen=True, slots=True)
class Heard:
    """A webhook that could be read.

    Args:
        id: its key in the inbox.
        tries: how often it was looked at before.
        sha256, bytes: of its raw body.
    """

    id: int
    provider: str
    event: Event
    tries: int
    sha256: bytes = field(repr=False)
    bytes: int


Handler: TypeAlias = "Callable[[Connection, Sequence[Heard]], set[int]]"
"""Takes events of one topic that is not `payment`, inside the transaction that marks them.

It returns the keys (`Heard.id`) of those that are about nothing it knows; they stay as orphans and
come again. Like here, an event is no evidence: a handler asks the platform and believes that.
"""


@dataclass(frozen=True, slots=True)
class InboxOrder:
    """What the inbox is applied with; plain values and injected parts (P27).

    Args:
        hearings: by provider, who reads its events.
        exponents: decimals by currency.
        handlers: by topic, who takes events that are not about items.
        pace: factor on the waits of orphans.
        group: webhooks per transaction.
        horizon_s: `apply` stays when something is due within it.
        linger_s: `apply` looks once more after so long: a webhook that is being committed saw the
            job that is about to end, and put none of its own there.
        reached: called at named points (a no-op; the crash journeys put failpoints there).
    """

    database: Database
    vault: Vault
    hearings: Mapping[str, Hearing]
    exponents: Callable[[str], int]
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    pace: float = 1.0
    group: int = 500
    horizon_s: float = 2.0
    linger_s: float = 0.2
    stopping: Callable[[], bool] = lambda: False
    reached: Callable[[str], None] = lambda _point: None


def keep(database: Database, vault: Vault, hearing: Hearing, *, provider: str, raw: bytes) -> bool:
    """Store a webhook that was verified, and a job that applies it; durable when this returns.

    Returns:
        False where it was there already: then nothing was stored.
    """
    event_id = _event_id(hearing, raw)
    with database.unit() as unit:
        key = inbox.take_key(unit)
        body = vault.seal(-key, raw)  # negative: no blob of a batch is ever taken for a webhook
        there = inbox.put(unit, key, provider, event_id, raw=raw, body=body)
        if there is not None and there != hashlib.sha256(raw).digest():
            # Another content under a known id may be the one that matters, so it is kept as well.
            there = inbox.put(unit, key, provider, f"{event_id} {_hash(raw)}", raw=raw, body=body)
            if there is None:
                report_incident(
                    unit,
                    code="W_WEBHOOK_ID_REUSED",
                    severity=3,
                    subject=provider,
                    detail=f"event {event_id} came again with another content; both are kept",
                )
        if there is None:
            jobs.enqueue_inbox(unit)
    return there is None


def _event_id(hearing: Hearing, raw: bytes) -> str:
    """What makes the event one and the same; a body that cannot be read is its own identity."""
    try:
        given = hearing.event(raw).id
    except Exception:  # noqa: BLE001  whatever our reader stumbles over, the event is kept
        given = None
    return given or f"sha256:{_hash(raw)}"


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def apply(order: InboxOrder) -> list[str]:
    """Apply what is due, until nothing is within the horizon; returns alarms for the operator."""
    alarms: list[str] = []
    wires: dict[int, list[str]] = {}
    lingered = False
    while not order.stopping():
        with order.database.unit() as unit:
            group = _Group(order, unit, wires)
            count = group.apply()
            wait = inbox.due_s(unit, list(order.hearings)) if count == 0 else 0.0
            order.reached("before_commit")
        order.reached("after_commit")
        alarms += group.alarms
        if wait is not None and wait <= order.horizon_s:
            lingered = False
            time.sleep(min(max(wait, 0.0), _STEP_S))
        elif lingered or not order.linger_s:
            break
        else:
            lingered = True
            time.sleep(order.linger_s)
    return alarms


class _Group:
    """One group of webhooks in one transaction."""

    def __init__(self, order: InboxOrder, unit: Connection, wires: dict[int, list[str]]) -> None:
        self.order, self.unit, self.wires = order, unit, wires
        self.alarms: list[str] = []

    def apply(self) -> int:
        """Take what is due and mark it; says how many there were."""
        stored = inbox.claim(self.unit, list(self.order.hearings), limit=self.order.group)
        heard, marks = self._read(stored)
        marks += self._together(heard)
        inbox.mark(self.unit, marks)
        return len(stored)

    def _read(self, stored: Sequence[Stored]) -> tuple[list[Heard], list[Mark]]:
        heard, marks = [], []
        for one in stored:
            try:
                raw = self.order.vault.open(-one.id, one.sealed)
                event = self.order.hearings[one.provider].event(raw)
            except Exception as error:  # noqa: BLE001  one that cannot be read never blocks the next
                marks.append(self._poisoned(one.id, one.provider, error))
            else:
                heard.append(Heard(one.id, one.provider, event, one.tries, one.sha256, one.bytes))
        return heard, marks

    def _together(self, heard: Sequence[Heard]) -> list[Mark]:
        """All at once; where that breaks, one by one, and only the one that breaks is left out."""
        said = len(self.alarms)
        try:
            with self.unit.begin_nested():
                return self._dispatch(heard)
        except Exception as error:
            broken_off = isinstance(error, DBAPIError | DriverError) and passing(error)
            if broken_off or isinstance(error, VaultAwayError):
                raise  # not the events' fault: all of it is done again
            del self.alarms[said:]
            if len(heard) == 1:
                return [self._poisoned(heard[0].id, heard[0].provider, error)]
        return [mark for one in heard for mark in self._together([one])]

    def _poisoned(self, key: int, provider: str, error: Exception) -> Mark:
        # Only our own reader's words are repeated: another message may quote the body.
        words = str(error) if isinstance(error, UnreadableError) else ""
        kind = f"{type(error).__name__}: {words}" if words else type(error).__name__
        self._tell(
            "E_WEBHOOK_POISONED",
            2,
            subject=f"{provider} webhook {key}",
            detail=f"a webhook of {provider} could not be applied: {kind[:_ERROR_MAX]}",
        )
        return Mark(key, "poisoned", error=kind[:_ERROR_MAX])

    def _tell(self, code: str, severity: int, *, subject: str, detail: str) -> None:
        self.alarms.append(detail)
        report_incident(self.unit, code=code, severity=severity, subject=subject, detail=detail)

    def _dispatch(self, heard: Sequence[Heard]) -> list[Mark]:
        topics: dict[str, list[Heard]] = {}
        for one in heard:
            topics.setdefault(one.event.topic, []).append(one)
        marks = []
        for topic, group in topics.items():
            marks += self._payments(group) if topic == PAYMENT else self._handed(topic, group)
        return marks

    def _handed(self, topic: str, group: Sequence[Heard]) -> list[Mark]:
        """Events about something else than items, e.g. a refund; `recorded` where nobody asks."""
        handler = self.order.handlers.get(topic)
        if handler is None:
            return [Mark(one.id, "recorded", one.event.name, one.event.ref) for one in group]
        lost = handler(self.unit, group)
        return [
            self._orphan(one)
            if one.id in lost
            else Mark(one.id, "applied", one.event.name, one.event.ref)
            for one in group
        ]

    # -- items ------------------------------------------------------------------------------------

    def _payments(self, group: Sequence[Heard]) -> list[Mark]:
        refs = {(one.provider, one.event.ref) for one in group if one.event.ref is not None}
        by_ref = inbox.items_by_ref(self.unit, sorted(refs))
        found = self._found(group, by_ref)
        lanes.lock_batches(self.unit, [batch for _, batch in found.values()])
        items = inbox.known(self.unit, [item for item, _ in found.values()])
        self._map(group, found, items, by_ref)
        asked: set[int] = set()
        marks, proofs = [], []
        for one in group:
            item = items[found[one.id][0]] if one.id in found else None
            if item is None or item.provider != one.provider:
                marks.append(self._orphan(one))
                continue
            if self._is_news(one, item):
                asked.add(item.item_id)
            proofs.append(_proof(one, item))
            marks.append(Mark(one.id, "applied", one.event.name, one.event.ref, item.item_id))
        lanes.insert_evidence(self.unit, proofs)
        jobs.enqueue_lanes(self.unit, looks.ask_looks(self.unit, sorted(asked), reason="webhook"))
        return marks

    def _found(
        self, group: Sequence[Heard], by_ref: Mapping[tuple[str, str], tuple[int, int]]
    ) -> dict[int, tuple[int, int]]:
        """(item, batch) by key of the webhook: by the platform's id, else by our reference."""
        by_wire = self._by_wire(
            {
                one.event.wire
                for one in group
                if one.event.wire is not None
                and (one.provider, one.event.ref or "") not in by_ref
                and _OURS.fullmatch(one.event.wire)
            }
        )
        found = {}
        for one in group:
            place = by_ref.get((one.provider, one.event.ref or "")) or by_wire.get(
                one.event.wire or ""
            )
            if place is not None:
                found[one.id] = place
        return found

    def _by_wire(self, wires: set[str]) -> dict[str, tuple[int, int]]:
        """(item, batch) by wire reference: the index knows 8 bytes of it, the payload all of it."""
        if not wires:
            return {}
        candidates = inbox.items_by_prefix(self.unit, sorted(map(wire_prefix, wires)))
        self._remember({batch for places in candidates.values() for _, batch, _ in places})
        found = {}
        for wire in wires:
            for item, batch, place in candidates.get(wire_prefix(wire), []):
                if self.wires[batch][place] == wire:
                    found[wire] = (item, batch)
        return found

    def _remember(self, batches: set[int]) -> None:
        missing = sorted(batches - self.wires.keys())
        if len(self.wires) + len(missing) > _REMEMBERED:
            self.wires.clear()
            missing = sorted(batches)
        for batch, sealed in inbox.payloads(self.unit, missing).items():
            bodies = self.order.vault.open(batch, sealed).split(b"\n")
            self.wires[batch] = [body[_WIRE].decode() for body in bodies]

    def _map(
        self,
        group: Sequence[Heard],
        found: Mapping[int, tuple[int, int]],
        items: Mapping[int, Known],
        mapped: Collection[tuple[str, str]],
    ) -> None:
        """Map the platform's ids to our items; a second id for one item is an incident."""
        wanted: dict[str, dict[int, str]] = {}
        second: dict[int, tuple[str, str]] = {}
        for one in group:
            if one.id not in found or one.event.ref is None:
                continue
            item = found[one.id][0]
            if items[item].provider != one.provider or (one.provider, one.event.ref) in mapped:
                continue
            mine = wanted.setdefault(one.provider, {})
            if mine.setdefault(item, one.event.ref) != one.event.ref:
                second[item] = one.provider, one.event.ref
        for provider, refs in sorted(wanted.items()):
            for item in lanes.map_refs(self.unit, provider, list(refs), list(refs.values())):
                second[item] = provider, refs[item]
        for item, (provider, ref) in sorted(second.items()):
            self._tell(
                "E_PAYMENT_ID",
                1,
                subject=public_id("itm", item),
                detail=f"{provider} speaks of {ref} for an item whose payment has another id:"
                " it may have paid twice",
            )

    def _is_news(self, one: Heard, item: Known) -> bool:
        """Whether the platform is asked; says where the event contradicts what we sent."""
        event, subject = one.event, public_id("itm", item.item_id)
        differs = []
        if event.wire is not None and not _same_wire(event.wire, item.wire_prefix):
            differs.append("reference")
        if not event.agrees(item.amount_minor, item.currency, self.order.exponents(item.currency)):
            differs.append("amount or currency")
        if differs:
            self._tell(
                "E_WEBHOOK_DIFFERS",
                2,
                subject=subject,
                detail=f"{one.provider} says another {' and '.join(differs)} than was sent, in"
                f" {event.name}; its answer to a look decides",
            )
        if item.state in _UNSENT and event.verdict not in _NO_EFFECT:
            # Proven not executed, and yet it exists: nothing more is sent until that is clear.
            lane = Alarms(item.provider, item.funding)
            lane.pause(self.unit, f"E_EFFECT_UNSENT of {subject}")
            self._tell(
                "E_EFFECT_UNSENT",
                1,
                subject=subject,
                detail=f"{one.provider} speaks of a payment of an item that is {item.state}:"
                f" the lane {lane.lane} is paused",
            )
        old = _OLD_NEWS.get(State(item.state), frozenset())
        return bool(differs) or event.verdict is None or event.verdict not in old

    def _orphan(self, one: Heard) -> Mark:
        """About nothing that we know, or not yet: tried again, ever more rarely."""
        event = one.event
        if one.tries == _ORPHAN_SAID:
            ours = event.wire is not None and _OURS.fullmatch(event.wire) is not None
            self._tell(
                "E_WEBHOOK_ORPHAN" if ours else "W_WEBHOOK_ORPHAN",
                2 if ours else 3,
                subject=f"{one.provider} {event.wire}" if ours else one.provider,
                detail=f"{one.provider} speaks of {event.name} {event.ref or ''}, which no item of"
                f" this database is{', with a reference of our form' if ours else ''}",
            )
        wait = min(_ORPHAN_FIRST_S * 2.0 ** min(one.tries, 30), _ORPHAN_MAX_S) * self.order.pace
        return Mark(one.id, "orphan", event.name, event.ref, wait_s=wait)


def _same_wire(wire: str, prefix: int) -> bool:
    return _OURS.fullmatch(wire) is not None and wire_prefix(wire) == prefix


def _proof(one: Heard, item: Known) -> dict[str, object]:
    return {
        "kind": "webhook",
        "provider": one.provider,
        "batch_id": item.batch_id,
        "attempt_id": None,
        "item_id": item.item_id,
        "http_status": None,
        "sha256": one.sha256,
        "bytes": one.bytes,
        "excerpt": one.event.name,
    }
