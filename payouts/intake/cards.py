"""Card numbers: a file that holds them is refused before anything of it is stored.

Two rules (PAYEES 1.8). A card line that carries a number with a card's prefix, length and Luhn
digit is one. And a column is one when far more of its numbers satisfy Luhn than the one in ten
that do by chance; each number counts once, so that one payee's account repeated on a thousand
lines stays a single account. An identifier that is valid by its own line's rule is no card.

No number is kept, shown or logged: what is said is the column and the first line.

>>> is_card(4111111111111111), is_card(4111111111111112)
(True, False)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from payouts.intake.refusal import refused

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CardWatch", "is_card"]

_BRANDS: Final = (
    # from, to (the first six digits), lengths
    (400000, 499999, (16, 19)),  # Visa; its 13 digits are long gone and look like phones
    (510000, 559999, (16,)),  # Mastercard
    (222100, 272099, (16,)),  # Mastercard
    (340000, 349999, (15,)),  # American Express
    (370000, 379999, (15,)),  # American Express
    (300000, 305999, (14,)),  # Diners Club
    (309500, 309599, (14,)),  # Diners Club
    (360000, 369999, (14,)),  # Diners Club
    (380000, 399999, (14,)),  # Diners Club
    (352800, 358999, (16, 17, 18, 19)),  # JCB
    (601100, 601199, (16, 17, 18, 19)),  # Discover
    (644000, 659999, (16, 17, 18, 19)),  # Discover
    (620000, 629999, (16, 17, 18, 19)),  # UnionPay
    (810000, 817199, (16, 17, 18, 19)),  # UnionPay
    (220000, 220499, (16, 17, 18, 19)),  # Mir
    (979200, 979299, (16,)),  # Troy
    (500000, 509999, (16, 18, 19)),  # Maestro, Elo, RuPay
    (560000, 589999, (16, 18, 19)),  # Maestro
    (606282, 606282, (16,)),  # Hipercard
    (630000, 639999, (16, 18, 19)),  # Maestro, Elo
    (670000, 679999, (16, 18, 19)),  # Maestro
)
_SHAPE: Final = r"^\s*[2-689][0-9](?:[ -]?[0-9]){12,17}\s*$"
_INSIDE: Final = r"(?:^|[^0-9])([2-689][0-9](?:[ -]?[0-9]){12,17})(?:[^0-9]|$)"
_CARD_WORDS: Final = (
    *("card", "cards", "credit_card", "debit_card", "credit card", "debit card", "pan"),
    *("card_number", "original_credit"),
)
_NUMBERS_MAX: Final = 200_000
_LENGTH_MIN: Final = 14


class CardWatch:
    """Watches the columns of a file for card numbers while it is surveyed."""

    def __init__(self) -> None:
        self._seen: dict[str, NDArray[np.uint64]] = {}
        self._first_line: dict[str, int] = {}

    def look(self, original: pl.DataFrame, lines: pl.DataFrame) -> None:
        """Look at some lines.

        Args:
            original: `line` and the columns of the file.
            lines: the same lines in our columns, as far as they could be read.

        Raises:
            FileRefusedError: E_FILE_CARDS, for a card line with a card number.
        """
        self._card_lines(original, lines)
        names = [name for name in original.columns if name != "line"]
        lengths = original.select(pl.col(names).str.len_bytes().max()).row(0, named=True)
        own = None
        for name in names:
            if (lengths[name] or 0) < _LENGTH_MIN:
                continue
            hits = original.select("line", pl.col(name).alias("cell")).filter(
                pl.col("cell").str.len_bytes().is_between(_LENGTH_MIN, 40)
                & pl.col("cell").str.contains(_SHAPE)
            )
            if not hits.height:
                continue
            own = _own_rule(lines) if own is None else own
            hits = hits.join(own, on="line", how="left", maintain_order="left").filter(
                (_digits() != pl.col("account")).fill_null(value=True)
                & (_digits() != pl.col("document")).fill_null(value=True)
            )
            self._count(name, hits)

    def _count(self, name: str, hits: pl.DataFrame) -> None:
        numbers = hits.select("line", _digits().cast(pl.UInt64, strict=False).alias("n"))
        shaped = _card_shaped(numbers["n"].fill_null(0).to_numpy())
        if not shaped.any():
            return
        self._first_line.setdefault(name, int(numbers["line"].to_numpy()[shaped][0]))
        seen = self._seen.get(name, np.empty(0, np.uint64))
        if len(seen) < _NUMBERS_MAX:
            self._seen[name] = np.union1d(seen, numbers["n"].to_numpy()[shaped])

    def _card_lines(self, original: pl.DataFrame, lines: pl.DataFrame) -> None:
        """Refuse a card line that carries a card number anywhere."""
        said = pl.col("method", "account_kind").str.to_lowercase().is_in(_CARD_WORDS)
        cards = lines.filter(pl.any_horizontal(said)).select("line", "document")
        if not cards.height:
            return
        rows = original.join(cards.select("line"), on="line", how="semi", maintain_order="left")
        for name in (name for name in rows.columns if name != "line"):
            found = rows.select(
                "line", pl.col(name).str.extract_all(_INSIDE).alias("cell")
            ).explode("cell", empty_as_null=True)
            numbers = found.filter(pl.col("cell").is_not_null()).select("line", _digits())
            for line, text in numbers.iter_rows():
                if text and is_card(int(text)) and not _own_document(cards, line, text):
                    raise refused("E_FILE_CARDS", value=name, allowed=f"line {line}")

    def decide(self) -> None:
        """Say whether a column is card-like far beyond chance.

        Raises:
            FileRefusedError: E_FILE_CARDS, naming the column and its first such line.
        """
        for name, numbers in self._seen.items():
            valid = int(np.count_nonzero(_luhn(numbers)))
            if _beyond_chance(len(numbers), valid):
                allowed = f"{valid:,} of them, from line {self._first_line[name]}"
                raise refused("E_FILE_CARDS", value=name, allowed=allowed)


def is_card(number: int) -> bool:
    """Tell whether a number has a card's prefix, the length of its brand and a right Luhn digit."""
    one = np.array([number], np.uint64) if number < 10**19 else np.zeros(1, np.uint64)
    return bool(_card_shaped(one)[0] and _luhn(one)[0])


