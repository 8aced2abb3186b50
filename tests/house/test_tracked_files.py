"""What is in the repository: nothing of the machine it was written on, and nothing out of place."""

from __future__ import annotations

import re
import tomllib
from urllib.parse import urlsplit

import pytest

from tests.house.tracked import ROOT, text_files, tracked

TOP_LEVEL = {
    *("payouts", "pipelines", "inputs", "tests", "pyproject.toml", "README.md", "LICENSE"),
    *("CHANGELOG.md", "uv.lock"),
}
MACHINE = re.compile(
    r"(?<![\w.}$])/(?:home|Users)/\w+"  # somebody's home
    r"|(?<![\w.}$])/(?:root|work|workspace|builds|opt)/[\w.]+"
    r"|\bfile:///(?!etc/)[a-z]+"
    r"|\b(?:10|192\.168|172\.(?:1[6-9]|2[0-9]|3[01]))\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\b"
    r"|/tmp/[a-z]+[-_/][\w/.-]+"
)
INDEX = re.compile(r"https?://[\w.-]*(?:pypi|pythonhosted|artifactory|nexus|devpi|mirror)[\w.-]*")
PUBLIC = {"pypi.org", "files.pythonhosted.org"}
ITSELF = ROOT / "tests" / "house" / "test_tracked_files.py"
TEXTS = [path for path in text_files() if path != ITSELF]


def test_the_top_level_holds_only_what_belongs_there() -> None:
    there = {path.relative_to(ROOT).parts[0] for path in tracked()}

    assert {name for name in there if not name.startswith(".")} <= TOP_LEVEL


def test_no_file_names_a_place_on_the_machine_it_was_written_on() -> None:
    """Such a path works once, and tells strangers how somebody works."""
    said = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in TEXTS
        for match in MACHINE.finditer(path.read_text("utf-8"))
    }

    assert not said


def test_packages_come_from_the_public_index_only() -> None:
    said = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in TEXTS
        for match in INDEX.finditer(path.read_text("utf-8"))
        if urlsplit(match[0]).hostname not in PUBLIC
    }

    assert not said


def test_the_lock_knows_no_place_but_the_public_index() -> None:
    """`poe lock` writes it so whatever index the machine is set to."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    hosts = set()
    for package in lock["package"]:
        source = package["source"]
        assert set(source) <= {"registry", "editable"}, package["name"]
        assert source.get("editable", ".") == ".", package["name"]
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        urls = [each["url"] for each in files] + [source.get("registry", "https://pypi.org")]
        hosts |= {urlsplit(url).hostname for url in urls}

    assert hosts == PUBLIC


def test_notes_are_numbered_one_by_one() -> None:
    """Beside them only the list of words and the list of assumptions."""
    names = sorted(path.name for path in tracked() if path.parent.name == "notes")
    notes = [name for name in names if name not in {"words.md", "assumptions.md"}]

    assert [int(name[:4]) for name in notes] == list(range(1, len(notes) + 1))
    for name in notes:
        assert re.fullmatch(r"[0-9]{4}-[a-z0-9]+(?:-[a-z0-9]+)*\.md", name)
        title = (ROOT / "payouts" / "notes" / name).read_text("utf-8").partition("\n")[0]
        assert title.startswith(f"# {int(name[:4])}. "), name


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error"])
def test_nothing_is_left_for_later(word: str) -> None:
    """Unfinished work is an issue, never a comment."""
    found = [
        path.relative_to(ROOT)
        for path in TEXTS
        if path.suffix in {".py", ".sql", ".md", ".toml"}
        and re.search(rf"\b{word}\b", path.read_text("utf-8"))
    ]

    assert not found


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    """A test that does not run proves nothing, and looks as if it did."""
    marks = re.compile(r"\bpytest\.(?:skip|xfail|importorskip)\b|\bmark\.(?:skip|skipif|xfail)\b")
    found = [
        path.relative_to(ROOT)
        for path in TEXTS
        if path.suffix == ".py" and marks.search(path.read_text("utf-8"))
    ]

    assert not found
