"""Files are picked up when they are payee files, and whole."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from payouts.flows.pickup import Settling, arrivals, settled

if TYPE_CHECKING:
    from pathlib import Path


def test_the_files_of_a_pattern_come_by_name(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "d.csv").mkdir()

    assert [path.name for path in arrivals(tmp_path, "*.csv")] == ["a.csv", "b.csv"]
    assert arrivals(tmp_path, "nowhere/*.csv") == []


def test_a_pattern_may_lead_out_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "a.csv").touch()

    assert [path.name for path in arrivals(tmp_path / "project", f"{tmp_path}/drop/*")] == ["a.csv"]


@pytest.mark.parametrize(
    "name",
    [
        *("a.csv.results.csv", "a.csv.results.jsonl", "a.csv.run_result.json"),
        *("a.csv.report.html", "a.csv.part", "a.csv.PARTIAL", "a.csv.filepart", "a.tmp"),
        *("a.csv.crdownload", ".a.csv.swp", "a.csv~", "~$a.xlsx", ".gitkeep", "README.md"),
    ],
)
def test_reports_notes_and_half_written_files_are_left(tmp_path: Path, name: str) -> None:
    """A results file has the payer's columns: taken for a payee file it would be paid again."""
    (tmp_path / name).touch()

    assert arrivals(tmp_path, "*") == []


def test_a_reject_file_that_was_repaired_is_a_payee_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv.rejected.csv").touch()

    assert len(arrivals(tmp_path, "*")) == 1


def test_a_file_that_has_been_quiet_is_taken_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.touch()
    os.utime(path, (time.time() - 60, time.time() - 60))
    start = time.monotonic()

    assert settled([path, tmp_path / "gone.csv"], settling=Settling(30.0)) == ([path], [])
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("ahead", [0, 3600])
def test_a_file_that_is_being_written_is_whole_when_its_writer_ends(
    tmp_path: Path, ahead: int
) -> None:
    """Also where the file system's clock is ahead of ours, so that times say nothing."""
    path = tmp_path / "a.csv"
    path.touch()

    def write() -> None:
        for _ in range(15):
            with path.open("a") as file:
                file.write("x" * 100)
            os.utime(path, (time.time() + ahead, time.time() + ahead))
            time.sleep(0.1)

    writer = threading.Thread(target=write)
    writer.start()
    whole, restless = settled([path], settling=Settling(1.0, wait_max_s=30.0))
    writer.join()

    assert (whole, restless) == ([path], [])
    assert path.stat().st_size == 1500


def test_waiting_ends_when_the_time_is_over_or_somebody_stops(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.touch()
    tick = iter(range(1, 1000))

    def restless() -> bool:
        now = time.time() + next(tick)
        os.utime(path, (now, now))
        return False

    late = settled([path], settling=Settling(0.05, wait_max_s=0.3), stopping=restless)
    os.utime(path)
    stopped = settled([path], settling=Settling(5.0, wait_max_s=30.0), stopping=lambda: True)

    assert late == ([], [path])
    assert stopped == ([], [path])


def test_a_file_that_vanishes_while_it_is_waited_for_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.touch()

    def vanishes() -> bool:
        path.unlink(missing_ok=True)
        return False

    assert settled([path], settling=Settling(0.05), stopping=vanishes) == ([], [])
