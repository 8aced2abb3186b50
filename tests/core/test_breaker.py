"""A breaker as a story: what was heard when, and what may be sent then."""

from __future__ import annotations

import pytest

from payouts.core.breaker import Breaker, BreakerPolicy

POLICY = BreakerPolicy(failures_max=3, open_s=10.0, open_max_s=25.0, steps=(1, 3))

# Each word is an answer at a second (`+` well, `-` failed), or `?` and what may be sent then.
STORIES = {
    "closed without limit": "?0=all +1 -2 -3 +4 -5 -6 ?6=all",
    "three in a row open it": "-1 -2 -3 ?3=0 ?12=0 ?13=1",
    "what was in flight does not count": "-1 -2 -3 -4 -5 +6 ?12=0 ?13=1",
    "one, then three, then all": "-1 -2 -3 +13 ?13=3 +14 +15 ?15=3 +16 ?16=all",
    "a failed probe opens for longer": "-1 -2 -3 -13 ?32=0 ?33=1 +33 -34 ?58=0 ?59=1",
    "the longest wait": "-1 -2 -3 -13 -33 ?57=0 ?58=1 -58 ?82=0 ?83=1",
    "closed again it forgets": "-1 -2 -3 +13 +14 +15 +16 -17 -18 ?18=all -19 ?28=0 ?29=1",
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_what_may_be_sent_follows_from_what_was_heard(story: str) -> None:
    breaker = Breaker(POLICY)
    for word in story.split():
        kind, rest = word[0], word[1:]
        if kind == "?":
            second, allowed = rest.split("=")
            room = breaker.room(float(second))
            assert ("all" if room is None else str(room)) == allowed, word
        else:
            breaker = breaker.heard(well=kind == "+", now=float(rest))


def test_an_open_breaker_says_how_long() -> None:
    breaker = Breaker(POLICY)
    assert breaker.wait(5.0) == 0
    for _ in range(3):
        breaker = breaker.heard(well=False, now=5.0)

    assert breaker.wait(8.0) == 7.0
    assert breaker.wait(20.0) == 0
