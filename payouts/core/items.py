"""The life of an item: its states, and every move that may be made between them.

```
                       ┌────────────── not executed, due later ──────────────┐
                       ▼                                                     │
 (created) pending → approved → sending ─┬→ processing ─┬→ settled → reconciled
              │         │        ▲  │    │      │       │      └───┬────┘
              │         │        │  ▼    │      ▼       │          ▼
              │         └──────→ unknown ┴→   review ───┤       returned
              ▼         ▼                               ▼
          cancelled / expired                    failed / cancelled
```

`MOVES` is the only table of moves. The database holds the same rows in `item_move` (written by the
first migration), its trigger refuses every pair that is not in it, and a test compares the two.

>>> Move.find(State.PENDING, State.APPROVED).posting
Posting(credit='funding', debit='reserved')
>>> Move.find(State.FAILED, State.APPROVED)
Traceback (most recent call last):
payouts.core.errors.InvariantError: an item does not move from failed to approved
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

from payouts.core.errors import InvariantError

__all__ = ["FINAL", "MOVES", "OPEN", "WAITING", "Move", "Posting", "Role", "State"]


class State(StrEnum):
    """Where an item is. The words are stored: none is ever renamed."""

    PENDING = "pending"
    APPROVED = "approved"
    SENDING = "sending"
    UNKNOWN = "unknown"
    PROCESSING = "processing"
    REVIEW = "review"
    SETTLED = "settled"
    RECONCILED = "reconciled"
    FAILED = "failed"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


FINAL = frozenset(
    {
        State.SETTLED,
        State.RECONCILED,
        State.FAILED,
        State.RETURNED,
        State.CANCELLED,
        State.EXPIRED,
    }
)
"""States in which nothing more is owed to the item by us (a return may still come)."""

OPEN = frozenset(State) - FINAL
"""States in which something is still to come."""

WAITING = frozenset({State.PENDING, State.UNKNOWN, State.REVIEW})
"""Open states that may need a person, a statement or a webhook (exit code 5)."""

Role = Literal["funding", "reserved", "in_transit", "paid"]
"""The ledger accounts that a batch has; `core.ledger` names them."""


class Posting(NamedTuple):
    """What a move books: `credit` gives, `debit` receives (all four are asset accounts)."""

    credit: Role
    debit: Role


_RESERVE = Posting("funding", "reserved")
_RELEASE = Posting("reserved", "funding")
_SEND = Posting("reserved", "in_transit")
_RESHELVE = Posting("in_transit", "reserved")
_PAY = Posting("in_transit", "paid")
_RECOVER = Posting("in_transit", "funding")
_RETURN = Posting("paid", "funding")
_CORRECT = Posting("funding", "paid")


@dataclass(frozen=True, slots=True)
class Move:
    """One arrow of the drawing.

    Args:
        posting: what is booked with it, in the same transaction.
        evidence: the move needs a row of `evidence` (P5: unclear is resolved by evidence only).
        clear: refused while the item is clouded (an earlier attempt is still unclear).
        clouds: the item is clouded after it.
        single: booked per item and linked to the transfer it corrects.
    """

    before: State
    after: State
    posting: Posting | None = None
    evidence: bool = False
    clear: bool = False
    clouds: bool = False
    single: bool = False

    @staticmethod
    def find(before: State, after: State) -> Move:
        """The move between two states; `InvariantError` where the drawing has none."""
        try:
            return _BY_PAIR[before, after]
        except KeyError:
            raise InvariantError(f"an item does not move from {before} to {after}") from None


S = State
MOVES: tuple[Move, ...] = (
    Move(S.PENDING, S.APPROVED, _RESERVE, clear=True),
    Move(S.PENDING, S.CANCELLED, clear=True),
    Move(S.PENDING, S.EXPIRED, clear=True),
    Move(S.APPROVED, S.CANCELLED, _RELEASE, clear=True),
    Move(S.APPROVED, S.EXPIRED, _RELEASE, clear=True),
    Move(S.APPROVED, S.SENDING, _SEND, clear=True),
    Move(S.SENDING, S.PROCESSING, evidence=True),
    Move(S.SENDING, S.SETTLED, _PAY, evidence=True),
    Move(S.SENDING, S.FAILED, _RECOVER, evidence=True, clear=True),
    Move(S.SENDING, S.APPROVED, _RESHELVE, clear=True),
    Move(S.SENDING, S.UNKNOWN, clouds=True),
    Move(S.APPROVED, S.UNKNOWN, _SEND, clouds=True),
    Move(S.UNKNOWN, S.SENDING, clouds=True),
    Move(S.UNKNOWN, S.PROCESSING, evidence=True),
    Move(S.UNKNOWN, S.SETTLED, _PAY, evidence=True),
    Move(S.UNKNOWN, S.FAILED, _RECOVER, evidence=True),
    Move(S.UNKNOWN, S.REVIEW, clouds=True),
    Move(S.PROCESSING, S.SETTLED, _PAY, evidence=True),
    Move(S.PROCESSING, S.FAILED, _RECOVER, evidence=True),
    Move(S.PROCESSING, S.CANCELLED, _RECOVER, evidence=True),
    Move(S.PROCESSING, S.REVIEW),
    Move(S.REVIEW, S.PROCESSING, evidence=True),
    Move(S.REVIEW, S.SETTLED, _PAY, evidence=True),
    Move(S.REVIEW, S.FAILED, _RECOVER, evidence=True),
    Move(S.REVIEW, S.APPROVED, _RESHELVE, evidence=True),
    Move(S.SETTLED, S.RECONCILED, evidence=True),
    Move(S.SETTLED, S.RETURNED, _RETURN, evidence=True, single=True),
    Move(S.RECONCILED, S.RETURNED, _RETURN, evidence=True, single=True),
    Move(S.FAILED, S.SETTLED, _CORRECT, evidence=True, single=True),
    Move(S.CANCELLED, S.SETTLED, _CORRECT, evidence=True, single=True),
    Move(S.EXPIRED, S.SETTLED, _CORRECT, evidence=True, single=True),
)
del S

_BY_PAIR = {(move.before, move.after): move for move in MOVES}
