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
    POST   /_control/approve     {"payment": id}: an approver of Orkesta's approves; null: all
    POST   /_control/return      {"effect": id, "amount_minor"?}: a paid one comes back, or a part
    POST   /_control/statement   {"platform", "format"?}: what the payer's bank shows (`statement`)
    GET    /_control/webhooks    the endpoints and the last 1,000 deliveries (see `webhooks`)
    POST   /_control/webhooks    {"enable": platform}: an endpoint that was switched off is on again
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from payouts.sandbox.faults import rules_of
from payouts.sandbox.http import Reply, Wire
from payouts.sandbox.statement import as_csv, statement

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.sandbox.books import Books
    from payouts.sandbox.faults import Faults
    from payouts.sandbox.http import Request
    from payouts.sandbox.returns import Returns
    from payouts.sandbox.settings import Settings
    from payouts.sandbox.webhooks import Webhooks

__all__ = ["CONTROL", "Control"]

CONTROL: Final = "/_control/"

_HOLD: Final = ("orkesta", "orkestra")  # platforms whose payments can be held

Document: TypeAlias = Any  # JSON


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
        webhooks: Webhooks,
        returns: Returns,
        *,
        requests: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self._books = books
        self._settings = settings
        self._faults = faults
        self._webhooks = webhooks
        self._returns = returns
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

    def _route(self, method: str, name: str, document: Document) -> Reply:
        does = {
            "GET health": self._health,
            "GET faults": self._faults_shown,
            "POST faults": self._use,
            "DELETE faults": self._clear,
            "GET settings": self._settings_shown,
            "POST settings": self._change,
            "GET webhooks": self._webhooks_shown,
            "POST webhooks": self._enable,
            "POST release": self._release,
            "POST approve": self._approve,
            "POST return": self._return,
            "POST statement": self._statement,
        }.get(f"{method} {name}")
        if does is None:
            return Reply(404, {"code": "not_found", "message": "There is no such control"})
        return does(document)

    def _health(self, _: Document) -> Reply:
        counts = {"effects": self._books.effects, "requests": self._requests()}
        return Reply(200, {"status": "ok", **counts})

    def _faults_shown(self, _: Document) -> Reply:
        return Reply(200, self._faults.shown())

    def _use(self, script: Document) -> Reply:
        self._faults.use(rules_of(script))
        return self._faults_shown(None)

    def _clear(self, _: Document) -> Reply:
        self._faults.use(())
        return self._faults_shown(None)

    def _settings_shown(self, _: Document) -> Reply:
        return Reply(200, self._settings.shown())

    def _change(self, wanted: Document) -> Reply:
        self._settings.change(wanted)
        self._webhooks.wake()
        return self._settings_shown(None)

    def _webhooks_shown(self, _: Document) -> Reply:
        return Reply(200, self._webhooks.shown())

    def _enable(self, document: Document) -> Reply:
        self._webhooks.enable(_named(document, "enable"))
        return self._webhooks_shown(None)

    def _release(self, document: Document) -> Reply:
        return self._let_go(_named(document, "effect"), None)

    def _approve(self, document: Document) -> Reply:
        return self._let_go(_named(document, "payment"), "orkesta")

    def _let_go(self, effect: object, platform: str | None) -> Reply:
        """Let a held payment go on, or all of them, or all of one platform."""
        name = None if effect is None else str(effect)
        found = None if name is None else self._books.find(name)
        if name is not None and (found is None or platform not in {None, found[1]["platform"]}):
            return Reply(404, {"code": "not_found", "message": "There is no such effect"})
        held = self._books.held
        one = platform if found is None else found[1]["platform"]
        for whose in _HOLD if one is None else (one,):
            names = [each for each, of in held.items() if of == whose and name in {None, each}]
            line = {"kind": "release", "platform": whose, "at": self._clock()}
            self._books.append({**line, "effect": name, "held": names})
        return Reply(200, {"released": name})

    def _return(self, document: Document) -> Reply:
        effect, amount = _named(document, "effect"), document.get("amount_minor")
        if amount is not None and type(amount) is not int:
            raise ValueError("amount_minor is a whole number of minor units")
        if not self._returns.send_back(str(effect), amount):
            return Reply(404, {"code": "not_found", "message": "There is no such effect"})
        return Reply(200, {"returned": effect})

    def _statement(self, document: Document) -> Reply:
        lines = statement(
            str(_named(document, "platform")),
            books=self._books,
            faults=self._faults,
            returns=self._returns,
            now=self._clock(),
        )
        if document.get("format") == "csv":
            return Reply(200, raw=as_csv(lines).encode(), media_type="text/csv")
        return Reply(200, {"lines": lines})


def _named(document: Document, name: str) -> Any:  # noqa: ANN401  JSON
    if not isinstance(document, dict) or name not in document:
        raise ValueError(f'this takes an object with "{name}"')
    return document[name]
