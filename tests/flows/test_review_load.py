"""Files that want to be paid twice, or half."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from payouts.core.errors import FileRefusedError, InvariantError
from payouts.core.pipeline import Pipeline
from payouts.flows import load as loading
from payouts.flows import review
from payouts.intake.survey import survey
from tests.flows.conftest import IBANS, sepa

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import World

pytestmark = pytest.mark.journey


def unnamed(**changes: str) -> dict[str, str]:
    """A line of a file that has no references."""
    line = sepa("") | changes
    del line["reference"]
    return line


def spaced(account: str) -> str:
    return " ".join(account[start : start + 4] for start in range(0, len(account), 4))


def test_lines_that_are_equal_only_after_reading_are_quarantined(
    make_world: Callable[..., World],
) -> None:
    """The same payment in two spellings, in a file whose lines have no names (P3)."""
    world = make_world()
    rows = [
        unnamed(),
        unnamed(account=spaced(IBANS[0])),
        unnamed(account=IBANS[1], country="FR"),
        unnamed(account=IBANS[0].lower(), amount="12.5"),
    ]

    result = world.load(world.write(rows), reject_limit=1.0)

    assert result.counts == {"accepted": 2, "quarantined": 2}
    assert world.work(result.run_id) == {"settled": 2}
    world.check()


def test_a_transform_that_makes_references_equal_is_refused(
    make_world: Callable[..., World],
) -> None:
    def shortened(lines: pl.DataFrame) -> pl.DataFrame:
        return lines.with_columns(pl.col("reference").str.head(3))

    world = make_world()
    path = world.write([sepa("R-1a"), sepa("R-1b"), sepa("R-2")])

    with pytest.raises(FileRefusedError, match="others have: 2, 3") as refused:
        world.load(path, transform=shortened)

    assert refused.value.code == "E_TRANSFORM"
    assert world.sql("SELECT count(*) FROM pipeline_run") == [(0,)]
    assert world.load(path).counts == {"accepted": 3}


def test_the_same_reference_in_two_spellings_is_one_payment(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    rows = [sepa("R-1"), sepa(" R-1 "), sepa("R-é"), sepa("R-e\u0301"), sepa("R-2")]

    result = world.load(world.write(rows), reject_limit=1.0)

    assert result.counts["accepted"] == len(
        world.sql("SELECT DISTINCT reference FROM line WHERE outcome = 'accepted'")
    )
    world.work(result.run_id)
    world.check()


def test_a_repaired_file_pays_only_what_was_not_paid(make_world: Callable[..., World]) -> None:
    world = make_world()
    rows = [sepa(f"R-{place}") for place in range(6)]
    broken = [dict(row) for row in rows]
    broken[2]["account"] = "DE00370400440532013000"
    first = world.load(world.write(broken, "june.csv"), reject_limit=1.0)
    world.work(first.run_id)

    second = world.load(world.write(rows, "june.csv"), reject_limit=1.0)

    assert first.counts == {"accepted": 5, "rejected": 1}
    assert second.counts == {"accepted": 1, "duplicate": 5}
    assert world.work(second.run_id) == {"settled": 1}
    again = world.load(world.write(rows, "again.csv"))
    assert (again.known, again.run_id) == (True, second.run_id)
    world.check()


def test_two_watchers_take_the_same_file_at_once(make_world: Callable[..., World]) -> None:
    """The copy of the second must not pull the first one's away between survey and load."""
    world = make_world()
    path = world.write([sepa("R-1"), sepa("R-2")])
    parts = world.parts
    first = parts.take_copy(path)
    seen = survey(first)
    second = parts.take_copy(path)

    result = loading.load(
        parts.database,
        seen,
        parts.rules(),
        parts.load_order(Pipeline("disbursement"), path, first),
        encoders=parts.connectors,
        batch_max=parts.batch_max,
        signer=parts.signer,
        vault=parts.vault,
    )

    assert first == second
    assert result.counts == {"accepted": 2}


def test_a_plan_leaves_nothing_but_gaps(make_world: Callable[..., World]) -> None:
    world = make_world()
    path = world.write([sepa("R-1"), sepa("R-2")])

    planned = world.load(path, dry=True)

    tables = ("pipeline_run", "line", "item", "batch", "batch_event", "ledger_transfer", "hold")
    assert [world.sql(f"SELECT count(*) FROM {name}") for name in tables] == [[(0,)]] * 7  # noqa: S608  our own tables
    assert world.sql("SELECT count(*) FROM queue.procrastinate_jobs") == [(0,)]
    done = world.load(path)
    assert (done.counts, done.totals, done.holds) == (
        planned.counts,
        planned.totals,
        planned.holds,
    )
    assert world.work(done.run_id) == {"settled": 2}
    world.check()


@pytest.mark.parametrize("held", ["lookalike", "rejects"])
def test_a_held_run_is_reserved_and_not_sent_until_it_is_released(
    make_world: Callable[..., World], held: str
) -> None:
    world = make_world()
    if held == "lookalike":
        world.pay([sepa("A-1"), sepa("A-2")])
        rows = [sepa("B-1"), sepa("B-2")]
    else:
        rows = [sepa("B-1"), sepa("B-2"), sepa("B-3", account="DE00370400440532013000")]
    result = world.load(world.write(rows, "b.csv"))

    assert [reason for reason, _ in result.holds] == [held]
    before = sum(map(len, world.effects().values()))
    assert world.work(result.run_id) == {"approved": 2}
    assert sum(map(len, world.effects().values())) == before
    review.release(world.parts.database, result.run_id, reasons=[held], actor="person:ana")
    assert world.work(result.run_id) == {"settled": 2}
    world.check()


@pytest.mark.parametrize(
    "ending", ['"}\n', '","more":1}', '"', None], ids=["line feed", "member", "cut", "nothing"]
)
def test_a_body_that_does_not_end_with_its_reference_is_never_stored(
    make_world: Callable[..., World], ending: str | None
) -> None:
    """A lane reads the reference from there: with another one no reply would ever match."""

    class Other:
        encoder = "other-1"

        def encode(self, items: pl.DataFrame) -> pl.Series:
            body = pl.concat_str(pl.lit('{"reference":"'), "wire", pl.lit(ending))
            return items.select(body.alias("body")).to_series()

    world = make_world()
    path = world.write([sepa("R-1")])
    parts = world.parts
    copy = parts.take_copy(path)

    with pytest.raises(InvariantError, match="wire reference"):
        loading.load(
            parts.database,
            survey(copy),
            parts.rules(),
            parts.load_order(Pipeline("disbursement"), path, copy),
            encoders={"orkestra": Other()},
            batch_max=parts.batch_max,
            signer=parts.signer,
            vault=parts.vault,
        )

    assert world.sql("SELECT count(*) FROM batch_payload") == [(0,)]
