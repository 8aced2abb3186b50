"""Routing numbers against stdnum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdnum.us import rtn as stdnum_rtn

from payouts.intake.identifiers import aba

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def test_random_numbers_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    bodies = [f"{rng.randrange(1, 13):02d}{rng.randrange(10**6):06d}" for _ in range(10_000)]
    valid = [body + stdnum_rtn.calc_check_digit(body) for body in bodies]
    damaged = [flip(code) for code in valid]

    codes = answers(aba.problem, valid + damaged)

    assert [code != "E_ABA_CHECK_DIGIT" for code in codes] == [
        stdnum_rtn.is_valid(code) for code in valid + damaged
    ]
    assert set(codes[:10_000]) == {None}


def test_published_numbers_get_their_code(answers: Callable[..., list[str | None]]) -> None:
    """Stdnum takes 991000025, although no district of the Federal Reserve has the 99."""
    codes = ["021000021", "111000025", "111000026", "991000025", "11100002", "1110000255", None]

    assert stdnum_rtn.is_valid("991000025")
    assert answers(aba.problem, codes) == [
        None,
        None,
        "E_ABA_CHECK_DIGIT",
        "W_ABA_DISTRICT",
        "E_ABA_FORMAT",
        "E_ABA_FORMAT",
        None,
    ]
