"""What follows for an item from an answer: the moves to append, as a table.

`core.outcomes` says what an answer means; here is what is done about it. The rows are what the
vectorised writer applies to whole batches, so each rule stands exactly once. A look at an item that
is at rest may contradict what is known: `contradiction` says how grave that is.

>>> after_submission(Verdict.SETTLED, clouded=False, found=True)
(<State.SETTLED: 'settled'>,)
>>> after_submission(Verdict.REJECTED, clouded=True, found=False)
(<State.UNKNOWN: 'unknown'>,)
>>> after_look(Verdict.SETTLED, State.FAILED)
(<State.SETTLED: 'settled'>,)
>>> contradiction(Verdict.SETTLED, State.FAILED).code
'E_PAID_AFTER_FAILED'
"""

from __future__ import annotations

from dataclasses import dataclass

from payouts.core.items import State
from payouts.core.outcomes import Verdict

__all__ = ["Contradiction", "after_look", "after_submission", "contradiction"]

_S = State
_CLEAR: dict[Verdict, tuple[State, ...]] = {
    Verdict.SETTLED: (_S.SETTLED,),
    Verdict.PROCESSING: (_S.PROCESSING,),
    Verdict.REJECTED: (_S.FAILED,),
    Verdict.CANCELLED: (_S.FAILED,),
    Verdict.RETURNED: (_S.SETTLED, _S.RETURNED),
    Verdict.NOT_EXECUTED: (_S.APPROVED,),
    Verdict.UNCLEAR: (_S.UNKNOWN,),
    Verdict.MISMATCH: (_S.UNKNOWN, _S.REVIEW),
}
_LOOK: dict[Verdict, tuple[State, ...]] = {
    Verdict.SETTLED: (_S.SETTLED,),
    Verdict.PROCESSING: (_S.PROCESSING,),
    Verdict.REJECTED: (_S.FAILED,),
    Verdict.CANCELLED: (_S.FAILED,),
    Verdict.RETURNED: (_S.SETTLED, _S.RETURNED),
    Verdict.MISMATCH: (_S.REVIEW,),
}
_ENDED = frozenset({_S.FAILED, _S.CANCELLED, _S.EXPIRED})
_PAID = frozenset({_S.SETTLED, _S.RECONCILED})
_ASKED = frozenset({_S.PROCESSING, _S.UNKNOWN, _S.REVIEW})
_EFFECTS = frozenset({Verdict.SETTLED, Verdict.PROCESSING, Verdict.RETURNED, Verdict.MISMATCH})


def after_submission(verdict: Verdict, *, clouded: bool, found: bool) -> tuple[State, ...]:
    """The states an item passes through after the answer to its submission.

    Args:
        verdict: what the answer says of the item.
        clouded: an earlier attempt is still unclear. Then "rejected" and "not executed" speak of
            this attempt only and the item stays unknown (P5), unless
        found: the answer is the payment itself, with its id and our reference: then it is
            evidence about the payment and not about the attempt.
    """
    if clouded and verdict in {Verdict.REJECTED, Verdict.CANCELLED}:
        return (_S.UNKNOWN, _S.FAILED) if found else (_S.UNKNOWN,)
    if clouded and verdict is Verdict.NOT_EXECUTED:
        return (_S.UNKNOWN,)
    return _CLEAR[verdict]


def after_look(verdict: Verdict, state: State, *, cancelling: bool = False) -> tuple[State, ...]:
    """The states an item passes through after the provider was asked what it is now.

    No move (an empty tuple) where the look brought nothing new. An item at rest moves only by an
    effect: what ended unpaid and is paid is settled, what is paid moves by a return alone
    (A-OKS-11), what was proven not executed and exists is taken as sent.

    Args:
        cancelling: we have asked that it be cancelled, so that "cancelled" is our own doing.
    """
    moves = _LOOK.get(verdict, ())
    if state in _ASKED:
        if verdict is Verdict.CANCELLED and cancelling:
            via = () if state is _S.PROCESSING else (_S.PROCESSING,)
            moves = (*via, _S.CANCELLED)
        return () if moves == (state,) or (state, verdict) == _REVIEWED else moves
    if state is _S.APPROVED:
        return (_S.UNKNOWN, *moves) if verdict in _EFFECTS else ()
    if state in _ENDED:
        return moves if verdict in {Verdict.SETTLED, Verdict.RETURNED} else ()
    if state in _PAID:
        return (_S.RETURNED,) if verdict is Verdict.RETURNED else ()
    return ()


_REVIEWED = (_S.REVIEW, Verdict.MISMATCH)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A look that contradicts what is known, so that a person has to hear of it.

    Args:
        code: of the incident.
        severity: 1 money is at risk now, 2 something waits for a person.
        pauses: the lane stops, since more of its items may be affected.
        again: the look is repeated, since what it told is no end.
    """

    code: str
    severity: int
    pauses: bool = False
    again: bool = False


_CONTRADICTIONS: dict[tuple[State, Verdict], Contradiction] = {
    **{(state, Verdict.MISMATCH): Contradiction("E_LOOK_DIFFERS", 2) for state in State},
    **{
        (state, verdict): Contradiction("E_EFFECT_UNSENT", 1, pauses=True)
        for state in (_S.PENDING, _S.APPROVED)
        for verdict in _EFFECTS
    },
    **{
        (state, verdict): Contradiction("E_PAID_AFTER_FAILED", 1)
        for state in (_S.FAILED, _S.EXPIRED)
        for verdict in (Verdict.SETTLED, Verdict.RETURNED)
    },
    **{
        (_S.CANCELLED, verdict): Contradiction("E_PAID_AFTER_CANCEL", 1, pauses=True)
        for verdict in (Verdict.SETTLED, Verdict.RETURNED)
    },
    **{
        (state, Verdict.PROCESSING): Contradiction("E_ALIVE_AFTER_END", 1, again=True)
        for state in _ENDED
    },
    **{
        (state, verdict): Contradiction("E_FAILED_AFTER_PAID", 2)
        for state in _PAID
        for verdict in (Verdict.REJECTED, Verdict.CANCELLED)
    },
    (_S.RETURNED, Verdict.SETTLED): Contradiction("E_PAID_AFTER_RETURN", 2),
}


def contradiction(verdict: Verdict, state: State) -> Contradiction | None:
    """What a look contradicts; nothing where it is plain progress or says the known once more."""
    return _CONTRADICTIONS.get((state, verdict))
