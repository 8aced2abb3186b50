"""NIT against stdnum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdnum.co import nit as stdnum_nit

from payouts.intake.identifiers import nit

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def test_random_numbers_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    bodies = [f"{rng.randrange(10**9):09d}" for _ in range(10_000)]
    valid = [body + stdnum_nit.calc_check_digit(body) for body in bodies]
    damaged = [flip(document) for document in valid]

    codes = answers(nit.problem, valid + damaged)

    assert [code is None for code in codes] == [
        stdnum_nit.is_valid(document) for document in valid + damaged
    ]
    assert set(codes[:10_000]) == {None}


def test_nine_digits_are_a_warning_and_a_trailing_dash_is_no_check_digit(
    answers: Callable[..., list[str | None]],
) -> None:
    """Stdnum strips the dash and judges the ninth digit as if it were the check digit."""
    documents = answers(nit.normalised, ["213.123.432-", "213123432", "2131234321", None])

    assert answers(nit.problem, documents) == [
        "W_NIT_WITHOUT_CHECK_DIGIT",
        "W_NIT_WITHOUT_CHECK_DIGIT",
        None,
        None,
    ]
    assert stdnum_nit.is_valid("213.123.435-1-") == stdnum_nit.is_valid("2131234351")
    assert answers(nit.problem, ["21312343212", "21312343", "21312343A1"]) == ["E_NIT_FORMAT"] * 3
