"""Ahead: the next piece of a stream is made while the last one is used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ahead"]

_Piece = TypeVar("_Piece")


def ahead(pieces: Iterator[_Piece]) -> Iterator[_Piece]:
    """Give the pieces in order; one thread makes the next one, and only that one, beforehand.

    What making a piece raises is raised where the piece would have come. An iterator that is left
    early has made at most one piece too many; the thread has ended when this generator has.

    >>> list(ahead(iter([1, 2, 3])))
    [1, 2, 3]
    """
    over = object()
    with ThreadPoolExecutor(1, "payouts-ahead") as pool:
        coming = pool.submit(next, pieces, over)
        while (piece := coming.result()) is not over:
            coming = pool.submit(next, pieces, over)
            yield cast("_Piece", piece)
