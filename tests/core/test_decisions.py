"""What follows from an answer: every verdict, clouded or not, found or not, in every state."""

from __future__ import annotations

import itertools

import pytest

from payouts.core.decisions import after_look, after_submission, contradiction
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
verdict       processing        unknown           review            approved                  ended             paid      others
settled       settled           settled           settled           unknown>settled           settled           -         -
processing    -                 processing        processing        unknown>processing        -                 -         -
cancelled     failed            failed            failed            -                         -                 -         -
rejected      failed            failed            failed            -                         -                 -         -
returned      settled>returned  settled>returned  settled>returned  unknown>settled>returned  settled>returned  returned  -
not_executed  -                 -                 -                 -                         -                 -         -
unclear       -                 -                 -                 -                         -                 -         -
mismatch      review            review            -                 unknown>review            -                 -         -
"""
COLUMNS = (
    {State.PROCESSING},
    {State.UNKNOWN},
    {State.REVIEW},
    {State.APPROVED},
    {State.FAILED, State.CANCELLED, State.EXPIRED},
    {State.SETTLED, State.RECONCILED},
    {State.PENDING, State.SENDING, State.RETURNED},
)

# What a look contradicts, and how grave that is; `!` pauses the lane, `+` looks again.
TOLD = """
verdict       pending           approved          failed                 cancelled               expired                settled                reconciled             returned
settled       E_EFFECT_UNSENT1! E_EFFECT_UNSENT1! E_PAID_AFTER_FAILED1   E_PAID_AFTER_CANCEL1!   E_PAID_AFTER_FAILED1   -                      -                      E_PAID_AFTER_RETURN2
processing    E_EFFECT_UNSENT1! E_EFFECT_UNSENT1! E_ALIVE_AFTER_END1+    E_ALIVE_AFTER_END1+     E_ALIVE_AFTER_END1+    -                      -                      -
cancelled     -                 -                 -                      -                       -                      E_FAILED_AFTER_PAID2   E_FAILED_AFTER_PAID2   -
rejected      -                 -                 -                      -                       -                      E_FAILED_AFTER_PAID2   E_FAILED_AFTER_PAID2   -
returned      E_EFFECT_UNSENT1! E_EFFECT_UNSENT1! E_PAID_AFTER_FAILED1   E_PAID_AFTER_CANCEL1!   E_PAID_AFTER_FAILED1   -                      -                      -
not_executed  -                 -                 -                      -                       -                      -                      -                      -
unclear       -                 -                 -                      -                       -                      -                      -                      -
mismatch      E_EFFECT_UNSENT1! E_EFFECT_UNSENT1! E_LOOK_DIFFERS2        E_LOOK_DIFFERS2         E_LOOK_DIFFERS2        E_LOOK_DIFFERS2        E_LOOK_DIFFERS2        E_LOOK_DIFFERS2
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
    assert set().union(*COLUMNS) == {*State}
    for cell, column in zip(row[1:], COLUMNS, strict=True):
        for state in column:
            assert after_look(Verdict(row[0]), state) == states(cell), state


@pytest.mark.parametrize("row", table(TOLD), ids=lambda row: row[0])
def test_a_look_that_contradicts_what_is_known_is_told(row: list[str]) -> None:
    at_rest = [State(word) for word in TOLD.split("\n")[1].split()[1:]]
    assert {*at_rest} == {*State} - {
        *(State.SENDING, State.PROCESSING, State.UNKNOWN, State.REVIEW)
    }
    for cell, state in zip(row[1:], at_rest, strict=True):
        told = contradiction(Verdict(row[0]), state)
        shown = "-" if told is None else f"{told.code}{told.severity}"
        if told is not None:
            shown += "!" * told.pauses + "+" * told.again
        assert shown == cell, state


@pytest.mark.parametrize("verdict", Verdict)
def test_while_an_item_moves_only_another_payment_than_ours_is_a_contradiction(
    verdict: Verdict,
) -> None:
    for state in (State.SENDING, State.PROCESSING, State.UNKNOWN, State.REVIEW):
        told = contradiction(verdict, state)
        assert (told is not None) == (verdict is Verdict.MISMATCH)


@pytest.mark.parametrize(
    ("state", "moves"),
    [
        (State.PROCESSING, (State.CANCELLED,)),
        (State.UNKNOWN, (State.PROCESSING, State.CANCELLED)),
        (State.REVIEW, (State.PROCESSING, State.CANCELLED)),
    ],
)
def test_what_the_provider_cancelled_at_our_wish_is_cancelled_and_not_failed(
    state: State, moves: tuple[State, ...]
) -> None:
    assert after_look(Verdict.CANCELLED, state, cancelling=True) == moves
    assert after_look(Verdict.SETTLED, state, cancelling=True) == (State.SETTLED,)
    assert after_look(Verdict.REJECTED, state, cancelling=True) == (State.FAILED,)


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
        move = Move.find(state, after)
        assert move.evidence or after is State.REVIEW or state is State.APPROVED
        state = after


def test_an_unclear_answer_never_makes_an_item_fail_or_sendable() -> None:
    """Failing it invites somebody to pay again; approving it does so at once."""
    for clouded, found in itertools.product((False, True), (False, True)):
        made = after_submission(Verdict.UNCLEAR, clouded=clouded, found=found)
        assert made == (State.UNKNOWN,)
