"""Collecting: a payment link for whoever funds a run, and the money that comes by it.

    ask     row and attempt are committed → the request leaves → what came back is written
    look    the platform is asked; what it shows moves the collection, and nothing else does

An answer that was lost is never a reason to ask for the same again: the payment is searched in the
platform's list by our key, and where it is never found, its link has ended by itself. When a look
shows it paid, the money is booked into the funding account and the runs that wait for it go on, in
the transaction that moves the collection; a second look finds that done and books nothing. Success
pages and webhooks are hints to look, never evidence (A-ORT-5).
"""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import b32encode
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from payouts import jobs
from payouts.core.collections import CollectionState, Standing, after_look
from payouts.core.errors import InvariantError, UsageError
from payouts.core.ids import public_id
from payouts.core.outcomes import Answer
from payouts.flows import deposit
from payouts.providers.client import Permit, clock
from payouts.providers.strict import UnreadableError
from payouts.store import collections as store
from payouts.store.incidents import report_incident

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from payouts.flows.inbox import Heard
    from payouts.flows.review import Review
    from payouts.providers.client import Exchange, Request
    from payouts.providers.orchestrate import Intent, Orchestrate, Payment
    from payouts.store.collections import Collection
    from payouts.store.engine import Database

__all__ = ["Asked", "CollectOrder", "Looked", "ask", "hear", "look", "look_due"]

_PAGES_MAX = 200
"""Pages of the list that are searched at most: twenty thousand payments."""
_TRIES_MAX = 3
_DESCRIPTION_MAX = 140
_NOT_MADE = {Answer.NOT_EXECUTED: "not_executed", Answer.CONFIGURATION: "configuration"}


@dataclass(frozen=True, slots=True)
class CollectOrder:
    """What collections are worked with; plain values and injected parts (P27).

    Args:
        send: one request and what came of it; waits for it.
        pace: factor on every wait.
        send_by_s: an attempt's first byte leaves within this many seconds of its commit (P20).
        lease_s: after it nobody can still be sending.
        draw: random bytes for our key.
        pause: waits so many seconds.
        reached: called at named points (a no-op; the crash journeys put failpoints there).
    """

    database: Database
    connector: Orchestrate
    send: Callable[[Request, Permit | None], Exchange]
    pace: float = 1.0
    send_by_s: float = 15.0
    lease_s: float = 105.0
    looks_s: tuple[float, ...] = (5.0, 15.0, 60.0, 300.0)
    draw: Callable[[int], bytes] = secrets.token_bytes
    pause: Callable[[float], None] = time.sleep
    reached: Callable[[str], None] = lambda _point: None

    def wait_s(self, looks: int) -> float:
        """Seconds before the next look; the last wait repeats."""
        return self.looks_s[min(looks, len(self.looks_s) - 1)] * self.pace


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks to be collected.

    Args:
        funding: the funding account that the money goes to.
        intent: what the platform is told; its key is drawn here.
        run_id: the run that it is for, if there is one.
    """

    funding: str
    intent: Intent
    actor: str
    run_id: int | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found.

    Args:
        booked: it was this look that booked the money.
        runs: runs that waited for money, in order, and what was decided.
    """

    collection: Collection
    booked: bool = False
    runs: Sequence[tuple[int, Review]] = ()


# -- asking -----------------------------------------------------------------------------------------


def ask(order: CollectOrder, asked: Asked) -> Collection:
    """Have a payment made that somebody can pay; the answer may be lost, the collection never is.

    Raises:
        UsageError: E_COLLECT_CURRENCY: the platform does not take this currency; nothing was sent.
    """
    key = "C" + b32encode(order.draw(20)).decode("ascii")[:31]
    intent = replace(asked.intent, key=key, description=asked.intent.description[:_DESCRIPTION_MAX])
    request = order.connector.create(intent)
    wanted = store.Wanted(
        provider=order.connector.name,
        funding=asked.funding,
        currency=intent.currency,
        amount_minor=intent.amount_minor,
        key=key,
        description=intent.description,
        actor=asked.actor,
        valid_s=intent.expires_s,
        run_id=asked.run_id,
    )
    with order.database.unit() as unit:
        collection = store.insert(unit, wanted)
        begun, permit = clock(), _attempt(unit, order, collection, request)
    order.reached("written")
    for tries in range(1, _TRIES_MAX + 1):
        # The attempt is on disk: only now may its request leave (P4).
        exchange = order.send(request, replace(permit, send_by=begun + order.send_by_s))
        order.reached("answered")
        made, again = _answered(order, collection, permit, exchange, last=tries == _TRIES_MAX)
        if not again:
            return made
        order.pause(order.pace * tries)
        with order.database.unit() as unit:
            begun, permit = clock(), _attempt(unit, order, collection, request)
    raise InvariantError("the last attempt of a collection always ends it")


