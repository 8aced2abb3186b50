"""Cancelling: somebody asks that an item, or a run, is not paid; that request is never forgotten.

What was not sent is cancelled at once. What may have been executed is never called cancelled by us:
the provider is asked to cancel it where it can, by an attempt that is on disk first, and a look
decides what it is then (P14). Until all that a request covers is final, nothing of it is sent.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import psycopg
from sqlalchemy.exc import DBAPIError

from payouts import jobs
from payouts.core.errors import UsageError
from payouts.core.items import FINAL
from payouts.core.outcomes import Answer
from payouts.providers.client import Client, Exchange, Permit, Timeouts, clock
from payouts.store import cancels, lanes
from payouts.store.engine import lost, passing
from payouts.store.incidents import report_incident

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from payouts.core.retry import RetryPolicy
    from payouts.providers.connector import Connector
    from payouts.store.cancels import Askable, OpenCancel
    from payouts.store.engine import Database

__all__ = ["CancelOrder", "Cancelled", "cancel", "undisturbed", "work_cancels"]

_Made = TypeVar("_Made")

_AGAIN_S = (0.02, 0.1, 0.3, 1.0)
_CHUNK = 64
_TRIES_MAX = 5
_TOO_LATE = frozenset({400, 404, 405, 409, 410, 422})
"""Said by a provider that does not cancel this payment, now or later: A-OKS-5 names 409."""
_DENIED = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What a cancel request did so far.

    Args:
        request: its key.
        new: false where the same request was open already.
        at_once: items that were cancelled now, since they were not sent.
        states: items per state of all that the request covers.
        over: all of it is final, so that the request has ended.
    """

    request: int
    new: bool
    at_once: int
    states: Mapping[str, int] = field(default_factory=dict)
    over: bool = False

    @property
    def waiting(self) -> dict[str, int]:
        """Items per state that are not final."""
        return {state: items for state, items in self.states.items() if state not in FINAL}


def cancel(
    database: Database, run_id: int, item_id: int | None = None, *, reason: str, actor: str
) -> Cancelled:
    """Ask that an item, or a whole run, is not paid, and cancel at once what was not sent.

    One transaction under the locks of the batches, so that of a claim and a cancel one is first:
    what was claimed is out and waits for evidence, what was not is never sent.

    Args:
        item_id: none for the whole run.
        actor: who asks, e.g. `person:ana`.

    Raises:
        UsageError: E_CANCEL_LATE where everything is final already.
    """
    return undisturbed(lambda: _cancel(database, run_id, item_id, reason=reason, actor=actor))


def _cancel(
    database: Database, run_id: int, item_id: int | None, *, reason: str, actor: str
) -> Cancelled:
    with database.unit() as unit:
        cancels.lock_money(unit, run_id)
        cancels.batches_of(unit, run_id, item_id)
        states = cancels.covered(unit, run_id, item_id)
        if states and all(state in FINAL for state in states):
            raise UsageError(
                "there is nothing to cancel: "
                + ", ".join(f"{items:,} {state}" for state, items in states.items()),
                hint="What is paid comes back by a refund or a recall only.",
                code="E_CANCEL_LATE",
            )
        asked = cancels.ask(unit, run_id, item_id, reason=reason, actor=actor)
        at_once = cancels.cancel_unsent(unit, run_id, item_id, actor=actor)
        cancels.settle_due(unit, run_id, item_id)
        states = cancels.covered(unit, run_id, item_id)
        over = cancels.finish(unit, asked.id, states)
        if not over:
            jobs.enqueue_cancels(unit)
        return Cancelled(asked.id, asked.new, at_once, states, over)


def undisturbed(work: Callable[[], _Made]) -> _Made:
    """Do a transaction, again where it met another in a circle.

    An approval locks money before batches and a lane batches before money; a cancel has to do with
    both. It goes with the approval; lanes do their turn again by themselves, and so does this.
    """
    for wait in _AGAIN_S:
        try:
            return work()
        except (DBAPIError, psycopg.Error) as error:
            if lost(error) or not passing(error):
                raise
            time.sleep(wait)
    return work()


# -- working what is open ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """What open cancel requests are worked with; plain values and injected parts (P27).

    Args:
        connectors: by provider; those that cannot cancel are only waited for.
        policies: by provider; their `check_waits` are the waits between attempts too.
        send_by_s: an attempt's first byte leaves within this many seconds of its commit (P20).
        lease_s: an attempt that nobody closed so long after it must have ended is taken for lost.
        reached: called at named points (a no-op; the crash journeys put failpoints there).
    """

    database: Database
    connectors: Mapping[str, Connector]
    policies: Mapping[str, RetryPolicy]
    timeouts: Timeouts
    send_by_s: float = 15.0
    lease_s: float = 30.0
    stopping: Callable[[], bool] = lambda: False
    reached: Callable[[str], None] = lambda _point: None


async def work_cancels(order: CancelOrder) -> None:
    """Work all open requests as far as they go now; a job is enqueued for what is due later."""
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, _sweep, order)
    for name, connector in order.connectors.items():
        if not connector.capabilities.cancel or order.stopping():
            continue
        first = await loop.run_in_executor(None, _claim, order, name)
        if not first:
            continue
        async with Client(
            connector.base_url,
            headers=connector.headers,
            connections=connector.capabilities.concurrency,
            timeouts=order.timeouts,
        ) as client:
            claims = first
            while claims:
                answers = await _ask(order, connector, client, claims)
                await loop.run_in_executor(None, _record, order, name, answers)
                more = not order.stopping()
                claims = await loop.run_in_executor(None, _claim, order, name) if more else []
    await loop.run_in_executor(None, _leave, order)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A cancel attempt that is on disk and may be sent."""

    asked: Askable
    attempt: int
    fence: int
    begun: float


