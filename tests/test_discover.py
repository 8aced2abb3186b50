"""Pipelines are found by name and by a file's place, and what is wrong with one is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payouts.core.errors import SettingsError, UsageError
from payouts.discover import choose, find_pipelines, matches, shipped_folder
from payouts.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from payouts.settings import Project

GOOD = 'from payouts import Pipeline\nPIPELINE = Pipeline(name="{name}", {fields})\n'


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Project]:
    """A function that makes a project: `project(settings="…", weekly='files="in/*.csv"')`."""

    def make(settings: str = "", **pipelines: str) -> Project:
        (tmp_path / "payouts.toml").write_text(settings)
        for name, fields in pipelines.items():
            (tmp_path / "pipelines").mkdir(exist_ok=True)
            said = GOOD.format(name=name, fields=fields)
            (tmp_path / "pipelines" / f"{name}.py").write_text(said)
        return load_settings(tmp_path)

    return make


def write(project: Project, name: str, text: str) -> None:
    folder = project.root / "pipelines"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)


def test_a_project_without_a_folder_of_pipelines_has_the_shipped_ones(
    project: Callable[..., Project],
) -> None:
    found = find_pipelines(project())

    assert list(found) == ["disbursement", "file_drop", "gig_payouts"]
    assert found["gig_payouts"].aggregated
    assert found["gig_payouts"].period == "week"


def test_a_project_with_its_own_folder_reaches_the_shipped_ones_by_name_only(
    project: Callable[..., Project], tmp_path: Path
) -> None:
    """A shipped schedule or pattern that somebody took out of the folder must not go on."""
    made = project(weekly='files="inputs/gig_*.csv"')
    (tmp_path / "inputs").mkdir()

    found = find_pipelines(made)

    assert list(found) == ["disbursement", "file_drop", "gig_payouts", "weekly"]
    assert [one.name for one in found.values() if one.schedule or one.files] == ["weekly"]
    assert choose(made, tmp_path / "inputs" / "gig_1.csv").name == "weekly"
    assert choose(made, tmp_path / "inputs" / "gig_1.csv", "gig_payouts").aggregated


def test_a_table_gives_a_shipped_one_its_place_and_its_time(
    project: Callable[..., Project],
) -> None:
    settings = '[pipelines.gig_payouts]\nfiles = "gigs/*.csv"\nschedule = "0 12 * * thu"\n'

    gig = find_pipelines(project(settings, weekly=""))["gig_payouts"]

    assert (gig.files, gig.schedule, gig.aggregated) == ("gigs/*.csv", "0 12 * * thu", True)


def test_a_file_of_the_project_replaces_the_shipped_one_of_that_name(
    project: Callable[..., Project],
) -> None:
    found = find_pipelines(project(disbursement='files="mine/*.csv"'))

    assert found["disbursement"].files == "mine/*.csv"
    assert found["disbursement"].schedule is None


def test_a_table_is_a_pipeline(project: Callable[..., Project]) -> None:
    settings = """
        [pipelines.monthly]
        files = "inputs/monthly_*.xlsx"
        schedule = "0 6 last * *"
        timezone = "Europe/Helsinki"
        period = "month"
        [pipelines.monthly.mapping]
        "Worker id" = "reference"
        [pipelines.monthly.constants]
        currency = "EUR"
    """

    monthly = find_pipelines(project(settings))["monthly"]

    assert (monthly.period, monthly.timezone) == ("month", "Europe/Helsinki")
    assert monthly.mapping == {"Worker id": "reference"}
    assert monthly.constants == {"currency": "EUR"}


def test_a_table_changes_what_it_names_of_a_file_s_pipeline(
    project: Callable[..., Project],
) -> None:
    settings = '[pipelines.weekly]\nschedule = "0 9 * * fri"\n'

    weekly = find_pipelines(project(settings, weekly='files="in/*.csv", aggregated=True'))["weekly"]

    assert (weekly.schedule, weekly.files, weekly.aggregated) == ("0 9 * * fri", "in/*.csv", True)


def test_a_transform_sees_the_names_of_its_own_file(project: Callable[..., Project]) -> None:
    made = project()
    write(
        made,
        "helped.py",
        "from payouts import Pipeline\nFACTOR = 3\n\n\ndef threefold(number):\n"
        "    return number * FACTOR\n\n\n"
        'PIPELINE = Pipeline(name="helped", transform=threefold)\n',
    )
    write(made, "_words.py", "raise RuntimeError('never loaded')\n")

    transform = find_pipelines(made)["helped"].transform

    assert transform is not None
    assert transform(14) == 42


def test_loading_leaves_nothing_in_the_project(project: Callable[..., Project]) -> None:
    made = project(weekly="")

    find_pipelines(made)

    assert [path.name for path in (made.root / "pipelines").iterdir()] == ["weekly.py"]


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("PIPELINE = ", "SyntaxError", "Repair"),
        ("import nothing_of_that_name", "ModuleNotFoundError", "Repair"),
        ("x = 1\ny = x / 0\n", "division by zero (line 2)", "Repair"),
        ("raise SystemExit(3)", "SystemExit", "Repair"),
        ("x = 1", "declares no pipeline", "PIPELINE = Pipeline("),
        ("PIPELINE = 'broken'", "declares no pipeline", "PIPELINE = Pipeline("),
        (GOOD.format(name="other", fields=""), "named 'other'", "rename the file"),
        (GOOD.format(name="broken", fields="file='x'"), "unexpected keyword", "Repair"),
        (
            GOOD.format(name="broken", fields="files='x', schedule='0 9 * * 5'"),
            "the day of the week is '5'",
            "mon, tue",
        ),
        (GOOD.format(name="broken", fields="schedule='0 9 * * fri'"), "no files", "Say which"),
        (GOOD.format(name="broken", fields="timezone='Europe/Nowhere'"), "no time zone", "IANA"),
        (GOOD.format(name="broken", fields="period='year'"), "period is 'year'", "slot, day"),
        (GOOD.format(name="broken", fields="reject_limit=2"), "reject_limit is 2", "share"),
        (GOOD.format(name="broken", fields="policy='me'"), "policy is 'me'", "auto or person"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_name(
    project: Callable[..., Project], text: str, said: str, hint: str
) -> None:
    made = project()
    write(made, "broken.py", text)

    with pytest.raises(SettingsError) as refused:
        find_pipelines(made)

    assert "broken" in refused.value.message
    assert said in refused.value.message
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("file = 'x'", "file: is no field of a pipeline"),
        ("aggregated = 'often'", "aggregated: Input should be a valid boolean"),
        ("[pipelines.broken.mapping]\na = 1", "mapping.a: Input should be a valid string"),
        ("transform = 'x'", "transform: is no field of a pipeline"),
        ("schedule = '0 9 * *'\nfiles = 'x'", "four fields"),
        ("period = 'year'", "period: Input should be 'slot', 'day', 'week' or 'month'"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_with_its_name(
    project: Callable[..., Project], table: str, said: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        find_pipelines(project(f"[pipelines.broken]\n{table}\n"))

    assert "[pipelines.broken]" in refused.value.message
    assert said.replace("four", "there are 4") in refused.value.message


def test_a_name_that_nobody_has_lists_those_that_there_are(
    project: Callable[..., Project], tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        choose(project(), tmp_path / "x.csv", "weekly")

    assert "disbursement, file_drop, gig_payouts" in refused.value.hint


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("inputs/gig_week.csv", "gig_payouts"),
        ("inputs/drop/inbox/x.xlsx", "file_drop"),
        ("inputs/mass_disbursement.csv", "disbursement"),
        ("elsewhere/gig_week.csv", "disbursement"),
        ("inputs/unheard.csv", "disbursement"),
    ],
)
def test_the_pipeline_of_a_file_is_the_one_whose_pattern_takes_it(
    project: Callable[..., Project], tmp_path: Path, file: str, name: str
) -> None:
    made = project()
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)

    assert choose(made, tmp_path / file).name == name


def test_a_file_is_matched_by_its_place_however_it_is_typed(
    project: Callable[..., Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project()
    (tmp_path / "inputs").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "inputs")
    monkeypatch.chdir(tmp_path / "inputs")
    (gig,) = (one for one in find_pipelines(made).values() if one.name == "gig_payouts")

    for typed in ("gig_1.csv", "../inputs/gig_1.csv", "./gig_1.csv", "../alias/gig_1.csv"):
        assert matches(gig, (tmp_path / "inputs").relative_to(tmp_path.cwd()) / typed, tmp_path)


def test_a_pattern_may_stand_for_several_folders(
    project: Callable[..., Project], tmp_path: Path
) -> None:
    made = project(teams='files="teams/*/in/*.csv"')
    (tmp_path / "teams/red/in").mkdir(parents=True)

    assert choose(made, tmp_path / "teams/red/in/a.csv").name == "teams"
    assert choose(made, tmp_path / "teams/red/a.csv").name == "disbursement"


def test_several_pipelines_that_take_a_file_are_listed(
    project: Callable[..., Project], tmp_path: Path
) -> None:
    made = project(one='files="in/*.csv"', two='files="in/a*"')
    (tmp_path / "in").mkdir()

    with pytest.raises(UsageError) as refused:
        choose(made, tmp_path / "in" / "a.csv")

    assert "one (in/*.csv), two (in/a*)" in refused.value.message
    assert choose(made, tmp_path / "in" / "a.csv", "two").name == "two"
    assert choose(made, tmp_path / "in" / "b.csv").name == "one"


def test_the_shipped_ones_are_those_of_this_checkout() -> None:
    assert {path.name for path in shipped_folder().glob("*.py")} >= {
        "disbursement.py",
        "file_drop.py",
        "gig_payouts.py",
    }