def _attempt(unit: Connection, order: CollectOrder, collection: int, request: Request) -> Permit:
    digest = hashlib.sha256(request.body or b"").digest()
    times = {"send_by_s": order.send_by_s, "lease_s": order.lease_s}
    attempt, fence = store.open_attempt(unit, collection, digest, **times)
    return Permit(attempt, fence, 0.0)


def _answered(
    order: CollectOrder, collection: int, permit: Permit, exchange: Exchange, *, last: bool
) -> tuple[Collection, bool]:
    """Write what came back; true where it was proven not executed and may be sent again."""
    answer = order.connector.answer(exchange)
    payment = _read(order, exchange) if answer is Answer.READABLE else None
    if answer is Answer.READABLE and payment is None:
        answer = Answer.UNCLEAR
    with order.database.unit() as unit:
        was = _locked(unit, collection)
        again = answer is Answer.NOT_EXECUTED and not last
        outcome = _NOT_MADE.get(answer, answer.name.lower())
        store.close_attempt(unit, permit.attempt, outcome, exchange.status or None)
        actor = was.actor
        if payment is not None:
            _found(unit, was, payment, exchange, kind="reply", actor=actor)
        elif was.state is not CollectionState.OPENING:
            pass  # somebody found it in the meantime
        elif answer in {Answer.REJECTED, *_NOT_MADE} and not again:
            code = (
                order.connector.refusal(exchange)
                if answer is Answer.REJECTED
                else exchange.failure or f"http_{exchange.status}"
            )
            store.append(unit, was, CollectionState.REFUSED, actor=actor, code=code)
            store.look_later(unit, collection, None)
        elif not again:
            code = exchange.failure or f"http_{exchange.status}"
            store.append(unit, was, CollectionState.UNCLEAR, actor=actor, code=code)
            store.look_later(unit, collection, order.wait_s(0))
        if payment is not None and not was.final:
            store.look_later(unit, collection, order.wait_s(0))
        order.reached("before_record")
        made = _locked(unit, collection)
    order.reached("recorded")
    return made, again


def _read(order: CollectOrder, exchange: Exchange) -> Payment | None:
    """The payment of a reply; none where the reply is not one, whatever it is."""
    try:
        return order.connector.read(exchange)
    except UnreadableError:
        return None


def _locked(unit: Connection, collection: int) -> Collection:
    made = store.read(unit, collection, lock=True)
    if made is None:
        raise UsageError(
            f"there is no collection {public_id('col', collection)}", code="E_COLLECTION_UNKNOWN"
        )
    return made


def _found(
    unit: Connection,
    was: Collection,
    payment: Payment,
    exchange: Exchange,
    *,
    kind: str,
    actor: str,
) -> None:
    """Note the platform's id and link; a second payment of one collection is an alarm."""
    if was.ref is not None:
        if was.ref != payment.ref:
            _alarm(unit, was, "E_COLLECTION_TWICE", 2, f"{was.ref} and {payment.ref} are both it")
        return
    evidence = _evidence(unit, was, exchange, kind=kind)
    store.append(
        unit,
        was,
        CollectionState.OPEN,
        actor=actor,
        code="found" if kind == "lookup" else None,
        ref=payment.ref,
        status=payment.status,
        link=payment.link,
        evidence=evidence,
    )


def _evidence(unit: Connection, was: Collection, exchange: Exchange, *, kind: str) -> int:
    digest = hashlib.sha256(exchange.body).digest()
    size = len(exchange.body)
    return store.keep_evidence(
        unit, was.provider, kind=kind, status=exchange.status, sha256=digest, size=size
    )


def _alarm(unit: Connection, about: Collection, code: str, severity: int, detail: str) -> None:
    subject = public_id("col", about.id)
    report_incident(unit, code=code, severity=severity, subject=subject, detail=detail)


# -- looking ----------------------------------------------------------------------------------------


def look(order: CollectOrder, collection: int, *, actor: str) -> Looked:
    """Ask the platform how a collection stands, and follow what it shows.

    Raises:
        UsageError: E_COLLECTION_UNKNOWN: there is none of this key.
    """
    with order.database.unit() as unit:
        was = _locked(unit, collection)
        within, _ = store.standing_attempt(unit, collection)
    if was.state in {CollectionState.PAID, CollectionState.REFUSED}:
        with order.database.unit() as unit:
            store.look_later(unit, collection, None)
        return Looked(was)
    exchange, shown, searched = _asked_for(order, was)
    payment = _followed(shown)
    order.reached("looked")
    with order.database.unit() as unit:
        deposit.lock(unit, was.funding)  # before the collection, as every deposit does
        was = _locked(unit, collection)
        if payment is None:
            _not_found(unit, order, was, searched=searched, within=within is not None, actor=actor)
            return Looked(_locked(unit, collection))
        if len(shown) > 1:
            refs = " and ".join(one.ref for one in shown)
            _alarm(unit, was, "E_COLLECTION_TWICE", 2, f"{refs} carry its key")
        _found(unit, was, payment, exchange, kind="lookup", actor=actor)
        was = _locked(unit, collection)
        booked, decided = _follow(unit, was, payment, exchange, actor=actor)
        order.reached("before_book" if booked else "before_look_later")
        now = _locked(unit, collection)
        store.look_later(unit, collection, None if now.final else order.wait_s(now.looks))
    order.reached("booked" if booked else "seen")
    return Looked(now, booked, decided)


