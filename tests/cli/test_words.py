"""Words in, words out: help, usage errors, exit codes, errors, streams; nothing is started."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from payouts.cli import app, frame, main
from payouts.cli.frame import Exit

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = [
    *("alembic", "polars", "numpy", "sqlalchemy", "sqlmodel", "psycopg", "pydantic", "httpx"),
    *("procrastinate", "rich", "structlog", "fastapi", "jinja2", "cryptography", "schwifty"),
    *("payouts.wiring", "payouts.settings", "payouts.store", "payouts.intake", "payouts.flows"),
    "payouts.providers",
]


def type_words(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "payouts", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_help_imports_nothing_heavy() -> None:
    """What makes `--help` answer at once; a clock would only say so on a quiet machine."""
    code = (
        "import sys; from payouts.cli import main; main(['--help']);"
        f" print([m for m in sys.modules if m in {HEAVY!r}], file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "[]"
    assert "Pay:" in done.stdout


def test_no_words_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "payouts run inputs/gig_week.csv" in capsys.readouterr().out


def test_every_command_has_help_an_example_and_a_place(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    shown = capsys.readouterr().out
    names = [info.name for info in app.build().registered_commands]
    assert names

    for name in names:
        assert name is not None
        assert name in app.ORDER
        assert f"  {name} " in shown
        assert main([name, "--help"]) == 0
        assert "Example: payouts " in capsys.readouterr().out


def test_help_is_a_word_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == 0
    assert "Pay:" in capsys.readouterr().out
    assert main(["help", "run"]) == 0
    assert "Usage: payouts run" in capsys.readouterr().out


def test_a_group_alone_shows_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db"]) == Exit.USAGE
    shown = capsys.readouterr().err
    assert shown.startswith("Usage: payouts db")
    assert "  reset " in shown
    assert "or row contents." in " ".join(shown.split()), "cut off"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rum"], "No such command 'rum'"),
        (["run"], "Missing argument"),
        (["run", "--fast", "a.csv"], "No such option: --fast"),
        (["run", "a.csv", "--reject-limit", "often"], "'often' is no share"),
        (["run", "a.csv", "--reject-limit", "120%"], "'120%' is no share"),
        (["run", "a.csv", "--reject-limit", "nan"], "'nan' is no share"),
    ],
)
def test_words_that_make_no_sense_are_exit_2(
    capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert main(words) == Exit.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err
    assert "(E_USAGE)" in captured.err
    assert "--help` shows" in captured.err


def test_a_dry_run_is_called_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--dry-run", "a.csv"]) == Exit.USAGE
    assert "`payouts plan FILE` shows" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_mistyped_name_of_a_file_starts_nothing(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, "nowhere.csv"]) == Exit.REFUSED
    assert capsys.readouterr().err.startswith("✗ There is no file nowhere.csv (E_FILE_NOT_FOUND)")


def test_an_error_is_what_which_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("reference\n")
    (tmp_path / "payouts.toml").write_text("reject_limit = 7\n")

    done = type_words("run", "a.csv", cwd=tmp_path)

    assert done.returncode == Exit.USAGE
    first, second = done.stderr.splitlines()
    assert "setting 'reject_limit'" in first
    assert first.endswith("(E_SETTINGS)")
    assert "payouts config show" in second


def test_an_error_is_a_document_with_json(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("reference\n")
    (tmp_path / "payouts.toml").write_text("reject_limit = 7\n")

    done = type_words("plan", "a.csv", "--json", cwd=tmp_path)

    assert '"schema_version": 1' in done.stdout
    assert '"code": "E_SETTINGS"' in done.stdout
    assert '"exit_code": 2' in done.stdout


@pytest.mark.parametrize("place", [0, 2])
def test_a_traceback_is_shown_for_debug_only_wherever_it_stands(tmp_path: Path, place: int) -> None:
    (tmp_path / "payouts.toml").write_text("reject_limit = 7\n")
    words = ["plan", "a.csv"]

    plain = type_words(*words, cwd=tmp_path)
    words.insert(place, "--debug")
    debug = type_words(*words, cwd=tmp_path)

    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr
    assert debug.returncode == plain.returncode


def test_the_most_serious_code_is_reported() -> None:
    order = [
        Exit.FAULT,
        Exit.USAGE,
        Exit.INTERRUPTED,
        Exit.REFUSED,
        Exit.WAITING,
        Exit.SOME_FAILED,
        Exit.DONE,
    ]

    for place, (first, second) in itertools.product(range(len(order)), itertools.pairwise(order)):
        assert frame.worst(second, first) is first
        assert frame.worst(*order[place:]) is order[place]
    assert set(order) == set(Exit)


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    """As in `payouts … | head -1`."""
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(
        [sys.executable, "-m", "payouts", "--version"],
        cwd=tmp_path,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)

    assert done.returncode == 0
    assert done.stderr == ""


def test_what_is_our_fault_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("reference\n")
    (tmp_path / "payouts.toml").write_text('environment = "sandbox"\n')
    (tmp_path / ".payouts").mkdir()
    (tmp_path / ".payouts" / "secrets.toml").write_text("install_key = 7\n")
    (tmp_path / ".payouts" / "secrets.toml").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAYOUTS_DATABASE__URL", f"postgresql:///nothing?host={tmp_path}")

    assert main(["plan", "a.csv"]) == Exit.FAULT
    said = capsys.readouterr().err
    assert "(E_DATABASE)" in said
    assert "payouts doctor" in said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë 日本 🙂", "Zoë 日本 🙂"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\u202eb", r"a\u202eb"),
        ("a\rb\tc", r"a\rb\tc"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_nothing_from_outside_steers_the_screen(text: str, shown: str) -> None:
    assert frame.clean(text) == shown


def test_a_table_keeps_its_columns_in_any_script() -> None:
    lines = frame.table(("name", "n"), [("日本", 5), ("Zoe\u0301", 1200)], right=[1])

    assert lines == ["name     n", "日本     5", "Zoé   1200".replace("é", "e\u0301")]
