"""Text: tidying an identifier without ever guessing a character of it.

>>> frame = pl.DataFrame({"account": ["de89 3704-0044.0532", "1.23E+15", None]})
>>> frame.select(upper(compact(pl.col("account")))).to_series().to_list()
['DE89370400440532', '123E+15', None]
>>> frame.select(is_damaged(pl.col("account"))).to_series().to_list()
[False, True, None]
>>> frame.select(last4(pl.col("account"))).to_series().to_list()
['0532', 'E+15', None]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["compact", "is_damaged", "last4", "lower", "masked", "upper", "without"]

# White space of any script, invisible formatting characters, dots and the many dashes.
_BLANKS = r"\s\u{AD}\u{200B}-\u{200F}\u{202A}-\u{202E}\u{2060}-\u{2064}\u{FEFF}"
_SEPARATORS = rf"[{_BLANKS}.\-\u{{2010}}-\u{{2015}}\u{{2212}}]"
_INVISIBLE = rf"[{_BLANKS}]"
# Excel shows numbers above 11 digits as 8.93E+19; pandas writes a numeric column as 123.0.
_DAMAGED = r"^[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+$|^[0-9]+\.0+$"


def compact(account: pl.Expr) -> pl.Expr:
    """Take out blanks, invisible characters, dots and dashes; null stays null."""
    return _taken_out(account, _SEPARATORS)


def without(account: pl.Expr, characters: str) -> pl.Expr:
    r"""Take out blanks, invisible characters and `characters` (as inside a regex class)."""
    return _taken_out(account, rf"[{_BLANKS}{characters}]")


def upper(account: pl.Expr) -> pl.Expr:
    """Upper-case ASCII text; other text stays, since a dotless i would become an `I`."""
    return _ascii_only(account, lambda text: text.str.to_uppercase())


def lower(account: pl.Expr) -> pl.Expr:
    """Lower-case ASCII text; other text stays, since `K` (Kelvin) would become a `k`."""
    return _ascii_only(account, lambda text: text.str.to_lowercase())


def is_damaged(account: pl.Expr) -> pl.Expr:
    """True where a spreadsheet has turned the text into a number (`8.93E+19`, `12345678.0`)."""
    return account.str.contains(_DAMAGED)


def last4(account: pl.Expr) -> pl.Expr:
    """The last four characters, which is all that may be shown; fewer where there are fewer.

    An account of up to seven characters gives its last two, so that most of it stays hidden.
    """
    short = account.str.len_chars() < 8  # noqa: PLR2004  half of it hidden at least
    return pl.when(short).then(account.str.slice(-2)).otherwise(account.str.slice(-4))


def masked(account: pl.Expr) -> pl.Expr:
    """The account as messages may show it: `…1234`."""
    return pl.lit("…") + last4(account)


def _taken_out(account: pl.Expr, pattern: str) -> pl.Expr:
    """Replace a pattern by nothing; columns that have none of it stay as they are."""

    def apply(series: pl.Series) -> pl.Series:
        return series.str.replace_all(pattern, "") if series.str.contains(pattern).any() else series

    return account.map_batches(apply, return_dtype=pl.String, is_elementwise=True)


def _ascii_only(account: pl.Expr, change: Callable[[pl.Series], pl.Series]) -> pl.Expr:
    """The change where a text is ASCII; `account` itself is computed once."""

    def apply(series: pl.Series) -> pl.Series:
        is_ascii = series.str.len_bytes() == series.str.len_chars()
        return change(series) if is_ascii.all() else change(series).zip_with(is_ascii, series)

    return account.map_batches(apply, return_dtype=pl.String, is_elementwise=True)
