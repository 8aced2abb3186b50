"""What all commands share: exit codes, words for people, data for programs, opening the project.

stdout carries data, stderr people. With `--json` stdout is one document; nothing else changes.
A command is a function that returns an `Exit`; errors are raised and told by `payouts.cli.main`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import unicodedata
from contextlib import ExitStack, contextmanager, suppress
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from payouts.cli.which import runs_like

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from payouts.wiring import Parts

__all__ = [
    "Exit",
    "Json",
    "OneRun",
    "Panel",
    "add",
    "clean",
    "complain",
    "confirmed",
    "count",
    "data",
    "document",
    "flush",
    "interrupted",
    "money",
    "next_step",
    "person",
    "project",
    "say",
    "start",
    "table",
    "told",
    "worst",
]

_LOGS = "payouts.cli"
SCHEMA_VERSION = 1
"""Of the `--json` documents; a field is added without, changed or removed only with a new one."""


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    """Everything settled, or nothing to do."""
    FAULT = 1
    """Our fault."""
    USAGE = 2
    """Words or settings are wrong."""
    SOME_FAILED = 3
    """Finished; some items failed or lines were rejected."""
    REFUSED = 4
    """The input was refused; nothing was sent."""
    WAITING = 5
    """Waits: approval, funds, unclear or review items, a held file, a paused lane."""
    INTERRUPTED = 130
    """A person stopped it; clean."""


_PRECEDENCE = (
    Exit.FAULT,
    Exit.USAGE,
    Exit.INTERRUPTED,
    Exit.REFUSED,
    Exit.WAITING,
    Exit.SOME_FAILED,
    Exit.DONE,
)


def worst(*codes: Exit) -> Exit:
    """The code that is reported when several hold.

    >>> worst(Exit.SOME_FAILED, Exit.WAITING, Exit.DONE)
    <Exit.WAITING: 5>
    """
    return min((*codes, Exit.DONE), key=_PRECEDENCE.index)


class Panel(StrEnum):
    """Sections of `payouts --help`, in order."""

    SETUP = "Set up"
    PAY = "Pay"
    LOOK = "Look"
    CONTROL = "Control"
    MONEY = "Money"
    OPERATE = "Operate"


OneRun = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run: its id, its file's name, or `last`.",
        autocompletion=runs_like,
    ),
]
"""The argument of commands about one run."""
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document instead of text.", show_default=False),
]
"""The option `--json` of a command: `as_json: Json = False`."""


def add(
    app: typer.Typer,
    function: Callable[..., Exit | None],
    *,
    panel: Panel,
    example: str,
    name: str | None = None,
) -> None:
    """Register a command; its docstring is its help and `example` a line that can be pasted."""
    app.command(name or function.__name__, rich_help_panel=panel, epilog=f"Example: {example}")(
        function
    )


# -- state of this process ------------------------------------------------------------------------


class _State:
    json_wanted = False
    answered = False


def start(*, json_wanted: bool, debug: bool) -> None:
    """Forget what an earlier command of this process said; logs are shown for `debug` only."""
    _State.json_wanted = json_wanted
    _State.answered = False
    logs = logging.getLogger()
    for handler in [one for one in logs.handlers if one.name == _LOGS]:
        logs.removeHandler(handler)
    shown = logging.StreamHandler() if debug else logging.NullHandler()
    shown.name = _LOGS
    logs.addHandler(shown)


def _write(stream: TextIO, text: str) -> None:
    """Write a line; a reader that went away (`| head`) is no error of the command."""
    with suppress(BrokenPipeError, ValueError):
        print(text, file=stream, flush=True)
        return
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def flush() -> None:
    """Write out what is buffered, for a reader that may be gone."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError, ValueError):
            stream.flush()


# -- for people -----------------------------------------------------------------------------------


def say(sentence: str) -> None:
    """A sentence for people, on stderr; what came from outside cannot steer the screen."""
    _write(sys.stderr, clean(sentence))


def told(sentence: str) -> None:
    """The command's result in words: on stdout, on stderr where stdout is a JSON document."""
    _write(sys.stderr if _State.json_wanted else sys.stdout, clean(sentence))


def next_step(command: str, why: str = "") -> None:
    """The hint that a summary ends with: what to type next."""
    told(f"Next: {command}" + (f"   {why}" if why else ""))


def complain(code: str, message: str, hint: str, ending: Exit) -> None:
    """Say an error: what, which, what to do, and its stable code."""
    mark = "\033[31m✗\033[0m" if colours(sys.stderr) else "✗"
    _write(sys.stderr, f"{mark} {clean(message)} ({code})")
    if hint:
        _write(sys.stderr, f"  {clean(hint)}")
    if _State.json_wanted and not _State.answered:
        error = {"code": code, "message": message, "hint": hint}
        document("error", {"error": error, "exit_code": int(ending)})


