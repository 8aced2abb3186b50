"""State machines: random steps against the real database, beside a model that a person can read.

The short settings are for every run of the suite; `long` goes deeper.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.exc import DBAPIError

from payouts.core.items import MOVES, State
from payouts.core.sealed import Sealed
from payouts.store import inbox
from tests.proof.checker import broken_promises

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from payouts.store.engine import Database
    from tests.desk import Desk

SHORT = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
DEEP = settings(SHORT, max_examples=300, stateful_step_count=60, derandomize=False)
DEPTHS = [
    pytest.param(SHORT, id="short"),
    pytest.param(DEEP, id="deep", marks=[pytest.mark.long, pytest.mark.timeout(1800)]),
]
TABLE = {(move.before, move.after): move for move in MOVES}


def _walk(machine: Callable[[], RuleBasedStateMachine], depth: settings) -> None:
    """Hypothesis takes whatever makes a machine; its types say a class."""
    run_state_machine_as_test(machine, settings=depth)  # type: ignore[arg-type]


class InTransaction(RuleBasedStateMachine):
    """Steps inside one transaction that is undone; each step is a savepoint."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.connection = psycopg.connect(database.conninfo())

    def teardown(self) -> None:
        self.connection.rollback()
        self.connection.close()

    def goes_through(self, statement: str, values: Sequence[object] = ()) -> bool:
        """Whether the database takes it; a refusal undoes the step alone."""
        try:
            with self.connection.transaction():
                self.connection.execute(statement, values)
        except psycopg.errors.IntegrityError:
            return False
        return True


# -- the item --------------------------------------------------------------------------------------


@dataclass
class Item:
    """What the model knows of an item."""

    state: State = State.APPROVED
    seq: int = 1
    clouded: bool = False


class ItemMachine(InTransaction):
    """Events through the database's guard; the table of `core.items` says which go through."""

    def __init__(self, database: Database, run: int) -> None:
        super().__init__(database)
        self.run_id = run
        self.batch, lo, hi = self.connection.execute(
            "SELECT id, lo, hi FROM batch WHERE run_id = %s", [run]
        ).fetchone() or (0, 0, 0)
        self.items = {key: Item() for key in range(lo, hi + 1)}
        self.numbers = itertools.count(1)
        self.evidence = self.connection.execute(
            "INSERT INTO evidence (kind, provider, batch_id) VALUES ('lookup', 'x', %s)"
            " RETURNING id",
            [self.batch],
        ).fetchone()
        self.moved = 0

    @rule(
        place=st.integers(0, 2),
        after=st.sampled_from(State),
        drawn=st.booleans(),
        draw=st.integers(0, 20),
        step=st.sampled_from((1, 1, 1, 1, 1, 0, 2)),
        proof=st.sampled_from((True, True, False)),
        cloud=st.booleans(),
        out=st.sampled_from((True, True, False)),
    )
    def an_item_moves(
        self,
        *,
        place: int,
        after: State,
        drawn: bool,
        draw: int,
        step: int,
        proof: bool,
        cloud: bool,
        out: bool,
    ) -> None:
        key = sorted(self.items)[place]
        item = self.items[key]
        if drawn:  # else nearly every step would be refused for its pair alone
            ways = [move.after for move in MOVES if move.before is item.state] or [after]
            after = ways[draw % len(ways)]
            cloud = cloud or TABLE.get((item.state, after), MOVES[0]).clouds
        attempt = self._attempt(key) if out else None
        values = [key, self.batch, next(self.numbers) + 10**9, attempt]
        values += [self.evidence[0] if proof and self.evidence else None]
        values += [item.state, after, item.seq + step, cloud]

        taken = self.goes_through(
            "INSERT INTO item_event (item_id, batch_id, posting, attempt_id, evidence_id, before,"
            " after, seq, clouded, actor) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'test')",
            values,
        )

        assert taken == self._may(item, after, step=step, proof=proof, cloud=cloud, out=out)
        if taken:
            self.moved += 1
            self.items[key] = Item(after, item.seq + 1, cloud)

    @staticmethod
    def _may(item: Item, after: State, *, step: int, proof: bool, cloud: bool, out: bool) -> bool:
        move = TABLE.get((item.state, after))
        return (
            move is not None
            and step == 1
            and (proof or not move.evidence)
            and not (move.clear and item.clouded)
            and (cloud or not move.clouds)
            and (proof or cloud or not item.clouded)
            and (out or after is not State.SENDING)
        )

    def _attempt(self, key: int) -> int:
        row = self.connection.execute(
            "INSERT INTO attempt (batch_id, number, members, items, key, request_hash, worker,"
            " send_by, lease_until) SELECT %(batch)s, 1 + coalesce(max(number), 0),"
            " ARRAY[%(item)s]::bigint[], 1, 'k', '', 1, payouts_now(), payouts_now() FROM attempt"
            " WHERE batch_id = %(batch)s RETURNING id",
            {"batch": self.batch, "item": key},
        ).fetchone()
        assert row is not None
        return int(row[0])

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        rows = self.connection.execute(
            "SELECT id, state::text, seq, clouded FROM item_now WHERE run_id = %s", [self.run_id]
        ).fetchall()
        assert {
            key: Item(State(state), seq, cloud) for key, state, seq, cloud in rows
        } == self.items

    @invariant()
    def the_checker_finds_nothing(self) -> None:
        assert broken_promises(self.connection, [], {}, runs=[self.run_id]) == []


