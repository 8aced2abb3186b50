"""The app: which platform answers, and what a request goes through on its way.

connection ─▶ faults ─▶ platform ─▶ books ─▶ fsync ─▶ faults ─▶ connection
"""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from typing import TYPE_CHECKING, Any, Final

import orjson

from payouts.sandbox import orchestra, orchestrate, orkesta, orkestra
from payouts.sandbox.control import CONTROL, Control
from payouts.sandbox.course import Course
from payouts.sandbox.faults import Faults
from payouts.sandbox.http import Connection, Reply, Wire
from payouts.sandbox.platforms import Registration, World, nested_error
from payouts.sandbox.returns import Returns
from payouts.sandbox.statement import STATEMENT
from payouts.sandbox.webhooks import WEBHOOK, Webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from payouts.sandbox.books import Books, Entry
    from payouts.sandbox.course import Moment
    from payouts.sandbox.faults import Rule
    from payouts.sandbox.http import Answerer, Request
    from payouts.sandbox.platforms import Platform
    from payouts.sandbox.settings import Settings

__all__ = ["PLATFORMS", "App", "Server", "plug"]

PLATFORMS: Final[dict[str, Registration]] = {
    each.PLATFORM.name: each.PLATFORM for each in (orkesta, orkestra, orchestra, orchestrate)
}


def plug(path: Path) -> None:
    """Also play the platform of a Python file, which is executed.

    Raises:
        ValueError: the file cannot be loaded, or it has no `PLATFORM`.
    """
    loader = SourceFileLoader(f"sandbox_platform_{path.stem}", str(path))
    module = module_from_spec(ModuleSpec(loader.name, loader, origin=str(path)))
    try:
        code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102  the owner of the project named this file
    except Exception as error:
        raise ValueError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    known = getattr(module, "PLATFORM", None)
    if not isinstance(known, Registration):
        raise ValueError(f"{path} has no PLATFORM")  # noqa: TRY004  a wrong file, not a wrong call
    PLATFORMS[known.name] = known


class App:
    """Answers every request of the server.

    Args:
        shut: closes the port for so many seconds.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        books: Books,
        settings: Settings,
        *,
        rules: Iterable[Rule] = (),
        seed: int = 0,
        shut: Callable[[float], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._books = books
        self._shut = shut
        self._requests = 0
        self._faults = Faults(rules, seed=seed, references=self._references, clock=clock)
        self._books.watch = self._watch
        world = World(books, settings, clock)
        self._platforms: dict[str, Platform] = {
            name: known.make(world) for name, known in PLATFORMS.items()
        }
        self._returns = Returns(books, clock)
        self._webhooks = Webhooks(
            {name: self._platforms[name] for name, known in PLATFORMS.items() if known.tells},
            books=books,
            settings=settings,
            faults=self._faults,
            clock=clock,
        )
        self.control = Control(
            books,
            settings,
            self._faults,
            self._webhooks,
            self._returns,
            requests=lambda: self._requests,
            clock=clock,
        )

    def close(self) -> None:
        """Tell nobody any more."""
        self._webhooks.close()

    def _watch(self, number: int, entry: Entry) -> None:
        """See a line before it is written."""
        self._webhooks.watch(number, entry)
        self._returns.watch(entry)

    # what a connection asks

    def at_connect(self) -> Wire | None:
        """Decide about a new connection; None: serve it."""
        return self._early("connect", None)

    def at_head(self, request: Request) -> Wire | None:
        """Decide when the headers are here and the body is not; None: go on."""
        return None if request.path.startswith(CONTROL) else self._early("head", request)

    async def answer(self, request: Request) -> tuple[Reply, Wire]:
        """Answer one request; what it changed is on disk when this returns."""
        if request.path.startswith(CONTROL):
            return await self.control.answer(request)
        self._requests += 1
        course = self._course(request)
        try:
            reply = await self._play(course, request)
        except Exception:  # noqa: BLE001  a bug of the sandbox: loud here, a 500 for the client
            traceback.print_exc(file=sys.stderr)
            reply = Reply(500, {"code": "sandbox_bug", "message": "See the sandbox's stderr"})
        await self._books.durable()
        return reply, course.wire

    # faults

    def _early(self, moment: Moment, request: Request | None) -> Wire | None:
        if not self._faults.rules:
            return None
        course = Course()
        if not self._faults.apply(moment, request, course):
            return None
        if course.shut_s:
            self._shut(course.shut_s)
        return course.wire

    def _course(self, request: Request) -> Course:
        course = Course()
        if self._faults.rules:
            known = _registration(request)
            course.error = nested_error if known is None else known.error
            self._faults.apply("request", request, course)
        return course

    async def _play(self, course: Course, request: Request) -> Reply:
        if course.shut_s:
            self._shut(course.shut_s)
        if course.wait_before_s:
            await asyncio.sleep(course.wait_before_s)
        if course.instead is not None:
            if course.effect_later_s is not None:
                loop = asyncio.get_running_loop()
                loop.call_later(course.effect_later_s, self._effect, request, course)
            return course.instead
        reply = self._effect(request, course)
        if course.webhooks_first_s:
            await self._webhooks.idle(course.webhooks_first_s)
        if course.wait_after_s:
            await self._books.durable()
            await asyncio.sleep(course.wait_after_s)
        for edit in course.edits:
            reply = edit(reply)
        return reply

    # effects

    def _effect(self, request: Request, course: Course) -> Reply:
        known = _registration(request)
        if known is None:
            return Reply(404, nested_error("not_found", "No platform is mounted here"))
        return self._platforms[known.name].answer(request, course.wish())

    def _references(self, request: Request) -> list[str]:
        """Give the references in a request's body, or that of the payment which its path names."""
        if request.method in {WEBHOOK, STATEMENT}:
            return [request.body.decode()]
        known = _registration(request)
        fields: tuple[str, ...] = ("reference",)
        if request.body:
            items, fields = _document(request.body), () if known is None else known.references
        else:
            found = self._books.find(request.path.rpartition("/")[2])
            items = [] if found is None else [found[0]]
        values = (item.get(name) for item in items if isinstance(item, dict) for name in fields)
        return [reference for reference in values if isinstance(reference, str)]


