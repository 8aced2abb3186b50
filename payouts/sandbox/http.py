"""HTTP/1.1 on a bare asyncio protocol, so that every byte and every end of a connection is ours.

A `Connection` parses requests, hands them one at a time to an `Answerer`, and delivers a `Reply`
the way a `Wire` says: whole, late, cut, in drops, followed by a reset, or not at all.

    bytes ──▶ Connection ──Request──▶ Answerer ──(Reply, Wire)──▶ Connection ──▶ bytes
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import httptools
import orjson

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from decimal import Decimal

__all__ = ["Answerer", "Connection", "Reply", "Request", "Wire"]

_BODY_MAX: Final = 16 * 1024 * 1024
_DROPS: Final = 16
_LINGER_NONE: Final = struct.pack("ii", 1, 0)  # close sends RST instead of FIN
_JSON: Final = "application/json"


@dataclass(slots=True)
class Request:
    """One request; header names are in lower case, the path is without its query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    query: str = ""


@dataclass(slots=True)
class Reply:
    """One reply. Its body is `raw` where that is given, else `document` as JSON.

    A `document` may hold `Decimal`: it is written digit by digit as a JSON number.
    """

    status: int
    document: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    raw: bytes | None = None
    media_type: str = _JSON

    def body(self) -> bytes:
        """Give the bytes of the body."""
        if self.raw is not None:
            return self.raw
        return orjson.dumps(self.document, default=_exact)

    def head(self, length: int | None) -> bytes:
        """Give status line and headers; without a length, the connection's end is the body's."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}", f"content-type: {self.media_type}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines.append("connection: close" if length is None else f"content-length: {length}")
        return "\r\n".join((*lines, "", "")).encode("latin-1")


@dataclass(slots=True)
class Wire:
    """How a reply travels.

    Args:
        silent: no byte of it is sent.
        cut: share of the body that is sent, in [0, 1]; None is all.
        lengthless: no Content-Length is declared, so that a cut looks like a clean end.
        drip_s: seconds between pieces of the body.
        slow_head_s: seconds between pieces of the head.
        end: what becomes of the connection afterwards.
        stale: the connection is kept, and reset when its next request arrives.
    """

    silent: bool = False
    cut: float | None = None
    lengthless: bool = False
    drip_s: float = 0.0
    slow_head_s: float = 0.0
    end: Literal["keep", "close", "reset", "hang"] = "keep"
    stale: bool = False


class Answerer(Protocol):
    """Whoever answers requests."""

    def at_connect(self) -> Wire | None:
        """Decide about a new connection; None: serve it."""

    def at_head(self, request: Request) -> Wire | None:
        """Decide when the headers are here and the body is not; None: go on."""

    async def answer(self, request: Request) -> tuple[Reply, Wire]:
        """Answer one request; returns when the reply may leave."""


def _exact(value: Decimal) -> orjson.Fragment:
    return orjson.Fragment(format(value, "f"))


@dataclass(slots=True)
class _Head:
    """What is known of the request that is being parsed."""

    url: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    body: list[bytes] = field(default_factory=list)
    size: int = 0


class Connection(asyncio.Protocol):
    """One client's connection.

    Args:
        answerer: gets the requests.
        peers: the set of open connections; this one enters and leaves it by itself.
        tasks: keeps the running answers alive: an answer goes on when its client has left.
    """

    def __init__(
        self, answerer: Answerer, peers: set[Connection], tasks: set[asyncio.Task[None]]
    ) -> None:
        self._answerer = answerer
        self._peers = peers
        self._tasks = tasks
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._head = _Head()
        self._queue: deque[tuple[Request, bool]] = deque()
        self._busy = False
        self._gone = False
        self._stale = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start, unless the connection itself is refused its service."""
        self._transport = transport  # type: ignore[assignment]  # a TCP transport reads and writes
        self._peers.add(self)
        wire = self._answerer.at_connect()
        if wire is not None:
            self._finish(wire.end, keep=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client; an answer under way still takes its course."""
        del exc
        self._gone = True
        self._peers.discard(self)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._gone:
            return
        if self._stale:
            self._reset()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if not self._gone:
                self._refuse(HTTPStatus.BAD_REQUEST, "this is not HTTP/1.1")

    # httptools callbacks

    def on_message_begin(self) -> None:
        """Start a request."""
        self._head = _Head()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the address."""
        self._head.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; of a repeated one the last counts."""
        self._head.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Let the answerer end the connection before the body is read."""
        wire = self._answerer.at_head(self._request())
        if wire is not None:
            self._finish(wire.end, keep=False)
        elif self._head.headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._head.size += len(body)
        if self._head.size <= _BODY_MAX:
            self._head.body.append(body)
        elif not self._gone:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")

    def on_message_complete(self) -> None:
        """Queue the request behind those that came before it on this connection."""
        if self._gone:
            return
        request = self._request()
        request.body = b"".join(self._head.body)
        self._queue.append((request, self._parser.should_keep_alive()))
        if not self._busy:
            self._next()

    # answering

    def _request(self) -> Request:
        url = httptools.parse_url(self._head.url)
        path, query = (url.path or b"/").decode("latin-1"), (url.query or b"").decode("latin-1")
        method = self._parser.get_method().decode("latin-1")
        return Request(method, path, self._head.headers, query=query)

    def _next(self) -> None:
        self._busy = bool(self._queue)
        if self._busy:
            request, keep = self._queue.popleft()
            self._start(self._serve(request, keep=keep))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, request: Request, *, keep: bool) -> None:
        reply, wire = await self._answerer.answer(request)
        if self._gone:
            return
        if not wire.silent:
            await self._deliver(reply, wire)
        self._finish(wire.end, keep=keep and not wire.lengthless and wire.cut is None)
        self._stale = wire.stale
        if not self._gone:
            self._next()

    async def _deliver(self, reply: Reply, wire: Wire) -> None:
        body = reply.body()
        head = reply.head(None if wire.lengthless else len(body))
        if wire.cut is not None:
            body = body[: int(len(body) * wire.cut)]
        if not wire.slow_head_s and not wire.drip_s:
            self._transport.write(head + body)
            return
        await self._drip(head, wire.slow_head_s)
        await self._drip(body, wire.drip_s)

    async def _drip(self, data: bytes, pause_s: float) -> None:
        if not pause_s:
            self._transport.write(data)
            return
        size = max(1, -(-len(data) // _DROPS))
        for start in range(0, len(data), size):
            if self._gone:
                return
            self._transport.write(data[start : start + size])
            await asyncio.sleep(pause_s)

    def _finish(self, end: str, *, keep: bool) -> None:
        if end == "reset":
            self._reset()
        elif end == "hang":
            self._gone = True  # nothing more is read or written; the client has to leave
        elif end == "close" or not keep:
            self._close()

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        reply = Reply(status, {"error": {"code": "bad_request", "message": message}})
        body = reply.body()
        self._transport.write(reply.head(len(body)) + body)
        self._close()

    def _close(self) -> None:
        self._gone = True
        self._transport.close()

    def _reset(self) -> None:
        self._gone = True
        handle: socket.socket | None = self._transport.get_extra_info("socket")
        if handle is not None:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        self._transport.abort()

    def drop(self) -> None:
        """End the connection because the server ends or refuses service."""
        self._transport.abort()
