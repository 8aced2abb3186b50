"""Aggregation: the lines of one payee become one payout, and nothing is summed or lost twice."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from payouts.core.errors import FileRefusedError, InvariantError
from payouts.core.money import MINOR_MAX
from payouts.flows.aggregate import GROUP, aggregate, beyond, require_sums, unbounded
from payouts.intake import coverage
from payouts.intake.checks import GOOD
from payouts.intake.results import write_results
from payouts.store import queries
from tests.desk import Desk, german_iban

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from payouts.flows.load import LoadResult
    from payouts.store.engine import Database
    from tests.flows.conftest import World

HEADER = "reference,name,country,currency,amount,method,account,document,phone\n"


def good(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Accepted lines; what a row does not say is a German worker's."""
    usual: dict[str, object] = dict.fromkeys(GOOD.names())
    usual |= {"name": "Ada", "country": "DE", "currency": "EUR", "method": "sepa", "exponent": 2}
    usual |= {"provider": "orkestra", "account": german_iban(1), "account_kind": "iban"}
    made = [
        usual | {"line": place + 2, "reference": f"G-{place}", "amount_minor": 100} | row
        for place, row in enumerate(rows)
    ]
    return pl.DataFrame(made, schema=GOOD).with_columns(line_id=pl.col("line") + 1000)


# -- sums ------------------------------------------------------------------------------------------


def test_lines_of_one_payee_and_account_are_one_payout() -> None:
    summed = aggregate(good([{}, {"account": german_iban(2)}, {"amount_minor": 250}]))

    assert summed.items.select("amount_minor", "lines", "line", "note").rows() == [
        (350, 2, 2, "G-0 +1"),
        (100, 1, 3, "G-1"),
    ]
    first, second = summed.items["reference"]
    assert summed.members.sort("line_id").rows() == [(1002, first), (1003, second), (1004, first)]


def test_the_reference_of_a_sum_is_a_hash_of_its_references_in_any_order() -> None:
    one = aggregate(good([{"reference": "B"}, {"reference": "A"}]))
    other = aggregate(good([{"reference": "A"}, {"reference": "B"}]))

    expected = "sum:" + hashlib.sha256(b"A\x1fB").hexdigest()
    assert one.items["reference"].to_list() == other.items["reference"].to_list() == [expected]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Grace"},
        {"account": german_iban(2)},
        {"country": "AT"},
        {"currency": "USD"},
        {"method": "bank_transfer"},
        {"provider": "orkesta"},
        {"bank_code": "1"},
        {"branch_code": "1"},
        {"account_type": "savings"},
        {"network": "tron"},
        {"document": "1"},
        {"document_kind": "passport"},
        {"phone": "+5215555555555"},
        {"due_date": date(2026, 12, 1)},
    ],
)
def test_lines_that_differ_in_who_is_paid_where_are_not_summed(change: dict[str, object]) -> None:
    """Cash has no account: two namesakes differ in document or phone alone."""
    assert set(change) <= set(GROUP)

    assert aggregate(good([{}, change])).items.height == 2


def test_lines_that_differ_in_what_is_said_about_them_are_summed() -> None:
    lines = good([{"description": "rides"}, {"description": "tips", "email": "ada@example.com"}])

    assert aggregate(lines).items.select("lines", "description").rows() == [(2, "rides")]


rows_of_workers = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["Ada", "Grace"]),
            "account": st.sampled_from([german_iban(1), german_iban(2), None]),
            "document": st.sampled_from(["1", None]),
            "amount_minor": st.integers(1, MINOR_MAX),
        }
    ),
    min_size=1,
    max_size=30,
)


@given(rows_of_workers)
@settings(max_examples=150, deadline=None)
def test_sums_are_exact_and_each_line_is_in_one_of_them(rows: list[dict[str, Any]]) -> None:
    expected: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for row in rows:
        expected[row["name"], row["account"], row["document"]].append(row["amount_minor"])

    summed = aggregate(good(list(rows)))

    found = {
        (name, account, document): (amount, count)
        for name, account, document, amount, count in summed.items.select(
            "name", "account", "document", "amount_minor", "lines"
        ).iter_rows()
    }
    assert found == {who: (sum(paid), len(paid)) for who, paid in expected.items()}
    assert sorted(summed.members["line_id"]) == [1002 + place for place in range(len(rows))]
    assert summed.items["reference"].is_unique().all()