def _registration(request: Request) -> Registration | None:
    return PLATFORMS.get(request.path.removeprefix("/").partition("/")[0])


def _document(body: bytes) -> Any:  # noqa: ANN401  JSON
    """Give the items of a body of whatever shape; of an unreadable one, none."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    if isinstance(document, dict):
        lists = [value for value in document.values() if isinstance(value, list)]
        document = [document, *(item for found in lists for item in found)]
    return document if isinstance(document, list) else []


class Server:
    """The listening sockets and their connections: one port for clients, one for control.

    Args:
        port: 0 is any free one.
        app: makes the app, given the function that closes the clients' port for a while.
    """

    def __init__(self, port: int, app: Callable[[Callable[[float], None]], App]) -> None:
        self.port = port
        self.control_port = 0
        self._app = app(self.shut)
        self._peers: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: asyncio.Server | None = None
        self._control: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen; afterwards `port` and `control_port` are the real ones."""
        self._control = await self._listen(self._app.control, 0)
        self.control_port = self._control.sockets[0].getsockname()[1]
        await self._open_clients()

    async def _open_clients(self) -> None:
        self._clients = await self._listen(self._app, self.port)
        self.port = self._clients.sockets[0].getsockname()[1]

    async def _listen(self, answerer: Answerer, port: int) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            lambda: Connection(answerer, self._peers, self._tasks),
            "127.0.0.1",
            port,
            backlog=1024,
        )

    def shut(self, seconds: float) -> None:
        """Refuse new clients for a while."""
        if self._clients is not None:
            self._clients.close()
            self._clients = None
            asyncio.get_running_loop().call_later(seconds, self._reopen)

    def _reopen(self) -> None:
        task = asyncio.get_running_loop().create_task(self._open_clients())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Stop listening, end every connection and whatever waits for its effect."""
        self._app.close()
        for listener in (self._clients, self._control):
            if listener is not None:
                listener.close()
        for task in self._tasks:
            task.cancel()
        for peer in tuple(self._peers):
            peer.drop()
