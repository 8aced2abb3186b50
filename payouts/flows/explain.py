"""Why an item is where it is: the present cause, what happens next, when, and who has to act.

A pure judgement over what was read; `payouts explain`, the report and the lists show it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from payouts.core.ids import public_id
from payouts.core.items import FINAL, State
from payouts.store.awaited import Awaited

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from payouts.store.queries import HoldRow, ItemRow, LaneRow
    from payouts.store.resolutions import Proposal

__all__ = ["STATES", "AsSent", "Present", "as_sent", "code_word", "meaning", "present"]

STATES: Final = {
    State.PENDING: "accepted, waits for approval",
    State.APPROVED: "approved, is sent when due",
    State.SENDING: "the request may be on the wire",
    State.UNKNOWN: "no readable answer: the money counts as gone until evidence says otherwise",
    State.PROCESSING: "the platform has it and it is not final",
    State.REVIEW: "automation has stopped, people decide",
    State.SETTLED: "the platform says paid",
    State.RECONCILED: "matched to a statement line",
    State.FAILED: "proven not paid",
    State.RETURNED: "was paid, the money came back",
    State.CANCELLED: "stopped before execution",
    State.EXPIRED: "its deadline passed and nothing was executed",
}
"""One clause per state (ARCHITECTURE §5)."""

_WORDS: Final = {
    "account_closed": "the destination account is closed",
    "account_blocked": "the destination account is blocked",
    "account_not_found": "the destination account does not exist",
    "invalid_account": "the destination account does not exist",
    "name_mismatch": "the name does not match the holder of the account",
    "rejected_by_bank": "the receiving bank sent the payment back",
    "unsupported_currency": "the platform does not pay this currency here",
    "unsupported_method": "the platform does not pay by this method here",
    "limit_exceeded": "a limit of the platform was exceeded",
    "validation_error": "the platform found a field of the payment wrong",
    "vault_away": "who keeps the keys of account data cannot be reached",
    "try_later": "the platform could not take the payment then",
    "temporarily_unavailable": "the platform could not take the payment then",
    "insufficient_funds": "the account at the platform had not enough money",
    "failed": "the platform gave no reason",
    "listed_twice": "the reply named the payment twice, with different content",
    "not_in_reply": "the reply did not name the payment",
    "unknown_status_word": "the platform used a status word that its contract does not have",
    "amount_differs": "the platform answered with another amount or currency",
    "reference_differs": "the platform answered with another reference",
    "payment_id_differs": "the platform's payment id contradicts an earlier one",
    "no_id": "the platform accepted it without giving an id",
    "not_an_object": "the reply was not what the contract says",
    "not_listed_error_code": "the platform refused it with a code that its contract does not list",
    "worker_lost": "the worker died while the request may have been on the wire",
    "no_evidence": "nothing more can be found out by asking the platform",
    "key_life_over": "the platform may have forgotten the key: sending again could pay twice",
    "resends_used": "it was sent again under its key as often as is allowed, and no answer was clear",
    "credentials_changed": "it was sent with other credentials, where its key means nothing now",
    "payment_gone": "the platform had taken it and does not have it any more",
    "not_found": "the platform does not have it under our reference, and knows no keys",
    "found_twice": "the platform has two payments of its reference",
    "cancel_asked": "somebody asked that it be cancelled before it was sent",
    "decided_by_people": "two people decided it, with evidence that they named",
    "restored_backup": "it may have been sent after the backup that the database was restored from",
    "restored_found": "a restored backup was found, and two people have not confirmed the gap",
    "not_connected": "no connection to the platform: nothing was sent",
    "certificate": "the platform's certificate was not accepted: nothing was sent",
    "nothing_sent": "nothing was sent",
    "send_by_passed": "the worker was too late to send: nothing was sent",
    "our_request": "our own request was malformed: nothing was sent",
    "write_broken": "the connection broke while the request was being sent",
    "read_timeout": "the platform did not answer in time",
    "read_broken": "the connection broke before the answer was read",
    "deadline": "the answer did not end within the deadline",
    "cancelled": "the request was given up while it was open",
    "too_large": "the answer was larger than anything sensible",
}
_HTTP: Final = re.compile(r"http_([1-5][0-9]{2})")
_STATUS: Final = {
    402: "the platform says that the account has not enough money",
    401: "the platform does not accept our credentials",
    403: "our credentials may not do this",
    404: "the platform does not know the route",
    408: "the platform gave up waiting for the request",
    409: "the platform says that this conflicts with something it has",
    429: "the platform asked to slow down: nothing was executed",
    503: "the platform was unavailable",
}


def meaning(code: str | None) -> str:
    """A clause for the code of an event; a platform's own words come back as they are.

    >>> meaning("account_closed"), meaning("http_502"), meaning("bisect:250")[:28]
    ('the destination account is closed', 'the platform answered 502', 'the request was refused as a')
    """
    if code is None:
        return ""
    if code.startswith("bisect:"):
        return "the request was refused as a whole: it is sent in halves to find the item at fault"
    found = _HTTP.fullmatch(code)
    if found:
        status = int(found[1])
        return _STATUS.get(status, f"the platform answered {status}")
    word, _, said = code.partition(": ")
    return _WORDS.get(word) or (said and f"{said[0].lower()}{said[1:]}") or code


def code_word(code: str | None) -> str:
    """The code without the platform's sentence behind it.

    >>> code_word("account_closed: The destination account is closed"), code_word(None)
    ('account_closed', 'no code')
    """
    return "no code" if code is None else code.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Present:
    """Why an item is where it is.

    Args:
        cause: one clause.
        action: what happens next, or what somebody has to do.
        when: the earliest time of it; none where it depends on somebody or nothing is to come.
        command: what to type; empty where nothing is to be typed.
        until: it may be sent again under its key until then; later that could pay twice.
        notes: what people said of it and wait for, each a sentence.
    """

    cause: str
    action: str
    when: datetime | None = None
    command: str = ""
    until: datetime | None = None
    notes: tuple[str, ...] = ()


def present(
    item: ItemRow,
    *,
    holds: Sequence[HoldRow] = (),
    lane: LaneRow | None = None,
    keyed: Mapping[str, float] | Collection[str] = (),
    replaced_by: int | None = None,
    awaited: Awaited | None = None,
) -> Present:
    """Judge one item.

    Args:
        holds: open holds of its run; those of other items are passed over.
        lane: its lane.
        keyed: providers that have at most one effect per key, with the seconds for which they are
            sure to remember one where that is known.
        replaced_by: the item that pays it again.
        awaited: what else is known of it.
    """
    waits = awaited or Awaited()
    covering = [hold for hold in holds if hold.item_id in {None, item.id}]
    made = _present(item, _Facts(covering, lane, keyed, replaced_by, waits))
    until = None
    if item.state == State.UNKNOWN and isinstance(keyed, Mapping) and item.provider in keyed:
        used = waits.key_used_at
        until = used + timedelta(seconds=keyed[item.provider]) if used is not None else None
    return replace(made, until=until, notes=tuple(_notes(item, waits)))


class _Facts(NamedTuple):
    """What `present` was told, beside the item."""

    covering: Sequence[HoldRow]
    lane: LaneRow | None
    keyed: Collection[str]
    replaced_by: int | None
    waits: Awaited


def _present(item: ItemRow, facts: _Facts) -> Present:  # noqa: PLR0911  one answer per state
    run = public_id("run", item.run_id)
    covering, lane, keyed, replaced_by, waits = facts
    match State(item.state):
        case State.PENDING:
            return _pending(run, item, covering)
        case State.APPROVED:
            return _approved(run, item, covering, lane)
        case State.SENDING:
            return Present(
                STATES[State.SENDING],
                "the answer is recorded when it comes; if the worker died, the next one finds out",
                command="payouts worker",
            )
        case State.UNKNOWN:
            return _unknown(run, item, covering, keyed, waits)
        case State.PROCESSING:
            return _processing(item, waits)
        case State.REVIEW:
            return _review(item, waits)
        case State.SETTLED | State.RECONCILED:
            return Present(STATES[State(item.state)], "nothing is to be done")
        case _:
            return _not_paid(item, replaced_by)


def _notes(item: ItemRow, waits: Awaited) -> Iterator[str]:
    """What people said of an item, and what stands in its way."""
    asked = waits.cancelling
    if asked is not None and item.state not in FINAL:
        yield (
            f"{asked.actor} asked on {asked.asked_at:%Y-%m-%d %H:%M} UTC that it be cancelled"
            f" ({asked.reason}): it is not sent again"
        )
    for one in waits.proposals:
        yield (
            f"{one.first_actor} proposed {one.decision} on {one.first_at:%Y-%m-%d %H:%M} UTC"
            f" ({one.reason}; {one.evidence}): somebody else has to say the same"
        )
    if item.state not in FINAL:
        for one_restored in waits.restored:
            until = one_restored.allowed_until
            yield (
                f"a restored backup was found on {one_restored.noticed_at:%Y-%m-%d %H:%M} UTC:"
                f" two people confirm before {item.provider} is sent to"
                + (f" after {until:%Y-%m-%d %H:%M} UTC" if until is not None else "")
            )


def _processing(item: ItemRow, waits: Awaited) -> Present:
    said = f" (its word: {item.provider_status})" if item.provider_status else ""
    action = "it is asked again; a webhook shortens that"
    if waits.cancelling is not None:
        action = "it is asked to cancel, and then what became of it"
    when = min((at for at in (item.check_at, waits.look_due_at) if at is not None), default=None)
    return Present(f"{item.provider} has it and it is not final{said}", action, when)


def _review(item: ItemRow, waits: Awaited) -> Present:
    name = public_id("itm", item.id)
    proposal: Proposal | None = next(iter(waits.proposals), None)
    decision = proposal.decision if proposal is not None else "settled|failed|approved"
    who = "a second person decides" if proposal is not None else "two people decide, with evidence"
    if waits.attempt_until is not None:
        who += ", when no attempt can be on the wire any more"
    return Present(
        f"automation has stopped: {meaning(item.code) or 'see the time line'}",
        f"{who}; a webhook or a statement that speaks of it moves it on, too;"
        " by itself it is not sent again",
        waits.attempt_until or waits.look_due_at,
        f"payouts resolve {name} --as {decision} --reason … --evidence …",
    )


def _pending(run: str, item: ItemRow, holds: Sequence[HoldRow]) -> Present:
    if any(hold.reason == "funds" for hold in holds):
        return Present(
            f"the funding account {item.funding} has not enough {item.currency}",
            "it is approved when money is booked in",
            command=f"payouts fund {item.funding} AMOUNT {item.currency} --reason …",
        )
    return Present(
        "the run is not approved",
        "somebody approves the run",
        command=f"payouts approve {run} --reason …",
    )


def _approved(run: str, item: ItemRow, holds: Sequence[HoldRow], lane: LaneRow | None) -> Present:
    if holds:
        return Present(
            f"held: {holds[0].reason} ({holds[0].detail})",
            "somebody says that it is right",
            command=_ends(run, holds[0]),
        )
    if lane is not None and lane.paused_at is not None:
        return Present(
            f"the lane {lane.provider}/{lane.funding} is paused: {meaning(lane.reason)}",
            "after the cause is gone somebody resumes the lane",
            command=_goes_on(run, lane),
        )
    if item.tries:
        return Present(
            f"send {item.tries} was proven not executed: {meaning(item.code)}",
            "it is sent again when due",
            item.due_at,
            f"payouts retry {run}",
        )
    return Present("approved, not sent yet", "a worker sends it when due", item.due_at)


def _unknown(
    run: str,
    item: ItemRow,
    holds: Sequence[HoldRow],
    keyed: Collection[str],
    waits: Awaited,
) -> Present:
    cause = meaning(item.code) or "no readable answer"
    if waits.look_due_at is not None:
        action = f"a look at {item.provider} is due ({waits.look_reason} asked for it)"
        return Present(cause, action, waits.look_due_at)
    if item.provider_ref is not None:
        return Present(cause, f"{item.provider} is asked for {item.provider_ref}", item.check_at)
    if waits.cancelling is None and item.provider in keyed and item.due_at is not None:
        action = "it is sent again under the same key, which cannot pay it twice"
        if holds:
            action += "; a hold is in the way"
            return Present(cause, action, command=_ends(run, holds[0]))
        return Present(cause, action, item.due_at)
    return Present(
        cause,
        f"a webhook of {item.provider} that names it, a statement or the platform's written answer"
        " has to decide; without any it goes to review",
        item.check_at,
        f"payouts resolve {public_id('itm', item.id)} --as … --reason … --evidence …",
    )


def _goes_on(run: str, lane: LaneRow) -> str:
    """The command that ends a pause."""
    reason = lane.reason or ""
    if reason == "restored_found":
        return f"payouts resume {lane.provider} --confirm-restored --reason …"
    if reason.startswith("person:"):
        return f"payouts resume {lane.provider}/{lane.funding} --reason …"
    return f"payouts retry {run}"


def _ends(run: str, hold: HoldRow) -> str:
    """The command that ends a hold."""
    if hold.reason == "person":
        what = run if hold.item_id is None else public_id("itm", hold.item_id)
        return f"payouts release {what} --reason …"
    return f"payouts approve {run} --reason …"


def _not_paid(item: ItemRow, replaced_by: int | None) -> Present:
    cause = meaning(item.code) or STATES[State(item.state)]
    if replaced_by is not None:
        again = public_id("itm", replaced_by)
        return Present(cause, f"it is paid again by {again}", command=f"payouts explain {again}")
    return Present(
        cause,
        "final; it can be paid again, also to another account",
        command=f"payouts reissue {public_id('itm', item.id)}",
    )


@dataclass(frozen=True, slots=True)
class AsSent:
    """What of a sealed payload may be shown: the account is masked.

    Args:
        account: `…1234`; empty where the payout has none.
        wire: the reference that the platform knows the item by.
    """

    account: str
    name: str
    method: str
    amount: str
    wire: str


_MASK_SHOWN: Final = 4


def as_sent(body: bytes) -> AsSent:
    """Read one body of a batch, whichever connector wrote it.

    >>> as_sent(b'{"amount":1250,"method":"eft","to_account":"TR330006100519786457841326"}').account
    '…1326'
    """
    sent: dict[str, Any] = orjson.loads(body)
    receiving = sent.get("receivingBankAccount") or {}
    payee = sent.get("beneficiary") or {}
    account = str(sent.get("to_account") or receiving.get("key") or payee.get("document") or "")
    names = [payee.get("firstName"), payee.get("lastName")]
    return AsSent(
        account=f"…{account[-_MASK_SHOWN:]}" if len(account) > _MASK_SHOWN else "…" * bool(account),
        name=" ".join(dict.fromkeys(str(name) for name in names if name)),
        method=str(sent.get("method") or sent.get("paymentMethod") or "").lower(),
        amount=str(sent.get("amount", "")),
        wire=str(sent.get("reference") or sent.get("referenceId") or ""),
    )
