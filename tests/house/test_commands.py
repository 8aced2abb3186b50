"""Every command has help with an example, and a line in the README's table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from typer.main import get_command

from payouts.cli import app, main
from tests.house.tracked import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

README = (ROOT / "README.md").read_text("utf-8")
ROWS = re.findall(r"^\| `payouts ([a-z]+)(?: [^`]*)?` \| (.+) \|$", README, re.MULTILINE)


def commands() -> Iterator[tuple[str, ...]]:
    """The words of every command, those of groups too."""
    root = get_command(app.build())
    for name, command in vars(root)["commands"].items():
        below = getattr(command, "commands", {})
        if not command.hidden:
            yield from ((name, part) for part in below) if below else [(name,)]


ALL = sorted(commands())


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_a_command_has_help_and_an_example(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--help"]) == 0

    shown = capsys.readouterr().out
    assert f"Example: payouts {' '.join(words)}" in shown
    about = shown.partition("\n\n")[2].strip().splitlines()[0].strip()
    assert about.endswith((".", ":", ";")) or len(about.split()) > 3, about


@pytest.mark.parametrize("name", sorted({words[0] for words in ALL}))
def test_a_command_has_a_line_in_the_readme(name: str) -> None:
    assert name in {row[0] for row in ROWS}, "add it to the table of commands"


def test_the_readme_names_no_command_that_is_not_there() -> None:
    assert {row[0] for row in ROWS} <= {words[0] for words in ALL}
    typed = set(re.findall(r"(?:^|[`/])payouts ([a-z]+)\b", README, re.MULTILINE))
    assert typed <= {words[0] for words in ALL}, typed
