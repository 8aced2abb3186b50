"""Coverage: what can be paid where, as rows of country, currency and method.

A row is one line of the coverage table (our own data with a user's overrides). The questions are
pure: which row serves a combination, and if none does, what would be right instead.

>>> row = CoverageRow("BR", "Brazil", "BRL", "pix", "both", ("orkestra",), "pix_key", ("name",))
>>> table = Coverage((row,))
>>> table.at("BR", "BRL", "pix") is row, table.methods("BR", "BRL"), table.currencies("BR")
(True, ('pix',), ('BRL',))
>>> table.at("BR", "BRL", "cash") is None
True
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from datetime import date

__all__ = ["DOCUMENTED", "IDENTIFIERS", "Coverage", "CoverageRow", "Direction"]

Direction = Literal["payout", "collection", "both"]

DOCUMENTED: Final = frozenset({("orkestra", "pix"), ("orkestra", "spei")})
"""Rails of Orkestra whose payout fields its pages show; the others are A-ORK-5's guess."""

IDENTIFIERS: Final = frozenset(
    {
        "aba_account",
        "bank_account",
        "ca_account",
        "card_token",
        "cash_document",
        "cbu_cvu_alias",
        "cci",
        "cl_account",
        "clabe",
        "clabe_or_spei",
        "co_account",
        "co_wallet",
        "crypto_address",
        "iban",
        "iban_or_rib",
        "iban_sepa",
        "iban_tr",
        "msisdn",
        "none",
        "nuban",
        "orkesta_account",
        "pix_key",
        "uk_account",
    }
)
"""Names of identifier rules that a row may ask for; `none` asks for nothing."""


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One combination that a provider serves.

    Args:
        country: ISO 3166 alpha-2, or 001 for the world.
        country_name: its English name.
        currency: ISO 4217 code, or USDT / USDC.
        method: the rail, snake_case.
        direction: whether it pays out, collects, or both.
        providers: who serves it, the first one by default, the others as fallback.
        identifier: name of the identifier rule, or `none`.
        required: canonical columns that must not be blank.
        minimum: least amount in minor units; None where none is known.
        maximum: greatest amount in minor units; None where none is known.
        decimals: decimals that a provider takes, where they may differ from ISO 4217.
        valid_from: first day on which the row may be paid; None for always.
        valid_to: last such day; None for ever.
        warning: code of the warning that every line of the row gets.
        source: where the row comes from.
    """

    country: str
    country_name: str
    currency: str
    method: str
    direction: Direction
    providers: tuple[str, ...]
    identifier: str
    required: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    decimals: tuple[tuple[str, int], ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None
    warning: str | None = None
    source: str = ""

    @property
    def pays(self) -> bool:
        """Whether money can be sent over it."""
        return self.direction != "collection"

    @property
    def provider(self) -> str:
        """The provider that pays it unless a route says otherwise."""
        return self.providers[0]

    @property
    def documented(self) -> bool:
        """Whether the provider's own pages show the fields of this rail (A-ORK-5)."""
        return self.provider != "orkestra" or (self.provider, self.method) in DOCUMENTED

    def decimals_of(self, provider: str) -> int | None:
        """How many decimals a provider takes here; None where ISO 4217 decides."""
        return dict(self.decimals).get(provider)

    def in_force(self, day: date) -> bool:
        """Whether the row may be paid on that day."""
        return (self.valid_from or day) <= day <= (self.valid_to or day)


@dataclass(frozen=True, slots=True)
class Coverage:
    """All rows, at most one per country, currency and method."""

    rows: tuple[CoverageRow, ...]
    _at: dict[tuple[str, str, str], CoverageRow] = field(init=False, repr=False, compare=False)
    _of: dict[str, list[CoverageRow]] = field(init=False, repr=False, compare=False)
    all_methods: frozenset[str] = field(init=False, repr=False, compare=False)
    """Every method of the table, payable or not."""

    def __post_init__(self) -> None:
        """Index the rows."""
        of: dict[str, list[CoverageRow]] = defaultdict(list)
        for row in self.rows:
            of[row.country].append(row)
        at = {(row.country, row.currency, row.method): row for row in self.rows}
        object.__setattr__(self, "_at", at)
        object.__setattr__(self, "_of", dict(of))
        object.__setattr__(self, "all_methods", frozenset(row.method for row in self.rows))

    def at(self, country: str, currency: str, method: str) -> CoverageRow | None:
        """The row of a combination, in whatever direction; None where there is none."""
        return self._at.get((country, currency, method))

    def of(self, country: str) -> tuple[CoverageRow, ...]:
        """All rows of a country, in whatever direction."""
        return tuple(self._of.get(country, ()))

    def payable(self, country: str, currency: str | None = None) -> tuple[CoverageRow, ...]:
        """The rows of a country (and currency) over which money can be sent."""
        rows = self._of.get(country, ())
        return tuple(row for row in rows if row.pays and currency in {None, row.currency})

    def methods(self, country: str, currency: str | None = None) -> tuple[str, ...]:
        """The methods by which a country (and currency) can be paid, in the table's order."""
        return tuple(dict.fromkeys(row.method for row in self.payable(country, currency)))

    def currencies(self, country: str, method: str | None = None) -> tuple[str, ...]:
        """The currencies in which a country can be paid (by a method), in the table's order."""
        rows = self.payable(country)
        return tuple(dict.fromkeys(row.currency for row in rows if method in {None, row.method}))

    def countries(self, currency: str | None = None, method: str | None = None) -> tuple[str, ...]:
        """The countries that can be paid (in a currency, by a method), sorted."""
        return tuple(
            sorted(
                {
                    row.country
                    for row in self.rows
                    if row.pays
                    and currency in {None, row.currency}
                    and method in {None, row.method}
                }
            )
        )
