"""What follows for an item from an answer: the moves to append, as a table.

`core.outcomes` says what an answer means; here is what is done about it. The rows are what the
vectorised writer applies to whole batches, so each rule stands exactly once.

>>> after_submission(Verdict.SETTLED, clouded=False, found=True)
(<State.SETTLED: 'settled'>,)
>>> after_submission(Verdict.REJECTED, clouded=True, found=False)
(<State.UNKNOWN: 'unknown'>,)
"""

from __future__ import annotations

from payouts.core.items import State
from payouts.core.outcomes import Verdict

__all__ = ["after_look", "after_submission"]

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


def after_look(verdict: Verdict, state: State) -> tuple[State, ...]:
    """The states an item passes through after it was looked at by the provider's id.

    No move (an empty tuple) where the look brought nothing new; an item that is not final never
    moves by a look that is unclear, and a final one only by a return.
    """
    if state in {_S.SETTLED, _S.RECONCILED}:
        return (_S.RETURNED,) if verdict is Verdict.RETURNED else ()
    if state not in {_S.PROCESSING, _S.UNKNOWN, _S.REVIEW}:
        return ()
    moves = _LOOK.get(verdict, ())
    if moves == (state,) or (state is _S.REVIEW and verdict is Verdict.MISMATCH):
        return ()
    return moves
