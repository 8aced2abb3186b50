"""Staged expressions: shared parts once, groups each by their own expression, order kept."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from payouts.intake.identifiers.staged import by_value, by_word, first, staged


def test_a_stage_reads_the_stages_before_it_and_runs_once() -> None:
    runs: list[int] = []

    def counted(series: pl.Series) -> pl.Series:
        runs.append(len(series))
        return series

    part = pl.col("text").map_batches(counted, return_dtype=pl.String)
    answer = pl.when(pl.col("part") == "b").then(pl.col("part") + pl.col("part"))
    frame = pl.DataFrame({"text": ["a", "b", None]})

    expression = staged({"text": pl.col("text")}, {"part": part}, {"answer": answer})

    assert frame.select(expression).to_series().to_list() == [None, "bb", None]
    assert runs == [3]


def test_the_first_error_comes_before_any_warning() -> None:
    frame = pl.DataFrame(
        {
            "one": ["W_A", "E_A", None, "W_A", None],
            "two": ["E_B", "E_B", "W_B", "W_B", None],
        }
    )

    codes = frame.select(first(pl.col("one"), pl.col("two"))).to_series().to_list()

    assert codes == ["E_B", "E_A", "W_B", "W_A", None]


def test_each_group_gets_its_own_expression_in_the_order_of_the_rows() -> None:
    frame = pl.DataFrame({"text": ["1", "2", "3", "4"], "key": ["a", "b", "a", None]})
    columns = {"text": pl.col("text"), "key": pl.col("key")}

    answer = by_value(columns, "key", lambda value: pl.col("text") + pl.lit(f"-{value}"))

    assert frame.select(answer).to_series().to_list() == ["1-a", "2-b", "3-a", "4-"]
    assert frame.head(0).select(answer).to_series().to_list() == []


@given(st.lists(st.sampled_from(["Cpf", "cnpj", "", None, "CPF "])))
def test_a_word_means_the_same_however_often_it_stands(words: list[str | None]) -> None:
    """Few words are read once each; where nearly all differ they are read row by row."""
    frame = pl.DataFrame({"word": words}, schema={"word": pl.String})

    def meant(word: pl.Expr) -> pl.Expr:
        return pl.when(word.str.to_lowercase().str.contains("cpf")).then(pl.lit("person"))

    made = frame.select(by_word(pl.col("word"), meant)).to_series()

    assert made.to_list() == frame.select(meant(pl.col("word"))).to_series().to_list()


@given(st.lists(st.tuples(st.text("ab"), st.sampled_from(["a", "b", None])), max_size=6))
def test_a_group_that_is_all_of_the_frame_is_answered_like_others(
    rows: list[tuple[str, str | None]],
) -> None:
    frame = pl.DataFrame(rows, schema={"text": pl.String, "key": pl.String}, orient="row")
    columns = {"text": pl.col("text"), "key": pl.col("key")}

    made = frame.select(by_value(columns, "key", lambda key: pl.col("text") + pl.lit(f"-{key}")))

    assert made.to_series().to_list() == [f"{text}-{key or ''}" for text, key in rows]
