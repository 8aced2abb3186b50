"""Combination: what the country, currency and method words of a line amount to.

A file of a million lines has a few dozen combinations, so the decision is made once for each: a
coverage row, or findings that say what would be right instead.

>>> from datetime import date
>>> from payouts.core.coverage import Coverage, CoverageRow
>>> pix = CoverageRow("BR", "Brazil", "BRL", "pix", "both", ("orkestra",), "pix_key")
>>> policy = Policy("sandbox", date(2026, 11, 20))
>>> read_combination("brazil", "BRL", "PIX", Coverage((pix,)), policy).row is pix
True
>>> read_combination("BR", "BRL", "wire", Coverage((pix,)), policy).findings
(Finding(code='E_METHOD_NOT_IN_COUNTRY', column='method', value='wire', allowed='pix'),)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from payouts.core.countries import WORLD, country_name, is_europe, near, read_country
from payouts.core.currencies import CURRENCIES, SUCCESSORS
from payouts.core.methods import METHODS, PULLS, read_method

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from payouts.core.coverage import Coverage, CoverageRow

__all__ = ["Combination", "Environment", "Finding", "Leone", "Policy", "read_combination"]

Environment = Literal["sandbox", "live"]
Leone = Literal["SLL", "SLE"]


_SIERRA_LEONE = "SL"


class Finding(NamedTuple):
    """One problem of a combination: its code, the column, what it said, what would be right."""

    code: str
    column: str
    value: str
    allowed: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a decision depends on beside the words.

    Args:
        environment: `live` refuses rails whose fields are not documented.
        today: the day on which the line is judged.
        leone: which leone the operator has confirmed that the platform means; None: nobody has.
        allow_undocumented_rails: `provider:method` of rails that the operator has confirmed.
    """

    environment: Environment
    today: date
    leone: Leone | None = None
    allow_undocumented_rails: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Combination:
    """The reading of three words.

    Args:
        country: alpha-2 or 001, None where the word is none.
        currency: a code of `CURRENCIES`, None where the word is none.
        method: the row's method, else the best reading of the word, None where it is blank.
        row: the coverage row that serves it, or would if no finding rejected it.
        findings: every problem, rejecting and warning.
    """

    country: str | None
    currency: str | None
    method: str | None
    row: CoverageRow | None
    findings: tuple[Finding, ...]

    @property
    def payable(self) -> bool:
        """Whether a row serves it and no finding rejects it."""
        return self.row is not None and not any(each.code[0] == "E" for each in self.findings)


def read_combination(
    country_word: str | None,
    currency_word: str | None,
    method_word: str | None,
    coverage: Coverage,
    policy: Policy,
) -> Combination:
    """Read three words of a line and find the coverage row that serves them.

    Every word is judged by itself first; the combination only when each of them means something.
    """
    currency = _currency(currency_word)
    country = _country(country_word, currency)
    methods = _methods(method_word, coverage)
    place = _place(country, currency, coverage)
    rows = (place.row(method) for method in methods)
    row = next((row for row in rows if row is not None), None)
    findings = (
        *_about_country(country_word, country, currency, coverage),
        *_about_currency(currency_word, currency, place, policy),
        *_about_method(method_word, methods, place, coverage),
        *_about_row(row, currency, method_word or "", policy),
    )
    method = row.method if row is not None else next(iter(methods), None)
    return Combination(country, currency, method, row, findings)


class _Place(NamedTuple):
    """Where the money goes: a country and the currency that the table lists for it.

    Both are None where they say nothing about methods: the country is unknown or not covered.
    """

    country: str | None
    currency: str | None
    coverage: Coverage

    @property
    def currencies(self) -> tuple[str, ...]:
        return () if self.country is None else self.coverage.currencies(self.country)

    @property
    def everywhere(self) -> tuple[str, ...]:
        """Methods of the country, whatever the currency."""
        return () if self.country is None else self.coverage.methods(self.country)

    @property
    def here(self) -> tuple[str, ...]:
        """Methods of the country in the currency."""
        if self.country is None or self.currency is None:
            return ()
        return self.coverage.methods(self.country, self.currency)

    def row(self, method: str) -> CoverageRow | None:
        if self.country is None or self.currency is None:
            return None
        row = self.coverage.at(self.country, self.currency, method)
        return row if row is not None and row.pays else None


def _place(country: str | None, currency: str | None, coverage: Coverage) -> _Place:
    asset = currency is not None and CURRENCIES[currency].asset
    place = WORLD if asset else country
    if place is None or (place == WORLD and not asset) or not coverage.payable(place):
        return _Place(None, None, coverage)
    # SLE is listed as SLL, unless a user has added a row for it.
    leone = (place, currency) == (_SIERRA_LEONE, "SLE") and not coverage.payable(place, currency)
    return _Place(place, "SLL" if leone else currency, coverage)


def _currency(word: str | None) -> str | None:
    code = word.upper() if word is not None and word.isascii() else word
    return code if code in CURRENCIES else None


def _country(word: str | None, currency: str | None) -> str | None:
    if word is not None:
        return read_country(word)
    # A stablecoin goes to a network: there is no country to forget.
    return WORLD if currency is not None and CURRENCIES[currency].asset else None


