"""The scope of SEPA, and where the libraries' lists are out of date."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pytest
from schwifty.registry import get_iban_spec

from payouts.intake.identifiers import sepa

if TYPE_CHECKING:
    from collections.abc import Callable

TODAY = date(2026, 11, 20)


def test_there_are_41_countries_and_territories_count_with_their_mother_country() -> None:
    assert len(sepa.MEMBERS) == 41
    assert set(sepa.TERRITORIES.values()) - {"GI"} <= set(sepa.MEMBERS)
    assert not set(sepa.MEMBERS) & set(sepa.TERRITORIES)


def test_schwiftys_list_differs_in_nine_countries() -> None:
    """It lacks those that joined since 2024 and has the French territories of the Pacific."""
    theirs = {
        country
        for country in (*sepa.SCOPE, "NC", "PF", "WF", "TF", "GL", "FO", "TR", "UA", "XK", "BA")
        if get_iban_spec(country).in_sepa_zone
    }

    assert sepa.SCOPE - theirs == {"AL", "ME", "MD", "MK", "RS"}
    assert theirs - sepa.SCOPE == {"NC", "PF", "WF", "TF"}


@pytest.mark.parametrize(
    ("country", "on", "reached"),
    [
        ("RS", date(2026, 4, 30), False),
        ("RS", date(2026, 5, 1), True),
        ("MD", date(2025, 10, 4), False),
        ("MD", date(2025, 10, 5), True),
        ("GB", TODAY, True),
        ("RE", TODAY, True),
        ("TR", TODAY, False),
        ("NC", TODAY, False),
    ],
)
def test_a_country_is_in_scope_from_its_day_on(country: str, on: date, *, reached: bool) -> None:
    frame = pl.DataFrame({"country": [country]})

    assert frame.select(sepa.in_scope(pl.col("country"), on=on)).item() is reached


@pytest.mark.parametrize(
    ("account", "country", "code"),
    [
        ("DE89370400440532013000", "DE", None),
        ("DE89370400440532013000", "FR", "W_IBAN_OTHER_COUNTRY"),
        ("FR1420041010050500013M02606", "RE", None),
        ("GI75NWBK000000007099453", "GI", None),
        ("GI75NWBK000000007099453", "GB", "W_IBAN_OTHER_COUNTRY"),
        ("GB29NWBK60161331926819", "JE", None),
        ("TR330006100519786457841326", "DE", "E_SEPA_SCOPE"),
        ("XK051212012345678906", "XK", "E_SEPA_SCOPE"),
        ("DE89370400440532013000", None, None),
        (None, "DE", None),
    ],
)
def test_the_account_decides_and_the_line_may_differ_with_a_warning(
    answers: Callable[..., list[str | None]],
    account: str | None,
    country: str | None,
    code: str | None,
) -> None:
    assert answers(sepa.problem, [account], [country]) == [code]
