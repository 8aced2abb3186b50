"""The shipped pipelines: each takes its own sample, and they do what their names say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from payouts.core.schedule import Cron
from payouts.discover import choose, find_pipelines, matches
from payouts.flows.pickup import arrivals
from payouts.settings import Project, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.store.engine import Database
    from tests.desk import Desk

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project() -> Project:
    return load_settings(ROOT)


def test_each_is_scheduled_described_and_takes_files_of_its_own(project: Project) -> None:
    found = find_pipelines(project)

    assert set(found) == {"disbursement", "file_drop", "gig_payouts"}
    for pipeline in found.values():
        assert pipeline.description
        assert Cron.parse(pipeline.schedule or "").text == pipeline.schedule
    assert [one.name for one in found.values() if one.aggregated] == ["gig_payouts"]


def test_the_samples_go_through_the_pipelines_they_are_for(project: Project) -> None:
    found = find_pipelines(project)
    taken = {name: {path.name for path in arrivals(ROOT, one.files)} for name, one in found.items()}

    assert choose(project, ROOT / "inputs" / "gig_week.csv").name == "gig_payouts"
    assert choose(project, ROOT / "inputs" / "mass_disbursement.csv").name == "disbursement"
    assert taken == {
        "disbursement": {"mass_disbursement.csv"},
        "file_drop": set(),
        "gig_payouts": {"gig_week.csv"},
    }


def test_no_two_of_them_take_one_file(project: Project) -> None:
    found = find_pipelines(project)
    names = ("gig_week.csv", "mass_disbursement.csv", "disbursement.xlsx", "gig_2.jsonl", "x.csv")

    for path in [ROOT / "inputs" / name for name in names] + [ROOT / "inputs/drop/inbox/gig_1.csv"]:
        assert sum(matches(one, path, ROOT) for one in found.values()) <= 1


def test_the_gig_sample_is_paid_as_one_sum_per_worker(
    project: Project, desk: Desk, database: Database
) -> None:
    pipeline = find_pipelines(project)["gig_payouts"]
    sample = (ROOT / "inputs" / "gig_week.csv").read_text("utf-8")

    result = desk.load(
        sample, "gig_week.csv", pipeline=pipeline.name, aggregated=pipeline.aggregated
    )
    one_more = sample.splitlines()[1].replace("2026-W47-00001", "2026-W47-99999") + "\n"
    again = desk.load(sample + one_more, "again.csv", pipeline=pipeline.name, aggregated=True)

    with database.reading() as connection:
        items, lines = connection.execute(
            text(
                "SELECT count(*), sum(i.lines) FROM item i JOIN batch b"
                " ON i.id BETWEEN b.lo AND b.hi WHERE b.run_id = :run"
            ),
            {"run": result.run_id},
        ).one()
    assert lines == result.counts["accepted"]
    assert items < lines
    assert again.counts["accepted"] == 1
    assert again.counts["duplicate"] == lines


@pytest.mark.parametrize("name", ["disbursement", "file_drop"])
def test_the_others_pay_line_by_line(
    project: Project, desk: Desk, sepa: Callable[..., str], name: str
) -> None:
    pipeline = find_pipelines(project)[name]

    result = desk.load(sepa(3, prefix=name), pipeline=pipeline.name, aggregated=pipeline.aggregated)

    assert result.counts == {"accepted": 3}
    assert int(result.routes["items"].sum()) == 3
