"""What came back of one request of a claim, and what it says of all of its items at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from payouts.core.outcomes import Answer, Failure, Verdict

if TYPE_CHECKING:
    from payouts.providers.client import Exchange
    from payouts.providers.connector import Reading
    from payouts.store.lanes import Claim

__all__ = ["Submitted"]

_TAKEN = frozenset({Verdict.SETTLED, Verdict.PROCESSING})
_UNSENT = frozenset({Failure.SEND_BY_PASSED, Failure.NOTHING_SENT})


@dataclass(frozen=True, slots=True)
class Submitted:
    """The answer to one request of a claim.

    Args:
        places: positions of the request's items in the claim.
        reading: what a readable answer says; none where it said nothing that can be read.
        done: no further request of the claim is open.
        retry_after_s: what the provider asked for.
        fault: the name of the exception that our own reader stumbled with.
    """

    claim: Claim
    places: range
    exchange: Exchange
    answer: Answer
    reading: Reading | None
    done: bool
    retry_after_s: float | None = None
    fault: str | None = None

    @property
    def span(self) -> slice:
        """The request's items in the lists of the claim."""
        return slice(self.places.start, self.places.stop)

    @property
    def said(self) -> str:
        """A stable word for what came back; never a body, which may hold account data."""
        if self.exchange.failure is not None:
            return str(self.exchange.failure)
        return f"http_{self.exchange.status}"

    @property
    def poisoned(self) -> bool:
        """The whole request was refused for its content."""
        return self.answer is Answer.POISONED

    @property
    def unsent(self) -> bool:
        """No byte of it left, for a reason of ours."""
        return self.exchange.failure in _UNSENT

    @property
    def put_off(self) -> bool:
        """The provider, or the way to it, put the whole request off: it counts as a try (P18)."""
        return self.answer is Answer.NOT_EXECUTED and not self.unsent

    @property
    def verdict(self) -> Verdict:
        """The verdict on all items of an answer that names none of them."""
        match self.answer:
            case Answer.NOT_EXECUTED | Answer.CONFIGURATION | Answer.POISONED:
                return Verdict.NOT_EXECUTED
            case Answer.REJECTED:
                return Verdict.REJECTED
            case _:
                return Verdict.UNCLEAR

    def of_all(self) -> tuple[Verdict, str | None, str | None] | None:
        """(verdict, status, code) of a reply that says the same of all items and names each.

        Only what needs nothing but the reply itself: paid, or taken and not final.
        """
        reading = self.reading
        if reading is None or None in reading.refs:
            return None
        said = set(zip(reading.verdicts, reading.statuses, reading.codes, strict=True))
        if len(said) != 1:
            return None
        ((verdict, status, code),) = said
        return (verdict, status, code) if verdict in _TAKEN else None
