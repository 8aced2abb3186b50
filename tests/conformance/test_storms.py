"""The gig week under every single fault and under mixed storms: it always ends right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from payouts.discover import find_pipelines
from payouts.flows import load as loading
from payouts.intake.survey import survey
from payouts.store import lanes
from tests.conformance.steer import control
from tests.flows.conftest import make_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import World

__all__ = ["make_world"]

pytestmark = pytest.mark.journey

GIG_WEEK = Path(__file__).parents[2] / "inputs" / "gig_week.csv"
RESTS = {"settled", "failed", "unknown", "review", "returned"}
SETTINGS = "[retry]\npace = 0.0005\noverall_s = 2.0\n"
EVERY = (
    *("refuse_connections", "accept_then_close", "reset_on_accept", "reset_before_reading"),
    *("reset_after_reading", "hang_without_effect", "effect_then_reset", "effect_then_close"),
    *("effect_then_hang", "stale_keep_alive", "latency", "late_reply", "slow_head", "drip"),
    *("server_error", "bad_gateway", "unavailable", "gateway_timeout", "too_many_requests"),
    *("unauthorized", "no_funds", "forbidden", "request_timeout", "in_progress", "locked"),
    *("too_early", "not_implemented", "duplicate", "redirect", "error_after_effect"),
    *("timeout_then_effect", "accepted", "no_content", "html", "malformed", "empty_body"),
    *("repeated_keys", "nan", "cut", "cut_clean", "shuffled", "missing_items", "repeated_items"),
    *("foreign_item", "unknown_status", "stale_status", "other_amount", "major_units"),
    *("other_currency", "other_reference", "lagging", "refused_items", "returned"),
)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_ends_right(make_world: Callable[..., World], seed: int) -> None:
    world = make_world(settings=SETTINGS, speed="40", seed=seed)

    _ends_right(world)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3, 21))
def test_every_storm_ends_right(make_world: Callable[..., World], seed: int) -> None:
    world = make_world(settings=SETTINGS, speed="40", seed=seed)

    _ends_right(world)


@pytest.mark.long
@pytest.mark.parametrize("fault", EVERY)
def test_every_fault_ends_right(make_world: Callable[..., World], fault: str) -> None:
    rule = f'[[fault]]\nfault = "{fault}"\nprobability = 0.2\ntimes = 12\n'
    world = make_world(rule, settings=SETTINGS, speed="40")

    _ends_right(world)

    assert control(world, "faults")["struck"][fault] > 0


def _ends_right(world: World) -> None:
    """Pay the gig week while faults strike; then they are over, and lanes go on."""
    parts = world.parts
    pipeline = find_pipelines(parts.project)["gig_payouts"]
    copy = parts.take_copy(GIG_WEEK)
    run = loading.load(
        parts.database,
        survey(copy),
        parts.rules(),
        parts.load_order(pipeline, GIG_WEEK, copy),
        encoders=parts.connectors,
        batch_max=parts.batch_max,
        signer=parts.signer,
        vault=parts.vault,
    ).run_id
    world.work(run, wait_max=20)
    rules = [rule["fault"] for rule in control(world, "faults")["rules"]]
    assert rules
    kept = control(world, "faults")
    control(world, "faults", [])
    with parts.database.unit() as unit:
        for provider in parts.connectors:
            lanes.resume(unit, provider, "main")

    states = world.work(run, wait_max=25)

    assert set(states) <= RESTS, (rules, states, world.alarms[-5:])
    assert sum(states.values()) == 425
    assert states["settled"] > 300, (rules, states, kept["struck"])
    world.check()
