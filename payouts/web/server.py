"""The server of the receiver: a socket, a thread with a loop of its own, and bounds.

It runs beside the worker and the schedules, so that a webhook is answered in time whatever they
do. A connection lives for a minute at most, so that slow or silent peers cannot hold them all.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from payouts.core.errors import SettingsError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from starlette.types import ASGIApp

__all__ = ["LOOPBACK", "bound", "is_loopback", "serving"]

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
"""Names of this machine that nobody else can be."""

_LIFE_S = 60.0
_ENDING_S = 15.0
_CONNECTIONS = 256
_HEAD_MAX = 16 * 1024
_BACKLOG = 128


class _Bounded(H11Protocol):
    """One connection, for a while; a request that is being answered then is answered first."""

    life_s = _LIFE_S
    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._end = self.loop.call_later(self.life_s, self._over)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)

    def _over(self) -> None:
        if not self.transport.is_closing():
            self.shutdown()
        self._end = self.loop.call_later(_ENDING_S, self.transport.abort)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("x")
    (True, True, False, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bound(host: str, port: int, *, openly: bool = False) -> socket.socket:
    """A listening socket.

    Args:
        port: 0 for any that is free.
        openly: an address that other machines can reach is wanted.

    Raises:
        SettingsError: the address is reachable from outside and nobody said so, or it is taken.
    """
    if not (openly or is_loopback(host)):
        raise SettingsError(
            f"web.host is {host}, which other machines can reach",
            hint="Keep 127.0.0.1 behind a proxy that speaks HTTPS, or set web.open = true.",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"{host} port {port} cannot be listened on: {error.strerror}",
            hint="Set web.port to another one; two `payouts serve` need two.",
        ) from None
    return listening


@contextmanager
def serving(app: ASGIApp, listening: socket.socket, *, life_s: float = _LIFE_S) -> Iterator[str]:
    """Serve `app` inside the `with` block; gives its base URL. What was accepted is answered.

    Args:
        life_s: of one connection; then it is closed, whatever it is doing.
    """
    config = uvicorn.Config(
        app,
        http=type("_Connection", (_Bounded,), {"life_s": life_s}),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        h11_max_incomplete_event_size=_HEAD_MAX,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=10,
    )
    server = uvicorn.Server(config)
    host, port = listening.getsockname()[:2]
    # In a thread uvicorn takes no signals: those are the command's.
    thread = threading.Thread(
        target=server.run, args=([listening],), name="payouts-receiver", daemon=True
    )
    thread.start()
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
