"""Cédula and RUC of Ecuador against stdnum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stdnum.ec import ci as stdnum_ci
from stdnum.ec import ruc as stdnum_ruc

from payouts.intake.identifiers import ec

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def completed(body: str) -> str:
    """The ten digits of a cédula whose first nine are given."""
    return next(body + digit for digit in "0123456789" if stdnum_ci._checksum(body + digit) == 0)  # noqa: SLF001  the library has no public way


def cedulas(rng: random.Random, count: int) -> list[str]:
    provinces = [*(f"{number:02d}" for number in range(1, 25)), "30", "50"]
    return [
        completed(f"{rng.choice(provinces)}{rng.randrange(7)}{rng.randrange(10**6):06d}")
        for _ in range(count)
    ]


def test_random_cedulas_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    valid = cedulas(rng, 10_000)
    damaged = [flip(document) for document in valid]

    codes = answers(ec.cedula_problem, valid + damaged)

    assert [code is None for code in codes] == [
        stdnum_ci.is_valid(document) for document in valid + damaged
    ]
    assert set(codes[:10_000]) == {None}


def test_random_rucs_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    """Where the check digit of a company fails, stdnum refuses and we warn."""
    persons = [cedula + f"{rng.randrange(1, 1000):03d}" for cedula in cedulas(rng, 5_000)]
    bodies = [
        f"{rng.randrange(1, 25):02d}{rng.choice('69')}{rng.randrange(10**10):010d}"
        for _ in range(15_000)
    ]
    documents = persons + [flip(document) for document in persons] + bodies

    codes = answers(ec.ruc_problem, documents)

    valid = [stdnum_ruc.is_valid(document) for document in documents]
    assert [code is None for code in codes] == valid
    assert sum(valid[10_000:]) > 1_000
    for document, code in zip(documents, codes, strict=True):
        if code == "W_EC_RUC_CHECK_DIGIT":
            assert document[2] in "69"


@pytest.mark.parametrize(
    ("document", "cedula", "ruc"),
    [
        ("1714307103", None, "E_EC_RUC_FORMAT"),
        ("1714307104", "E_CEDULA_CHECK_DIGIT", "E_EC_RUC_FORMAT"),
        ("9914307103", "E_CEDULA_FORMAT", "E_EC_RUC_FORMAT"),
        ("1714307103001", "E_CEDULA_FORMAT", None),
        ("1714307104001", "E_CEDULA_FORMAT", "E_EC_RUC_CHECK_DIGIT"),
        ("1714307103000", "E_CEDULA_FORMAT", "E_EC_RUC_FORMAT"),
        ("1792060346001", "E_CEDULA_FORMAT", None),
        ("1792060347001", "E_CEDULA_FORMAT", "W_EC_RUC_CHECK_DIGIT"),
        ("1787654321001", "E_CEDULA_FORMAT", "E_EC_RUC_FORMAT"),
        (None, None, None),
    ],
)
def test_published_numbers_get_their_code(
    answers: Callable[..., list[str | None]],
    document: str | None,
    cedula: str | None,
    ruc: str | None,
) -> None:
    assert answers(ec.cedula_problem, [document]) == [cedula]
    assert answers(ec.ruc_problem, [document]) == [ruc]
