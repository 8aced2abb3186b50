"""A breaker: a provider that fails again and again is left alone, then tried with little.

```
          failures_max in a row                  waited
 closed ───────────────────────→ open ─────────────────────→ probing: 1 item, then 10
   ▲                              ▲                             │       │
   │                              └───── any failure, longer ───┘       │
   └───────────────────────────── all of them well ─────────────────────┘
```

It never says anything of an item: what is not sent stays as it is. A failure is what tells of the
provider's health and not of a payment: no answer, or a 5xx.

>>> broken = Breaker()
>>> for _ in range(5):
...     broken = broken.heard(well=False, now=100.0)
>>> broken.room(100.0), broken.room(130.0)
(0, 1)
>>> broken.heard(well=True, now=131.0).room(131.0)
10
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

__all__ = ["Breaker", "BreakerPolicy"]


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens, and for how long.

    Args:
        failures_max: failures in a row that open it.
        open_s: seconds that it is open, doubled each time that a probe fails.
        open_max_s: the longest.
        steps: items that are sent at once while probing, one step after the other.
    """

    failures_max: int = 5
    open_s: float = 30.0
    open_max_s: float = 300.0
    steps: tuple[int, ...] = (1, 10)


@dataclass(frozen=True, slots=True)
class Breaker:
    """One provider and class of operation, as it stands.

    Args:
        failures: in a row, while closed.
        open_until: none while closed; from then on it is probing.
        trips: how often it opened without having closed in between.
        step: place in the policy's steps.
        well: good answers of this step.
    """

    policy: BreakerPolicy = field(default_factory=BreakerPolicy)
    failures: int = 0
    open_until: float | None = None
    trips: int = 0
    step: int = 0
    well: int = 0

    def room(self, now: float) -> int | None:
        """Items that may be sent at once; none where there is no limit."""
        if self.open_until is None:
            return None
        return 0 if now < self.open_until else self.policy.steps[self.step]

    def wait(self, now: float) -> float:
        """Seconds until something may be sent."""
        return 0.0 if self.open_until is None else max(0.0, self.open_until - now)

    def heard(self, *, well: bool, now: float) -> Breaker:
        """The breaker after an answer; what was sent before it opened does not count any more."""
        if self.open_until is not None and now < self.open_until:
            return self
        if not well:
            failures = self.failures + 1
            if self.open_until is None and failures < self.policy.failures_max:
                return replace(self, failures=failures)
            return self._opened(now)
        return self._well()

    def _well(self) -> Breaker:
        if self.open_until is None:
            return replace(self, failures=0) if self.failures else self
        if self.well + 1 < self.policy.steps[self.step]:
            return replace(self, well=self.well + 1)
        if self.step + 1 < len(self.policy.steps):
            return replace(self, step=self.step + 1, well=0)
        return Breaker(self.policy)

    def _opened(self, now: float) -> Breaker:
        wait = min(self.policy.open_s * 2.0**self.trips, self.policy.open_max_s)
        return Breaker(self.policy, open_until=now + wait, trips=self.trips + 1)
