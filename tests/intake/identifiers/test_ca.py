"""Canadian institution and transit: three ways of writing, one form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payouts.intake.identifiers import ca

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("bank_code", "branch_code", "code", "problem"),
    [
        ("003", "00001", "000300001", None),
        ("0003", "00001", "000300001", None),
        ("000300001", None, "000300001", None),
        ("00001-003", None, "000300001", None),
        ("00001 - 003", None, "000300001", None),
        ("003", None, "003", "E_CA_BANK_FORMAT"),
        ("003", "0001", "003", "E_CA_BANK_FORMAT"),
        ("100300001", None, "100300001", "E_CA_BANK_FORMAT"),
        ("0003-00001", None, "000300001", None),
        (None, "00001", None, None),
    ],
)
def test_each_way_of_writing_becomes_the_electronic_form(
    answers: Callable[..., list[str | None]],
    bank_code: str | None,
    branch_code: str | None,
    code: str | None,
    problem: str | None,
) -> None:
    assert answers(ca.normalised, [bank_code], [branch_code]) == [code]
    assert answers(ca.problem, [code]) == [problem]
