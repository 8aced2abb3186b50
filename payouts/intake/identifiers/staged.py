"""Staged expressions: parts that several branches share are computed once.

Polars computes `pl.when(x).then(x)` by computing x twice where the frame is eager, and every branch
of a `when` for every row. A staged expression names its parts.

>>> frame = pl.DataFrame({"text": ["a b", None]})
>>> bare = {"bare": pl.col("text").str.replace(" ", "")}
>>> answer = {"answer": pl.when(pl.col("bare") == "ab").then(pl.col("bare"))}
>>> frame.select(staged({"text": pl.col("text")}, bare, answer)).to_series().to_list()
['ab', None]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["by_value", "by_word", "first", "staged"]


def staged(columns: Mapping[str, pl.Expr], *stages: Mapping[str, pl.Expr]) -> pl.Expr:
    """Compute named expressions in stages and give the one named `answer` (String).

    Args:
        columns: what the stages may read, from the frame of the caller.
        stages: each reads `columns` and the names of the stages before it.
    """

    def apply(values: pl.Series) -> pl.Series:
        frame = values.struct.unnest()
        for stage in stages:
            frame = frame.with_columns(**stage)
        return frame.get_column("answer").cast(pl.String).alias(values.name)

    packed = pl.struct(*(each.alias(name) for name, each in columns.items()))
    return packed.map_batches(apply, return_dtype=pl.String, is_elementwise=True)


def first(*problems: pl.Expr) -> pl.Expr:
    """The first problem code that rejects, else the first that warns, else null."""
    names = [f"problem_{position}" for position in range(len(problems))]
    errors = [pl.when(pl.col(name).str.starts_with("E_")).then(pl.col(name)) for name in names]
    answer = pl.coalesce(*errors, *(pl.col(name) for name in names))
    return staged(dict(zip(names, problems, strict=True)), {"answer": answer})


def by_word(words: pl.Expr, verb: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """Compute an expression (String) of a column that has few different texts, once for each."""

    def apply(values: pl.Series) -> pl.Series:
        distinct = values.unique().drop_nulls()
        if distinct.len() * 2 > values.len():
            return values.to_frame("word").select(verb(pl.col("word"))).to_series()
        known = distinct.to_frame("word").select("word", answer=verb(pl.col("word")))
        return values.replace_strict(known["word"], known["answer"], default=None).alias(
            values.name
        )

    return words.map_batches(apply, return_dtype=pl.String, is_elementwise=True)


def by_value(columns: Mapping[str, pl.Expr], key: str, verb: Callable[[str], pl.Expr]) -> pl.Expr:
    """Compute, for the rows of each value of one column, an expression of its own (String).

    Args:
        columns: what the expressions may read, `key` among them.
        verb: a value of `key` (empty text for null) → the expression.
    """

    def apply(values: pl.Series) -> pl.Series:
        frame = values.struct.unnest()
        if frame.height and frame[key].n_unique() == 1:
            answer = verb(frame.item(0, key) or "").cast(pl.String).alias(values.name)
            return frame.with_columns(answer).get_column(values.name)
        frame = frame.with_row_index("row_of_part")
        parts = [
            part.select("row_of_part", verb(value or "").cast(pl.String).alias("answer"))
            for (value,), part in frame.partition_by(key, as_dict=True).items()
        ]
        if not parts:
            return pl.Series(values.name, [], dtype=pl.String)
        whole = parts[0] if len(parts) == 1 else pl.concat(parts).sort("row_of_part")
        return whole.get_column("answer").alias(values.name)

    packed = pl.struct(*(each.alias(name) for name, each in columns.items()))
    return packed.map_batches(apply, return_dtype=pl.String, is_elementwise=True)
