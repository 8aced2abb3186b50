"""The next command fits what is waited for: money, a person's word, a platform's cause."""

from __future__ import annotations

import pytest

from payouts.cli.summary import ends_hold, ends_pause


@pytest.mark.parametrize(
    ("detail", "command"),
    [
        ("funds: EUR", "payouts fund main AMOUNT CURRENCY --reason …"),
        ("rejects: 5.0 % of the lines; funds: EUR", "payouts fund main AMOUNT CURRENCY --reason …"),
        ("person: wait for Ana", "payouts release run_1 --reason …"),
        ("rejects: 5.0 % of the lines; person: wait", "payouts release run_1 --reason …"),
        ("lookalike: same totals", "payouts approve run_1 --reason …"),
    ],
)
def test_a_hold_ends_by_the_command_of_its_reason(detail: str, command: str) -> None:
    assert ends_hold("run_1", "main", detail)[0] == command


@pytest.mark.parametrize(
    ("detail", "command"),
    [
        ("orkestra: http_401", "payouts retry run_1"),
        ("orkestra: person: maintenance", "payouts resume orkestra --reason …"),
        ("orkesta: restored_found", "payouts resume orkesta --confirm-restored --reason …"),
    ],
)
def test_a_pause_ends_by_the_command_of_its_cause(detail: str, command: str) -> None:
    """`retry` in the face of a person's pause would only be refused."""
    assert ends_pause("run_1", detail)[0] == command
