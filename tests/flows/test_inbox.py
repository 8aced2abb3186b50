"""Applying webhooks: an event leads to an item and to a look, and is believed in nothing else."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from payouts.core.currencies import currency
from payouts.core.ids import public_id
from payouts.flows import inbox
from payouts.flows.inbox import InboxOrder
from payouts.providers.events import Hearing
from payouts.store import inbox as store_inbox
from payouts.store import lanes
from tests.desk import german_iban
from tests.web.sender import orkesta_event, orkestra_note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from payouts.flows.inbox import Heard
    from payouts.store.engine import Database
    from tests.desk import Desk

HEAD = "reference,name,country,currency,amount,method,account\n"
NUMBERS = itertools.count(1)
EVENTS = itertools.count(1_000)
AMOUNT = 1050


@dataclass
class Office:
    """A desk whose items are sent, and an inbox for what the platforms say of them."""

    desk: Desk

    @property
    def order(self) -> InboxOrder:
        hearings = {n: one for n, one in self.desk.connectors.items() if isinstance(one, Hearing)}
        return InboxOrder(
            database=self.desk.database,
            vault=self.desk.vault,
            hearings=hearings,
            exponents=lambda code: currency(code).exponent,
            pace=0.0,
            horizon_s=-1.0,
            linger_s=0.0,
        )

    def items(self, count: int = 1, *, provider: str = "orkesta", after: str | None = None) -> Any:  # noqa: ANN401  one or many
        """Keys and wire references of new items that were sent, and answered with `after`."""
        kind = {"orkesta": "TR,TRY,10.50,bank_transfer", "orkestra": "DE,EUR,10.50,sepa"}[provider]
        numbers = [next(NUMBERS) for _ in range(count)]
        accounts = {"orkesta": lambda n: f"acc_{n:026d}", "orkestra": german_iban}[provider]
        lines = [f"W-{n},Ada Lovelace,{kind},{accounts(n)}\n" for n in numbers]
        run = self.desk.load(HEAD + "".join(lines)).run_id
        if after != "approved":
            self.desk.send(run)
        if after not in {None, "approved"}:
            steps = {"failed": ["failed"], "review": ["unknown", "review"]}.get(after, [after])
            for before, step in itertools.pairwise(["sending", *steps]):
                self.desk.answer(run, step, before=before)
        return self.wires(run)

    def wires(self, run: int) -> list[tuple[int, str]]:
        found = []
        with self.desk.database.reading() as connection:
            rows = connection.execute(
                text("SELECT id, lo FROM batch WHERE run_id = :run ORDER BY id"), {"run": run}
            ).all()
            for batch, lo in rows:
                sealed = store_inbox.payloads(connection, [batch])[batch]
                bodies = self.desk.vault.open(batch, sealed).split(b"\n")
                found += [(lo + place, body[-34:-2].decode()) for place, body in enumerate(bodies)]
        return found

    def hear(self, *bodies: bytes, provider: str = "orkesta", **changes: Any) -> list[str]:  # noqa: ANN401  fields of InboxOrder
        """Keep bodies and apply them; gives the alarms."""
        for raw in bodies:
            self.keep(raw, provider=provider)
        return self.apply(**changes)

    def keep(self, raw: bytes, *, provider: str = "orkesta") -> bool:
        order = self.order
        return inbox.keep(
            order.database, order.vault, order.hearings[provider], provider=provider, raw=raw
        )

    def apply(self, **changes: Any) -> list[str]:  # noqa: ANN401  fields of InboxOrder
        return inbox.apply(replace(self.order, **changes))

    def sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self.desk.database.reading() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def looks(self, item: int) -> bool:
        return bool(self.sql("SELECT 1 FROM look_request WHERE item_id = :item", item=item))

    def ref(self, item: int) -> str | None:
        found = self.sql("SELECT provider_ref FROM provider_payment WHERE item_id = :i", i=item)
        return found[0][0] if found else None

    def state(self, item: int) -> str:
        return str(self.sql("SELECT state::text FROM item_now WHERE id = :i", i=item)[0][0])

    def incidents(self, item: int) -> set[str]:
        subject = public_id("itm", item)
        return {c for (c,) in self.sql("SELECT code FROM incident WHERE subject = :s", s=subject)}

    def lane_jobs(self) -> int:
        """Jobs that wait for Orkesta's lane."""
        (row,) = self.sql(
            "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'payouts.work_lane'"
            " AND args->>'provider' = 'orkesta'"
        )
        return int(row[0])

    def marks(self) -> list[str]:
        """States of the inbox, in order of arrival."""
        return [s for (s,) in self.sql("SELECT state FROM webhook_inbox ORDER BY id")]


