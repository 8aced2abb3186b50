"""The closing proof agrees when all three sources do, and says so when one of them does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from payouts.core.items import State
from payouts.flows.proof import PLACES, ItemSum, Proof, prove
from payouts.store.queries import CountRow, LineSum, PositionRow

LINES = [LineSum("accepted", "EUR", 4, 1000), LineSum("rejected", None, 1, 0)]
ITEMS = [ItemSum("EUR", "settled", 3, 3, 900), ItemSum("EUR", "failed", 1, 1, 100)]
COUNTERS = [
    CountRow(1, "orkestra", "EUR", "settled", 3, 900),
    CountRow(1, "orkestra", "EUR", "failed", 1, 100),
]
LEDGER = [PositionRow("EUR", "paid", 900, 3), PositionRow("EUR", "funding", -900, -3)]


def proof(
    *,
    written: int = 5,
    lines: list[LineSum] | None = None,
    items: list[ItemSum] | None = None,
    counters: list[CountRow] | None = None,
    ledger: list[PositionRow] | None = None,
    total: int = 1000,
) -> Proof:
    """The proof of five lines of which four became payouts, but for what is given otherwise."""
    return prove(
        read=5,
        written=written,
        lines=LINES if lines is None else lines,
        items=ITEMS if items is None else items,
        counters=COUNTERS if counters is None else counters,
        ledger=LEDGER if ledger is None else ledger,
        totals={"EUR": total},
    )


def test_a_run_closes_when_file_items_and_ledger_agree() -> None:
    made = proof()

    assert made.agrees
    assert made.closes


def test_a_run_with_an_open_item_agrees_and_does_not_close() -> None:
    made = proof(
        items=[ItemSum("EUR", "settled", 3, 3, 900), ItemSum("EUR", "unknown", 1, 1, 100)],
        counters=[COUNTERS[0], replace(COUNTERS[1], state="unknown")],
        ledger=[
            PositionRow("EUR", "paid", 900, 3),
            PositionRow("EUR", "in_transit", 100, 1),
            PositionRow("EUR", "funding", -1000, -4),
        ],
    )

    assert made.agrees
    assert not made.closes


@pytest.mark.parametrize(
    ("said", "made"),
    [
        ("a line without an outcome", proof(lines=LINES[:1])),
        ("a line that the results file lacks", proof(written=4)),
        ("a line that was lost after the load", proof(lines=[replace(LINES[0], lines=3), LINES[1]])),
        ("a total that the lines do not have", proof(total=999)),
        ("an item that pays one line too many", proof(items=[ITEMS[0]._replace(lines=4), ITEMS[1]])),
        ("a cent too much in an item", proof(items=[ITEMS[0]._replace(amount_minor=901), ITEMS[1]])),
        ("a counter that drifted", proof(counters=[replace(COUNTERS[0], items=4), COUNTERS[1]])),
        ("paid in the ledger, failed in the items", proof(ledger=[PositionRow("EUR", "paid", 1000, 4), PositionRow("EUR", "funding", -1000, -4)])),
        ("settled in the items, never booked", proof(ledger=[])),
        ("booked without an item", proof(ledger=[*LEDGER, PositionRow("USD", "paid", 5, 1)])),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_whatever_is_off_by_one_does_not_agree(said: str, made: Proof) -> None:
    """A proof that overlooks a difference is worse than none."""
    assert not made.agrees, said
    assert not made.closes


def test_every_state_has_a_place_for_its_money() -> None:
    assert set(PLACES) == set(State)
