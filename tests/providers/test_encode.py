"""Encoding by expressions: JSON that any reader reads back, amounts digit by digit."""

from __future__ import annotations

import json
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.providers.encode import json_object, json_text, major_units

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]))
MINOR = st.integers(1, 2**63 - 1)


def encoded(values: list[str | None]) -> list[str | None]:
    frame = pl.DataFrame({"v": values}, schema={"v": pl.String})
    return frame.select(json_text(pl.col("v"))).to_series().to_list()


@given(st.lists(TEXTS, min_size=1))
def test_a_text_comes_back_as_it_was(values: list[str | None]) -> None:
    made = encoded(values)

    assert [None if text is None else json.loads(text) for text in made] == values


@pytest.mark.parametrize(
    "text", ['"', "\\", '"}', "\n", "\x00", "\x1f", "\x7f", "é", "😀", "\u2028", "{", '\\"', ""]
)
def test_a_text_cannot_leave_its_quotes(text: str) -> None:
    """A name that ends the string would add members of its own to a payment."""
    (made,) = encoded([text])

    assert made is not None
    assert json.loads(f'{{"name": {made}, "amount": 1}}') == {"name": text, "amount": 1}


def test_members_keep_their_order_and_missing_ones_are_left_out() -> None:
    frame = pl.DataFrame({"a": ["x", None, None], "b": ["y", "z", None]}, schema_overrides={})
    text = {name: json_text(pl.col(name)) for name in ("a", "b")}
    nested = json_object({"b": text["b"]})

    made = frame.select(json_object({"b": text["b"], "a": text["a"], "n": nested})).to_series()

    assert made.to_list() == [
        '{"b":"y","a":"x","n":{"b":"y"}}',
        '{"b":"z","n":{"b":"z"}}',
        '{"n":{}}',
    ]


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=6))
def test_an_object_has_just_the_members_that_are_there(rows: list[tuple[str | None, ...]]) -> None:
    """Columns that are full, empty or mixed are joined in three ways, to the same text."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys("abc", pl.String), orient="row")

    made = frame.select(json_object({name: json_text(pl.col(name)) for name in "abc"}))

    expected = [
        json.dumps(
            {name: text for name, text in zip("abc", row, strict=True) if text is not None},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        for row in rows
    ]
    assert [json.loads(text) for text in made.to_series()] == [json.loads(e) for e in expected]
    assert [list(json.loads(text)) for text in made.to_series()] == [
        list(json.loads(text)) for text in expected
    ]


@given(st.lists(st.tuples(MINOR, st.integers(0, 8)), min_size=1))
def test_major_units_are_the_minor_ones_with_a_point_between(
    pairs: list[tuple[int, int]],
) -> None:
    """P16: compared with Decimal, never through a float."""
    schema = {"minor": pl.Int64, "exponent": pl.Int64}
    frame = pl.DataFrame(pairs, schema=schema, orient="row")

    made = frame.select(major_units(pl.col("minor"), pl.col("exponent"))).to_series().to_list()

    assert made == [f"{Decimal(minor).scaleb(-exponent):f}" for minor, exponent in pairs]
    read = [json.loads(text, parse_float=Decimal) for text in made]
    assert read == [Decimal(minor).scaleb(-exponent) for minor, exponent in pairs]


@pytest.mark.parametrize(
    ("minor", "exponent", "text"),
    [(1250, 2, "12.50"), (5, 2, "0.05"), (1250, 0, "1250"), (1, 6, "0.000001"), (100, 2, "1.00")],
)
def test_an_amount_is_written_like_this(minor: int, exponent: int, text: str) -> None:
    frame = pl.DataFrame({"minor": [minor], "exponent": [exponent]})

    assert frame.select(major_units(pl.col("minor"), pl.col("exponent"))).item() == text
