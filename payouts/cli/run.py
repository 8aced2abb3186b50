"""`payouts run` and `payouts plan`: a payee file becomes money, or is told what would become of it.

`run` is the same whether a file is new or was loaded before: it loads what is new, then works until
nothing of that run moves by itself. So the way to go on after a crash is to type it again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from payouts.cli import frame
from payouts.cli.frame import Exit, Json, Panel, add
from payouts.core.errors import FileRefusedError, InvariantError, UsageError

if TYPE_CHECKING:
    from payouts.cli.screen import Screen
    from payouts.cli.which import RunAgain
    from payouts.flows.load import LoadOrder, LoadResult
    from payouts.flows.progress import Standing
    from payouts.flows.report import Written
    from payouts.intake.survey import Survey
    from payouts.wiring import Parts

__all__ = ["register"]

_File = Annotated[Path, typer.Argument(help="The payee file: CSV, XLSX, JSON Lines or Parquet.")]
_Named = Annotated[
    str | None,
    typer.Option(
        "--pipeline", metavar="NAME", help="Which pipeline; else the one whose pattern matches."
    ),
]
_Limit = Annotated[
    str | None,
    typer.Option(metavar="SHARE", help="Share of bad lines that holds the file: 0.05 or 5%."),
]
_Period = Annotated[
    str | None,
    typer.Option(
        metavar="WORD",
        help="What tells this file's lines without a reference from those of other files.",
    ),
]
_Skip = Annotated[
    bool,
    typer.Option("--skip-invalid", help="Pay the good lines however many are bad."),
]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer yes, for scripts.")]


def register(app: typer.Typer) -> None:
    """Add `plan` and `run`."""
    add(app, plan, panel=Panel.PAY, example="payouts plan inputs/gig_week.csv")
    add(app, run, panel=Panel.PAY, example="payouts run inputs/gig_week.csv")


def plan(
    file: _File,
    *,
    pipeline: _Named = None,
    skip_invalid: _Skip = False,
    reject_limit: _Limit = None,
    period: _Period = None,
    as_json: Json = False,
) -> Exit:
    """Show what a run of FILE would do: payouts, rejects, money, batches. Nothing moves."""
    from payouts.cli import screen  # noqa: PLC0415  bodies import what they need

    wanted = _Wanted(file, pipeline, _share(reject_limit, skip_invalid=skip_invalid), period)
    _require_there(file)
    with frame.project() as parts:
        with screen.opened() as shown:
            given = _given(parts, wanted, shown, keep=False)
            result = _loaded(parts, given, shown, dry=True)
        return _planned(parts, given, result, as_json=as_json)


def run(
    file: _File,
    *,
    pipeline: _Named = None,
    skip_invalid: _Skip = False,
    reject_limit: _Limit = None,
    period: _Period = None,
    yes: _Yes = False,
    as_json: Json = False,
) -> Exit:
    """Pay the people in FILE and wait until all is settled; the same file again pays nobody.

    After a crash or Ctrl-C the same command goes on. Ctrl-C once finishes what is in flight.
    """
    from payouts.cli import screen  # noqa: PLC0415  bodies import what they need

    wanted = _Wanted(file, pipeline, _share(reject_limit, skip_invalid=skip_invalid), period)
    _require_there(file)
    with frame.project(platforms=True) as parts:
        _heading(parts)
        with screen.opened() as shown:
            given = _given(parts, wanted, shown, keep=True)
        _require_agreed(parts, given, yes=yes)
        with screen.opened() as shown:
            result = _loaded(parts, given, shown, dry=False)
        if result.known:
            _say_known(parts, result.run_id)
        _let_go(parts, given, result, skip_invalid=skip_invalid, yes=yes)
        return _worked(parts, given, result, as_json=as_json)


# -- the file and how it is loaded ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What was typed."""

    file: Path
    pipeline: str | None
    share_max: float | None
    period: str | None


