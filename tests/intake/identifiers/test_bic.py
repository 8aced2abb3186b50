"""BIC against schwifty, and where schwifty is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import schwifty
from schwifty.exceptions import SchwiftyException

from payouts.intake.identifiers import bic

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CHARACTERS = LETTERS + "0123456789"


def schwifty_takes(code: str) -> bool:
    try:
        schwifty.BIC(code)
    except SchwiftyException:
        return False
    return True


def test_random_codes_are_judged_as_schwifty_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    """Kosovo apart, whose code is in use though it is not in ISO 3166."""
    codes = [
        "".join(rng.choices(CHARACTERS, k=4))
        + rng.choice([rng.choice(LETTERS) + rng.choice(LETTERS), "DE", "TR", "BR"])
        + "".join(rng.choices(CHARACTERS, k=rng.choice([2, 5])))
        for _ in range(10_000)
    ]
    codes = [code for code in codes if code[4:6] != "XK"]

    judged = answers(bic.problem, codes)

    assert [code is None for code in judged] == [schwifty_takes(code) for code in codes]
    assert set(judged) == {None, "E_BIC_COUNTRY"}


def test_a_bank_of_kosovo_is_taken_although_schwifty_refuses_it(
    answers: Callable[..., list[str | None]],
) -> None:
    assert not schwifty_takes("NCBVXKPR")
    assert answers(bic.problem, ["NCBVXKPR"]) == [None]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("DEUTDEFF", None),
        ("deut de ff 500", None),
        ("DEUTDEFF50", "E_BIC_FORMAT"),
        ("DEUTDEF", "E_BIC_FORMAT"),
        ("DEUT1EFF", "E_BIC_FORMAT"),
        ("DEUTZZFF", "E_BIC_COUNTRY"),
        ("37040044", "E_BIC_FORMAT"),
        (None, None),
    ],
)
def test_each_way_of_writing_gets_its_code(
    answers: Callable[..., list[str | None]], written: str | None, code: str | None
) -> None:
    assert answers(bic.problem, answers(bic.normalised, [written])) == [code]


def test_a_country_other_than_the_ibans_is_a_warning(
    answers: Callable[..., list[str | None]],
) -> None:
    codes = ["DEUTDEFF", "DEUTFRPP", "BNPAREPP", "DEUTDEFF", "DEUTDEFF", "DEUT"]
    ibans = ["DE89", "DE89", "FR14", None, "0532013000", "FR14"]

    assert answers(bic.problem, codes, ibans) == [
        None,
        "W_BIC_OTHER_COUNTRY",
        None,
        None,
        None,
        "E_BIC_FORMAT",
    ]
