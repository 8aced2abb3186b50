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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from payouts.core.errors import UsageError
from payouts.core.ids import public_id
from payouts.core.problems import KINDS
from payouts.flows import page
from payouts.flows.proof import prove
from payouts.flows.repairs import write_beside
from payouts.flows.result import RejectedBy, Report
from payouts.flows.tally import Tally
from payouts.intake.checks import check
from payouts.intake.frames import PROBLEMS, no_problems
from payouts.intake.output import whole_file
from payouts.intake.reader import chunks
from payouts.intake.results import write_results
from payouts.store import lanes, queries, runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from payouts.intake.checks import Rules
    from payouts.intake.survey import Survey
    from payouts.store.engine import Database
    from payouts.store.queries import RunRow

__all__ = ["Written", "gather", "write"]

_BATCHES_MAX = 200
_FIRST_LINES = 5
_REFUSED: Final = ("rejected", "conflict", "quarantined")


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
        folder: where the files go; earlier ones of this run are replaced.
        rules: as at the load, but for `problems`: what a reject file's words come from.
        problems: PROBLEMS frame of the load; none checks the rejected lines again.
        transform: the pipeline's own, for checking again.
        name: what the files are called after; the run's file by default. Where another run has
            files of that name there, the id of this run is put behind it.

    Raises:
        UsageError: there is no such run.
        FileRefusedError: the copy is not the file that was loaded.
    """
    with database.reading() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        run = queries.run(connection, run_id)
        if run is None:
            raise UsageError(f"there is no run {public_id('run', run_id)}", code="E_RUN_UNKNOWN")
        stem = _free_name(folder, name or run.source_name, run_id, database_id)
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
    result = folder / f"{stem}.run_result.json"
    refused = remarks.filter(pl.col("outcome").is_in(_REFUSED)).select("line")
    before = _said(result)
    called = str(before.get("files", {}).get("rejects", f"{stem}.rejected.csv"))
    rejects = write_beside(
        survey,
        told.join(refused, on="line", how="semi"),
        folder / Path(called).name,
        ours=before.get("rejects_sha256"),
    )
    files = Written(
        report, csv, jsonl, rejects and rejects.path, result, folder / f"{stem}.report.html"
    )
    names = {
        "results_csv": csv.name,
        "results_jsonl": jsonl.name,
        "report_html": files.html.name,
    } | ({"rejects": rejects.path.name} if rejects else {})
    document = report.document(names) | {"rejects_sha256": rejects and rejects.sha256}
    with whole_file(files.result_json) as file:
        file.write(json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n")
    with whole_file(files.html) as file:
        file.write(page.rendered(report, names).encode())
    return files


def _free_name(folder: Path, name: str, run_id: int, database_id: str) -> str:
    """The first name under which no files of another run lie in the folder."""
    public = public_id("run", run_id)
    names = [name, f"{name}.{public}"]
    free = (
        one
        for one in names
        if not (said := _said(folder / f"{one}.run_result.json"))
        or (said.get("run"), said.get("database_id")) == (public, database_id)
    )
    return next(free, f"{name}.{database_id}.{public}")


def _said(result: Path) -> dict[str, Any]:
    """The machine result that lies there; nothing where there is none that can be read."""
    try:
        said = json.loads(result.read_bytes())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


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
    """Lines by code: those that are not paid first, then the most frequent."""
    counted = (
        told.join(remarks.select("line", "outcome"), on="line", how="left", maintain_order="left")
        .sort("line", maintain_order=True)
        .group_by("outcome", "code", maintain_order=True)
        .agg(
            pl.col("line").n_unique().cast(pl.Int64).alias("lines"),
            pl.col("line").unique(maintain_order=True).head(_FIRST_LINES).alias("first"),
            pl.first("value", "allowed"),
        )
        .sort(pl.col("outcome") == "accepted", "lines", "code", descending=[False, True, False])
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
