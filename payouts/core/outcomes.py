"""Outcomes: what an answer means, as one table whose default row is *unclear*.

An *exchange* is what came back of one request: a reply, or a named failure to get one. An
*answer class* speaks of one attempt (RELIABILITY §3):

* N `NOT_EXECUTED`: proven not executed, may be sent again when due
* R `REJECTED`: a definite rejection
* A `UNCLEAR`: it may have been executed; only evidence ends that
* C `CONFIGURATION`: our settings or our bug; the lane stops, nobody is failed
* W `WAIT`: accepted or in progress, not paid

>>> of_failure(Failure.READ_TIMEOUT)
<Answer.UNCLEAR: 'A'>
>>> of_status(429), of_status(500), of_status(503), of_status(503, not_executed_on_503=True)
(<Answer.NOT_EXECUTED: 'N'>, <Answer.UNCLEAR: 'A'>, <Answer.UNCLEAR: 'A'>, <Answer.NOT_EXECUTED: 'N'>)
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Answer", "Failure", "Verdict", "of_failure", "of_status"]


class Answer(StrEnum):
    """The class of an answer; the letter is RELIABILITY's."""

    READABLE = "2"
    NOT_EXECUTED = "N"
    REJECTED = "R"
    UNCLEAR = "A"
    CONFIGURATION = "C"
    WAIT = "W"
    POISONED = "P"
    """The whole request was refused for its content: bisect to find the item."""


class Failure(StrEnum):
    """Ways in which a request brings no reply; `providers.client` maps every httpx error to one."""

    NOT_CONNECTED = "not_connected"
    CERTIFICATE = "certificate"
    NOTHING_SENT = "nothing_sent"
    OUR_REQUEST = "our_request"
    WRITE_BROKEN = "write_broken"
    READ_TIMEOUT = "read_timeout"
    READ_BROKEN = "read_broken"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    TOO_LARGE = "too_large"
    SEND_BY_PASSED = "send_by_passed"


_FAILURES = {
    Failure.NOT_CONNECTED: Answer.NOT_EXECUTED,
    Failure.CERTIFICATE: Answer.CONFIGURATION,
    Failure.NOTHING_SENT: Answer.NOT_EXECUTED,
    Failure.SEND_BY_PASSED: Answer.NOT_EXECUTED,
    Failure.OUR_REQUEST: Answer.CONFIGURATION,
}

_STATUSES = {
    200: Answer.READABLE,
    201: Answer.READABLE,
    202: Answer.READABLE,
    207: Answer.READABLE,
    400: Answer.POISONED,
    401: Answer.CONFIGURATION,
    402: Answer.NOT_EXECUTED,
    403: Answer.CONFIGURATION,
    404: Answer.CONFIGURATION,
    405: Answer.CONFIGURATION,
    408: Answer.UNCLEAR,
    409: Answer.UNCLEAR,
    413: Answer.POISONED,
    415: Answer.CONFIGURATION,
    422: Answer.POISONED,
    423: Answer.NOT_EXECUTED,
    425: Answer.NOT_EXECUTED,
    429: Answer.NOT_EXECUTED,
    501: Answer.CONFIGURATION,
    505: Answer.CONFIGURATION,
}


def of_failure(failure: Failure) -> Answer:
    """The class of a request that brought no reply; whatever is not named is unclear."""
    return _FAILURES.get(failure, Answer.UNCLEAR)


def of_status(status: int, *, not_executed_on_503: bool = False) -> Answer:
    """The class of a whole reply by its HTTP status; whatever is not named is unclear.

    Args:
        not_executed_on_503: the provider's contract says that a 503 was not executed
            (Orchestra; nobody else).
    """
    if status == 503 and not_executed_on_503:  # noqa: PLR2004  the status itself
        return Answer.NOT_EXECUTED
    return _STATUSES.get(status, Answer.UNCLEAR)


class Verdict(StrEnum):
    """What an answer says of one item. The words are stored with the event's code."""

    SETTLED = "settled"
    PROCESSING = "processing"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    RETURNED = "returned"
    NOT_EXECUTED = "not_executed"
    UNCLEAR = "unclear"
    MISMATCH = "mismatch"
