"""South African identity numbers against stdnum."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from stdnum import luhn
from stdnum.za import idnr

from payouts.intake.identifiers import za_id

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def made(rng: random.Random) -> str:
    born = date(1930, 1, 1) + timedelta(days=rng.randrange(28_000))
    body = f"{born:%y%m%d}{rng.randrange(10**4):04d}{rng.choice('01')}8"
    return body + luhn.calc_check_digit(body)


def test_random_numbers_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    """Two digits of a year may mean 1900, which had no leap day: there the sets may differ."""
    valid = [made(rng) for _ in range(10_000)]
    damaged = [flip(document) for document in valid]
    documents = [each for each in valid + damaged if not each.startswith("000229")]

    codes = answers(za_id.problem, documents)

    assert [code is None for code in codes] == [
        idnr.is_valid(document) and document[10] in "01" for document in documents
    ]
    assert set(codes[:9_000]) == {None}


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("7503305044089", None),
        ("8503305044080", "E_ZA_ID_CHECK_DIGIT"),
        ("9125568956369", "E_ZA_ID_FORMAT"),
        ("7502305044089", "E_ZA_ID_FORMAT"),
        ("750330504408", "E_ZA_ID_FORMAT"),
        ("75033050440891", "E_ZA_ID_FORMAT"),
        (None, None),
    ],
)
def test_published_numbers_get_their_code(
    answers: Callable[..., list[str | None]], document: str | None, code: str | None
) -> None:
    assert answers(za_id.problem, [document]) == [code]


def test_refugees_are_taken_although_stdnum_refuses_them(
    answers: Callable[..., list[str | None]],
) -> None:
    body = "750330504428"
    document = body + luhn.calc_check_digit(body)

    assert not idnr.is_valid(document)
    assert answers(za_id.problem, [document]) == [None]
