"""The independent checker: the truth log of the platforms against the database, and nothing else.

It imports nothing of ours. It reads what the platforms really did (`truth.jsonl`, one JSON object
per line) and, over plain SQL, what the database says, and names every broken promise:

* double effect: two effects that move money under one reference (P1)
* wrong effect: an effect for nobody, or of another amount or currency than its item
* lost or wrong state: settled without an effect; failed, cancelled or sendable with one
* lines: read differs from accounted for, or accepted lines without their item (P2)
* ledger: balances that do not follow from the states of the items (P8, P9)
* corrections: more given back than was paid (P7)
* history: events that do not chain, moves that are not drawn, moves without their grounds, state
  that no event explains (P5, P10)

`tests/proof/test_checker.py` shows it hand-made bad histories, and it refuses each.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import psycopg

__all__ = ["broken_promises", "effects_of"]

_IN_TRANSIT = ("sending", "unknown", "processing", "review")
_PAID = ("settled", "reconciled")
_NEVER_PAID = ("failed", "cancelled", "expired")

# ARCHITECTURE §5 once more, by hand: from, to, and what the move needs.
_DRAWN = {
    ("pending", "approved"): "",
    ("pending", "cancelled"): "",
    ("pending", "expired"): "",
    ("approved", "cancelled"): "",
    ("approved", "expired"): "",
    ("approved", "sending"): "attempt",
    ("approved", "unknown"): "",
    ("sending", "processing"): "evidence",
    ("sending", "settled"): "evidence",
    ("sending", "failed"): "evidence",
    ("sending", "approved"): "evidence",
    ("sending", "unknown"): "",
    ("unknown", "sending"): "attempt",
    ("unknown", "processing"): "evidence",
    ("unknown", "settled"): "evidence",
    ("unknown", "failed"): "evidence",
    ("unknown", "review"): "",
    ("processing", "settled"): "evidence",
    ("processing", "failed"): "evidence",
    ("processing", "cancelled"): "evidence",
    ("processing", "review"): "",
    ("review", "processing"): "evidence",
    ("review", "settled"): "evidence",
    ("review", "failed"): "evidence",
    ("review", "approved"): "evidence",
    ("settled", "reconciled"): "evidence",
    ("settled", "returned"): "evidence",
    ("reconciled", "returned"): "evidence",
    ("failed", "settled"): "evidence",
    ("cancelled", "settled"): "evidence",
    ("expired", "settled"): "evidence",
}


def effects_of(truth: Path | Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Payouts by reference, without those that were cancelled.

    Orders collect and refunds give back what orders collected: neither pays a line of a file.

    Args:
        truth: the truth log, as a file or as its lines.
    """
    lines = list(_lines_of(truth))
    cancelled = {line["effect"] for line in lines if line["kind"] == "cancel"}
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        for effect in line.get("effects", []):
            if line["kind"] not in {"order", "refund"} and effect["effect"] not in cancelled:
                found[effect["reference"]].append(effect)
    return found


