"""`payouts report`: the files of a run, and the proof that everything is accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from payouts.cli import frame
from payouts.cli.frame import Exit, Json, OneRun, Panel, add
from payouts.cli.status import next_of
from payouts.core.errors import UsageError

if TYPE_CHECKING:
    from payouts.flows.progress import Standing
    from payouts.flows.report import Written
    from payouts.store.queries import RunRow
    from payouts.wiring import Parts

__all__ = ["register", "written_files"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, report, panel=Panel.LOOK, example="payouts report last")


def report(
    run: OneRun,
    *,
    to: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where the files go.")] = None,
    as_json: Json = False,
) -> Exit:
    """Write the files of RUN (results, rejects, page) and prove that everything is accounted for.

    The run is closed when file, items and ledger agree and nothing is open.
    """
    from payouts.cli import foreground, summary  # noqa: PLC0415  bodies import what they need
    from payouts.cli.which import run_row  # noqa: PLC0415  the same

    with frame.project() as parts:
        with parts.database.reading() as unit:
            row = run_row(unit, run)
        written = written_files(parts, row, to)
        standing = foreground.look(parts, row.id)
        agrees = written.report.proof.agrees
        code = summary.ending(standing, row.counts, agrees=agrees)
        if as_json:
            names = {path.name: str(path) for path in written.files}
            frame.document("report", {**written.report.document(names), "exit_code": int(code)})
            return code
        for line in _report_lines(written):
            frame.told(line)
        frame.next_step(*_next_of_report(parts, written, standing, row))
        return code


def written_files(parts: Parts, row: RunRow, folder: Path | None) -> Written:
    """Write the files of a run, by default into the project's own folder for reports."""
    from datetime import UTC  # noqa: PLC0415  bodies import what they need

    from payouts.cli.which import source_of  # noqa: PLC0415  the same
    from payouts.flows import report as flow  # noqa: PLC0415  the same
    from payouts.local import private_directory  # noqa: PLC0415  the same

    found, transform = source_of(parts, row)
    if folder is None:
        folder = private_directory(parts.project.state / "reports")
    elif not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint="Make it first, or leave out --to.")
    return flow.write(
        parts.database,
        row.id,
        found,
        folder=folder,
        rules=parts.rules(row.created_at.astimezone(UTC).date()),
        environment=parts.settings.environment,
        database_id=parts.database_id,
        transform=transform,
    )


def _report_lines(written: Written) -> list[str]:
    from payouts.cli.summary import lines_counted  # noqa: PLC0415  bodies import what they need

    found = written.report
    proof = found.proof
    shown = [f"{found.public} · {frame.clean(found.run.source_name)} · {found.environment}"]
    shown.append(f"Lines    {lines_counted(proof.file.read, proof.file.outcomes)}")
    rows = []
    for one in proof.currencies:
        paid = next(check for check in one.checks if check.name == "paid")
        rows.append(
            (
                one.currency,
                _amount(one.accepted.amount_minor, one.currency),
                _amount(one.items.amount_minor, one.currency),
                _amount(paid.expected.amount_minor, one.currency),
                _amount(paid.found.amount_minor, one.currency),
                "agrees" if one.agrees else "DOES NOT AGREE",
            )
        )
    headers = ("", "accepted lines", "items", "paid items", "paid in ledger", "")
    shown += frame.table(headers, rows, right=[1, 2, 3, 4], indent="  ") if rows else []
    for one in proof.currencies:
        for check in one.checks:
            if not check.agrees:
                expected = _amount(check.expected.amount_minor, one.currency)
                got = _amount(check.found.amount_minor, one.currency)
                shown.append(
                    f"  ✗ {one.currency} {check.name}: {check.expected.items:,} with {expected}"
                    f" against {check.found.items:,} with {got}"
                )
    if not proof.agrees:
        shown.append("Proof    file, items and ledger DO NOT AGREE: pay nothing more, look why")
    elif proof.open_items:
        shown.append(f"Proof    agrees; {frame.count(proof.open_items, 'item')} still open")
    else:
        shown.append("Proof    file, items and ledger agree; the run is closed")
    shown += [
        f"{'Files' if place == 0 else '':8} {_short(path)}"
        for place, path in enumerate(written.files)
    ]
    return shown


def _amount(minor: int, currency: str) -> str:
    return frame.money(minor, currency).rpartition(" ")[0]


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _next_of_report(
    parts: Parts, written: Written, standing: Standing, row: RunRow
) -> tuple[str, str]:
    from payouts.cli.which import run_again  # noqa: PLC0415  bodies import what they need
    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.flows.reissue import PIPELINE as REISSUE  # noqa: PLC0415  says which

    if written.rejects is not None and standing.over and row.pipeline != REISSUE:
        again = run_again(parts, row.pipeline)
        return again(Path(_short(written.rejects))), "once its lines are repaired"
    if standing.rests and not standing.waits and not standing.unpaid:
        return f"payouts status {public_id('run', row.id)}", ""
    return next_of(public_id("run", row.id), standing, row)
