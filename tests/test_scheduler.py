"""A slot runs once, whoever rings; what nobody ran is caught up or flagged (P19)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from payouts.core.pipeline import Pipeline
from payouts.flows.pickup import Settling
from payouts.scheduler import Scheduler, calendar
from payouts.settings import load_settings
from payouts.store import slots
from payouts.wiring import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import polars as pl

    from payouts.store import embedded
    from payouts.wiring import Parts

HELSINKI = ZoneInfo("Europe/Helsinki")
FRIDAY = datetime(2026, 11, 20, 9, tzinfo=UTC)
WEEKLY = Pipeline(name="weekly", files="in/*.csv", schedule="0 9 * * fri")


@dataclass
class Clock:
    """A clock that a test sets."""

    at: datetime

    def __call__(self) -> datetime:
        return self.at

    def set(self, text_: str, zone: ZoneInfo = HELSINKI, fold: int = 0) -> None:
        self.at = datetime.fromisoformat(text_).replace(tzinfo=zone, fold=fold).astimezone(UTC)


@dataclass
class Bench:
    """A project with a database of its own, and schedulers over it."""

    parts: Parts
    folder: Path
    clock: Clock
    said: list[str] = field(default_factory=list)

    def keeper(self, *pipelines: Pipeline, settle_s: float = 0.05) -> Scheduler:
        made = Scheduler(
            self.parts,
            {one.name: one for one in pipelines},
            now=self.clock,
            said=self.said.append,
            settling=Settling(settle_s, wait_max_s=1.0),
        )
        made.begin()
        return made

    def drop(self, name: str, content: str, folder: str = "in") -> Path:
        path = self.folder / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self.parts.database.reading() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def slots(self) -> list[tuple[str, str]]:
        return [
            (slot, state)
            for slot, state in self.sql(
                "SELECT slot, state FROM schedule_slot WHERE state <> 'first' ORDER BY slot"
            )
        ]

    def runs(self) -> list[tuple[str, str, str]]:
        """(slot, file, accepted lines) of all runs."""
        return [
            tuple(row)
            for row in self.sql(
                "SELECT slot, source_name, counts->>'accepted' FROM pipeline_run ORDER BY id"
            )
        ]


@pytest.fixture
def bench(
    tmp_path: Path,
    postgres: embedded.Server,
    make_database: Callable[..., str],
    payouts_template: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    args = postgres.connect_args(make_database("scheduler", template=payouts_template))
    url = f"postgresql://{args['user']}@/{args['dbname']}?host={args['host']}&port={args['port']}"
    monkeypatch.setenv("PAYOUTS_DATABASE__URL", url)
    (tmp_path / "payouts.toml").write_text('payer = "acme"\n')
    with ExitStack() as stack:
        parts = stack.enter_context(opened(load_settings(tmp_path), platforms=False))
        yield Bench(parts, tmp_path, Clock(FRIDAY - timedelta(days=1)))


# -- slots -----------------------------------------------------------------------------------------


def test_a_slot_takes_the_files_of_its_pattern_and_runs_once(
    bench: Bench, sepa: Callable[..., str]
) -> None:
    keeper = bench.keeper(WEEKLY)
    bench.drop("a.csv", sepa(3))
    bench.drop("b.txt", sepa(3, prefix="NOT"))

    keeper.look("weekly")
    early = bench.runs()
    bench.clock.at = FRIDAY
    keeper.look("weekly")
    keeper.look("weekly")

    assert early == []
    assert bench.runs() == [("2026-11-20T09:00", "a.csv", "3")]
    assert bench.slots() == [("2026-11-20T09:00", "done")]
    assert bench.said == [
        "weekly 2026-11-20T09:00: a.csv is run_"
        + bench.said[0].partition("run_")[2].partition(":")[0]
        + ": 3 lines = 3 accepted"
    ]


def test_the_next_slot_takes_what_is_new_and_nothing_twice(
    bench: Bench, sepa: Callable[..., str]
) -> None:
    keeper = bench.keeper(WEEKLY)
    bench.drop("a.csv", sepa(3))
    bench.clock.at = FRIDAY
    keeper.look("weekly")
    bench.drop("b.csv", sepa(5))

    bench.clock.at = FRIDAY + timedelta(days=7)
    keeper.look("weekly")
    bench.clock.at = FRIDAY + timedelta(days=14)
    keeper.look("weekly")

    assert bench.runs() == [("2026-11-20T09:00", "a.csv", "3"), ("2026-11-27T09:00", "b.csv", "2")]
    assert [state for _, state in bench.slots()] == ["done", "done", "empty"]


def test_a_schedule_that_nobody_kept_yet_starts_now(bench: Bench, sepa: Callable[..., str]) -> None:
    """Else the first `serve` of a project would pay for last Friday."""
    bench.drop("a.csv", sepa(1))
    bench.clock.at = FRIDAY + timedelta(hours=2)

    bench.keeper(WEEKLY).look("weekly")

    assert bench.slots() == []


def test_missed_slots_are_recorded_and_the_latest_of_them_is_caught_up(
    bench: Bench, sepa: Callable[..., str]
) -> None:
    bench.keeper(WEEKLY)
    bench.drop("a.csv", sepa(2))
    bench.clock.at = FRIDAY + timedelta(days=15)

    bench.keeper(WEEKLY).look("weekly")

    assert bench.slots() == [
        ("2026-11-20T09:00", "missed"),
        ("2026-11-27T09:00", "missed"),
        ("2026-12-04T09:00", "done"),
    ]
    assert bench.runs() == [("2026-12-04T09:00", "a.csv", "2")]
    assert bench.said[0] == (
        "! weekly: missed 2026-11-20T09:00, 2026-11-27T09:00; 2026-12-04T09:00 takes their files"
    )
    assert "caught up 1 day, 0:00 h late" in bench.said[1]


def test_a_long_absence_is_summed_up(bench: Bench) -> None:
    often = Pipeline(name="often", files="in/*", schedule="*/5 * * * *")
    bench.keeper(often)
    bench.clock.at += timedelta(days=2)

    bench.keeper(often).look("often")

    assert len(bench.slots()) == 101
    assert "and 570 before" in bench.said[0]


def test_a_clock_that_is_set_back_runs_nothing_again(
    bench: Bench, sepa: Callable[..., str]
) -> None:
    keeper = bench.keeper(WEEKLY)
    bench.drop("a.csv", sepa(1))
    bench.clock.at = FRIDAY
    keeper.look("weekly")

    bench.clock.at = FRIDAY - timedelta(hours=1)
    keeper.look("weekly")
    bench.drop("b.csv", sepa(2))
    bench.clock.at = FRIDAY + timedelta(seconds=1)
    keeper.look("weekly")
    bench.keeper(WEEKLY).look("weekly")

    assert bench.slots() == [("2026-11-20T09:00", "done")]
    assert len(bench.runs()) == 1


def test_a_clock_that_jumped_ahead_and_came_back_stops_no_schedule(bench: Bench) -> None:
    keeper = bench.keeper(WEEKLY)
    bench.clock.at = FRIDAY + timedelta(days=365)
    keeper.look("weekly")
    ahead = len(bench.slots())

    bench.clock.at = FRIDAY - timedelta(minutes=1)
    keeper.look("weekly")
    daily = Pipeline(name="weekly", files="in/*.csv", schedule="30 9 * * *")
    bench.clock.at = FRIDAY + timedelta(minutes=31)
    bench.keeper(daily).look("weekly")

    assert ahead == 53
    assert ("2026-11-20T09:30", "empty") in bench.slots()


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_on_the_days_that_clocks_change_half_past_three_is_one_slot(
    bench: Bench, sepa: Callable[..., str], day: str
) -> None:
    """APScheduler's own cron fired twice on the autumn day."""
    nightly = Pipeline(
        name="nightly", files="in/*", schedule="30 3 * * *", timezone="Europe/Helsinki"
    )
    bench.clock.set(f"{day}T00:00")
    keeper = bench.keeper(nightly)

    for minute in range(0, 9 * 60, 10):
        bench.drop(f"{minute}.csv", sepa(1, start=minute + 1))
        keeper.look("nightly")
        bench.clock.at += timedelta(minutes=10)

    assert bench.slots() == [(f"{day}T03:30", "done")]
    due = {"2026-03-29": "01:00", "2026-10-25": "00:30"}[day]
    (late,) = bench.sql("SELECT max(source_name) FROM pipeline_run")[0]
    taken = len(bench.runs())
    start = datetime.fromisoformat(day).replace(tzinfo=HELSINKI)
    hours = datetime.fromisoformat(f"{day}T{due}").replace(tzinfo=UTC) - start.astimezone(UTC)
    assert taken == hours / timedelta(minutes=10) + 1, late


