"""Problem kinds of incidents: what opens by itself and stays until a person closes it.

`severity` says how soon somebody must look: 1 money is at risk now, 2 something waits for a person,
3 to be known. What `payouts incidents` lists carries one of these codes.
"""

from __future__ import annotations

from payouts.core.problems.kind import ProblemKind, Severity

__all__ = ["INCIDENTS"]


def _incident(
    code: str, severity: Severity, message: str, hint: str, source: str = ""
) -> ProblemKind:
    return ProblemKind(code, message, hint, scope="incident", source=source, severity=severity)


_PAYMENTS: tuple[ProblemKind, ...] = (
    _incident(
        "E_RUN_DISAGREES",
        1,
        "a run is over, but its lines, items and ledger do not agree in count or money",
        "Pay nothing more of it; `payouts report RUN` writes the proof that says where they differ.",
        source="RELIABILITY P8",
    ),
    _incident(
        "E_PAID_AFTER_FAILED",
        1,
        "the platform says that a payment is paid which it had said was not",
        "It counts as paid from now on and cannot be paid again; where it was re-issued, ask the "
        "payee for the money back.",
        source="RELIABILITY §3",
    ),
    _incident(
        "E_PAID_AFTER_CANCEL",
        1,
        "the platform paid what it had said was cancelled; its lane is paused",
        "Speak with the platform: cancels cannot be relied upon. `payouts resume` lets it send.",
        source="RELIABILITY P14",
    ),
    _incident(
        "E_ALIVE_AFTER_END",
        1,
        "the platform is still working on a payment that counts as ended",
        "Do not pay it again; it is looked at until the platform says how it ended.",
        source="RELIABILITY §3",
    ),
    _incident(
        "E_FAILED_AFTER_PAID",
        2,
        "the platform says that a payment failed which it had said was paid",
        "It still counts as paid: see on the statement whether the money came back.",
        source="A-OKS-11",
    ),
    _incident(
        "E_PAID_AFTER_RETURN",
        2,
        "the platform says that a payment is paid which it had said was returned",
        "It counts as returned: see on the statement where the money is.",
        source="RELIABILITY §3",
    ),
    _incident(
        "E_EFFECT_UNSENT",
        1,
        "the platform has a payment that it should not have: it was not sent, or proven not made",
        "Its lane is paused. Find out who sent it before anything more is sent: it may be paid "
        "twice.",
        source="RELIABILITY P1",
    ),
    _incident(
        "E_LOOK_DIFFERS",
        2,
        "the platform shows another amount, currency or reference than was sent",
        "The item waits in review: compare it with the platform's own screen.",
        source="RELIABILITY P16",
    ),
    _incident(
        "E_PAYMENT_ID",
        1,
        "the platform gave one payment id to two items, or two ids to one item",
        "One of two may be unpaid, or one paid twice: ask the platform about the items named.",
        source="RELIABILITY P15",
    ),
    _incident(
        "E_UNKNOWN_REFERENCE",
        2,
        "a reply of the platform speaks of payments that we did not send with it",
        "Ask the platform whose they are; ours are not touched.",
    ),
    _incident(
        "E_REPLY_READER",
        2,
        "our own reader stumbled over a reply; the items count as unclear",
        "Nothing is lost or sent twice: report it with the platform's name.",
    ),
    _incident(
        "E_RESTORED",
        1,
        "the database is an older copy: payments may have been made that it does not know",
        "Compare the platforms' own lists of payments with this database; two people confirm with "
        "`payouts resume PROVIDER --confirm-restored --reason …`.",
        source="RELIABILITY P22",
    ),
    _incident(
        "E_CANCEL_DENIED",
        2,
        "the platform does not let our credentials cancel payments",
        "Give a key with the scope to write; the cancel requests stay open and are tried again.",
        source="A-OKS-4",
    ),
    _incident(
        "E_LANE_PAUSED",
        2,
        "nothing more is sent to the platform from this account until a person resumes it",
        "End the cause that the incident names, then `payouts resume`.",
    ),
    _incident(
        "E_COLLECTION_DIFFERS",
        2,
        "somebody paid another amount or currency by a link than was asked for; nothing is booked",
        "Compare it with the platform's own screen, then book what came with `payouts fund`.",
        source="RELIABILITY P16",
    ),
    _incident(
        "E_COLLECTION_TWICE",
        2,
        "the platform has two payments for one link that was asked for once",
        "Only one of them is followed: see on the platform's screen that the other is not paid.",
        source="PROVIDERS §2",
    ),
    _incident(
        "E_VAULT_AWAY",
        2,
        "the vault that keeps the keys of account data cannot be reached, so nothing can be sent",
        "The items stay approved. When Orchestra answers again (`payouts doctor` shows it), "
        "`payouts resume` or `payouts retry RUN` goes on.",
        source="RELIABILITY P24",
    ),
    _incident(
        "W_LATE_REPLY",
        3,
        "an answer came after its attempt had been given up; it was kept as evidence",
        "Nothing to do: what it tells is looked up.",
    ),
    _incident(
        "W_KEY_FORGOTTEN",
        2,
        "unclear payments are not sent again, since the platform may have forgotten their keys",
        "See on the platform's screen or statement whether they were paid, then `payouts resolve`.",
        source="RELIABILITY P5",
    ),
    _incident(
        "W_CREDENTIALS_CHANGED",
        2,
        "unclear payments are not sent again: the credentials belong to another account, where "
        "their keys mean nothing",
        "Put the old credentials back and they are found, or see on the platform's screen or "
        "statement whether they were paid.",
        source="RELIABILITY P1",
    ),
    _incident(
        "E_FOUND_TWICE",
        1,
        "the platform has two payments of one reference of ours",
        "Somebody may be paid twice: ask the platform which of them is real, and keep the item.",
        source="RELIABILITY P1",
    ),
    _incident(
        "E_MANY_REJECTED",
        2,
        "so much of a batch was refused that it may be the file or the account and not the payees",
        "Its lane is paused: see `payouts report` for the reasons, then `payouts resume`.",
        source="RELIABILITY §3",
    ),
    _incident(
        "W_BREAKER_OPEN",
        3,
        "the platform failed again and again and is left alone for a while; nothing is lost",
        "Nothing to do: it is tried with little, then with all. Ask the platform where it lasts.",
        source="RELIABILITY §3",
    ),
    _incident(
        "E_PAYMENT_GONE",
        2,
        "the platform does not have a payment any more that it had taken",
        "It is neither paid nor failed until the platform or a statement says so: ask them.",
        source="RELIABILITY P5",
    ),
    _incident(
        "W_STATUS_WORD",
        3,
        "the platform uses a status word that we do not know; it counts neither as paid nor failed",
        "Report the word with the platform's name.",
    ),
    _incident(
        "W_REVIEW",
        2,
        "nothing more can be found out by asking the platform, so items wait in review",
        "`payouts explain ITEM` says what is known; evidence or two people move it on.",
    ),
    _incident(
        "W_LOOK_SILENT",
        2,
        "somebody asked for a look at an item, and the platform did not tell anything",
        "See on the platform's own screen what became of it.",
    ),
)

