"""Statements: what was paid and came back, line by line, unless a fault wants it otherwise."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.conftest import SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Sandbox


@pytest.fixture
def fresh(start: Callable[..., Sandbox]) -> Sandbox:
    """A sandbox that has paid nothing yet, and pays at once."""
    return start("--speed", "instant")


def _lines(sandbox: Sandbox, platform: str = "orkesta") -> list[dict[str, Any]]:
    reply = sandbox.control.post("/_control/statement", json={"platform": platform})
    lines: list[dict[str, Any]] = reply.raise_for_status().json()["lines"]
    return lines


def test_a_statement_has_a_line_for_what_was_paid_and_for_what_came_back(fresh: Sandbox) -> None:
    fresh.batch(
        fresh.item("S-1"),
        fresh.item("S-2", to_account="TR33778888"),
        fresh.item("S-3", to_account="TR33777777"),
    )
    back = fresh.batch(fresh.item("S-4", amount=700)).json()[0]["id"]
    fresh.control.post("/_control/return", json={"effect": back, "amount_minor": 300})
    fresh.orkestra.post("/payouts", json=fresh.payout("S-5"))

    lines = _lines(fresh)

    shown = [(line["reference"], line["amount_minor"]) for line in lines]
    assert shown == [("S-1", -1500), ("S-4", -700), ("S-4", 300)]
    assert {line["date"] for line in lines} <= {
        datetime.fromtimestamp(line["at"], UTC).date().isoformat() for line in fresh.truth()
    }
    assert (lines[0]["account"], lines[0]["currency"]) == (SOURCE, "TRY")
    [payout] = _lines(fresh, "orkestra")
    assert (payout["reference"], payout["amount_minor"]) == ("S-5", -1025)


def test_a_statement_can_be_csv(fresh: Sandbox) -> None:
    fresh.batch(fresh.item("CSV-1"))

    body = {"platform": "orkesta", "format": "csv"}
    text = fresh.control.post("/_control/statement", json=body).text

    header, line = text.splitlines()
    assert header == "date,account,amount_minor,currency,reference"
    assert line.endswith(f"{SOURCE},-1500,TRY,CSV-1")


def test_what_was_cancelled_or_is_not_paid_yet_is_not_on_it(fresh: Sandbox) -> None:
    fresh.settings(speed=0.01)
    pending, cancelled = fresh.batch(fresh.item("N-1"), fresh.item("N-2")).json()
    fresh.orkesta.delete(f"/payments/{cancelled['id']}").raise_for_status()

    assert pending["status"] == "pending"
    assert _lines(fresh) == []


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        ("statement_missing", [("F-2", -1500), ("F-3", -1500)]),
        ("statement_twice", [("F-1", -1500), ("F-1", -1500), ("F-2", -1500), ("F-3", -1500)]),
        ("statement_netted", [("F-2", -1500), ("F-3", -1500), (None, -1500)]),
    ],
)
def test_a_line_can_be_missing_twice_or_netted(
    fresh: Sandbox, fault: str, shown: list[tuple[str | None, int]]
) -> None:
    fresh.batch(fresh.item("F-1"), fresh.item("F-2"), fresh.item("F-3"))
    fresh.faults({"fault": fault, "reference": "F-1"})

    lines = [(line["reference"], line["amount_minor"]) for line in _lines(fresh)]

    assert lines == shown
    assert fresh.struck(fault) == 1


def test_netted_lines_are_one_sum_per_account_and_day(fresh: Sandbox) -> None:
    fresh.batch(fresh.item("N-1"), fresh.item("N-2"), fresh.item("N-3"))
    fresh.faults({"fault": "statement_netted", "nth": [1, 3], "route": "STATEMENT /orkesta"})

    lines = [(line["reference"], line["amount_minor"]) for line in _lines(fresh)]

    assert lines == [("N-2", -1500), (None, -3000)]
