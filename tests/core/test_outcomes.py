"""What an answer means: the table of RELIABILITY §3, row by row."""

from __future__ import annotations

import pytest

from payouts.core.outcomes import Answer, Failure, of_failure, of_status

STATUSES = {
    Answer.READABLE: {200, 201, 202, 207},
    Answer.POISONED: {400, 413, 422},
    Answer.CONFIGURATION: {401, 403, 404, 405, 415, 501, 505},
    Answer.NOT_EXECUTED: {402, 423, 425, 429},
}
FAILURES = {
    Failure.NOT_CONNECTED: Answer.NOT_EXECUTED,
    Failure.NOTHING_SENT: Answer.NOT_EXECUTED,
    Failure.SEND_BY_PASSED: Answer.NOT_EXECUTED,
    Failure.CERTIFICATE: Answer.CONFIGURATION,
    Failure.OUR_REQUEST: Answer.CONFIGURATION,
    Failure.WRITE_BROKEN: Answer.UNCLEAR,
    Failure.READ_TIMEOUT: Answer.UNCLEAR,
    Failure.READ_BROKEN: Answer.UNCLEAR,
    Failure.DEADLINE: Answer.UNCLEAR,
    Failure.CANCELLED: Answer.UNCLEAR,
    Failure.TOO_LARGE: Answer.UNCLEAR,
}


@pytest.mark.parametrize("status", range(100, 1000))
def test_a_status_has_its_class_and_every_other_is_unclear(status: int) -> None:
    """204, 206, 3xx, 408, 409 and 5xx may all hide an executed payment."""
    named = [answer for answer, those in STATUSES.items() if status in those]

    assert of_status(status) is (named[0] if named else Answer.UNCLEAR)


def test_only_a_contract_makes_503_harmless() -> None:
    assert of_status(503) is Answer.UNCLEAR
    assert of_status(503, not_executed_on_503=True) is Answer.NOT_EXECUTED
    assert of_status(500, not_executed_on_503=True) is Answer.UNCLEAR


@pytest.mark.parametrize("failure", Failure)
def test_a_failure_has_its_class(failure: Failure) -> None:
    assert of_failure(failure) is FAILURES[failure]


def test_what_may_have_reached_the_provider_is_never_called_not_executed() -> None:
    """One row wrong here is a double payment."""
    harmless = {failure for failure in Failure if of_failure(failure) is Answer.NOT_EXECUTED}

    assert harmless == {Failure.NOT_CONNECTED, Failure.NOTHING_SENT, Failure.SEND_BY_PASSED}
