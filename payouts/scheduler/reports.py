"""Result files of the runs that slots made: written when a run rests, and again when it moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from payouts.core.errors import PayoutsError
from payouts.core.ids import public_id
from payouts.flows import progress, report
from payouts.intake.survey import survey
from payouts.store import queries, slots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import polars as pl

    from payouts.core.items import State
    from payouts.core.pipeline import Pipeline
    from payouts.intake.survey import Survey
    from payouts.scheduler.pickup import Loaded
    from payouts.wiring import Parts

__all__ = ["Reports"]


@dataclass(slots=True)
class _Watched:
    """A run whose result files are still to be written, or may change.

    Args:
        survey: none where an earlier process loaded it and nobody looked at its copy yet.
        problems: what the load found; none checks the rejected lines again.
        shown: the states that the last written files show.
    """

    run_id: int
    name: str
    pipeline: Pipeline
    survey: Survey | None = None
    problems: pl.DataFrame | None = None
    shown: Mapping[State, int] | None = None


class Reports:
    """Watches runs and writes their result files.

    Args:
        folder: where they go.
        said: receives a sentence for each report.
    """

    def __init__(
        self, parts: Parts, *, folder: Callable[[], Path], said: Callable[[str], None]
    ) -> None:
        self.parts, self.folder, self.said = parts, folder, said
        self._watched: dict[int, _Watched] = {}

    def find(self, pipelines: Mapping[str, Pipeline]) -> None:
        """Watch the runs of slots that an earlier process left open."""
        with self.parts.database.reading() as connection:
            left = [queries.run(connection, run_id) for run_id in slots.open_runs(connection)]
        for run in left:
            if run is not None and run.pipeline in pipelines:
                known = _Watched(run.id, run.source_name, pipelines[run.pipeline])
                self._watched.setdefault(run.id, known)

    def watch(self, loaded: Iterable[Loaded]) -> None:
        """Watch runs that a slot made just now."""
        for one in loaded:
            run_id = one.result.run_id
            self._watched[run_id] = _Watched(
                run_id, one.path.name, one.pipeline, one.survey, one.result.problems
            )

    def write(self) -> None:
        """Write the files of the runs that rest and moved since they were last written."""
        keyed = [name for name, c in self.parts.connectors.items() if c.capabilities.idempotent]
        for watched in list(self._watched.values()):
            with self.parts.database.reading() as connection:
                facts = progress.read(connection, watched.run_id, keyed=keyed)
            standing = progress.standing(facts)
            if standing.rests and standing.states != watched.shown:
                self._write(watched, standing)

    def _write(self, watched: _Watched, standing: progress.Standing) -> None:
        name = public_id("run", watched.run_id)
        try:
            written = self._written(watched)
        except (PayoutsError, OSError) as error:
            del self._watched[watched.run_id]
            self.said(f"! {name}: its result files cannot be written: {error}")
            return
        watched.shown = dict(standing.states)
        words = ", ".join(f"{count:,} {state}" for state, count in standing.states.items())
        self.said(f"{name} {watched.name}: {words or 'nothing to pay'}; see {written.html}")
        if written.closed or standing.over:
            del self._watched[watched.run_id]

    def _written(self, watched: _Watched) -> report.Written:
        parts = self.parts
        if watched.survey is None:
            watched.survey = self._surveyed(watched)
        return report.write(
            parts.database,
            watched.run_id,
            watched.survey,
            folder=self.folder(),
            rules=parts.rules(),
            environment=parts.settings.environment,
            database_id=parts.database_id,
            problems=watched.problems,
            transform=watched.pipeline.transform,
            name=watched.name,
        )

    def _surveyed(self, watched: _Watched) -> Survey:
        """Our copy of the file, looked at as its pipeline reads it."""
        with self.parts.database.reading() as connection:
            run = queries.run(connection, watched.run_id)
        copy = self.parts.project.root / ("" if run is None else run.source_copy)
        pipeline = watched.pipeline
        return survey(copy, mapping=pipeline.mapping, constants=pipeline.constants)
