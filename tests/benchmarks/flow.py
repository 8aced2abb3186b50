"""The whole flow: a file is read, checked, stored, sent, settled and reported, as `payouts run` does.

After the clock has stopped: what is stored is counted from a fresh connection and compared with the
sandbox's own books; then how much room it takes, and how fast it is read.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import psycopg
from sqlalchemy import event

from payouts.core.pipeline import Pipeline
from payouts.flows import progress, report
from payouts.flows.load import load
from payouts.intake.survey import survey
from payouts.store import queries
from payouts.worker import work
from tests.benchmarks.data import closed_accounts, good_lines
from tests.benchmarks.places import connected, project, seen
from tests.benchmarks.ways import Clock, Facts, Place, require, way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from payouts.wiring import Parts

__all__ = ["control", "paid", "peak_mib", "worked"]

_MIB = 1024 * 1024


def peak_mib() -> float:
    """The most memory that this process has had, in MiB.

    Where Linux tells, from there: `ru_maxrss` of a child begins at what its parent had.
    """
    with suppress(FileNotFoundError), open("/proc/self/status") as status:  # noqa: PTH123  no file
        words = dict(line.split(":", 1) for line in status)
        return int(words["VmHWM"].split()[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MIB if sys.platform == "darwin" else peak / 1024


def control(place: Place, path: str, document: object) -> Any:  # noqa: ANN401  JSON
    """Steer the place's sandbox."""
    base = (place.own / ".payouts" / "sandbox" / "control").read_text().strip()
    return httpx.post(f"{base}/_control/{path}", json=document).raise_for_status().json()


def worked(parts: Parts, run_id: int) -> None:
    """Work until the run rests, looked at as often as `payouts run` looks."""

    def rests() -> bool:
        with parts.database.reading() as unit:
            found = progress.read(unit, run_id, keyed=("orkestra",))
        return progress.standing(found).rests

    broken: list[Exception] = []
    asyncio.run(
        work(
            parts,
            finished=rests,
            stopping=lambda: bool(broken),
            broken=lambda _lane, error: broken.append(error),
        )
    )
    if broken:
        raise broken[0]


@way("flow.ours", database="payouts")
def _ours(place: Place) -> Facts:
    return _measured(place, place.turkish, failed=0)


@way("flow.ours_mixed", database="payouts")
def _ours_mixed(place: Place) -> Facts:
    """One payment in a hundred fails, so that hardly a batch moves as one."""
    return _measured(place, place.failing, failed=closed_accounts(place.lines))


def _measured(place: Place, file: Path, *, failed: int) -> Facts:
    with project(place, platforms=True) as parts:
        control(place, "settings", {"magic": failed > 0})
        clock, cpu = Clock(), _Processor(place)
        run_id = paid(place, file, parts, clock)
        facts: Facts = {"seconds": clock.seconds, "items": place.lines}
        facts |= {f"s_{name}": seconds for name, seconds in clock.parts.items()}
        facts |= cpu.spent() | {"peak_mib": peak_mib()}
        facts |= _room(place) | _reads(place, parts, run_id)
        _verified(place, failed)
    return facts


def paid(place: Place, file: Path, parts: Parts, clock: Clock) -> int:
    """Pay a file and write the files of the run; returns the run."""
    with clock.part("survey"):
        copy = parts.take_copy(file)
        surveyed = survey(copy)
    with clock.part("load"):
        result = load(
            parts.database,
            surveyed,
            parts.rules(),
            parts.load_order(Pipeline("bench", reject_limit=0.05), file, copy),
            encoders=parts.connectors,
            batch_max=parts.batch_max,
            signer=parts.signer,
            vault=parts.vault,
        )
    with clock.part("work"):
        worked(parts, result.run_id)
    with clock.part("report"):
        written = report.write(
            parts.database,
            result.run_id,
            surveyed,
            folder=place.own,
            rules=parts.rules(),
            environment="sandbox",
            database_id=parts.database_id,
            problems=result.problems,
        )
    require("the proof agrees", written.report.proof.agrees, expected=True)
    require("the run is closed", written.closed, expected=True)
    lines = sum(1 for _ in written.results_jsonl.open("rb"))
    require("lines of the results", lines, place.lines)
    return result.run_id


def _verified(place: Place, failed: int) -> None:
    """Counts, sums and ledger from a fresh connection, beside the books of the sandbox."""
    good = good_lines(place.lines)
    counted = "SELECT sum(items), sum(amount_minor) FROM batch_count WHERE state = 'settled'"
    items, amount = seen(place, counted)
    require("settled", items, good - failed)
    lines = "SELECT count(*) FILTER (WHERE outcome = 'accepted'), count(*) FROM line"
    require("lines", seen(place, lines), (good, place.lines))
    now = (
        "SELECT count(*) FILTER (WHERE state = 'settled'),"
        " sum(amount_minor) FILTER (WHERE state = 'settled'), count(*) FROM item_now"
    )
    require("items one by one", seen(place, now), (items, amount, good))
    balance = "SELECT sum(balance_minor) FILTER (WHERE kind = '{}') FROM ledger_balance"
    require("paid in the ledger", seen(place, balance.format("paid")), (amount,))
    require("left in transit", seen(place, balance.format("in_transit")), (0,))
    require("left reserved", seen(place, balance.format("reserved")), (0,))
    kept = "SELECT count(*) FROM ledger_balance WHERE kept_minor <> balance_minor"
    require("balances that differ", seen(place, kept), (0,))
    mapped = "SELECT count(*), count(DISTINCT provider_ref) FROM provider_payment"
    require("ids of the platform", seen(place, mapped), (items, items))
    require("the sandbox's books", _truth(place), (items, amount))


