"""Matrices of bytes: rows keep their place, and what does not fit is a row of zeros."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from payouts.intake.identifiers.matrix import byte_table, judged, luhn_sum, number


def test_texts_become_rows_and_what_does_not_fit_becomes_zeros() -> None:
    table = byte_table(pl.Series(["123", "1", "1234", "\u0661", None, ""]), 3)

    assert table.tolist() == [[49, 50, 51], [49, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_a_column_without_texts_has_no_verdict(values: list[None]) -> None:
    frame = pl.DataFrame({"account": values}, schema={"account": pl.String})

    verdict = judged(pl.col("account"), 3, lambda table: np.ones(len(table), np.uint8), (None, "E"))

    assert frame.select(verdict).to_series().to_list() == values
    assert frame.select(verdict).schema["account"] == pl.String


def test_blocks_are_put_together_in_order() -> None:
    """A million rows are judged in blocks that fit the cache."""
    frame = pl.DataFrame({"account": [str(row % 10) for row in range(100_000)]})

    verdict = judged(
        pl.col("account"), 2, lambda table: table[:, 0] - np.uint8(48), tuple("abcdefghij")
    )

    answer = frame.select(verdict).to_series().to_list()
    assert answer == ["abcdefghij"[row % 10] for row in range(100_000)]


def test_a_number_is_digits_from_end_to_end() -> None:
    table = byte_table(pl.Series(["12", "1", "123", "1a", ""]), 3)

    _, is_number = number(table, 2)

    assert is_number.tolist() == [True, False, False, False, False]


@pytest.mark.parametrize(("first", "total"), [(1, 1 + 9 + 9 + 8), (2, 2 + 9 + 9 + 4)])
def test_the_sum_of_luhn_begins_with_the_weight_that_is_asked_for(first: int, total: int) -> None:
    values = np.array([[1, 9, 9, 4]], np.uint8)

    assert luhn_sum(values, first).tolist() == [total]
