"""What follows from an answer: every verdict, clouded or not, found or not, in every state."""

from __future__ import annotations

import itertools

import pytest

from payouts.core.decisions import after_look, after_submission
from payouts.core.items import Move, State
from payouts.core.outcomes import Verdict

SENT = """
verdict       clear             clouded           clouded, found
settled       settled           settled           settled
processing    processing        processing        processing
cancelled     failed            unknown           unknown>failed
rejected      failed            unknown           unknown>failed
returned      settled>returned  settled>returned  settled>returned
not_executed  approved          unknown           unknown
unclear       unknown           unknown           unknown
mismatch      unknown>review    unknown>review    unknown>review
"""

LOOKED = """
verdict       processing        unknown           review            settled   others
settled       settled           settled           settled           -         -
processing    -                 processing        processing        -         -
cancelled     failed            failed            failed            -         -
rejected      failed            failed            failed            -         -
returned      settled>returned  settled>returned  settled>returned  returned  -
not_executed  -                 -                 -                 -         -
unclear       -                 -                 -                 -         -
mismatch      review            review            -                 -         -
"""


def table(text: str) -> list[list[str]]:
    rows = [line.split() for line in text.strip().splitlines()[1:]]
    assert {row[0] for row in rows} == {*Verdict}
    return rows


def states(cell: str) -> tuple[State, ...]:
    return () if cell == "-" else tuple(State(word) for word in cell.split(">"))


@pytest.mark.parametrize("row", table(SENT), ids=lambda row: row[0])
def test_an_answer_to_a_submission_leads_where_the_table_says(row: list[str]) -> None:
    verdict = Verdict(row[0])

    assert after_submission(verdict, clouded=False, found=False) == states(row[1])
    assert after_submission(verdict, clouded=False, found=True) == states(row[1])
    assert after_submission(verdict, clouded=True, found=False) == states(row[2])
    assert after_submission(verdict, clouded=True, found=True) == states(row[3])


@pytest.mark.parametrize("row", table(LOOKED), ids=lambda row: row[0])
def test_a_look_leads_where_the_table_says(row: list[str]) -> None:
    verdict = Verdict(row[0])

    assert after_look(verdict, State.PROCESSING) == states(row[1])
    assert after_look(verdict, State.UNKNOWN) == states(row[2])
    assert after_look(verdict, State.REVIEW) == states(row[3])
    assert after_look(verdict, State.SETTLED) == states(row[4])
    assert after_look(verdict, State.RECONCILED) == states(row[4])
    for state in {*State} - {
        *(State.PROCESSING, State.UNKNOWN, State.REVIEW, State.SETTLED, State.RECONCILED)
    }:
        assert after_look(verdict, state) == states(row[5])


@pytest.mark.parametrize(
    ("verdict", "clouded", "found"), [*itertools.product(Verdict, (False, True), (False, True))]
)
def test_every_path_after_a_submission_is_drawn_and_clean(
    verdict: Verdict, *, clouded: bool, found: bool
) -> None:
    """The database refuses a move that is not drawn, and `clear` ones while clouded."""
    state = State.SENDING
    for after in after_submission(verdict, clouded=clouded, found=found):
        move = Move.find(state, after)
        assert not (clouded and move.clear), f"{state} to {after} while an attempt is unclear"
        state = after
    assert state is not State.SENDING, "every answer moves the item on"


@pytest.mark.parametrize(("verdict", "state"), [*itertools.product(Verdict, State)])
def test_every_path_after_a_look_is_drawn(verdict: Verdict, state: State) -> None:
    for after in after_look(verdict, state):
        assert Move.find(state, after).evidence or after is State.REVIEW
        state = after


def test_an_unclear_answer_never_makes_an_item_fail_or_sendable() -> None:
    """Failing it invites somebody to pay again; approving it does so at once."""
    for clouded, found in itertools.product((False, True), (False, True)):
        made = after_submission(Verdict.UNCLEAR, clouded=clouded, found=found)
        assert made == (State.UNKNOWN,)