def _truth(place: Place) -> tuple[int, int]:
    """Payments with references of their own, and their money, as the sandbox has booked them."""
    references: set[str] = set()
    moved = 0
    with (place.own / ".payouts" / "sandbox" / "truth.jsonl").open("rb") as lines:
        for line in lines:
            for effect in json.loads(line).get("effects", ()):
                require("fate", effect["fate"], "paid")
                references.add(effect["reference"])
                moved += effect["amount_minor"]
    return len(references), moved


class _Processor:
    """Processor seconds of ourselves, of the sandbox and of PostgreSQL since it was made."""

    def __init__(self, place: Place) -> None:
        sandbox = (place.own / ".payouts" / "sandbox" / "server.lock").read_text().split()[0]
        with connected(place) as connection:
            row = connection.execute("SELECT current_setting('data_directory')").fetchone()
        self._sandbox = psutil.Process(int(sandbox))
        self._postgres = psutil.Process(_postmaster(str((row or ("",))[0])))
        self._begun = self._now()

    def _now(self) -> dict[str, float]:
        ended = self._postgres.cpu_times()
        times = []
        for backend in self._postgres.children():
            with suppress(psutil.NoSuchProcess):  # it has just ended: its time is the postmaster's
                times.append(backend.cpu_times())
        ours = psutil.Process().cpu_times()
        theirs = self._sandbox.cpu_times()
        return {
            "cpu_ours": ours.user + ours.system,
            "cpu_sandbox": theirs.user + theirs.system,
            "cpu_postgres": sum(one.user + one.system for one in times)
            + ended.children_user
            + ended.children_system,
        }

    def spent(self) -> dict[str, float]:
        """Seconds by who spent them."""
        return {name: now - self._begun[name] for name, now in self._now().items()}


def _postmaster(directory: str) -> int:
    with open(f"{directory}/postmaster.pid") as file:  # noqa: PTH123  one line of one file
        return int(file.readline())


def _room(place: Place) -> Facts:
    """Bytes in the database per item, tables and indexes."""
    size = (
        "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname IN ('public', 'queue') AND c.relkind = 'r'"
    )
    parts = (
        "SELECT jsonb_object_agg(relname, pg_total_relation_size(c.oid)) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'"
        " AND c.relkind = 'r' AND pg_total_relation_size(c.oid) > 1000000"
    )
    (total,), (tables,) = seen(place, size), seen(place, parts)
    good = good_lines(place.lines)
    return {
        "bytes_per_item": float(total) / good,
        "bytes_by_table": {name: round(size / good) for name, size in (tables or {}).items()},
    }


def _reads(place: Place, parts: Parts, run_id: int) -> Facts:
    """Milliseconds of what people ask most, with everything stored, and scans in their plans."""
    with connected(place) as connection:
        row = connection.execute("SELECT min(id) + 777 FROM item").fetchone()
    item_id = int((row or (1,))[0])
    said: list[tuple[str, Any]] = []

    def heard(_: object, __: object, statement: str, values: object, *rest: object) -> None:
        del rest
        said.append((statement, values))

    asked: dict[str, Callable[[Connection], object]] = {
        "status": lambda unit: progress.standing(progress.read(unit, run_id)),
        "explain": lambda unit: _explained(unit, item_id),
        "items": lambda unit: queries.items(unit, run_id, ["settled"], limit=50),
    }
    event.listen(parts.database.engine, "before_cursor_execute", heard)
    facts: Facts = {}
    for name, ask in asked.items():
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            with parts.database.reading() as unit:
                ask(unit)
            times.append(1000 * (time.perf_counter() - begun))
        facts[f"ms_{name}"] = statistics.median(times)
    event.remove(parts.database.engine, "before_cursor_execute", heard)
    return facts | {"scans": sorted(set(_scans(parts, said)))}


def _explained(unit: Connection, item_id: int) -> object:
    found = queries.item(unit, item_id)
    batch = found.batch_id if found is not None else 0
    return (
        queries.life(unit, item_id),
        queries.attempts(unit, batch, item_id),
        queries.evidence(unit, batch, item_id),
        queries.transfers_of(unit, batch, item_id),
        queries.replaced_by(unit, item_id),
    )


def _scans(parts: Parts, said: list[tuple[str, Any]]) -> Iterator[str]:
    """Large tables that a statement reads from end to end."""
    with psycopg.connect(parts.database.conninfo()) as connection:
        for statement, values in said:
            if not statement.lstrip().upper().startswith(("SELECT", "WITH")):
                continue
            plan = connection.execute(f"EXPLAIN {statement}".encode(), values).fetchall()
            for (line,) in plan:
                words = str(line).split()
                if "Seq Scan on" in str(line):
                    table = words[words.index("on") + 1]
                    if table in {"item", "item_event", "line", "provider_payment"}:
                        yield table
