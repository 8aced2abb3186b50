"""The network of the simulation: the production client up to its wire, and what befalls a request.

`SimClient` is the product's own `Client`; only what touches httpx is replaced. A request arrives
at the platform on its own, whatever becomes of whoever sent it. Failures are httpx's exceptions,
so that the client's table of them is what maps them.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import httpx

from payouts.providers.client import Client, Exchange, Permit, Request, Timeouts
from tests.simulation.platform import Reply
from tests.simulation.virtual import WORKER, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.simulation.plan import Fault
    from tests.simulation.platform import Platform
    from tests.simulation.virtual import VirtualLoop

__all__ = ["PROVEN", "Network"]

_WIRE_S = 0.05  # from us to the platform, and back

_STATUS = {
    "server_error": 500,
    "bad_gateway": 502,
    "throttled": 429,
    "throttled_no_time": 429,
    "unavailable": 503,
    "locked": 423,
    "unauthorized": 401,
    "forbidden": 403,
    "no_route": 404,
    "not_found": 404,
    "payment_required": 402,
    "whole_batch_400": 400,
    "bad_request": 422,
    "request_timeout": 408,
    "in_progress": 409,
    "moved": 307,
    "error_after": 500,
    "unavailable_after": 503,
    "late_effect_error": 504,
    "no_content": 204,
    "partial_content": 206,
}
_BEFORE = frozenset(_STATUS) - {
    *("error_after", "unavailable_after", "late_effect_error", "no_content", "partial_content"),
    *("in_progress", "request_timeout"),
}
"""Answered instead of being done."""


PROVEN = frozenset(
    {
        *("refused", "no_pool", "throttled", "throttled_no_time", "locked", "unauthorized"),
        *("forbidden", "no_route", "payment_required", "whole_batch_400", "bad_request", "slow"),
        *("shuffled", "duplicated", "stranger"),
    }
)
"""After these nothing is unclear: not executed, or read as it is."""

_REFUSALS = frozenset({400, 401, 402, 403, 404, 422, 423, 429})
_QUIET_S = 900.0  # RELIABILITY §3: an unclear item is left alone for a quarter of an hour
_WIRE_REFERENCE = re.compile(rb'"P[A-Z2-7]{31}"')


class Network:
    """Between the engine and one platform.

    Args:
        faults: what befalls which request.
        wires: of the plan's items, in their order.
        tell: hears one line per request, for the trace.
        leaving: judges a submission at the moment in which it leaves.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        platform: Platform,
        *,
        faults: Sequence[Fault],
        wires: Sequence[str],
        tell: Callable[[str], None],
        leaving: Callable[[list[str]], Iterable[str]],
    ) -> None:
        self.loop, self.platform, self.tell, self.leaving = loop, platform, tell, leaving
        self.wires = wires
        self.by_call = {(f.call, f.nth): f for f in reversed(faults) if f.item is None}
        self.by_item = {(wires[f.item], f.nth): f for f in reversed(faults) if f.item is not None}
        self.counts: Counter[str] = Counter()
        self.fired: list[str] = []
        self.struck: dict[str, set[str]] = defaultdict(set)
        """Wire reference -> names of the faults that befell a request with it."""
        self.bytes: dict[str, bytes] = {}
        self.unclear_at: dict[str, float] = {}
        """Since when a single payout is unclear; a batch would show it by a second effect."""
        self.broken: list[str] = []

    def heal(self) -> None:
        """From here on nothing befalls a request."""
        self.by_call.clear()
        self.by_item.clear()

    def client(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        connections: int,
        timeouts: Timeouts | None = None,
    ) -> Client:
        """What `flows.lane` calls where it would open connections."""
        del base_url
        return _SimClient(self, headers, connections, timeouts or Timeouts())

    async def carry(self, request: Request, headers: Mapping[str, str]) -> Exchange:
        """One request there, and what comes back."""
        call = {"POST": "submit", "DELETE": "cancel"}.get(request.method, "poll")
        self.counts[call] += 1
        fault = self.by_call.get((call, self.counts[call]))
        if call == "submit":
            wires = self._left(request.body or b"")
            hit = [self.by_item.get((wire, self.counts[wire])) for wire in wires]
            fault = next((each for each in hit if each is not None), fault)
        else:
            effect = self.platform.effects.get(request.path.rpartition("/")[2])
            wires = [effect.wire] if effect is not None else []
        name = fault.name if fault is not None else ""
        self.tell(f"{call} {self.counts[call]} {name or 'well'}")
        if fault is None:
            return _exchange(await self._arrives(request, headers, _WIRE_S))
        self.fired.append(name)
        for wire in wires:
            self.struck[wire].add(name)
        if request.path != "/payouts" or name in PROVEN:
            return await self._befallen(request, headers, fault)
        self.unclear_at[wires[0]] = self.loop.now
        exchange = await self._befallen(request, headers, fault)
        if exchange.status in _REFUSALS:
            del self.unclear_at[wires[0]]
        return exchange

    def _left(self, body: bytes) -> list[str]:
        """What must hold of every submission when it leaves: its wire references, judged."""
        found = [match.group()[1:-1].decode() for match in _WIRE_REFERENCE.finditer(body)]
        rows = body.strip(b"[]").replace(b'},{"amount', b'}\n{"amount').split(b"\n")
        for wire in found:
            self.counts[wire] += 1
            mine = next((row for row in rows if wire.encode() in row), b"")
            if self.bytes.setdefault(wire, mine) != mine:
                self.broken.append(f"{wire} was sent again with other bytes")
            quiet = self.loop.now - self.unclear_at.pop(wire, -_QUIET_S)
            if quiet < _QUIET_S:
                self.broken.append(f"{wire} was sent again {quiet:.0f} s after an unclear answer")
        self.broken += self.leaving(found)
        return found

    def _arrives(
        self, request: Request, headers: Mapping[str, str], after_s: float
    ) -> asyncio.Future[Reply]:
        """The platform does it then, also when nobody waits for it any more."""
        done: asyncio.Future[Reply] = self.loop.create_future()

        def arrive() -> None:
            reply = self.platform.answer(request.method, request.path, headers, request.body)
            if not done.done():
                self.loop.call_later(
                    _WIRE_S, lambda: None if done.done() else done.set_result(reply)
                )

        self.loop.call_later(after_s, arrive, context=contextvars.Context())
        return done

    async def _befallen(  # noqa: C901  one arm per fault is the table
        self, request: Request, headers: Mapping[str, str], fault: Fault
    ) -> Exchange:
        name = fault.name
        if name == "refused":
            raise httpx.ConnectError("refused")
        if name == "no_pool":
            raise httpx.PoolTimeout("no connection")
        if name == "lost_request":
            await asyncio.sleep(min(fault.seconds, 30.0))
            raise httpx.ReadError("lost")
        if name in _BEFORE:
            await asyncio.sleep(_WIRE_S)
            asked = {"throttled": "7", "unavailable": "2", "throttled_no_time": "soon"}.get(name)
            return Exchange(_STATUS[name], b"{}", asked)
        if name in {"late_effect", "late_effect_error"}:
            # It is done long after we were told that it failed, or heard nothing.
            self._arrives(request, headers, min(fault.seconds, 600.0))
            await asyncio.sleep(_WIRE_S)
            if name == "late_effect":
                raise httpx.ReadError("reset")
            return Exchange(504, b"")
        if name == "slow":
            return _exchange(await self._arrives(request, headers, min(fault.seconds, 40.0)))
        reply = await self._arrives(request, headers, _WIRE_S)
        if name == "lost_reply":
            await asyncio.sleep(30.0)
            raise httpx.ReadTimeout("nothing came")
        if name == "reset_reply":
            raise httpx.RemoteProtocolError("closed")
        if name == "hang":
            await asyncio.sleep(3600.0)
        if name in _STATUS:
            return Exchange(_STATUS[name], b"")
        return _spoilt(reply, fault)


