"""Sort codes against a regular expression."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from payouts.intake.identifiers import sort_code

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def test_six_digits_with_or_without_dashes_are_taken(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    digits = [str(rng.randrange(10**7)) for _ in range(1_000)]
    written = ["-".join(each[at : at + 2] for at in range(0, len(each), 2)) for each in digits]

    codes = answers(sort_code.problem, answers(sort_code.normalised, written))

    assert [code is None for code in codes] == [
        re.fullmatch("[0-9]{6}", each) is not None for each in digits
    ]
    assert set(codes) == {None, "E_SORT_CODE_FORMAT"}
    assert answers(sort_code.problem, [None, "20000A"]) == [None, "E_SORT_CODE_FORMAT"]