def test_a_sum_beyond_what_a_bigint_holds_is_seen_and_not_wrapped() -> None:
    lines = good([{"amount_minor": MINOR_MAX}] * 9300)

    problems = beyond(aggregate(lines), lines, coverage.load())

    assert aggregate(lines).items["amount_minor"].to_list() == [9300 * MINOR_MAX]
    assert set(problems["code"]) == {"E_AMOUNT_SUM_ABOVE_MAXIMUM"}
    assert problems.height == 9300


@given(rows_of_workers, st.integers(0, 29), st.sampled_from(["amount_minor", "item_id"]))
@settings(max_examples=60, deadline=None)
def test_an_item_that_is_not_its_lines_is_never_written(
    rows: list[dict[str, Any]], place: int, column: str
) -> None:
    lines = good([row | {"amount_minor": row["amount_minor"] % 10**6 + 1} for row in rows])
    summed = aggregate(lines)
    items = summed.items.with_row_index("item_id").cast({"item_id": pl.Int64})
    members = summed.members.join(items.select("reference", "item_id"), on="reference")
    paid = lines.join(members.select("line_id", "item_id"), on="line_id").sort("line_id")
    kept = items.select("item_id", "amount_minor", "lines")
    require_sums(kept, paid)

    struck = pl.int_range(pl.len()) == place % paid.height
    wrong = paid.with_columns(pl.when(struck).then(pl.col(column) + 1000).otherwise(column))
    with pytest.raises(InvariantError):
        require_sums(kept, wrong)
    with pytest.raises(InvariantError):
        require_sums(kept, paid.filter(~struck))


# -- bounds ----------------------------------------------------------------------------------------


def bounded(least: int | None, greatest: int | None) -> pl.DataFrame:
    here = (pl.col("country") == "DE") & (pl.col("method") == "sepa")
    return coverage.load().with_columns(
        pl.when(here).then(pl.lit(least, pl.Int64)).otherwise("min_minor").alias("min_minor"),
        pl.when(here).then(pl.lit(greatest, pl.Int64)).otherwise("max_minor").alias("max_minor"),
    )


@pytest.mark.parametrize(
    ("total", "code"),
    [
        (499, "E_AMOUNT_SUM_BELOW_MINIMUM"),
        (500, None),
        (1000, None),
        (1001, "E_AMOUNT_SUM_ABOVE_MAXIMUM"),
    ],
)
def test_the_bounds_of_a_payout_are_held_against_the_sum(total: int, code: str | None) -> None:
    lines = good([{"amount_minor": 300}, {"amount_minor": total - 300}])

    problems = beyond(aggregate(lines), lines, bounded(500, 1000))

    assert problems["line"].to_list() == ([2, 3] if code else [])
    assert set(problems["code"]) == ({code} if code else set())
    assert set(problems["value"]) <= {f"{total / 100:.2f}"}


def test_lines_are_judged_without_the_bounds_of_a_payout() -> None:
    frame = unbounded(bounded(500, 1000))

    assert frame.schema == coverage.SCHEMA
    assert frame["min_minor"].null_count() == frame["max_minor"].null_count() == frame.height


# -- loaded ----------------------------------------------------------------------------------------


@dataclass
class Gig:
    """A desk that sums."""

    desk: Desk
    database: Database

    def load(self, lines: str) -> LoadResult:
        return self.desk.load(HEADER + lines, aggregated=True)

    def sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self.database.reading() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def items(self, run_id: int) -> list[tuple[int, int]]:
        return [
            (int(amount), int(lines))
            for amount, lines in self.sql(
                "SELECT i.amount_minor, i.lines FROM item i JOIN batch b"
                " ON i.id BETWEEN b.lo AND b.hi WHERE b.run_id = :run ORDER BY i.id",
                run=run_id,
            )
        ]


@pytest.fixture(scope="module")
def gig(desk: Desk, database: Database) -> Gig:
    return Gig(desk, database)


