"""When to try again, to look again, and to stop: numbers only, no clock and no die.

All waits of ours are real seconds times `pace`; the sandbox profile runs at 1/100 (RELIABILITY §3).
What a provider asks for in `Retry-After` is its own clock's seconds.

>>> RetryPolicy(pace=0.01).check_waits()[:3]
[0.6, 3.0, 9.0]
>>> RetryPolicy().resend_wait(tries=2, spread=0.5)
2.0
"""

from __future__ import annotations

from dataclasses import dataclass

from payouts.core.breaker import BreakerPolicy

__all__ = ["RetryPolicy"]

_MINUTE = 60.0
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Waits and limits of one provider.

    Args:
        pace: factor on every wait; 1 in live, 0.01 in the sandbox.
        tries_max: sends of one item that were proven not executed.
        wait_max_s: the longest wait between two of them.
        retry_after_max_s: the longest `Retry-After` that is obeyed.
        quiet_s: how long an unclear item is left alone before it is sent again under its key.
        resends_max: how often that is done.
        key_life_s: how long the provider remembers a key; 0 means never send again.
        unclear_max_s: after it an item that is still unclear goes to review.
        checks_s: waits before the 1st, 2nd … poll of an item that is processing, the last repeats.
        looks_s: waits before the 1st, 2nd … look at an item that somebody asked about or that is
            unclear, the last repeats.
        looks_max: looks that bring nothing before somebody is told: three days of them.
        failures_max: failures in a row after which the provider is left alone.
        open_s: for how long, at first.
        rejected_share_max: of a batch of `rejected_items_min` items or more; from then on the lane
            waits for a person, since it may be the file or the account and not the payees.
        apart_s: two looks that did not find a payment count as two only so long apart (P5).
    """

    pace: float = 1.0
    tries_max: int = 10
    wait_max_s: float = 300.0
    retry_after_max_s: float = _HOUR
    quiet_s: float = 15 * _MINUTE
    resends_max: int = 3
    key_life_s: float = 0.0
    unclear_max_s: float = 24 * _HOUR
    checks_s: tuple[float, ...] = (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 4 * _HOUR)
    looks_s: tuple[float, ...] = (5.0, 30.0, 2 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE, _HOUR)
    looks_max: int = 77
    apart_s: float = 2 * _MINUTE
    failures_max: int = 5
    open_s: float = 30.0
    rejected_share_max: float = 0.2
    rejected_items_min: int = 50

    def check_waits(self) -> list[float]:
        """Seconds before the 1st, 2nd … poll; the last repeats."""
        return [wait * self.pace for wait in self.checks_s]

    def breaker(self) -> BreakerPolicy:
        """When the provider is left alone."""
        return BreakerPolicy(
            self.failures_max, self.open_s * self.pace, 10 * self.open_s * self.pace
        )

    def look_waits(self) -> list[float]:
        """Seconds before the 1st, 2nd … look at one item; the last repeats."""
        return [wait * self.pace for wait in self.looks_s]

    def resend_wait(
        self, *, tries: int, spread: float, retry_after_s: float | None = None
    ) -> float:
        """Seconds until an item that was proven not executed is due again.

        Args:
            tries: sends so far (1 after the first).
            spread: in [0, 1); full jitter. The caller draws it.
            retry_after_s: what the provider asked for; obeyed up to `retry_after_max_s`, ± 10 %.
        """
        if retry_after_s is not None:
            asked = min(retry_after_s, self.retry_after_max_s * self.pace)
            return asked * (0.9 + 0.2 * spread)
        return min(self.wait_max_s, 2.0**tries) * spread * self.pace

    def quiet_wait(self) -> float:
        """Seconds an unclear item is left alone."""
        return self.quiet_s * self.pace

    def key_lives(self, age_s: float) -> bool:
        """Whether the provider surely still knows a key that was first used so long ago."""
        return self.key_life_s > 0 and age_s < self.key_sure_s()

    def key_sure_s(self) -> float:
        """Seconds after its first use in which the provider is sure to remember a key."""
        if self.pace < 1:
            return self.key_life_s * self.pace
        return max(0.0, self.key_life_s - 2 * _HOUR)

    def may_resend(self, *, resends: int, age_s: float) -> bool:
        """Whether an unclear item may be sent once more under its key.

        Args:
            resends: how often that was done.
            age_s: since the key was first used.
        """
        return resends < self.resends_max and self.key_lives(age_s)

    def counts_missing(self, *, age_s: float, since_s: float | None) -> bool:
        """Whether "not found" counts: after the quiet time, and apart from the one before (P5).

        Args:
            age_s: since the item's last event.
            since_s: since "not found" was counted before; none where it was not.
        """
        apart = since_s is None or since_s >= self.apart_s * self.pace
        return age_s >= self.quiet_wait() and apart

    def gives_up_unclear(self, age_s: float) -> bool:
        """Whether an unclear item of this age goes to review."""
        return age_s >= self.unclear_max_s * self.pace
