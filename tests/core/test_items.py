"""The life of an item: what is drawn, what is refused, and where the money is meanwhile."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.core import items
from payouts.core.errors import InvariantError
from payouts.core.items import FINAL, MOVES, OPEN, WAITING, Move, State

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject

DRAWN = """
pending     approved    funding>reserved     -         clear  -       -
pending     cancelled   -                    -         clear  -       -
pending     expired     -                    -         clear  -       -
approved    cancelled   reserved>funding     -         clear  -       -
approved    expired     reserved>funding     -         clear  -       -
approved    sending     reserved>in_transit  -         clear  -       -
approved    unknown     reserved>in_transit  -         -      clouds  -
sending     processing  -                    evidence  -      -       -
sending     settled     in_transit>paid      evidence  -      -       -
sending     failed      in_transit>funding   evidence  clear  -       -
sending     approved    in_transit>reserved  -         clear  -       -
sending     unknown     -                    -         -      clouds  -
unknown     sending     -                    -         -      clouds  -
unknown     processing  -                    evidence  -      -       -
unknown     settled     in_transit>paid      evidence  -      -       -
unknown     failed      in_transit>funding   evidence  -      -       -
unknown     review      -                    -         -      clouds  -
processing  settled     in_transit>paid      evidence  -      -       -
processing  failed      in_transit>funding   evidence  -      -       -
processing  cancelled   in_transit>funding   evidence  -      -       -
processing  review      -                    -         -      -       -
review      processing  -                    evidence  -      -       -
review      settled     in_transit>paid      evidence  -      -       -
review      failed      in_transit>funding   evidence  -      -       -
review      approved    in_transit>reserved  evidence  -      -       -
settled     reconciled  -                    evidence  -      -       -
settled     returned    paid>funding         evidence  -      -       single
reconciled  returned    paid>funding         evidence  -      -       single
failed      settled     funding>paid         evidence  -      -       single
cancelled   settled     funding>paid         evidence  -      -       single
expired     settled     funding>paid         evidence  -      -       single
"""
"""ARCHITECTURE §5, written a second time: before, after, posting, needs, makes."""

PLACES = {
    State.PENDING: "funding",
    State.APPROVED: "reserved",
    State.SENDING: "in_transit",
    State.UNKNOWN: "in_transit",
    State.PROCESSING: "in_transit",
    State.REVIEW: "in_transit",
    State.SETTLED: "paid",
    State.RECONCILED: "paid",
    State.FAILED: "funding",
    State.RETURNED: "funding",
    State.CANCELLED: "funding",
    State.EXPIRED: "funding",
}
"""Where the money of an item in each state is: it follows from no path, only from the state."""

PAIRS = list(itertools.product(State, State))


def row(move: Move) -> tuple[str, ...]:
    posting = ">".join(move.posting) if move.posting else "-"
    marks = ("evidence", "clear", "clouds", "single")
    said = (mark if getattr(move, mark) else "-" for mark in marks)
    return (move.before, move.after, posting, *said)


def test_the_table_is_the_one_that_was_designed() -> None:
    designed = [tuple(line.split()) for line in DRAWN.strip().splitlines()]

    assert sorted(map(row, MOVES)) == sorted(designed)


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=[f"{a}-{b}" for a, b in PAIRS])
def test_every_pair_that_is_not_drawn_is_refused(before: State, after: State) -> None:
    drawn = {(move.before, move.after) for move in MOVES}

    if (before, after) in drawn:
        assert Move.find(before, after).after is after
    else:
        with pytest.raises(InvariantError, match=f"from {before} to {after}"):
            Move.find(before, after)


def test_no_move_is_in_the_table_twice() -> None:
    assert len({(move.before, move.after) for move in MOVES}) == len(MOVES)


def test_every_state_is_in_the_drawing_of_the_docstring() -> None:
    drawing = (items.__doc__ or "").split("```")[1]

    assert set(re.findall(r"[a-z]+", drawing)) >= {*State}


@pytest.mark.parametrize("move", MOVES, ids=[f"{m.before}-{m.after}" for m in MOVES])
def test_a_move_books_exactly_the_way_between_the_places_of_its_states(move: Move) -> None:
    """Otherwise money would be somewhere else than the state says, or booked for no reason."""
    before, after = PLACES[move.before], PLACES[move.after]

    assert move.posting == (None if before == after else (before, after))


@given(st.data())
def test_after_any_life_the_money_is_where_the_state_says(data: DataObject) -> None:
    state, balances = State.PENDING, {"funding": 1, "reserved": 0, "in_transit": 0, "paid": 0}
    for _ in range(data.draw(st.integers(0, 12))):
        ways = [move for move in MOVES if move.before is state]
        if not ways:
            break
        move = data.draw(st.sampled_from(ways))
        if move.posting:
            balances[move.posting.credit] -= 1
            balances[move.posting.debit] += 1
        state = move.after

        assert min(balances.values()) == 0
        assert balances[PLACES[state]] == 1


def test_final_and_open_states_are_all_states() -> None:
    assert frozenset(State) == FINAL | OPEN
    assert not FINAL & OPEN
    assert WAITING < OPEN


def test_nothing_final_is_opened_again() -> None:
    """A payout that ended is paid again only by a new item (re-issue), never by a move."""
    for move in MOVES:
        if move.before in FINAL:
            assert move.after in FINAL
            assert move.evidence


def test_what_was_sent_ends_only_by_evidence_or_proof() -> None:
    """P5: a time-out alone never makes an item fail."""
    for move in MOVES:
        if PLACES[move.before] == "in_transit" and move.after in FINAL:
            assert move.evidence, move


def test_an_unclear_item_is_never_failed_by_a_rejection_or_approved_again() -> None:
    """A rejection after an unclear attempt is not final: the first may still land."""
    assert Move.find(State.SENDING, State.FAILED).clear
    assert Move.find(State.SENDING, State.APPROVED).clear
    assert Move.find(State.SENDING, State.UNKNOWN).clouds
    with pytest.raises(InvariantError):
        Move.find(State.UNKNOWN, State.APPROVED)


def test_every_state_can_be_reached() -> None:
    reached = {State.PENDING}
    for _ in State:
        reached |= {move.after for move in MOVES if move.before in reached}

    assert reached == set(State)
