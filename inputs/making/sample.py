"""A sample: one file, and what has to become of it."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Row", "Sample", "csv_text"]

Row = dict[str, str]
"""One line: our column → its text; a column that is absent is blank."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One file and what becomes of it.

    Args:
        name: path below the folder of samples.
        says: its line in README.md.
        refused: code with which the whole file is refused, empty where it is read.
        lines: data lines of a file that is read.
        codes: line number → all codes of that line, rejecting and warning, sorted. A line that is
            left out has none, or only `W_NAME_TRANSLITERATED`.
        repeats: line number → verdict on lines that repeat another.
    """

    name: str
    content: bytes
    says: str
    refused: str = ""
    lines: int = 0
    codes: dict[int, tuple[str, ...]] = field(default_factory=dict)
    repeats: dict[int, str] = field(default_factory=dict)


def csv_text(columns: tuple[str, ...], rows: list[Row]) -> str:
    """Comma separated text with a header; cells are quoted where they must be (RFC 4180)."""
    lines = [",".join(columns)]
    lines += [",".join(_cell(row.get(column, "")) for column in columns) for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n\r') else text
