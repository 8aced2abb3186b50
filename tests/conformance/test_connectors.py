"""Every connector keeps its promises under every fault, as far as its platform lets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from payouts.store import lanes
from tests.conformance.kit import CASES, CERTIFIED, LINES, SUBJECTS, Doubt, allowed
from tests.conformance.steer import control

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conformance.kit import Case, Subject
    from tests.flows.conftest import World

pytestmark = pytest.mark.journey

SINGLE = {"orkestra"}


def _pairs() -> Iterator[object]:
    for subject in SUBJECTS:
        for case in CASES:
            if not (case.batches and subject.name in SINGLE):
                yield pytest.param(subject, case, id=f"{subject.name}-{case.name}")


@pytest.mark.parametrize(("subject", "case"), list(_pairs()))
def test_a_fault_ends_as_the_platforms_capabilities_allow(
    world_of: Callable[[Subject], World],
    subject: Subject,
    case: Case,
    record_property: Callable[[str, object], None],
) -> None:
    world = world_of(subject)
    nth = CASES.index(case)  # of equal totals the second run would be held
    lines = [
        subject.line(f"{case.name}-{place}", f"{10 * nth + place + 3}.25") for place in range(LINES)
    ]
    loaded = world.load(world.write(lines), reject_limit=0.0)
    assert loaded.problems.is_empty()
    run = loaded.run_id
    wires = _wires_of(world, run)
    rules = _rules(subject, case, wires, world.parts.connectors[subject.name].capabilities)
    control(world, "faults", rules)

    states = world.work(run, wait_max=20)

    struck = sum(rule["struck"] for rule in control(world, "faults")["rules"])
    assert struck > 0, (states, world.alarms)
    if case.doubt is Doubt.OURS:
        assert states == {"approved": LINES}
    control(world, "faults", [])
    if _resumed(world, subject):
        states = world.work(run, wait_max=20)
    wanted = _allowed(world, subject, case)
    odd = LINES if case.all_items else 1
    assert sum(count for state, count in states.items() if state in wanted) >= odd
    assert sum(count for state, count in states.items() if state not in wanted) == (
        0 if "settled" in wanted else states.get("settled", 0)
    )
    assert sum(states.values()) == LINES
    world.check()
    facts = world.parts.connectors[subject.name].capabilities
    made = world.effects()
    effects = sum(len(made.get(wire, ())) for wire in wires)
    row = (case.name, case.doubt.value, struck, _shown(states), effects)
    record_property(CERTIFIED, (facts.level, subject.name, *row))


def _allowed(world: World, subject: Subject, case: Case) -> set[str]:
    return allowed(case, world.parts.connectors[subject.name].capabilities)


def _shown(states: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def _wires_of(world: World, run: int) -> list[str]:
    ids = [
        item
        for (item,) in world.sql(
            "SELECT i.id FROM item i JOIN batch b ON b.id = i.batch_id WHERE b.run_id = :run"
            " ORDER BY i.id",
            run=run,
        )
    ]
    wires = world.wires()
    return [wires[item] for item in ids]


def _rules(subject: Subject, case: Case, wires: list[str], can: Any) -> list[dict[str, Any]]:  # noqa: ANN401  Capabilities
    """Strike each request of the case once, or one payment of it."""
    route = subject.submit if case.at == "submit" else subject.poll
    options = dict(case.options)
    one_request = can.per_request > 1 and case.at == "submit"
    chosen = wires[:1] if one_request or not case.all_items else wires
    if case.fault == "refused_items":
        options["references"] = wires[0]
    return [
        {"fault": case.fault, "route": route, "reference": wire, "options": options}
        | ({} if case.again else {"nth": [1]})
        for wire in chosen
    ]


def _resumed(world: World, subject: Subject) -> bool:
    """Let a paused lane go on; false where it was not paused."""
    with world.parts.database.unit() as unit:
        if lanes.paused(unit, subject.name, "main") is None:
            return False
        lanes.resume(unit, subject.name, "main")
    return True
