"""TCKN and VKN against stdnum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdnum.tr import tckimlik, vkn

from payouts.intake.identifiers import tckn

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def test_random_persons_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    bodies = [str(rng.randrange(10**8, 10**9)) for _ in range(10_000)]
    valid = [body + tckimlik.calc_check_digits(body) for body in bodies]
    damaged = [flip(document) for document in valid]

    codes = answers(tckn.person_problem, valid + damaged)

    assert [code is None for code in codes] == [
        tckimlik.is_valid(document) for document in valid + damaged
    ]
    assert set(codes[:10_000]) == {None}


def test_random_taxpayers_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    bodies = [f"{rng.randrange(10**9):09d}" for _ in range(10_000)]
    valid = [body + vkn.calc_check_digit(body) for body in bodies]
    damaged = [flip(document) for document in valid]

    codes = answers(tckn.tax_problem, valid + damaged)

    assert [code is None for code in codes] == [
        vkn.is_valid(document) for document in valid + damaged
    ]
    assert set(codes[:10_000]) == {None}


def test_other_lengths_are_refused_and_null_stays_null(
    answers: Callable[..., list[str | None]],
) -> None:
    documents = ["07291716060", "1729171606", "1729171606A", None]

    assert answers(tckn.person_problem, documents) == [*["E_TCKN_FORMAT"] * 3, None]
    assert answers(tckn.tax_problem, ["45405369200", "454053692A", None]) == [
        "E_VKN_FORMAT",
        "E_VKN_FORMAT",
        None,
    ]