@pytest.fixture
def office(desk: Desk, database: Database) -> Office:
    """An office with an empty inbox and nobody to look at anything."""
    with database.unit() as unit:
        unit.execute(text("ALTER TABLE webhook_inbox DISABLE TRIGGER USER"))
        unit.execute(text("TRUNCATE webhook_inbox, look_request, incident"))
        unit.execute(text("ALTER TABLE webhook_inbox ENABLE TRIGGER USER"))
        unit.execute(text("DELETE FROM procrastinate_jobs"))
        unit.execute(text("DELETE FROM lane"))
    return Office(desk)


def told(step: str, payment: str, wire: str | None = None, **changes: Any) -> bytes:  # noqa: ANN401  as `orkesta_event`
    return orkesta_event(next(EVENTS), step, payment, wire, **changes)


# -- whom to ask about ------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["unknown", "review"])
def test_a_lost_reply_is_resolved_by_the_id_that_a_webhook_brings(
    office: Office, state: str
) -> None:
    """Orkesta has no look-up by our reference: without the id nobody could ever ask (A-OKS-9)."""
    ((item, wire),) = office.items(after=state)
    before = office.lane_jobs()

    alarms = office.hear(told("created", f"pay_{item}", wire))

    assert alarms == []
    assert office.ref(item) == f"pay_{item}"
    assert office.looks(item)
    assert office.state(item) == state
    assert office.lane_jobs() == before + 1


@pytest.mark.parametrize(
    ("state", "step", "asks"),
    [
        ("processing", "processing", False),
        ("processing", "approved", False),
        ("processing", "settled", True),
        ("processing", "failed", True),
        ("processing", "cancelled", True),
        ("processing", "vanished", True),
        ("settled", "settled", False),
        ("settled", "processing", False),
        ("settled", "created", False),
        ("settled", "failed", True),
        ("settled", "cancelled", True),
        ("failed", "failed", False),
        ("failed", "settled", True),
        ("failed", "created", True),
        ("unknown", "processing", True),
        ("review", "failed", True),
        (None, "created", False),  # in flight: the reply comes, or the id is asked for
        (None, "settled", True),  # the look waits for the reply
        (None, "failed", True),
    ],
)
def test_what_tells_nothing_new_asks_nobody_and_all_else_asks(
    office: Office, state: str | None, step: str, *, asks: bool
) -> None:
    """The event itself moves nothing: the look decides (P13)."""
    ((item, wire),) = office.items(after=state)
    before = office.state(item)
    ref = office.ref(item) or f"pay_{item}"

    office.hear(told(step, ref, wire))

    assert office.looks(item) is asks
    assert office.ref(item) == ref
    assert office.state(item) == before
    assert office.marks() == ["applied"]


def test_a_type_and_a_status_that_disagree_are_looked_into(office: Office) -> None:
    ((item, wire),) = office.items(after="processing")

    office.hear(told("processing", office.ref(item) or "", wire, status="failed"))

    assert office.looks(item)


def test_an_orkestra_notification_leads_to_its_item(office: Office) -> None:
    ((item, wire),) = office.items(provider="orkestra", after="unknown")

    office.hear(orkestra_note(77, "PAID", wire), provider="orkestra")

    assert (office.ref(item), office.looks(item), office.state(item)) == ("77", True, "unknown")
    assert office.incidents(item) == set()


