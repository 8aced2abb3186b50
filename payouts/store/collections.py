"""Collections in the database: what was asked for, its attempts, its appended life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from payouts.core.collections import FINAL, CollectionState
from payouts.core.ledger import AccountKind, TransferKind
from payouts.store import bulk, lanes, runs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

__all__ = [
    "Collection",
    "Wanted",
    "append",
    "awaited",
    "book",
    "close_attempt",
    "due",
    "insert",
    "keep_evidence",
    "listed",
    "look_later",
    "look_now",
    "next_look",
    "open_attempt",
    "read",
    "standing_attempt",
]

_FINAL = [str(state) for state in FINAL]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    Args:
        funding: the funding account that the money goes to.
        key: our reference at the platform.
        valid_s: seconds after which the link ends.
    """

    provider: str
    funding: str
    currency: str
    amount_minor: int
    key: str
    description: str
    actor: str
    valid_s: int
    run_id: int | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection as it stands.

    Args:
        ref: the platform's id, once it is known.
        link: where it is paid.
        status: the platform's own word.
        code: why it is where it is.
        over: its link has ended by what was asked for, long enough ago for any delay.
    """

    id: int
    provider: str
    funding: str
    currency: str
    amount_minor: int
    run_id: int | None
    key: str
    description: str
    actor: str
    created_at: datetime
    ends_at: datetime
    state: CollectionState
    seq: int
    ref: str | None
    link: str | None
    status: str | None
    code: str | None
    since: datetime
    looks: int
    over: bool

    @property
    def final(self) -> bool:
        """Whether nobody waits any more."""
        return self.state in FINAL


_COLUMNS = (
    "id, provider, funding, currency, amount_minor, run_id, key, description, actor, created_at,"
    " ends_at, state, seq, provider_ref, link, provider_status, code, since, looks,"
    " ends_at < payouts_now() - interval '10 minutes'"
)


def insert(unit: Connection, wanted: Wanted) -> int:
    """Write what is asked for; returns its key."""
    return int(
        unit.execute(
            text(
                "INSERT INTO collection (provider, funding, currency, amount_minor, run_id, key,"
                " description, actor, ends_at) VALUES (:provider, :funding, :currency, :amount,"
                " :run, :key, :description, :actor,"
                " payouts_now() + make_interval(secs => :valid)) RETURNING id"
            ),
            {
                "provider": wanted.provider,
                "funding": wanted.funding,
                "currency": wanted.currency,
                "amount": wanted.amount_minor,
                "run": wanted.run_id,
                "key": wanted.key,
                "description": wanted.description,
                "actor": wanted.actor,
                "valid": wanted.valid_s,
            },
        ).scalar_one()
    )


def open_attempt(
    unit: Connection, collection: int, digest: bytes, *, send_by_s: float, lease_s: float
) -> tuple[int, int]:
    """Write an attempt; returns (key, fence). The collection is looked at when the lease is over."""
    row = unit.execute(
        text(
            "INSERT INTO collection_attempt (collection_id, number, request_hash, send_by,"
            " lease_until) SELECT :id, 1 + coalesce(max(number), 0), :hash,"
            " payouts_now() + make_interval(secs => :send_by),"
            " payouts_now() + make_interval(secs => :lease)"
            " FROM collection_attempt WHERE collection_id = :id RETURNING id, fence"
        ),
        {"id": collection, "hash": digest, "send_by": send_by_s, "lease": lease_s},
    ).one()
    look_later(unit, collection, lease_s)
    return int(row[0]), int(row[1])


def close_attempt(unit: Connection, attempt: int, outcome: str, status: int | None) -> None:
    """Close an attempt; one that another has closed stays as it is."""
    unit.execute(
        text(
            "UPDATE collection_attempt SET closed_at = payouts_now(), outcome = :outcome,"
            " http_status = :status WHERE id = :id AND closed_at IS NULL"
        ),
        {"id": attempt, "outcome": outcome, "status": status},
    )


def standing_attempt(unit: Connection, collection: int) -> tuple[int | None, str | None]:
    """The attempt that may still be at work, or be followed by another, and the last outcome."""
    row = unit.execute(
        text(
            "SELECT (SELECT max(id) FROM collection_attempt WHERE collection_id = :id"
            " AND (closed_at IS NULL OR outcome = 'not_executed') AND lease_until > payouts_now()),"
            " (SELECT outcome FROM collection_attempt WHERE collection_id = :id"
            " ORDER BY number DESC LIMIT 1)"
        ),
        {"id": collection},
    ).one()
    return row[0], row[1]


def read(connection: Connection, collection: int, *, lock: bool = False) -> Collection | None:
    """One collection; `lock` keeps every other writer of it out until the transaction ends."""
    if lock:
        connection.execute(
            text("SELECT FROM collection WHERE id = :id FOR NO KEY UPDATE"), {"id": collection}
        )
    row = connection.execute(
        text(f"SELECT {_COLUMNS} FROM collection_now WHERE id = :id"),  # noqa: S608  our own constant
        {"id": collection},
    ).one_or_none()
    return None if row is None else _made(row)


def listed(connection: Connection, *, limit: int) -> list[Collection]:
    """The newest first."""
    rows = connection.execute(
        text(f"SELECT {_COLUMNS} FROM collection_now ORDER BY id DESC LIMIT :limit"),  # noqa: S608  our own constant
        {"limit": limit},
    )
    return [_made(row) for row in rows]


def awaited(
    connection: Connection, run: int, currency: str, amount_minor: int
) -> Collection | None:
    """The newest collection of this money for a run that is not final; none where there is none."""
    row = connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM collection_now WHERE run_id = :run"  # noqa: S608  our own constant
            " AND currency = :currency AND amount_minor = :amount AND state <> ALL(:final)"
            " ORDER BY id DESC LIMIT 1"
        ),
        {"run": run, "currency": currency, "amount": amount_minor, "final": _FINAL},
    ).one_or_none()
    return None if row is None else _made(row)


def _made(row: Row[Any]) -> Collection:
    values: list[Any] = [*row]
    values[11] = CollectionState(values[11])
    return Collection(*values)


def due(connection: Connection, *, everything: bool = False, limit: int = 100) -> list[int]:
    """Keys of those that are due to be looked at; `everything`: of all that are not final."""
    rows = connection.execute(
        text(
            "SELECT n.id FROM collection_now n WHERE"
            " (:everything AND n.state <> ALL(:final)) OR n.look_at <= payouts_now()"
            " ORDER BY n.look_at NULLS LAST, n.id LIMIT :limit"
        ),
        {"everything": everything, "final": _FINAL, "limit": limit},
    )
    return [int(key) for (key,) in rows]


def next_look(connection: Connection) -> float | None:
    """Seconds until the next look is due; none where none ever is."""
    found = connection.execute(
        text("SELECT extract(epoch FROM min(look_at) - payouts_now())::float8 FROM collection")
    ).scalar_one()
    return None if found is None else max(0.0, float(found))


def look_later(unit: Connection, collection: int, wait_s: float | None) -> None:
    """Look again so many seconds from now; none: no more."""
    unit.execute(
        text(
            "UPDATE collection SET looks = least(looks + 1, 32000),"
            " look_at = payouts_now() + make_interval(secs => :wait) WHERE id = :id"
        ),
        {"id": collection, "wait": wait_s},
    )


def look_now(unit: Connection, keys: Sequence[str], refs: Sequence[str]) -> set[str]:
    """Make due those with one of our keys or the platform's ids; returns the keys and ids found."""
    rows = unit.execute(
        text(
            "UPDATE collection c SET look_at = payouts_now() FROM collection_now n"
            " WHERE n.id = c.id AND (n.key = ANY(:keys) OR n.provider_ref = ANY(:refs))"
            " RETURNING n.key, n.provider_ref"
        ),
        {"keys": list(keys), "refs": list(refs)},
    )
    return {str(name) for row in rows for name in row if name is not None}


