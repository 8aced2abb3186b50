"""Money: a whole count of the smallest unit of one currency.

Amounts are text until the currency is known, then integers; no float comes near them and nothing
is ever rounded.

>>> EUR = currency("EUR")
>>> Money.parse("12.50", EUR) + Money.parse("0.05", EUR)
Money(12.55 EUR)
>>> Money.parse("1250", currency("XOF")).minor
1250
>>> Money.parse("12.505", EUR)
Traceback (most recent call last):
payouts.core.errors.AmountError: '12.505' has 3 decimals, EUR has 2: write 12.50 or 12.51
>>> Money.parse("1e3", EUR)
Traceback (most recent call last):
payouts.core.errors.AmountError: '1e3' is not an amount: digits, then at most one decimal point
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from payouts.core.currencies import Currency, currency
from payouts.core.errors import AmountError, InvariantError

__all__ = ["MINOR_MAX", "Money", "format_minor", "parse_minor"]

MINOR_MAX: Final = 10**15 - 1
"""The largest amount of one line in minor units: nine thousand of them still add up in a bigint."""

_AMOUNT = re.compile(r"([0-9]+)(?:\.([0-9]+))?")  # [0-9], since \d accepts ٣ and ३
_DIGITS_MAX = len(str(MINOR_MAX))
_SHOWN_MAX = 40


def parse_minor(text: str, unit: Currency) -> int:
    """The minor units of an amount text: digits, then at most one point and more digits.

    A negative amount, a sign, an exponent, a thousands separator, a currency symbol and digits of
    other scripts are refused; so are more decimals than the currency has, also if they are zeros
    (`1.000` may be one thousand where it was typed).

    Raises:
        AmountError: with the code E_AMOUNT_FORMAT, E_AMOUNT_NEGATIVE, E_AMOUNT_PRECISION or
            E_AMOUNT_RANGE.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None and _AMOUNT.fullmatch(text.removeprefix("-")) is not None:
        raise AmountError(
            f"'{text[:_SHOWN_MAX]}' is negative",
            hint="Write the amount without a sign.",
            code="E_AMOUNT_NEGATIVE",
        )
    if match is None:
        raise AmountError(
            f"'{text[:_SHOWN_MAX]}' is not an amount: digits, then at most one decimal point",
            hint="Write the amount with digits and a point, for example 1250.00.",
        )
    whole, decimals = match[1], match[2] or ""
    if len(whole) + unit.exponent > _DIGITS_MAX:
        raise AmountError(
            f"'{text[:_SHOWN_MAX]}' is larger than any payout: at most "
            f"{format_minor(MINOR_MAX, unit.exponent)} {unit}",
            hint="Check the amount; an account number may stand in its column.",
            code="E_AMOUNT_RANGE",
        )
    minor = int(whole + decimals[: unit.exponent].ljust(unit.exponent, "0") or "0")
    if len(decimals) > unit.exponent:
        meant = sorted({minor, minor + (set(decimals[unit.exponent :]) != {"0"})})
        raise AmountError(
            f"'{text[:_SHOWN_MAX]}' has {len(decimals)} decimals, {unit} has {unit.exponent}: "
            f"write {' or '.join(format_minor(one, unit.exponent) for one in meant)}",
            hint="Nothing is rounded for you: write the amount that is meant.",
            code="E_AMOUNT_PRECISION",
        )
    return minor


def format_minor(minor: int, exponent: int) -> str:
    """Minor units as a plain decimal text that `parse_minor` reads back.

    >>> format_minor(1255, 2), format_minor(-5, 2), format_minor(7, 0)
    ('12.55', '-0.05', '7')
    """
    sign, digits = ("-" if minor < 0 else ""), str(abs(minor)).rjust(exponent + 1, "0")
    if exponent == 0:
        return sign + digits
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"


@dataclass(frozen=True, slots=True, repr=False)
class Money:
    """A count of minor units of one currency; may be zero or negative (a difference).

    Args:
        minor: how many of the smallest unit.
        currency: whose smallest unit.
    """

    minor: int
    currency: Currency

    @classmethod
    def parse(cls, text: str, unit: Currency) -> Money:
        """Money from an amount text; raises what `parse_minor` raises."""
        return cls(parse_minor(text, unit), unit)

    @classmethod
    def of(cls, minor: int, code: str) -> Money:
        """Money from minor units and a currency code; raises what `currency` raises."""
        return cls(minor, currency(code))

    @property
    def text(self) -> str:
        """The amount without its currency: `12.55`."""
        return format_minor(self.minor, self.currency.exponent)

    def __str__(self) -> str:
        """The amount for people, with thousands separated: `1,250.00 EUR`."""
        whole, point, decimals = format_minor(abs(self.minor), self.currency.exponent).partition(
            "."
        )
        sign = "-" if self.minor < 0 else ""
        return f"{sign}{int(whole):,}{point}{decimals} {self.currency}"

    def __repr__(self) -> str:
        return f"Money({self.text} {self.currency})"

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other)

    def __bool__(self) -> bool:
        return self.minor != 0

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise InvariantError(f"{self} and {other} are different currencies")
        return other.minor