def interrupted() -> Exit:
    """Ctrl-C in a command that has nothing of its own to finish."""
    complain(
        "E_INTERRUPTED",
        "stopped by you",
        "Nothing is lost; the same command goes on from here.",
        Exit.INTERRUPTED,
    )
    return Exit.INTERRUPTED


def colours(stream: TextIO) -> bool:
    """Whether escape sequences may be written to a stream (NO_COLOR, TERM=dumb, no terminal)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def clean(text: str) -> str:
    r"""Text from outside, safe for a screen: controls and direction marks become `\x…`.

    >>> print(clean("pay\x1b[2Jroll\u202e.csv"))
    pay\x1b[2Jroll\u202e.csv
    """
    return "".join(
        letter
        if letter == "\n" or unicodedata.category(letter)[0] != "C"
        else letter.encode("unicode_escape", "surrogatepass").decode()
        for letter in text
    )


def money(minor: int, currency: str) -> str:
    """An amount for people.

    >>> money(123456789, "EUR"), money(-5, "USD"), money(1500, "JPY")
    ('1,234,567.89 EUR', '-0.05 USD', '1,500 JPY')
    """
    from payouts.core.money import Money  # noqa: PLC0415  only who shows money pays for it

    return str(Money.of(minor, currency))


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun.

    >>> count(1, "line"), count(1200, "line"), count(0, "batch", "batches")
    ('1 line', '1,200 lines', '0 batches')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask a person; `yes` answers for scripts. Without a terminal and without `yes`: no."""
    if yes:
        return True
    if not sys.stdin.isatty():
        say(f"{question} Nobody can answer here: give --yes.")
        return False
    _write_prompt(f"{question} [y/N] ")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _write_prompt(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def person() -> str:
    """Who types, as an actor: `person:ana`."""
    import getpass  # noqa: PLC0415  reads the user database

    try:
        return f"person:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"person:{os.getuid()}"


# -- for programs ---------------------------------------------------------------------------------


def data(text: str) -> None:
    """A line of data, on stdout."""
    _write(sys.stdout, text)


def document(kind: str, body: Mapping[str, Any]) -> None:
    """The one JSON document of a command: `schema_version`, `kind`, then the body's fields."""
    _State.answered = True
    whole = {"schema_version": SCHEMA_VERSION, "kind": kind, **body}
    data(json.dumps(whole, ensure_ascii=False, indent=2, default=str))


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Sequence[int] = (),
    indent: str = "",
) -> list[str]:
    """Aligned lines, header first; columns of `right` are numbers. Nothing is cut off.

    >>> table(("state", "items"), [("settled", 1200), ("failed", 3)], right=[1])
    ['state    items', 'settled   1200', 'failed       3']
    """
    cells = [[clean(str(cell)) for cell in row] for row in (headers, *rows)]
    widths = [max(_width(row[place]) for row in cells) for place in range(len(headers))]
    lines = []
    for row in cells:
        padded = [
            " " * (width - _width(cell)) + cell
            if place in right
            else cell + " " * (width - _width(cell))
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(indent + "  ".join(padded).rstrip())
    return lines


def _width(text: str) -> int:
    """Columns that a text takes on a screen; east Asian letters take two."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )


# -- the project ----------------------------------------------------------------------------------


@contextmanager
def project(*, platforms: bool = False) -> Iterator[Parts]:
    """The project around the working directory, with its database running.

    Args:
        platforms: start the sandbox too; for commands that talk to a platform.

    Raises:
        SettingsError: the settings are wrong, or the keys do not belong to this database.
    """
    from payouts.settings import load_settings  # noqa: PLC0415  bodies import what they need
    from payouts.wiring import opened  # noqa: PLC0415  the same

    found = load_settings()
    if found.file is None:
        say(f"No payouts.toml here or above: {found.root} is the project folder.")
    with ExitStack() as stack:
        with _starting() as progress:
            parts = stack.enter_context(
                opened(
                    found,
                    progress=progress,
                    platforms=platforms,
                    warned=lambda sentence: say(f"! {sentence}"),
                    first_start=_first_start,
                )
            )
        yield parts


def _first_start(question: str) -> bool:
    """Whether a database that this folder does not know is the current one, says a person."""
    return confirmed(question, yes=os.environ.get("PAYOUTS_FIRST_START") == "yes")


@contextmanager
def _starting() -> Iterator[Callable[[str], None]]:
    """Where the sentences of a start go: one line that vanishes on a terminal, else plain lines."""
    if not (sys.stderr.isatty() and os.environ.get("TERM") != "dumb"):
        yield say
        return
    try:
        yield lambda sentence: _write_prompt(f"\r\033[K{clean(sentence)} …")
    finally:
        _write_prompt("\r\033[K")
