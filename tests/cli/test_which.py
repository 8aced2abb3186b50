"""The command that runs a file again goes through the same pipeline, wherever the file lies."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from payouts.cli.which import run_again
from payouts.settings import load_settings

if TYPE_CHECKING:
    from payouts.cli.which import RunAgain

TABLES = """
payer = "acme"
[pipelines.weekly]
files = "inputs/week_*.csv"
[pipelines.greedy]
files = "inputs/*_both.csv"
[pipelines.both]
files = "inputs/week_both.csv"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401  of `Parts` only this is used
    (tmp_path / "payouts.toml").write_text(TABLES)
    monkeypatch.chdir(tmp_path)
    return SimpleNamespace(project=load_settings(tmp_path))


@pytest.mark.parametrize(
    ("pipeline", "file", "command"),
    [
        ("weekly", "inputs/week_1.csv", "payouts run inputs/week_1.csv"),
        ("disbursement", "inputs/june.csv", "payouts run inputs/june.csv"),
        (
            "disbursement",
            "inputs/week_1.csv",
            "payouts run inputs/week_1.csv --pipeline disbursement",
        ),
        ("weekly", "elsewhere/a b.csv", "payouts run 'elsewhere/a b.csv' --pipeline weekly"),
        ("both", "inputs/week_both.csv", "payouts run inputs/week_both.csv --pipeline both"),
    ],
)
def test_the_pipeline_is_named_where_the_place_would_choose_another(
    project: Any,  # noqa: ANN401  see above
    pipeline: str,
    file: str,
    command: str,
) -> None:
    """Through another pipeline the same line could count as another payment."""
    again: RunAgain = run_again(project, pipeline)

    assert again(Path(file)) == command
    assert again(Path(file), "--yes") == f"{command} --yes"
