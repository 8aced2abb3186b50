"""Why an item is where it is: the present cause, what happens next, when, and who has to act.

A pure judgement over what was read; `payouts explain`, the report and the lists show it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from payouts.core.ids import public_id
from payouts.core.items import State

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from payouts.store.queries import HoldRow, ItemRow, LaneRow

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
    "cancel_asked": "somebody asked that it be cancelled before it was sent",
    "decided_by_people": "two people decided it, with evidence that they named",
    "restored_backup": "it may have been sent after the backup that the database was restored from",
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
    """

    cause: str
    action: str
    when: datetime | None = None
    command: str = ""


def present(  # noqa: PLR0911  one answer per state
    item: ItemRow,
    *,
    holds: Sequence[HoldRow] = (),
    lane: LaneRow | None = None,
    keyed: Collection[str] = (),
    replaced_by: int | None = None,
) -> Present:
    """Judge one item.

    Args:
        holds: open holds of its run; those of other items are passed over.
        lane: its lane.
        keyed: providers that have at most one effect per key.
        replaced_by: the item that pays it again.
    """
    run = public_id("run", item.run_id)
    covering = [hold for hold in holds if hold.item_id in {None, item.id}]
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
            return _unknown(run, item, covering, keyed)
        case State.PROCESSING:
            said = f" (its word: {item.provider_status})" if item.provider_status else ""
            return Present(
                f"{item.provider} has it and it is not final{said}",
                "it is asked again",
                item.check_at,
            )
        case State.REVIEW:
            return Present(
                f"automation has stopped: {meaning(item.code) or 'see the time line'}",
                "evidence decides: the platform's answer to a later look, or a statement;"
                " it is not sent again",
                item.check_at,
            )
        case State.SETTLED | State.RECONCILED:
            return Present(STATES[State(item.state)], "nothing is to be done")
        case _:
            return _not_paid(item, replaced_by)


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
            command=f"payouts approve {run} --reason …",
        )
    if lane is not None and lane.paused_at is not None:
        return Present(
            f"the lane {lane.provider}/{lane.funding} is paused: {meaning(lane.reason)}",
            "after the cause is gone somebody resumes the lane",
            command=f"payouts retry {run}",
        )
    if item.tries:
        return Present(
            f"send {item.tries} was proven not executed: {meaning(item.code)}",
            "it is sent again when due",
            item.due_at,
            f"payouts retry {run}",
        )
    return Present("approved, not sent yet", "a worker sends it when due", item.due_at)


def _unknown(run: str, item: ItemRow, holds: Sequence[HoldRow], keyed: Collection[str]) -> Present:
    cause = meaning(item.code) or "no readable answer"
    if item.provider_ref is not None:
        return Present(cause, f"{item.provider} is asked for {item.provider_ref}", item.check_at)
    if item.provider in keyed and item.due_at is not None:
        action = "it is sent again under the same key, which cannot pay it twice"
        if holds:
            action += "; a hold on the run is in the way"
            return Present(cause, action, command=f"payouts approve {run} --reason …")
        return Present(cause, action, item.due_at)
    return Present(
        cause,
        f"{item.provider} cannot be asked: a statement or its written answer has to decide;"
        " without either it goes to review",
        item.check_at,
    )


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
