"""Spreadsheet damage in text: what Excel has done to a number before the file was written.

`8.93E+19` has lost its digits. Lost leading zeros are provable only where check digits fit again
once the zeros are back; anything else is left to the checks of the identifier itself.

>>> lost_zeros("MX", "account", "2180004118359719")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.intake.cards import is_card
from payouts.intake.frames import (
    ACCOUNT_COLUMNS,
    CANONICAL,
    masked,
    no_problems,
    one_problem,
    problem_frame,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["damage", "lost_zeros"]

_EXPONENT: Final = r"^[+-]?[0-9](?:[.,][0-9]+[eE]\+?|[0-9]*[eE]\+)[0-9]{1,3}$"
_ERRORS: Final = r"^#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|SPILL!|CALC!|#{3,})$"
_DIGIT_COLUMNS: Final = (*ACCOUNT_COLUMNS, "reference")


def damage(lines: pl.DataFrame) -> pl.DataFrame:
    """Find spreadsheet damage in a lines frame and return it as a problems frame.

    Codes: E_SPREADSHEET_EXPONENT, E_SPREADSHEET_ZEROS, E_SPREADSHEET_ERROR.
    """
    found = [no_problems()]
    for column in (name for name in _DIGIT_COLUMNS if lines[name].null_count() < lines.height):
        hit = lines.filter(pl.col(column).str.contains(_EXPONENT))
        if hit.height:
            found.append(problem_frame(hit, "E_SPREADSHEET_EXPONENT", column, pl.col(column)))
    found.extend(_errors(lines))
    found.extend(_zeros(lines))
    return pl.concat(found)


def _errors(lines: pl.DataFrame) -> list[pl.DataFrame]:
    texts = [name for name in CANONICAL if lines[name].null_count() < lines.height]
    if not texts:
        return []
    marked = lines.select(pl.col(texts).str.starts_with("#").any()).row(0, named=True)
    found = []
    for column in (name for name, hit in marked.items() if hit):
        hit = lines.filter(pl.col(column).str.contains(_ERRORS))
        if hit.height:
            found.append(problem_frame(hit, "E_SPREADSHEET_ERROR", column, pl.col(column)))
    return found


def _zeros(lines: pl.DataFrame) -> list[pl.DataFrame]:
    found = []
    here = lines["country"].unique()
    for (country, column), (length, short, _) in _RULES.items():
        spelled = here.filter(here.str.to_uppercase().is_in(_NAMES[country]))
        if not spelled.len():
            continue
        digits = pl.col(column)
        size = lines[column].str.len_bytes()
        # The two cheap questions first; the others only to the few lines that are left.
        hit = (
            lines.select("line", "country", column)
            .filter(size.is_between(length - short, length - 1))
            .filter(pl.col("country").is_in(spelled.implode()))
            .filter(digits.str.contains(r"^[1-9][0-9]+$"))
            .select("line", column, masked(digits).alias("shown"))
        )
        for line, text, shown in hit.iter_rows():
            zeros = lost_zeros(country, column, text)
            if zeros:
                allowed = f"{zeros} zero{'s' if zeros > 1 else ''} in front"
                found.append(one_problem(line, "E_SPREADSHEET_ZEROS", column, shown, allowed))
    return found


def lost_zeros(country: str, column: str, digits: str) -> int | None:
    """Count the leading zeros that `digits` has lost, where its check digits prove it.

    Args:
        country: ISO 3166 alpha-2.
        column: our column.
        digits: what is left of the identifier.
    """
    rule = _RULES.get((country, column))
    if rule is None:
        return None
    length, short, fits = rule
    lost = length - len(digits)
    whole = digits.zfill(length)
    proven = 0 < lost <= short and len(set(whole)) > 1 and fits(whole)
    return lost if proven and not is_card(int(digits)) else None


def _weighted(digits: str, weights: str) -> int:
    return sum(int(digit) * int(weight) for digit, weight in zip(digits, weights, strict=True))


def _clabe(digits: str) -> bool:
    """Weights 3, 7, 1, each product modulo 10 (Banco de México)."""
    products = (int(d) * w % 10 for d, w in zip(digits[:17], (3, 7, 1) * 6, strict=False))
    return (10 - sum(products) % 10) % 10 == int(digits[17])


def _cbu(digits: str) -> bool:
    """Two blocks, weights 3, 1, 7, 9 from the right of each (BCRA)."""
    blocks = (digits[:8], digits[8:])
    return all(
        (10 - _weighted(block[:-1], "3971397139713"[-len(block) + 1 :]) % 10) % 10 == int(block[-1])
        for block in blocks
    )


def _cci(digits: str) -> bool:
    """Two check digits, weights 1, 2 from the left, digits of products summed."""

    def control(block: str) -> int:
        products = (int(d) * (1 + i % 2) for i, d in enumerate(block))
        return (10 - sum(p // 10 + p % 10 for p in products) % 10) % 10

    return f"{control(digits[:6])}{control(digits[6:18])}" == digits[18:]


def _cpf(digits: str) -> bool:
    """Two digits modulo 11 (Receita Federal)."""

    def control(block: str) -> int:
        total = sum(int(d) * w for d, w in zip(reversed(block), range(2, 12), strict=False))
        return 0 if total % 11 < 2 else 11 - total % 11  # noqa: PLR2004  10 and 11 are written 0

    return f"{control(digits[:9])}{control(digits[:10])}" == digits[9:]


def _aba(digits: str) -> bool:
    """Weights 3, 7, 1 modulo 10 (American Bankers Association)."""
    return _weighted(digits, "371371371") % 10 == 0


_RULES: Final[dict[tuple[str, str], tuple[int, int, Callable[[str], bool]]]] = {
    ("MX", "account"): (18, 2, _clabe),
    ("AR", "account"): (22, 9, _cbu),
    ("PE", "account"): (20, 2, _cci),
    ("BR", "document"): (11, 3, _cpf),
    ("US", "bank_code"): (9, 2, _aba),
}
"""Length of the identifier, how many zeros it can have lost, and its check digits."""

_NAMES: Final = {
    "MX": ("MX", "MEX", "MEXICO", "MÉXICO"),
    "AR": ("AR", "ARG", "ARGENTINA"),
    "PE": ("PE", "PER", "PERU", "PERÚ"),
    "BR": ("BR", "BRA", "BRAZIL", "BRASIL"),
    "US": ("US", "USA", "UNITED STATES"),
}
