"""The receiver of webhooks: verify the raw bytes, read strictly, store, commit, answer 2xx.

```
POST /webhooks/<provider>   2xx after the durable commit, also for a replay (which stores nothing)
                            401 not verified, alike whatever is wrong    404 no such provider
                            400 verified, but no strict JSON             413, 408 too large, too slow
                            503 the database cannot take it: the platform sends it again
GET  /healthz               200, or 503 while the database is away
GET  /paid/<word>           where a payment page sends the browser back (see `landing`)
```

Nothing is applied here. What is answered never says why, and never repeats what was sent.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import psycopg
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from payouts.flows import inbox
from payouts.web import bodies
from payouts.web.landing import ROUTE, add_landings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from payouts.providers.events import Hearing
    from payouts.providers.signatures import Verifier
    from payouts.store.engine import Database
    from payouts.vault import Vault

__all__ = ["OPEN_ROUTES", "Door", "make_app"]

OPEN_ROUTES: Final = {
    "/webhooks/{provider}": "the platform signs its requests",
    "/healthz": "says only whether the receiver works",
    ROUTE: "static pages that say that they prove nothing",
}
"""Routes without a login, and why that is right; a test walks all routes and knows no other."""

_THREADS = 8
_STATUS_TEXTS: Final = {
    400: "bad request\n",
    401: "unauthorized\n",
    404: "not found\n",
    405: "method not allowed\n",
    408: "too slow\n",
    413: "too large\n",
    503: "try again later\n",
}

log = logging.getLogger(__name__)

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Door:
    """Where one platform's webhooks come in.

    Args:
        verifier: knows the platform's signature.
        hearing: reads what makes an event one and the same.
        answer: the status that the platform expects: Orkestra 204, others 200.
    """

    verifier: Verifier
    hearing: Hearing
    answer: int = 200


@dataclass(slots=True)
class _Store:
    """The blocking side: a few threads with the database, never waited for beyond a limit."""

    database: Database
    vault: Vault
    wait_s: float
    pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_THREADS, "payouts-webhooks")
    )

    async def does(self, work: Callable[[], _Made]) -> _Made | None:
        """What the work gives; nothing where the database is away or too slow."""
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.wait_for(loop.run_in_executor(self.pool, work), self.wait_s)
        except (SQLAlchemyError, psycopg.Error, TimeoutError) as error:
            log.warning("webhook_not_stored error=%s", type(error).__name__)
            return None

    def keep(self, provider: str, door: Door, raw: bytes) -> bool:
        """Whether it is new; stored in either case."""
        return inbox.keep(self.database, self.vault, door.hearing, provider=provider, raw=raw)

    def answers(self) -> bool:
        """Ask the database for anything."""
        with self.database.reading() as connection:
            return connection.execute(text("SELECT true")).scalar_one() is True


def make_app(
    database: Database,
    vault: Vault,
    doors: Mapping[str, Door],
    *,
    hosts: Collection[str],
    wait_s: float = 8.0,
    refused: Callable[[str], None] = lambda _provider: None,
    reached: Callable[[str], None] = lambda _point: None,
) -> FastAPI:
    """The receiver as an ASGI application.

    Args:
        doors: by provider; others are not found.
        hosts: what the header `Host` may name, without port.
        wait_s: how long the database may take; Orkesta waits 10 s for an answer (OKS-hook).
        refused: told whenever a signature of a provider did not match.
        reached: called at named points (a no-op; the crash journeys put failpoints there).
    """
    store = _Store(database, vault, wait_s)
    # No documentation routes, and no redirect that would turn a POST into a GET.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)

    async def webhook(request: Request) -> Response:
        provider = request.path_params["provider"]
        door = doors.get(provider)
        if door is None:
            return _plain(404)
        try:
            raw = await bodies.read(request)
        except bodies.BodyError as error:
            return _plain(error.status)
        if not door.verifier(request.scope["headers"], raw):
            refused(provider)
            return _plain(401)
        if not bodies.is_strict(raw):
            return _plain(400)
        reached("before_store")
        if await store.does(lambda: store.keep(provider, door, raw)) is None:
            return _plain(503)
        # Only now is it on disk, so only now may the platform forget it (P17).
        reached("after_store")
        return Response(status_code=door.answer)

    async def healthz(_request: Request) -> Response:
        return Response(status_code=200) if await store.does(store.answers) else _plain(503)

    app.add_route("/webhooks/{provider}", webhook, methods=["POST"])
    app.add_route("/healthz", healthz, methods=["GET"], include_in_schema=False)
    add_landings(app.router)
    app.add_exception_handler(HTTPException, _told)
    app.add_middleware(_KnownHosts, hosts=frozenset(name.lower() for name in hosts))
    return app


async def _told(_request: Request, error: Exception) -> Response:
    """Every answer of the framework itself as plain as ours."""
    return _plain(error.status_code if isinstance(error, HTTPException) else 500)


def _plain(status: int) -> Response:
    return PlainTextResponse(_STATUS_TEXTS.get(status, "error\n"), status)


class _KnownHosts:
    """Refuses requests that name another host than ours, as those of a rebound name do."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what names a host of ours."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        given = [value for name, value in scope.get("headers", ()) if name == b"host"]
        host = given[0].decode("latin-1").lower() if len(given) == 1 else ""
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if scope["type"] == "http" and name.strip("[]") in self.hosts:
            await self.app(scope, receive, send)
        else:
            await _plain(400)(scope, receive, send)
