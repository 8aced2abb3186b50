"""The README's session, typed as it stands there; and nothing that it leaves behind tells accounts."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.house.tracked import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Terminal

pytestmark = pytest.mark.journey

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"\[exit (\d+)\]")


@dataclass(frozen=True)
class Typed:
    """A command of the README and what it shows: lines, of which `…` stands for any."""

    command: str
    shown: list[str]
    code: int

    def pattern(self) -> str:
        """What the output has to match."""
        made = ""
        for line in self.shown:
            part = ".*".join(re.escape(piece) for piece in line.split("…"))
            made += r"(?:.*\n)*?" if line == "…" else rf"{part} *\n"
        return made


def session() -> Iterator[Typed]:
    """The commands of the README's session."""
    (block,) = BLOCK.findall((ROOT / "README.md").read_text("utf-8"))
    for part in block.split("$ ", 1)[1].split("\n$ "):
        command, *shown = part.strip("\n").splitlines()
        found = EXIT.fullmatch(shown[-1]) if shown else None
        yield Typed(command, shown[:-1] if found else shown, int(found[1]) if found else 0)


def accounts(file: Path) -> set[str]:
    """The accounts of a payee file that are long enough to be found in a text by themselves."""
    with file.open(newline="") as rows:
        return {row["account"] for row in csv.DictReader(rows) if len(row["account"]) > 7}


def test_the_session_of_the_readme_goes_as_it_is_written(
    make_terminal: Callable[..., Terminal],
) -> None:
    """Its first reader believes it; its second one finds out."""
    terminal = make_terminal()
    shutil.copytree(ROOT / "inputs", terminal.folder / "inputs")
    program = Path(sys.executable).parent
    path = {"PATH": f"{program}{os.pathsep}{os.environ['PATH']}"}
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PAYOUTS_")}
    said = ""

    for typed in session():
        done = subprocess.run(
            ["bash", "-c", typed.command],  # noqa: S607  the reader's shell, wherever it is
            cwd=terminal.folder,
            env={**inherited, **terminal.environment, **path},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        said += done.stdout + done.stderr

        assert done.returncode == typed.code, f"{typed.command}\n{done.stdout}{done.stderr}"
        assert re.fullmatch(typed.pattern(), done.stdout), f"{typed.command}\n{done.stdout}"
    _no_account_is_told(terminal, said)


def _no_account_is_told(terminal: Terminal, said: str) -> None:
    """Screens, pages, machine results and logs are mailed around; the payer's own columns are not."""
    own = (".results.csv", ".results.jsonl", ".rejected.csv", ".bak")
    state = terminal.folder / ".payouts"
    texts = {"the screen": said} | {
        str(path.relative_to(state)): path.read_text("utf-8", errors="replace")
        for path in state.rglob("*")
        if path.is_file()
        and path.parts[len(state.parts)] in {"reports", "sandbox", "log"}
        and not path.name.endswith(own)
        and path.name != "truth.jsonl"  # the imitated platforms' own books
    }
    assert {name.rpartition(".")[2] for name in texts} >= {"html", "json"}
    known = accounts(terminal.folder / "inputs" / "gig_week.csv")
    assert len(known) > 400
    for name, text in texts.items():
        words = set(re.findall(r"[A-Za-z0-9]{8,}", text))
        assert not words & known, f"{name} tells an account"
