"""Reads: each query against a real database, and against counting by hand."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, text

from payouts.store import lanes, queries, runs
from tests.desk import german_iban

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.store.engine import Database
    from tests.desk import Desk


@pytest.fixture(scope="module")
def run_id(desk: Desk, sepa: Callable[..., str]) -> int:
    """620 lines: 1 rejected, 1 duplicate; of the items 2 failed, 1 unclear, 1 to come, 614 paid."""
    extra = "INV-B,Bad Iban,DE,EUR,5.00,sepa,DE00370400440000000001\n"
    extra += "INV-1,Jonas Weber 1,DE,EUR,11.50,sepa,{}\n".format(
        sepa(1).splitlines()[1].rsplit(",", 1)[1]
    )
    result = desk.load(sepa(618, extra=extra))
    desk.send(result.run_id)
    desk.answer(result.run_id, "failed", lines=[3, 520], code="account_closed")
    desk.answer(result.run_id, "unknown", lines=[4], code="read_timeout")
    desk.answer(result.run_id, "approved", lines=[5], code="http_429", due_s=600)
    desk.answer(result.run_id, "settled")
    return result.run_id


def test_counts_come_per_provider_currency_and_state(database: Database, run_id: int) -> None:
    with database.reading() as connection:
        rows = queries.counts(connection, [run_id])

    assert {(row.provider, row.currency) for row in rows} == {("orkestra", "EUR")}
    assert {row.state: row.items for row in rows} == {
        "approved": 1,
        "unknown": 1,
        "settled": 614,
        "failed": 2,
    }


def test_counts_agree_with_the_items_themselves(database: Database, run_id: int) -> None:
    """Counters that drift from the items would make every proof worthless."""
    with database.reading() as connection:
        counted = {
            row.state: (row.items, row.amount_minor) for row in queries.counts(connection, [run_id])
        }
        scanned = connection.execute(
            text(
                "SELECT state::text, count(*), sum(amount_minor)::bigint FROM item_now"
                " WHERE run_id = :run GROUP BY state"
            ),
            {"run": run_id},
        ).all()

    assert counted == {state: (items, amount) for state, items, amount in scanned}


def test_items_are_listed_page_by_page_without_gap_or_repeat(
    database: Database, run_id: int
) -> None:
    with database.reading() as connection:
        seen: list[int] = []
        while page := queries.items(
            connection, run_id, ["settled"], after=seen[-1] if seen else 0, limit=100
        ):
            seen += [row.id for row in page]

    assert len(seen) == len(set(seen)) == 614
    assert seen == sorted(seen)


def test_items_are_listed_by_their_code(database: Database, run_id: int) -> None:
    with database.reading() as connection:
        closed = queries.items(connection, run_id, ["failed"], code="account_closed")
        other = queries.items(connection, run_id, ["failed"], code="name_mismatch")

    assert [row.number for row in closed] == [3, 520]
    assert closed[0].reference == "INV-2"
    assert other == []


def test_a_page_of_items_scans_neither_items_nor_events(database: Database, run_id: int) -> None:
    """With ten million items stored a scan would take seconds; the batches lead to the few."""
    said: list[tuple[str, dict[str, object]]] = []

    def heard(
        _: object, __: object, statement: str, values: dict[str, object], *rest: object
    ) -> None:
        del rest
        said.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", heard)
    with database.reading() as connection:
        queries.items(connection, run_id, ["failed"], limit=10)
    event.remove(database.engine, "before_cursor_execute", heard)

    with database.reading() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        ((statement, values),) = said
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars().all()
    assert any("batch_count_pkey" in row for row in plan)
    assert not [row for row in plan if "Seq Scan" in row]


def test_one_item_is_found_by_reference_provider_id_and_wire_prefix(
    database: Database, run_id: int
) -> None:
    with database.reading() as connection:
        (row,) = queries.items(connection, run_id, ["settled"], limit=1)
        prefix = connection.scalar(
            text("SELECT wire_prefix FROM item WHERE id = :id"), {"id": row.id}
        )

        assert queries.find(connection, row.reference) == [row.id]
        assert queries.find(connection, str(row.provider_ref)) == [row.id]
        assert queries.find(connection, "?", wire_prefix=prefix) == [row.id]
        assert queries.find(connection, "nobody") == []


def test_the_life_of_an_item_joins_the_moves_of_its_batch_and_its_own(
    database: Database, run_id: int
) -> None:
    with database.reading() as connection:
        (row, _) = queries.items(connection, run_id, ["failed"])
        moves = queries.life(connection, row.id)
        proofs = queries.evidence(connection, row.batch_id, row.id)
        tries = queries.attempts(connection, row.batch_id, row.id)
        booked = queries.transfers_of(connection, row.batch_id, row.id)

    assert [(move.before, move.after) for move in moves] == [
        ("pending", "approved"),
        ("approved", "sending"),
        ("sending", "failed"),
    ]
    assert moves[-1].evidence_id in {proof.id for proof in proofs}
    assert len(proofs) == 1
    assert [attempt.number for attempt in tries] == [1]
    assert [transfer.kind for transfer in booked] == [
        "pending>approved",
        "approved>sending",
        "sending>failed",
    ]


def test_one_item_reads_as_it_does_in_a_list(database: Database, run_id: int) -> None:
    with database.reading() as connection:
        (row,) = queries.items(connection, run_id, ["unknown"])

        assert queries.item(connection, row.id) == row
        assert row.clouded
        assert queries.item(connection, 10**9) is None


def test_the_ledger_holds_what_the_states_say(database: Database, run_id: int) -> None:
    with database.reading() as connection:
        states = {row.state: row.amount_minor for row in queries.counts(connection, [run_id])}
        held = {
            row.kind: (row.amount_minor, row.items) for row in queries.positions(connection, run_id)
        }

    assert held["paid"] == (states["settled"], 614)
    assert held["in_transit"] == (states["unknown"], 1)
    assert held["reserved"] == (states["approved"], 1)
    assert held["funding"] == (-sum(states[s] for s in ("settled", "unknown", "approved")), -616)


def test_kept_balances_equal_summed_ones(database: Database, run_id: int) -> None:
    del run_id
    with database.reading() as connection:
        rows = queries.balances(connection)
        view = connection.execute(text("SELECT name, balance_minor FROM ledger_balance")).all()

    assert {row.name: row.balance_minor for row in rows} == dict(view)
    assert all(row.kept_minor in {None, row.balance_minor} for row in rows)
    assert sum(row.balance_minor for row in rows) == 0


def test_accounts_are_chosen_by_kind_owner_or_name(database: Database, run_id: int) -> None:
    with database.reading() as connection:
        funding = queries.balances(connection, "funding:main")
        owned = queries.balances(connection, str(run_id))
        (paid,) = queries.balances(connection, "paid:orkestra:EUR")
        newest = queries.transfers(connection, [paid.id], limit=1)

    assert [row.name for row in funding] == ["funding:main:EUR"]
    assert [row.kind for row in owned] == ["reserved"]
    assert newest[0].debit == "paid:orkestra:EUR"


def test_lines_are_summed_by_outcome_and_currency(database: Database, run_id: int) -> None:
    with database.reading() as connection:
        run = queries.run(connection, run_id)
        assert run is not None
        sums = queries.line_sums(connection, (run.line_lo, run.line_hi))
        codes = queries.codes(connection, (run.line_lo, run.line_hi))

    assert {row.outcome: row.lines for row in sums} == {
        "accepted": 618,
        "rejected": 1,
        "duplicate": 1,
    }
    assert sum(row.lines for row in sums) == run.lines_read
    assert ("rejected", "E_IBAN_CHECK_DIGITS", 1) in codes


def test_outcomes_name_every_line_once_whatever_the_pages(database: Database, run_id: int) -> None:
    with database.reading() as connection:
        run = queries.run(connection, run_id)
        assert run is not None
        pages = queries.OutcomePages(connection, run.line_lo, run.line_hi)
        frames = [pages(lo, lo + 99) for lo in range(2, 702, 100)]
        whole = queries.OutcomePages(connection, run.line_lo, run.line_hi)(2, 621)

    numbers = [number for frame in frames for number in frame["line"].to_list()]
    assert numbers == list(range(2, 622)) == whole["line"].to_list()
    assert all(frame.schema == queries.OUTCOMES for frame in frames)
    assert Counter(whole["state"].to_list()) == {
        "settled": 615,  # the duplicate names the item that pays it
        "failed": 2,
        "unknown": 1,
        "approved": 1,
        None: 1,
    }


def test_runs_are_listed_newest_first_with_a_cursor(
    database: Database, desk: Desk, sepa: Callable[..., str], run_id: int
) -> None:
    second = desk.load(sepa(3, start=5000)).run_id

    with database.reading() as connection:
        assert [row.id for row in queries.runs(connection)][:2] == [second, run_id]
        assert queries.runs(connection, before=run_id) == []
        assert queries.open_runs(connection) == [run_id, second]


def test_what_was_sent_counts_batches_and_attempts(database: Database, run_id: int) -> None:
    with database.reading() as connection:
        (sent,) = queries.sends(connection, run_id)
        batches = queries.batches(connection, run_id)
        used = queries.lanes(connection, [run_id])

    assert (sent.batches, sent.items, sent.attempts) == (2, 618, 2)
    assert [batch.items for batch in batches] == [500, 118]
    assert batches[0].states["failed"] == 1
    assert [(lane.provider, lane.paused_at) for lane in used] == [("orkestra", None)]


def test_what_waits_is_listed_whatever_run_it_is_of(database: Database, run_id: int) -> None:
    with database.unit() as unit:
        runs.hold(unit, run_id, reason="funds", detail="EUR", actor="policy:test")
        lanes.pause(unit, "orkestra", "main", "http_401")
    with database.reading() as connection:
        holds = queries.open_holds(connection)
        paused = queries.paused_lanes(connection)
    with database.unit() as unit:
        unit.execute(text("UPDATE hold SET released_at = payouts_now(), released_by = 'test'"))
        unit.execute(text("UPDATE lane SET paused_at = NULL, reason = NULL"))
        after = queries.open_holds(unit), queries.paused_lanes(unit)

    assert [(hold.run_id, hold.reason) for hold in holds] == [(run_id, "funds")]
    assert [(lane.provider, lane.funding, lane.reason) for lane in paused] == [
        ("orkestra", "main", "http_401")
    ]
    assert after == ([], [])


def test_the_warnings_of_a_line_that_is_paid_are_kept(database: Database, desk: Desk) -> None:
    head = "reference,name,country,currency,amount,method,account"
    made = desk.load(f"{head}\nW-1,Rubén Weber,DE,EUR,5.00,sepa,{german_iban(123)}\n")
    with database.reading() as connection:
        (row,) = queries.items(connection, made.run_id, ["approved"])

        assert queries.line_codes(connection, row.line_id) == ["W_NAME_TRANSLITERATED"]
        assert queries.line_codes(connection, 10**9) == []