def line(reference: str, amount: str, worker: int = 1, name: str = "Jonas Weber") -> str:
    return f"{reference},{name},DE,EUR,{amount},sepa,{german_iban(worker)},,\n"


def test_a_bad_line_is_rejected_alone(gig: Gig) -> None:
    result = gig.load(line("B-1", "10.00") + line("B-2", "ten") + line("B-3", "5.00"))

    assert result.counts == {"accepted": 2, "rejected": 1}
    assert gig.items(result.run_id) == [(1500, 2)]


def test_a_file_dropped_again_with_one_more_line_pays_only_that_line(gig: Gig) -> None:
    lines = line("C-1", "10.00") + line("C-2", "5.00") + line("C-3", "7.00", worker=2)
    first = gig.load(lines)

    again = gig.load(lines)
    more = gig.load(lines + line("C-4", "2.50"))

    assert again.known
    assert again.run_id == first.run_id
    assert gig.items(first.run_id) == [(1500, 2), (700, 1)]
    assert more.counts == {"accepted": 1, "duplicate": 3}
    assert gig.items(more.run_id) == [(250, 1)]


def test_lines_without_references_are_paid_once_a_week(gig: Gig) -> None:
    header, *rest = HEADER.split(",", 1)
    lines = "".join(
        one.split(",", 1)[1] for one in (line("", "31.00"), line("", "32.00"), line("", "33.00"))
    )
    assert header == "reference"

    first = gig.desk.load(rest[0] + lines, aggregated=True, period="2026-W47")
    reordered = gig.desk.load(
        rest[0] + "".join(reversed(lines.splitlines(keepends=True))),
        aggregated=True,
        period="2026-W47",
    )
    later = gig.desk.load(rest[0] + lines + "\n", aggregated=True, period="2026-W48")

    assert gig.items(first.run_id) == [(9600, 3)]
    assert reordered.counts == {"duplicate": 3}
    assert later.counts == {"accepted": 3}


def test_namesakes_who_fetch_cash_are_told_apart_by_their_phones(gig: Gig) -> None:
    """In Mexico cash needs a name and a phone, and nothing else says who it is."""
    cash = "{},Juan Garcia,MX,MXN,{},cash,,,{}\n"

    result = gig.load(
        cash.format("F-1", "100.00", "+525555550101")
        + cash.format("F-2", "100.00", "+525555550102")
        + cash.format("F-3", "100.00", "+525555550101")
    )

    assert result.counts == {"accepted": 3}
    assert sorted(gig.items(result.run_id)) == [(10_000, 1), (20_000, 2)]


def test_the_results_file_shows_each_line_with_its_item(gig: Gig, tmp_path: Path) -> None:
    result = gig.load(line("H-1", "10.00") + line("H-2", "20.00", worker=2) + line("H-3", "5.00"))
    lo, hi = gig.sql("SELECT line_lo, line_hi FROM pipeline_run WHERE id = :r", r=result.run_id)[0]

    with gig.database.reading() as connection:
        pages = queries.OutcomePages(connection, lo, hi)
        written = write_results(
            gig.desk.surveys[result.run_id], pages, tmp_path / "r.csv", tmp_path / "r.jsonl"
        )

    with (tmp_path / "r.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert written == 3
    assert [(row["reference"], row["item_minor"]) for row in rows] == [
        ("H-1", "1500"),
        ("H-2", "2000"),
        ("H-3", "1500"),
    ]
    assert rows[0]["item_id"] == rows[2]["item_id"] != rows[1]["item_id"]


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 99_999)), min_size=1, max_size=12))
@settings(max_examples=15, deadline=None)
def test_what_two_drops_pay_together_is_what_one_would(
    gig: Gig, lines: list[tuple[int, int]]
) -> None:
    """However a growing file is cut into drops, each worker gets the sum of his lines once."""
    word = hashlib.sha256(repr(lines).encode()).hexdigest()[:12]
    (seen,) = gig.sql("SELECT count(*) FROM line WHERE reference LIKE :p", p=f"{word}%")[0]
    word = f"{word}{seen}"
    texts = [
        line(f"{word}-{place}", f"{minor // 100}.{minor % 100:02d}", worker, f"Worker {word}")
        for place, (worker, minor) in enumerate(lines)
    ]
    half = len(texts) // 2 or 1
    expected: dict[str, int] = defaultdict(int)
    for worker, minor in lines:
        expected[german_iban(worker)[-4:]] += minor

    gig.load("".join(texts[:half]))
    gig.load("".join(texts))

    paid = gig.sql(
        "SELECT i.account_last4, sum(i.amount_minor)::bigint FROM item i"
        " WHERE i.id IN (SELECT item_id FROM line WHERE reference LIKE :p) GROUP BY 1",
        p=f"{word}-%",
    )
    assert dict(paid) == dict(expected)


