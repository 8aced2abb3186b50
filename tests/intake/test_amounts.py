"""Amount columns: the verdicts of core.money, a million at a time."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payouts.core.currencies import CURRENCIES, Currency
from payouts.core.errors import AmountError
from payouts.core.money import MINOR_MAX, format_minor, parse_minor
from payouts.intake.amounts import text, with_minor

UNITS = st.sampled_from(sorted(CURRENCIES.values(), key=str))
TEXTS = (
    st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{0,9})?", fullmatch=True)
    | st.from_regex(r"0{0,4}\.?0{0,4}", fullmatch=True)
    | st.text(max_size=8)
    | st.sampled_from(["1e3", "NaN", "+1", "٣", "1.2.3", "1,000.00", "--1", "1" * 400])
)


def read(*amounts: tuple[str | None, int | None]) -> list[tuple[int | None, str | None]]:
    schema = {"amount": pl.String, "exponent": pl.Int8}
    made = with_minor(pl.DataFrame(amounts, schema=schema, orient="row"))
    return made.select("amount_minor", "amount_code").rows()


def expected(amount: str, unit: Currency) -> tuple[int | None, str | None]:
    try:
        minor = parse_minor(amount, unit)
    except AmountError as error:
        return None, error.code
    return (minor, None) if minor else (None, "E_AMOUNT_ZERO")


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, UNITS), min_size=1, max_size=50))
def test_a_column_gets_the_verdicts_of_the_single_amounts(
    pairs: list[tuple[str, Currency]],
) -> None:
    made = read(*((amount, unit.exponent) for amount, unit in pairs))

    assert made == [expected(amount, unit) for amount, unit in pairs]


@settings(deadline=None)
@given(st.integers(1, MINOR_MAX), UNITS)
def test_minor_units_are_written_as_the_text_that_is_read_back(minor: int, unit: Currency) -> None:
    frame = pl.DataFrame({"minor": [minor], "exponent": [unit.exponent]})

    written = frame.select(text(pl.col("minor"), pl.col("exponent"))).item()

    assert written == format_minor(minor, unit.exponent)
    assert read((written, unit.exponent)) == [(minor, None)]


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (None, "E_AMOUNT_MISSING"),
        ("x", "E_AMOUNT_FORMAT"),
        ("-3", "E_AMOUNT_NEGATIVE"),
        ("12.345678", None),
        ("1" * 30, None),
    ],
)
def test_without_a_currency_only_the_form_is_judged(amount: str | None, code: str | None) -> None:
    assert read((amount, None)) == [(None, code)]


def test_the_last_minor_unit_of_a_large_amount_is_kept() -> None:
    """A float has 53 bits: 9999999999999.99 would come back as something else."""
    assert (
        read(("9999999999999.99", 2), ("999999999.999999", 6), ("999999999999999", 0))
        == [(MINOR_MAX, None)] * 3
    )


def test_other_columns_and_their_order_stay() -> None:
    frame = pl.DataFrame({"line": [7], "amount": ["1"], "exponent": [2], "name": ["Ana"]})

    assert with_minor(frame).columns == [*frame.columns, "amount_code", "amount_minor"]
