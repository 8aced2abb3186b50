"""RUT against stdnum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stdnum.cl import rut as stdnum_rut

from payouts.intake.identifiers import rut

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def test_random_numbers_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    bodies = [str(rng.randrange(1_000_000, 10**8)) for _ in range(10_000)]
    valid = [body + stdnum_rut.calc_check_digit(body) for body in bodies]
    damaged = [flip(document, start=1) for document in valid]

    codes = answers(rut.problem, valid + damaged)

    assert [code is None for code in codes] == [
        stdnum_rut.is_valid(document) for document in valid + damaged
    ]
    assert set(codes[:10_000]) == {None}
    assert any(document.endswith("K") for document in valid)


@pytest.mark.parametrize(
    ("written", "document", "code"),
    [
        ("12.531.909-2", "125319092", None),
        ("CL 12531909-2", "125319092", None),
        ("6-k", "6K", "E_RUT_FORMAT"),
        ("10000013-k", "10000013K", None),
        ("125319093", "125319093", "E_RUT_CHECK_DIGIT"),
        ("1234567890", "1234567890", "E_RUT_FORMAT"),
        ("K25319092", "K25319092", "E_RUT_FORMAT"),
        (None, None, None),
    ],
)
def test_each_way_of_writing_gets_its_code(
    answers: Callable[..., list[str | None]],
    written: str | None,
    document: str | None,
    code: str | None,
) -> None:
    assert answers(rut.normalised, [written]) == [document]
    assert answers(rut.problem, [document]) == [code]


def test_a_cuenta_rut_is_the_holders_number_without_its_check_character(
    answers: Callable[..., list[str | None]],
) -> None:
    accounts = ["12531909", "12531900", "12531900", None]
    types = ["Cuenta RUT", "cuenta_rut", "vista/rut", "rut"]

    codes = answers(rut.account_problem, accounts, types, ["12.531.909-2"] * 4)

    assert codes == [None, "W_CL_RUT_ACCOUNT", None, None]
    assert answers(rut.account_kind, accounts, types) == [
        "rut_account",
        "rut_account",
        "bank_account",
        None,
    ]
