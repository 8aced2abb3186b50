"""The order to work a lane: plain values and injected parts, and how it may end."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from payouts.core.errors import PayoutsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.core.retry import RetryPolicy
    from payouts.providers.client import Timeouts
    from payouts.providers.connector import Connector
    from payouts.store.engine import Database
    from payouts.vault import Vault

__all__ = ["LaneLostError", "LaneOrder"]


class LaneLostError(PayoutsError):
    """The connection was lost and another worker has taken the lane; it goes on there."""

    code = "E_LANE_LOST"


@dataclass(frozen=True, slots=True)
class LaneOrder:
    """What a lane is worked with; plain values and injected parts (P27).

    Args:
        exponents: decimals by currency.
        send_by_s: an attempt's first byte leaves within this many seconds of its commit (P20).
        horizon_s: the lane stays awake when something is due within it, else a job is scheduled.
        stopping: asked before each claim; true after Ctrl-C.
        draw: a number in [0, 1) for jitter.
        reached: called at named points (a no-op; the crash journeys put failpoints there).
        claimed: told the latest fence of a turn, after its commit and before a request leaves (P22).
    """

    database: Database
    connector: Connector
    funding: str
    policy: RetryPolicy
    vault: Vault
    exponents: Callable[[str], int]
    timeouts: Timeouts
    send_by_s: float = 15.0
    horizon_s: float = 5.0
    stopping: Callable[[], bool] = lambda: False
    draw: Callable[[], float] = random.random
    reached: Callable[[str], None] = lambda _point: None
    claimed: Callable[[int], None] = lambda _fence: None
