"""The checker against hand-made bad histories: a judge that never finds anything is no judge.

Each history is forged inside a transaction in which the database's guards are off, and undone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.proof.checker import broken_promises, effects_of
from tests.simulation.loading import wire_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from payouts.store.engine import Database
    from tests.desk import Desk

Truth = list[dict[str, Any]]
LINES = 6


@dataclass
class Story:
    """A good history: four settled, one failed, one out; and what the platform did."""

    database: Database
    run: int
    wires: dict[int, str]
    truth: Truth

    def item(self, place: int) -> int:
        return sorted(self.wires)[place]

    def effect(self, place: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401  a JSON object
        item = self.item(place)
        effect = {
            "effect": f"pay_{len(self.truth)}_{place}",
            "reference": self.wires[item],
            "amount_minor": (11 + place) * 100 + 50,
            "currency": "EUR",
            "fate": "paid",
        }
        return effect | changes

    def told(self, truth: Truth, *forgeries: str, **values: object) -> list[str]:
        """What the checker says when these statements were true."""
        with psycopg.connect(self.database.conninfo()) as connection:
            connection.execute("SET LOCAL session_replication_role = replica")
            for statement in forgeries:
                connection.execute(statement, values)
            found = broken_promises(connection, truth, self.wires)
            connection.rollback()
        return found


@pytest.fixture(scope="module")
def story(desk: Desk, sepa: Callable[..., str]) -> Story:
    run = desk.load(sepa(LINES, prefix="CHECK")).run_id
    desk.send(run)
    desk.answer(run, "settled", lines=[2, 3, 4, 5])
    desk.answer(run, "failed", lines=[6])
    with psycopg.connect(desk.database.conninfo()) as connection:
        rows = connection.execute(
            "SELECT item_id, reference FROM line WHERE run_id = %s ORDER BY number", [run]
        ).fetchall()
    made = Story(desk.database, run, {i: wire_of("acme", ref) for i, ref in rows}, [])
    made.truth = [{"kind": "payout", "effects": [made.effect(place)]} for place in range(4)]
    made.truth.append({"kind": "payout", "effects": [made.effect(4, fate="failed")]})
    return made


def test_a_good_history_is_good(story: Story) -> None:
    assert story.told(story.truth) == []


def test_what_the_platform_did_and_was_not_recorded_yet_is_good(story: Story) -> None:
    """An item that is out may have been paid: nobody has said otherwise."""
    truth = [*story.truth, {"kind": "payout", "effects": [story.effect(5)]}]

    assert story.told(truth) == []


def test_a_truth_log_of_lines_and_of_a_file_is_read_alike(story: Story, tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in story.truth))

    assert effects_of(path) == effects_of(story.truth)
    assert effects_of(tmp_path / "none.jsonl") == {}


def test_a_second_effect_is_told(story: Story) -> None:
    again = {"kind": "payout", "effects": [story.effect(0)]}

    (told,) = story.told([*story.truth, again])

    assert told.endswith("was paid 2 times")


def test_a_second_effect_that_was_cancelled_or_failed_is_none(story: Story) -> None:
    again = story.effect(0)
    cancel = {"kind": "cancel", "effect": again["effect"]}
    failed = story.effect(1, fate="failed")

    made = [*story.truth, {"kind": "payout", "effects": [again, failed]}, cancel]

    assert story.told(made) == []


def test_an_effect_for_nobody_is_told(story: Story) -> None:
    stranger = story.effect(0, reference="P" + "A" * 31)

    (told,) = story.told([*story.truth, {"kind": "payout", "effects": [stranger]}])

    assert told.endswith("was paid and is nobody's")


@pytest.mark.parametrize("change", [{"amount_minor": 1}, {"currency": "TRY"}])
def test_an_effect_of_other_money_is_told(story: Story, change: dict[str, Any]) -> None:
    truth = [{"kind": "payout", "effects": [story.effect(0, **change)]}, *story.truth[1:]]

    (told,) = story.told(truth)

    assert "paid was" in told


def test_a_settled_item_without_its_effect_is_told(story: Story) -> None:
    (told,) = story.told(story.truth[1:])

    assert told.endswith("is settled and was never paid")


def test_a_failed_item_with_an_effect_is_told(story: Story) -> None:
    truth = [*story.truth, {"kind": "payout", "effects": [story.effect(4)]}]

    assert any(told.endswith("is failed and was paid") for told in story.told(truth))


MOVED = (
    "INSERT INTO item_event (item_id, batch_id, posting, attempt_id, evidence_id, before, after,"
    " seq, actor) SELECT id, batch_id, 0, attempt_id, evidence_id, state, %(after)s,"
    " (seq + %(step)s)::smallint, 'forger' FROM item_now WHERE id = %(item)s"
)

# name, statements, words that must stand in what is told
FORGERIES = [
    (
        "an effect on a cancelled item",
        5,
        [MOVED],
        {"after": "cancelled"},
        "is cancelled and was paid",
    ),
    (
        "an effect on one that may be sent",
        5,
        [MOVED],
        {"after": "approved"},
        "may be sent, and was",
    ),
    ("a move that is not drawn", 4, [MOVED], {"after": "approved"}, "is not drawn"),
    ("a gap in the events", 5, [MOVED], {"after": "unknown", "step": 2}, "follows"),
    (
        "a settlement without evidence",
        0,
        ["UPDATE item_event SET evidence_id = NULL WHERE item_id = %(item)s"],
        {},
        "has no evidence",
    ),
    (
        "evidence about another batch",
        0,
        [
            (
                "UPDATE evidence SET batch_id = 0 WHERE id = (SELECT evidence_id FROM item_event"
                " WHERE item_id = %(item)s)"
            )
        ],
        {},
        "has no evidence",
    ),
    (
        "a sending without an attempt",
        0,
        ["DELETE FROM attempt WHERE batch_id = (SELECT batch_id FROM item WHERE id = %(item)s)"],
        {},
        "has no attempt of it",
    ),
    (
        "a doubt that ends by itself",
        5,
        [
            MOVED.replace("'forger'", "'forger'")
            .replace("evidence_id,", "evidence_id, clouded,", 1)
            .replace("evidence_id, state", "NULL, true, state"),
            (
                "INSERT INTO item_event (item_id, batch_id, posting, before, after, seq, actor)"
                " SELECT id, batch_id, 0, state, 'review', (seq + 1)::smallint, 'forger' FROM item_now"
                " WHERE id = %(item)s"
            ),
        ],
        {"after": "unknown"},
        "ends a doubt",
    ),
    (
        "a lost line",
        0,
        ["DELETE FROM line WHERE item_id = %(item)s"],
        {},
        "accounts for",
    ),
    (
        "an accepted line that became a rejected one",
        0,
        ["UPDATE line SET outcome = 'rejected' WHERE item_id = %(item)s"],
        {},
        "its lines are",
    ),
    (
        "an item that is worth more than its line",
        0,
        ["UPDATE line SET amount_minor = amount_minor - 1 WHERE item_id = %(item)s"],
        {},
        "its 1 lines are",
    ),
    (
        "an accepted line without its item",
        0,
        ["UPDATE line SET item_id = 999999 WHERE item_id = %(item)s"],
        {},
        "is not there",
    ),
    (
        "a transfer that vanished",
        0,
        ["DELETE FROM ledger_transfer WHERE kind = 'sending>settled'"],
        {},
        "its items say",
    ),
    (
        "a transfer of another amount",
        0,
        [
            (
                "UPDATE ledger_transfer SET amount_minor = amount_minor + 1"
                " WHERE kind = 'pending>approved'"
            )
        ],
        {},
        "its items say",
    ),
    (
        "a kept balance that nobody moved there",
        0,
        ["UPDATE ledger_account SET balance_minor = balance_minor + 1 WHERE kind = 'funding'"],
        {},
        "its transfers say",
    ),
    (
        "a transfer between currencies",
        0,
        ["UPDATE ledger_account SET currency = 'USD' WHERE kind = 'paid'"],
        {},
        "stands between other currencies",
    ),
    (
        "an opening balance that was booked twice",
        0,
        [
            (
                "INSERT INTO ledger_transfer (posting, credit_id, debit_id, amount_minor, currency, kind)"
                " SELECT 0, credit_id, debit_id, amount_minor, currency, kind FROM ledger_transfer"
                " WHERE kind = 'opening'"
            )
        ],
        {},
        "was opened 2 times",
    ),
    (
        "more given back than was paid",
        0,
        [
            (
                "INSERT INTO ledger_transfer (posting, credit_id, debit_id, amount_minor, currency, kind,"
                " run_id, batch_id, item_id, corrects)"
                " SELECT 0, t.debit_id, b.funding_id, i.amount_minor + 1, t.currency, 'refund', t.run_id,"
                " b.id, i.id, t.id FROM ledger_transfer t JOIN batch b ON b.id = t.batch_id"
                " JOIN item i ON i.id = %(item)s AND i.batch_id = b.id WHERE t.kind = 'sending>settled'"
            )
        ],
        {},
        "given back was",
    ),
    (
        "two refunds that are more than the payment together",
        0,
        [
            (
                "INSERT INTO ledger_transfer (posting, credit_id, debit_id, amount_minor, currency, kind,"
                " run_id, batch_id, item_id, corrects)"
                " SELECT -n, t.debit_id, b.funding_id, i.amount_minor * 6 / 10, t.currency, 'refund',"
                " t.run_id, b.id, i.id, t.id FROM generate_series(1, 2) n, ledger_transfer t"
                " JOIN batch b ON b.id = t.batch_id JOIN item i ON i.id = %(item)s AND i.batch_id = b.id"
                " WHERE t.kind = 'sending>settled'"
            )
        ],
        {},
        "given back was",
    ),
    (
        "a counter that was forged",
        0,
        ["UPDATE batch_count SET items = items + 1 WHERE state = 'settled'"],
        {},
        "counts",
    ),
    (
        "a batch whose state no event explains",
        0,
        [
            "DELETE FROM item_event WHERE item_id = %(item)s",
            "UPDATE batch SET base_state = 'settled'",
        ],
        {},
        "its events say",
    ),
]


@pytest.mark.parametrize(
    ("place", "statements", "values", "words"),
    [row[1:] for row in FORGERIES],
    ids=[row[0] for row in FORGERIES],
)
def test_a_forged_history_is_told(
    story: Story, place: int, statements: list[str], values: dict[str, object], words: str
) -> None:
    """Also one that the database would have refused: its guards may be what is broken."""
    truth = story.truth
    if place == 5:
        truth = [*truth, {"kind": "payout", "effects": [story.effect(5)]}]

    told = story.told(truth, *statements, **{"item": story.item(place), "step": 1} | values)

    assert any(words in sentence for sentence in told), told


def test_a_run_is_judged_alone(story: Story, desk: Desk, sepa: Callable[..., str]) -> None:
    other = desk.load(sepa(2, prefix="OTHER", start=50)).run_id

    with psycopg.connect(story.database.conninfo()) as connection:
        assert broken_promises(connection, [], {}, runs=[other]) == []
        assert broken_promises(connection, story.truth, story.wires, runs=[story.run]) == []
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(
            "UPDATE ledger_transfer SET amount_minor = 1 WHERE run_id = %s", [story.run]
        )
        assert broken_promises(connection, [], {}, runs=[other]) == []
        assert broken_promises(connection, story.truth, story.wires, runs=[story.run]) != []
        connection.rollback()