def test_on_the_autumn_day_a_restart_in_the_second_hour_runs_nothing_again(
    bench: Bench, sepa: Callable[..., str]
) -> None:
    nightly = Pipeline(
        name="nightly", files="in/*", schedule="*/30 3 * * *", timezone="Europe/Helsinki"
    )
    bench.clock.set("2026-10-25T02:59")
    bench.keeper(nightly)
    bench.clock.set("2026-10-25T03:45")
    bench.drop("a.csv", sepa(1))
    bench.keeper(nightly).look("nightly")

    bench.drop("b.csv", sepa(2))
    bench.clock.set("2026-10-25T03:10", fold=1)
    bench.keeper(nightly).look("nightly")
    bench.clock.set("2026-10-25T03:45", fold=1)
    bench.keeper(nightly).look("nightly")

    assert bench.slots() == [("2026-10-25T03:00", "missed"), ("2026-10-25T03:30", "done")]
    assert len(bench.runs()) == 1


def test_what_comes_next_and_what_ran_last_is_shown(bench: Bench, sepa: Callable[..., str]) -> None:
    nightly = Pipeline(
        name="nightly", files="in/*", schedule="30 3 * * *", timezone="Europe/Helsinki"
    )
    by_hand = Pipeline(name="by_hand")
    bench.keeper(WEEKLY)
    bench.drop("a.csv", sepa(1))
    bench.clock.at = FRIDAY + timedelta(days=7)
    bench.keeper(WEEKLY).look("weekly")

    found = calendar(
        bench.parts.database,
        {one.name: one for one in (WEEKLY, nightly, by_hand)},
        now=bench.clock.at,
    )

    assert [(one.pipeline.name, one.next_slot, f"{one.next_at:%d %H:%M}") for one in found] == [
        ("nightly", "2026-11-28T03:30", "28 01:30"),
        ("weekly", "2026-12-04T09:00", "04 09:00"),
    ]
    assert [(row.slot, row.state) for row in found[1].recent] == [
        ("2026-11-27T09:00", "done"),
        ("2026-11-20T09:00", "missed"),
    ]


