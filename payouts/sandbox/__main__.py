"""Start the sandbox: `python -m payouts.sandbox --dir DIR --port 0`.

`DIR/address` (for clients) and `DIR/control` (for whoever steers it) appear, whole, once the server
listens, and go when it ends. SIGTERM and SIGINT end it with status 0; 2 says that the arguments are
wrong or that the books are in use, 1 that the books could not be kept any more.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from payouts.sandbox.app import App, Server, plug
from payouts.sandbox.books import Books, BooksInUseError
from payouts.sandbox.channels import CHANNELS
from payouts.sandbox.faults import ALL_RECIPES, read_script
from payouts.sandbox.life import speed_of
from payouts.sandbox.recipes import table
from payouts.sandbox.settings import Settings
from payouts.sandbox.storms import storm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from payouts.sandbox.faults import Rule

__all__ = ["main"]


_EXAMPLE: Final = """\
A script of faults is TOML, or the same as JSON:

  [[fault]]
  fault = "effect_then_reset"             # a recipe; it alone is required
  route = "POST /orkesta/v1/payments/*"   # method and path; webhooks: WEBHOOK /orkesta/payment.*
  reference = "P7*"                       # one reference of the request must match
  nth = [1, 4]                            # or every = 10, or probability = 0.05
  times = 3                               # at most so often
  for_s = 5.0                             # only so long after the first matching request
  options = {}                            # those of the recipe, below with their defaults

"""


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m payouts.sandbox",
        description="Imitates the payment platforms on 127.0.0.1; no money moves.",
        epilog=_EXAMPLE + "The fault recipes:\n" + table(ALL_RECIPES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dir", type=Path, required=True, help="where its books and address lie")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--speed", type=speed_of, default=1.0, help="a factor, or: instant")
    parser.add_argument("--faults", type=Path, help="a script of faults, .toml or .json")
    parser.add_argument("--seed", type=int, help="a storm of faults drawn from this number")
    parser.add_argument(
        "--webhook",
        action="append",
        default=[],
        metavar="PLATFORM=URL",
        help=f"where to send webhooks of {', '.join(CHANNELS)}; repeatable",
    )
    parser.add_argument(
        "--approvals", action="store_true", help="Orkesta's payments wait for an approver"
    )
    parser.add_argument(
        "--reconcile",
        type=float,
        metavar="SECONDS",
        help="Orkesta's payments are reconciled so long after they are settled",
    )
    parser.add_argument(
        "--prefunded", action="store_true", help="Orkestra pays out only what orders brought in"
    )
    parser.add_argument(
        "--platform",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="also play the platform of this Python file, its PLATFORM; repeatable",
    )
    parser.add_argument("--wording", choices=("settled", "completed"), default="settled")
    parser.add_argument("--wrapped", action="store_true", help="batches inside an object")
    parser.add_argument("--no-magic", action="store_true", help="magic accounts are ordinary")
    return parser.parse_args(given)


def _rules(arguments: argparse.Namespace) -> list[Rule]:
    scripted = [] if arguments.faults is None else read_script(arguments.faults)
    return scripted + ([] if arguments.seed is None else storm(arguments.seed))


async def _serve(arguments: argparse.Namespace, rules: list[Rule]) -> int:
    """Serve until a signal comes, or until something breaks that no reply can tell."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(status: int) -> None:
        if not ended.done():
            ended.set_result(status)

    def broken(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        loop.default_exception_handler(context)
        if "socket" not in context:  # too many connections pass; books that cannot be kept do not
            end(1)

    loop.set_exception_handler(broken)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, 0)
    settings, seed = _settings(arguments), arguments.seed or 0
    books = Books(arguments.dir, soon=loop.call_soon)
    with closing(books):
        _withdraw(arguments.dir)  # what one that was killed has left
        server = Server(
            arguments.port, lambda shut: App(books, settings, rules=rules, seed=seed, shut=shut)
        )
        await server.open()
        _publish(arguments.dir / "control", f"http://127.0.0.1:{server.control_port}")
        _publish(arguments.dir / "address", f"http://127.0.0.1:{server.port}")
        status = await ended
        if status == 0:
            books.flush()
        _withdraw(arguments.dir)
        server.close()
    return status


def _settings(arguments: argparse.Namespace) -> Settings:
    settings = Settings(
        speed=arguments.speed,
        wording=arguments.wording,
        wrapped=arguments.wrapped,
        magic=not arguments.no_magic,
        approval=arguments.approvals,
        prefunded=arguments.prefunded,
    )
    urls = dict(text.partition("=")[::2] for text in arguments.webhook)
    settings.change({"webhooks": urls, "reconcile_s": arguments.reconcile})
    return settings


def _publish(address: Path, text: str) -> None:
    """Write a file in one step, so that a reader sees all of it or none."""
    draft = address.with_name(f"address.{os.getpid()}")
    draft.write_text(text, encoding="ascii")
    draft.replace(address)


def _withdraw(directory: Path) -> None:
    for name in ("address", "control"):
        (directory / name).unlink(missing_ok=True)


def main(given: Sequence[str] | None = None) -> int:
    """Run the server and give its exit status."""
    arguments = _arguments(given)
    try:
        for path in arguments.platform:
            plug(path)
        return asyncio.run(_serve(arguments, _rules(arguments)))
    except (BooksInUseError, OSError, ValueError) as error:
        print(f"sandbox: {error}", file=sys.stderr)  # noqa: T201  a program's last word
        return 2


if __name__ == "__main__":
    sys.exit(main())
