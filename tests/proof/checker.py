"""The independent checker: the truth log of the platforms against the database, and nothing else.

It imports nothing of ours. It reads what the platforms really did (`truth.jsonl`, one JSON object
per line) and, over plain SQL, what the database says, and names every broken promise:

* double effect: two effects that move money under one reference (P1)
* wrong effect: an effect for nobody, or of another amount or currency than its item
* lost or wrong state: settled without an effect, failed or cancelled with one
* lines: read differs from accounted for, or accepted lines without their item (P2)
* ledger: balances that do not follow from the states of the items (P8, P9)
* history: an item whose events do not chain (P10)
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import psycopg

__all__ = ["broken_promises", "effects_of"]

_IN_TRANSIT = ("sending", "unknown", "processing", "review")
_PAID = ("settled", "reconciled")


def effects_of(truth: Path) -> dict[str, list[dict[str, Any]]]:
    """Effects by reference, without those that were cancelled."""
    lines = [json.loads(line) for line in truth.read_text().splitlines()] if truth.exists() else []
    cancelled = {line["effect"] for line in lines if line["kind"] == "cancel"}
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        for effect in line.get("effects", []):
            if effect["effect"] not in cancelled:
                found[effect["reference"]].append(effect)
    return found


def broken_promises(
    connection: psycopg.Connection[Any], truth: Path, wires: dict[int, str]
) -> list[str]:
    """Sentences, one per broken promise; an empty list is what one wants.

    Args:
        wires: item key -> the reference that the platform knows it by.
    """
    effects = effects_of(truth)
    return [
        *_effects(connection, effects, wires),
        *_lines(connection),
        *_ledger(connection),
        *_counters(connection),
        *_history(connection),
    ]


def _effects(
    connection: psycopg.Connection[Any],
    effects: dict[str, list[dict[str, Any]]],
    wires: dict[int, str],
) -> Iterator[str]:
    known = set(wires.values())
    for reference, made in effects.items():
        moving = [effect for effect in made if effect["fate"] != "failed"]
        if len(moving) > 1:
            yield f"{reference} was paid {len(moving)} times"
        if reference not in known:
            yield f"{reference} was paid and is nobody's"
    rows = connection.execute(
        "SELECT n.id, n.state::text, n.amount_minor, n.currency FROM item_now n"
        " WHERE n.id = ANY(%s)",
        [list(wires)],
    )
    for item, state, amount, currency in rows:
        made = effects.get(wires[item], [])
        moving = [effect for effect in made if effect["fate"] != "failed"]
        for effect in moving:
            if (effect["amount_minor"], effect["currency"]) != (amount, currency):
                yield f"item {item} is {amount} {currency}, paid was {effect['amount_minor']}"
        if state in _PAID and not moving:
            yield f"item {item} is {state} and was never paid"
        if state in {"failed", "cancelled", "expired"} and moving:
            yield f"item {item} is {state} and was paid"
        if state in {"pending", "approved"} and moving:
            yield f"item {item} is {state}, may be sent, and was paid"


def _lines(connection: psycopg.Connection[Any]) -> Iterator[str]:
    for run, read, counted in connection.execute(
        "SELECT r.id, r.lines_read, (SELECT count(*) FROM line l WHERE l.run_id = r.id)"
        " FROM pipeline_run r"
    ):
        if read != counted:
            yield f"run {run} read {read} lines and accounts for {counted}"
    for item, amount, lines, total, count in connection.execute(
        "SELECT i.id, i.amount_minor, i.lines, sum(l.amount_minor), count(*) FROM item i"
        " LEFT JOIN line l ON l.item_id = i.id AND l.outcome = 'accepted' GROUP BY i.id"
        " HAVING i.amount_minor <> sum(l.amount_minor) OR i.lines <> count(l.id)"
    ):
        yield f"item {item} is {amount} of {lines} lines, its {count} lines are {total}"


def _ledger(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """What each account must hold follows from the states; recomputed from scratch."""
    expected: dict[tuple[str, str, str], int] = defaultdict(int)
    for state, provider, run, currency, amount in connection.execute(
        "SELECT state::text, provider, run_id::text, currency, sum(amount_minor)::bigint"
        " FROM item_now GROUP BY 1, 2, 3, 4"
    ):
        if state == "approved":
            expected["reserved", run, currency] += amount
        elif state in _IN_TRANSIT:
            expected["in_transit", provider, currency] += amount
        elif state in _PAID:
            expected["paid", provider, currency] += amount
    for kind, owner, currency, balance, kept in connection.execute(
        "SELECT kind, owner, currency, balance_minor, kept_minor FROM ledger_balance"
    ):
        if kept is not None and kept != balance:
            yield f"{kind}:{owner}:{currency} keeps {kept}, its transfers say {balance}"
        if kind in {"reserved", "in_transit", "paid"}:
            wanted = expected.pop((kind, owner, currency), 0)
            if wanted != balance:
                yield f"{kind}:{owner}:{currency} holds {balance}, its items say {wanted}"
    yield from (f"{':'.join(key)} is missing {value}" for key, value in expected.items() if value)
    for currency, total in connection.execute(
        "SELECT currency, sum(balance_minor)::bigint FROM ledger_balance GROUP BY 1"
        " HAVING sum(balance_minor) <> 0"
    ):
        yield f"the ledger in {currency} is off by {total}"


def _counters(connection: psycopg.Connection[Any]) -> Iterator[str]:
    for batch, state, counted, actual in connection.execute(
        "SELECT c.batch_id, c.state::text, c.items, count(n.id) FROM batch_count c"
        " LEFT JOIN item_now n ON n.batch_id = c.batch_id AND n.state = c.state"
        " GROUP BY 1, 2, 3 HAVING c.items <> count(n.id)"
    ):
        yield f"batch {batch} counts {counted} {state}, there are {actual}"


def _history(connection: psycopg.Connection[Any]) -> Iterable[str]:
    rows = connection.execute(
        "SELECT item_id, seq, before::text, after::text FROM item_life ORDER BY item_id, seq"
    )
    last: dict[int, tuple[int, str]] = {}
    for item, seq, before, after in rows:
        was = last.get(item, (0, "pending"))
        if (seq, before) != (was[0] + 1, was[1]):
            yield f"item {item}: event {seq} from {before} follows {was}"
        last[item] = (seq, after)