def test_slots_with_nothing_to_do_are_forgotten_in_time(bench: Bench) -> None:
    often = Pipeline(name="often", files="in/*", schedule="* * * * *")
    keeper = bench.keeper(often)
    for _ in range(8):
        bench.clock.at += timedelta(minutes=1)
        keeper.look("often")

    with bench.parts.database.unit() as unit:
        slots.forget_empty(unit, "often", keep=2)
    keeper.look("often")

    assert [state for _, state in bench.slots()] == ["empty", "empty"]


# -- two at once, and one that dies ----------------------------------------------------------------


def test_of_two_schedulers_that_ring_at_once_one_runs_the_slot(
    bench: Bench, sepa: Callable[..., str], tmp_path: Path
) -> None:
    """Each has its own connections; the row of the slot alone decides."""
    bench.keeper(WEEKLY)
    with opened(load_settings(tmp_path), platforms=False) as other_parts:
        other = Bench(other_parts, tmp_path, bench.clock)
        for week in range(6):
            bench.clock.at = FRIDAY + timedelta(days=7 * week)
            bench.drop(f"{week}.csv", sepa(2, start=10 * week + 1))
            keepers = [one.keeper(WEEKLY) for one in (bench, other, bench, other)]
            gate = threading.Barrier(len(keepers))

            def ring(keeper: Scheduler, gate: threading.Barrier = gate) -> None:
                gate.wait()
                keeper.look("weekly")

            threads = [threading.Thread(target=ring, args=[one]) for one in keepers]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    assert [state for _, state in bench.slots()] == ["done"] * 6
    assert [(name, count) for _, name, count in bench.runs()] == [
        (f"{week}.csv", "2") for week in range(6)
    ]
    said = [words for words in bench.said + other.said if ".csv is run_" in words]
    assert len(said) == 6


def test_two_rings_of_one_slot_agree_by_the_row_alone(bench: Bench) -> None:
    wins = []
    gate = threading.Barrier(8)

    def claim() -> None:
        gate.wait()
        with bench.parts.database.unit() as unit:
            wins.append(slots.claim(unit, "weekly", "2026-11-20T09:00"))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(wins) == [False] * 7 + [True]


DIES = """
import os, sys
from contextlib import contextmanager
from pathlib import Path
from payouts.settings import load_settings
from payouts.store import slots
from payouts.wiring import opened
with opened(load_settings(Path(sys.argv[1])), platforms=False) as parts:
    with parts.database.unit() as unit:
        slots.begin(unit, "weekly", __import__("datetime").datetime.fromisoformat(sys.argv[2]))
        slots.claim(unit, "weekly", "2026-11-20T09:00")
    with slots.held(parts.database, "weekly", "2026-11-20T09:00") as mine:
        print(mine, flush=True)
        sys.stdin.read()
"""