def keep_evidence(
    unit: Connection, provider: str, *, kind: str, status: int, sha256: bytes, size: int
) -> int:
    """Write the evidence of a reply or look; returns its key."""
    blank: dict[str, object] = dict.fromkeys(("batch_id", "attempt_id", "item_id", "excerpt"))
    row = {"kind": kind, "provider": provider, "http_status": status, "sha256": sha256}
    (key,) = lanes.insert_evidence(unit, [{**blank, **row, "bytes": size}])
    return key


def append(
    unit: Connection,
    was: Collection,
    after: CollectionState,
    *,
    actor: str,
    code: str | None = None,
    ref: str | None = None,
    status: str | None = None,
    link: str | None = None,
    evidence: int | None = None,
    posting: int | None = None,
) -> None:
    """Append a move. Two writers of the same step cannot both succeed."""
    unit.execute(
        text(
            "INSERT INTO collection_event (collection_id, seq, before, after, actor, code,"
            " provider_ref, provider_status, link, evidence_id, posting) VALUES (:id, :seq,"
            " :before, :after, :actor, :code, :ref, :status, :link, :evidence, :posting)"
        ),
        {
            "id": was.id,
            "seq": was.seq + 1,
            "before": was.state,
            "after": after,
            "actor": actor,
            "code": code,
            "ref": ref,
            "status": status,
            "link": link,
            "evidence": evidence,
            "posting": posting,
        },
    )


def book(unit: Connection, paid: Collection, *, reason: str) -> int:
    """Book the money of a collection, from outside over the platform into its funding account.

    Returns the posting, which the move to `paid` carries.
    """
    posting = bulk.next_posting(unit)
    ways = (("external", ""), (AccountKind.COLLECTED, paid.provider), ("funding", paid.funding))
    keys = [
        runs.ensure_account(unit, kind=kind, owner=owner, currency=paid.currency)
        for kind, owner in ways
    ]
    for kind, credit, debit in (
        (TransferKind.PAID_IN, keys[0], keys[1]),
        (TransferKind.COLLECT, keys[1], keys[2]),
    ):
        unit.execute(
            text(
                "INSERT INTO ledger_transfer (posting, credit_id, debit_id, amount_minor, currency,"
                " kind, reason) VALUES (:posting, :credit, :debit, :amount, :currency,"
                " :kind, :reason)"
            ),
            {
                "posting": posting,
                "credit": credit,
                "debit": debit,
                "amount": paid.amount_minor,
                "currency": paid.currency,
                "kind": kind,
                "reason": reason,
            },
        )
    return posting
