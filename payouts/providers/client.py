"""The one seam to the network: a request in, an exchange out, never an exception.

```
httpx                                      Failure            may have been executed?
├── InvalidURL, CookieConflict             our_request        no
├── StreamError                            read_broken        yes
└── HTTPError
    ├── HTTPStatusError                     (never raised: the status is a value)
    └── RequestError
        ├── TooManyRedirects                (redirects are never followed) read_broken
        ├── DecodingError                   read_broken        yes
        └── TransportError
            ├── UnsupportedProtocol         our_request        no
            ├── ProxyError                  not_connected      no
            ├── TimeoutException
            │   ├── ConnectTimeout          not_connected      no
            │   ├── PoolTimeout             nothing_sent       no
            │   ├── WriteTimeout            write_broken       yes
            │   └── ReadTimeout             read_timeout       yes
            ├── NetworkError
            │   ├── ConnectError            not_connected      no (certificate: C)
            │   ├── ReadError, CloseError   read_broken        yes
            │   └── WriteError              write_broken       yes
            └── ProtocolError
                ├── LocalProtocolError      our_request        no
                └── RemoteProtocolError     read_broken        yes
```

`tests/providers/test_client.py` walks httpx's own tree so that a new error is never forgotten.
A money-moving request leaves only with a `Permit`: the proof that its attempt is committed (P4).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import httpx

from payouts.core.errors import InvariantError
from payouts.core.outcomes import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

__all__ = ["Client", "Exchange", "Permit", "Request", "Timeouts", "clock", "failure_of"]

BODY_MAX = 50 * 1024 * 1024
"""Bytes of a reply that are read at most; a longer one is unclear (P26)."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; `overall` ends even an answer that drips (RELIABILITY §3)."""

    connect: float = 5.0
    write: float = 10.0
    read: float = 30.0
    pool: float = 5.0
    overall: float = 60.0


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to send one attempt: it is on disk, and the deadline for the first byte.

    Args:
        attempt: key of the committed attempt row.
        fence: its fence.
        send_by: by `clock`; after it the first byte must not leave any more (P20).
    """

    attempt: int
    fence: int
    send_by: float


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. `moves_money` requests need a permit."""

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)  # account data (P24)
    headers: Mapping[str, str] = field(default_factory=dict)
    moves_money: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """What came back: a reply (`status` > 0), or a named failure to get one."""

    status: int = 0
    body: bytes = field(default=b"", repr=False)  # may echo account data (P24)
    retry_after: str | None = None
    failure: Failure | None = None
    detail: str = ""


_TABLE: tuple[tuple[type[Exception], Failure], ...] = (
    (httpx.InvalidURL, Failure.OUR_REQUEST),
    (httpx.CookieConflict, Failure.OUR_REQUEST),
    (httpx.UnsupportedProtocol, Failure.OUR_REQUEST),
    (httpx.LocalProtocolError, Failure.OUR_REQUEST),
    (httpx.ProxyError, Failure.NOT_CONNECTED),
    (httpx.ConnectTimeout, Failure.NOT_CONNECTED),
    (httpx.ConnectError, Failure.NOT_CONNECTED),
    (httpx.PoolTimeout, Failure.NOTHING_SENT),
    (httpx.WriteTimeout, Failure.WRITE_BROKEN),
    (httpx.WriteError, Failure.WRITE_BROKEN),
    (httpx.ReadTimeout, Failure.READ_TIMEOUT),
    (httpx.ReadError, Failure.READ_BROKEN),
    (httpx.CloseError, Failure.READ_BROKEN),
    (httpx.RemoteProtocolError, Failure.READ_BROKEN),
    (httpx.DecodingError, Failure.READ_BROKEN),
    (httpx.TooManyRedirects, Failure.READ_BROKEN),
    (httpx.StreamError, Failure.READ_BROKEN),
)


def clock() -> float:
    """Seconds that only rise, and go on while the machine sleeps where the system counts that."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if _COUNTS_SLEEP else time.monotonic()


_COUNTS_SLEEP = hasattr(time, "CLOCK_BOOTTIME")


def failure_of(error: Exception) -> Failure:
    """The failure that an exception of the transport stands for; unnamed ones are unclear."""
    if isinstance(error, httpx.ConnectError) and isinstance(
        _root(error), ssl.SSLCertVerificationError
    ):
        return Failure.CERTIFICATE
    for kind, failure in _TABLE:
        if isinstance(error, kind):
            return failure
    return Failure.READ_BROKEN


def _root(error: BaseException) -> BaseException:
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return error


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities that are trusted: read once, as reading them costs more than a request."""
    return httpx.create_ssl_context(trust_env=False)


class Client:
    """Sends requests to one provider.

    Args:
        base_url: where the provider's API begins; paths are appended.
        headers: sent with every request (credentials).
        connections: the most connections at once; the caller's semaphore matches it.
        clock: seconds that only rise, see `clock`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        connections: int,
        timeouts: Timeouts | None = None,
        clock: Callable[[], float] = clock,
    ) -> None:
        self.timeouts = timeouts or Timeouts()
        self._clock = clock
        self._idle: asyncio.Queue[httpx.AsyncClient] = asyncio.LifoQueue()
        trusted = _trusted()
        self._all = [self._one(base_url, headers, trusted) for _ in range(connections)]
        for http in self._all:
            self._idle.put_nowait(http)

    def _one(
        self, base_url: str, headers: Mapping[str, str], trusted: ssl.SSLContext
    ) -> httpx.AsyncClient:
        """A client of one connection.

        One large pool looks through all of its connections for each request, so that its cost
        per request would grow with their number.
        """
        return httpx.AsyncClient(
            base_url=base_url,
            headers=dict(headers),
            timeout=httpx.Timeout(
                connect=self.timeouts.connect,
                write=self.timeouts.write,
                read=self.timeouts.read,
                pool=self.timeouts.pool,
            ),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            verify=trusted,
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for http in self._all:
            await http.aclose()

    async def send(self, request: Request, permit: Permit | None = None) -> Exchange:
        """One request and what came of it.

        Raises:
            InvariantError: a money-moving request without a permit (P4); nothing was sent.
        """
        if request.moves_money and permit is None:
            raise InvariantError(f"{request.method} {request.path} has no committed attempt")
        try:
            async with asyncio.timeout(self.timeouts.overall):
                return await self._exchange(request, permit)
        except TimeoutError:
            return Exchange(failure=Failure.DEADLINE)
        except Exception as error:  # noqa: BLE001  whatever it is, the request may have been made
            return Exchange(failure=failure_of(error), detail=type(error).__name__)

    async def _exchange(self, request: Request, permit: Permit | None) -> Exchange:
        try:
            async with asyncio.timeout(self.timeouts.pool):
                http = await self._idle.get()
        except TimeoutError:
            return Exchange(failure=Failure.NOTHING_SENT, detail="no connection was free")
        try:
            if permit is not None and self._clock() > permit.send_by:
                return Exchange(failure=Failure.SEND_BY_PASSED)
            return await self._exchange_by(http, request)
        finally:
            self._idle.put_nowait(http)

    async def _exchange_by(self, http: httpx.AsyncClient, request: Request) -> Exchange:
        async with http.stream(
            request.method, request.path, content=request.body, headers=dict(request.headers)
        ) as reply:
            body = bytearray()
            async for piece in reply.aiter_bytes():
                body += piece
                if len(body) > BODY_MAX:
                    return Exchange(failure=Failure.TOO_LARGE, detail=f"more than {BODY_MAX} bytes")
            return Exchange(
                status=reply.status_code,
                body=bytes(body),
                retry_after=reply.headers.get("retry-after"),
            )
