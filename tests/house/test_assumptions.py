"""What we assume of the platforms is written down once, and everything cited is in the list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.house.tracked import ROOT, text_files

if TYPE_CHECKING:
    from pathlib import Path

REGISTER = ROOT / "payouts" / "notes" / "assumptions.md"
ID = re.compile(r"\bA-[A-Z]{3}-[0-9]+\b")
ROWS = re.findall(
    r"^\| (A-[A-Z]{3}-[0-9]+) \| (.+) \| (.+) \|$", REGISTER.read_text(), re.MULTILINE
)
KNOWN = {row[0] for row in ROWS}


def cited() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in text_files():
        if path != REGISTER:
            for name in set(ID.findall(path.read_text("utf-8"))):
                found.setdefault(name, []).append(path)
    return found


def test_no_assumption_is_listed_twice() -> None:
    assert len(ROWS) == len(KNOWN) > 30


@pytest.mark.parametrize("name", sorted(cited()))
def test_every_cited_assumption_is_in_the_register(name: str) -> None:
    assert name in KNOWN, f"{[str(path) for path in cited()[name]]} cite it"


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_an_assumption_says_what_and_why(row: tuple[str, str, str]) -> None:
    _, what, why = row

    assert what.endswith(".")
    assert why.endswith(".")