@pytest.mark.parametrize(
    "changes",
    [{"amount": AMOUNT + 1}, {"currency": "USD"}, {"amount": 10.5}, {"amount": "1050"}],
    ids=str,
)
def test_other_money_is_never_applied_but_asked_about_and_told(
    office: Office, changes: dict[str, Any]
) -> None:
    ((item, wire),) = office.items(after="processing")

    alarms = office.hear(told("processing", office.ref(item) or "", wire, **changes))

    assert len(alarms) == 1
    assert office.incidents(item) == {"E_WEBHOOK_DIFFERS"}
    assert office.looks(item)
    assert office.state(item) == "processing"


def test_an_id_of_ours_with_another_reference_is_asked_about_and_told(office: Office) -> None:
    (item, _), (_, other) = office.items(2, after="processing")

    office.hear(told("processing", office.ref(item) or "", other))

    assert office.incidents(item) == {"E_WEBHOOK_DIFFERS"}
    assert office.looks(item)


def test_a_second_payment_with_our_reference_is_a_grave_incident(office: Office) -> None:
    """It may be a second payment of the same line."""
    ((item, wire),) = office.items(after="processing")
    first = office.ref(item)

    office.hear(told("created", "pay_second", wire))

    assert office.incidents(item) == {"E_PAYMENT_ID"}
    assert office.ref(item) == first


def test_two_ids_for_one_item_in_one_group_are_a_grave_incident(office: Office) -> None:
    ((item, wire),) = office.items(after="unknown")

    office.hear(told("created", "pay_one", wire), told("created", "pay_two", wire))

    assert office.incidents(item) == {"E_PAYMENT_ID"}
    assert office.ref(item) == "pay_one"
    assert office.looks(item)


def test_a_payment_of_what_was_not_sent_stops_the_lane(office: Office) -> None:
    """Sending it now would pay it twice."""
    ((item, wire),) = office.items(after="approved")

    office.hear(told("created", f"pay_{item}", wire))

    assert office.incidents(item) == {"E_EFFECT_UNSENT"}
    paused = office.sql("SELECT reason FROM lane WHERE paused_at IS NOT NULL")
    assert paused == [(f"E_EFFECT_UNSENT of {public_id('itm', item)}",)]
    assert office.looks(item)
    assert office.state(item) == "approved"


def test_a_refusal_of_what_was_not_sent_stops_nothing(office: Office) -> None:
    """A payment that failed cannot be paid twice; the look says whether that is so."""
    ((item, wire),) = office.items(after="approved")

    office.hear(told("failed", f"pay_{item}", wire))

    assert office.incidents(item) == set()
    assert office.sql("SELECT reason FROM lane WHERE paused_at IS NOT NULL") == []
    assert office.looks(item)


def test_the_whole_reference_is_compared_and_not_its_indexed_beginning(office: Office) -> None:
    ((item, wire),) = office.items(after="unknown")
    near = wire[:-1] + ("A" if wire[-1] != "A" else "B")

    office.hear(told("created", "pay_near", near))

    assert office.marks() == ["orphan"]
    assert office.ref(item) is None
    assert not office.looks(item)


def test_our_reference_at_another_platform_maps_nothing(office: Office) -> None:
    ((item, wire),) = office.items(provider="orkestra", after="unknown")

    office.hear(told("created", "pay_elsewhere", wire, amount=1050, currency="EUR"))

    assert office.marks() == ["orphan"]
    assert office.ref(item) is None
    assert not office.looks(item)


def test_what_was_heard_is_kept_as_evidence_of_the_item(office: Office) -> None:
    ((item, wire),) = office.items(after="processing")

    office.hear(told("settled", office.ref(item) or "", wire))

    (row,) = office.sql(
        "SELECT e.excerpt, e.sha256 = w.sha256, e.bytes = w.bytes, w.item_id, w.name, w.tries"
        " FROM evidence e, webhook_inbox w WHERE e.kind = 'webhook' AND e.item_id = :item",
        item=item,
    )
    assert row == ("payment.settled", True, True, item, "payment.settled", 1)


