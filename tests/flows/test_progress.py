"""Where a run stands: a table of counts and judgements, and the same read from the database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from payouts.core.items import State
from payouts.flows.progress import Cell, Facts, Hold, Paused, failures, read, standing
from payouts.store import lanes, runs
from tests.desk import Desk, german_iban

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from payouts.store.engine import Database

LANE = ("orkestra", "main")
JUNE = datetime(2027, 6, 1, tzinfo=UTC)


def cell(state: str, items: int, *, provider: str = "orkestra", later: int = 0) -> Cell:
    send_at = JUNE if later else None
    return Cell(provider, "main", "EUR", State(state), items, items * 100, later, send_at)


HELD = (Hold("rejects", "5 %"),)
PAUSED = (Paused(*LANE, "http_401"),)
# facts, items that move by themselves, what waits: reason and items
TABLE = [
    (Facts(1, ()), 0, []),
    (Facts(1, (cell("settled", 5),)), 0, []),
    (Facts(1, (cell("failed", 5), cell("returned", 1))), 0, []),
    (Facts(1, (cell("approved", 5),)), 5, []),
    (Facts(1, (cell("sending", 5), cell("processing", 2), cell("settled", 1))), 7, []),
    (Facts(1, (cell("pending", 5),)), 0, [("approval", 5)]),
    (Facts(1, (cell("review", 2), cell("settled", 5))), 0, [("review", 2)]),
    (Facts(1, (cell("review", 2), cell("processing", 5))), 5, [("review", 2)]),
    # A hold on the run keeps what would be sent, not what is under way.
    (Facts(1, (cell("pending", 3), cell("approved", 2)), holds=HELD), 0, [("held", 5)]),
    (Facts(1, (cell("approved", 2), cell("processing", 3)), holds=HELD), 3, [("held", 2)]),
    (Facts(1, (cell("settled", 2),), holds=HELD), 0, []),
    # So does a paused lane, with the other lanes going on.
    (Facts(1, (cell("approved", 2),), paused=PAUSED), 0, [("paused", 2)]),
    (Facts(1, (cell("processing", 2),), paused=PAUSED), 2, []),
    (
        Facts(1, (cell("approved", 2), cell("approved", 3, provider="orkesta")), paused=PAUSED),
        3,
        [("paused", 2)],
    ),
    # What is due beyond the patience is not waited for.
    (Facts(1, (cell("approved", 5, later=2),)), 3, [("later", 2)]),
    (Facts(1, (cell("approved", 5, later=5),), paused=PAUSED), 0, [("paused", 5)]),
    # Items under a hold of their own.
    (Facts(1, (cell("approved", 5),), held_items={LANE: 2}), 3, [("held", 2)]),
    (
        Facts(1, (cell("approved", 5, later=4),), held_items={LANE: 2}),
        0,
        [("held", 2), ("later", 3)],
    ),
    # Unclear items: looked at or sent again under their key, unless nothing moves them.
    (Facts(1, (cell("unknown", 5),)), 5, []),
    (Facts(1, (cell("unknown", 5),), stuck={LANE: 3}), 2, [("unclear", 3)]),
    (Facts(1, (cell("unknown", 5),), resent={LANE: 4}), 5, []),
    (Facts(1, (cell("unknown", 5),), resent={LANE: 4}, paused=PAUSED), 1, [("paused", 4)]),
    (Facts(1, (cell("unknown", 5),), resent={LANE: 4}, holds=HELD), 1, [("held", 4)]),
]


@pytest.mark.parametrize(("facts", "moving", "waits"), TABLE)
def test_what_moves_and_what_waits(facts: Facts, moving: int, waits: list[tuple[str, int]]) -> None:
    made = standing(facts)

    assert made.moving == moving
    assert [(str(wait.reason), wait.items) for wait in made.waits] == waits
    assert made.rests is (moving == 0)
    assert made.items == made.final + made.moving + sum(items for _, items in waits)
    assert made.over is (made.items == made.final)
    assert made.final == made.paid + made.unpaid


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Iterator[Desk]:
    yield Desk(database, tmp_path)
    with database.unit() as unit:
        for lane in (("orkestra", "main"), ("orkesta", "main")):
            lanes.resume(unit, *lane)


def sepa(prefix: str, count: int) -> str:
    """Lines whose amounts follow from the prefix, so that no two runs look alike."""
    base = sum(prefix.encode())
    rows = [f"{prefix}-{n},Ada,DE,EUR,{base + n}.00,sepa,{german_iban(n)}" for n in range(count)]
    return "\n".join(("reference,name,country,currency,amount,method,account", *rows, ""))


def now(desk: Desk, run_id: int, *, keyed: tuple[str, ...] = ("orkestra",)) -> tuple[object, ...]:
    with desk.database.reading() as unit:
        made = standing(read(unit, run_id, keyed=keyed))
    shown = {str(state): items for state, items in made.states.items()}
    return shown, made.moving, [(str(wait.reason), wait.items) for wait in made.waits]


def test_a_run_is_read_through_its_whole_life(desk: Desk) -> None:
    run = desk.load(sepa("LIFE", 4)).run_id
    assert now(desk, run) == ({"approved": 4}, 4, [])

    desk.send(run)
    assert now(desk, run) == ({"sending": 4}, 4, [])

    desk.answer(run, "processing", lines=[2, 3])
    desk.answer(run, "failed", lines=[4], code="account_closed: The account is closed")
    desk.answer(run, "unknown", lines=[5])
    assert now(desk, run)[1:] == (3, [])

    desk.answer(run, "settled", before="processing")
    assert now(desk, run) == ({"unknown": 1, "settled": 2, "failed": 1}, 1, [])
    with desk.database.reading() as unit:
        assert failures(unit, run) == [("account_closed: The account is closed", 1)]


def test_an_unclear_item_waits_where_the_platform_keeps_no_key(desk: Desk) -> None:
    run = desk.load(sepa("UNCLEAR", 2)).run_id
    desk.send(run)
    desk.answer(run, "unknown", lines=[2])
    desk.answer(run, "settled", lines=[3])

    assert now(desk, run, keyed=()) == ({"unknown": 1, "settled": 1}, 0, [("unclear", 1)])
    assert now(desk, run, keyed=("orkestra",))[1:] == (1, [])


def test_an_unclear_item_that_is_sent_again_stands_still_while_its_lane_is_paused(
    desk: Desk,
) -> None:
    run = desk.load(sepa("AGAIN", 2)).run_id
    desk.send(run)
    desk.answer(run, "unknown", due_s=1.0)
    assert now(desk, run)[1:] == (2, [])

    with desk.database.unit() as unit:
        lanes.pause(unit, "orkestra", "main", "http_401")

    assert now(desk, run)[1:] == (0, [("paused", 2)])


def test_an_unclear_item_with_a_known_payment_is_looked_at(desk: Desk) -> None:
    run = desk.load(sepa("SEEN", 1)).run_id
    desk.send(run)
    desk.answer(run, "unknown")
    with desk.database.unit() as unit:
        statement = text("SELECT id FROM item_now WHERE run_id = :run")
        item = unit.execute(statement, {"run": run}).scalar_one()
        lanes.map_refs(unit, "orkestra", [item], [f"pay-{item}"])

    assert now(desk, run, keyed=())[1:] == (1, [])


def test_holds_and_approval_are_read(desk: Desk) -> None:
    waiting = desk.load(sepa("PERSON", 2), policy="person").run_id
    held = desk.load(sepa("HELD", 3)).run_id
    with desk.database.unit() as unit:
        runs.hold(unit, held, reason="lookalike", detail="run 1", actor="policy:test")

    assert now(desk, waiting) == ({"pending": 2}, 0, [("approval", 2)])
    assert now(desk, held) == ({"approved": 3}, 0, [("held", 3)])


def test_what_is_due_later_is_told_with_its_day(desk: Desk) -> None:
    header, *lines = sepa("LATER", 2).splitlines()
    dated = [f"{line},2027-06-0{n}" for n, line in enumerate(lines, start=1)]
    run = desk.load("\n".join((f"{header},due_date", *dated, ""))).run_id

    with desk.database.reading() as unit:
        made = standing(read(unit, run))

    assert [(str(wait.reason), wait.items) for wait in made.waits] == [("later", 2)]
    assert made.waits[0].detail == "2027-06-01 00:00 UTC"