_WEBHOOKS: tuple[ProblemKind, ...] = (
    _incident(
        "E_WEBHOOK_DIFFERS",
        2,
        "a webhook speaks of another amount, currency or reference than was sent",
        "Nothing was taken from it: the platform was asked, and its answer decides. "
        "`payouts explain ITEM` shows it; compare with the platform's own screen.",
        source="RELIABILITY P13",
    ),
    _incident(
        "E_WEBHOOK_ORPHAN",
        2,
        "a webhook speaks of a payment with a reference of our form that this database has not",
        "Another installation may pay from the same account, or this database is an older copy: "
        "find out before anything more is sent.",
        source="RELIABILITY §3",
    ),
    _incident(
        "W_WEBHOOK_ORPHAN",
        3,
        "a webhook speaks of a payment that is none of ours",
        "Somebody pays from the same account by hand or with another program; nothing to do here.",
        source="RELIABILITY §3",
    ),
    _incident(
        "E_WEBHOOK_POISONED",
        2,
        "a webhook could not be read or applied; it is kept, and the next ones are not held up",
        "Polling finds out the same, later. Report the words of the error with the platform's "
        "name.",
        source="RELIABILITY P18",
    ),
    _incident(
        "W_WEBHOOK_ID_REUSED",
        3,
        "the platform used the id of an event for another content; both are kept and looked into",
        "Nothing to do, unless it happens often: then ask the platform why.",
        source="A-OKS-7",
    ),
)

INCIDENTS: tuple[ProblemKind, ...] = (*_PAYMENTS, *_WEBHOOKS)