# -- orphans ----------------------------------------------------------------------------------------


def test_an_orphan_is_applied_once_its_item_is_known(office: Office) -> None:
    """A webhook may be faster than the commit of the reply that names its id."""
    ((item, _),) = office.items(after="unknown")
    office.hear(told("settled", "pay_early"))
    before = office.marks()

    with office.desk.database.unit() as unit:
        lanes.map_refs(unit, "orkesta", [item], ["pay_early"])
    office.apply()

    assert (before, office.marks()) == (["orphan"], ["applied"])
    assert office.looks(item)


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        ("P" + "A" * 31, "E_WEBHOOK_ORPHAN"),
        ("INV-7", "W_WEBHOOK_ORPHAN"),
        (None, "W_WEBHOOK_ORPHAN"),
    ],
)
def test_what_stays_an_orphan_is_told_once_and_kept(
    office: Office, wire: str | None, code: str
) -> None:
    office.keep(told("settled", "pay_foreign", wire))

    alarms = [alarm for _ in range(12) for alarm in office.apply()]

    assert len(alarms) == 1
    assert office.marks() == ["orphan"]
    assert office.sql("SELECT code, times FROM incident") == [(code, 1)]


def test_orphans_are_tried_ever_more_rarely(office: Office) -> None:
    waits = []
    office.keep(told("settled", "pay_foreign"))
    for _ in range(24):
        office.apply(pace=1.0)
        waits += office.sql(
            "SELECT extract(epoch FROM due_at - payouts_now())::float8 FROM webhook_inbox"
        )
        with office.desk.database.unit() as unit:
            unit.execute(text("UPDATE webhook_inbox SET due_at = payouts_now()"))

    seconds = [round(wait) for (wait,) in waits]
    assert seconds[:4] == [2, 4, 8, 16]
    assert seconds[-1] == 86_400


# -- poison and handlers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "poison",
    [
        b'{"type": "payment.settled"}',
        b'{"type": 5}',
        b"[]",
        b'{"type":"payment.x","data":{"id":7}}',
    ],
)
def test_a_poisoned_event_blocks_neither_the_one_before_nor_the_one_after(
    office: Office, poison: bytes
) -> None:
    (one, wire), (other, another) = office.items(2, after="unknown")

    alarms = office.hear(
        told("created", f"pay_{one}", wire), poison, told("created", f"pay_{other}", another)
    )

    assert office.marks() == ["applied", "poisoned", "applied"]
    assert office.looks(one)
    assert office.looks(other)
    assert len(alarms) == 1
    assert office.sql("SELECT error FROM webhook_inbox WHERE state = 'poisoned'")[0][0].startswith(
        "UnreadableError: "
    )
    assert office.apply() == []


def test_an_event_that_breaks_the_database_statement_is_left_out_alone(office: Office) -> None:
    (one, wire), (other, another) = office.items(2, after="unknown")
    far = orkestra_note(1, "PAID", None).replace(b'"id"', b'"refundId": 4, "id"')

    def handler(unit: Connection, _group: Sequence[Heard]) -> set[int]:
        unit.execute(text("SELECT 1 / 0"))
        return set()

    office.keep(far, provider="orkestra")
    office.hear(
        told("created", f"pay_{one}", wire),
        told("created", f"pay_{other}", another),
        handlers={"refund": handler},
    )

    assert office.marks() == ["poisoned", "applied", "applied"]
    ((error,),) = office.sql("SELECT error FROM webhook_inbox WHERE state = 'poisoned'")
    assert error == "DataError"  # its message may quote the values of the statement
    assert office.looks(one)
    assert office.looks(other)


