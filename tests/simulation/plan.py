"""A plan: everything that will befall one schedule, drawn from its seed before it begins.

A plan is plain data, so that a failing one can be made smaller: the same plan without one of its
faults, without a mishap, with fewer items. Nothing else is drawn while it runs but jitter.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.simulation.platform import Fate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["MISHAPS", "POLL_FAULTS", "SUBMIT_FAULTS", "Fault", "Mishap", "Plan", "draw", "smaller"]

_DAY = 86_400.0

SUBMIT_FAULTS = (
    # never there
    *("refused", "lost_request", "server_error", "bad_gateway", "throttled", "throttled_no_time"),
    *("unavailable", "locked", "unauthorized", "forbidden", "no_route", "payment_required"),
    *("whole_batch_400", "moved", "no_pool", "bad_request"),
    # there, and the reply is lost or spoilt
    *("lost_reply", "reset_reply", "hang", "error_after", "unavailable_after", "late_effect"),
    *("late_effect_error", "html", "empty", "cut", "malformed", "repeated_key", "accepted_only"),
    *("no_content", "partial_content", "in_progress", "request_timeout"),
    # there, and the reply says something odd
    *("missing", "shuffled", "duplicated", "twice_different", "stranger", "no_reference"),
    *("unknown_word", "other_amount", "other_currency", "other_id", "no_id", "slow"),
)
"""What may befall a submission."""

POLL_FAULTS = (
    *("refused", "lost_reply", "server_error", "throttled", "unauthorized", "not_found", "cut"),
    *("html", "stale", "unknown_word", "other_amount", "other_reference", "hang", "empty"),
)
"""What may befall a look."""

_LOST = ("lost_reply", "reset_reply", "error_after", "hang", "late_effect", "cut", "no_content")

_FILED = ("again", "more", "edited")
MISHAPS = (
    *("crash", "freeze", "kill", "second", "resume", "cut_off", "hold", "restart", "cancel"),
    *_FILED,
)
"""What may happen beside the network."""

POINTS = ("before_turn", "before_commit", "after_turn", "before_send", "after_send")


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls the `nth` request of a kind (`submit` or `poll`), of all or of one item's.

    Args:
        which: picks the item, the byte, the number that the fault is about.
        item: place of the item whose submissions are counted; none: all requests are.
    """

    call: str
    nth: int
    name: str
    seconds: float
    which: int
    item: int | None = None


@dataclass(frozen=True, slots=True)
class Mishap:
    """Something outside the network.

    Args:
        name: `crash` or `freeze` at the `hit`-th time of a `point`; at the time `at`: `kill`
            (the process), `second` (another worker comes), `resume` (a person), `again` (the same
            file), `more` (the file with one line more), `edited` (other amounts), `cut_off`
            (the server ends the worker's session), `hold` (the last item, for a while), `cancel`
            (a person asks that the first item is not paid).
        seconds: how long it lasts.
    """

    name: str
    point: str = ""
    hit: int = 0
    at: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """One schedule.

    Args:
        level: capability level of the platform: C0 or C1.
        amounts: minor units, one per item.
        fates: one per item.
        filed: loaded from a real file; else through the same store functions, which is quick.
        heals_at: seconds; from here on nothing goes wrong any more.
    """

    seed: int
    level: str
    amounts: tuple[int, ...]
    fates: tuple[Fate, ...]
    batch_max: int
    filed: bool
    horizon_s: float
    heals_at: float
    faults: tuple[Fault, ...]
    mishaps: tuple[Mishap, ...]

    def __str__(self) -> str:
        lines = [
            (
                f"seed {self.seed}: {self.level}, {len(self.amounts)} items in batches of"
                f" {self.batch_max}, {'a file' if self.filed else 'quick'}, heals at {self.heals_at:.0f} s"
            )
        ]
        lines += [f"  item {n}: {fate}" for n, fate in enumerate(self.fates) if fate != Fate()]
        lines += [
            f"  {f.call} {f.nth}{'' if f.item is None else f' of item {f.item}'}: {f.name}"
            f" (seconds={f.seconds:.1f}, which={f.which})"
            for f in self.faults
        ]
        lines += [f"  {mishap}" for mishap in self.mishaps]
        return "\n".join(lines)


def draw(seed: int, focus: Sequence[str] = ()) -> Plan:
    """The plan of a seed.

    Args:
        focus: names of faults and mishaps that are to befall it above all others; `one+other` are
            faults of one item's submissions, in this order.
    """
    plan = _draw(seed)
    if not focus:
        return plan
    rng = random.Random(seed)  # noqa: S311  a seed must replay
    kinds = (("submit", SUBMIT_FAULTS), ("poll", POLL_FAULTS))
    faults = list(plan.faults)
    mishaps = [each for each in plan.mishaps if each.name not in focus]
    for name in focus:
        if name in MISHAPS:
            drawn = _mishap(rng, plan.heals_at, name)
            mishaps.append(drawn)
            # All that befalls a file needs one.
            plan = replace(plan, filed=plan.filed or name in _FILED)
            continue
        if "+" in name:
            item = rng.randrange(len(plan.amounts))
            for nth, one in enumerate(name.split("+"), 1):
                faults.insert(0, Fault("submit", nth, one, 20.0, rng.randrange(1000), item))
            continue
        call = rng.choice([call for call, names in kinds if name in names])
        place = rng.randrange(len(plan.amounts)) if call == "submit" else None
        for nth in rng.choice(((1,), (2,), (1, 2))):
            faults.insert(0, Fault(call, nth, name, 20.0, rng.randrange(1000), place))
    return replace(plan, faults=tuple(faults), mishaps=tuple(mishaps))


