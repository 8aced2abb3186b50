"""What the tests of identifiers share: judging a list, and damaging one character of a text."""

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING

import polars as pl
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from polars._typing import PolarsDataType


@pytest.fixture
def rng() -> random.Random:
    """Always the same numbers, so that a failure can be repeated."""
    return random.Random(20261120)  # noqa: S311  test data, no secret


@pytest.fixture
def answers() -> Callable[..., list[str | None]]:
    """`answers(verb, values, other_values, …)`: the verb's answer for each row, as a list."""

    def apply(
        verb: Callable[..., pl.Expr],
        *columns: Iterable[str | None],
        dtype: PolarsDataType = pl.String,
    ) -> list[str | None]:
        names = [f"column_{position}" for position in range(len(columns))]
        frame = pl.DataFrame(
            {name: list(column) for name, column in zip(names, columns, strict=True)},
            schema=dict.fromkeys(names, dtype),
        )
        return frame.select(verb(*(pl.col(name) for name in names))).to_series().to_list()

    return apply


@pytest.fixture
def flip(rng: random.Random) -> Callable[..., str]:
    """`flip(text)`: one digit becomes another digit, or one letter another letter."""

    def apply(text: str, *, start: int = 0) -> str:
        places = [at for at in range(start, len(text)) if text[at].isalnum()]
        place = rng.choice(places)
        old = text[place]
        pool = string.digits if old.isdigit() else string.ascii_uppercase
        new = rng.choice([each for each in pool if each != old.upper()])
        return text[:place] + new + text[place + 1 :]

    return apply
