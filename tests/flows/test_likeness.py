"""Files that look like one of a few days ago wait for a person's word."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import polars as pl
import pytest
from sqlalchemy import text

from payouts.core.ids import public_id
from payouts.flows import review
from tests.desk import german_iban
from tests.flows.conftest import IBANS, sepa

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.desk import Desk
    from tests.flows.conftest import World

HEADER = "name,country,currency,amount,method,account\n"
_NUMBERS = count(100)


def lines(number: int) -> list[str]:
    """Lines without references, unlike all others and of other amounts."""
    return [
        f"Jonas Weber,DE,EUR,{each}.17,sepa,{german_iban(each % 90)}\n"
        for each in (next(_NUMBERS) for _ in range(number))
    ]


@pytest.mark.parametrize(
    ("again", "new", "held"),
    [(4, 1, True), (2, 2, True), (2, 3, False), (1, 0, False), (1, 1, False), (0, 4, False)],
)
def test_a_file_without_references_that_comes_again_in_another_period_is_confirmed_first(
    desk: Desk, again: int, new: int, *, held: bool
) -> None:
    """Yesterday's file with one more line: under today's period all of it is new."""
    monday = lines(5)
    tuesday = monday[:again] + lines(new)
    name = f"again_{again}_{new}"

    earlier = desk.load(HEADER + "".join(monday), pipeline=name, period="monday")
    later = desk.load(HEADER + "".join(tuesday), pipeline=name, period="tuesday")

    assert later.counts == {"accepted": again + new}
    assert [reason for reason, _ in later.holds] == ["lookalike"] * held
    assert not held or later.holds[0][1] == (
        f"{again} of {again + new} lines pay what run {public_id('run', earlier.run_id)}"
        " paid in another period"
    )


def test_another_pipeline_is_another_payment(desk: Desk) -> None:
    monday = lines(4)

    desk.load(HEADER + "".join(monday), pipeline="salaries", period="monday")
    other = desk.load(HEADER + "".join(monday + lines(1)), pipeline="bonus", period="tuesday")

    assert other.holds == []


def test_of_many_earlier_runs_the_likest_is_named(desk: Desk) -> None:
    all_lines = lines(5)

    def loaded(some: list[str], period: str) -> Any:  # noqa: ANN401  a LoadResult
        return desk.load(HEADER + "".join(some), pipeline="daily", period=period)

    loaded(all_lines[:2], "1")
    likest = loaded(all_lines[1:4], "2")
    last = loaded(all_lines, "3")

    assert last.holds[0][1] == (
        f"3 of 5 lines pay what run {public_id('run', likest.run_id)} paid in another period,"
        " 4 with other runs"
    )


def test_lines_with_references_are_never_looked_for_in_other_periods(desk: Desk) -> None:
    """They are known by their names; two equal salaries in two months are two payments."""
    header = "reference," + HEADER
    monday = lines(4)

    for day in ("monday", "tuesday"):
        rows = "".join(f"{day}-{place},{line}" for place, line in enumerate(monday))
        more = "".join(f"{day}-more,{line}" for line in lines(1))
        result = desk.load(header + rows + more, pipeline="named", period=day)

        assert result.holds == []


def test_a_plan_foresees_that_a_file_without_references_will_be_held(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    rows = [sepa("", account=account) for account in IBANS]
    for row in rows:
        del row["reference"]
    first = world.load(world.write(rows[:3], "monday.csv"), period="week")
    path = world.write(rows, "tuesday.csv")

    planned = world.load(path, dry=True)
    done = world.load(path)

    assert world.work(first.run_id) == {"settled": 3}
    assert [reason for reason, _ in planned.holds] == ["lookalike"]
    assert planned.holds == done.holds
    assert (planned.counts, planned.totals) == (done.counts, done.totals)
    assert world.work(done.run_id) == {"approved": 4}
    review.release(world.parts.database, done.run_id, reasons=["lookalike"], actor="person:ana")
    assert world.work(done.run_id) == {"settled": 4}
    world.check()


@pytest.mark.parametrize(("seconds", "held"), [(0, True), (1, False)], ids=["week", "over"])
def test_the_week_in_which_files_look_alike_is_of_whole_days(
    desk: Desk, seconds: int, *, held: bool
) -> None:
    """Last Friday's file at a later hour was more than seven times 24 hours ago."""
    header, rows = "reference," + HEADER, lines(2)
    first = desk.load(header + "".join(f"A{seconds}-{row}" for row in named(rows)))
    with desk.database.unit() as unit:
        unit.execute(text("SET LOCAL session_replication_role = replica"))
        unit.execute(
            text(
                "UPDATE pipeline_run SET created_at = payouts_now()::date - 7"
                " - make_interval(secs => :seconds) WHERE id = :run"
            ),
            {"run": first.run_id, "seconds": seconds},
        )

    second = desk.load(header + "".join(f"B{seconds}-{row}" for row in named(rows)))

    assert [reason for reason, _ in second.holds] == ["lookalike"] * held


def named(rows: list[str]) -> list[str]:
    return [f"{place},{row}" for place, row in enumerate(rows)]


def test_warnings_of_accepted_lines_are_kept_with_them(desk: Desk) -> None:
    """They were shown by the command and then gone; the report could not tell of them."""
    account = german_iban(5)
    rows = (
        f"W-1,Jürgen Weber,DE,EUR,1.00,sepa,{account}\n"
        f"W-2,Jonas Weber,DE,EUR,1.00,sepa,{account}\n"
        f"W-3,Jürgen Weber,DE,EUR,-1,sepa,{account}\n"
    )

    result = desk.load("reference," + HEADER + rows)

    with desk.database.reading() as unit:
        statement = "SELECT number, outcome::text, codes FROM line WHERE run_id = :run ORDER BY id"
        found = unit.execute(text(statement), {"run": result.run_id}).all()
    told = dict(
        result.problems.group_by("line")
        .agg(pl.col("code").unique(maintain_order=True).str.join(" "))
        .rows()
    )
    assert told[2].startswith("W_")
    assert found == [
        (2, "accepted", told[2]),
        (3, "accepted", None),
        (4, "rejected", told[4]),
    ]
