"""Decimal marks: whether a file writes 10.50 or 10,50, decided only when an amount proves it.

An amount proves a mark when it can be read in one way: `10,5` has a decimal comma, `1.234,56` has
both marks, `1,234` proves nothing. A file without any comma in its amounts has decimal points.

>>> Evidence().seen(pl.DataFrame({"line": [2, 3], "amount": ["1.234,50", "7"]})).mark()
','
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import polars as pl

from payouts.intake.refusal import refused

__all__ = ["Evidence", "Mark", "grouped", "with_points"]

Mark = Literal[".", ","]

_GROUPS: Final = r"[0-9]{1,3}(?:\.[0-9]{3})+"
_COMMA_PROOF: Final = (
    r"^[0-9]+,(?:[0-9]{1,2}|[0-9]{4,})$"  # 10,5  10,50  0,1234
    r"|^(?:0|[0-9]{4,}),[0-9]{3}$"  # 0,125  1234,567
    rf"|^{_GROUPS},[0-9]+$"  # 1.234,56
    r"|^[0-9]{1,3}(?:\.[0-9]{3}){2,}$"  # 1.234.567
)
_POINT_PROOF: Final = (
    r"^[0-9]+\.(?:[0-9]{1,2}|[0-9]{4,})$"  # 10.5  10.50  0.1234
    r"|^(?:0|[0-9]{4,})\.[0-9]{3}$"  # 0.125  1234.567
    r"|^[0-9]{1,3}(?:,[0-9]{2,3})+\.[0-9]+$"  # 1,234.56, also grouped as in India
    r"|^[0-9]{1,3}(?:,[0-9]{2,3})+,[0-9]{3}$"  # 1,234,567
)
_DOUBTFUL: Final = r"^[0-9]{1,3},[0-9]{3}$"
_DOUBTFUL_POINT: Final = r"^[0-9]{1,3}\.[0-9]{3}$"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the amounts of a file have proven so far; each part is (line, amount) or None.

    Args:
        comma: an amount that has a decimal comma.
        point: an amount that has a decimal point.
        doubtful: an amount such as `1,234`.
        doubtful_point: an amount such as `1.234`, which is in doubt only where the file's
            delimiter is a semicolon: spreadsheets write one where the comma is the decimal mark.
    """

    comma: tuple[int, str] | None = None
    point: tuple[int, str] | None = None
    doubtful: tuple[int, str] | None = None
    doubtful_point: tuple[int, str] | None = None

    def seen(self, lines: pl.DataFrame) -> Evidence:
        """Look at more lines.

        Args:
            lines: has `line` and `amount` as text, stripped.
        """
        found = self
        if found.point is None:
            found = replace(
                found,
                point=_first(lines, _POINT_PROOF),
                doubtful_point=found.doubtful_point or _first(lines, _DOUBTFUL_POINT),
            )
        commas = lines.filter(pl.col("amount").str.contains(",", literal=True))
        if commas.height and found.doubtful is None:
            found = replace(found, doubtful=_first(commas, _DOUBTFUL))
        if found.comma is None and (commas.height or found.point is None):
            found = replace(found, comma=_first(lines, _COMMA_PROOF))
        return found

    def mark(self, delimiter: str = ",") -> Mark:
        """Decide.

        Args:
            delimiter: between the cells of the file.

        Raises:
            FileRefusedError: E_FILE_DECIMAL_MIXED, E_FILE_DECIMAL_AMBIGUOUS.
        """
        if self.comma and self.point:
            value = (
                f"'{self.comma[1]}' in line {self.comma[0]}, "
                f"'{self.point[1]}' in line {self.point[0]}"
            )
            raise refused("E_FILE_DECIMAL_MIXED", value=value)
        if self.comma:
            return ","
        doubt = self.doubtful or (self.doubtful_point if delimiter == ";" else None)
        if doubt and not self.point:
            line, amount = doubt
            raise refused("E_FILE_DECIMAL_AMBIGUOUS", value=amount, allowed=f"line {line}")
        return "."


def with_points(amount: pl.Expr, mark: Mark) -> pl.Expr:
    """Write amounts with decimal points; what is no amount of the file's mark stays as it is.

    Only in a file with decimal commas are thousands points taken away, and only from an amount
    that has a comma too: `1.234,56` becomes `1234.56`.
    """
    if mark == ".":
        return amount
    plain = amount.str.contains(r"^[0-9]+,[0-9]+$")
    both = amount.str.contains(rf"^{_GROUPS},[0-9]+$")
    bare = amount.str.replace_all(".", "", literal=True)
    return (
        pl.when(plain)
        .then(amount.str.replace(",", ".", literal=True))
        .when(both)
        .then(bare.str.replace(",", ".", literal=True))
        .otherwise(amount)
    )


def grouped(amount: pl.Expr, mark: Mark) -> pl.Expr:
    """True where an amount of a file with decimal commas has points and no comma: `1.234`.

    A thousand or a decimal: read wrongly it is worth a factor of 1,000, so a person decides.
    """
    if mark == ".":
        return pl.lit(value=False)
    return amount.str.contains(r"^[0-9.]*\.[0-9.]*$")


def _first(lines: pl.DataFrame, pattern: str) -> tuple[int, str] | None:
    found = lines.filter(pl.col("amount").str.contains(pattern)).head(1)
    return (found["line"][0], found["amount"][0]) if found.height else None
