"""The app: which platform answers, and what a request goes through on its way.

    connection ─▶ faults ─▶ platform ─▶ books ─▶ fsync ─▶ faults ─▶ connection

Control paths, for whoever runs the sandbox; faults never touch them:

    GET  /_control/health      {"status": "ok", "effects", "requests"}
    GET  /_control/faults      the rules in force with `seen` and `struck`, and totals per fault
    POST /_control/faults      put a script in force instead (see `faults`)
    DELETE /_control/faults    no faults any more
    GET  /_control/settings    the settings (see `settings`)
    POST /_control/settings    change some of them
    POST /_control/release     {"effect": id}: a held payment goes on
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import orjson

from payouts.sandbox.faults import Course, Faults, rules_of
from payouts.sandbox.http import Connection, Reply, Wire
from payouts.sandbox.orkesta import Orkesta
from payouts.sandbox.orkestra import Orkestra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from payouts.sandbox.books import Books
    from payouts.sandbox.faults import Refuse, Rule
    from payouts.sandbox.http import Request
    from payouts.sandbox.settings import Settings

__all__ = ["App", "Server"]

_CONTROL: Final = "/_control/"


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
        self._settings = settings
        self._shut = shut
        self._clock = clock
        self._requests = 0
        self._faults = Faults(rules, seed=seed, references=self._references, clock=clock)
        self._platforms: dict[str, Orkesta | Orkestra] = {
            "orkesta": Orkesta(books, settings, clock),
            "orkestra": Orkestra(books, settings, clock),
        }

    # what a connection asks

    def at_connect(self) -> Wire | None:
        """Decide about a new connection; None: serve it."""
        return self._early("connect", None)

    def at_head(self, request: Request) -> Wire | None:
        """Decide when the headers are here and the body is not; None: go on."""
        if request.path.startswith(_CONTROL):
            return None
        return self._early("head", request)

    async def answer(self, request: Request) -> tuple[Reply, Wire]:
        """Answer one request; what it changed is on disk when this returns."""
        if request.path.startswith(_CONTROL):
            reply, wire = self._control(request), Wire()
        else:
            self._requests += 1
            course = self._course(request)
            reply, wire = await self._play(course, request), course.wire
        await self._durable()
        return reply, wire

    # faults

    def _early(self, moment: Any, request: Request | None) -> Wire | None:  # noqa: ANN401  a Moment
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
            if request.path.startswith("/orkesta/"):
                course.error = _nested_error
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
                loop.call_later(course.effect_later_s, self._effect, request, course.refuse)
            return course.instead
        reply = self._effect(request, course.refuse)
        if course.wait_after_s:
            await self._durable()
            await asyncio.sleep(course.wait_after_s)
        for edit in course.edits:
            reply = edit(reply)
        return reply

    # effects

    def _effect(self, request: Request, refuse: Refuse) -> Reply:
        platform = self._platforms.get(request.path.split("/", 2)[1])
        if platform is None:
            return Reply(404, _nested_error("not_found", "No platform is mounted here"))
        return platform.answer(request, refuse)

    async def _durable(self) -> None:
        if self._books.is_durable:
            return
        done = asyncio.get_running_loop().create_future()
        self._books.when_durable(lambda: done.set_result(None))
        await done

    def _references(self, request: Request) -> list[str]:
        """Give the references in a request's body, or those of the payment that its path names."""
        try:
            document = orjson.loads(request.body) if request.body else []
        except orjson.JSONDecodeError:
            document = []
        if isinstance(document, dict):
            document = document.get("payments", [document])
        if request.method in {"GET", "DELETE"}:
            found = self._books.find(request.path.rpartition("/")[2])
            document = [found[0]] if found else []
        items = [item for item in document if isinstance(item, dict)]
        references = (item.get("reference") or item.get("referenceId") for item in items)
        return [reference for reference in references if isinstance(reference, str)]

    # control

    def _control(self, request: Request) -> Reply:
        try:
            document = orjson.loads(request.body) if request.body else None
            return self._controlled(request.method, request.path.removeprefix(_CONTROL), document)
        except ValueError as error:
            return Reply(422, {"code": "invalid", "message": str(error)})

    def _controlled(self, method: str, name: str, document: Any) -> Reply:  # noqa: ANN401  JSON
        match method, name:
            case "GET", "health":
                counts = {"effects": self._books.effects, "requests": self._requests}
                return Reply(200, {"status": "ok", **counts})
            case "GET" | "POST" | "DELETE", "faults":
                if method != "GET":
                    self._faults.use(rules_of(document) if method == "POST" else ())
                return Reply(200, self._faults.shown())
            case "GET" | "POST", "settings":
                if method == "POST":
                    self._settings.change(document)
                return Reply(200, self._settings.shown())
            case "POST", "release":
                return self._release(document)
            case _:
                return Reply(404, {"code": "not_found", "message": "There is no such control"})

    def _release(self, document: Any) -> Reply:  # noqa: ANN401  JSON
        effect = str(document["effect"]) if isinstance(document, dict) else ""
        if self._books.find(effect) is None:
            return Reply(404, {"code": "not_found", "message": "There is no such effect"})
        self._books.append({"kind": "release", "at": self._clock(), "effect": effect})
        return Reply(200, {"released": effect})


def _nested_error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


class Server:
    """The listening socket and its connections.

    Args:
        port: 0 is any free one.
        app: makes the app, given the function that closes the port for a while.
    """

    def __init__(self, port: int, app: Callable[[Callable[[float], None]], App]) -> None:
        self.port = port
        self._app = app(self.shut)
        self._peers: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen; afterwards `port` is the real one."""
        self._listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._app, self._peers, self._tasks),
            "127.0.0.1",
            self.port,
            backlog=1024,
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    def shut(self, seconds: float) -> None:
        """Refuse connections for a while."""
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        asyncio.get_running_loop().call_later(seconds, self._reopen)

    def _reopen(self) -> None:
        task = asyncio.get_running_loop().create_task(self.open())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Stop listening, end every connection and whatever waits for its effect."""
        if self._listener is not None:
            self._listener.close()
        for task in self._tasks:
            task.cancel()
        for peer in tuple(self._peers):
            peer.drop()
