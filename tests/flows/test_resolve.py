"""Two people decide what automation cannot: each decision, and everything that refuses one."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from payouts.core.errors import UsageError
from payouts.flows.cancel import cancel
from payouts.flows.resolve import DECISIONS, resolve, withdraw
from payouts.store import lanes
from payouts.worker import work
from tests.flows.conftest import turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.flows.load import LoadResult
    from payouts.flows.resolve import Decision, Resolved
    from payouts.store.engine import Database
    from tests.desk import Desk
    from tests.flows.conftest import World

LOST = '[[fault]]\nfault = "{fault}"\nroute = "POST /orkesta/v1/payments/batch"\ntimes = 1\n'
LETTER = "letter of the bank of 12 May, no payment"


def say(
    database: Database,
    decision: Decision,
    actor: str,
    *,
    item: int | None = None,
    batch: int | None = None,
    evidence: str = LETTER,
) -> Resolved:
    """A person says what became of an item, or of a batch."""
    return resolve(
        database,
        item_id=item,
        batch_id=batch,
        decision=decision,
        reason="asked them",
        evidence=evidence,
        actor=f"person:{actor}",
    )


def states(desk: Desk, run: int) -> dict[str, int]:
    with desk.database.reading() as unit:
        rows = unit.execute(
            text("SELECT state::text, count(*) FROM item_now WHERE run_id = :run GROUP BY 1"),
            {"run": run},
        )
        return {str(state): int(count) for state, count in rows}


def balance(desk: Desk, kind: str) -> int:
    with desk.database.reading() as unit:
        return int(
            unit.execute(
                text(
                    "SELECT coalesce(sum(balance_minor), 0)::bigint FROM ledger_balance"
                    " WHERE kind = :kind"
                ),
                {"kind": kind},
            ).scalar_one()
        )


def items(desk: Desk, run: int) -> list[int]:
    with desk.database.reading() as unit:
        statement = text("SELECT id FROM item_now WHERE run_id = :run ORDER BY id")
        return list(unit.execute(statement, {"run": run}).scalars())


def batch_of(desk: Desk, run: int) -> int:
    with desk.database.reading() as unit:
        statement = text("SELECT id FROM batch WHERE run_id = :run")
        return int(unit.execute(statement, {"run": run}).scalar_one())


@pytest.fixture
def unclear(desk: Desk, sepa: Callable[..., str]) -> LoadResult:
    """A run of three items in review, whose attempt is over."""
    starts = len(desk.surveys) * 10 + 1
    made = desk.load(sepa(3, start=starts))
    desk.send(made.run_id)
    desk.answer(made.run_id, "unknown", code="http_500")
    desk.close_attempts(made.run_id)
    desk.answer(made.run_id, "review", before="unknown", code="no_evidence")
    return made


@pytest.mark.parametrize("decision", DECISIONS)
def test_the_first_person_proposes_and_the_second_applies(
    desk: Desk, unclear: LoadResult, decision: Decision
) -> None:
    item = items(desk, unclear.run_id)[1]
    transit, reserved = balance(desk, "in_transit"), balance(desk, "reserved")

    first = say(desk.database, decision, "ada", item=item)
    between = states(desk, unclear.run_id)
    second = say(desk.database, decision, "bob", item=item, evidence="")

    assert (first.applied, second.applied, second.first) == (False, True, "person:ada")
    assert between == {"review": 3}
    assert states(desk, unclear.run_id) == {"review": 2, decision: 1}
    amount = transit - balance(desk, "in_transit")
    assert amount > 0
    assert balance(desk, "reserved") - reserved == (amount if decision == "approved" else 0)
    with desk.database.reading() as unit:
        proof = unit.execute(
            text(
                "SELECT v.kind, e.actor, e.clouded, e.code FROM item_event e"
                " JOIN evidence v ON v.id = e.evidence_id WHERE e.item_id = :item"
                " ORDER BY e.seq DESC LIMIT 1"
            ),
            {"item": item},
        ).one()
        kept = unit.execute(
            text(
                "SELECT decision, evidence, first_actor, second_actor FROM resolution"
                " WHERE item_id = :item"
            ),
            {"item": item},
        ).one()
    assert tuple(proof) == ("person", "person:bob", False, "decided_by_people")
    assert tuple(kept) == (decision, LETTER, "person:ada", "person:bob")


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_batch_is_decided_as_one(
    desk: Desk, sepa: Callable[..., str], decision: Decision
) -> None:
    """Five hundred lost answers are one decision, and one row where nothing set them apart."""
    made = desk.load(sepa(4, start=len(desk.surveys) * 10 + 1))
    desk.send(made.run_id)
    desk.close_attempts(made.run_id)
    batch = batch_of(desk, made.run_id)
    with desk.database.unit() as unit:
        for seq, (before, after) in enumerate((("sending", "unknown"), ("unknown", "review"))):
            unit.execute(
                text(
                    "INSERT INTO batch_event (batch_id, seq, before, after, clouded, actor,"
                    " posting) VALUES (:batch, :seq, CAST(:before AS item_state),"
                    " CAST(:after AS item_state), true, 'worker', nextval('posting_seq'))"
                ),
                {"batch": batch, "seq": seq + 3, "before": before, "after": after},
            )

    say(desk.database, decision, "ada", batch=batch)
    second = say(desk.database, decision, "bob", batch=batch)

    assert (second.applied, len(second.items)) == (True, 4)
    assert states(desk, made.run_id) == {decision: 4}
    with desk.database.reading() as unit:
        statement = text("SELECT count(*) FROM item_event WHERE batch_id = :batch")
        assert unit.execute(statement, {"batch": batch}).scalar_one() == 0


def test_a_batch_that_is_partly_unclear_and_partly_in_review_is_decided_together(
    desk: Desk, sepa: Callable[..., str]
) -> None:
    made = desk.load(sepa(4, start=len(desk.surveys) * 10 + 1))
    desk.send(made.run_id)
    desk.answer(made.run_id, "settled", lines=[2])
    desk.answer(made.run_id, "unknown")
    desk.close_attempts(made.run_id)
    desk.answer(made.run_id, "review", before="unknown", lines=[3])
    batch = batch_of(desk, made.run_id)

    say(desk.database, "failed", "ada", batch=batch)
    second = say(desk.database, "failed", "bob", batch=batch)

    assert len(second.items) == 3
    assert states(desk, made.run_id) == {"settled": 1, "failed": 3}


def test_the_same_person_twice_is_refused_whatever_the_case_of_the_name(
    desk: Desk, unclear: LoadResult
) -> None:
    item = items(desk, unclear.run_id)[0]
    say(desk.database, "settled", "ada", item=item)

    for name in ("ada", "ADA"):
        with pytest.raises(UsageError) as caught:
            say(desk.database, "settled", name, item=item)
        assert caught.value.code == "E_TWO_PEOPLE"

    assert states(desk, unclear.run_id) == {"review": 3}


def test_the_database_itself_refuses_one_person_for_two(desk: Desk, unclear: LoadResult) -> None:
    made = say(desk.database, "settled", "ada", item=items(desk, unclear.run_id)[0])

    with pytest.raises(IntegrityError, match="resolution_two_people"), desk.database.unit() as unit:
        unit.execute(
            text(
                "UPDATE resolution SET second_actor = 'Person:Ada', second_reason = 'x',"
                " second_at = now(), applied_at = now() WHERE id = :id"
            ),
            {"id": made.resolution},
        )


def test_another_decision_than_the_proposed_is_refused(desk: Desk, unclear: LoadResult) -> None:
    item = items(desk, unclear.run_id)[0]
    say(desk.database, "settled", "ada", item=item)

    with pytest.raises(UsageError, match="proposed settled, not failed") as caught:
        say(desk.database, "failed", "bob", item=item)

    assert caught.value.code == "E_RESOLVE_OTHER"


def test_a_withdrawn_proposal_makes_room_for_another(desk: Desk, unclear: LoadResult) -> None:
    item = items(desk, unclear.run_id)[0]
    say(desk.database, "settled", "ada", item=item)

    assert withdraw(desk.database, item_id=item, actor="person:ada") is not None
    assert withdraw(desk.database, item_id=item, actor="person:ada") is None
    say(desk.database, "failed", "bob", item=item)
    assert say(desk.database, "failed", "ada", item=item).applied


@pytest.mark.parametrize("evidence", ["", "   ", "trust me"])
def test_a_proposal_names_its_evidence(desk: Desk, unclear: LoadResult, evidence: str) -> None:
    with pytest.raises(UsageError) as caught:
        say(
            desk.database,
            "approved",
            "ada",
            item=items(desk, unclear.run_id)[0],
            evidence=evidence,
        )

    assert caught.value.code == "E_EVIDENCE"


def test_a_proposal_is_void_when_its_item_moved_on(desk: Desk, unclear: LoadResult) -> None:
    """Evidence that came in between would be overruled by a word that did not know it."""
    item = items(desk, unclear.run_id)[0]
    say(desk.database, "failed", "ada", item=item)
    desk.answer(unclear.run_id, "processing", before="review", lines=[2])
    desk.answer(unclear.run_id, "review", before="processing", lines=[2])

    second = say(desk.database, "failed", "bob", item=item)

    assert (second.applied, second.replaced, second.first) == (False, True, "person:bob")
    assert states(desk, unclear.run_id) == {"review": 3}


@pytest.mark.parametrize("state", ["pending", "approved", "sending", "processing", "settled"])
def test_only_what_waits_for_people_is_decided(
    desk: Desk, sepa: Callable[..., str], state: str
) -> None:
    policy = "person" if state == "pending" else "auto"
    made = desk.load(sepa(1, start=len(desk.surveys) * 10 + 1), policy=policy)
    if state not in {"pending", "approved"}:
        desk.send(made.run_id)
    if state in {"processing", "settled"}:
        desk.answer(made.run_id, state)

    with pytest.raises(UsageError, match="cannot be decided") as caught:
        say(desk.database, "settled", "ada", item=items(desk, made.run_id)[0])

    assert caught.value.code == "E_RESOLVE"


@pytest.mark.parametrize(
    ("outcome", "lease", "says"),
    [
        (None, "1 hour", "on the wire"),
        ("worker_lost", "1 hour", "on the wire"),
        ("worker_lost", "-1 s", None),
        ("unclear", "1 hour", None),
    ],
)
def test_nothing_is_decided_while_an_attempt_may_be_on_the_wire(
    desk: Desk, sepa: Callable[..., str], outcome: str | None, lease: str, says: str | None
) -> None:
    """A frozen worker may wake and send: then the payee is paid twice (P20)."""
    made = desk.load(sepa(1, start=len(desk.surveys) * 10 + 1))
    desk.send(made.run_id)
    with desk.database.unit() as unit:
        unit.execute(
            text(
                "UPDATE attempt SET lease_until = payouts_now() + CAST(:lease AS interval),"
                " outcome = CAST(:outcome AS text), closed_at = CASE WHEN"
                " CAST(:outcome AS text) IS NOT NULL THEN payouts_now() END"
                " WHERE batch_id = :batch"
            ),
            {"lease": lease, "outcome": outcome, "batch": batch_of(desk, made.run_id)},
        )
    desk.answer(made.run_id, "unknown")
    desk.answer(made.run_id, "review", before="unknown")
    item = items(desk, made.run_id)[0]

    if says is None:
        assert not say(desk.database, "approved", "ada", item=item).applied
        return
    with pytest.raises(UsageError, match=says):
        say(desk.database, "approved", "ada", item=item)


def test_what_is_sent_again_by_itself_is_not_decided_by_people(
    desk: Desk, sepa: Callable[..., str]
) -> None:
    made = desk.load(sepa(1, start=len(desk.surveys) * 10 + 1))
    desk.send(made.run_id)
    desk.answer(made.run_id, "unknown", due_s=60)
    desk.close_attempts(made.run_id)

    with pytest.raises(UsageError, match="sent again under its key at"):
        say(desk.database, "failed", "ada", item=items(desk, made.run_id)[0])


def test_what_was_asked_to_be_cancelled_is_never_approved_again(
    desk: Desk, unclear: LoadResult
) -> None:
    item = items(desk, unclear.run_id)[0]
    cancel(desk.database, unclear.run_id, item, reason="no", actor="person:eve")

    with pytest.raises(UsageError, match="never sent again"):
        say(desk.database, "approved", "ada", item=item)
    say(desk.database, "failed", "ada", item=item)
    say(desk.database, "failed", "bob", item=item)

    assert states(desk, unclear.run_id) == {"review": 2, "failed": 1}


# -- against a platform -----------------------------------------------------------------------------------


def until(world: World, run: int, wanted: dict[str, int]) -> None:
    end = time.monotonic() + 20
    asyncio.run(
        work(
            world.parts,
            finished=lambda: world.states(run) == wanted or time.monotonic() > end,
            poll_s=0.02,
            said=world.alarms.append,
        )
    )
    assert world.states(run) == wanted


@pytest.mark.journey
@pytest.mark.parametrize("scope", ["item", "batch"])
def test_what_people_prove_unpaid_is_sent_once_more_and_paid_once(
    make_world: Callable[..., World], scope: str
) -> None:
    """At a platform without keys each word too many is a payment too many."""
    world = make_world(LOST.format(fault="reset_after_reading"), settings="[retry]\npace = 1e-5\n")
    run = world.load(world.write([turkish(f"R-{n}", f"{10 + n}.00") for n in range(3)])).run_id
    until(world, run, {"review": 3})
    assert world.effects() == {}
    chosen = [row for (row,) in world.sql("SELECT DISTINCT batch_id FROM item_now")]
    if scope == "item":
        chosen = sorted(world.wires())

    for one in chosen:
        for actor in ("ada", "bob"):
            if scope == "item":
                say(world.parts.database, "approved", actor, item=one)
            else:
                say(world.parts.database, "approved", actor, batch=one)
    until(world, run, {"settled": 3})

    assert sorted(len(made) for made in world.effects().values()) == [1, 1, 1]
    assert world.sql("SELECT sum(items)::int FROM attempt") == [(6,)]
    world.check()


@pytest.mark.journey
def test_what_people_saw_paid_is_settled_and_not_sent(make_world: Callable[..., World]) -> None:
    world = make_world(LOST.format(fault="effect_then_reset"), settings="[retry]\npace = 1e-5\n")
    run = world.load(world.write([turkish("R-1")])).run_id
    until(world, run, {"review": 1})
    (item,) = world.wires()

    say(world.parts.database, "settled", "ada", item=item)
    say(world.parts.database, "settled", "bob", item=item)

    assert world.work(run) == {"settled": 1}
    assert [len(made) for made in world.effects().values()] == [1]
    world.check()


def test_what_the_platform_is_asked_about_or_has_is_never_approved_again(
    desk: Desk, unclear: LoadResult
) -> None:
    """The second yes must not outrun the look at a payment that a webhook has just named."""
    asked, known, _ = items(desk, unclear.run_id)
    for item in (asked, known):
        say(desk.database, "approved", "ada", item=item)
    with desk.database.unit() as unit:
        lanes.ask_looks(unit, [asked], reason="webhook")
        lanes.map_refs(unit, "orkestra", [known], ["77001"])

    for item in (asked, known):
        with pytest.raises(UsageError, match="cannot be decided"):
            say(desk.database, "approved", "bob", item=item)

    assert states(desk, unclear.run_id) == {"review": 3}
    assert say(desk.database, "failed", "ada", item=items(desk, unclear.run_id)[2]).first


def test_all_that_pays_an_item_again_is_held_whatever_is_out(
    desk: Desk, unclear: LoadResult
) -> None:
    """A re-issue of a re-issue too: each of them would be one payment more."""
    first, second, third = items(desk, unclear.run_id)
    with desk.database.unit() as unit:
        for old, new in ((first, second), (second, third)):
            unit.execute(
                text(
                    "INSERT INTO line (id, run_id, number, outcome, payer_id, intent, reference,"
                    " item_id, amount_minor, currency, content, replaces)"
                    " SELECT nextval('line_seq'), run_id, 900 + :old, 'accepted', payer_id, 2,"
                    " reference || :old, :new, amount_minor, currency, content, :old FROM line"
                    " WHERE item_id = :new LIMIT 1"
                ),
                {"old": old, "new": new},
            )
        again = lanes.hold_replacements(unit, first, actor="worker", detail="paid after all")
        held = unit.execute(
            text("SELECT item_id FROM hold WHERE reason = 'paid_before' ORDER BY 1")
        ).scalars()

        assert again == [second, third]
        assert list(held) == [second, third]
        unit.rollback()
