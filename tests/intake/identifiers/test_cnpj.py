"""CNPJ against stdnum, digits and letters."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest
from stdnum.br import cnpj as stdnum_cnpj

from payouts.intake.identifiers import cnpj

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

FORMS = {"digits": string.digits, "letters": string.digits + string.ascii_uppercase}


@pytest.mark.parametrize("form", FORMS)
def test_random_numbers_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]],
    rng: random.Random,
    flip: Callable[..., str],
    form: str,
) -> None:
    bodies = ["".join(rng.choices(FORMS[form], k=12)) for _ in range(10_000)]
    valid = [body + stdnum_cnpj.calc_check_digits(body) for body in bodies]
    damaged = [flip(document) for document in valid]

    codes = answers(cnpj.problem, valid + damaged)

    assert [code is None for code in codes] == [
        stdnum_cnpj.is_valid(document) for document in valid + damaged
    ]
    assert set(codes[:10_000]) == {None}


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("12.ABC.345/01DE-35", None),
        ("12.abc.345/01de-35", None),
        ("00.000.000/0001-91", None),
        ("00.000.000/0000-00", "E_CNPJ_REPEATED"),
        ("12.ABC.345/01DE-36", "E_CNPJ_CHECK_DIGITS"),
        ("12.ABC.345/01DE-3A", "E_CNPJ_FORMAT"),
        ("12ABC34501DE3", "E_CNPJ_FORMAT"),
        ("12ABC34501DE355", "E_CNPJ_FORMAT"),
        (None, None),
    ],
)
def test_published_numbers_get_their_code(
    answers: Callable[..., list[str | None]], written: str | None, code: str | None
) -> None:
    documents = answers(cnpj.normalised, [written])

    assert answers(cnpj.problem, documents) == [code]