def _digits() -> pl.Expr:
    return pl.col("cell").str.replace_all(r"[^0-9]", "")


def _card_shaped(numbers: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """True where prefix and length are those of a brand."""
    found = np.zeros(len(numbers), np.bool_)
    for length in range(_LENGTH_MIN, 20):
        low = 10 ** (length - 1)
        of_length = (numbers >= np.uint64(low)) & (numbers <= np.uint64(min(low * 10, 2**64) - 1))
        prefix = numbers // np.uint64(10 ** (length - 6))
        for first, last, lengths in _BRANDS:
            if length in lengths:
                found |= of_length & (prefix >= np.uint64(first)) & (prefix <= np.uint64(last))
    return found


def _luhn(numbers: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """True where the last digit is the Luhn digit of the others (ISO/IEC 7812-1)."""
    total = np.zeros(len(numbers), np.uint64)
    rest = numbers.copy()
    for position in range(19):
        digit = rest % np.uint64(10)
        if position % 2:
            digit = digit * np.uint64(2)
            digit = np.where(digit > 9, digit - np.uint64(9), digit)  # noqa: PLR2004  digit sum
        total += digit
        rest //= np.uint64(10)
    valid: NDArray[np.bool_] = total % np.uint64(10) == 0
    return valid


def _beyond_chance(count: int, valid: int) -> bool:
    """Tell whether `valid` of `count` numbers satisfy Luhn against odds of a million to one.

    Of random numbers one in ten does: the binomial tail, in whole numbers; above a thousand
    numbers ten standard deviations, which is further still.
    """
    if valid * 10 <= count:
        return False
    if count > 1000:  # noqa: PLR2004  the sum below would have a thousand long terms
        return (10 * valid - count) ** 2 > 900 * count
    tail = sum(math.comb(count, k) * 9 ** (count - k) for k in range(valid, count + 1))
    return bool(tail * 1_000_000 <= 10**count)


def _own_rule(lines: pl.DataFrame) -> pl.DataFrame:
    """Give the identifiers of each line that its own rule explains: `line`, `account`, `document`.

    A CLABE, a CNPJ, a SIRET and a South African id have check digits of their own; the last two
    are even made by Luhn.
    """
    country = pl.col("country").str.to_uppercase()
    account = pl.col("account").str.replace_all(r"[^0-9]", "")
    document = pl.col("document").str.replace_all(r"[^0-9]", "")
    size = document.str.len_bytes()
    clabe = country.is_in(["MX", "MEX", "MEXICO"]) & (account.str.len_bytes() == 18)  # noqa: PLR2004  digits of a CLABE
    own = (
        (country.is_in(["BR", "BRA", "BRAZIL"]) & (size == 14))  # noqa: PLR2004  digits of a CNPJ
        | (country.is_in(["FR", "FRA", "FRANCE"]) & (size == 14))  # noqa: PLR2004  of a SIRET
    )
    return lines.select(
        "line",
        pl.when(clabe & _clabe(account)).then(account).alias("account"),
        pl.when(own).then(document).alias("document"),
    )


def _clabe(account: pl.Expr) -> pl.Expr:
    """True where the last of 18 digits is the CLABE's control digit (Banco de México)."""
    digit = [account.str.slice(i, 1).cast(pl.Int32, strict=False) for i in range(18)]
    weighted = [digit[i] * (3, 7, 1)[i % 3] % 10 for i in range(17)]
    return (10 - pl.sum_horizontal(weighted) % 10) % 10 == digit[17]


def _own_document(cards: pl.DataFrame, line: int, text: str) -> bool:
    """Tell whether the number is the document of its line (a CNPJ has 14 digits, as Diners)."""
    document = cards.filter(pl.col("line") == line)["document"][0] or ""
    return "".join(char for char in document if char.isdigit()) == text