def _sweep(order: CancelOrder) -> None:
    """End requests of which all is final; cancel what came back unsent; find lost attempts."""
    with order.database.unit() as unit:
        cancels.claim_alone(unit)
        lost = cancels.close_lost(unit, after_s=order.timeouts.overall + order.lease_s)
        jobs.enqueue_lanes(unit, lanes.ask_looks(unit, lost, reason="cancel"))
        requests = cancels.open_requests(unit)
    for request in requests:
        undisturbed(partial(_go_on, order.database, request))


def _go_on(database: Database, request: OpenCancel) -> None:
    """Cancel what came back unsent of a request, and end it when all of it is final."""
    with database.unit() as unit:
        states = cancels.covered(unit, request.run_id, request.item_id)
        if {"pending", "approved"} & states.keys():
            cancels.lock_money(unit, request.run_id)
            cancels.batches_of(unit, request.run_id, request.item_id)
            cancels.cancel_unsent(unit, request.run_id, request.item_id, actor=request.actor)
            cancels.settle_due(unit, request.run_id, request.item_id)
            states = cancels.covered(unit, request.run_id, request.item_id)
        cancels.finish(unit, request.id, states)


def _claim(order: CancelOrder, provider: str) -> list[_Claim]:
    """Write the next attempts and commit them: only then may their requests leave (P4)."""
    begun = clock()
    with order.database.unit() as unit:
        cancels.claim_alone(unit)
        waits = order.policies[provider].check_waits()
        asked = cancels.askable(unit, provider, waits_s=waits, tries_max=_TRIES_MAX, limit=_CHUNK)
        made = cancels.open_attempts(unit, asked, send_by_s=order.send_by_s) if asked else []
    order.reached("after_claim")
    return [_Claim(one, *attempt, begun) for one, attempt in zip(asked, made, strict=True)]


async def _ask(
    order: CancelOrder, connector: Connector, client: Client, claims: Sequence[_Claim]
) -> list[tuple[_Claim, Exchange]]:
    gate = asyncio.Semaphore(connector.capabilities.concurrency)

    async def send(claim: _Claim) -> tuple[_Claim, Exchange]:
        permit = Permit(claim.attempt, claim.fence, claim.begun + order.send_by_s)
        async with gate:
            order.reached("before_send")
            exchange = await client.send(connector.cancel(claim.asked.ref), permit)
            order.reached("after_send")
            return claim, exchange

    return list(await asyncio.gather(*map(send, claims)))


def _record(order: CancelOrder, provider: str, answers: Sequence[tuple[_Claim, Exchange]]) -> None:
    """Close the attempts and ask for looks: what the payment is now, the provider says by GET."""
    connector = order.connectors[provider]
    with order.database.unit() as unit:
        ends = [
            (claim.attempt, _outcome(connector.answer(answer), answer), answer.status or None)
            for claim, answer in answers
        ]
        closed = lanes.close_attempts(unit, ends, table="cancel_attempt")
        lanes.insert_evidence(
            unit,
            [_proof(provider, claim, answer) for claim, answer in answers if answer.status],
        )
        looked = [claim.asked.item_id for claim, _ in answers]
        jobs.enqueue_lanes(unit, lanes.ask_looks(unit, looked, reason="cancel"))
        denied = [end for end in ends if end[0] in closed and end[1] == "refused"]
        if denied:
            _tell_denied(unit, provider, denied[0][2])
    order.reached("after_record")


def _proof(provider: str, claim: _Claim, answer: Exchange) -> dict[str, object]:
    return {
        "kind": "reply",
        "provider": provider,
        "batch_id": claim.asked.batch_id,
        "attempt_id": None,
        "item_id": claim.asked.item_id,
        "http_status": answer.status,
        "sha256": None,
        "bytes": len(answer.body),
        "excerpt": f"cancel {claim.asked.number}: http_{answer.status}",
    }


def _tell_denied(unit: Connection, provider: str, status: int | None) -> None:
    report_incident(
        unit,
        code="E_CANCEL_DENIED",
        severity=2,
        subject=provider,
        detail=f"{provider} does not let our credentials cancel payments (http_{status})",
    )


def _outcome(answer: Answer, exchange: Exchange) -> str:
    """What a cancel attempt came to; only whether it is worth another one, never a state."""
    if exchange.status in _DENIED:
        return "refused"
    if exchange.status in _TOO_LATE:
        return "too_late"
    match answer:
        case Answer.READABLE:
            return "accepted"
        case Answer.NOT_EXECUTED:
            return "not_sent"
        case Answer.CONFIGURATION:
            return "refused"
        case _:
            return "accepted" if exchange.status == _NO_CONTENT else "unclear"


_NO_CONTENT = 204


def _leave(order: CancelOrder) -> None:
    """Enqueue the next time that a provider is to be asked."""
    with order.database.unit() as unit:
        waits = [
            cancels.next_ask(
                unit,
                name,
                waits_s=order.policies[name].check_waits(),
                tries_max=_TRIES_MAX,
            )
            for name, connector in order.connectors.items()
            if connector.capabilities.cancel
        ]
        due = min((wait for wait in waits if wait is not None), default=None)
        if due is not None:
            at = lanes.now(unit) + timedelta(seconds=max(due, 0.1))
            jobs.enqueue_cancels(unit, at=at)