def _exchange(reply: Reply) -> Exchange:
    return Exchange(reply.status, reply.encoded(), reply.headers.get("retry-after"))


def _spoilt(reply: Reply, fault: Fault) -> Exchange:  # noqa: C901, PLR0911, PLR0912  as above
    """The reply with something wrong; where it does not apply, as it was."""
    name, body = fault.name, reply.encoded()
    match name:
        case "html":
            return Exchange(200, b"<html><body>It works</body></html>")
        case "empty":
            return Exchange(200, b"")
        case "cut":
            return Exchange(reply.status, body[: fault.which % max(1, len(body))])
        case "malformed":
            return Exchange(reply.status, body.replace(b":", b"=", 1))
        case "repeated_key":
            spoilt = body.replace(b'"status":', b'"status": "settled", "status":', 1)
            return Exchange(reply.status, spoilt)
        case "accepted_only":
            return Exchange(202, b'{"accepted": true}')
        case _:
            pass
    rows = reply.document if isinstance(reply.document, list) else [reply.document]
    rows = [dict(row) for row in rows]
    if reply.status >= 300 or not rows:
        return _exchange(reply)
    row = rows[fault.which % len(rows)]
    match name:
        case "missing":
            rows.remove(row)
        case "shuffled":
            rows.reverse()
        case "duplicated":
            rows.append(dict(row))
        case "twice_different":
            rows.append(row | {"status": "failed", "error": {"code": "account_closed"}})
        case "stranger":
            rows.append(row | {"id": "pay_stranger", "reference": "P" + "A" * 31})
        case "no_reference":
            for each in rows:
                each.pop("reference", None)
                each.pop("referenceId", None)
        case "unknown_word" if "id" in row:
            row["status"] = "dispatched"
        case "other_amount" if "amount" in row:
            row["amount"] = row["amount"] + 1
        case "other_currency" if "currency" in row:
            row["currency"] = "USD"
        case "other_reference":
            for key in {"reference", "referenceId"} & set(row):
                row[key] = "P" + "B" * 31
        case "other_id" if "id" in row and len(rows) > 1:
            row["id"] = next((r["id"] for r in rows if r is not row and "id" in r), row["id"])
        case "no_id":
            row.pop("id", None)
        case "stale" if row.get("status") in {"settled", "failed", "PAID", "FAILED"}:
            row["status"] = "processing" if row["status"].islower() else "PENDING"
            row.pop("error", None)
        case _:
            pass
    document = rows if isinstance(reply.document, list) else (rows or [{}])[0]
    return _exchange(Reply(reply.status, document))


class _SimClient(Client):
    """The product's client, but for httpx."""

    def __init__(
        self, network: Network, headers: Mapping[str, str], connections: int, timeouts: Timeouts
    ) -> None:
        self.timeouts, self.network, self.headers = timeouts, network, headers
        self._clock = network.loop.time
        self._all: list[Any] = []
        self._idle: asyncio.Queue[Any] = asyncio.LifoQueue()
        for place in range(connections):
            self._idle.put_nowait(place)

    async def send(self, request: Request, permit: Permit | None = None) -> Exchange:
        """As the product does, by a process that may be frozen or dead."""
        await self._thawed()
        exchange = await super().send(request, permit)
        await self._thawed()
        return exchange

    async def _exchange_by(self, http: Any, request: Request) -> Exchange:  # noqa: ANN401  a number here
        del http
        return await self.network.carry(request, {**self.headers, **request.headers})

    async def _thawed(self) -> None:
        worker = WORKER.get()
        if worker is None:
            return
        await frozen(self.network.loop, worker)