def _lines_of(truth: Path | Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    if not isinstance(truth, Path):
        return truth
    return [json.loads(line) for line in truth.read_text().splitlines()] if truth.exists() else []


def broken_promises(
    connection: psycopg.Connection[Any],
    truth: Path | Iterable[dict[str, Any]],
    wires: dict[int, str],
    *,
    runs: Sequence[int] | None = None,
) -> list[str]:
    """Sentences, one per broken promise; an empty list is what one wants.

    Args:
        wires: item key -> the reference that the platform knows it by.
        runs: judge these runs only; then `truth` and `wires` are theirs.
    """
    effects = effects_of(truth)
    chosen = [row[0] for row in connection.execute("SELECT id FROM pipeline_run")]
    if runs is not None:
        chosen = list(runs)
    found = [
        *_effects(connection, effects, wires),
        *_lines(connection, chosen),
        *_bookings(connection, chosen),
        *_openings(connection, chosen),
        *_corrections(connection, chosen),
        *_counters(connection, chosen),
        *_history(connection, chosen),
    ]
    if runs is None:
        found += _accounts(connection)
    return found


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
        if state in _NEVER_PAID and moving:
            yield f"item {item} is {state} and was paid"
        if state in {"pending", "approved"} and moving:
            yield f"item {item} is {state}, may be sent, and was paid"


def _lines(connection: psycopg.Connection[Any], runs: list[int]) -> Iterator[str]:
    for run, read, counts, counted in connection.execute(
        "SELECT r.id, r.lines_read, r.counts, (SELECT jsonb_object_agg(outcome, lines) FROM ("
        " SELECT outcome, count(*) AS lines FROM line l WHERE l.run_id = r.id GROUP BY 1) c)"
        " FROM pipeline_run r WHERE r.id = ANY(%s)",
        [runs],
    ):
        found = counted or {}
        if read != sum(found.values()):
            yield f"run {run} read {read} lines and accounts for {sum(found.values())}"
        if {key: count for key, count in counts.items() if count} != found:
            yield f"run {run} says {counts}, its lines are {found}"
    for item, amount, lines, total, count in connection.execute(
        "SELECT i.id, i.amount_minor, i.lines, sum(l.amount_minor), count(l.id) FROM item i"
        " JOIN batch b ON b.id = i.batch_id"
        " LEFT JOIN line l ON l.item_id = i.id AND l.outcome = 'accepted' AND l.run_id = b.run_id"
        " WHERE b.run_id = ANY(%s) GROUP BY i.id"
        " HAVING i.amount_minor IS DISTINCT FROM sum(l.amount_minor) OR i.lines <> count(l.id)",
        [runs],
    ):
        yield f"item {item} is {amount} of {lines} lines, its {count} lines are {total}"
    for line, item in connection.execute(
        "SELECT l.id, l.item_id FROM line l LEFT JOIN item i ON i.id = l.item_id"
        " WHERE l.run_id = ANY(%s) AND l.outcome = 'accepted' AND i.id IS NULL",
        [runs],
    ):
        yield f"line {line} is accepted and its item {item} is not there"


def _bookings(connection: psycopg.Connection[Any], runs: list[int]) -> Iterator[str]:
    """What each account must hold of these runs follows from the states; summed from scratch."""
    expected: dict[tuple[str, str, str], int] = defaultdict(int)
    for state, provider, run, currency, amount in connection.execute(
        "SELECT state::text, provider, run_id::text, currency, sum(amount_minor)::bigint"
        " FROM item_now WHERE run_id = ANY(%s) GROUP BY 1, 2, 3, 4",
        [runs],
    ):
        if state == "approved":
            expected["reserved", run, currency] += amount
        elif state in _IN_TRANSIT:
            expected["in_transit", provider, currency] += amount
        elif state in _PAID:
            expected["paid", provider, currency] += amount
    for kind, owner, currency, held in connection.execute(
        "SELECT a.kind, a.owner, a.currency, sum(t.amount)::bigint FROM ("
        " SELECT debit_id AS id, amount_minor AS amount FROM ledger_transfer"
        " WHERE run_id = ANY(%(runs)s) UNION ALL"
        " SELECT credit_id, -amount_minor FROM ledger_transfer WHERE run_id = ANY(%(runs)s)) t"
        " JOIN ledger_account a ON a.id = t.id GROUP BY 1, 2, 3",
        {"runs": runs},
    ):
        if kind in {"reserved", "in_transit", "paid"}:
            wanted = expected.pop((kind, owner, currency), 0)
            if wanted != held:
                yield f"{kind}:{owner}:{currency} holds {held}, its items say {wanted}"
    yield from (f"{':'.join(key)} is missing {value}" for key, value in expected.items() if value)


def _accounts(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """Kept balances are the sums of their transfers, and each currency adds up to nothing."""
    for kind, owner, currency, balance, kept in connection.execute(
        "SELECT kind, owner, currency, balance_minor, kept_minor FROM ledger_balance"
    ):
        if kept is not None and kept != balance:
            yield f"{kind}:{owner}:{currency} keeps {kept}, its transfers say {balance}"
        if kind != "external" and balance < 0:
            yield f"{kind}:{owner}:{currency} is overdrawn by {-balance}"
    for currency, total in connection.execute(
        "SELECT currency, sum(balance_minor)::bigint FROM ledger_balance GROUP BY 1"
        " HAVING sum(balance_minor) <> 0"
    ):
        yield f"the ledger in {currency} is off by {total}"
    for transfer, currency in connection.execute(
        "SELECT t.id, t.currency FROM ledger_transfer t JOIN ledger_account c ON c.id = t.credit_id"
        " JOIN ledger_account d ON d.id = t.debit_id"
        " WHERE c.currency <> t.currency OR d.currency <> t.currency"
    ):
        yield f"transfer {transfer} of {currency} stands between other currencies"


def _openings(connection: psycopg.Connection[Any], runs: list[int]) -> Iterator[str]:
    """The opening balance of a funding account is stated once."""
    for owner, currency, times in connection.execute(
        "SELECT d.owner, d.currency, count(*) FROM ledger_transfer t"
        " JOIN ledger_account d ON d.id = t.debit_id WHERE t.kind = 'opening'"
        " AND d.owner IN (SELECT funding FROM pipeline_run WHERE id = ANY(%s))"
        " GROUP BY 1, 2 HAVING count(*) > 1",
        [runs],
    ):
        yield f"funding:{owner}:{currency} was opened {times} times"


def _corrections(connection: psycopg.Connection[Any], runs: list[int]) -> Iterator[str]:
    """Returns and refunds together never exceed what was paid."""
    for item, amount, back in connection.execute(
        "SELECT i.id, i.amount_minor, sum(CASE WHEN c.kind = 'paid' THEN t.amount_minor"
        " WHEN d.kind = 'paid' THEN -t.amount_minor ELSE t.amount_minor END)::bigint"
        " FROM ledger_transfer t JOIN item i ON i.id = t.item_id"
        " JOIN ledger_account c ON c.id = t.credit_id JOIN ledger_account d ON d.id = t.debit_id"
        " WHERE t.run_id = ANY(%s) AND t.corrects IS NOT NULL GROUP BY 1, 2",
        [runs],
    ):
        if back > amount:
            yield f"item {item} is {amount}, given back was {back}"
    for transfer, amount, back in connection.execute(
        "SELECT o.id, o.amount_minor, sum(t.amount_minor)::bigint FROM ledger_transfer t"
        " JOIN ledger_transfer o ON o.id = t.corrects WHERE t.run_id = ANY(%s)"
        " AND t.credit_id = o.debit_id GROUP BY 1, 2 HAVING sum(t.amount_minor) > o.amount_minor",
        [runs],
    ):
        yield f"transfer {transfer} of {amount} is corrected by {back}"


def _counters(connection: psycopg.Connection[Any], runs: list[int]) -> Iterator[str]:
    for batch, state, counted, actual in connection.execute(
        "SELECT c.batch_id, c.state::text, c.items, count(n.id) FROM batch_count c"
        " JOIN batch b ON b.id = c.batch_id"
        " LEFT JOIN item_now n ON n.batch_id = c.batch_id AND n.state = c.state"
        " WHERE b.run_id = ANY(%s) GROUP BY 1, 2, 3 HAVING c.items <> count(n.id)",
        [runs],
    ):
        yield f"batch {batch} counts {counted} {state}, there are {actual}"


_LIFE = """
SELECT l.item_id, l.seq, l.before::text, l.after::text, l.clouded, v.kind,
       v.batch_id = l.batch_id, a.id IS NOT NULL AND a.batch_id = l.batch_id
       AND (a.members IS NULL OR l.item_id = ANY (a.members))
  FROM (SELECT i.id AS item_id, e.batch_id, e.seq, e.before, e.after, e.clouded, e.evidence_id,
               e.attempt_id FROM item i JOIN batch_event e ON e.batch_id = i.batch_id
          JOIN batch b ON b.id = i.batch_id WHERE b.run_id = ANY(%(runs)s)
        UNION ALL
        SELECT e.item_id, e.batch_id, e.seq, e.before, e.after, e.clouded, e.evidence_id,
               e.attempt_id FROM item_event e JOIN batch b ON b.id = e.batch_id
         WHERE b.run_id = ANY(%(runs)s)) l
  LEFT JOIN evidence v ON v.id = l.evidence_id
  LEFT JOIN attempt a ON a.id = l.attempt_id
 ORDER BY l.item_id, l.seq
"""


def _history(connection: psycopg.Connection[Any], runs: list[int]) -> Iterator[str]:
    """Every item's events, from its creation on, and that they arrive at its state."""
    last: dict[int, tuple[int, str]] = {}
    clouded: dict[int, bool] = {}
    for item, seq, before, after, cloud, proof, about, sent in connection.execute(
        _LIFE, {"runs": runs}
    ):
        was = last.get(item, (0, "pending"))
        if (seq, before) != (was[0] + 1, was[1]):
            yield f"item {item}: event {seq} from {before} follows {was}"
        needs = _DRAWN.get((before, after))
        if needs is None:
            yield f"item {item}: event {seq} from {before} to {after} is not drawn"
        if needs == "evidence" and not (proof and about):
            yield f"item {item}: event {seq} to {after} has no evidence"
        if needs == "attempt" and not sent:
            yield f"item {item}: event {seq} to {after} has no attempt of it"
        if clouded.get(item) and not cloud and not proof:
            yield f"item {item}: event {seq} to {after} ends a doubt without evidence"
        last[item], clouded[item] = (seq, after), cloud
    for item, seq, state in connection.execute(
        "SELECT id, seq, state::text FROM item_now WHERE run_id = ANY(%s)", [runs]
    ):
        if last.get(item, (0, "pending")) != (seq, state):
            yield f"item {item} is {state} ({seq}), its events say {last.get(item)}"
