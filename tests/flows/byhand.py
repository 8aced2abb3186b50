"""Working lanes by hand: one at a time, ended at a chosen point as a death would end them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from payouts.flows.lane import work_lane
from payouts.worker import work

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import World

SUBMIT = {
    "orkesta": "POST /orkesta/v1/payments/batch",
    "orkestra": "POST /orkestra/payouts",
}


class DiedError(Exception):
    """Stands for the end of a process: whatever was in flight is left as it is."""


def dies_at(point: str, hit: int) -> Callable[[str], None]:
    """A `reached` that raises at the `hit`-th time of a point."""
    left = hit

    def reached(name: str) -> None:
        nonlocal left
        if name == point:
            left -= 1
            if left == 0:
                raise DiedError

    return reached


def lane_once(world: World, provider: str, **changes: object) -> list[str]:
    """Work one lane in this process until nothing is due; returns its alarms."""
    order = replace(world.parts.lane_order(provider, "main"), **changes)  # type: ignore[arg-type]
    return asyncio.run(work_lane(order))


def lane_dies(world: World, provider: str, point: str, hit: int) -> None:
    """Work one lane until it dies at a point."""
    try:
        lane_once(world, provider, reached=dies_at(point, hit))
    except DiedError:
        return
    raise AssertionError(f"{point} was not reached {hit} times")


def work_until(world: World, done: Callable[[], bool], *, wait_max: float = 20.0) -> None:
    """Work all lanes until `done`, and say so where it never is."""
    end = time.monotonic() + wait_max
    happened = False

    def finished() -> bool:
        nonlocal happened
        happened = done()
        return happened or time.monotonic() > end

    asyncio.run(work(world.parts, finished=finished, poll_s=0.02, said=world.alarms.append))
    assert happened, "it did not come to that"


def control(world: World, path: str, value: object) -> None:
    """Steer the sandbox while it runs."""
    base = world.parts.connectors["orkesta"].base_url.removesuffix("/orkesta/v1")
    httpx.post(f"{base}/_control/{path}", json=value).raise_for_status()


def faults(world: World, *rules: dict[str, object]) -> None:
    """Replace the faults of the sandbox."""
    control(world, "faults", list(rules))
