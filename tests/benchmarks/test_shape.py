"""Shape, never a time: statements do not grow with the items, memory does not grow with the file."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import psycopg
import pytest
from sqlalchemy import event

from payouts.core.outcomes import Answer
from payouts.core.retry import RetryPolicy
from payouts.flows.lane_order import LaneOrder
from payouts.flows.lane_writer import Writer
from payouts.flows.record import Submitted
from payouts.providers.client import Exchange, Timeouts
from payouts.providers.connector import Sent
from payouts.store.engine import Database
from tests.benchmarks import data
from tests.benchmarks.ways import Place
from tests.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from payouts.store import embedded
    from payouts.store.lanes import Claim

ROOT = Path(__file__).parents[2]
WIRE = slice(-34, -2)


@contextmanager
def heard(database: Database) -> Iterator[list[str]]:
    """Give a list of every statement and COPY that the database's connections say in the block."""
    said: list[str] = []

    class Counting(psycopg.Cursor[Any]):
        def execute(self, query: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401  psycopg's own
            said.append(str(query))
            return super().execute(query, *rest, **more)

        def copy(self, statement: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401  psycopg's own
            said.append(str(statement))
            return super().copy(statement, *rest, **more)

    def connected(connection: psycopg.Connection[Any], _: object) -> None:
        connection.cursor_factory = Counting

    database.dispose()
    event.listen(database.engine, "connect", connected)
    yield said
    event.remove(database.engine, "connect", connected)
    database.dispose()


@pytest.fixture
def desk(
    tmp_path: Path,
    postgres: embedded.Server,
    make_database: Callable[..., str],
    payouts_template: str,
) -> Iterator[Desk]:
    name = make_database("shape", template=payouts_template)
    database = Database.from_args(postgres.connect_args(name))
    yield Desk(database, tmp_path)
    database.dispose()


def lines(count: int, prefix: str) -> str:
    header = "reference,name,country,currency,amount,method,account\n"
    account = "TR330006100519786457841326"
    return header + "".join(
        f"{prefix}-{n},Ada Lovelace,TR,TRY,{10 + n % 90}.50,bank_transfer,{account}\n"
        for n in range(count)
    )


def test_a_load_says_as_many_statements_for_5000_items_as_for_500(desk: Desk) -> None:
    """One statement per item would make a million lines a million round trips."""
    counts = []
    for count in (500, 5_000):
        with heard(desk.database) as said:
            result = desk.load(lines(count, f"L{count}"))
        assert result.counts == {"accepted": count}
        assert result.batches == count // 500
        counts.append(len(said))

    # The accounts of the ledger are made by the first load and found by the second.
    assert counts[1] <= counts[0]
    assert counts[0] < 100


def writer(desk: Desk) -> Writer:
    return Writer(
        LaneOrder(
            database=desk.database,
            connector=desk.connectors["orkesta"],
            funding="main",
            policy=RetryPolicy(),
            vault=desk.vault,
            exponents=lambda _currency: 2,
            timeouts=Timeouts(),
        )
    )


def settled(desk: Desk, claim: Claim, *, refused: int = 0) -> Submitted:
    sent = [orjson.loads(body) for body in claim.bodies]
    made = [
        {
            "id": f"pay_{claim.batch_id}_{place}",
            "status": "settled",
            **{name: one[name] for name in ("amount", "currency", "reference")},
        }
        for place, one in enumerate(sent)
    ]
    for row in made[:refused]:
        row |= {"id": None, "status": "failed", "error": {"code": "account_closed"}}
    exchange = Exchange(201, orjson.dumps(made))
    wires = [body[WIRE].decode() for body in claim.bodies]
    reading = desk.connectors["orkesta"].read(
        exchange, Sent(wires, claim.amounts, claim.currency, 2)
    )
    places = range(len(claim.members))
    return Submitted(claim, places, exchange, Answer.READABLE, reading, done=True)


def turns(desk: Desk, *, room: int, refused: int) -> tuple[int, int]:
    """Statements of a turn that claims, and of one that records, `room` batches each."""
    with heard(desk.database) as said:
        lane = writer(desk)
        assert lane.start()
        try:
            lane.turn([], room=0)
            said.clear()
            claims = lane.turn([], room=room).claims
            claiming = len(said)
            answers = [settled(desk, claim, refused=refused) for claim in claims]
            said.clear()
            lane.turn([*answers], room=0)
            return claiming, len(said)
        finally:
            lane.close()


@pytest.mark.parametrize("refused", [0, 3])
def test_a_turn_says_as_many_statements_for_5000_items_as_for_500(desk: Desk, refused: int) -> None:
    """Ten batches are claimed, and their replies recorded, by statements over all of them."""
    small = turns_of(desk, 500, refused)
    large = turns_of(desk, 5_000, refused)

    # An attempt is a row of its own, with a number and a fence that are read back: one each.
    assert large[0] - small[0] <= 9
    assert large[1] - small[1] <= 0
    assert small[0] + small[1] < 80


def turns_of(desk: Desk, count: int, refused: int) -> tuple[int, int]:
    desk.load(lines(count, f"T{count}"))
    found = turns(desk, room=count // 500, refused=refused)
    with desk.database.reading() as connection:
        left = connection.exec_driver_sql(
            "SELECT sum(items) FROM batch_count WHERE state IN ('approved', 'sending')"
        ).scalar()
    assert left == 0
    return found


def measured(folder: Path, server: embedded.Server, database: str, count: int) -> dict[str, float]:
    """The facts of a load and its report in a process of its own."""
    data.turkish(folder / f"turkish_{count}.csv", count)
    place = Place(folder, folder / f"own_{count}", count, server.connect_args(database))
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.ways", "shape.memory"],
        input=place.text(),
        text=True,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.journey
@pytest.mark.timeout(240)  # ten seconds, but for machines that have much else to do
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path,
    postgres: embedded.Server,
    make_database: Callable[..., str],
    payouts_template: str,
) -> None:
    """A file of ten million lines must not need a larger machine."""
    peaks = [
        measured(tmp_path, postgres, make_database("memory", template=payouts_template), count)
        for count in (data.CHUNK, 4 * data.CHUNK)
    ]

    assert peaks[0]["peak_mib"] > peaks[0]["before_mib"]
    assert peaks[1]["peak_mib"] < 1.35 * peaks[0]["peak_mib"]
