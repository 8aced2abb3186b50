"""Repetition inside one file: found per chunk, in memory that does not grow with the file."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING

import polars as pl
import pytest

from payouts.intake import duplicates
from payouts.intake.frames import CANONICAL
from payouts.intake.reader import chunks
from payouts.intake.survey import survey

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "reference,country,currency,amount,method,account"


def marks(path: Path, rows: list[str], header: str = HEADER) -> list[tuple[int, str]]:
    path.write_text("\n".join((header, *rows)) + "\n")
    found = survey(path)
    parts = [found.duplicates.mark(chunk.lines) for chunk in chunks(found, rows=2)]
    counted = found.duplicates
    told = pl.concat(parts).rows()
    assert [verdict for _, verdict in told].count("duplicate") == counted.duplicates
    assert [verdict for _, verdict in told].count("conflict") == counted.conflicts
    return told


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["a,DE,EUR,1,sepa,X", "b,DE,EUR,1,sepa,X"], []),
        (["a,DE,EUR,1,sepa,X", "b,DE,EUR,1,sepa,X", "a,DE,EUR,1,sepa,X"], [(4, "duplicate")]),
        (["a,DE,EUR,1,sepa,X", "a,DE,EUR,1, sepa ,X"], [(3, "duplicate")]),
        (["a,DE,EUR,1,sepa,X", "a,DE,EUR,2,sepa,X"], [(2, "conflict"), (3, "conflict")]),
        (
            ["a,DE,EUR,1,sepa,X", "a,DE,EUR,1,sepa,X", "b,DE,EUR,1,sepa,X", "a,DE,EUR,2,sepa,X"],
            [(2, "conflict"), (3, "conflict"), (5, "conflict")],
        ),
        (["a,DE,EUR,1,sepa,X"] * 4, [(3, "duplicate"), (4, "duplicate"), (5, "duplicate")]),
        ([",DE,EUR,1,sepa,X", ",DE,EUR,1,sepa,X"], []),
        (["a,DE,EUR,1,sepa,X", "a,DE,EUR,1,sepa"], []),
    ],
)
def test_equal_references_are_duplicates_or_conflicts(
    tmp_path: Path, rows: list[str], expected: list[tuple[int, str]]
) -> None:
    assert marks(tmp_path / "payees.csv", rows) == expected


def test_a_cut_line_after_the_last_duplicate_has_no_verdict(tmp_path: Path) -> None:
    rows = ["a,DE,EUR,1,sepa,X", "a,DE,EUR,1,sepa,X", "a,DE", "b,DE"]

    assert marks(tmp_path / "payees.csv", rows) == [(3, "duplicate")]


def test_equal_lines_of_a_file_without_references_are_named(tmp_path: Path) -> None:
    rows = ["DE,EUR,1,sepa,X", "DE,EUR,2,sepa,X", "DE,EUR,1,sepa,X"]

    found = marks(tmp_path / "payees.csv", rows, HEADER.removeprefix("reference,"))

    assert found == [(4, "repeated_without_reference")]


def test_a_line_number_counts_physical_lines(tmp_path: Path) -> None:
    rows = ['"a\n\n1",DE,EUR,1,sepa,X', "", '"a\n\n1",DE,EUR,1,sepa,X']

    assert marks(tmp_path / "payees.csv", rows) == [(6, "duplicate")]


@pytest.mark.parametrize("kept", [1 << 20, 0])
def test_many_lines_are_compared_as_a_dictionary_would(
    monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """With nothing kept in memory, every row goes through the temporary files."""
    monkeypatch.setattr(duplicates, "_KEPT_IN_MEMORY", kept)
    chance = random.Random(1)  # noqa: S311  a seed
    rows = [(f"r-{chance.randrange(3_000)}", str(chance.randrange(2))) for _ in range(5_000)]
    seen: dict[str, list[int]] = defaultdict(list)
    for i, (reference, _) in enumerate(rows):
        seen[reference].append(i)
    expected: dict[int, str] = {}
    for places in seen.values():
        if len({rows[i][1] for i in places}) > 1:
            expected |= dict.fromkeys(places, "conflict")
        else:
            expected |= dict.fromkeys(places[1:], "duplicate")

    frame = pl.DataFrame(rows, schema=["reference", "amount"], orient="row").with_row_index("line")
    frame = frame.with_columns(
        pl.col("line").cast(pl.Int64),
        *(pl.lit(None, pl.String).alias(c) for c in CANONICAL if c not in ("reference", "amount")),
    )
    with duplicates.Gathering(has_reference=True) as gathering:
        for start in range(0, 5_000, 700):
            gathering.add(frame.slice(start, 700))
        found = gathering.compared()

    assert dict(found.mark(frame.select("line")).rows()) == expected
