"""Lines without references that pay the same twice wait for a person, however they are written."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.desk import Desk, german_iban

if TYPE_CHECKING:
    from payouts.store.engine import Database

HEADER = "name,country,currency,amount,method,account,document,document_kind,phone,description\n"


def line(
    amount: str = "100.00",
    account: str = german_iban(1),
    method: str = "sepa",
    description: str = "",
    name: str = "Jonas Weber",
) -> str:
    return f"{name},DE,EUR,{amount},{method},{account},,,,{description}\n"


@pytest.mark.parametrize(
    "again",
    [
        line(),
        line(amount="100"),
        line(account=german_iban(1).lower()),
        line(account=f"{german_iban(1)[:4]} {german_iban(1)[4:]}"),
        line(method="SEPA"),
        line(description="the other ride"),
    ],
)
def test_a_line_that_pays_the_same_waits(desk: Desk, again: str) -> None:
    """The survey compares texts; without values, two spellings of one payment broke the load."""
    word = f"Jonas {random.Random(again).getrandbits(64)}"  # noqa: S311  a name of this case

    result = desk.load(HEADER + (line() + again + again).replace("Jonas Weber", word))

    assert result.counts == {"accepted": 1, "quarantined": 2}
    assert result.outcomes.rows() == [(3, "quarantined"), (4, "quarantined")]


@pytest.mark.parametrize("aggregated", [False, True])
def test_namesakes_who_fetch_cash_are_not_one_payee(desk: Desk, aggregated: bool) -> None:  # noqa: FBT001  a case
    """In Mexico nothing but the phone tells them apart; kinds of documents count for themselves."""
    name = f"Juan {aggregated}"
    cash = "{},{},{},100.00,cash,,{},{},{},\n"

    result = desk.load(
        HEADER
        + cash.format(name, "MX", "MXN", "", "", "+525555550101")
        + cash.format(name, "MX", "MXN", "", "", "+525555550102")
        + cash.format(name, "CO", "COP", "79999999", "CC", "+573001234567")
        + cash.format(name, "CO", "COP", "79999999", "CE", "+573001234567"),
        aggregated=aggregated,
    )

    assert result.counts == {"accepted": 4}
    assert int(result.routes["items"].sum()) == 4


def test_another_phone_for_cash_under_one_reference_is_a_conflict(desk: Desk) -> None:
    """Told as a duplicate, the person meant the second time would never be paid, in silence."""
    cash = "reference,name,country,currency,amount,method,phone\nK-1,Juan,MX,MXN,100.00,cash,{}\n"

    first = desk.load(cash.format("+525555550101"))
    other = desk.load(cash.format("+525555550102"))

    assert (first.counts, other.counts) == ({"accepted": 1}, {"conflict": 1})


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.booleans()), min_size=1))
@settings(max_examples=15, deadline=None)
def test_each_payment_is_accepted_once_and_every_line_is_counted(
    desk: Desk, database: Database, rows: list[tuple[int, int, bool]]
) -> None:
    with database.reading() as connection:
        seen = connection.execute(text("SELECT count(*) FROM pipeline_run")).scalar_one()
    texts = [
        line(str(amount) + ".00" * padded, german_iban(worker), name=f"Worker {seen}")
        for worker, amount, padded in rows
    ]

    result = desk.load(HEADER + "".join(texts))

    different = len({(worker, amount) for worker, amount, _ in rows})
    expected = {"accepted": different, "quarantined": len(rows) - different}
    assert result.counts == {outcome: count for outcome, count in expected.items() if count}