def test_a_slot_that_its_process_died_over_is_finished_by_the_next_look(
    bench: Bench, sepa: Callable[..., str]
) -> None:
    """The row is claimed before anything is loaded, so a crash right after it must not lose it."""
    bench.drop("a.csv", sepa(3))
    before = (FRIDAY - timedelta(days=1)).isoformat()
    claimer = subprocess.Popen(
        [sys.executable, "-c", DIES, str(bench.folder), before],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(os.environ),
    )
    with claimer:
        assert claimer.stdout is not None
        assert claimer.stdout.readline() == b"True\n"
        bench.clock.at = FRIDAY + timedelta(minutes=1)
        bench.keeper(WEEKLY).look("weekly")
        while_it_lives = bench.slots()
        claimer.kill()
    end = time.monotonic() + 10
    while bench.slots() == while_it_lives and time.monotonic() < end:
        bench.keeper(WEEKLY).look("weekly")

    assert while_it_lives == [("2026-11-20T09:00", "claimed")]
    assert bench.slots() == [("2026-11-20T09:00", "done")]
    assert bench.runs() == [("2026-11-20T09:00", "a.csv", "3")]
    assert "taken over" in bench.said[-1]


# -- files -----------------------------------------------------------------------------------------


def test_a_bad_file_is_said_and_recorded_and_the_others_are_taken(
    bench: Bench, sepa: Callable[..., str]
) -> None:
    keeper = bench.keeper(WEEKLY)
    bench.drop("a.csv", "no,header,of,ours\n1,2,3,4\n")
    bench.drop("b.csv", sepa(2))
    bench.drop("c.csv", sepa(2, prefix="BAD").replace(",EUR,", ",QQQ,"))
    bench.clock.at = FRIDAY
    keeper.look("weekly")
    said = list(bench.said)
    bench.clock.at += timedelta(days=7)
    keeper.look("weekly")

    assert bench.runs() == [("2026-11-20T09:00", "b.csv", "2")]
    assert bench.slots() == [("2026-11-20T09:00", "failed"), ("2026-11-27T09:00", "empty")]
    (detail,) = bench.sql("SELECT detail FROM schedule_slot WHERE state = 'failed'")[0]
    for words in ("a.csv was refused", "b.csv is run_", "c.csv was refused", "E_FILE_ALL_REJECTED"):
        assert words in detail
    assert said[-1] == f"! weekly 2026-11-20T09:00: {detail}"
    reports = bench.folder / ".payouts" / "reports"
    assert "E_CURRENCY" in (reports / "c.csv.rejected.csv").read_text()
    assert "as it was when it was refused" in bench.said[-1]
    # Nothing is kept of a file of which nothing is stored.
    assert len(list((bench.folder / ".payouts" / "files").iterdir())) == 1


def test_a_pipeline_whose_transform_breaks_does_not_stop_the_schedule(
    bench: Bench, sepa: Callable[..., str]
) -> None:
    def broken(lines: pl.DataFrame) -> pl.DataFrame:
        return lines.select("nothing of that name")

    keeper = bench.keeper(
        Pipeline(name="weekly", files="in/*.csv", schedule="0 9 * * fri", transform=broken)
    )
    bench.drop("a.csv", sepa(1))
    bench.clock.at = FRIDAY

    keeper.look("weekly")

    assert bench.slots() == [("2026-11-20T09:00", "failed")]
    assert "a.csv broke: ColumnNotFoundError" in bench.said[-1]
    assert bench.runs() == []


def test_lines_without_references_belong_to_the_period_of_the_slot(
    bench: Bench, sepa: Callable[..., str]
) -> None:
    """A slot that is caught up on Monday still pays for the week of its Friday."""
    keeper = bench.keeper(
        Pipeline(name="weekly", files="in/*.csv", schedule="0 9 * * fri", period="week"),
        Pipeline(name="slots", files="in2/*.csv", schedule="0 9 * * fri", period="slot"),
    )
    content = "".join(row.split(",", 1)[1] for row in sepa(2).splitlines(keepends=True))
    bench.drop("a.csv", content)
    bench.drop("b.csv", content.replace("Jonas", "Ida"), folder="in2")
    bench.clock.at = FRIDAY + timedelta(days=3)

    keeper.look("weekly")
    keeper.look("slots")

    assert bench.sql("SELECT pipeline, period FROM pipeline_run ORDER BY id") == [
        ("weekly", "2026-W47"),
        ("slots", "2026-11-20T09:00"),
    ]


