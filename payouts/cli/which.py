"""Which run, item or time is meant: from what a person types to keys, and back to words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payouts.core.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from payouts.store.queries import RunRow

__all__ = ["item_keys", "moment", "run_row", "span"]

_WIRE_LENGTH = 32


def run_row(connection: Connection, word: str) -> RunRow:
    """The run of a public id, of a file's name, or `last`.

    Raises:
        UsageError: there is none, or a file's name stands for several.
    """
    from payouts.core.ids import key_of, public_id  # noqa: PLC0415  bodies import what they need
    from payouts.store import queries  # noqa: PLC0415  the same

    newest = queries.runs(connection, limit=200)
    if not newest:
        raise UsageError(
            "there is no run yet",
            hint="Start with `payouts run inputs/gig_week.csv`.",
            code="E_RUN_UNKNOWN",
        )
    if word == "last":
        return newest[0]
    named = [row for row in newest if row.source_name == word]
    if len(named) > 1:
        ids = ", ".join(public_id("run", row.id) for row in named[:5])
        raise UsageError(
            f"'{word}' was loaded {len(named)} times",
            hint=f"Name the run: {ids}.",
            code="E_RUN_MANY",
        )
    if named:
        return named[0]
    if not word.startswith("run_"):
        raise _no_run(word)
    found = queries.run(connection, key_of(word)[1])
    if found is None:
        raise _no_run(word)
    return found


def _no_run(word: str) -> UsageError:
    return UsageError(
        f"there is no run '{word}'",
        hint="`payouts status` lists them; `last` is the newest.",
        code="E_RUN_UNKNOWN",
    )


def item_keys(connection: Connection, word: str) -> list[int]:
    """Keys of the items of a public id, a wire reference, the payer's reference, a provider's id."""
    from payouts.core.ids import key_of, wire_prefix  # noqa: PLC0415  bodies import lazily
    from payouts.store import queries  # noqa: PLC0415  the same

    if word.startswith("itm_"):
        key = key_of(word)[1]
        return [key] if queries.item(connection, key) is not None else []
    prefix = None
    if len(word) == _WIRE_LENGTH and word.startswith("P"):
        try:
            prefix = wire_prefix(word)
        except ValueError:
            prefix = None
    return queries.find(connection, word, wire_prefix=prefix)


def moment(at: datetime | None) -> str:
    """A time for people; a dash where there is none."""
    return "—" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def span(seconds: float) -> str:
    """A length of time for people.

    >>> span(-3), span(42), span(3700), span(200000)
    ('now', 'in 42 s', 'in 62 min', 'in 2 d')
    """
    for size, least, unit in ((86400, 172800, "d"), (3600, 7200, "h"), (60, 120, "min")):
        if seconds >= least:
            return f"in {seconds / size:.0f} {unit}"
    return f"in {seconds:.0f} s" if seconds > 0 else "now"
