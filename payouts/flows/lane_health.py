"""How a lane's provider is doing: a breaker for what is sent and one for what is asked.

Kept in memory, for as long as the lane is worked. What is not sent because of it stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from payouts.core.breaker import Breaker
from payouts.core.outcomes import Failure
from payouts.flows.lane_writer import Health

if TYPE_CHECKING:
    from payouts.core.breaker import BreakerPolicy
    from payouts.providers.client import Exchange

__all__ = ["LaneHealth"]

_OURS = frozenset(
    {
        Failure.SEND_BY_PASSED,
        Failure.NOTHING_SENT,
        Failure.OUR_REQUEST,
        Failure.CERTIFICATE,
        Failure.CANCELLED,
    }
)
_SERVER_ERROR = 500
_TIMED_OUT = 408


@dataclass(slots=True)
class LaneHealth:
    """Both breakers of a lane.

    Args:
        provider: its name, for people.
        news: what nobody has heard yet.
    """

    provider: str
    policy: BreakerPolicy
    news: list[str] = field(default_factory=list)
    breakers: dict[str, Breaker] = field(default_factory=dict)

    def of(self, kind: Literal["send", "look"]) -> Breaker:
        """The breaker of a class of operations."""
        return self.breakers.setdefault(kind, Breaker(self.policy))

    def heard(self, kind: Literal["send", "look"], exchange: Exchange, now: float) -> None:
        """Take note of what came back."""
        before = self.of(kind)
        if exchange.failure in _OURS:
            return
        bad = (
            exchange.failure is not None
            or exchange.status >= _SERVER_ERROR
            or exchange.status == _TIMED_OUT
        )
        after = self.breakers[kind] = before.heard(well=not bad, now=now)
        if after.trips > before.trips:
            self.news.append(
                f"{self.provider} fails again and again: no {kind} for {after.wait(now):.0f} s"
            )

    def now(self, now: float, *, in_flight: bool) -> Health:
        """What the next turn may do; while it is tried with little, one thing after the other."""
        sends = self.of("send").room(now)
        looks = self.of("look").room(now)
        return Health(
            0 if in_flight and sends is not None else sends,
            looks=looks is None or (looks > 0 and not in_flight),
            news=tuple(self.news),
        )

    def told(self, health: Health) -> None:
        """What a turn has told is no news any more."""
        del self.news[: len(health.news)]

    def wait(self, now: float) -> float:
        """Seconds until more may be done than now; 0 where nothing is held back."""
        waits = [breaker.wait(now) for breaker in self.breakers.values()]
        return max(waits, default=0.0)
