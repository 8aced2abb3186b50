"""Statements: what the payer's bank shows of what the platforms paid, and how it can be wrong.

`POST /_control/statement {"platform", "format"?}` gives the lines up to now, one per payment that
was paid and one per return, as JSON or, with the format `csv`, as text with a header:

    date,account,amount_minor,currency,reference
    2026-05-20,acc_01hx3k9qze4p7vb2ntcm6d8faj,-1500,TRY,P0000001

Debits are negative. `date` is the day of payment in UTC; for a platform without own accounts
`account` is empty. The faults of statements are tried per line, with the route
`STATEMENT /<platform>` and the line's reference.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from payouts.sandbox.http import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from payouts.sandbox.books import Books, Entry
    from payouts.sandbox.faults import Faults
    from payouts.sandbox.returns import Returns

__all__ = ["STATEMENT", "STATEMENT_RECIPES", "Row", "as_csv", "statement"]

STATEMENT: Final = "STATEMENT"  # in the place of the method, in the routes of rules

_COLUMNS: Final = ("date", "account", "amount_minor", "currency", "reference")

Line = dict[str, Any]


@dataclass(slots=True)
class Row:
    """One line that is about to be shown; recipes edit it.

    Args:
        copies: how often it is shown.
        netted: it is shown only within a sum with the others of its account and day.
        dice: chance that follows from seed and content.
    """

    copies: int = 1
    netted: bool = False
    dice: random.Random = field(default_factory=random.Random)


@dataclass(frozen=True, slots=True)
class StatementRecipe:
    """One kind of fault; the fields are those of `course.Recipe`."""

    does: Callable[[Row, Mapping[str, Any]], None]
    says: str
    options: Mapping[str, Any] = field(default_factory=dict)
    moment: Literal["statement"] = "statement"


def _missing(row: Row, options: Mapping[str, Any]) -> None:
    del options
    row.copies = 0


def _twice(row: Row, options: Mapping[str, Any]) -> None:
    row.copies = options["copies"]


def _netted(row: Row, options: Mapping[str, Any]) -> None:
    del options
    row.netted = True


STATEMENT_RECIPES: Final[Mapping[str, StatementRecipe]] = {
    "statement_missing": StatementRecipe(_missing, "a statement lacks the line"),
    "statement_twice": StatementRecipe(
        _twice, "a statement has the line more than once", {"copies": 2}
    ),
    "statement_netted": StatementRecipe(
        _netted, "a statement shows the line only within a sum of its account and day"
    ),
}


def statement(
    platform: str, *, books: Books, faults: Faults, returns: Returns, now: float
) -> list[Line]:
    """Give the lines of a platform's statement up to a moment, in the order of booking."""
    shown: list[Line] = []
    sums: Counter[tuple[str, str, str]] = Counter()
    for number in range(books.next_line):
        entry = books.line(number)
        if entry is not None and entry.get("platform") == platform:
            for line in _lines(entry, books, returns, now):
                row = Row()
                request = Request(STATEMENT, f"/{platform}", {}, (line["reference"] or "").encode())
                faults.apply("statement", request, row)
                if row.netted:
                    key = line["date"], line["account"], line["currency"]
                    sums[key] += line["amount_minor"] * row.copies
                else:
                    shown += [line] * row.copies
    return shown + [
        dict(zip(_COLUMNS, (day, account, amount, currency, None), strict=True))
        for (day, account, currency), amount in sums.items()
    ]


def _lines(entry: Entry, books: Books, returns: Returns, now: float) -> Iterator[Line]:
    if entry["kind"] == "return":
        found = books.find(entry["effect"])
        if found is not None:
            yield _line(found[0], entry["at"], entry["amount_minor"])
    for effect in entry.get("effects", ()):
        paid_at = returns.paid_at(effect, entry)
        if paid_at is not None and paid_at <= now and effect["effect"] not in books.cancelled:
            yield _line(effect, paid_at, -effect["amount_minor"])


def _line(effect: Entry, at: float, amount_minor: int) -> Line:
    day = datetime.fromtimestamp(at, UTC).date().isoformat()
    account, currency = effect.get("from", ""), effect["currency"]
    return dict(
        zip(_COLUMNS, (day, account, amount_minor, currency, effect["reference"]), strict=True)
    )


def as_csv(lines: list[Line]) -> str:
    """Write lines as CSV; no value of theirs needs quotes."""
    rows = [",".join(str(line[name] or "") for name in _COLUMNS) for line in lines]
    return "\n".join((",".join(_COLUMNS), *rows, ""))
