"""The command line: `payouts …`, from words to an exit code.

Modules here import only typer, the standard library and core enums at their top; what a command
needs is imported in its body, so that `payouts --help` answers at once.
"""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING

import typer

from payouts.cli import frame
from payouts.cli.frame import Exit
from payouts.core.errors import (
    FileRefusedError,
    InvariantError,
    PayoutsError,
    UsageError,
    VaultAwayError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

__all__ = ["main"]

_WORDS_WRONG = typer.BadParameter.__mro__[1]
"""The base of what typer raises for words it does not understand; the name moved between versions."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (`frame.Exit`)."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug, words = _debug(words)
    words = _helped(words or ["--help"])
    frame.start(json_wanted="--json" in _options(words), debug=debug)
    before = signal.signal(signal.SIGTERM, _as_ctrl_c) if _in_main_thread() else None
    try:
        from payouts.cli.app import build  # noqa: PLC0415  a broken command module is told below

        code = build()(args=words, prog_name="payouts", standalone_mode=False)
        if code == Exit.INTERRUPTED and not isinstance(code, Exit):
            code = frame.interrupted()  # typer took the Ctrl-C and left a bare number
    except KeyboardInterrupt:
        code = frame.interrupted()
    except SystemExit as error:  # completion scripts end like this
        return error.code if isinstance(error.code, int) else 0
    except BaseException as error:  # noqa: BLE001  Polars panics are no Exception
        code = _told(error, debug=debug)
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
    frame.flush()
    return int(code) if isinstance(code, int) else 0


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _as_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a command as Ctrl-C does: its servers are stopped, its exit code is 130."""
    raise KeyboardInterrupt


def _options(words: list[str]) -> list[str]:
    return words[: words.index("--")] if "--" in words else words


def _debug(words: list[str]) -> tuple[bool, list[str]]:
    """`--debug` may stand anywhere."""
    count = len(_options(words))
    kept = [word for word in words[:count] if word != "--debug"]
    return len(kept) < count, kept + words[count:]


def _helped(words: list[str]) -> list[str]:
    """`payouts help run` is `payouts run --help`."""
    return [*words[1:], "--help"] if words[0] == "help" else words


def _told(error: BaseException, *, debug: bool) -> Exit:
    """Say what is wrong, which thing, and what to do; a traceback only for `--debug`."""
    if debug:
        traceback.print_exception(error)
    if type(error).__name__ == "NoArgsIsHelpError":  # a group alone: its message is its help
        frame.say(str(getattr(error, "message", error)))
        return Exit.USAGE
    code, message, hint, ending = _words(error)
    frame.complain(code, message, hint, ending)
    return ending


def _words(error: BaseException) -> tuple[str, str, str, Exit]:
    if isinstance(error, PayoutsError):
        return error.code, error.message, error.hint, _ending(error)
    if isinstance(error, _WORDS_WRONG):
        message = str(getattr(error, "format_message", error.__str__)())
        return "E_USAGE", message, _help_for(error, message), Exit.USAGE
    if _of_the_database(error):
        first = str(error).strip().splitlines()[0]
        hint = "Is it running and reachable? `payouts doctor` looks; --debug shows everything."
        return "E_DATABASE", f"the database refused: {first}", hint, Exit.FAULT
    what = str(error).strip().splitlines()
    return (
        "E_INTERNAL",
        f"this is our fault: {type(error).__name__}: {what[0] if what else 'no words'}",
        "Nothing is lost: run the same command again; if it stays, report it with --debug.",
        Exit.FAULT,
    )


def _ending(error: PayoutsError) -> Exit:
    match error:
        case UsageError():
            return Exit.USAGE
        case FileRefusedError() | VaultAwayError():
            return Exit.REFUSED
        case InvariantError():
            return Exit.FAULT
        case _:
            return Exit.FAULT


def _help_for(error: BaseException, message: str) -> str:
    if "--dry-run" in message:
        return "`payouts plan FILE` shows what `run` would do, and moves nothing."
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "payouts")
    return f"`{path} --help` shows what it understands."


def _of_the_database(error: BaseException) -> bool:
    """Told by name, since importing the drivers here would cost every command its start."""
    return type(error).__name__ in {"OperationalError", "InterfaceError"} and type(
        error
    ).__module__.startswith(("sqlalchemy", "psycopg"))
