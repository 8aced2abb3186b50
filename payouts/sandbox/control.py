"""Control: how whoever runs the sandbox looks into it and steers it.

The paths are served beside the platforms, and on a port of their own (its address is in
`DIR/control`) that no fault touches, not even a closed port.

    GET    /_control/health      {"status": "ok", "effects", "requests"}
    GET    /_control/faults      the rules in force with `seen` and `struck`, and totals per fault
    POST   /_control/faults      put a script in force instead (see `faults`)
    DELETE /_control/faults      no faults any more
    GET    /_control/settings    the settings (see `settings`)
    POST   /_control/settings    change some of them
    POST   /_control/release     {"effect": id}: a held payment goes on; null: all that are held
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from payouts.sandbox.faults import rules_of
from payouts.sandbox.http import Reply, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.sandbox.books import Books
    from payouts.sandbox.faults import Faults
    from payouts.sandbox.http import Request
    from payouts.sandbox.settings import Settings

__all__ = ["CONTROL", "Control"]

CONTROL: Final = "/_control/"


class Control:
    """Answers the control paths, and nothing else.

    Args:
        requests: gives how many requests the platforms have had.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        books: Books,
        settings: Settings,
        faults: Faults,
        *,
        requests: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self._books = books
        self._settings = settings
        self._faults = faults
        self._requests = requests
        self._clock = clock

    def at_connect(self) -> Wire | None:
        """Serve every connection."""
        return None

    def at_head(self, request: Request) -> Wire | None:  # noqa: ARG002  no request is special
        """Read every body."""
        return None

    async def answer(self, request: Request) -> tuple[Reply, Wire]:
        """Answer one request; what it changed is on disk when this returns."""
        try:
            document = orjson.loads(request.body) if request.body else None
            reply = self._route(request.method, request.path.removeprefix(CONTROL), document)
        except ValueError as error:
            reply = Reply(422, {"code": "invalid", "message": str(error)})
        await self._books.durable()
        return reply, Wire()

    def _route(self, method: str, name: str, document: Any) -> Reply:  # noqa: ANN401  JSON
        match method, name:
            case "GET", "health":
                counts = {"effects": self._books.effects, "requests": self._requests()}
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
        if not isinstance(document, dict) or "effect" not in document:
            raise ValueError('release takes {"effect": id}, or null for all')
        effect = document["effect"]
        if effect is not None and self._books.find(str(effect)) is None:
            return Reply(404, {"code": "not_found", "message": "There is no such effect"})
        name = None if effect is None else str(effect)
        self._books.append({"kind": "release", "at": self._clock(), "effect": name})
        return Reply(200, {"released": name})
