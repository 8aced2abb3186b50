"""Runs that end while nobody looks are closed, and only those whose accounts agree."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from sqlalchemy import text

from payouts.core.items import State
from payouts.flows.closing import DISAGREES, close_ended
from payouts.store import incidents, queries
from payouts.worker import work
from tests.desk import german_iban
from tests.flows.conftest import sepa

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.store.engine import Database
    from tests.desk import Desk
    from tests.flows.conftest import World


HEADER = "reference,name,country,currency,amount,method,account"


def payees(start: int, count: int = 3) -> str:
    rows = [
        f"C{start + n},Jonas Weber,DE,EUR,{10 + n}.00,sepa,{german_iban(start + n)}"
        for n in range(count)
    ]
    return "\n".join([HEADER, *rows, ""])


def ended(desk: Desk, start: int) -> int:
    """A run of three items, two settled and one failed, of which nothing is open."""
    run_id = desk.load(payees(start)).run_id
    desk.send(run_id)
    desk.answer(run_id, "failed", lines=[3], code="account_closed")
    desk.answer(run_id)
    desk.close_attempts(run_id)
    return run_id


def closed_at(database: Database, run_id: int) -> object:
    with database.reading() as connection:
        run = queries.run(connection, run_id)
    assert run is not None
    return run.closed_at


def test_a_run_that_ended_is_closed_once(desk: Desk) -> None:
    run_id = ended(desk, 91_000)

    assert run_id in close_ended(desk.database)
    first = closed_at(desk.database, run_id)

    assert first is not None
    assert run_id not in close_ended(desk.database)
    assert closed_at(desk.database, run_id) == first


def test_a_run_with_an_open_item_stays_open(desk: Desk) -> None:
    """Closed, it would be out of everybody's sight while its money is still under way."""
    run_id = desk.load(payees(92_000)).run_id
    desk.send(run_id)
    desk.answer(run_id, lines=[2, 3])

    assert run_id not in close_ended(desk.database)
    assert closed_at(desk.database, run_id) is None


def test_the_sums_of_the_items_are_by_their_own_last_events(desk: Desk) -> None:
    run_id = ended(desk, 93_000)

    with desk.database.reading() as connection:
        sums = queries.item_sums(connection, run_id)

    assert sorted(sums) == [
        ("EUR", str(State.FAILED), 1, 1, 1100),
        ("EUR", str(State.SETTLED), 2, 2, 2200),
    ]


def test_a_run_whose_ledger_does_not_agree_stays_open_and_raises_an_alarm(desk: Desk) -> None:
    run_id = ended(desk, 94_000)
    with desk.database.unit() as unit:
        unit.execute(
            text(
                "INSERT INTO ledger_transfer (posting, credit_id, debit_id, amount_minor, currency,"
                " kind, batch_id, run_id) SELECT nextval('posting_seq'), b.paid_id, b.in_transit_id,"
                " 1, 'EUR', 'by hand', b.id, b.run_id FROM batch b WHERE b.run_id = :run"
            ),
            {"run": run_id},
        )

    assert run_id not in close_ended(desk.database)
    assert run_id not in close_ended(desk.database)

    assert closed_at(desk.database, run_id) is None
    with desk.database.reading() as connection:
        (alarm,) = incidents.open_incidents(connection)
    assert (alarm.code, alarm.severity, alarm.times) == (DISAGREES, 1, 1)


def test_alarms_are_found_by_what_they_are_about(desk: Desk) -> None:
    with desk.database.unit() as unit:
        for subject in ("itm_a", "itm_b", "itm_a"):
            incidents.report_incident(
                unit, code="W_REVIEW", severity=2, subject=subject, detail="look"
            )
        found = incidents.open_about(unit, ["itm_a", "bat_z"])
        known = incidents.open_subjects(unit, "W_REVIEW")

    assert [(one.subject, one.times) for one in found] == [("itm_a", 2)]
    assert known == {"itm_a", "itm_b"}


def test_a_worker_closes_what_it_finished(make_world: Callable[..., World]) -> None:
    """Nobody may ever ask for the report of that run."""
    world = make_world()
    rows = [sepa(f"W-{n}", account=german_iban(95_000 + n)) for n in range(3)]
    run_id = world.load(world.write(rows)).run_id
    end = time.monotonic() + 40

    asyncio.run(
        work(
            world.parts,
            finished=lambda: (
                closed_at(world.parts.database, run_id) is not None or time.monotonic() > end
            ),
            poll_s=0.1,
        )
    )

    assert closed_at(world.parts.database, run_id) is not None
    assert world.states(run_id) == {"settled": 3}
