"""When to try again, to look again, and to stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.core.retry import RetryPolicy

LIVE = RetryPolicy()
SPREADS = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("tries", "longest"), [(1, 2), (2, 4), (3, 8), (7, 128), (8, 256), (9, 300), (10, 300)]
)
def test_a_wait_is_drawn_from_nothing_up_to_a_doubling_bound(tries: int, longest: float) -> None:
    """Full jitter: items that failed together do not return together."""
    assert LIVE.resend_wait(tries=tries, spread=0.0) == 0
    assert LIVE.resend_wait(tries=tries, spread=0.5) == longest / 2
    assert LIVE.resend_wait(tries=tries, spread=0.999) < longest


@given(st.integers(1, 2000), SPREADS)
def test_no_wait_is_longer_than_the_bound(tries: int, spread: float) -> None:
    """Not even after so many tries that two to their power is no float any more."""
    assert 0 <= LIVE.resend_wait(tries=min(tries, 1000), spread=spread) <= LIVE.wait_max_s


@given(st.floats(0, 1e9), SPREADS)
def test_what_the_provider_asks_for_is_obeyed_within_a_tenth_and_an_hour(
    asked: float, spread: float
) -> None:
    wait = LIVE.resend_wait(tries=1, spread=spread, retry_after_s=asked)

    assert 0.9 * min(asked, 3600) <= wait <= 1.1 * min(asked, 3600)


def test_the_sandbox_waits_a_hundredth_but_believes_the_provider_s_seconds() -> None:
    quick = RetryPolicy(pace=0.01)

    assert quick.resend_wait(tries=2, spread=0.5) == pytest.approx(0.02)
    assert quick.resend_wait(tries=2, spread=0.5, retry_after_s=1) == pytest.approx(1.0)
    assert quick.quiet_wait() == pytest.approx(9.0)
    assert quick.check_waits() == pytest.approx([0.6, 3.0, 9.0, 36.0, 144.0])


def test_polls_come_at_one_five_and_fifteen_minutes_then_hourly_then_four_hourly() -> None:
    assert LIVE.check_waits() == [60, 300, 900, 3600, 14400]


@pytest.mark.parametrize(
    ("life_s", "resends", "age_s", "may"),
    [
        (0, 0, 0, False),  # no key is known: never send again
        (86_400, 0, 900, True),
        (86_400, 2, 900, True),
        (86_400, 3, 900, False),  # three times is enough
        (86_400, 0, 79_199, True),
        (86_400, 0, 79_200, False),  # two hours before the key's life ends
        (7_200, 0, 0, False),
        (3_600, 0, 0, False),
    ],
)
def test_an_unclear_item_is_sent_again_only_while_its_key_is_surely_known(
    life_s: float, resends: int, age_s: float, *, may: bool
) -> None:
    """After the key's life the provider would take the same request for a new payment."""
    policy = RetryPolicy(key_life_s=life_s)

    assert policy.may_resend(resends=resends, age_s=age_s) is may


def test_an_unclear_item_goes_to_review_after_a_day() -> None:
    assert not LIVE.gives_up_unclear(86_399)
    assert LIVE.gives_up_unclear(86_400)
