"""The wheel: it holds `payouts/` and nothing else, and pays in a project far from this checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.journey

ROOT = Path(__file__).parents[2]


def run(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PAYOUTS_")}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), folder=ROOT)
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH with the wheel's content: a pure one is installed by unpacking it.

    Not by pip, which an environment of uv does not have.
    """
    target = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"payouts"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    shipped = {name.rpartition("/")[2] for name in names if "payouts/data/pipelines/" in name}
    assert shipped == {path.name for path in (ROOT / "pipelines").glob("*.py")}
    for kind in ("coverage.csv", "0001_first.sql", "py.typed"):
        assert [name for name in names if name.endswith(kind)], kind


def test_it_pays_a_gig_file_in_a_folder_that_has_nothing_else(
    installed: Path, tmp_path: Path, sepa: Callable[..., str]
) -> None:
    """The shipped pipelines come out of the wheel: there is no `pipelines/` here."""
    (tmp_path / "payouts.toml").write_text('payer = "acme"\n[sandbox]\nspeed = "instant"\n')
    (tmp_path / "inputs").mkdir()
    twice = sepa(3).splitlines(keepends=True)
    more = [row.replace("INV-", "MORE-", 1) for row in twice[1:]]
    (tmp_path / "inputs" / "gig_1.csv").write_text("".join([*twice, *more]))
    where = "import payouts.discover as d; print(d.__file__, d.shipped_folder())"

    home = run("-c", where, folder=tmp_path, PYTHONPATH=str(installed))
    done = run(
        "-m", "payouts", "run", "inputs/gig_1.csv", folder=tmp_path, PYTHONPATH=str(installed)
    )

    assert home.stdout.count(str(installed)) == 2, home.stderr
    assert done.returncode == 0, done.stderr
    (result,) = (tmp_path / ".payouts" / "reports").glob("*.run_result.json")
    said = json.loads(result.read_text())
    assert said["pipeline"] == "gig_payouts"
    assert said["lines"]["accepted"] == 6
    assert said["items"] == {"settled": 3}


def test_it_makes_a_project_and_pays_its_example(installed: Path, tmp_path: Path) -> None:
    here = {"PYTHONPATH": str(installed)}

    made = run("-m", "payouts", "init", "payroll", "--payer", "acme", folder=tmp_path, **here)
    project = tmp_path / "payroll"
    listed = run("-m", "payouts", "serve", "--list", "--json", folder=project, **here)
    paid = run("-m", "payouts", "run", "inputs/example.csv", folder=project, **here)

    assert made.returncode == 0, made.stderr
    assert listed.returncode == 0, listed.stderr
    for pipeline in (project / "pipelines").glob("*.py"):
        assert pipeline.stem in {one["pipeline"] for one in json.loads(listed.stdout)["pipelines"]}
    assert paid.returncode in {0, 3}, paid.stderr
    (result,) = (project / ".payouts" / "reports").glob("*.run_result.json")
    assert json.loads(result.read_text())["items"]["settled"]
