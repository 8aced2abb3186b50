"""The report of a run: result files, reject file, machine result, page, and the closing proof.

```
<file>.results.csv      every line of the file once, with what became of it
<file>.results.jsonl    the same, without what is done to cells for spreadsheets
<file>.rejected.csv     lines to be repaired, with the reasons; only where there are any
<file>.run_result.json  for programs
<file>.report.html      for people: opens without a network, prints
```

All reads are of one snapshot, so that the numbers agree with each other also while the run goes on.
The file is streamed: memory does not grow with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from payouts.core.currencies import CURRENCIES, currency
from payouts.core.errors import UsageError
from payouts.core.ids import public_id
from payouts.core.items import FINAL, State
from payouts.core.problems import KINDS
from payouts.flows import page
from payouts.flows.explain import meaning
from payouts.flows.proof import ItemSum, Proof, prove
from payouts.intake.amounts import text
from payouts.intake.checks import check
from payouts.intake.frames import PROBLEMS, no_problems
from payouts.intake.output import whole_file
from payouts.intake.reader import chunks
from payouts.intake.rejects import write_rejects
from payouts.intake.results import write_results
from payouts.store import lanes, queries, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from payouts.intake.checks import Rules
    from payouts.intake.survey import Survey
    from payouts.store.engine import Database
    from payouts.store.queries import CountRow, HoldRow, LineSum, RunRow, SendRow

__all__ = ["Report", "Tally", "Written", "gather", "proof_document", "write"]

SCHEMA_VERSION = 1
"""Of `run_result.json`; fields are added without, changed or removed only with a new one."""

_BATCHES_MAX = 200
_FIRST_LINES = 5
_REFUSED: Final = ("rejected", "conflict", "quarantined")
_OWN_CODES: Final = {
    ("duplicate", False): "W_LINE_DUPLICATE",
    ("duplicate", True): "W_LINE_DUPLICATE_EARLIER",
    ("conflict", False): "E_LINE_CONFLICT",
    ("conflict", True): "E_LINE_CONFLICT_EARLIER",
    ("quarantined", False): "E_LINE_REPEATED",
    ("quarantined", True): "E_LINE_REPEATED",
}
"""Code of a line that is not paid for what stands beside it: (outcome, it names an earlier item)."""

_EXPONENTS: Final = {code: unit.exponent for code, unit in CURRENCIES.items()}
_DIGITS: Final = np.frombuffer(b"0123456789abcdefghjkmnpqrstvwxyz", dtype=np.uint8)
_ID_DIGITS: Final = 10


@dataclass(frozen=True, slots=True)
class Reason:
    """Items in one state for one reason."""

    state: str
    provider: str
    currency: str
    code: str | None
    items: int
    amount_minor: int

    @property
    def words(self) -> str:
        """What the code means."""
        return meaning(self.code) or "no reason was given"


@dataclass(frozen=True, slots=True)
class RejectedBy:
    """Lines that carry one problem code.

    Args:
        outcome: what became of these lines.
        first: numbers of the first of them.
        words: what the code means, said of the first line.
        hint: what to do about it.
    """

    outcome: str
    code: str
    lines: int
    first: tuple[int, ...]
    words: str
    hint: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the page and the machine result say.

    Args:
        at: when it was read, by the database's clock.
        counters: items by provider, currency and state.
        reasons: items that are not paid, by reason.
        batches: the first of them, with their states.
    """

    run: RunRow
    environment: str
    database_id: str
    at: datetime
    proof: Proof
    counters: list[CountRow]
    lines: list[LineSum]
    reasons: list[Reason]
    rejects: list[RejectedBy]
    sends: list[SendRow]
    batches: list[queries.BatchRow]
    holds: list[HoldRow]
    paused: list[queries.LaneRow]
    closed_at: datetime | None

    @property
    def public(self) -> str:
        """The run's public id."""
        return public_id("run", self.run.id)

    def states(self) -> dict[str, tuple[int, dict[str, int]]]:
        """Per state: items, and minor units per currency; states without items left out."""
        made: dict[str, tuple[int, dict[str, int]]] = {}
        for row in self.counters:
            items, amounts = made.get(row.state, (0, {}))
            amounts[row.currency] = amounts.get(row.currency, 0) + row.amount_minor
            made[row.state] = (items + row.items, amounts)
        return {state: made[state] for state in State if state in made}

    @property
    def items(self) -> int:
        """All items."""
        return sum(row.items for row in self.counters)

    @property
    def open_items(self) -> int:
        """Items that are not final."""
        return sum(row.items for row in self.counters if State(row.state) not in FINAL)

    def document(self, files: Mapping[str, str]) -> dict[str, Any]:
        """The machine result: plain values, money as minor units with its currency beside."""
        run = self.run
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "run_result",
            "run": self.public,
            "status": "closed" if self.closed_at else "open",
            "environment": self.environment,
            "database_id": self.database_id,
            "generated_at": _iso(self.at),
            "pipeline": run.pipeline,
            "slot": run.slot,
            "funding": run.funding,
            "file": {
                "name": run.source_name,
                "sha256": run.source_sha256,
                "bytes": run.source_bytes,
                "lines": run.lines_read,
            },
            "created_at": _iso(run.created_at),
            "approved_at": _iso(run.approved_at),
            "approved_by": run.approved_by,
            "closed_at": _iso(self.closed_at),
            "lines": dict(self.proof.file.outcomes),
            "items": {state: items for state, (items, _) in self.states().items()},
            "totals": [
                {
                    "currency": one.currency,
                    "exponent": currency(one.currency).exponent,
                    "accepted": {"lines": one.accepted.items, "minor": one.accepted.amount_minor},
                    "states": {
                        state: {"minor": amounts[one.currency]}
                        for state, (_, amounts) in self.states().items()
                        if one.currency in amounts
                    },
                }
                for one in self.proof.currencies
            ],
            "not_paid": [
                {
                    "state": reason.state,
                    "provider": reason.provider,
                    "currency": reason.currency,
                    "code": reason.code,
                    "meaning": reason.words,
                    "items": reason.items,
                    "minor": reason.amount_minor,
                }
                for reason in self.reasons
            ],
            "line_codes": [
                {
                    "outcome": one.outcome,
                    "code": one.code,
                    "meaning": one.words,
                    "hint": one.hint,
                    "lines": one.lines,
                    "first_lines": list(one.first),
                }
                for one in self.rejects
            ],
            "sent": [
                {
                    "provider": one.provider,
                    "currency": one.currency,
                    "batches": one.batches,
                    "items": one.items,
                    "minor": one.amount_minor,
                    "attempts": one.attempts,
                    "first_sent": _iso(one.first_sent),
                    "last_answer": _iso(one.last_answer),
                }
                for one in self.sends
            ],
            "holds": [
                {"reason": hold.reason, "detail": hold.detail, "opened_at": _iso(hold.opened_at)}
                for hold in self.holds
            ],
            "paused_lanes": [
                {"provider": lane.provider, "funding": lane.funding, "reason": lane.reason}
                for lane in self.paused
            ],
            "proof": proof_document(self.proof),
            "files": dict(files),
        }


