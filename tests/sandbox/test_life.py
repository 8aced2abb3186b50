"""How a payment grows: computed, never ticking."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.sandbox.life import FATES, Phase, done_after, phase, speed_of

AGES = st.floats(0, 200)
SPEEDS = st.floats(0.01, 100)


@given(reference=st.text(), fate=st.sampled_from(FATES), speed=SPEEDS, first=AGES, second=AGES)
def test_a_payment_never_goes_back(
    reference: str, fate: str, speed: float, first: float, second: float
) -> None:
    """A settled payment that is pending again would be a contradiction nobody asked for."""
    early, late = sorted((first, second))

    before = phase(fate, reference, age=early, speed=speed)
    after = phase(fate, reference, age=late, speed=speed)

    assert before.value <= after.value


@given(reference=st.text(), speed=SPEEDS)
def test_an_ordinary_payment_is_done_within_two_seconds_of_its_pace(
    reference: str, speed: float
) -> None:
    seconds = done_after("paid", reference, speed=speed)

    assert 0.7999 <= seconds * speed <= 2.0001
    assert phase("paid", reference, age=seconds * 0.99, speed=speed) is Phase.PROCESSING
    assert phase("paid", reference, age=seconds * 1.01, speed=speed) is Phase.DONE
    assert phase("paid", reference, age=seconds * 0.05, speed=speed) is Phase.PENDING


def test_references_do_not_settle_all_at_once() -> None:
    times = {round(done_after("paid", f"P-{number}", speed=1.0), 3) for number in range(50)}

    assert len(times) > 40


def test_a_slow_payment_takes_sixty_times_as_long() -> None:
    assert done_after("slow_paid", "R", speed=1.0) == pytest.approx(
        60 * done_after("paid", "R", speed=1.0)
    )


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "fast", ""])
def test_a_speed_is_a_number_above_zero_or_instant(text: str) -> None:
    with pytest.raises(ValueError, match="is no speed"):
        speed_of(text)
