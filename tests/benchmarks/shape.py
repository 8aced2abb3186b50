"""Shape: a file that is loaded and reported, for nothing but the memory that it takes."""

from __future__ import annotations

from payouts.core.pipeline import Pipeline
from payouts.flows import report
from payouts.flows.load import load
from payouts.intake.survey import survey
from tests.benchmarks.data import good_lines
from tests.benchmarks.flow import peak_mib
from tests.benchmarks.places import project, seen
from tests.benchmarks.ways import Clock, Facts, Place, require, way

__all__: list[str] = []


@way("shape.memory", database="payouts")
def _memory(place: Place) -> Facts:
    """Survey, load and report; nothing is sent."""
    file, clock = place.turkish, Clock()
    with project(place) as parts, clock.part("all"):
        before = peak_mib()
        copy = parts.take_copy(file)
        surveyed = survey(copy)
        survey_mib = peak_mib()
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
        load_mib = peak_mib()
        report.write(
            parts.database,
            result.run_id,
            surveyed,
            folder=place.own,
            rules=parts.rules(),
            environment="sandbox",
            database_id=parts.database_id,
            problems=result.problems,
        )
    require("items", seen(place, "SELECT count(*) FROM item"), (good_lines(place.lines),))
    return {
        "seconds": clock.seconds,
        "items": place.lines,
        "before_mib": before,
        "survey_mib": survey_mib,
        "load_mib": load_mib,
        "peak_mib": peak_mib(),
    }
