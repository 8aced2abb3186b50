"""Money that comes in lets waiting runs go on in order; a retry touches only what may be tried."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from payouts.core.errors import PayoutsError
from payouts.flows import review
from payouts.flows.deposit import deposit
from payouts.flows.retry import retry_run
from payouts.store import lanes, queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.desk import Desk


def lines(desk: Desk, sepa: Callable[..., str], count: int) -> str:
    """A file unlike any before, also in its total: a likeness would be held."""
    return sepa(count, start=1 + 100 * len(desk.surveys), prefix=f"D{len(desk.surveys)}")


def short_run(desk: Desk, sepa: Callable[..., str], count: int, account: str) -> int:
    """A run on an empty funding account."""
    return desk.load(lines(desk, sepa, count), funding=account, opening_minor=None).run_id


def total(desk: Desk, run_id: int) -> int:
    """Minor units of a run."""
    with desk.database.reading() as connection:
        return sum(row.amount_minor for row in queries.counts(connection, [run_id]))


def states(desk: Desk, run_id: int) -> dict[str, int]:
    """Items by state."""
    with desk.database.reading() as connection:
        return {row.state: row.items for row in queries.counts(connection, [run_id])}


def open_holds(desk: Desk, run_id: int) -> list[str]:
    with desk.database.reading() as connection:
        return [hold.reason for hold in queries.holds(connection, [run_id], open_only=True)]


def test_a_run_without_money_waits_until_enough_came_in(
    desk: Desk, sepa: Callable[..., str]
) -> None:
    run_id = short_run(desk, sepa, 2, "a")
    needed = total(desk, run_id)
    assert open_holds(desk, run_id) == ["funds"]

    little = deposit(desk.database, "a", "EUR", needed - 1, reason="first part", actor="person:ana")
    waiting = states(desk, run_id)
    enough = deposit(desk.database, "a", "EUR", 1, reason="the cent", actor="person:ana")

    assert little.runs[0][1].short == {"EUR": 1}
    assert waiting == {"pending": 2}
    assert enough.runs[0][1].batches == 1
    assert states(desk, run_id) == {"approved": 2}
    assert open_holds(desk, run_id) == []


def test_runs_go_on_in_the_order_in_which_they_were_held(
    desk: Desk, sepa: Callable[..., str]
) -> None:
    """A small later run must not overtake a large earlier one for ever."""
    large = short_run(desk, sepa, 5, "b")
    small = short_run(desk, sepa, 1, "b")

    enough_for_one = total(desk, small)
    first = deposit(
        desk.database, "b", "EUR", enough_for_one, reason="too little", actor="person:ana"
    )
    still = states(desk, small)
    deposit(desk.database, "b", "EUR", total(desk, large), reason="the rest", actor="person:ana")

    assert [run for run, _ in first.runs] == [large]
    assert still == {"pending": 1}
    assert states(desk, large) == {"approved": 5}
    assert states(desk, small) == {"approved": 1}


def test_a_run_of_policy_person_is_released_and_still_waits_for_its_approval(
    desk: Desk, sepa: Callable[..., str]
) -> None:
    held = desk.load(lines(desk, sepa, 1), funding="c", opening_minor=None, policy="person").run_id

    deposit(desk.database, "c", "EUR", total(desk, held), reason="salary day", actor="person:ana")

    assert open_holds(desk, held) == []
    assert states(desk, held) == {"pending": 1}


def test_a_deposit_is_a_transfer_from_outside_with_reason_and_person(desk: Desk) -> None:
    made = deposit(desk.database, "d", "EUR", 500, reason="float", actor="person:ana")

    with desk.database.reading() as connection:
        (account,) = queries.balances(connection, "funding:d")
        (row,) = queries.transfers(connection, [account.id])
    assert (account.balance_minor, made.balance_minor) == (500, 500)
    assert (row.id, row.credit, row.reason) == (made.transfer, "external:EUR", "float (person:ana)")


def test_nothing_is_booked_for_nothing(desk: Desk) -> None:
    with pytest.raises((PayoutsError, Exception), match="amount_minor"):
        deposit(desk.database, "d", "EUR", 0, reason="typo", actor="person:ana")


def waiting_run(desk: Desk, sepa: Callable[..., str]) -> int:
    """Four items: one waits after a 429, one is unclear, one is paid, one failed."""
    run_id = desk.load(lines(desk, sepa, 4)).run_id
    desk.send(run_id)
    desk.answer(run_id, "approved", lines=[2], code="http_429", due_s=3600)
    desk.answer(run_id, "unknown", lines=[3], code="read_timeout", due_s=3600)
    desk.answer(run_id, "failed", lines=[4], code="account_closed")
    desk.answer(run_id)
    return run_id


def due(desk: Desk, run_id: int) -> list[str]:
    """States of the items that a lane would send now."""
    with desk.database.unit() as unit:
        batches = [
            batch.batch_id
            for batch in lanes.due_batches(unit, "orkestra", "main", limit=500)
            if unit.scalar(text("SELECT run_id FROM batch WHERE id = :b"), {"b": batch.batch_id})
            == run_id
        ]
        return [item[1] for found in lanes.due_items(unit, batches).values() for item in found]


def test_a_retry_makes_due_what_was_proven_not_executed_and_nothing_else(
    desk: Desk, sepa: Callable[..., str]
) -> None:
    """What is unclear and sent again by hand is paid twice."""
    run_id = waiting_run(desk, sepa)
    before = due(desk, run_id)

    made = retry_run(desk.database, run_id)

    assert before == []
    assert (made.items, made.batches) == (1, 1)
    assert due(desk, run_id) == ["approved"]


def test_a_retry_outlives_other_news_about_its_batch(desk: Desk, sepa: Callable[..., str]) -> None:
    """Any answer for the batch reckons its next turn anew, and must not forget the wish."""
    run_id = waiting_run(desk, sepa)
    retry_run(desk.database, run_id)

    with desk.database.unit() as unit:
        ids = [row.id for row in queries.batches(unit, run_id)]
        lanes.refresh_due(unit, ids, waits_s=[60.0], unclear_s=3600)

    assert due(desk, run_id) == ["approved"]


def test_a_second_retry_does_not_help_what_was_tried_since(
    desk: Desk, sepa: Callable[..., str]
) -> None:
    run_id = waiting_run(desk, sepa)
    retry_run(desk.database, run_id)
    desk.answer(run_id, "sending", before="approved")
    desk.answer(run_id, "approved", before="sending", code="http_429", due_s=3600)
    with desk.database.unit() as unit:
        ids = [row.id for row in queries.batches(unit, run_id)]
        lanes.refresh_due(unit, ids, waits_s=[60.0], unclear_s=3600)
        made = lanes.due_items(unit, ids)

    assert made == {}
    assert due(desk, run_id) == []


def test_a_retry_leaves_alone_what_waits_for_its_own_day(
    desk: Desk, sepa: Callable[..., str]
) -> None:
    header, *rows = lines(desk, sepa, 2).splitlines()
    dated = "\n".join([f"{header},due_date", *(f"{row},2026-12-24" for row in rows), ""])
    run_id = desk.load(dated).run_id

    made = retry_run(desk.database, run_id)

    assert (made.items, due(desk, run_id)) == (0, [])


def test_a_retry_resumes_the_lanes_of_the_run(desk: Desk, sepa: Callable[..., str]) -> None:
    run_id = waiting_run(desk, sepa)
    with desk.database.unit() as unit:
        lanes.pause(unit, "orkestra", "main", "http_401")

    made = retry_run(desk.database, run_id)

    assert made.resumed == (("orkestra", "main"),)
    with desk.database.reading() as connection:
        assert lanes.paused(connection, "orkestra", "main") is None


@pytest.mark.parametrize("point", ["booked", "before_commit"])
def test_money_is_booked_with_what_it_lets_go_or_not_at_all(
    desk: Desk, sepa: Callable[..., str], point: str
) -> None:
    """A process that died in between left the money there and the run waiting for it for ever."""
    account = f"crash {point}"
    run_id = short_run(desk, sepa, 2, account)
    needed = total(desk, run_id)

    def die(at: str) -> None:
        if at == point:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deposit(
            desk.database, account, "EUR", needed, reason="lost", actor="person:ana", reached=die
        )

    assert open_holds(desk, run_id) == ["funds"]
    assert states(desk, run_id) == {"pending": 2}
    again = deposit(desk.database, account, "EUR", needed, reason="found", actor="person:ana")
    assert again.balance_minor == needed
    assert open_holds(desk, run_id) == []
    assert states(desk, run_id) == {"approved": 2}


def test_a_deposit_and_an_approval_at_once_do_not_wait_for_each_other_in_a_circle(
    desk: Desk, sepa: Callable[..., str]
) -> None:
    """One locks what the other wants next unless both go from the account to the run."""
    run_id = short_run(desk, sepa, 2, "circle")
    needed = total(desk, run_id)

    def approve_meanwhile(at: str) -> None:
        if at == "booked":
            begun.append(
                pool.submit(
                    review.approve, desk.database, run_id, actor="person:bo", reason="payday"
                )
            )
            wait(begun, timeout=0.3)

    begun: list[Future[review.Review]] = []
    with ThreadPoolExecutor(1) as pool:
        made = deposit(
            desk.database,
            "circle",
            "EUR",
            needed,
            reason="meanwhile",
            actor="person:ana",
            reached=approve_meanwhile,
        )
        late = begun[0].result(timeout=20)

    assert [(run, each.batches) for run, each in made.runs] == [(run_id, 1)]
    assert late == review.Review()
    assert states(desk, run_id) == {"approved": 2}
