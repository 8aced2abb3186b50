"""Templates: for every row of the table a file that our own checks accept."""

from __future__ import annotations

import zipfile
from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pytest

from payouts.core.errors import UsageError
from payouts.intake.checks import Rules, check
from payouts.intake.coverage import coverage_of, load
from payouts.intake.frames import CANONICAL
from payouts.intake.reader import chunks
from payouts.intake.survey import survey
from payouts.intake.template import template_choices, template_frame, write_template

if TYPE_CHECKING:
    from pathlib import Path

    from payouts.core.coverage import CoverageRow

COVERAGE = load()
TABLE = coverage_of(COVERAGE)
RULES = Rules(COVERAGE, "sandbox", date(2026, 11, 20), has_reference=True)
PAYABLE = [row for row in TABLE.rows if row.pays]


def canonical(frame: pl.DataFrame) -> pl.DataFrame:
    absent = [
        pl.lit(None, pl.String).alias(name) for name in CANONICAL if name not in frame.columns
    ]
    return frame.with_row_index("line", 2).with_columns(pl.col("line").cast(pl.Int64), *absent)


def name_of(row: CoverageRow) -> str:
    return f"{row.country} {row.currency} {row.method}"


@pytest.mark.parametrize("row", PAYABLE, ids=name_of)
def test_every_coverage_row_can_be_paid_by_its_own_template_lines(row: CoverageRow) -> None:
    frame = template_frame(COVERAGE, row.country, row.method, row.currency)

    checked = check(canonical(frame), RULES)

    assert checked.good.height == 2
    assert set(checked.problems["code"]) <= ({row.warning} if row.warning else set())
    assert set(checked.good["provider"]) == {row.provider}


@pytest.mark.parametrize("row", PAYABLE[::9], ids=name_of)
def test_examples_are_refused_in_live_as_they_stand(row: CoverageRow) -> None:
    """Nobody knows who holds the account of an example."""
    frame = template_frame(COVERAGE, row.country, row.method, row.currency)
    live = Rules(COVERAGE, "live", date(2026, 11, 20), has_reference=True)

    checked = check(canonical(frame), live)

    assert checked.good.height == 0
    assert checked.problems["code"].to_list().count("E_REFERENCE_EXAMPLE") == 2


def test_a_template_has_the_columns_that_its_row_requires_in_the_usual_order() -> None:
    for row in PAYABLE:
        columns = template_frame(COVERAGE, row.country, row.method, row.currency).columns

        assert set(row.required) <= set(columns)
        assert columns == [name for name in CANONICAL if name in columns]


@pytest.mark.parametrize(
    ("country", "method", "currency", "said"),
    [
        ("Atlantis", "pix", None, "'Atlantis' is no country"),
        ("Brasil", "pix", None, r"near it Brazil \(BR\)"),
        ("US", "ach", None, "nobody can be paid in United States"),
        ("BJ", "bank", None, "it may be mobile_money"),
        ("CO", "pse", None, "it may be cards, cash, bank_transfer, daviplata, nequi"),
        ("TR", "eft", "EUR", "it may be TRY"),
    ],
)
def test_what_cannot_be_paid_has_no_template_and_is_told_why(
    country: str, method: str, currency: str | None, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        template_frame(COVERAGE, country, method, currency)


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_a_written_template_is_read_back_by_our_own_reader(tmp_path: Path, suffix: str) -> None:
    frame = template_frame(COVERAGE, "GH", "bank_transfer")
    path = tmp_path / f"template.{suffix}"

    write_template(frame, path, template_choices(COVERAGE, frame))

    lines = pl.concat([chunk.lines for chunk in chunks(survey(path))])
    assert lines.select(frame.columns).equals(frame)
    assert check(lines, RULES).good.height == 2


def test_a_workbook_keeps_accounts_as_text_and_offers_choices(tmp_path: Path) -> None:
    """A numeric cell would lose the zeros of a bank code and the tail of a CLABE."""
    frame = template_frame(COVERAGE, "CO", "bank_transfer")
    path = tmp_path / "template.xlsx"
    choices = template_choices(COVERAGE, frame)

    write_template(frame, path, choices)

    with zipfile.ZipFile(path) as book:
        sheet, styles = book.read("xl/worksheets/sheet1.xml"), book.read("xl/styles.xml")
    assert choices["method"] == ("cards", "cash", "bank_transfer", "daviplata", "nequi")
    assert sheet.count(b"<dataValidation ") == len(choices)
    assert b'numFmtId="49"' in styles
    assert b"<v>0" not in sheet.replace(b't="s"><v>', b"")


def test_choices_are_offered_only_for_columns_of_the_template() -> None:
    frame = template_frame(COVERAGE, "BJ", "mobile_money")

    assert template_choices(COVERAGE, frame) == {
        "country": ("BJ",),
        "currency": ("XOF",),
        "method": ("mobile_money",),
    }
