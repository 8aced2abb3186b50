"""A run is approved when its money is there, by whoever may; holds end by whom they are for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from payouts.flows import fund, review
from payouts.flows.progress import read, standing
from payouts.store import runs
from tests.desk import Desk, german_iban

if TYPE_CHECKING:
    from pathlib import Path

    from payouts.store.engine import Database


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


def one(reference: str, amount: str | None = None) -> str:
    """One line; its amount follows from its reference, so that no two runs look alike."""
    amount = amount or f"{sum(reference.encode())}.00"
    return (
        "reference,name,country,currency,amount,method,account\n"
        f"{reference},Ada,DE,EUR,{amount},sepa,{german_iban(1)}\n"
    )


def states(desk: Desk, run: int) -> dict[str, int]:
    with desk.database.reading() as unit:
        return {str(state): n for state, n in standing(read(unit, run)).states.items()}


def asked(desk: Desk, statement: str, **values: object) -> list[tuple[object, ...]]:
    with desk.database.reading() as unit:
        return [tuple(row) for row in unit.execute(text(statement), values)]


def test_an_approval_reserves_the_money_and_says_who_and_why(desk: Desk) -> None:
    run = desk.load(one("A"), policy="person").run_id
    assert review.waits_for_person(desk.database, run)

    made = review.approve(desk.database, run, actor="person:ana", reason="payday")

    assert (made.batches, made.short) == (1, {})
    assert states(desk, run) == {"approved": 1}
    assert not review.waits_for_person(desk.database, run)
    assert asked(desk, "SELECT actor, reason FROM approval WHERE run_id = :run", run=run) == [
        ("person:ana", "payday")
    ]
    jobs = "SELECT count(*) FROM queue.procrastinate_jobs WHERE status = 'todo'"
    assert asked(desk, jobs) > [(0,)]


def test_an_approval_twice_is_one(desk: Desk) -> None:
    run = desk.load(one("TWICE"), policy="person").run_id
    review.approve(desk.database, run, actor="person:ana", reason="payday")

    again = review.approve(desk.database, run, actor="person:bob", reason="again")

    assert again == review.Review()
    assert asked(desk, "SELECT approved_by FROM pipeline_run WHERE id = :run", run=run) == [
        ("person:ana",)
    ]


def test_two_people_approving_at_once_are_one_approval(desk: Desk) -> None:
    run = desk.load(one("RACE"), policy="person").run_id

    with ThreadPoolExecutor(2) as pool:
        made = list(
            pool.map(
                lambda who: review.approve(desk.database, run, actor=who, reason="now"),
                ("person:ana", "person:bob"),
            )
        )

    assert sorted(one.batches for one in made) == [0, 1]
    assert asked(desk, "SELECT count(*) FROM approval WHERE run_id = :run", run=run) == [(1,)]


def test_without_the_money_an_approval_becomes_a_hold_that_the_money_ends(desk: Desk) -> None:
    run = desk.load(
        one("POOR", "5.00"), policy="auto", funding="poor", opening_minor={"EUR": 0}
    ).run_id
    assert states(desk, run) == {"pending": 1}

    poor = review.go_on(desk.database, run, actor="policy:sandbox")
    assert poor.short == {"EUR": 500}
    with desk.database.unit() as unit:
        fund.fund(unit, "poor", "EUR", 500, reason="wire", kind="fund")
    rich = review.go_on(desk.database, run, actor="policy:sandbox")

    assert (rich.batches, rich.released) == (1, 1)
    assert states(desk, run) == {"approved": 1}


def test_money_alone_does_not_approve_what_a_person_must(desk: Desk) -> None:
    run = desk.load(
        one("BOTH", "5.01"), policy="person", funding="empty", opening_minor={"EUR": 0}
    ).run_id
    with desk.database.unit() as unit:
        fund.fund(unit, "empty", "EUR", 501, reason="wire", kind="fund")

    made = review.go_on(desk.database, run, actor="policy:sandbox")

    assert (made.batches, made.released) == (0, 1)
    assert states(desk, run) == {"pending": 1}


def test_a_person_cannot_approve_money_that_is_not_there(desk: Desk) -> None:
    run = desk.load(
        one("EMPTY", "7.00"), policy="person", funding="none", opening_minor={"EUR": 0}
    ).run_id

    made = review.approve(desk.database, run, actor="person:ana", reason="please")

    assert made.short == {"EUR": 700}
    assert states(desk, run) == {"pending": 1}
    holds = "SELECT reason FROM hold WHERE run_id = :run AND released_at IS NULL"
    assert asked(desk, holds, run=run) == [("funds",)]


def test_a_release_ends_only_the_holds_it_is_for(desk: Desk) -> None:
    run = desk.load(one("HOLDS")).run_id
    with desk.database.unit() as unit:
        for reason in ("rejects", "lookalike"):
            runs.hold(unit, run, reason=reason, detail="", actor="policy:test")

    made = review.release(desk.database, run, reasons=["lookalike"], actor="person:ana")

    assert made.released == 1
    rows = asked(
        desk, "SELECT reason, released_by FROM hold WHERE run_id = :run ORDER BY id", run=run
    )
    assert rows == [("rejects", None), ("lookalike", "person:ana")]
