"""The life of a payment: pending, processing, done, computed from its age.

Nothing ticks. A payment has a fate that is fixed when it is made and a schedule that follows from
its reference; whoever asks gets the phase that belongs to the moment of asking.

    PENDING ──0.2 to 0.5 s──▶ PROCESSING ──0.6 to 1.5 s later──▶ DONE

The times hold at speed 1 and are divided by the speed. At the speed `instant`, which is None here,
a payment is done within the very reply. Fates: `paid` and `failed` end as they are called, `slow_paid` is paid after
sixty times the usual time, `held` stays pending until it is released through the control path.

>>> phase("paid", "R-1", age=0.0, speed=1.0), phase("paid", "R-1", age=2.0, speed=1.0)
(<Phase.PENDING: 1>, <Phase.DONE: 3>)
>>> phase("held", "R-1", age=9e9, speed=None)
<Phase.PENDING: 1>
"""

from __future__ import annotations

import enum
import math
from typing import Final
from zlib import crc32

__all__ = ["FATES", "Phase", "done_after", "phase", "speed_of", "times"]

FATES: Final = ("paid", "slow_paid", "failed", "held")

_PENDING_S: Final = (0.2, 0.5)
_PROCESSING_S: Final = (0.6, 1.5)
_SLOW: Final = 60.0


class Phase(enum.Enum):
    """Where a payment stands, whatever word a platform has for it."""

    PENDING = 1
    PROCESSING = 2
    DONE = 3


def speed_of(text: str) -> float | None:
    """Read a speed as people write it: `instant` (None), or how many times faster than usual.

    >>> speed_of("10"), speed_of("instant")
    (10.0, None)
    >>> speed_of("0")
    Traceback (most recent call last):
    ValueError: '0' is no speed: write instant or a number above zero
    """
    if text == "instant":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        raise ValueError(f"{text!r} is no speed: write instant or a number above zero")
    return speed


def _schedule(fate: str, reference: str, speed: float) -> tuple[float, float]:
    """Seconds from the start to the end of pending, and to the end of processing."""
    spread = crc32(reference.encode()) / 2**32
    factor = (_SLOW if fate == "slow_paid" else 1.0) / speed
    pending = _PENDING_S[0] + (_PENDING_S[1] - _PENDING_S[0]) * spread
    processing = _PROCESSING_S[0] + (_PROCESSING_S[1] - _PROCESSING_S[0]) * spread
    return pending * factor, (pending + processing) * factor


def times(fate: str, reference: str, *, speed: float | None) -> tuple[float, float]:
    """Seconds from the start of a payment to the end of pending, and to its end."""
    return (0.0, 0.0) if speed is None else _schedule(fate, reference, speed)


def phase(fate: str, reference: str, *, age: float, speed: float | None) -> Phase:
    """Give the phase of a payment that began `age` seconds ago."""
    if fate == "held":
        return Phase.PENDING
    if speed is None:
        return Phase.DONE
    if age <= 0:
        return Phase.PENDING
    pending_until, done_at = _schedule(fate, reference, speed)
    if age < pending_until:
        return Phase.PENDING
    return Phase.PROCESSING if age < done_at else Phase.DONE


def done_after(fate: str, reference: str, *, speed: float | None) -> float:
    """Seconds from the start of a payment to its end."""
    return times(fate, reference, speed=speed)[1]
