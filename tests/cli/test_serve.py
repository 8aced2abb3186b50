"""`payouts serve`, the real command: it catches up, pays, reports, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from payouts.settings import load_settings
from payouts.store import queries, slots
from payouts.wiring import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.journey

SETTINGS = """
payer = "acme"
[sandbox]
speed = "instant"
[pipelines.weekly]
files = "in/*.csv"
schedule = "0 9 * * fri"
timezone = "Europe/Helsinki"
aggregated = true
reject_limit = 0.1
"""


@pytest.fixture
def project(tmp_path: Path, sepa: Callable[..., str]) -> Path:
    """A project whose schedule was kept nine days ago for the last time, and a file for it."""
    (tmp_path / "payouts.toml").write_text(SETTINGS)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "gig.csv").write_text(sepa(12, extra="bad,line,DE,EUR,x,sepa,DE1\n"))
    with opened(load_settings(tmp_path), platforms=False) as parts, parts.database.unit() as unit:
        slots.begin(unit, "weekly", datetime.now(UTC) - timedelta(days=9))
    return tmp_path


@contextmanager
def started(project: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "payouts", "serve"]
    with subprocess.Popen(
        command, cwd=project, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        if process.poll() is None:
            process.kill()


@pytest.fixture
def serving(project: Path) -> Iterator[subprocess.Popen[str]]:
    with started(project) as process:
        yield process


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 40
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"{path.name} was not written"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_missed_slot_is_caught_up_paid_and_reported(
    project: Path, serving: subprocess.Popen[str], number: signal.Signals
) -> None:
    reports = project / ".payouts" / "reports"

    wait_for(reports / "gig.csv.report.html", serving)
    serving.send_signal(number)
    out, err = serving.communicate(timeout=30)

    assert serving.returncode == 0, err
    assert out == ""
    assert "caught up" in err
    assert "13 lines = 12 accepted + 1 rejected" in err
    assert "Traceback" not in err
    result = json.loads((reports / "gig.csv.run_result.json").read_text())
    assert result["items"] == {"settled": 12}
    assert result["slot"].endswith("T09:00")
    assert (reports / "gig.csv.rejected.csv").exists()
    with (
        opened(load_settings(project), platforms=False) as parts,
        parts.database.reading() as connection,
    ):
        states = [row.state for row in slots.latest(connection, "weekly")]
        (run,) = queries.runs(connection)
    assert states[0] == "done"
    assert set(states[1:]) <= {"missed"}
    assert run.closed_at is not None


def test_two_of_them_run_a_slot_once(project: Path) -> None:
    with started(project) as one, started(project) as other:
        wait_for(project / ".payouts" / "reports" / "gig.csv.report.html", one)
        said = []
        for process in (one, other):
            process.send_signal(signal.SIGTERM)
            said.append(process.communicate(timeout=30)[1])
            assert process.returncode == 0, said[-1]

    assert sum(words.count("gig.csv is run_") for words in said) == 1
    with (
        opened(load_settings(project), platforms=False) as parts,
        parts.database.reading() as connection,
    ):
        assert len(queries.runs(connection)) == 1


def test_one_that_is_killed_is_carried_on_by_the_next_with_its_report(project: Path) -> None:
    slow = (project / "payouts.toml").read_text().replace('"instant"', "1.0")
    (project / "payouts.toml").write_text(slow)
    with started(project) as process:
        assert process.stderr is not None
        for words in process.stderr:
            if "gig.csv is run_" in words:
                break
        process.kill()
    report = project / ".payouts" / "reports" / "gig.csv.report.html"
    before = report.exists()

    with started(project) as process:
        wait_for(report, process)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)

    assert not before
    assert "gig.csv: 12 settled" in said
    result = json.loads((report.parent / "gig.csv.run_result.json").read_text())
    assert (result["status"], result["items"]) == ("closed", {"settled": 12})


def test_the_list_says_what_comes_next_and_what_ran_last(project: Path) -> None:
    command = [sys.executable, "-m", "payouts", "serve", "--list", "--json"]

    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, check=True, env=dict(os.environ)
    )

    found = {one["pipeline"]: one for one in json.loads(done.stdout)["pipelines"]}
    assert set(found) == {"weekly"}
    assert found["weekly"]["next_slot"].endswith("T09:00")
    assert datetime.fromisoformat(found["weekly"]["next_at"]).hour in {6, 7}
    assert found["weekly"]["recent"] == []
