"""Which run, item or time is meant: from what a person types to keys, and back to words."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Protocol

from payouts.core.errors import PayoutsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    import polars as pl
    from sqlalchemy import Connection

    from payouts.intake.survey import Survey
    from payouts.store.queries import RunRow
    from payouts.wiring import Parts

__all__ = [
    "RunAgain",
    "first_step",
    "item_keys",
    "moment",
    "require_yes",
    "run_again",
    "run_row",
    "runs_like",
    "source_of",
    "span",
]

_WIRE_LENGTH = 32


class RunAgain(Protocol):
    """From a file and options to the command that runs it."""

    def __call__(self, file: Path, *options: str) -> str:
        """The command."""


def run_row(connection: Connection, word: str) -> RunRow:
    """The run of a public id, of a file's name, or `last`.

    Raises:
        UsageError: there is none, or a file's name stands for several.
    """
    from payouts.core.ids import key_of, public_id  # noqa: PLC0415  bodies import what they need
    from payouts.store import queries  # noqa: PLC0415  the same

    newest = queries.runs(connection, limit=200)
    if not newest:
        raise UsageError(
            "there is no run yet", hint=f"Start with `{first_step()}`.", code="E_RUN_UNKNOWN"
        )
    if word == "last":
        return newest[0]
    named = [row for row in newest if row.source_name == word]
    if len(named) > 1:
        ids = ", ".join(public_id("run", row.id) for row in named[:5])
        raise UsageError(
            f"'{word}' was loaded {len(named)} times",
            hint=f"Name the run: {ids}.",
            code="E_RUN_MANY",
        )
    if named:
        return named[0]
    if not word.startswith("run_"):
        raise _no_run(word)
    found = queries.run(connection, key_of(word)[1])
    if found is None:
        raise _no_run(word)
    return found


def _no_run(word: str) -> UsageError:
    return UsageError(
        f"there is no run '{word}'",
        hint="`payouts status` lists them; `last` is the newest.",
        code="E_RUN_UNKNOWN",
    )


def runs_like(incomplete: str) -> list[tuple[str, str]]:
    """Runs that a word may become, for the shell's completion: id and file, newest first."""
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need
    from payouts.settings import load_settings  # noqa: PLC0415  the same
    from payouts.store import queries  # noqa: PLC0415  the same
    from payouts.wiring import opened  # noqa: PLC0415  the same

    try:
        with opened(load_settings(), platforms=False) as parts, parts.database.reading() as unit:
            rows = queries.runs(unit, limit=50)
    except PayoutsError:
        return []  # a shell has no place for words; the command itself will say it
    known = [("last", "the newest run")]
    known += [
        (public_id("run", row.id), f"{row.source_name}, {row.created_at:%Y-%m-%d}") for row in rows
    ]
    return [(word, what) for word, what in known if word.startswith(incomplete)]


def item_keys(connection: Connection, word: str) -> list[int]:
    """Keys of the items of a public id, a wire reference, the payer's reference, a provider's id."""
    from payouts.core.ids import key_of, wire_prefix  # noqa: PLC0415  bodies import lazily
    from payouts.store import queries  # noqa: PLC0415  the same

    if word.startswith("itm_"):
        key = key_of(word)[1]
        return [key] if queries.item(connection, key) is not None else []
    prefix = None
    if len(word) == _WIRE_LENGTH and word.startswith("P"):
        try:
            prefix = wire_prefix(word)
        except ValueError:
            prefix = None
    return queries.find(connection, word, wire_prefix=prefix)


def first_step() -> str:
    """What to type where nothing was paid yet: a sample that is here, else a file to fill in."""
    from pathlib import Path  # noqa: PLC0415  bodies import what they need

    for sample in ("inputs/gig_week.csv", "inputs/example.csv"):
        if Path(sample).is_file():
            return f"payouts run {sample}"
    return "payouts template --country DE --method sepa"


def run_again(parts: Parts, pipeline: str) -> RunAgain:
    """Writes the command that runs a file through a pipeline, ready to be pasted.

    The pipeline is named only where the file's place would choose another one.
    """
    from payouts.discover import choose  # noqa: PLC0415  bodies import what they need

    def command(file: Path, *options: str) -> str:
        try:
            named = choose(parts.project, file).name == pipeline
        except UsageError:  # several patterns take it
            named = False
        chosen = () if named else ("--pipeline", pipeline)
        return shlex.join(["payouts", "run", str(file), *chosen, *options])

    return command


def require_yes(question: str, *, yes: bool) -> None:
    """Ask a person.

    Raises:
        UsageError: E_NOT_CONFIRMED where nobody says yes.
    """
    from payouts.cli import frame  # noqa: PLC0415  bodies import what they need

    if not frame.confirmed(question, yes=yes):
        raise UsageError(
            "nobody said yes: nothing was changed",
            hint="Answer y, or give --yes in a script.",
            code="E_NOT_CONFIRMED",
        )


def moment(at: datetime | None) -> str:
    """A time for people; a dash where there is none."""
    return "—" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def span(seconds: float) -> str:
    """A length of time for people.

    >>> span(-3), span(42), span(3700), span(200000)
    ('now', 'in 42 s', 'in 62 min', 'in 2 d')
    """
    for size, least, unit in ((86400, 172800, "d"), (3600, 7200, "h"), (60, 120, "min")):
        if seconds >= least:
            return f"in {seconds / size:.0f} {unit}"
    return f"in {seconds:.0f} s" if seconds > 0 else "now"


def source_of(
    parts: Parts, run: RunRow
) -> tuple[Survey, Callable[[pl.DataFrame], pl.DataFrame] | None]:
    """Our copy of a run's file, surveyed as its pipeline reads it, and the pipeline's transform.

    Raises:
        UsageError: E_COPY_GONE where the copy is not there.
    """
    from payouts.discover import find_pipelines  # noqa: PLC0415  bodies import what they need
    from payouts.flows import reissue  # noqa: PLC0415  the same
    from payouts.intake.survey import survey  # noqa: PLC0415  the same

    copy = parts.project.root / run.source_copy
    if not copy.is_file():
        raise UsageError(
            f"our copy of {run.source_name} is gone: {run.source_copy}",
            hint="Restore the folder `.payouts/files` from a backup; all else is in the database.",
            code="E_COPY_GONE",
        )
    if run.pipeline == reissue.PIPELINE:
        return survey(copy, mapping=reissue.MAPPING), None
    pipeline = find_pipelines(parts.project).get(run.pipeline)
    if pipeline is None:
        return survey(copy), None
    found = survey(copy, mapping=pipeline.mapping, constants=pipeline.constants)
    return found, pipeline.transform
