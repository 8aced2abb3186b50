"""Reject files: the lines that were not accepted, as they came, with the reason beside each.

A person repairs them in place and drops the file again: the payer's columns are untouched and in
order, in the file's own dialect, and the five columns that we add are read over.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.core.errors import InvariantError
from payouts.core.problems import KINDS
from payouts.intake.columns import OWN
from payouts.intake.output import Delimited, neutralised, whole_file
from payouts.intake.reader import originals

if TYPE_CHECKING:
    from pathlib import Path

    from payouts.intake.survey import Survey

__all__ = ["told", "write_rejects"]

_JOINT: Final = " | "
_TOLD: Final = pl.Schema({"line": pl.Int64, **dict.fromkeys(OWN[1:], pl.String)})


def write_rejects(survey: Survey, problems: pl.DataFrame, path: Path) -> int:
    """Write the lines that have an `E_` problem; no file is made when there are none.

    Args:
        survey: of the file, which is read again.
        problems: see `frames.PROBLEMS`; of the whole file, in any order. Warnings of a rejected
            line are told too; lines with warnings alone are not rejected.
        path: replaced if it exists.

    Returns:
        How many lines were written.

    Raises:
        InvariantError: a problem names a line that the file does not have.
        FileRefusedError: E_FILE_CHANGED when the file is no longer the one that was surveyed.
    """
    reasons = told(problems)
    if not reasons.height:
        return 0
    count = 0
    own = [neutralised(name) for name in OWN[1:]]
    with whole_file(path) as file:
        out = Delimited(file, survey)
        out.header((*survey.header, *OWN))
        for original in originals(survey):
            first, last = original["line"][0], original["line"][-1]
            near = reasons.filter(pl.col("line").is_between(first, last))
            if near.height:
                found = original.join(near, on="line", how="inner", maintain_order="left")
                out.rows(found.select(*survey.header, pl.col("line").cast(pl.String), *own))
                count += found.height
        if count != reasons.height:
            raise InvariantError(f"{reasons.height} lines were rejected, {count} are in the file")
    return count


def told(problems: pl.DataFrame) -> pl.DataFrame:
    """Put the problems of each rejected line into words.

    Returns:
        `line` (unique, ascending), `error_code`, `error_column`, `error_message`, `hint`: several
        problems of one line joined by ` | `, errors before warnings, a hint given once.
    """
    rejected = problems.filter(pl.col("code").str.starts_with("E_"))["line"].unique()
    some = problems.filter(pl.col("line").is_in(rejected.implode())).unique(maintain_order=True)
    ordered = some.with_columns(pl.col("code").str.starts_with("W_").alias("warning")).sort(
        "line", "warning", maintain_order=True
    )
    rows = ordered.select("line", "code", "column", "value", "allowed").iter_rows()
    return pl.DataFrame(
        [_row(line, list(group)) for line, group in groupby(rows, key=lambda row: row[0])],
        schema=_TOLD,
        orient="row",
    )


def _row(line: int, found: list[tuple[int, str, str, str, str]]) -> tuple[int, str, str, str, str]:
    codes, columns, messages, hints = [], [], [], []
    for _, code, column, value, allowed in found:
        kind = KINDS.get(code)
        codes.append(code)
        columns.append(column or "")
        messages.append(_filled(kind.message, value, allowed) if kind else code)
        hints.append(_filled(kind.hint, value, allowed) if kind else "")
    joined = _JOINT.join(dict.fromkeys(hint for hint in hints if hint))
    return line, _JOINT.join(codes), _JOINT.join(columns), _JOINT.join(messages), joined


def _filled(text: str, value: str | None, allowed: str | None) -> str:
    return text.replace("{value}", value or "").replace("{allowed}", allowed or "")
