"""Text: what is taken out of an identifier, what stays, and what may be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.intake.identifiers import text

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("written", "damaged"),
    [
        ("8.93E+19", True),
        ("8,93E+19", True),
        ("8.93e+19", True),
        ("1E+15", True),
        ("12345678.0", True),
        ("12345678.00", True),
        ("12.345.678", False),
        ("123.456.789-09", False),
        ("DE89E+10", False),
        ("1e5@example.com", False),
        ("", False),
        (None, None),
    ],
)
def test_a_number_that_a_spreadsheet_made_is_recognised(
    written: str | None, *, damaged: bool | None
) -> None:
    frame = pl.DataFrame({"account": [written]}, schema={"account": pl.String})

    assert frame.select(text.is_damaged(pl.col("account"))).item() is damaged


@given(st.text())
def test_tidying_takes_out_and_never_puts_in(written: str) -> None:
    frame = pl.DataFrame({"account": [written]})

    bare = frame.select(text.compact(pl.col("account"))).item()

    rest = iter(written)
    assert all(character in rest for character in bare)
    assert [c for c in bare if c.isalnum()] == [c for c in written if c.isalnum()]


def test_what_is_shown_is_the_last_four_or_less(answers: Callable[..., list[str | None]]) -> None:
    accounts = ["DE89370400440532013000", "12345678", "1234567", "12", "", None]

    assert answers(text.last4, accounts) == ["3000", "5678", "67", "12", "", None]
    assert answers(text.masked, accounts[:3]) == ["…3000", "…5678", "…67"]


def test_only_ascii_changes_its_case(answers: Callable[..., list[str | None]]) -> None:
    """A dotless i would become an I, the Kelvin sign a k: letters that nobody wrote."""
    assert answers(text.upper, ["ab1", "d\u0131", "\u00df", None]) == [
        "AB1",
        "d\u0131",
        "\u00df",
        None,
    ]
    assert answers(text.lower, ["AB1", "\u212a", None]) == ["ab1", "\u212a", None]