# -- end to end ------------------------------------------------------------------------------------


def test_a_gig_week_is_paid_as_sums_and_the_ledger_agrees(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    path = world.folder / "gig.csv"
    workers = "".join(
        line(f"W-{week}-{worker}", f"{10 + week}.50", worker)
        for week in range(3)
        for worker in range(1, 5)
    )
    path.write_text(HEADER + workers)

    first = world.load(path, aggregated=True, period="week")
    states = world.work(first.run_id)
    path.write_text(HEADER + workers + line("W-9-1", "1.25"))
    more = world.load(path, aggregated=True, period="week")
    later = world.work(more.run_id)

    assert (states, later) == ({"settled": 4}, {"settled": 1})
    amounts = sorted(
        str(effect["amount"]) for effects in world.effects().values() for effect in effects
    )
    assert amounts == ["1.25", *["34.50"] * 4]
    world.check()


OWN_BOUNDS = (
    "country,currency,method,direction,providers,identifier,required,min,max\n"
    "DE,EUR,sepa,payout,orkestra,iban_sepa,name;account,2.00,1000.00\n"
)


def test_a_sum_beyond_the_bounds_rejects_its_whole_group_and_nobody_else(
    make_world: Callable[..., World],
) -> None:
    world = make_world(settings='coverage = "bounds.csv"')
    (world.folder / "bounds.csv").write_text(OWN_BOUNDS)
    path = world.folder / "gig.csv"
    path.write_text(
        HEADER
        + line("D-1", "600.00")
        + line("D-2", "1.00", worker=2)  # below the minimum alone, and enough in sum
        + line("D-3", "400.01")
        + line("D-4", "1.00", worker=2)
        + line("D-5", "1.99", worker=3)
    )

    plan = world.load(path, dry=True, aggregated=True, reject_limit=1.0)
    result = world.load(path, aggregated=True, reject_limit=1.0)

    assert plan.counts == result.counts == {"accepted": 2, "rejected": 3}
    assert world.sql("SELECT amount_minor, lines FROM item") == [(200, 2)]
    assert world.sql(
        "SELECT number, codes, amount_minor, item_id FROM line"
        " WHERE outcome = 'rejected' ORDER BY number"
    ) == [
        (2, "E_AMOUNT_SUM_ABOVE_MAXIMUM", 60_000, None),
        (4, "E_AMOUNT_SUM_ABOVE_MAXIMUM", 40_001, None),
        (6, "E_AMOUNT_SUM_BELOW_MINIMUM", 199, None),
    ]
    assert result.problems.select("line", "value", "allowed").rows() == [
        (2, "1000.01", "1000.00"),
        (4, "1000.01", "1000.00"),
        (6, "1.99", "2.00"),
    ]
    assert world.work(result.run_id) == {"settled": 1}
    # Nothing of a rejected line is claimed: in a file of its own it is paid.
    path.write_text(HEADER + line("D-1", "600.00"))
    assert world.load(path, aggregated=True).counts == {"accepted": 1}


def test_a_file_whose_sums_are_all_beyond_the_bounds_is_refused(
    make_world: Callable[..., World],
) -> None:
    world = make_world(settings='coverage = "bounds.csv"')
    (world.folder / "bounds.csv").write_text(OWN_BOUNDS)
    path = world.folder / "gig.csv"
    path.write_text(HEADER + line("E-1", "600.00") + line("E-2", "400.01"))

    with pytest.raises(FileRefusedError) as refused:
        world.load(path, aggregated=True)

    assert refused.value.code == "E_FILE_ALL_REJECTED"
    assert world.sql("SELECT count(*) FROM line") == [(0,)]
