"""Matrices: a column of short ASCII texts as one table of bytes, judged column by column.

A check digit is a sum over positions. Over a million rows that is a dozen passes over byte
columns, which numpy does faster than any expression per character. Rows are handled in blocks
that fit the processor's cache, so that memory does not grow with the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = [
    "Bytes",
    "Judge",
    "byte_table",
    "digits",
    "judged",
    "luhn_sum",
    "mod10",
    "number",
    "weighted",
]

Bytes: TypeAlias = NDArray[np.uint8]
Index: TypeAlias = NDArray[np.uint8]
Judge: TypeAlias = Callable[[Bytes], Index]

_BLOCK = 32_768


def byte_table(account: pl.Series, width: int) -> Bytes:
    """The texts as rows of `width` bytes, filled with zeros on the right.

    A text that is missing, longer than `width` or not ASCII becomes a row of zeros.

    >>> byte_table(pl.Series(["12", None, "1234"]), 3).tolist()
    [[49, 50, 0], [0, 0, 0], [0, 0, 0]]
    """
    size = account.str.len_bytes()
    fits = (size <= width) & (size == account.str.len_chars())
    text = account if fits.all(ignore_nulls=False) else account.zip_with(fits, _EMPTY).fill_null("")
    cells = text.str.pad_end(width, "\0").cast(pl.Binary)
    return cells.bin.reinterpret(dtype=pl.Array(pl.UInt8, width)).to_numpy()


_EMPTY = pl.Series([""])


def judged(account: pl.Expr, width: int, judge: Judge, codes: Sequence[str | None]) -> pl.Expr:
    """Judge every text by its bytes and give `codes[i]`, `i` being the judge's answer.

    Args:
        width: the longest text the judge can read; a row of zeros stands for any other text.
        judge: rows of `width` bytes → one index into `codes` per row.
        codes: problem codes; null for "nothing to say".

    Returns:
        String; null where the text is null, whatever the judge says.
    """
    names = pl.Series([*codes, None], dtype=pl.String)

    def apply(series: pl.Series) -> pl.Series:
        texts = series.drop_nulls()
        index = np.zeros(len(texts), np.uint32)
        for start in range(0, len(texts), _BLOCK):
            block = texts.slice(start, _BLOCK)
            index[start : start + _BLOCK] = judge(byte_table(block, width))
        if len(texts) == len(series):
            return names.gather(pl.Series(series.name, index)).alias(series.name)
        places = np.full(len(series), len(codes), np.uint32)  # behind the codes stands a null
        places[series.is_not_null().to_numpy()] = index
        return names.gather(pl.Series(places)).alias(series.name)

    return account.map_batches(apply, return_dtype=pl.String, is_elementwise=True)


def digits(table: Bytes) -> tuple[Bytes, NDArray[np.bool_]]:
    """The values of the digits, and which rows are digits from end to end."""
    values: Bytes = table - np.uint8(ord("0"))  # wraps round for anything below "0"
    is_digit: NDArray[np.bool_] = np.all(values <= 9, axis=1)  # noqa: PLR2004  the digits
    return values, is_digit


def number(table: Bytes, length: int) -> tuple[Bytes, NDArray[np.bool_]]:
    """The values of the first `length` digits, and which rows are just so many digits."""
    values, is_digit = digits(table[:, :length])
    return values, is_digit & ~table[:, length:].any(axis=1)


def weighted(values: Bytes, weights: Sequence[int]) -> NDArray[np.int64]:
    """The sum over the columns of value times weight, one per row."""
    total: NDArray[np.int64] = values[:, : len(weights)].astype(np.int64) @ np.array(weights)
    return total


def mod10(total: NDArray[np.int64]) -> NDArray[np.int64]:
    """The digit that fills a sum up to the next multiple of ten."""
    return -total % 10


def luhn_sum(values: Bytes, first: int) -> NDArray[np.int64]:
    """The sum of digit sums with weights `first`, 3 - `first`, … from the left (each 1 or 2)."""
    doubled = np.array([0, 2, 4, 6, 8, 1, 3, 5, 7, 9], np.int64)
    total = np.zeros(len(values), np.int64)
    for position in range(values.shape[1]):
        column = values[:, position]
        total += doubled[column] if (position % 2 == 0) == (first == 2) else column  # noqa: PLR2004
    return total
