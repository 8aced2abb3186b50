"""Chance that repeats: the same seed gives the same draws on every version of Python."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Draw"]

Choice = TypeVar("Choice")


class Draw:
    """Draws from `random()` alone, the one sequence that Python promises to keep for a seed."""

    def __init__(self, seed: str) -> None:
        self._next = random.Random(seed).random  # noqa: S311  samples, no secrets

    def below(self, bound: int) -> int:
        """A number from 0 up to `bound`, which is never reached."""
        return int(self._next() * bound)

    def between(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both possible."""
        return low + self.below(high - low + 1)

    def one(self, choices: Sequence[Choice]) -> Choice:
        """One of them."""
        return choices[self.below(len(choices))]

    def digits(self, count: int) -> str:
        """So many digits, the first not 0, so that no number is a short one in disguise."""
        return str(self.between(1, 9)) + "".join(str(self.below(10)) for _ in range(count - 1))

    def letters(self, count: int, alphabet: str) -> str:
        """So many letters of an alphabet."""
        return "".join(self.one(alphabet) for _ in range(count))

    def shuffled(self, things: Sequence[Choice]) -> list[Choice]:
        """The same things in another order (Fisher and Yates)."""
        left = list(things)
        for last in range(len(left) - 1, 0, -1):
            other = self.below(last + 1)
            left[last], left[other] = left[other], left[last]
        return left
