"""`explain` knows the words that are stored beside items and runs, and none that are not."""

from __future__ import annotations

import pytest

from payouts.cli import explain

_word_meaning = vars(explain)["_word_meaning"]


@pytest.mark.parametrize(
    ("word", "means"),
    [
        ("funds", "not enough money"),
        ("person", "somebody held it"),
        ("unknown", "no readable answer"),
        ("account_closed", "the destination account is closed"),
        ("account_closed: The account is closed", "the destination account is closed"),
        ("http_502", "the platform answered 502"),
        ("bisect:250", "sent in halves"),
    ],
)
def test_a_stored_word_is_explained(word: str, means: str) -> None:
    said = _word_meaning(word)

    assert said is not None
    assert means in said[0]
    assert "`payouts " in said[1]


@pytest.mark.parametrize("word", ["INV-7", "INV: 7", "http_999999", "", "pay_000001"])
def test_any_other_word_is_left_to_the_search_for_items(word: str) -> None:
    assert _word_meaning(word) is None