def _asked_for(order: CollectOrder, was: Collection) -> tuple[Exchange, Sequence[Payment], bool]:
    """What the platform shows: by its id, else searched in the list.

    Returns the exchange, the payments that carry our key (one, none, or more than there should be),
    and whether the list was searched to its end.
    """
    connector = order.connector
    if was.ref is not None:
        exchange = order.send(connector.poll(was.ref), None)
        readable = connector.answer(exchange) is Answer.READABLE
        payment = _read(order, exchange) if readable else None
        mine = payment is not None and payment.ref == was.ref and payment.key in {was.key, None}
        return exchange, [payment] if payment is not None and mine else [], False
    page, pages = 1, 1
    exchange = order.send(connector.listing(page), None)
    while True:
        if connector.answer(exchange) is not Answer.READABLE:
            return exchange, [], False
        try:
            shown = connector.read_page(exchange)
        except UnreadableError:
            return exchange, [], False
        found = [one for one in shown.payments if one.key == was.key]
        if found:
            return exchange, found, False
        page, pages = page + 1, shown.pages
        if page > min(pages, _PAGES_MAX):
            return exchange, [], pages <= _PAGES_MAX
        exchange = order.send(connector.listing(page), None)


def _followed(shown: Sequence[Payment]) -> Payment | None:
    """The payment that is followed: of several the one that is paid, as there the money is."""
    paid = [one for one in shown if one.standing is Standing.PAID]
    return next(iter([*paid, *shown]), None)


def _not_found(
    unit: Connection,
    order: CollectOrder,
    was: Collection,
    *,
    searched: bool,
    within: bool,
    actor: str,
) -> None:
    """Nothing was learned, or the payment is not in the list.

    It is never made again: what is not in the list today may appear tomorrow. When its link must
    have ended, nobody can pay it any more and the collection is over.
    """
    _, outcome = store.standing_attempt(unit, was.id)
    waits: float | None = order.wait_s(was.looks)
    if was.ref is not None or within:
        pass
    elif was.state is CollectionState.OPENING and outcome == "not_executed":
        store.append(unit, was, CollectionState.REFUSED, actor=actor, code="not_executed")
        waits = None
    elif was.state is CollectionState.OPENING:
        store.append(unit, was, CollectionState.UNCLEAR, actor=actor, code="worker_lost")
    elif searched and was.over and was.state is CollectionState.UNCLEAR:
        store.append(unit, was, CollectionState.EXPIRED, actor=actor, code="never_found")
        waits = None
    store.look_later(unit, was.id, waits)


def _follow(
    unit: Connection, was: Collection, payment: Payment, exchange: Exchange, *, actor: str
) -> tuple[bool, Sequence[tuple[int, Review]]]:
    """Move the collection where the platform's word says; returns whether money was booked."""
    agrees = payment.agrees(was.amount_minor, was.currency)
    if payment.standing is None:
        _alarm(unit, was, "W_STATUS_WORD", 3, f"its status is '{payment.status}'")
    after = after_look(was.state, payment.standing, agrees=agrees)
    if after is None:
        return False, ()
    evidence = _evidence(unit, was, exchange, kind="lookup")
    posting: int | None = None
    decided: Sequence[tuple[int, Review]] = ()
    if after is CollectionState.PAID:
        posting = store.book(unit, was, reason=f"{public_id('col', was.id)} paid ({actor})")
        decided = deposit.go_on(unit, was.funding, actor=actor)
    elif after is CollectionState.REVIEW:
        detail = f"{payment.amount} {payment.currency} was paid"
        _alarm(unit, was, "E_COLLECTION_DIFFERS", 2, detail)
    store.append(
        unit,
        was,
        after,
        actor=actor,
        status=payment.status,
        evidence=evidence,
        posting=posting,
    )
    return posting is not None, decided


def look_due(
    order: CollectOrder,
    *,
    actor: str,
    everything: bool = False,
    stopping: Callable[[], bool] = lambda: False,
) -> list[Looked]:
    """Look at all that are due, or at `everything` that is not final."""
    with order.database.reading() as unit:
        keys = store.due(unit, everything=everything)
    return [look(order, key, actor=actor) for key in keys if not stopping()]


def hear(unit: Connection, heard: Sequence[Heard]) -> set[int]:
    """Webhooks spoke of collections: those are looked at next (A-ORT-5).

    Returns the keys of webhooks that are about nothing we know.
    """
    keys = [one.event.wire for one in heard if one.event.wire is not None]
    refs = [one.event.ref for one in heard if one.event.ref is not None]
    known = store.look_now(unit, keys, refs)
    if known:
        jobs.enqueue_collections(unit)
    return {one.id for one in heard if one.event.wire not in known and one.event.ref not in known}