@dataclass(frozen=True, slots=True)
class _Given:
    """A file that was surveyed, and how it is to be loaded."""

    file: Path
    copy: Path | None
    survey: Survey
    order: LoadOrder


def _share(text: str | None, *, skip_invalid: bool) -> float | None:
    if skip_invalid:
        return 1.0
    if text is None:
        return None
    percent = text.endswith("%")
    try:
        share = float(text.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise typer.BadParameter(f"'{text}' is no share: write 0.05 or 5%")
    return share


def _require_there(file: Path) -> None:
    """A name that was mistyped is told at once, before servers are started for it."""
    if not os.path.lexists(file):
        raise FileRefusedError(
            f"There is no file {frame.clean(str(file))}",
            hint="Check the name and the folder.",
            code="E_FILE_NOT_FOUND",
        )


def _heading(parts: Parts) -> None:
    frame.say(f"payouts · {parts.settings.environment} · database {parts.database_id}")


def _given(parts: Parts, wanted: _Wanted, shown: Screen, *, keep: bool) -> _Given:
    """Choose the pipeline and look at the file once; `keep` works on our own copy of it."""
    from payouts.discover import choose  # noqa: PLC0415  bodies import what they need
    from payouts.intake.survey import survey  # noqa: PLC0415  the same

    chosen = choose(parts.project, wanted.file, wanted.pipeline)
    shown.reading(wanted.file.name)
    copy = parts.take_copy(wanted.file) if keep else None
    try:
        found = survey(copy or wanted.file, mapping=chosen.mapping, constants=chosen.constants)
    except FileRefusedError:
        _forget(parts, copy)
        raise
    changes: dict[str, Any] = {}
    if wanted.share_max is not None:
        changes["reject_share_max"] = wanted.share_max
    if wanted.period is not None:
        changes["period"] = wanted.period
    if parts.settings.environment == "live":
        changes["actor"] = frame.person()
    unkept = parts.project.state / "files" / "unkept"  # a plan stores no path
    order = parts.load_order(chosen, wanted.file, copy or unkept, **changes)
    shown.note(f"{wanted.file.name}: {frame.count(found.lines, 'line')}, pipeline {chosen.name}")
    for note in found.notes:
        shown.note(f"  {note}")
    return _Given(wanted.file, copy, found, order)


def _forget(parts: Parts, copy: Path | None) -> None:
    """Remove our copy of a file of which nothing is stored; it may hold what must not be kept."""
    from payouts.store import runs  # noqa: PLC0415  bodies import what they need

    if copy is None:
        return
    with parts.database.reading() as unit:
        kept = runs.copy_in_use(unit, str(copy.relative_to(parts.project.root)))
    if not kept:
        copy.unlink(missing_ok=True)


def _loaded(parts: Parts, given: _Given, shown: Screen, *, dry: bool) -> LoadResult:
    from payouts.flows.load import AllRejectedError, load  # noqa: PLC0415  bodies import lazily

    total = given.survey.lines
    order = replace(given.order, checked=lambda lines: shown.checked(lines, total))
    shown.checked(0, total)
    try:
        return load(
            parts.database,
            given.survey,
            parts.rules(),
            order,
            encoders=parts.connectors,
            batch_max=parts.batch_max,
            signer=parts.signer,
            vault=parts.vault,
            dry=dry,
        )
    except AllRejectedError as error:
        if dry:
            return error.result
        _write_rejects(parts, given, error.result)
        _forget(parts, given.copy)
        raise


def _write_rejects(parts: Parts, given: _Given, result: LoadResult) -> None:
    """The reject file of a file that was refused because no line of it is good."""
    from payouts.flows.repairs import write_beside  # noqa: PLC0415  bodies import what they need

    path = _folder(parts, given.file) / f"{given.file.name}.rejected.csv"
    written = write_beside(given.survey, result.problems, path)
    if written is not None:
        frame.say(f"The reject file is {_shown(written.path)}.")


def _folder(parts: Parts, file: Path) -> Path:
    """Where the reports go: beside the file; for the samples and unwritable folders ours."""
    from payouts.local import private_directory  # noqa: PLC0415  bodies import what they need

    beside = file.absolute().parent
    samples = beside.is_relative_to(parts.project.root / "inputs")
    if samples or beside.is_relative_to(parts.project.state) or not os.access(beside, os.W_OK):
        return private_directory(parts.project.state / "reports")
    return beside


def _shown(path: Path) -> str:
    """A path as short as it can be typed here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


# -- plan -----------------------------------------------------------------------------------------


def _planned(parts: Parts, given: _Given, result: LoadResult, *, as_json: bool) -> Exit:
    from payouts.cli.summary import PlanWords  # noqa: PLC0415  bodies import what they need
    from payouts.core.ids import public_id  # noqa: PLC0415  the same

    words = PlanWords(given.file, result)
    known = public_id("run", result.run_id) if result.known else None
    code = _plan_ending(result)
    if as_json:
        more = {"known_run": known, "sha256": given.survey.sha256, "exit_code": int(code)}
        frame.document("plan", words.document() | more)
        return code
    frame.told(f"Plan of {given.file.name} · {parts.settings.environment} · nothing was moved")
    if known is not None:
        frame.told(f"These bytes were loaded before, as {known}: a run would pay nobody again.")
        frame.next_step(f"payouts status {known}")
        return code
    for line in words.lines(given.order.policy, _expected_s(parts, result)):
        frame.told(line)
    if code is Exit.REFUSED:
        frame.told("Every line is rejected: a run would refuse the file.")
    else:
        frame.next_step(words.next(_again(parts, given)))
    return code


def _again(parts: Parts, given: _Given) -> RunAgain:
    from payouts.cli.which import run_again  # noqa: PLC0415  bodies import what they need

    return run_again(parts, given.order.pipeline)


def _plan_ending(result: LoadResult) -> Exit:
    refused = [name for name in ("rejected", "conflict", "quarantined") if result.counts.get(name)]
    if result.counts.get("rejected") and not result.counts.get("accepted"):
        return Exit.REFUSED
    return Exit.SOME_FAILED if refused else Exit.DONE


def _expected_s(parts: Parts, result: LoadResult) -> float:
    from payouts.cli.summary import expected_s  # noqa: PLC0415  bodies import what they need

    if not result.batches:
        return 0.0
    facts = {name: one.capabilities for name, one in parts.connectors.items()}
    looks = {name: parts.policy(name).check_waits()[0] for name in parts.connectors}
    return expected_s(result.routes, facts, looks)


# -- run ------------------------------------------------------------------------------------------


def _require_agreed(parts: Parts, given: _Given, *, yes: bool) -> None:
    """In live, where a policy would approve at once, a person sees the plan before the load."""
    if parts.settings.environment != "live" or given.order.policy != "auto" or yes:
        return
    from payouts.cli import screen  # noqa: PLC0415  bodies import what they need

    with screen.opened() as shown:
        result = _loaded(parts, given, shown, dry=True)
    if result.known or not result.batches:
        return
    _show_plan(parts, given, result)
    if not frame.confirmed("Pay this?", yes=yes):
        _forget(parts, given.copy)
        raise UsageError(
            "nobody said yes: nothing was stored or sent",
            hint="Answer y, or give --yes in a script.",
            code="E_NOT_CONFIRMED",
        )


def _show_plan(parts: Parts, given: _Given, result: LoadResult) -> None:
    from payouts.cli.summary import PlanWords  # noqa: PLC0415  bodies import what they need

    words = PlanWords(given.file, result)
    for line in words.lines(given.order.policy, _expected_s(parts, result)):
        frame.say(line)


def _say_known(parts: Parts, run_id: int) -> None:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need
    from payouts.store import queries  # noqa: PLC0415  the same

    with parts.database.reading() as unit:
        earlier = queries.run(unit, run_id)
    if earlier is None:
        raise InvariantError(f"run {run_id} is known and cannot be read")
    frame.say(
        f"These bytes were loaded before, as {public_id('run', run_id)} ({earlier.source_name},"
        f" {earlier.created_at:%Y-%m-%d %H:%M} UTC): nobody is paid twice; what is open goes on."
    )


def _let_go(
    parts: Parts, given: _Given, result: LoadResult, *, skip_invalid: bool, yes: bool
) -> None:
    """Release the holds that the options speak of, and have a person approve what waits for one."""
    from payouts.flows import review  # noqa: PLC0415  bodies import what they need

    actor = frame.person()
    reasons = [name for name, on in (("rejects", skip_invalid), ("lookalike", yes)) if on]
    if reasons:
        review.release(parts.database, result.run_id, reasons=reasons, actor=actor)
    review.go_on(parts.database, result.run_id, actor=given.order.actor)
    if review.waits_for_person(parts.database, result.run_id):
        if not result.known:
            _show_plan(parts, given, result)
        if frame.confirmed("Approve and pay this?", yes=yes):
            review.approve(parts.database, result.run_id, actor=actor, reason="asked by `run`")


def _worked(parts: Parts, given: _Given, result: LoadResult, *, as_json: bool) -> Exit:
    """Work until the run rests, write its files, say how it stands."""
    from payouts.cli import foreground, screen  # noqa: PLC0415  bodies import what they need

    with screen.opened() as shown:
        standing, stopped = foreground.until_rest(parts, result.run_id, shown)
    return _told(parts, given, result, standing, stopped=stopped, as_json=as_json)


def _told(
    parts: Parts,
    given: _Given,
    result: LoadResult,
    standing: Standing,
    *,
    stopped: bool,
    as_json: bool,
) -> Exit:
    """Write the files of the run and its summary, which ends with the next command."""
    from payouts.cli import summary  # noqa: PLC0415  bodies import what they need
    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.flows import progress  # noqa: PLC0415  the same
    from payouts.store import queries, runs  # noqa: PLC0415  the same

    name = public_id("run", result.run_id)
    with parts.database.reading() as unit:
        about = queries.run(unit, result.run_id)
        failures = progress.failures(unit, result.run_id)
        short = runs.shortfall(unit, result.run_id)
    if about is None:
        raise InvariantError(f"{name} cannot be read")
    written = None if stopped else _written(parts, given, result)
    agrees = written is None or written.report.proof.agrees
    code = summary.ending(standing, about.counts, stopped=stopped, agrees=agrees)
    files = [_shown(file) for file in written.files] if written else []
    rejects = Path(_shown(written.rejects)) if written and written.rejects else None
    step, why = summary.next_for(
        standing,
        about,
        file=given.file,
        run_name=name,
        rejects=rejects,
        short=short,
        again=_again(parts, given),
    )
    if as_json:
        body = summary.run_document(about, standing, failures, files)
        more = {"agrees": agrees, "stopped": stopped, "next": step, "exit_code": int(code)}
        frame.document("run", {"run": name, **body, **more})
        return code
    title = f"{name} · {about.source_name} · {parts.settings.environment}"
    frame.told(f"{title} · database {parts.database_id}")
    for line in summary.run_lines(
        about, standing, failures, opened=result.opened, agrees=agrees, files=files
    ):
        frame.told(line)
    if stopped:
        frame.told("Stopped by you: nothing is lost, and nobody is paid twice.")
    frame.next_step(step, why)
    return code


def _written(parts: Parts, given: _Given, result: LoadResult) -> Written:
    """Result files, reject file, `run_result.json` and the page; closes the run where it is over."""
    from payouts.flows import report  # noqa: PLC0415  bodies import what they need

    return report.write(
        parts.database,
        result.run_id,
        given.survey,
        folder=_folder(parts, given.file),
        rules=parts.rules(),
        environment=parts.settings.environment,
        database_id=parts.database_id,
        problems=None if result.known else result.problems,
        transform=given.order.transform,
        name=given.file.name,
    )
