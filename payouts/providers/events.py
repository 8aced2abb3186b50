"""Events: what a platform's webhook speaks of.

An event is never trusted for a state. It carries a platform's id and our reference, which say whom
to ask for; the look that follows decides (RELIABILITY P13). What it claims of status and money is
kept to see whether it tells anything new, and whether it contradicts us.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    from payouts.core.outcomes import Verdict

__all__ = ["PAYMENT", "Event", "Hearing", "amount_of"]

PAYMENT: Final = "payment"
"""The topic of events about items; all other topics go to handlers of that name."""
_NUMBER = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?")
_ODD: Final = Decimal("NaN")  # equal to nothing, not even to itself


@dataclass(frozen=True, slots=True)
class Event:
    """One event, as far as it is understood.

    Args:
        topic: what it is about: `payment`, `order`, `refund`, `collection`, `reconciliation` …
        name: the platform's own word for it, e.g. `payment.settled`.
        id: unique per event at this platform; none where it gives none.
        ref: the platform's id of what it is about.
        wire: our reference, if it carries one.
        amount: as it stands there; NaN where it is no amount; none where there is none.
        minor: `amount` counts the smallest units, not major ones.
        currency: as it stands there.
        status: the platform's own status word.
        verdict: what the status would mean; none where that is not clear.
    """

    topic: str
    name: str
    id: str | None = None
    ref: str | None = None
    wire: str | None = None
    amount: Decimal | None = None
    minor: bool = False
    currency: str | None = None
    status: str | None = None
    verdict: Verdict | None = None

    def agrees(self, amount_minor: int, currency: str, exponent: int) -> bool:
        """Whether what it says of the money, if it says anything, is this.

        >>> paid = Event("payment", "payment.settled", amount=Decimal("12.50"), currency="EUR")
        >>> paid.agrees(1250, "EUR", 2), paid.agrees(1250, "USD", 2), paid.agrees(1251, "EUR", 2)
        (True, False, False)
        """
        if self.currency is not None and self.currency != currency:
            return False
        if self.amount is None:
            return True
        # Ours is scaled and not theirs: a comparison is exact and bounded, whatever they write.
        ours = Decimal(amount_minor).scaleb(0 if self.minor else -exponent)
        return self.amount == ours


@runtime_checkable
class Hearing(Protocol):
    """A platform that sends webhooks."""

    def event(self, raw: bytes) -> Event:
        """What a body that was verified speaks of.

        Raises:
            UnreadableError: it is not what the contract says.
        """
        ...


def amount_of(value: object, *, texts: bool = False) -> Decimal | None:
    """An amount as a JSON value gives it; NaN where it is none.

    Args:
        texts: the platform also writes amounts as text.

    >>> amount_of(1250), amount_of(Decimal("12.50")), amount_of(None), amount_of("500.0", texts=True)
    (Decimal('1250'), Decimal('12.50'), None, Decimal('500.0'))
    >>> amount_of(True), amount_of("12.50"), amount_of("a lot", texts=True)
    (Decimal('NaN'), Decimal('NaN'), Decimal('NaN'))
    """
    if value is None:
        return None
    if type(value) is int:
        return Decimal(value)
    if isinstance(value, Decimal):
        return value
    if texts and isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    return _ODD
