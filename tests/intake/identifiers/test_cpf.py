"""CPF against stdnum, and where stdnum is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from stdnum.br import cpf as stdnum_cpf

from payouts.intake.identifiers import cpf

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def test_random_numbers_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    bodies = [f"{rng.randrange(10**9):09d}" for _ in range(10_000)]
    valid = [body + stdnum_cpf._calc_check_digits(body) for body in bodies]  # noqa: SLF001  the library has no public way
    damaged = [flip(document) for document in valid]

    codes = answers(cpf.problem, valid + damaged)

    # Remainders of 0 and 1 share the digit 0, so that a few wrong digits cannot be noticed.
    assert [code is None for code in codes] == [
        stdnum_cpf.is_valid(document) for document in valid + damaged
    ]
    assert set(codes[:10_000]) == {None}
    assert codes[10_000:].count("E_CPF_CHECK_DIGITS") > 9_900


def test_a_repeated_digit_is_refused_although_stdnum_takes_it(
    answers: Callable[..., list[str | None]],
) -> None:
    repeated = [str(digit) * 11 for digit in range(10)]

    assert [stdnum_cpf.is_valid(document) for document in repeated] == [False, *[True] * 9]
    assert set(answers(cpf.problem, repeated)) == {"E_CPF_REPEATED"}


def test_other_lengths_and_letters_are_refused_and_null_stays_null(
    answers: Callable[..., list[str | None]],
) -> None:
    documents = ["1234567890", "123456789090", "1234567890A", "", None]

    assert answers(cpf.problem, documents) == [*["E_CPF_FORMAT"] * 4, None]
    valid = answers(
        lambda document: cpf.is_valid(document).cast(pl.String),
        ["12345678909", "12345678900", None],
    )
    assert valid == ["true", "false", None]
