"""Result files: every line of a payee file once, with what became of it.

The CSV is for spreadsheets, so cells that look like formulas are neutralised; its JSON Lines twin
holds the same values as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from payouts.core.errors import InvariantError
from payouts.intake.ahead import ahead
from payouts.intake.output import Delimited, neutralised, whole_file
from payouts.intake.reader import originals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from payouts.intake.survey import Survey

__all__ = ["write_results"]


def write_results(
    survey: Survey,
    outcomes: Callable[[int, int], pl.DataFrame],
    csv_path: Path,
    jsonl_path: Path,
) -> int:
    """Write both result files.

    Args:
        survey: of the file, which is read again.
        outcomes: gives, for a first and a last line (both included), a frame with `line` (Int64,
            unique) and the columns to add; every call must return the same columns.
        csv_path: replaced if it exists.
        jsonl_path: replaced if it exists.

    Returns:
        How many lines were written: as many as the file has.

    Raises:
        InvariantError: a line has two outcomes, or none.
        FileRefusedError: E_FILE_CHANGED when the file is no longer the one that was surveyed.
    """
    count = 0
    with whole_file(csv_path) as csv_file, whole_file(jsonl_path) as jsonl_file:
        out = Delimited(csv_file, survey)
        # The file and the database are read in one thread while another joins and writes.
        pages = ((page, outcomes(page["line"][0], page["line"][-1])) for page in originals(survey))
        for original, found in ahead(pages):
            rows = _joined(original, found, survey)
            if count == 0:
                out.header([_safe(name) for name in rows.columns])
            texts = rows.select(pl.all().cast(pl.String))
            out.rows(texts.select(neutralised(name) for name in texts.columns))
            rows.write_ndjson(jsonl_file)
            count += rows.height
    return count


def _joined(original: pl.DataFrame, found: pl.DataFrame, survey: Survey) -> pl.DataFrame:
    """Put the outcome of each line beside its original columns."""
    if found["line"].is_duplicated().any():
        raise InvariantError("a line of the file has two outcomes")
    names: Mapping[str, str] = {
        name: f"payouts_{name}" if name in survey.header else name
        for name in found.columns
        if name != "line"
    }
    added = found.rename(names).with_columns(pl.lit(value=True).alias("__found"))
    rows = original.join(added, on="line", how="left", maintain_order="left")
    if rows["__found"].null_count():
        raise InvariantError("a line of the file has no outcome")
    return rows.select(*survey.header, "line", *names.values())


def _safe(name: str) -> str:
    """Neutralise a column name, as its cells are."""
    return f"'{name}" if name[:1] in tuple("=+-@\t\r\0") else name
