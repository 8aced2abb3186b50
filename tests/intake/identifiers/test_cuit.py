"""CUIT and CUIL against stdnum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdnum.ar import cuit as stdnum_cuit

from payouts.intake.identifiers import cuit

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

TYPES = ("20", "23", "24", "27", "30", "33", "34", "50", "51", "55")


def test_random_numbers_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    bodies = [rng.choice(TYPES) + f"{rng.randrange(10**8):08d}" for _ in range(10_000)]
    valid = [body + stdnum_cuit.calc_check_digit(body) for body in bodies]
    damaged = [flip(document, start=2) for document in valid]

    codes = answers(cuit.problem, valid + damaged)

    assert [code is None for code in codes] == [
        stdnum_cuit.is_valid(document) for document in valid + damaged
    ]
    assert set(codes[:10_000]) == {None}


def test_an_unknown_kind_of_taxpayer_is_a_warning_where_stdnum_refuses(
    answers: Callable[..., list[str | None]],
) -> None:
    """Pairs are added from time to time: stdnum does not have 25 and 26, which are in use."""
    documents = [
        pair + "12345678" + stdnum_cuit.calc_check_digit(pair + "12345678")
        for pair in ("25", "26", "99")
    ]

    assert not any(stdnum_cuit.is_valid(document) for document in documents)
    assert answers(cuit.problem, documents) == [None, None, "W_CUIT_TYPE"]


def test_other_lengths_are_refused_and_null_stays_null(
    answers: Callable[..., list[str | None]],
) -> None:
    assert answers(cuit.problem, ["2005536168", "", None]) == [*["E_CUIT_FORMAT"] * 2, None]