def proof_document(proof: Proof) -> dict[str, Any]:
    """The proof as plain values."""
    return {
        "agrees": proof.agrees,
        "open_items": proof.open_items,
        "file": {
            "agrees": proof.file.agrees,
            "read": proof.file.read,
            "written": proof.file.written,
            **proof.file.outcomes,
        },
        "currencies": [
            {
                "currency": one.currency,
                "agrees": one.agrees,
                "lines": {
                    outcome: {"lines": total.items, "minor": total.amount_minor}
                    for outcome, total in one.lines.items()
                },
                "items": {"items": one.items.items, "minor": one.items.amount_minor},
                "checks": [
                    {
                        "name": made.name,
                        "agrees": made.agrees,
                        "expected": {
                            "items": made.expected.items,
                            "minor": made.expected.amount_minor,
                        },
                        "found": {"items": made.found.items, "minor": made.found.amount_minor},
                    }
                    for made in one.checks
                ],
            }
            for one in proof.currencies
        ],
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class Written:
    """The files of a report; `rejects` is none where nothing is to be repaired."""

    report: Report
    results_csv: Path
    results_jsonl: Path
    rejects: Path | None
    result_json: Path
    html: Path

    @property
    def closed(self) -> bool:
        """Whether the run is closed."""
        return self.report.closed_at is not None

    @property
    def files(self) -> list[Path]:
        """All of them, those for people first."""
        made = [self.html, self.results_csv, self.rejects, self.results_jsonl, self.result_json]
        return [path for path in made if path is not None]


def write(
    database: Database,
    run_id: int,
    survey: Survey,
    *,
    folder: Path,
    rules: Rules,
    environment: str,
    database_id: str,
    problems: pl.DataFrame | None = None,
    transform: Callable[[pl.DataFrame], pl.DataFrame] | None = None,
    name: str | None = None,
) -> Written:
    """Write the files of a run, and close it where everything agrees and nothing is open.

    Args:
        survey: of our copy of the run's file, as the run's pipeline reads it.
        folder: where the files go; files of the same names are replaced.
        rules: as at the load, but for `problems`: what a reject file's words come from.
        problems: PROBLEMS frame of the load; none checks the rejected lines again.
        transform: the pipeline's own, for checking again.
        name: what the files are called after; the run's file by default.

    Raises:
        UsageError: there is no such run.
        FileRefusedError: the copy is not the file that was loaded.
    """
    with database.reading() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        run = queries.run(connection, run_id)
        if run is None:
            raise UsageError(f"there is no run {public_id('run', run_id)}", code="E_RUN_UNKNOWN")
        stem = name or run.source_name
        csv, jsonl = folder / f"{stem}.results.csv", folder / f"{stem}.results.jsonl"
        tally = Tally(run, queries.OutcomePages(connection, run.line_lo, run.line_hi))
        written = write_results(survey, tally, csv, jsonl)
        report = gather(
            connection,
            run,
            tally,
            written=written,
            environment=environment,
            database_id=database_id,
        )
    remarks = tally.remarks()
    if problems is None:
        problems = _rechecked(survey, rules, transform) if remarks.height else no_problems()
    told = _told(remarks, problems)
    report = replace(report, rejects=_by_code(told, remarks))
    if report.proof.closes and report.closed_at is None:
        with database.unit() as unit:
            closed_at = runs.close(unit, run_id)
        report = replace(report, closed_at=closed_at)
    rejects = folder / f"{stem}.rejected.csv"
    refused = remarks.filter(pl.col("outcome").is_in(_REFUSED)).select("line")
    some = write_rejects(survey, told.join(refused, on="line", how="semi"), rejects)
    files = Written(
        report,
        csv,
        jsonl,
        rejects if some else None,
        folder / f"{stem}.run_result.json",
        folder / f"{stem}.report.html",
    )
    names = {
        "results_csv": csv.name,
        "results_jsonl": jsonl.name,
        "report_html": files.html.name,
    } | ({"rejects": rejects.name} if some else {})
    document = report.document(names)
    with whole_file(files.result_json) as file:
        file.write(json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n")
    with whole_file(files.html) as file:
        file.write(page.rendered(report, names).encode())
    return files


def gather(
    connection: Connection,
    run: RunRow,
    tally: Tally,
    *,
    written: int,
    environment: str,
    database_id: str,
) -> Report:
    """Read what the report says, in the snapshot in which the outcomes were read."""
    lines = (run.line_lo, run.line_hi)
    counters = queries.counts(connection, [run.id])
    sums = queries.line_sums(connection, lines)
    totals = {code: int(str(amount)) for code, amount in run.totals.items()}
    proof = prove(
        read=run.lines_read,
        written=written,
        lines=sums,
        items=tally.items(),
        counters=counters,
        ledger=queries.positions(connection, run.id),
        totals=totals,
    )
    return Report(
        run=run,
        environment=environment,
        database_id=database_id,
        at=lanes.now(connection),
        proof=proof,
        counters=counters,
        lines=sums,
        reasons=tally.reasons(),
        rejects=[],
        sends=queries.sends(connection, run.id),
        batches=queries.batches(connection, run.id, limit=_BATCHES_MAX),
        holds=queries.holds(connection, [run.id], open_only=True),
        paused=[row for row in queries.lanes(connection, [run.id]) if row.paused_at is not None],
        closed_at=run.closed_at,
    )


# -- outcomes, streamed -----------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """Hands each line's outcome to the results file, and counts the items as they pass by.

    An item is counted with the first of its lines, so items are counted one by one from their own
    last events, apart from the batches' counters.
    """

    run: RunRow
    pages: queries.OutcomePages
    _items: list[pl.DataFrame] = field(default_factory=list)
    _reasons: list[pl.DataFrame] = field(default_factory=list)
    _remarks: list[pl.DataFrame] = field(default_factory=list)

    def __call__(self, lo: int, hi: int) -> pl.DataFrame:
        """The columns that the results file adds to the lines numbered `lo` to `hi`."""
        found = _with_codes(self.pages(lo, hi), self.run.line_lo)
        self._count(found)
        return _shown(found, self.run.created_at)

    def _count(self, found: pl.DataFrame) -> None:
        own = found.filter(outcome="accepted")
        first = own.filter(pl.col("first_line") == pl.col("line_id"))
        self._items += [
            # Lines that an item pays may come in other pages, so they are counted on their own.
            own.group_by("currency", "state").agg(
                pl.lit(0).cast(pl.Int64).alias("items"),
                pl.len().cast(pl.Int64).alias("lines"),
                pl.lit(0).cast(pl.Int64).alias("amount_minor"),
            ),
            first.group_by(pl.col("item_currency").alias("currency"), "state").agg(
                pl.len().cast(pl.Int64).alias("items"),
                pl.lit(0).cast(pl.Int64).alias("lines"),
                pl.col("item_minor").sum().alias("amount_minor"),
            ),
        ]
        paid = [str(State.SETTLED), str(State.RECONCILED)]
        unpaid = first.filter(~pl.col("state").is_in(paid))
        self._reasons.append(
            unpaid.group_by("state", "provider", "item_currency", "code").agg(
                pl.len().cast(pl.Int64).alias("items"), pl.col("item_minor").sum()
            )
        )
        coded = found.filter(pl.col("line_codes").is_not_null())
        self._remarks.append(coded.select("line", "outcome", "line_codes"))

    def remarks(self) -> pl.DataFrame:
        """line, outcome, line_codes of the lines that something is to be said of."""
        return pl.concat(self._remarks)

    def items(self) -> list[ItemSum]:
        """Items by currency and state."""
        summed = (
            pl.concat(self._items)
            .group_by("currency", "state")
            .agg(pl.col("items", "lines", "amount_minor").sum())
            .sort("currency", "state")
        )
        return [ItemSum(*row) for row in summed.iter_rows()]

    def reasons(self) -> list[Reason]:
        """Items that are not paid, the most frequent reason first."""
        summed = (
            pl.concat(self._reasons)
            .group_by("state", "provider", "item_currency", "code")
            .agg(pl.col("items", "item_minor").sum())
            .sort("items", "state", "item_currency", "code", descending=[True, False, False, False])
        )
        return [Reason(*row) for row in summed.iter_rows()]


def _with_codes(found: pl.DataFrame, line_lo: int) -> pl.DataFrame:
    """Give lines that are not paid because of another line the code that says so."""
    own = pl.lit(None, pl.String)
    named = pl.col("item_id").is_not_null() & (pl.col("first_line") < line_lo)
    for (outcome, earlier), code in _OWN_CODES.items():
        matches = (pl.col("outcome") == outcome) & (named.fill_null(value=False) == earlier)
        own = pl.when(matches).then(pl.lit(code)).otherwise(own)
    return found.with_columns(
        pl.concat_str("line_codes", own, separator=" ", ignore_nulls=True)
        .replace("", None)
        .alias("line_codes")
    )


def _shown(found: pl.DataFrame, accepted_at: datetime) -> pl.DataFrame:
    """The columns that a results file adds to the payer's own."""
    started = accepted_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return found.select(
        "line",
        "outcome",
        pl.concat_str("line_codes", "code", separator=" ", ignore_nulls=True)
        .replace("", None)
        .alias("codes"),
        _public("itm", found["item_id"]).alias("item"),
        "state",
        "provider",
        pl.col("provider_ref").alias("provider_reference"),
        "attempts",
        _amount("amount_minor", "currency").alias("accepted_amount"),
        _amount("item_minor", "item_currency").alias("item_amount"),
        pl.col("item_currency").alias("item_currency"),
        pl.when(outcome="accepted").then(pl.lit(started)).alias("accepted_at"),
        pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("updated_at"),
    )


def _amount(minor: str, code: str) -> pl.Expr:
    """Decimal text of minor units; null where the amount or its currency is not known."""
    exponent = pl.col(code).replace_strict(_EXPONENTS, default=None, return_dtype=pl.Int64)
    return pl.when(pl.col(minor).is_not_null()).then(text(pl.col(minor), exponent))


def _public(prefix: str, keys: pl.Series) -> pl.Series:
    """Public ids of many keys at once; null stays null."""
    values = keys.fill_null(0).to_numpy().astype(np.uint64)
    shifts = np.arange(5 * (_ID_DIGITS - 1), -1, -5, dtype=np.uint64)
    digits = ((values[:, None] >> shifts) & np.uint64(31)).astype(np.intp)
    rows = np.empty((len(values), _ID_DIGITS + 1), dtype=np.uint8)
    rows[:, :_ID_DIGITS] = _DIGITS[digits]
    rows[:, _ID_DIGITS] = ord("\n")
    texts = rows.tobytes().decode("ascii").split("\n")[:-1]
    frame = pl.DataFrame({"key": keys, "text": texts}, schema_overrides={"text": pl.String})
    known = pl.col("key").is_not_null()
    return frame.select(pl.when(known).then(pl.lit(f"{prefix}_") + pl.col("text"))).to_series()


# -- rejects ----------------------------------------------------------------------------------------


def _rechecked(
    survey: Survey, rules: Rules, transform: Callable[[pl.DataFrame], pl.DataFrame] | None
) -> pl.DataFrame:
    """Problems of the file, found once more."""
    made = [no_problems()]
    for chunk in chunks(survey):
        lines = chunk.lines if transform is None else transform(chunk.lines)
        made += [chunk.problems, check(lines, rules).problems]
    return pl.concat(made)


def _told(remarks: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """PROBLEMS of these lines, each with exactly the codes that were stored for it."""
    stored = (
        remarks.select("line", pl.col("line_codes").str.split(" ").alias("code"))
        .explode("code")
        .filter(pl.col("code").is_not_null())
    )
    words = problems.unique(["line", "code", "column"], maintain_order=True)
    return (
        stored.join(words, on=["line", "code"], how="left", maintain_order="left")
        .with_columns(pl.col("column", "value", "allowed").fill_null(""))
        .select(PROBLEMS.names())
    )


def _by_code(told: pl.DataFrame, remarks: pl.DataFrame) -> list[RejectedBy]:
    """Lines by code, the most frequent first."""
    counted = (
        told.join(remarks.select("line", "outcome"), on="line", how="left", maintain_order="left")
        .sort("line", maintain_order=True)
        .group_by("outcome", "code", maintain_order=True)
        .agg(
            pl.col("line").n_unique().cast(pl.Int64).alias("lines"),
            pl.col("line").unique(maintain_order=True).head(_FIRST_LINES).alias("first"),
            pl.first("value", "allowed"),
        )
        .sort("lines", "code", descending=[True, False])
    )
    return [
        RejectedBy(outcome, code, lines, tuple(first), *_words(code, value, allowed))
        for outcome, code, lines, first, value, allowed in counted.iter_rows()
    ]


def _words(code: str, value: str, allowed: str) -> tuple[str, str]:
    """Message and hint of a code, filled in."""
    kind = KINDS.get(code)
    if kind is None:
        return code, ""
    message, hint = (
        text.replace("{value}", value or "…").replace("{allowed}", allowed or "…")
        for text in (kind.message, kind.hint)
    )
    return message, hint