def test_events_of_other_topics_go_to_the_handler_of_that_name(office: Office) -> None:
    refund = orkestra_note(1, "PAID", "R-1").replace(b'"id"', b'"transactionId": 9, "id"')
    other = orkestra_note(2, "PAID", "R-2").replace(b'"id"', b'"transactionId": 9, "id"')
    order = orkestra_note(3, "PAID", "O-1").replace(b'"id"', b'"charges": [], "id"')
    heard: list[Heard] = []

    def refunds(_unit: Connection, group: Sequence[Heard]) -> set[int]:
        heard.extend(group)
        return {one.id for one in group if one.event.wire == "R-2"}

    for raw in (refund, other, order):
        office.keep(raw, provider="orkestra")
    office.apply(handlers={"refund": refunds})

    assert [(one.provider, one.event.ref, one.event.wire) for one in heard] == [
        ("orkestra", "1", "R-1"),
        ("orkestra", "2", "R-2"),
    ]
    assert office.marks() == ["applied", "orphan", "recorded"]


def test_a_finished_reconciliation_is_recorded_and_moves_nothing(office: Office) -> None:
    raw = b'{"id": "evt_r1", "type": "reconciliation.completed", "data": {"matched": 3}}'

    assert office.hear(raw) == []
    assert office.marks() == ["recorded"]
    assert office.sql("SELECT name FROM webhook_inbox") == [("reconciliation.completed",)]


# -- any order, any number --------------------------------------------------------------------------


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_order_and_any_number_of_replays_asks_the_same_and_moves_nothing(
    office: Office, data: st.DataObject
) -> None:
    """P11: what a webhook leads to depends on what it is, not on when or how often it comes."""
    items = office.items(2, after="unknown")
    steps = ("created", "processing", "settled", "failed")
    bodies = [told(step, f"pay_{item}", wire) for item, wire in items for step in steps]
    drawn = data.draw(st.lists(st.sampled_from(bodies), min_size=1, max_size=14))
    together = data.draw(st.integers(1, 4))

    for place, raw in enumerate([*drawn, *drawn[:3]], start=1):
        office.keep(raw)
        if place % together == 0:
            office.apply(group=together)
    office.apply()

    for item, _ in items:
        spoken = any(f'"pay_{item}"'.encode() in raw for raw in drawn)
        assert office.looks(item) is spoken
        assert office.ref(item) == (f"pay_{item}" if spoken else None)
        assert office.state(item) == "unknown"
        assert office.incidents(item) == set()
    kept = office.sql(
        "SELECT state, tries FROM webhook_inbox WHERE item_id = ANY(:ids)",
        ids=[i for i, _ in items],
    )
    assert kept == [("applied", 1)] * len(set(drawn))


def test_two_workers_at_once_apply_each_event_once(office: Office) -> None:
    items = office.items(40, after="unknown")
    for item, wire in items:
        for step in ("created", "settled"):
            office.keep(told(step, f"pay_{item}", wire))

    with ThreadPoolExecutor(2) as pool:
        alarms = list(pool.map(lambda _n: office.apply(group=7), range(2)))
    office.apply()

    assert alarms == [[], []]
    assert office.marks() == ["applied"] * 80
    proofs = "SELECT count(*) FROM evidence WHERE kind = 'webhook' AND item_id = ANY(:ids)"
    assert office.sql(proofs, ids=[item for item, _ in items]) == [(80,)]
    assert all(office.ref(item) == f"pay_{item}" for item, _ in items)


def test_a_webhook_that_is_committed_while_a_job_ends_is_not_left_lying(office: Office) -> None:
    """It saw that job and put none of its own there."""
    ((item, wire),) = office.items(after="unknown")
    late = iter([told("created", f"pay_{item}", wire)])

    def reached(point: str) -> None:
        if point == "after_commit":
            for raw in late:
                office.keep(raw)

    office.apply(horizon_s=0.0, linger_s=0.01, reached=reached)

    assert office.marks() == ["applied"]
