"""The closing proof: three sources that must agree before a run closes (P2, P8).

* the **lines** of the file: read = accepted + rejected + duplicate + conflict + quarantined;
* the **items**, by the last event of each of them;
* the **ledger**, by what the run's transfers left on each kind of account.

They are counted apart and compared here, per currency, in items and in minor units. Where an item
is says where its money must be:

>>> PLACES[State.PROCESSING], PLACES[State.SETTLED], PLACES[State.FAILED]
('in_transit', 'paid', 'funding')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from payouts.core.items import OPEN, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from payouts.store.queries import CountRow, LineSum, PositionRow

__all__ = [
    "KINDS",
    "PLACES",
    "Check",
    "CurrencyProof",
    "FileProof",
    "ItemSum",
    "Proof",
    "Sum",
    "prove",
]

KINDS: Final = ("funding", "reserved", "in_transit", "paid")
PLACES: Final = {
    State.PENDING: "funding",
    State.APPROVED: "reserved",
    State.SENDING: "in_transit",
    State.UNKNOWN: "in_transit",
    State.PROCESSING: "in_transit",
    State.REVIEW: "in_transit",
    State.SETTLED: "paid",
    State.RECONCILED: "paid",
    State.FAILED: "funding",
    State.RETURNED: "funding",
    State.CANCELLED: "funding",
    State.EXPIRED: "funding",
}
"""Where the money of an item in this state lies; `funding` is not taken yet, or given back."""

OUTCOMES: Final = ("accepted", "rejected", "duplicate", "conflict", "quarantined")


class Sum(NamedTuple):
    """A count and minor units."""

    items: int = 0
    amount_minor: int = 0

    def plus(self, items: int, amount_minor: int) -> Sum:
        """Both added."""
        return Sum(self.items + items, self.amount_minor + amount_minor)


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: what two sources say of the same thing."""

    name: str
    expected: Sum
    found: Sum

    @property
    def agrees(self) -> bool:
        """Whether they say the same."""
        return self.expected == self.found


@dataclass(frozen=True, slots=True)
class FileProof:
    """The lines of the whole file.

    Args:
        read: data lines, counted when the file was surveyed (by two counters).
        written: lines of the results file that was just written from the same bytes.
        outcomes: lines by outcome, counted from the line rows.
    """

    read: int
    written: int
    outcomes: Mapping[str, int]

    @property
    def agrees(self) -> bool:
        """Whether every line has exactly one outcome."""
        return self.read == self.written == sum(self.outcomes.values())


@dataclass(frozen=True, slots=True)
class CurrencyProof:
    """One currency.

    Args:
        lines: lines and money by outcome, as far as their amounts are readable.
        accepted: of the file's lines, those that were accepted.
        items: all of its items.
        checks: the comparisons, in the order of the money's way.
    """

    currency: str
    lines: Mapping[str, Sum]
    accepted: Sum
    items: Sum
    checks: tuple[Check, ...]

    @property
    def agrees(self) -> bool:
        """Whether lines, items and ledger say the same."""
        return all(check.agrees for check in self.checks)


@dataclass(frozen=True, slots=True)
class Proof:
    """The whole proof of a run.

    Args:
        open_items: items that are not final.
    """

    file: FileProof
    currencies: tuple[CurrencyProof, ...]
    open_items: int

    @property
    def agrees(self) -> bool:
        """Whether everything agrees, open items or not."""
        return self.file.agrees and all(one.agrees for one in self.currencies)

    @property
    def closes(self) -> bool:
        """Whether the run may be closed: all agree and nothing is open."""
        return self.agrees and not self.open_items


class ItemSum(NamedTuple):
    """Items of one currency and state, counted one by one from their last events.

    Args:
        lines: lines of the file that they pay.
    """

    currency: str
    state: str
    items: int
    lines: int
    amount_minor: int


def prove(
    *,
    read: int,
    written: int,
    lines: Sequence[LineSum],
    items: Sequence[ItemSum],
    counters: Sequence[CountRow],
    ledger: Sequence[PositionRow],
    totals: Mapping[str, int],
) -> Proof:
    """Compare the sources.

    Args:
        read: lines that the survey counted.
        written: lines that the results file has.
        lines: of the line rows.
        items: of the items' own last events.
        counters: of the batches' counters.
        ledger: net of the run's transfers.
        totals: accepted minor units per currency, as the load added them up.
    """
    outcomes = dict.fromkeys(OUTCOMES, 0)
    for row in lines:
        outcomes[row.outcome] += row.lines
    found = {row.currency for row in lines if row.currency} | {row.currency for row in items}
    found |= {row.currency for row in counters} | {row.currency for row in ledger} | set(totals)
    proofs = tuple(
        _currency(
            code,
            lines=[row for row in lines if row.currency == code],
            items=[row for row in items if row.currency == code],
            counters=[row for row in counters if row.currency == code],
            ledger=[row for row in ledger if row.currency == code],
            total=totals.get(code, 0),
        )
        for code in sorted(found)
    )
    still = sum(row.items for row in items if State(row.state) in OPEN)
    return Proof(FileProof(read, written, outcomes), proofs, still)


def _currency(
    code: str,
    *,
    lines: Sequence[LineSum],
    items: Sequence[ItemSum],
    counters: Sequence[CountRow],
    ledger: Sequence[PositionRow],
    total: int,
) -> CurrencyProof:
    by_outcome = {row.outcome: Sum(row.lines, row.amount_minor) for row in lines}
    accepted = by_outcome.get("accepted", Sum())
    whole, places, counted = Sum(), dict.fromkeys(KINDS, Sum()), dict.fromkeys(KINDS, Sum())
    paid_lines = Sum()
    for row in items:
        whole = whole.plus(row.items, row.amount_minor)
        paid_lines = paid_lines.plus(row.lines, row.amount_minor)
        place = PLACES[State(row.state)]
        places[place] = places[place].plus(row.items, row.amount_minor)
    for counter in counters:
        place = PLACES[State(counter.state)]
        counted[place] = counted[place].plus(counter.items, counter.amount_minor)
    booked = {row.kind: Sum(row.items, row.amount_minor) for row in ledger}
    away = booked.get("funding", Sum())  # negative: what left the funding account
    left = whole.plus(away.items, away.amount_minor)
    checks = [
        Check("accepted when loaded", Sum(accepted.items, total), accepted),
        Check("lines paid by items", accepted, paid_lines),
        *(Check(f"counted {kind}", places[kind], counted[kind]) for kind in KINDS),
        Check("funding", places["funding"], left),
        *(Check(kind, places[kind], booked.get(kind, Sum())) for kind in KINDS[1:]),
    ]
    return CurrencyProof(code, by_outcome, accepted, whole, tuple(checks))
