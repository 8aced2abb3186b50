"""The table: which ways stand beside each other, what is wanted of ours, and how it is printed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

__all__ = ["GROUPS", "Goal", "Group", "Results", "Sample", "Shown", "printed"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What a way came to: the median of its measurements, by seconds."""

    facts: Mapping[str, Any]
    all_s: tuple[float, ...]

    @classmethod
    def of(cls, measured: Sequence[Mapping[str, Any]]) -> Sample:
        """The median of some measurements; of an even number the slower one in the middle."""
        ordered = sorted(measured, key=lambda facts: float(facts["seconds"]))
        return cls(ordered[len(ordered) // 2], tuple(facts["seconds"] for facts in measured))

    @property
    def seconds(self) -> float:
        """Of the whole measurement."""
        return float(self.facts["seconds"])

    @property
    def items(self) -> int:
        """Lines, items or calls that were done."""
        return int(self.facts["items"])

    @property
    def each(self) -> float:
        """Seconds per item: what ways of different sizes are compared by."""
        return self.seconds / self.items

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  facts are numbers, words and lists
        return self.facts[name]

    @property
    def spread(self) -> float:
        """How far the measurements lie apart, as a share of the median."""
        return (max(self.all_s) - min(self.all_s)) / statistics.median(self.all_s)


Results: TypeAlias = Mapping[str, Sample]


@dataclass(frozen=True, slots=True)
class Shown:
    """One way in the table; `unit` is what its time is given for."""

    way: str
    words: str
    unit: Literal["s", "ms/500"] = "s"


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted: `value` at most (or, with `at_least`, at least) `bound`."""

    words: str
    value: Callable[[Results], float]
    bound: float
    at_least: bool = False

    def met(self, results: Results) -> bool:
        """Whether it is reached."""
        value = self.value(results)
        return value >= self.bound if self.at_least else value <= self.bound


@dataclass(frozen=True, slots=True)
class Group:
    """Ways that are measured in turn, the first of them being the floor."""

    name: str
    title: str
    ways: Sequence[Shown]
    goals: Sequence[Goal] = ()
    facts: Callable[[Results], Sequence[str]] = lambda _results: ()
    big: bool = False


def _times(faster: str, slower: str) -> Callable[[Results], float]:
    """How many times the one way is faster than the other, per item."""
    return lambda results: results[slower].each / results[faster].each


def _fact(way: str, name: str) -> Callable[[Results], float]:
    return lambda results: float(results[way][name])


def _ideally(way: str) -> Callable[[Results], float]:
    """How many times the platform's own time a way has taken."""
    return lambda results: results[way].seconds / float(results[way]["ideal_s"])


def _flow_facts(results: Results) -> list[str]:
    ours = results["flow.ours"]
    parts = " · ".join(
        f"{name[2:]} {value:.1f} s" for name, value in ours.facts.items() if name.startswith("s_")
    )
    cpu = " · ".join(
        f"{name.removeprefix('cpu_')} {value:.1f} s"
        for name, value in ours.facts.items()
        if name.startswith("cpu_")
    )
    room = ", ".join(
        f"{table} {size}"
        for table, size in sorted(ours["bytes_by_table"].items(), key=lambda pair: -pair[1])
    )
    return [
        f"of ours: {parts}",
        f"processor time: {cpu}",
        f"bytes per item: {room}",
        f"tables scanned from end to end by status, explain and items: {ours['scans'] or 'none'}",
    ]


GROUPS: Final = (
    Group(
        "read",
        "read and check a file of fourteen kinds of accounts",
        (
            Shown("read.polars", "Polars batch scan (floor)"),
            Shown("read.survey", "ours: survey (whole file, no values judged)"),
            Shown("read.ours", "ours: read and check"),
            Shown("read.by_hand", "csv.reader and checks by hand"),
            Shown("read.pydantic", "csv and pydantic per row, rate on 20,000"),
        ),
        (
            Goal("read and check against the Polars scan", _times("read.polars", "read.ours"), 7),
            Goal("against csv and pydantic", _times("read.ours", "read.pydantic"), 8, True),
            Goal("against csv.reader by hand", _times("read.ours", "read.by_hand"), 2.5, True),
        ),
    ),
    Group(
        "iban",
        "check digits of IBANs",
        (
            Shown("iban.numpy", "numpy, modulo 97 only (floor)"),
            Shown("iban.ours", "ours: all rules of the registry"),
            Shown("iban.by_hand", "plain Python, modulo 97 only"),
            Shown("iban.schwifty", "schwifty, rate on 20,000"),
            Shown("iban.stdnum", "python-stdnum, rate on 20,000"),
        ),
    ),
    Group(
        "store",
        "store accepted lines",
        (
            Shown("store.keys", "COPY, key only (floor)"),
            Shown("store.ours", "ours: line, item, batch, sealed payload"),
            Shown("store.core", "SQLAlchemy Core, one table, rate on 20,000"),
            Shown("store.sqlmodel", "SQLModel objects, one table, rate on 20,000"),
        ),
        (
            Goal("against SQLModel objects", _times("store.ours", "store.sqlmodel"), 15, True),
            Goal("against SQLAlchemy Core", _times("store.ours", "store.core"), 4, True),
        ),
    ),
    Group(
        "results",
        "500 results with their ledger",
        (
            Shown("results.ours", "ours: one reply per commit", "ms/500"),
            Shown("results.ours_mixed", "ours: the same where 1 % failed", "ms/500"),
            Shown("results.ours_32", "ours: 32 replies per commit", "ms/500"),
            Shown("results.orm", "SQLModel objects, one batch per commit", "ms/500"),
        ),
        (Goal("against the ORM", _times("results.ours", "results.orm"), 12, True),),
    ),
    Group(
        "flow",
        "whole flow: file to settled, with ledger and results file",
        (
            Shown("flow.floor", "floor: scan, keys, 2 exchanges a batch, 2 ledger rows"),
            Shown("flow.ours", "ours"),
            Shown("flow.ours_mixed", "ours where 1 % fail and the rest settle"),
            Shown("flow.script", "decent script, rate on 20,000"),
        ),
        (
            Goal("against the floor", _times("flow.floor", "flow.ours"), 3),
            Goal("against the decent script", _times("flow.ours", "flow.script"), 40, True),
            Goal("peak memory, MiB", _fact("flow.ours", "peak_mib"), 600),
            Goal("bytes in the database per item", _fact("flow.ours", "bytes_per_item"), 1_100),
            Goal("status, ms", _fact("flow.ours", "ms_status"), 50),
            Goal("explain, ms", _fact("flow.ours", "ms_explain"), 50),
            Goal("first page of items, ms", _fact("flow.ours", "ms_items"), 50),
            Goal(
                "large tables scanned by them",
                lambda results: len(results["flow.ours"]["scans"]),
                0,
            ),
        ),
        _flow_facts,
    ),
    Group(
        "latency",
        "a platform that takes its time",
        (
            Shown("latency.single", "5,000 single payouts, 20 ms, 64 at a time"),
            Shown("latency.batches_16", "200 batches, 200 ms, 16 at a time"),
            Shown("latency.batches_64", "400 batches, 200 ms, 64 at a time"),
        ),
        (
            Goal("single payouts against the ideal", _ideally("latency.single"), 1.5),
            Goal("batches, 16 at a time, two exchanges each", _ideally("latency.batches_16"), 1.2),
            Goal("batches, 64 at a time, two exchanges each", _ideally("latency.batches_64"), 1.2),
        ),
        lambda results: [
            f"{results[way].seconds / results[way]['one_exchange_s']:.2f} times the ideal of the"
            f" one exchange that a batch needs here, {words} at a time"
            for way, words in (("latency.batches_16", "16"), ("latency.batches_64", "64"))
            if way in results
        ],
    ),
    Group(
        "command",
        "the command",
        (
            Shown("command.help", "payouts --help"),
            Shown("command.first", "README's first command, servers made and started"),
        ),
        (
            Goal("--help, s", lambda results: results["command.help"].seconds, 0.3),
            Goal("first command, s", lambda results: results["command.first"].seconds, 10),
        ),
    ),
)


def printed(group: Group, results: Results) -> str:
    """The rows of a group, its goals and what else was seen."""
    floor = results[group.ways[0].way]
    compared = len(group.ways) > 1 and group.name not in {"latency", "command"}
    rows = [f"{group.title:<58}{'time':>12}{'per second':>13}{'times' if compared else '':>10}"]
    for shown in group.ways:
        found = results.get(shown.way)
        if found is None:
            continue
        time = (
            f"{found.seconds:.2f} s"
            if shown.unit == "s"
            else f"{found.each * 500 * 1000:.1f} {shown.unit}"
        )
        ratio = f"{found.each / floor.each:.1f}" if compared else ""
        noise = f"  ±{50 * found.spread:.0f} %" if len(found.all_s) > 1 else ""
        rate = f"{1 / found.each:,.0f}" if compared else ""
        rows.append(f"  {shown.words:<56}{time:>12}{rate:>13}{ratio:>10}{noise}")
    for goal in group.goals:
        wanted = f"{'≥' if goal.at_least else '≤'} {goal.bound:g}"
        verdict = "met" if goal.met(results) else "NOT MET"
        value = f"{goal.value(results):,.2f}"
        rows.append(f"    goal: {goal.words:<50}{value:>12}{wanted:>13}{verdict:>10}")
    rows += [f"    {fact}" for fact in group.facts(results)]
    return "\n".join(rows)
