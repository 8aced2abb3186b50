"""Collections: money that somebody is asked to pay in, and what a platform's word makes of it.

```
opening ──▶ open ──────▶ paid
   │  │      ▲ │ │ ▲       ▲
   │  │      │ │ │ └ review│      another amount, a person looks
   │  │      │ │ └▶ failed ┤      a late success still counts
   │  │      │ └──▶ expired┘
   │  ▼      │
   │ unclear ┘──▶ expired         never found, and its link has ended
   ▼
refused                            proven not made
```

`opening` is the row with its attempt, before anything is sent. Only what the platform shows when
it is asked moves a collection on; a webhook or a browser that comes back never does (A-ORT-5).

>>> after_look(CollectionState.OPEN, Standing.PAID, agrees=True)
<CollectionState.PAID: 'paid'>
>>> after_look(CollectionState.OPEN, Standing.PAID, agrees=False)
<CollectionState.REVIEW: 'review'>
>>> after_look(CollectionState.PAID, Standing.FAILED, agrees=True) is None
True
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["FINAL", "MOVES", "CollectionState", "Standing", "after_look"]


class CollectionState(StrEnum):
    """Where a collection is; the words are stored."""

    OPENING = "opening"
    UNCLEAR = "unclear"
    OPEN = "open"
    REVIEW = "review"
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUSED = "refused"


class Standing(StrEnum):
    """What a platform's word for a payment that it collects means."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"


_S = CollectionState
MOVES: Final = frozenset(
    {
        (_S.OPENING, _S.OPEN),
        (_S.OPENING, _S.UNCLEAR),
        (_S.OPENING, _S.REFUSED),
        (_S.UNCLEAR, _S.OPEN),
        (_S.UNCLEAR, _S.EXPIRED),
        (_S.OPEN, _S.PAID),
        (_S.OPEN, _S.FAILED),
        (_S.OPEN, _S.EXPIRED),
        (_S.OPEN, _S.REVIEW),
        (_S.REVIEW, _S.PAID),
        (_S.REVIEW, _S.FAILED),
        (_S.REVIEW, _S.EXPIRED),
        (_S.FAILED, _S.PAID),
        (_S.EXPIRED, _S.OPEN),
        (_S.EXPIRED, _S.PAID),
        (_S.FAILED, _S.REVIEW),
        (_S.EXPIRED, _S.REVIEW),
    }
)
"""All arrows; the database refuses every other (migration 0007)."""

FINAL: Final = frozenset({_S.PAID, _S.FAILED, _S.EXPIRED, _S.REFUSED})
"""States after which nobody waits any more; a late success still moves two of them to `paid`."""

_NEXT: Final = {
    Standing.PAID: _S.PAID,
    Standing.FAILED: _S.FAILED,
    Standing.EXPIRED: _S.EXPIRED,
}


def after_look(
    state: CollectionState, standing: Standing | None, *, agrees: bool
) -> CollectionState | None:
    """The state that a look at a payment leads to; none where nothing changes.

    Args:
        state: `open`, or a later one.
        standing: what the platform says; none for a word that is not known, which moves nothing.
        agrees: amount and currency are those that were asked for.
    """
    if state in {_S.PAID, _S.REFUSED} or standing in {None, Standing.PENDING}:
        return None
    if standing is Standing.PAID and not agrees:
        return _S.REVIEW if state is not _S.REVIEW else None
    after = _NEXT[standing]
    return after if (state, after) in MOVES else None