def _draw(seed: int) -> Plan:
    rng = random.Random(seed)  # noqa: S311  a seed must replay
    level = rng.choice(("C0", "C1"))
    count = rng.randint(2, 6)
    filed, slow = rng.random() < 0.2, rng.random() < 0.4
    heals_at = rng.choice((600.0, 3600.0, 8 * 3600.0, _DAY, 3 * _DAY))
    return Plan(
        seed=seed,
        level=level,
        amounts=tuple(rng.randint(100, 99_999) for _ in range(count)),
        fates=tuple(_fate(rng, slow=slow) for _ in range(count)),
        batch_max=rng.choice((2, 3, 8)),
        filed=filed,
        horizon_s=rng.choice((5.0, 600.0)),
        heals_at=heals_at,
        faults=_faults(rng, level, count),
        mishaps=_mishaps(rng, heals_at, filed=filed),
    )


def _fate(rng: random.Random, *, slow: bool) -> Fate:
    ends = rng.choices(("paid", "failed", "refused"), (8, 1, 1))[0]
    after = rng.choice((0.0, 0.0, 30.0, 600.0, 30_000.0)) if slow else 0.0
    puts_off = rng.choice((0, 0, 0, 0, 0, 0, 1, 3))
    return Fate(ends, 0.0 if ends == "refused" else after, puts_off)


def _faults(rng: random.Random, level: str, count: int) -> tuple[Fault, ...]:
    calls = count if level == "C1" else 3
    storm = rng.random() < 0.2
    chosen: dict[tuple[str, int], Fault] = {}
    for _ in range(3 * calls if storm else rng.choice((0, 1, 1, 2, 3))):
        call = rng.choices(("submit", "poll"), (4, 1))[0]
        nth = rng.randint(1, 3 * calls if storm else calls + 2)
        name = rng.choice(SUBMIT_FAULTS if call == "submit" else POLL_FAULTS)
        seconds = rng.choice((0.5, 3.0, 20.0, 90.0, 2000.0))
        chosen[call, nth] = Fault(call, nth, name, seconds, rng.randrange(1000))
    made = [chosen[key] for key in sorted(chosen)]
    if rng.random() < 0.35:  # what follows upon an unclear answer is where money is lost
        item = rng.randrange(count)
        for nth, names in enumerate((_LOST, SUBMIT_FAULTS, SUBMIT_FAULTS)[: rng.randint(1, 3)], 1):
            made.append(Fault("submit", nth, rng.choice(names), 20.0, rng.randrange(1000), item))
    return tuple(made)


def _mishaps(rng: random.Random, heals_at: float, *, filed: bool) -> tuple[Mishap, ...]:
    often = ("crash", "crash", "crash", "freeze", "freeze", "kill", "second", "resume", "cut_off")
    names = (*often, "hold", "cancel", *(_FILED if filed else ()))
    count = rng.choice((0, 0, 1, 1, 2, 3))
    return tuple(_mishap(rng, heals_at, rng.choice(names)) for _ in range(count))


def _mishap(rng: random.Random, heals_at: float, name: str) -> Mishap:
    soon = rng.random() < 0.5
    return Mishap(
        name,
        point=rng.choice(POINTS),
        hit=rng.choice((1, 1, 2, 3, 5, 8)),
        at=rng.choice((0.01, 1.0, 20.0, 700.0)) if soon else rng.uniform(0, heals_at),
        seconds=rng.choice((1.0, 40.0, 200.0, 5000.0, 100_000.0)),
    )


def smaller(plan: Plan) -> Iterator[Plan]:
    """Plans with one thing less, the larger cuts first."""
    if len(plan.faults) > 1:
        yield replace(plan, faults=())
    for place in range(len(plan.faults)):
        yield replace(plan, faults=plan.faults[:place] + plan.faults[place + 1 :])
    if len(plan.mishaps) > 1:
        yield replace(plan, mishaps=())
    for place in range(len(plan.mishaps)):
        yield replace(plan, mishaps=plan.mishaps[:place] + plan.mishaps[place + 1 :])
    if len(plan.amounts) > 1:
        yield replace(plan, amounts=plan.amounts[:-1], fates=plan.fates[:-1])
    for place, fate in enumerate(plan.fates):
        if fate != Fate():
            fates = (*plan.fates[:place], Fate(), *plan.fates[place + 1 :])
            yield replace(plan, fates=fates)
    if plan.filed:
        yield replace(
            plan,
            filed=False,
            mishaps=tuple(each for each in plan.mishaps if each.name not in _FILED),
        )
    if plan.horizon_s > 5:
        yield replace(plan, horizon_s=5.0)