def _methods(word: str | None, coverage: Coverage) -> tuple[str, ...]:
    known = coverage.all_methods | METHODS | PULLS
    return tuple(method for method in read_method(word or "") if method in known)


def _about_country(
    word: str | None, country: str | None, currency: str | None, coverage: Coverage
) -> Iterator[Finding]:
    if country is None:
        yield _no_country(word, coverage)
    elif country == WORLD:
        if currency is not None and not CURRENCIES[currency].asset:
            allowed = _join(coverage.currencies(WORLD))
            yield Finding("E_COUNTRY_WORLD", "country", word or "", allowed)
    elif currency is not None and CURRENCIES[currency].asset:
        yield Finding("E_COUNTRY_CRYPTO", "country", word or "", WORLD)
    elif not coverage.payable(country):
        covered = (coverage.countries(currency) if currency else ()) or coverage.countries()
        yield Finding("E_COUNTRY_NOT_COVERED", "country", country_name(country), _join(covered))


def _no_country(word: str | None, coverage: Coverage) -> Finding:
    if word is None:
        return Finding("E_COUNTRY_MISSING", "country", "")
    if is_europe(word):
        scope = coverage.countries("EUR", "sepa")
        return Finding("E_COUNTRY_EUROPE", "country", word, _join(scope))
    return Finding("E_COUNTRY_UNKNOWN", "country", word, _join(near(word)) or "none")


def _about_currency(
    word: str | None, currency: str | None, place: _Place, policy: Policy
) -> Iterator[Finding]:
    allowed = _join(place.currencies) or "a code of ISO 4217"
    if word is None:
        yield Finding("E_CURRENCY_MISSING", "currency", "", allowed)
    elif currency is None:
        successor = SUCCESSORS.get(word.upper())
        code = "E_CURRENCY_WITHDRAWN" if successor else "E_CURRENCY_UNKNOWN"
        yield Finding(code, "currency", word, successor or allowed)
    elif currency != word:
        yield Finding("W_CURRENCY_CASE", "currency", word, currency)
    if currency is not None and place.country is not None and not place.here:
        yield Finding("E_CURRENCY_NOT_IN_COUNTRY", "currency", currency, allowed)
    if currency is not None and place.country == _SIERRA_LEONE:
        yield from _about_leone(currency, place, policy)


def _about_leone(currency: str, place: _Place, policy: Policy) -> Iterator[Finding]:
    """1 SLE is 1,000 SLL: which one the platform means is never guessed (PAYEES §2.2)."""
    if currency == "SLE" and place.currency == "SLL" and policy.leone != "SLE":
        yield Finding("E_CURRENCY_SLE", "currency", "SLE", "SLL")
    if currency == "SLL" and policy.leone == "SLE":
        yield Finding("E_CURRENCY_SLL_MAPPED", "currency", "SLL", "SLE")
    if currency == "SLL" and policy.leone is None and policy.environment == "live":
        yield Finding("E_CURRENCY_SLL_UNCONFIRMED", "currency", "SLL", "SLL, SLE")


def _about_method(
    word: str | None, methods: tuple[str, ...], place: _Place, coverage: Coverage
) -> Iterator[Finding]:
    allowed = _join(place.here or place.everywhere)
    if not methods:
        code = "E_METHOD_MISSING" if word is None else "E_METHOD_UNKNOWN"
        every = sorted(coverage.all_methods - PULLS)
        yield Finding(code, "method", word or "", allowed or _join(every))
    elif PULLS.issuperset(methods) and not any(place.row(method) for method in methods):
        yield Finding("E_METHOD_COLLECTION_ONLY", "method", word or "", allowed or "none")
    elif place.country is not None and not set(methods) & set(place.everywhere):
        yield Finding("E_METHOD_NOT_IN_COUNTRY", "method", word or "", allowed)
    elif place.here and not set(methods) & set(place.here) and place.country is not None:
        codes = [code for name in methods for code in coverage.currencies(place.country, name)]
        yield Finding("E_METHOD_OTHER_CURRENCY", "method", word or "", _join(codes))


def _about_row(
    row: CoverageRow | None, currency: str | None, word: str, policy: Policy
) -> Iterator[Finding]:
    """What is to be said although a row serves the combination."""
    if row is None:
        return
    if row.valid_from is not None and policy.today < row.valid_from:
        yield Finding("E_METHOD_NOT_YET", "method", word, row.valid_from.isoformat())
    if row.valid_to is not None and policy.today > row.valid_to:
        yield Finding("E_METHOD_ENDED", "method", word, row.valid_to.isoformat())
    confirmed = f"{row.provider}:{row.method}" in policy.allow_undocumented_rails
    if policy.environment == "live" and not row.documented and not confirmed:
        yield Finding("E_RAIL_UNDOCUMENTED", "method", word, f"{row.provider}:{row.method}")
    if row.warning == "W_CURRENCY_SLL":
        if currency == "SLL":
            yield Finding(row.warning, "currency", currency)
    elif row.warning is not None:
        yield Finding(row.warning, "method", word)


def _join(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))
