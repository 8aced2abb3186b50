# ruff: noqa: S608  the statements are what is tested
"""What the database refuses whoever asks: every guard, as a table of statements.

The desk is one run of one batch of three items of 1.00 EUR, approved and out with attempt 1. Each
case is done in a transaction of its own, after what it needs, and everything is undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from payouts.store import runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from payouts.store.engine import Database

BATCH, FIRST, LAST = 70, 700, 702
OTHER, STRANGER = 71, 703


@dataclass(frozen=True)
class Case:
    """A statement that is refused.

    Args:
        statement: what is tried.
        says: part of the refusal.
        after: statements that go through before it.
    """

    name: str
    statement: str
    says: str
    after: tuple[str, ...] = ()


def moved(
    before: str,
    after: str,
    *,
    seq: int,
    item: int = FIRST,
    batch: int = BATCH,
    evidence: int | None = None,
    attempt: int | None = None,
    clouded: bool = False,
    posting: int = 100,
) -> str:
    """An event of one item."""
    return (
        "INSERT INTO item_event (item_id, batch_id, posting, attempt_id, evidence_id, before,"
        f" after, seq, clouded, actor) VALUES ({item}, {batch}, {posting}, {attempt or 'NULL'},"
        f" {evidence or 'NULL'}, '{before}', '{after}', {seq}, {clouded}, 'test')"
    )


def moved_batch(
    before: str,
    after: str,
    *,
    seq: int,
    batch: int = BATCH,
    evidence: int | None = None,
    attempt: int | None = None,
    clouded: bool = False,
    posting: int = 100,
) -> str:
    """An event of a whole batch."""
    return (
        "INSERT INTO batch_event (batch_id, seq, before, after, clouded, actor, posting,"
        f" attempt_id, evidence_id) VALUES ({batch}, {seq}, '{before}', '{after}', {clouded},"
        f" 'test', {posting}, {attempt or 'NULL'}, {evidence or 'NULL'})"
    )


def transfer(
    credit: str, debit: str, amount: int, currency: str = "EUR", posting: int = 200
) -> str:
    """A ledger transfer between two accounts by name."""
    return (
        "INSERT INTO ledger_transfer (posting, credit_id, debit_id, amount_minor, currency, kind)"
        f" SELECT {posting}, c.id, d.id, {amount}, '{currency}', 'fund'"
        f" FROM ledger_account c, ledger_account d WHERE c.name = '{credit}' AND d.name = '{debit}'"
    )


UNKNOWN = moved("sending", "unknown", seq=3, clouded=True)
SETTLED = moved("sending", "settled", seq=3, evidence=1)
FAILED = moved("sending", "failed", seq=3, evidence=1)
ATTEMPT = (
    "INSERT INTO attempt (batch_id, number, members, items, key, request_hash, worker, send_by,"
    " lease_until) VALUES ({batch}, {number}, {members}, 1, 'K', 'h', 1, now(), now())"
)
RESENT = (
    "INSERT INTO item_event (item_id, batch_id, posting, attempt_id, before, after, seq, clouded,"
    f" actor) SELECT {FIRST}, {BATCH}, 101, max(id), 'unknown', 'sending', 4, true, 'test'"
    " FROM attempt"
)
EVIDENCE = (
    "INSERT INTO evidence (kind, provider, batch_id)"
    " VALUES ('reply', 'orkestra', 70), ('reply', 'orkestra', 71)"
)
LINE = (
    "INSERT INTO line (id, run_id, number, outcome, payer_id, intent, reference, item_id,"
    " amount_minor, currency, content, replaces) VALUES ({id}, 1, {id}, 'accepted', 1, {intent},"
    " '{reference}', {item}, 100, 'EUR', 'c', {replaces})"
)
NEW_BATCH = (
    "INSERT INTO batch (id, run_id, lo, hi, provider, funding, currency, items, amount_minor,"
    " funding_id, reserved_id, in_transit_id, paid_id, payload_hash{more}) SELECT 80, run_id, 1000,"
    " {hi}, provider, funding, currency, {items}, 100, funding_id, reserved_id, in_transit_id,"
    " paid_id, payload_hash{values} FROM batch WHERE id = 71"
)
PLAIN_BATCH = NEW_BATCH.format(hi=1000, items=1, more="", values="")

MOVES = [
    Case(
        "a pair that the table does not draw",
        moved("sending", "reconciled", seq=3, evidence=1),
        "may not move from sending to reconciled",
    ),
    Case("a failed item is sent again", moved("failed", "approved", seq=4), "may not", (FAILED,)),
    Case(
        "an unclear item is approved again",
        moved("unknown", "approved", seq=4, evidence=1),
        "may not move from unknown to approved",
        (UNKNOWN,),
    ),
    Case(
        "a state that the item is not in",
        moved("processing", "settled", seq=3, evidence=1),
        "may not",
    ),
    Case("a number that was used", moved("sending", "settled", seq=2, evidence=1), "may not"),
    Case("a number that is skipped", moved("sending", "settled", seq=4, evidence=1), "may not"),
    Case(
        "a number that was used by an event of its own",
        moved("sending", "failed", seq=3, evidence=1),
        "item_event_pkey",
        (SETTLED,),
    ),
    Case(
        "a number far ahead of an event of its own",
        moved("settled", "reconciled", seq=6, evidence=1),
        "may not",
        (SETTLED,),
    ),
    Case("an item of another batch", moved("sending", "unknown", seq=3, item=703), "may not"),
    Case("an item that does not exist", moved("sending", "unknown", seq=3, item=999), "may not"),
    Case("a batch that does not exist", moved("sending", "unknown", seq=3, batch=99), "may not"),
    Case("no evidence where it is needed", moved("sending", "settled", seq=3), "may not"),
    Case(
        "evidence that is not there",
        moved("sending", "settled", seq=3, evidence=999),
        "evidence 999 is not there",
    ),
    Case(
        "evidence about another batch",
        moved("sending", "settled", seq=3, evidence=2),
        "not about batch 70",
    ),
    Case(
        "unclear without its cloud",
        moved("sending", "unknown", seq=3, clouded=False),
        "may not move from sending to unknown",
    ),
    Case(
        "the cloud is dropped without evidence",
        moved("unknown", "sending", seq=4, attempt=9, clouded=False),
        "may not",
        (UNKNOWN,),
    ),
    Case(
        "a rejection is taken for final under a cloud",
        moved("sending", "failed", seq=5, evidence=1, clouded=True),
        "may not move from sending to failed",
        (
            UNKNOWN,
            ATTEMPT.format(batch=BATCH, number=2, members=f"'{{{FIRST}}}'"),
            RESENT,
        ),
    ),
    Case(
        "sent without an attempt",
        moved("unknown", "sending", seq=4, clouded=True),
        "not a member of an open attempt",
        (UNKNOWN,),
    ),
    Case(
        "sent under an attempt of others",
        moved("unknown", "sending", seq=4, attempt=1, clouded=True),
        "not a member of an open attempt",
        (UNKNOWN,),
    ),
    Case(
        "a batch moves as one after one of its items moved alone",
        moved_batch("sending", "unknown", seq=3, clouded=True),
        "batch 70 may not move",
        (SETTLED,),
    ),
    Case("a batch skips a number", moved_batch("pending", "approved", seq=2, batch=71), "may not"),
    Case("a batch repeats a number", moved_batch("sending", "unknown", seq=2), "batch_event_pkey"),
    Case(
        "a batch moves from where it is not",
        moved_batch("approved", "sending", seq=3, attempt=1),
        "may not",
    ),
    Case(
        "a batch is sent without an attempt",
        moved_batch("approved", "sending", seq=2, batch=71),
        "no open attempt",
        (moved_batch("pending", "approved", seq=1, batch=71),),
    ),
    Case(
        "a batch is sent under a closed attempt",
        moved_batch("unknown", "sending", seq=4, attempt=1, clouded=True),
        "no open attempt",
        (
            moved_batch("sending", "unknown", seq=3, clouded=True),
            "UPDATE attempt SET closed_at = now()",
        ),
    ),
    Case(
        "a batch moves on evidence about another",
        moved_batch("unknown", "review", seq=4, evidence=2, clouded=True),
        "not about batch 70",
        (moved_batch("sending", "unknown", seq=3, clouded=True),),
    ),
    Case(
        "a batch settles as one without evidence",
        moved_batch("sending", "settled", seq=3),
        "may not",
    ),
    Case(
        "a batch is returned as one: returns are booked one by one",
        moved_batch("failed", "settled", seq=4, evidence=1),
        "may not",
        (moved_batch("sending", "failed", seq=3, evidence=1),),
    ),
]

MONEY = [
    Case(
        "a balance is written by hand",
        "UPDATE ledger_account SET balance_minor = 1000000 WHERE kind = 'funding'",
        "balances move by transfers only",
    ),
    Case(
        "an account begins with money",
        "INSERT INTO ledger_account (name, kind, owner, currency, balance_minor)"
        " VALUES ('funding:x:EUR', 'funding', 'x', 'EUR', 5)",
        "begins at zero",
    ),
    Case(
        "a summed account keeps a balance",
        "INSERT INTO ledger_account (name, kind, owner, currency, balance_minor)"
        " VALUES ('paid:x:EUR', 'paid', 'x', 'EUR', 0)",
        "ledger_account_check",
    ),
    Case(
        "an account changes its name",
        "UPDATE ledger_account SET name = 'funding:mine:EUR' WHERE kind = 'funding'",
        "balances move by transfers only",
    ),
    Case(
        "an overdraft",
        transfer("funding:main:EUR", "external:EUR", 9_701),
        "ledger_account_not_overdrawn",
    ),
    Case(
        "a run is approved beyond the money",
        moved_batch("pending", "approved", seq=1, batch=71),
        "ledger_account_not_overdrawn",
        (transfer("funding:main:EUR", "external:EUR", 9_650),),
    ),
    Case(
        "a currency that the accounts are not in",
        transfer("external:EUR", "funding:main:EUR", 5, "USD"),
        "an account of it is not",
    ),
    Case("nothing", transfer("external:EUR", "funding:main:EUR", 0), "amount_minor_check"),
    Case("less than nothing", transfer("external:EUR", "funding:main:EUR", -5), "amount_minor"),
    Case("to itself", transfer("external:EUR", "external:EUR", 5), "ledger_transfer_check"),
    Case(
        "the same posting twice",
        transfer("external:EUR", "funding:main:EUR", 5),
        "ledger_transfer_posting_kind",
        (transfer("external:EUR", "funding:main:EUR", 5),),
    ),
    Case(
        "the same move of a batch booked twice",
        moved("sending", "settled", seq=3, item=701, evidence=1, posting=100),
        "ledger_transfer_posting_kind",
        (SETTLED,),
    ),
    Case(
        "a counter is written by hand",
        "UPDATE batch_count SET items = 3 WHERE batch_id = 70 AND state = 'settled'",
        "by events only",
    ),
    Case("a counter is taken away", "DELETE FROM batch_count WHERE batch_id = 71", "events only"),
    Case("the counters are emptied", "TRUNCATE batch_count", "by events only"),
    Case(
        "a counter begins with what did not happen",
        "INSERT INTO batch_count VALUES (80, 'review', 1, 100)",
        "by events only",
        (PLAIN_BATCH,),
    ),
]

IDENTITY = [
    Case(
        "a second accepted line of an identity",
        LINE.format(id=9, intent=1, reference="R-700", item=701, replaces="NULL"),
        "line_identity",
    ),
    Case(
        "a second replacement of an item",
        LINE.format(id=10, intent=3, reference="R-700", item=702, replaces=700),
        "line_replaces",
        (LINE.format(id=9, intent=2, reference="R-700", item=701, replaces=700),),
    ),
    Case(
        "a replacement under the first intent",
        LINE.format(id=9, intent=1, reference="R-9", item=701, replaces=700),
        "line_check",
    ),
    Case(
        "another intent that replaces nothing",
        LINE.format(id=9, intent=2, reference="R-700", item=701, replaces="NULL"),
        "line_check",
    ),
    Case(
        "an accepted line without an item",
        LINE.format(id=9, intent=1, reference="R-9", item="NULL", replaces="NULL"),
        "line_check",
    ),
    Case(
        "bytes that another run claimed",
        "INSERT INTO pipeline_run (payer_id, pipeline, period, source_name, source_copy,"
        " source_sha256, source_bytes, funding, policy, counts) VALUES (1, 'p', 'd', 'n', 'c',"
        " 's', 1, 'main', 'auto', '{\"accepted\": 1}')",
        "pipeline_run_source",
    ),
    Case(
        "an id of the platform for two items",
        "INSERT INTO provider_payment VALUES ('orkestra', 'py_1', 701)",
        "provider_payment_provider_provider_ref",
        ("INSERT INTO provider_payment VALUES ('orkestra', 'py_1', 700)",),
    ),
    Case(
        "two ids of the platform for one item",
        "INSERT INTO provider_payment VALUES ('orkestra', 'py_2', 700)",
        "provider_payment_pkey",
        ("INSERT INTO provider_payment VALUES ('orkestra', 'py_1', 700)",),
    ),
    Case(
        "a batch of an item more than 500",
        NEW_BATCH.format(hi=1500, items=501, more="", values=""),
        "batch_items_check",
    ),
    Case(
        "a batch whose range is not its count",
        NEW_BATCH.format(hi=1005, items=5, more="", values=""),
        "batch_check",
    ),
    Case(
        "a batch that begins approved",
        NEW_BATCH.format(hi=1000, items=1, more=", base_state, base_seq", values=", 'approved', 1"),
        "does not begin as pending",
    ),
]

FROZEN = [
    Case(f"batch.{column}", f"UPDATE batch SET {column} = {value}", "is frozen")
    for column, value in (
        ("lo", "lo - 1"),
        ("hi", "hi + 1"),
        ("provider", "'orkesta'"),
        ("funding", "'other'"),
        ("currency", "'USD'"),
        ("due_date", "'2020-01-01'"),
        ("items", "items - 1"),
        ("amount_minor", "amount_minor + 1"),
        ("funding_id", "paid_id"),
        ("reserved_id", "paid_id"),
        ("in_transit_id", "paid_id"),
        ("paid_id", "funding_id"),
        ("payload_hash", "'other'"),
        ("run_id", "run_id + 1"),
    )
]
FROZEN += [
    Case(f"batch.{column}", f"UPDATE batch SET {column} = {value}", "moves by events only")
    for column, value in (
        ("base_state", "'settled'"),
        ("base_seq", "base_seq + 1"),
        ("base_clouded", "NOT base_clouded"),
        ("split", "NOT split"),
        ("tries", "0"),
    )
]
FROZEN += [
    Case(f"attempt.{column}", f"UPDATE attempt SET {column} = {value}", "was sent as it is")
    for column, value in (
        ("key", "'other'"),
        ("request_hash", "'other'"),
        ("members", "'{700}'"),
        ("fence", "fence + 1"),
        ("send_by", "send_by + interval '1 day'"),
        ("batch_id", "71"),
        ("worker", "worker + 1"),
    )
]
FROZEN += [
    Case(
        "an attempt ends twice",
        "UPDATE attempt SET outcome = 'readable'",
        "was sent as it is",
        ("UPDATE attempt SET closed_at = now(), outcome = 'unclear'",),
    ),
    Case(
        "an attempt is opened again",
        "UPDATE attempt SET closed_at = NULL",
        "was sent as it is",
        ("UPDATE attempt SET closed_at = now()",),
    ),
    Case(
        "a run forgets its claim",
        "UPDATE pipeline_run SET counts = '{}'",
        "was loaded from stays",
    ),
    Case(
        "a run was of other bytes",
        "UPDATE pipeline_run SET source_sha256 = 'x'",
        "was loaded from stays",
    ),
    Case("a hold was for something else", "UPDATE hold SET reason = 'x'", "can only end"),
    Case(
        "a hold is opened again",
        "UPDATE hold SET released_at = NULL",
        "can only end",
        ("UPDATE hold SET released_at = now(), released_by = 'a'",),
    ),
    Case(
        "a move is drawn",
        "INSERT INTO item_move VALUES ('failed', 'approved', NULL, NULL, false, false, false,"
        " false)",
        "item_move are never changed",
    ),
]

WRITTEN_ONCE = {
    "item": "amount_minor = amount_minor + 1",
    "line": "outcome = 'rejected'",
    "item_event": "after = 'settled'",
    "batch_event": "after = 'settled'",
    "ledger_transfer": "amount_minor = 1",
    "batch_payload": "body = 'other'",
    "evidence": "excerpt = 'other'",
    "provider_payment": "provider_ref = 'other'",
    "approval": "actor = 'other'",
    "payer": "name = 'other'",
    "item_move": "evidence = false",
    "control_action": "reason = 'other'",
    "collection_event": "after = 'paid'",
    "collection_move": "after = 'paid'",
    "erasure": "actor = 'other'",
}
KEPT = (
    *("batch", "attempt", "hold", "pipeline_run", "ledger_account"),
    *("cancel_request", "cancel_attempt", "resolution", "restoration"),
    *("collection", "collection_attempt"),
)
NEVER = "are never changed or deleted"
REMOVALS = [
    Case(f"{table} is changed", f"UPDATE {table} SET {change}", NEVER)
    for table, change in WRITTEN_ONCE.items()
]
REMOVALS += [
    Case(f"{table} is deleted from", f"DELETE FROM {table}", NEVER)
    for table in (*WRITTEN_ONCE, *KEPT)
]
# CASCADE, so that no other table's reference stands in for the guard.
REMOVALS += [
    Case(f"{table} is emptied", f"TRUNCATE {table} CASCADE", "refused|never|events only")
    for table in (*WRITTEN_ONCE, *KEPT)
]

CASES = [*MOVES, *MONEY, *IDENTITY, *FROZEN, *REMOVALS]


@pytest.fixture(scope="module")
def desk(database: Database) -> Database:
    """The run, its batches, and attempt 1."""
    with database.unit() as unit:
        _loaded(unit)
        for statement in (
            moved_batch("pending", "approved", seq=1, posting=1),
            ATTEMPT.format(batch=BATCH, number=1, members="NULL").replace(", 1, 'K'", ", 3, 'K'"),
            moved_batch("approved", "sending", seq=2, attempt=1, posting=2),
            EVIDENCE,
            "INSERT INTO hold (run_id, reason, detail, opened_by) VALUES (1, 'r', 'd', 'a')",
            "INSERT INTO approval (run_id, actor, reason) VALUES (1, 'a', 'r')",
        ):
            unit.execute(text(statement))
    return database


def _loaded(unit: Connection) -> None:
    assert runs.ensure_payer(unit, "desk") == 1
    unit.execute(
        text(
            "INSERT INTO pipeline_run (payer_id, pipeline, period, source_name, source_copy,"
            " source_sha256, source_bytes, funding, policy, line_lo, line_hi) VALUES (1, 'p', 'd',"
            f" 'n', 'c', 's', 1, 'main', 'auto', {FIRST}, {STRANGER})"
        )
    )
    runs.ensure_account(unit, kind="external", owner="", currency="EUR")
    keys = runs.ensure_accounts(unit, funding="main", run="1", provider="orkestra", currency="EUR")
    unit.execute(text(transfer("external:EUR", "funding:main:EUR", 10_000, posting=99)))
    for batch, low, high in ((BATCH, FIRST, LAST), (OTHER, STRANGER, STRANGER)):
        count = high - low + 1
        unit.execute(
            text(
                "INSERT INTO batch (id, run_id, lo, hi, provider, funding, currency, items,"
                " amount_minor, funding_id, reserved_id, in_transit_id, paid_id, payload_hash)"
                " VALUES (:id, 1, :lo, :hi, 'orkestra', 'main', 'EUR', :items, :amount, :funding,"
                " :reserved, :in_transit, :paid, 'hash')"
            ),
            {
                "id": batch,
                "lo": low,
                "hi": high,
                "items": count,
                "amount": 100 * count,
                "funding": keys.funding,
                "reserved": keys.reserved,
                "in_transit": keys.in_transit,
                "paid": keys.paid,
            },
        )
        unit.execute(
            text(
                "INSERT INTO batch_count SELECT id, s, CASE s WHEN 'pending' THEN items ELSE 0 END,"
                " CASE s WHEN 'pending' THEN amount_minor ELSE 0 END FROM batch,"
                " unnest(enum_range(NULL::item_state)) s WHERE id = :id"
            ),
            {"id": batch},
        )
        unit.execute(
            text(
                "INSERT INTO item (id, batch_id, line_id, amount_minor, wire_prefix)"
                " SELECT g, :batch, g, 100, g FROM generate_series(CAST(:lo AS bigint), :hi) g"
            ),
            {"batch": batch, "lo": low, "hi": high},
        )
        for item in range(low, high + 1):
            unit.execute(
                text(
                    LINE.format(
                        id=item, intent=1, reference=f"R-{item}", item=item, replaces="NULL"
                    )
                )
            )
    runs.close_load(unit, 1, read=4, counts={"accepted": 4}, totals={"EUR": 400})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_database_refuses(desk: Database, case: Case) -> None:
    with desk.reading() as connection:
        for statement in case.after:
            connection.execute(text(statement))

        with pytest.raises(DBAPIError, match=case.says):
            connection.execute(text(case.statement))


ALLOWED = {
    "paid": (SETTLED,),
    "rejected": (FAILED,),
    "unclear, then found": (
        UNKNOWN,
        moved("unknown", "settled", seq=4, evidence=1, posting=101),
    ),
    "a batch unclear as one": (moved_batch("sending", "unknown", seq=3, clouded=True),),
    "an unclear item is sent again": (
        UNKNOWN,
        ATTEMPT.format(batch=BATCH, number=2, members=f"'{{{FIRST}}}'"),
        RESENT,
    ),
    "paid, then returned": (
        SETTLED,
        moved("settled", "returned", seq=4, evidence=1, posting=101),
    ),
    "approved with the money": (moved_batch("pending", "approved", seq=1, batch=71),),
    "an attempt ends": ("UPDATE attempt SET closed_at = now(), outcome = 'readable'",),
    "a hold ends": ("UPDATE hold SET released_at = now(), released_by = 'a'",),
    "a run closes": ("UPDATE pipeline_run SET approved_by = 'a', closed_at = now()",),
    "a batch is due": ("UPDATE batch SET send_at = now(), check_at = now(), checks = 1",),
    "replaced once": (LINE.format(id=9, intent=2, reference="R-700", item=701, replaces=700),),
    "a batch begins": (PLAIN_BATCH, "INSERT INTO batch_count VALUES (80, 'pending', 1, 100)"),
    "money comes in": (transfer("external:EUR", "funding:main:EUR", 5),),
}


@pytest.mark.parametrize("statements", ALLOWED.values(), ids=ALLOWED.keys())
def test_the_database_allows_what_is_right(desk: Database, statements: tuple[str, ...]) -> None:
    """Else the table above would prove nothing: a guard that refuses everything refuses too."""
    with desk.reading() as connection:
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0


def test_every_immutable_table_has_its_guard_in_the_table_above(database: Database) -> None:
    with database.reading() as connection:
        guarded = set(
            connection.execute(
                text(
                    "SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
                    " JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proname = 'refuse_change'"
                )
            ).scalars()
        )

    assert guarded == {*WRITTEN_ONCE, *KEPT}