@pytest.fixture(scope="module")
def approved(desk: Desk, sepa: Callable[..., str]) -> int:
    return desk.load(sepa(3, prefix="MACHINE")).run_id


@pytest.mark.parametrize("depth", DEPTHS)
def test_an_item_moves_as_its_table_says_and_in_no_other_way(
    database: Database, approved: int, depth: settings
) -> None:
    _walk(lambda: ItemMachine(database, approved), depth)


# -- the ledger ------------------------------------------------------------------------------------

ACCOUNTS = ("funding", "reserved", "in_transit", "paid")


class LedgerMachine(InTransaction):
    """Transfers between accounts, forgeries included; the model is a dictionary of balances."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.keys: dict[tuple[str, str], int] = {}
        self.balances: Counter[tuple[str, str]] = Counter()
        self.posting = itertools.count(10**12)
        for currency in ("EUR", "TRY"):
            for kind in ("external", *ACCOUNTS):
                row = self.connection.execute(
                    "INSERT INTO ledger_account (name, kind, owner, currency, balance_minor)"
                    " VALUES (%s, %s, 'machine', %s, %s) RETURNING id",
                    [
                        *(f"{kind}:machine:{currency}", kind, currency),
                        0 if kind in {"funding", "reserved"} else None,
                    ],
                ).fetchone()
                assert row is not None
                self.keys[kind, currency] = row[0]

    @rule(
        pair=st.sampled_from([*itertools.permutations(("external", *ACCOUNTS), 2)]),
        currencies=st.sampled_from((("EUR", "EUR"), ("TRY", "TRY"), ("EUR", "TRY"))),
        amount=st.sampled_from((1, 99, 100, 5_000, 0, -1)),
    )
    def money_moves(self, pair: tuple[str, str], currencies: tuple[str, str], amount: int) -> None:
        credit, debit = zip(pair, currencies, strict=True)

        taken = self.goes_through(
            "INSERT INTO ledger_transfer (posting, credit_id, debit_id, amount_minor, currency,"
            " kind) VALUES (%s, %s, %s, %s, %s, 'fund')",
            [next(self.posting), self.keys[credit], self.keys[debit], amount, currencies[0]],
        )

        kept = credit[0] in {"funding", "reserved"}
        covered = not kept or self.balances[credit] >= amount
        assert taken == (amount > 0 and currencies[0] == currencies[1] and covered)
        if taken:
            self.balances[credit] -= amount
            self.balances[debit] += amount

    @rule(
        statement=st.sampled_from(
            (
                (
                    "UPDATE ledger_account SET balance_minor = balance_minor + 1"
                    " WHERE balance_minor IS NOT NULL"
                ),
                "UPDATE ledger_transfer SET amount_minor = 1",
                "DELETE FROM ledger_transfer",
                "DELETE FROM ledger_account WHERE owner = 'machine'",
                (
                    "INSERT INTO ledger_account (name, kind, owner, currency, balance_minor)"
                    " VALUES ('rich', 'funding', 'rich', 'EUR', 100)"
                ),
            )
        )
    )
    def somebody_forges(self, statement: str) -> None:
        assert not self.goes_through(statement)

    @invariant()
    def balances_are_what_was_moved(self) -> None:
        rows = self.connection.execute(
            "SELECT kind, currency, balance_minor, kept_minor FROM ledger_balance"
            " WHERE owner = 'machine'"
        ).fetchall()
        assert {(kind, currency): balance for kind, currency, balance, _ in rows} == {
            key: self.balances[key] for key in self.keys
        }
        assert all(kept in {None, balance} for _, _, balance, kept in rows)
        for currency in ("EUR", "TRY"):
            assert sum(b for _, c, b, _ in rows if c == currency) == 0


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_ledger_balances_whatever_is_tried(database: Database, depth: settings) -> None:
    _walk(lambda: LedgerMachine(database), depth)


# -- the inbox -------------------------------------------------------------------------------------


class InboxMachine(RuleBasedStateMachine):
    """Deliveries and marks in any order; the first delivery under an id is the one that counts."""

    numbers = itertools.count(1)

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.provider = f"machine{next(self.numbers)}"
        self.stored: dict[str, tuple[int, bytes]] = {}
        self.states: dict[int, str] = {}

    @rule(event=st.sampled_from("abcd"), body=st.sampled_from((b"{}", b"[]")), dies=st.booleans())
    def a_delivery_arrives(self, *, event: str, body: bytes, dies: bool) -> None:
        with self.database.engine.connect() as unit:
            key = inbox.take_key(unit)
            before = inbox.put(
                unit, key, self.provider, event, raw=body, body=Sealed("k", b"d", b"b")
            )
            if dies:  # before the commit: the sender was not told that it arrived
                return
            unit.commit()
        if event in self.stored:
            assert before is not None
        else:
            assert before is None
            self.stored[event] = (key, body)
            self.states[key] = "new"

    @precondition(lambda self: self.stored)
    @rule(
        draw=st.integers(0, 3), state=st.sampled_from(("applied", "recorded", "poisoned", "orphan"))
    )
    def it_is_looked_at(self, draw: int, state: str) -> None:
        key = sorted(self.states)[draw % len(self.states)]
        wait = 60.0 if state == "orphan" else None
        done = self.states[key] in {"applied", "recorded"}
        forbidden = done and state != self.states[key]
        try:
            with self.database.unit() as unit:
                inbox.mark(unit, [inbox.Mark(key, state, error="why", wait_s=wait)])
            taken = True
        except DBAPIError:
            taken = False
        assert taken or forbidden
        if taken:
            with self.database.reading() as unit:
                (now,) = unit.exec_driver_sql(
                    "SELECT state FROM webhook_inbox WHERE id = %s", (key,)
                ).one()
            assert now == self.states[key] if done else now in {state, self.states[key]}
            self.states[key] = now

    @invariant()
    def each_event_is_there_once_as_it_first_came(self) -> None:
        with self.database.reading() as unit:
            rows: list[Any] = list(
                unit.exec_driver_sql(
                    "SELECT event_id, id, bytes, state FROM webhook_inbox WHERE provider = %s",
                    (self.provider,),
                )
            )
        assert {event: key for event, key, _, _ in rows} == {
            event: key for event, (key, _) in self.stored.items()
        }
        assert {key: state for _, key, _, state in rows} == self.states


@pytest.mark.parametrize("depth", DEPTHS)
def test_an_event_counts_once_however_often_it_is_delivered(
    database: Database, depth: settings
) -> None:
    _walk(lambda: InboxMachine(database), depth)


# -- the identity of lines -------------------------------------------------------------------------


class IntakeMachine(RuleBasedStateMachine):
    """Files in any order, again, edited, reordered; the model is who was accepted with what."""

    numbers = itertools.count(1)

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.payer = f"machine{next(self.numbers)}"
        self.claimed: dict[str, int] = {}
        self.files: dict[str, int] = {}
        self.dropped: list[str] = []

    def _drop(self, text: str, lines: dict[str, int]) -> None:
        result = self.desk.load(text, payer=self.payer, funding=self.payer)
        if text in self.files:
            assert result.known
            assert result.run_id == self.files[text]
            return
        expected = Counter(
            "accepted"
            if reference not in self.claimed
            else "duplicate"
            if self.claimed[reference] == amount
            else "conflict"
            for reference, amount in lines.items()
        )
        assert Counter(result.counts) == expected
        assert not result.known
        self.dropped.append(text)
        if expected["accepted"]:
            self.files[text] = result.run_id
        self.claimed = lines | self.claimed

    @rule(
        lines=st.dictionaries(st.sampled_from("abcdef"), st.sampled_from((1050, 1051)), min_size=1),
        turned=st.booleans(),
    )
    def a_file_is_dropped(self, *, lines: dict[str, int], turned: bool) -> None:
        order = sorted(lines, reverse=turned)
        self._drop(_text({reference: lines[reference] for reference in order}), lines)

    @precondition(lambda self: self.dropped)
    @rule(draw=st.integers(0, 9))
    def a_file_is_dropped_again(self, draw: int) -> None:
        text = self.dropped[draw % len(self.dropped)]
        rows = [row.split(",") for row in text.splitlines()[1:]]
        self._drop(text, {row[0]: int(row[4].replace(".", "")) for row in rows})

    @invariant()
    def each_line_is_accepted_once(self) -> None:
        with self.desk.database.reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT l.reference, l.amount_minor FROM line l JOIN payer p ON p.id = l.payer_id"
                " WHERE p.name = %s AND l.outcome = 'accepted'",
                (self.payer,),
            ).all()
        assert sorted((r, a) for r, a in rows) == sorted(self.claimed.items())


def _text(lines: dict[str, int]) -> str:
    rows = [
        f"{reference},Jonas Weber,DE,EUR,{amount // 100}.{amount % 100:02d},sepa,"
        "DE89370400440532013000\n"
        for reference, amount in lines.items()
    ]
    return "reference,name,country,currency,amount,method,account\n" + "".join(rows)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_line_is_claimed_once_whatever_file_it_comes_in(desk: Desk, depth: settings) -> None:
    fewer = settings(depth, max_examples=max(4, depth.max_examples // 3), stateful_step_count=8)

    _walk(lambda: IntakeMachine(desk), fewer)
