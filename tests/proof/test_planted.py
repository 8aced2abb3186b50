"""The short share of the planted bugs: fifteen that lose money, each of which must be noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.proof.planted import runner
from tests.proof.planted.bugs import BUGS, SIMULATION, Bug

if TYPE_CHECKING:
    from pathlib import Path

    from payouts.store import embedded

SHORT = (
    "a time-out means not executed: send again",
    "an unknown status means not executed: send again",
    "a 500 means failed",
    "a 503 means not executed, whoever says it",
    "a 409 means failed",
    "a reset while reading means that we never connected",
    "an unknown word means failed (Orkesta)",
    "an item that is missing from the reply has failed",
    "of two contradictory entries of an item the last one counts",
    "items are matched by position",
    "a rejection after an unclear answer is final",
    "a provider without keys is sent to again",
    "a new key for each attempt",
    "what a dead worker had out is free to be sent",
    "a payment is booked the wrong way round",
)
BY_NAME = {bug.name: bug for bug in BUGS}


@pytest.fixture(scope="module")
def texts() -> dict[Path, str]:
    return runner.sources(runner.ROOT)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_can_still_be_planted(texts: dict[Path, str], bug: Bug) -> None:
    """One whose target is gone would be killed by nothing and by everything."""
    assert runner.changed(texts, runner.edits_of(bug), bug.layer)
    if bug.off:
        assert len(runner.changed(texts, runner.edits_of(bug, layer_off=True), bug.layer)) > 1


def test_a_bug_whose_target_is_gone_or_twice_there_is_refused(texts: dict[Path, str]) -> None:
    for before in ("this stands nowhere in the package", "from __future__ import annotations"):
        with pytest.raises(runner.PlantError, match="and not once"):
            runner.changed(texts, [(before, "")])


def test_there_are_forty_bugs_and_fifteen_that_lose_money_are_hunted_each_time() -> None:
    assert len(BY_NAME) == len(BUGS) >= 40
    assert len(SHORT) == 15
    assert all(BY_NAME[name].money for name in SHORT)


def test_nobody_is_accused_of_a_bug_that_is_not_there(
    postgres: embedded.Server, tmp_path: Path
) -> None:
    """A killer that always fails would kill everything."""
    focus = ("lost_reply+bad_request", "error_after", "missing", "crash")
    none = Bug("no bug at all", "none", (("Sends requests to one provider.", "Sends requests."),))

    found = runner.hunt(none, tmp_path, postgres.data_dir.parent, focus=focus, schedules=12)

    assert not found.killed, found.how


@pytest.mark.parametrize("name", SHORT)
def test_a_bug_that_loses_money_is_noticed(
    postgres: embedded.Server, tmp_path: Path, name: str
) -> None:
    assert BY_NAME[name].killer == SIMULATION

    found = runner.hunt(BY_NAME[name], tmp_path, postgres.data_dir.parent)

    assert found.killed, f"nobody noticed that {name}"