def test_a_file_that_does_not_hold_still_waits_for_the_next_slot(
    bench: Bench, sepa: Callable[..., str]
) -> None:
    path = bench.drop("a.csv", sepa(1))
    keeper = bench.keeper(WEEKLY, settle_s=0.1)
    bench.clock.at = FRIDAY
    stop = threading.Event()

    def touch() -> None:
        tick = FRIDAY.timestamp()
        while not stop.wait(0.01):
            tick += 1
            os.utime(path, (tick, tick))

    writer = threading.Thread(target=touch)
    writer.start()
    time.sleep(0.05)
    keeper.look("weekly")
    stop.set()
    writer.join()

    assert bench.runs() == []
    assert bench.slots() == [("2026-11-20T09:00", "failed")]
    assert "a.csv is still being written" in bench.said[-1]


def test_our_own_reports_beside_a_payee_file_are_not_payee_files(
    bench: Bench, sepa: Callable[..., str]
) -> None:
    """A results file has the payer's columns: taken for a payee file it would be paid again."""
    keeper = bench.keeper(Pipeline(name="weekly", files="in/*", schedule="0 9 * * fri"))
    for name in (
        "a.csv.results.csv",
        "a.csv.results.jsonl",
        "a.csv.run_result.json",
        "a.csv.report.html",
        ".hidden.csv",
        "~$a.xlsx",
        "a.csv.part",
        "README.md",
    ):
        bench.drop(name, sepa(1))
    (bench.folder / "in" / "folder.csv").mkdir()
    bench.clock.at = FRIDAY

    keeper.look("weekly")

    assert bench.slots() == [("2026-11-20T09:00", "empty")]


def test_headers_and_constants_of_a_pipeline_reach_the_survey(bench: Bench) -> None:
    keeper = bench.keeper(
        Pipeline(
            name="weekly",
            files="in/*.csv",
            schedule="0 9 * * fri",
            mapping={"Wem": "name", "Konto": "account", "Wieviel": "amount", "Nr": "reference"},
            constants={"country": "DE", "currency": "EUR", "method": "sepa"},
        )
    )
    bench.drop("a.csv", "Nr;Wem;Konto;Wieviel\n1;Jonas Weber;DE89370400440532013000;10,50\n")
    bench.clock.at = FRIDAY

    keeper.look("weekly")

    assert bench.sql("SELECT currency, amount_minor, reference FROM line") == [("EUR", 1050, "1")]


# -- all of it, with the real alarm clock ----------------------------------------------------------


async def _until(holds: Callable[[], bool], wait_max: float = 20.0) -> None:
    end = time.monotonic() + wait_max
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.05)


def test_the_alarm_clock_rings_at_the_slot_and_ends_cleanly(
    bench: Bench, sepa: Callable[..., str]
) -> None:
    """The clock is the machine's, moved so that a slot is due in a moment."""
    ahead = FRIDAY - timedelta(seconds=1.5) - datetime.now(UTC)
    keeper = Scheduler(
        bench.parts,
        {"weekly": WEEKLY},
        now=lambda: datetime.now(UTC) + ahead,
        said=bench.said.append,
        settling=Settling(0.05),
    )
    bench.drop("a.csv", sepa(2))

    async def serve() -> list[tuple[str, str]]:
        stopping = asyncio.Event()
        job = asyncio.create_task(keeper.run(stopping))
        await asyncio.sleep(0.7)
        early = bench.slots()
        await _until(lambda: bench.slots() == [("2026-11-20T09:00", "done")])
        stopping.set()
        await asyncio.wait_for(job, 20)
        return early

    assert asyncio.run(serve()) == []
    assert len(bench.runs()) == 1
    assert datetime.now(UTC) + ahead < FRIDAY + timedelta(seconds=20)  # no look of half a minute


def test_a_database_that_goes_away_ends_the_scheduler_with_its_words(bench: Bench) -> None:
    ahead = FRIDAY - timedelta(seconds=1.5) - datetime.now(UTC)
    keeper = Scheduler(bench.parts, {"weekly": WEEKLY}, now=lambda: datetime.now(UTC) + ahead)

    async def serve() -> None:
        job = asyncio.create_task(keeper.run(asyncio.Event()))
        await asyncio.sleep(0.7)
        with bench.parts.database.unit() as unit:
            unit.execute(text("ALTER TABLE schedule_slot RENAME TO gone"))
        await asyncio.wait_for(job, 20)

    with pytest.raises(ProgrammingError, match="schedule_slot"):
        asyncio.run(serve())
