"""Trailers: a last line that is no payment but says how many there are, or what they sum to.

It must be right: a total that does not fit its lines means that lines are missing or changed.

>>> is_trailer(["TOTAL", "", "", "120.00"], {"account": "", "method": ""})
True
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.intake.decimals import Mark, with_points
from payouts.intake.refusal import refused
from payouts.intake.templates import key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["WORDS", "Sum", "checked", "is_trailer"]

WORDS: Final = frozenset(
    {
        *("total", "totals", "grandtotal", "totalamount", "sum", "subtotal", "summe", "gesamt"),
        *("toplam", "geneltoplam", "suma", "totale", "gesamtsumme", "totaux", "trailer", "trl"),
        *("footer", "eof", "count", "recordcount", "controltotal", "endoffile"),
    }
)
_NUMBER: Final = re.compile(r"[0-9][0-9.,' \u00a0]{0,40}")
_AMOUNT: Final = r"^[0-9]{1,15}(?:\.[0-9]{1,9})?$"
_SCALE: Final = 9


def is_trailer(cells: Sequence[str], columns: Mapping[str, str]) -> bool:
    """Tell whether a last line is a total.

    Args:
        cells: of the line.
        columns: our column → its cell, as far as the line is wide enough: a line that names
            an account or a method is a payment, even to somebody called Total.
    """
    first = next((cell for cell in cells if cell.strip()), "")
    words = {key(part) for part in (first, first.partition(":")[0])}
    paid = any((columns.get(ours) or "").strip() for ours in ("account", "method", "phone"))
    return bool(words & WORDS) and not paid


@dataclass(slots=True)
class Sum:
    """The exact sum of a file's amounts, in billionths, read with either decimal mark."""

    count: int = 0
    unreadable: int = 0
    points: int = 0
    commas: int = 0
    unreadable_commas: int = 0

    def add(self, lines: pl.DataFrame, unreadable: int) -> None:
        """Add the amounts of lines as they are written; count those that are no amounts."""
        self.count += lines.height + unreadable
        for mark in (".", ","):
            total, wrong = _total(lines.select(with_points(pl.col("amount"), mark)))
            if mark == ".":
                self.points, self.unreadable = self.points + total, self.unreadable + wrong
            else:
                self.commas += total
                self.unreadable_commas += wrong
        self.unreadable += unreadable
        self.unreadable_commas += unreadable


def checked(cells: Sequence[str], found: Sum, mark: Mark) -> str:
    """Compare a trailer with what it speaks of, and describe it in a sentence.

    Each number in it must be the sum of the amounts or the number of lines.

    Raises:
        FileRefusedError: E_FILE_TRAILER.
    """
    scaled = found.points if mark == "." else found.commas
    wrong = found.unreadable if mark == "." else found.unreadable_commas
    total = Decimal(scaled).scaleb(-_SCALE)
    first = next(i for i, cell in enumerate(cells) if cell.strip())
    numbers = [cell.strip() for cell in _numbers(cells[first + 1 :], cells[first])]
    spoken = f"{found.count:,} lines and {_money(total)}"
    for text in numbers:
        value = _value(text, mark)
        if value not in (total, found.count):
            raise refused("E_FILE_TRAILER", value=f"it says {text[:30]}", allowed=spoken)
        if value == total and value != found.count and wrong:
            raise refused(
                "E_FILE_TRAILER",
                value=f"it says {text[:30]}, and {wrong} amounts cannot be read",
                allowed=spoken,
            )
    return f"The last line is a total ({spoken}); it fits and is no payment."


def _money(total: Decimal) -> str:
    """Write a sum with at least two decimals.

    >>> _money(Decimal("30.500000000")), _money(Decimal("0.125"))
    ('30.50', '0.125')
    """
    short = total.quantize(Decimal("0.01"), context=Context(prec=60))
    return f"{short if short == total else total.normalize():f}"


def _numbers(cells: Sequence[str], first: str) -> list[str]:
    """Give the cells that are numbers; `Total: 120.00` may hold one itself."""
    inline = first.partition(":")[2].strip()
    candidates = [inline, *cells] if inline else list(cells)
    return [cell for cell in candidates if _NUMBER.fullmatch(cell.strip())]


def _value(text: str, mark: Mark) -> Decimal:
    """Read a number of a trailer, which may be grouped."""
    other = "," if mark == "." else "."
    bare = re.sub(r"[' \u00a0]", "", text).replace(other, "").replace(mark, ".")
    return Decimal(bare) if bare.count(".") <= 1 else Decimal(-1)


def _total(amounts: pl.DataFrame) -> tuple[int, int]:
    """Sum texts with decimal points exactly, in billionths; count those that are no amounts."""
    amount = pl.col("amount")
    fine = amounts.filter(amount.str.contains(_AMOUNT))
    whole = amount.str.extract(r"^([0-9]+)").cast(pl.Int128)
    fraction = amount.str.extract(r"\.([0-9]+)$").str.pad_end(_SCALE, "0").cast(pl.Int128)
    sums = fine.select(whole.sum().alias("whole"), fraction.sum().alias("fraction")).row(0)
    total = (sums[0] or 0) * 10**_SCALE + (sums[1] or 0)
    return total, amounts.height - fine.height
