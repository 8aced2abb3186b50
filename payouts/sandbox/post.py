"""A small HTTP/1.1 client: POST with a deadline over connections that are kept.

It follows no redirect, reads no body to the end of the world, and never sends one request twice on
its own account, except where a kept connection turns out to have been closed meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

import httptools

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Headers", "Poster", "is_url"]

Headers: TypeAlias = tuple[tuple[str, str], ...]

_BODY_MAX: Final = 64 * 1024
_PIECE: Final = 16 * 1024


def is_url(value: object) -> bool:
    """Say whether a value is an address that `Poster` can reach.

    >>> is_url("http://127.0.0.1:8000/webhooks/orkesta"), is_url("ftp://x"), is_url(None)
    (True, False, False)
    """
    if not isinstance(value, str) or not value.isascii() or any(map(str.isspace, value)):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class _Answer:
    """Collects what a server answers; the callbacks are httptools'."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.size = 0
        self.status = 0
        self.keep = False
        self.complete = False

    def on_headers_complete(self) -> None:
        """Note what the parser knows only now: afterwards it has begun anew."""
        self.status = self.parser.get_status_code()
        self.keep = self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """Count a piece of the body; its content is nobody's concern."""
        self.size += len(body)

    def on_message_complete(self) -> None:
        """Note the end."""
        self.complete = self.status >= 200  # noqa: PLR2004  100 only announces


class _Connection:
    """One connection to one server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.heard = False

    async def ask(self, request: bytes) -> tuple[int, bool]:
        """Send a request; give the status and whether the connection can be kept."""
        self.heard = False
        self._writer.write(request)
        await self._writer.drain()
        answer = _Answer()
        while not answer.complete:
            data = await self._reader.read(_PIECE)
            if not data and answer.status and not answer.keep:
                return answer.status, False  # its end was the body's end
            if not data:
                raise ConnectionResetError("closed without a whole answer")
            self.heard = True
            try:
                answer.parser.feed_data(data)
            except httptools.HttpParserError as error:
                raise ConnectionError("the answer is not HTTP/1.1") from error
            if answer.size > _BODY_MAX:
                raise ConnectionError("the answer is too long")
        return answer.status, answer.keep

    def close(self) -> None:
        self._writer.close()


class Poster:
    """Keeps a few idle connections per server, as many as were ever needed at once."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int], list[_Connection]] = {}

    async def post(
        self, url: str, headers: Iterable[tuple[str, str]], body: bytes, *, deadline_s: float
    ) -> int:
        """Send a body and give the status of the answer.

        Raises:
            TimeoutError: the answer was not complete at the deadline.
            OSError: there was no connection, or no answer on it.
        """
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if tls else 80)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"POST {target} HTTP/1.1", f"host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in headers]
        lines.append(f"content-length: {len(body)}")
        request = "\r\n".join((*lines, "", "")).encode("latin-1") + body
        async with asyncio.timeout(deadline_s):
            return await self._ask(host, port, request, tls=tls)

    async def _ask(self, host: str, port: int, request: bytes, *, tls: bool) -> int:
        idle = self._idle.setdefault((host, port), [])
        while idle:
            kept = idle.pop()
            try:
                return await self._on(kept, idle, request)
            except OSError:
                if kept.heard:
                    raise
        fresh = _Connection(*await asyncio.open_connection(host, port, ssl=tls or None))
        return await self._on(fresh, idle, request)

    async def _on(self, connection: _Connection, idle: list[_Connection], request: bytes) -> int:
        keep = False
        try:
            status, keep = await connection.ask(request)
        finally:
            if keep:
                idle.append(connection)
            else:
                connection.close()
        return status

    def close(self) -> None:
        """End the idle connections."""
        for idle in self._idle.values():
            for connection in idle:
                with contextlib.suppress(RuntimeError):  # the loop may be gone already
                    connection.close()
            idle.clear()
