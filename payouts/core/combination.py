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
    findings = [
        *_about_country(country_word, country, coverage),
        *_about_currency(currency_word, currency, country, policy, coverage),
        *_about_method(method_word, methods, country, currency, coverage),
    ]
    row = None
    if country is not None and currency is not None and methods:
        listed = _listed(country, currency, coverage)
        row = _row(country, listed, methods, coverage)
        findings += (
            _instead(
                _Read(country, listed, methods), country_word or "", method_word or "", coverage
            )
            if row is None
            else _about_row(row, listed, method_word or "", policy)
        )
    method = row.method if row is not None else next(iter(methods), None)
    return Combination(country, currency, method, row, tuple(findings))


class _Read(NamedTuple):
    """Three words that each mean something by themselves."""

    country: str
    currency: str
    methods: tuple[str, ...]


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


def _about_country(word: str | None, country: str | None, coverage: Coverage) -> Iterator[Finding]:
    if country is not None:
        return
    if word is None:
        yield Finding("E_COUNTRY_MISSING", "country", "")
    elif is_europe(word):
        scope = coverage.countries("EUR", "sepa")
        yield Finding("E_COUNTRY_EUROPE", "country", word, _join(scope))
    else:
        yield Finding("E_COUNTRY_UNKNOWN", "country", word, _join(near(word)) or "none")


def _about_currency(
    word: str | None,
    currency: str | None,
    country: str | None,
    policy: Policy,
    coverage: Coverage,
) -> Iterator[Finding]:
    here = coverage.currencies(country) if country is not None else ()
    allowed = _join(here) or "a code of ISO 4217"
    if word is None:
        yield Finding("E_CURRENCY_MISSING", "currency", "", allowed)
    elif currency is None:
        successor = SUCCESSORS.get(word.upper())
        code = "E_CURRENCY_WITHDRAWN" if successor else "E_CURRENCY_UNKNOWN"
        yield Finding(code, "currency", word, successor or allowed)
    elif currency != word:
        yield Finding("W_CURRENCY_CASE", "currency", word, currency)
    if country == _SIERRA_LEONE:
        yield from _about_leone(currency, policy, here)


def _about_leone(currency: str | None, policy: Policy, here: tuple[str, ...]) -> Iterator[Finding]:
    """1 SLE is 1,000 SLL: which one the platform means is never guessed (PAYEES §2.2)."""
    if currency == "SLE" and "SLE" not in here and policy.leone != "SLE":
        yield Finding("E_CURRENCY_SLE", "currency", "SLE", "SLL")
    if currency == "SLL" and policy.leone == "SLE":
        yield Finding("E_CURRENCY_SLL_MAPPED", "currency", "SLL", "SLE")
    if currency == "SLL" and policy.leone is None and policy.environment == "live":
        yield Finding("E_CURRENCY_SLL_UNCONFIRMED", "currency", "SLL", "SLL, SLE")


def _about_method(
    word: str | None,
    methods: tuple[str, ...],
    country: str | None,
    currency: str | None,
    coverage: Coverage,
) -> Iterator[Finding]:
    if methods:
        return
    here = coverage.methods(country, currency) or coverage.methods(country) if country else ()
    allowed = _join(here or sorted(coverage.all_methods - PULLS))
    code = "E_METHOD_MISSING" if word is None else "E_METHOD_UNKNOWN"
    yield Finding(code, "method", word or "", allowed)


def _listed(country: str, currency: str, coverage: Coverage) -> str:
    """The currency under which the table lists it: SLE under SLL unless a row of its own exists.

    A line in SLE that the operator has not mapped has its own finding and looks up SLL too, so
    that its method is still judged.
    """
    if (country, currency) == (_SIERRA_LEONE, "SLE") and not coverage.payable(country, currency):
        return "SLL"
    return currency


def _row(
    country: str, currency: str, methods: tuple[str, ...], coverage: Coverage
) -> CoverageRow | None:
    """The first payable row of the methods that a word may mean."""
    rows = (coverage.at(country, currency, method) for method in methods)
    return next((row for row in rows if row is not None and row.pays), None)


def _instead(
    read: _Read, country_word: str, method_word: str, coverage: Coverage
) -> Iterator[Finding]:
    """Why no row serves the combination, and what would be right."""
    country, currency, methods = read
    here, everywhere = coverage.methods(country, currency), coverage.methods(country)
    if PULLS.issuperset(methods):
        allowed = _join(here or everywhere) or "none"
        yield Finding("E_METHOD_COLLECTION_ONLY", "method", method_word, allowed)
        if here or country == WORLD:
            return
    if CURRENCIES[currency].asset and country != WORLD:
        yield Finding("E_COUNTRY_CRYPTO", "country", country_word, WORLD)
    elif country == WORLD and not here:
        yield Finding("E_COUNTRY_WORLD", "country", country_word, _join(coverage.currencies(WORLD)))
    elif not everywhere:
        covered = coverage.countries(currency) or coverage.countries()
        yield Finding("E_COUNTRY_NOT_COVERED", "country", country_name(country), _join(covered))
    elif here:
        yield _other_method(read, method_word, here, coverage)
    else:
        allowed = _join(coverage.currencies(country))
        yield Finding("E_CURRENCY_NOT_IN_COUNTRY", "currency", currency, allowed)
        if not PULLS.union(everywhere).intersection(methods):
            yield Finding("E_METHOD_NOT_IN_COUNTRY", "method", method_word, _join(everywhere))


def _other_method(read: _Read, word: str, here: tuple[str, ...], coverage: Coverage) -> Finding:
    """The currency is paid in the country, but not by this method."""
    other = [code for method in read.methods for code in coverage.currencies(read.country, method)]
    if other:
        return Finding("E_METHOD_OTHER_CURRENCY", "method", word, _join(other))
    return Finding("E_METHOD_NOT_IN_COUNTRY", "method", word, _join(here))


def _about_row(row: CoverageRow, currency: str, word: str, policy: Policy) -> Iterator[Finding]:
    """What is to be said although a row serves the combination."""
    if row.valid_from is not None and policy.today < row.valid_from:
        yield Finding("E_METHOD_NOT_YET", "method", word, row.valid_from.isoformat())
    if row.valid_to is not None and policy.today > row.valid_to:
        yield Finding("E_METHOD_ENDED", "method", word, row.valid_to.isoformat())
    rail = f"{row.provider}:{row.method}"
    if (
        policy.environment == "live"
        and not row.documented
        and rail not in policy.allow_undocumented_rails
    ):
        yield Finding("E_RAIL_UNDOCUMENTED", "method", word, rail)
    if row.warning is not None and (row.warning != "W_CURRENCY_SLL" or policy.leone != "SLE"):
        column = "currency" if row.warning == "W_CURRENCY_SLL" else "method"
        yield Finding(row.warning, column, currency if column == "currency" else word)


def _join(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))
