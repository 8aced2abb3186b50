"""Reads: what a run, an item or an account is now; set-based, and none of them scans the items.

Counts come from `batch_count`, which the events keep. A list of items goes through the batches that
hold the wanted states and from there by key range, so that its cost follows what is shown and not
what is stored. Values for people are small dataclasses; what comes in hundreds of thousands is a
frame (`OutcomePages`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from payouts.core.sealed import Sealed
from payouts.store import bulk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy import Connection

__all__ = [
    "ITEMS",
    "OUTCOMES",
    "AttemptRow",
    "BalanceRow",
    "BatchRow",
    "CountRow",
    "EventRow",
    "EvidenceRow",
    "HoldRow",
    "ItemRow",
    "LaneRow",
    "LineSum",
    "OutcomePages",
    "PositionRow",
    "RunRow",
    "SendRow",
    "TransferRow",
    "attempts",
    "balances",
    "batches",
    "codes",
    "counts",
    "evidence",
    "find",
    "holds",
    "item",
    "items",
    "items_of",
    "lanes",
    "life",
    "line_sums",
    "open_runs",
    "payload",
    "positions",
    "replaced_by",
    "run",
    "runs",
    "sends",
    "transfers",
    "transfers_of",
]


# -- runs -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as its row says; `counts` is lines by outcome, `totals` accepted minor units."""

    id: int
    payer: str
    pipeline: str
    slot: str | None
    period: str
    source_name: str
    source_copy: str
    source_sha256: str
    source_bytes: int
    funding: str
    policy: str
    lines_read: int
    line_lo: int
    line_hi: int
    counts: Mapping[str, int]
    totals: Mapping[str, int]
    detected: Mapping[str, object]
    approved_by: str | None
    approved_at: datetime | None
    created_at: datetime
    closed_at: datetime | None


_RUN: Final = (
    "SELECT r.id, p.name, r.pipeline, r.slot, r.period, r.source_name, r.source_copy,"
    " r.source_sha256, r.source_bytes, r.funding, r.policy, r.lines_read, r.line_lo, r.line_hi,"
    " r.counts, r.totals, r.detected, r.approved_by, r.approved_at, r.created_at, r.closed_at"
    " FROM pipeline_run r JOIN payer p ON p.id = r.payer_id"
)


def runs(connection: Connection, *, limit: int = 20, before: int | None = None) -> list[RunRow]:
    """The newest runs, newest first; `before` is the cursor: the last key of the page before."""
    rows = connection.execute(
        text(
            f"{_RUN} WHERE r.id < coalesce(CAST(:before AS bigint), 9223372036854775807)"
            " ORDER BY r.id DESC LIMIT :limit"
        ),
        {"before": before, "limit": limit},
    )
    return [RunRow(*row) for row in rows]


def open_runs(connection: Connection) -> list[int]:
    """Keys of the runs that are not closed, oldest first."""
    return list(
        connection.execute(
            text("SELECT id FROM pipeline_run WHERE closed_at IS NULL ORDER BY id")
        ).scalars()
    )


def run(connection: Connection, run_id: int) -> RunRow | None:
    """One run."""
    row = connection.execute(text(f"{_RUN} WHERE r.id = :run"), {"run": run_id}).one_or_none()
    return None if row is None else RunRow(*row)


@dataclass(frozen=True, slots=True)
class CountRow:
    """Items of a run in one state at one provider in one currency."""

    run_id: int
    provider: str
    currency: str
    state: str
    items: int
    amount_minor: int


def counts(connection: Connection, run_ids: Sequence[int]) -> list[CountRow]:
    """Items and money of these runs by provider, currency and state; states without items lack."""
    rows = connection.execute(
        text(
            "SELECT b.run_id, b.provider, b.currency, c.state::text, sum(c.items)::bigint,"
            " sum(c.amount_minor)::bigint FROM batch b JOIN batch_count c ON c.batch_id = b.id"
            " AND c.items > 0 WHERE b.run_id = ANY(:runs) GROUP BY 1, 2, 3, c.state"
            " ORDER BY 1, 2, 3, c.state"
        ),
        {"runs": list(run_ids)},
    )
    return [CountRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A hold on a run or on one item of it."""

    id: int
    run_id: int
    item_id: int | None
    reason: str
    detail: str
    opened_at: datetime
    opened_by: str
    released_at: datetime | None
    released_by: str | None


def holds(connection: Connection, run_ids: Sequence[int], *, open_only: bool) -> list[HoldRow]:
    """Holds of these runs, in the order they were opened."""
    rows = connection.execute(
        text(
            "SELECT id, run_id, item_id, reason, detail, opened_at, opened_by, released_at,"
            " released_by FROM hold WHERE run_id = ANY(:runs)"
            " AND (released_at IS NULL OR NOT :open_only) ORDER BY id"
        ),
        {"runs": list(run_ids), "open_only": open_only},
    )
    return [HoldRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A lane that a run uses: whether it is paused, and when the run next needs it."""

    run_id: int
    provider: str
    funding: str
    paused_at: datetime | None
    reason: str | None
    send_at: datetime | None
    check_at: datetime | None


def lanes(connection: Connection, run_ids: Sequence[int]) -> list[LaneRow]:
    """Lanes of these runs."""
    rows = connection.execute(
        text(
            "SELECT b.run_id, b.provider, b.funding, l.paused_at, l.reason, min(b.send_at),"
            " min(b.check_at) FROM batch b LEFT JOIN lane l"
            " ON l.provider = b.provider AND l.funding = b.funding"
            " WHERE b.run_id = ANY(:runs) GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3"
        ),
        {"runs": list(run_ids)},
    )
    return [LaneRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One batch; `states` is items by state."""

    id: int
    provider: str
    currency: str
    due_date: date | None
    items: int
    amount_minor: int
    attempts: int
    send_at: datetime | None
    check_at: datetime | None
    states: Mapping[str, int]


def batches(
    connection: Connection, run_id: int, *, limit: int = 200, after: int = 0
) -> list[BatchRow]:
    """Batches of a run in key order, `after` a key."""
    rows = connection.execute(
        text(
            "SELECT b.id, b.provider, b.currency, b.due_date, b.items, b.amount_minor,"
            " (SELECT count(*) FROM attempt a WHERE a.batch_id = b.id), b.send_at, b.check_at,"
            " (SELECT jsonb_object_agg(c.state, c.items) FROM batch_count c"
            " WHERE c.batch_id = b.id AND c.items > 0) FROM batch b"
            " WHERE b.run_id = :run AND b.id > :after ORDER BY b.id LIMIT :limit"
        ),
        {"run": run_id, "after": after, "limit": limit},
    )
    return [BatchRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class SendRow:
    """What one provider was sent of a run in one currency."""

    provider: str
    currency: str
    batches: int
    items: int
    amount_minor: int
    attempts: int
    first_sent: datetime | None
    last_answer: datetime | None


def sends(connection: Connection, run_id: int) -> list[SendRow]:
    """Batches and attempts of a run by provider and currency."""
    rows = connection.execute(
        text(
            "SELECT b.provider, b.currency, count(*), sum(b.items)::bigint,"
            " sum(b.amount_minor)::bigint, coalesce(sum(a.attempts), 0)::bigint, min(a.first),"
            " max(a.last) FROM batch b LEFT JOIN LATERAL (SELECT count(*) AS attempts,"
            " min(opened_at) AS first, max(closed_at) AS last FROM attempt"
            " WHERE batch_id = b.id) a ON true WHERE b.run_id = :run GROUP BY 1, 2 ORDER BY 1, 2"
        ),
        {"run": run_id},
    )
    return [SendRow(*row) for row in rows]


# -- items ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item as it is now, with the first of its lines.

    Args:
        number: its line in the file; the first of them where lines were summed.
        due_at: when it may be sent next, for states that wait for that.
        check_at: when its batch is looked at next.
    """

    id: int
    batch_id: int
    run_id: int
    provider: str
    funding: str
    currency: str
    amount_minor: int
    lines: int
    account_last4: str | None
    state: str
    clouded: bool
    tries: int
    code: str | None
    provider_status: str | None
    provider_ref: str | None
    due_at: datetime | None
    check_at: datetime | None
    at: datetime
    line_id: int
    number: int
    reference: str
    intent: int
    replaces: int | None


_NOW: Final = (
    "SELECT i.id, i.batch_id, b.run_id, b.provider, b.funding, b.currency, i.amount_minor,"
    " i.lines, i.account_last4, coalesce(e.after, b.base_state)::text,"
    " coalesce(e.clouded, b.base_clouded), coalesce(e.tries, b.tries),"
    " CASE WHEN e.item_id IS NULL THEN x.code ELSE e.code END,"
    " CASE WHEN e.item_id IS NULL THEN x.provider_status ELSE e.provider_status END,"
    " p.provider_ref,"
    " CASE WHEN e.item_id IS NULL THEN x.due_at ELSE e.due_at END, b.check_at,"
    " coalesce(e.at, x.at, b.created_at), i.line_id, l.number, l.reference, l.intent, l.replaces"
    " FROM batch b JOIN item i ON i.id BETWEEN b.lo AND b.hi"
    " LEFT JOIN batch_event x ON x.batch_id = b.id AND x.seq = b.base_seq"
    " LEFT JOIN LATERAL (SELECT * FROM item_event y WHERE y.item_id = i.id"
    " ORDER BY y.seq DESC LIMIT 1) e ON true"
    " LEFT JOIN provider_payment p ON p.item_id = i.id AND p.provider = b.provider"
    " JOIN line l ON l.id = i.line_id"
)


def items(
    connection: Connection,
    run_id: int,
    states: Sequence[str],
    *,
    after: int = 0,
    limit: int = 50,
    code: str | None = None,
) -> list[ItemRow]:
    """Items of a run that are in one of these states now, in key order.

    Args:
        after: the cursor: the last key of the page before.
        code: only items whose last move has this code.
    """
    rows = connection.execute(
        text(
            "SELECT n.* FROM (SELECT b.id FROM batch b WHERE b.run_id = :run AND b.hi > :after"  # noqa: S608  our own constant
            " AND EXISTS (SELECT FROM batch_count c WHERE c.batch_id = b.id AND c.items > 0"
            " AND c.state = ANY(CAST(:states AS item_state[]))) ORDER BY b.id) held,"
            " LATERAL (" + _NOW + " WHERE b.id = held.id AND i.id > :after"
            " AND coalesce(e.after, b.base_state) = ANY(CAST(:states AS item_state[]))"
            " AND (CAST(:code AS text) IS NULL"
            " OR CASE WHEN e.item_id IS NULL THEN x.code ELSE e.code END = :code)"
            " ORDER BY i.id) n LIMIT :limit"
        ).bindparams(bindparam("states", type_=ARRAY(TEXT))),
        {"run": run_id, "after": after, "states": list(states), "limit": limit, "code": code},
    )
    return [ItemRow(*row) for row in rows]


def item(connection: Connection, item_id: int) -> ItemRow | None:
    """One item as it is now."""
    row = connection.execute(
        text(f"{_NOW} WHERE i.id = :item AND i.batch_id = b.id"),
        {"item": item_id},
    ).one_or_none()
    return None if row is None else ItemRow(*row)


def items_of(connection: Connection, item_ids: Sequence[int]) -> list[ItemRow]:
    """These items as they are now, in key order; unknown keys lack."""
    rows = connection.execute(
        text(f"{_NOW} WHERE i.id = ANY(:ids) AND i.batch_id = b.id ORDER BY i.id"),
        {"ids": list(item_ids)},
    )
    return [ItemRow(*row) for row in rows]


def find(connection: Connection, word: str, *, wire_prefix: int | None = None) -> list[int]:
    """Keys of items that a person may mean by a word: a payer's reference or a provider's id.

    Args:
        wire_prefix: of the word, where it has the form of a wire reference.
    """
    rows = connection.execute(
        text(
            "SELECT item_id FROM line WHERE outcome = 'accepted' AND reference = :word"
            " AND payer_id IN (SELECT id FROM payer)"
            " UNION SELECT item_id FROM provider_payment WHERE provider_ref = :word"
            " AND provider IN (SELECT DISTINCT provider FROM batch)"
            " UNION SELECT id FROM item WHERE wire_prefix = :prefix ORDER BY 1 LIMIT 50"
        ),
        {"word": word, "prefix": wire_prefix},
    )
    return [int(row[0]) for row in rows]


def replaced_by(connection: Connection, item_id: int) -> int | None:
    """The item that pays this one again, where there is one."""
    return connection.execute(
        text("SELECT item_id FROM line WHERE replaces = :item"), {"item": item_id}
    ).scalar()


@dataclass(frozen=True, slots=True)
class EventRow:
    """One move of an item, made alone or together with its batch."""

    seq: int
    before: str
    after: str
    at: datetime
    actor: str
    clouded: bool
    code: str | None
    provider_status: str | None
    due_at: datetime | None
    attempt_id: int | None
    evidence_id: int | None
    posting: int


def life(connection: Connection, item_id: int) -> list[EventRow]:
    """All moves of an item, first to last."""
    rows = connection.execute(
        text(
            "SELECT seq, before::text, after::text, at, actor, clouded, code, provider_status,"
            " due_at, attempt_id, evidence_id, posting FROM item_life WHERE item_id = :item"
            " ORDER BY seq"
        ),
        {"item": item_id},
    )
    return [EventRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One submission that an item was part of; `items` counts all of its members."""

    id: int
    number: int
    items: int
    key: str
    opened_at: datetime
    closed_at: datetime | None
    outcome: str | None
    http_status: int | None


def attempts(connection: Connection, batch_id: int, item_id: int) -> list[AttemptRow]:
    """The attempts of an item, first to last."""
    rows = connection.execute(
        text(
            "SELECT id, number, items, key, opened_at, closed_at, outcome, http_status"
            " FROM attempt WHERE batch_id = :batch AND (members IS NULL OR :item = ANY(members))"
            " ORDER BY number"
        ),
        {"batch": batch_id, "item": item_id},
    )
    return [AttemptRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """What justifies a move: never a body, only its hash, its size and a word."""

    id: int
    kind: str
    provider: str
    attempt_id: int | None
    http_status: int | None
    sha256: str | None
    bytes: int
    excerpt: str | None
    at: datetime


def evidence(connection: Connection, batch_id: int, item_id: int) -> list[EvidenceRow]:
    """Evidence that speaks of an item: its own, and that of the attempts it was part of."""
    rows = connection.execute(
        text(
            "SELECT id, kind, provider, attempt_id, http_status, encode(sha256, 'hex'), bytes,"
            " excerpt, at FROM evidence WHERE batch_id = :batch AND (item_id = :item"
            " OR (item_id IS NULL AND attempt_id IN (SELECT id FROM attempt"
            " WHERE batch_id = :batch AND (members IS NULL OR :item = ANY(members)))))"
            " ORDER BY id"
        ),
        {"batch": batch_id, "item": item_id},
    )
    return [EvidenceRow(*row) for row in rows]


def payload(connection: Connection, batch_id: int) -> tuple[int, str, Sealed] | None:
    """First item key, encoder and sealed bytes of a batch."""
    row = connection.execute(
        text(
            "SELECT b.lo, p.encoder, p.key_id, p.data_key, p.body FROM batch_payload p"
            " JOIN batch b ON b.id = p.batch_id WHERE p.batch_id = :batch"
        ),
        {"batch": batch_id},
    ).one_or_none()
    return None if row is None else (row[0], row[1], Sealed(*row[2:]))


# -- the ledger -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """A ledger account and its balance; `kept_minor` is the guarded copy, where there is one."""

    id: int
    name: str
    kind: str
    owner: str
    currency: str
    balance_minor: int
    kept_minor: int | None
    transfers: int


def balances(connection: Connection, word: str | None = None) -> list[BalanceRow]:
    """Accounts with their balances, summed from the transfers in one pass.

    Args:
        word: only accounts of this name, kind, owner or `kind:owner`; none means all.
    """
    rows = connection.execute(
        text(
            "WITH chosen AS (SELECT * FROM ledger_account WHERE CAST(:word AS text) IS NULL"
            " OR :word IN (name, kind, owner, kind || ':' || owner)), legs AS ("
            " SELECT debit_id AS id, amount_minor FROM ledger_transfer"
            " UNION ALL SELECT credit_id, -amount_minor FROM ledger_transfer)"
            " SELECT a.id, a.name, a.kind, a.owner, a.currency,"
            " coalesce(s.amount, 0)::bigint, a.balance_minor, coalesce(s.legs, 0)"
            " FROM chosen a LEFT JOIN (SELECT id, sum(amount_minor) AS amount, count(*) AS legs"
            " FROM legs WHERE id IN (SELECT id FROM chosen) GROUP BY id) s ON s.id = a.id"
            " ORDER BY a.currency, a.kind, a.id"
        ),
        {"word": word},
    )
    return [BalanceRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class TransferRow:
    """One transfer: `credit` gives, `debit` receives."""

    id: int
    at: datetime
    credit: str
    debit: str
    amount_minor: int
    currency: str
    kind: str
    items: int
    run_id: int | None
    batch_id: int | None
    item_id: int | None
    corrects: int | None
    reason: str | None


_TRANSFER: Final = (
    "SELECT t.id, t.at, c.name, d.name, t.amount_minor, t.currency, t.kind, t.items, t.run_id,"
    " t.batch_id, t.item_id, t.corrects, t.reason FROM ledger_transfer t"
    " JOIN ledger_account c ON c.id = t.credit_id JOIN ledger_account d ON d.id = t.debit_id"
)


def transfers(
    connection: Connection, accounts: Sequence[int], *, before: int | None = None, limit: int = 50
) -> list[TransferRow]:
    """The newest transfers of accounts, newest first; `before` is the cursor."""
    rows = connection.execute(
        text(
            f"{_TRANSFER} WHERE (t.debit_id = ANY(:ids) OR t.credit_id = ANY(:ids))"
            " AND t.id < coalesce(CAST(:before AS bigint), 9223372036854775807)"
            " ORDER BY t.id DESC LIMIT :limit"
        ),
        {"ids": list(accounts), "before": before, "limit": limit},
    )
    return [TransferRow(*row) for row in rows]


def transfers_of(connection: Connection, batch_id: int, item_id: int) -> list[TransferRow]:
    """Transfers that book the moves of an item, with its batch's or alone."""
    rows = connection.execute(
        text(
            f"{_TRANSFER} WHERE t.batch_id = :batch AND (t.item_id = :item OR (t.item_id IS NULL"
            " AND EXISTS (SELECT FROM item_life e WHERE e.item_id = :item"
            " AND e.posting = t.posting AND t.kind = e.before || '>' || e.after))) ORDER BY t.id"
        ),
        {"batch": batch_id, "item": item_id},
    )
    return [TransferRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class PositionRow:
    """What a run's transfers left on one kind of account, net, in money and in items."""

    currency: str
    kind: str
    amount_minor: int
    items: int


def positions(connection: Connection, run_id: int) -> list[PositionRow]:
    """The ledger's own view of a run: net of its transfers per currency and kind of account."""
    rows = connection.execute(
        text(
            "WITH legs AS (SELECT t.* FROM batch b JOIN ledger_transfer t ON t.batch_id = b.id"
            " WHERE b.run_id = :run), sides AS ("
            " SELECT debit_id AS id, amount_minor AS amount, items FROM legs"
            " UNION ALL SELECT credit_id, -amount_minor, -items FROM legs)"
            " SELECT a.currency, a.kind, sum(s.amount)::bigint, sum(s.items)::bigint FROM sides s"
            " JOIN ledger_account a ON a.id = s.id GROUP BY 1, 2 ORDER BY 1, 2"
        ),
        {"run": run_id},
    )
    return [PositionRow(*row) for row in rows]


# -- lines ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineSum:
    """Lines of a run with one outcome and currency; no currency: their amount was unreadable."""

    outcome: str
    currency: str | None
    lines: int
    amount_minor: int


def line_sums(connection: Connection, lines: tuple[int, int]) -> list[LineSum]:
    """Lines and money by outcome and currency, counted from the lines themselves.

    Args:
        lines: first and last line key of the run.
    """
    rows = connection.execute(
        text(
            "SELECT outcome::text, currency, count(*), coalesce(sum(amount_minor), 0)::bigint"
            " FROM line WHERE id BETWEEN :lo AND :hi GROUP BY outcome, currency"
            " ORDER BY outcome, currency NULLS LAST"
        ),
        {"lo": lines[0], "hi": lines[1]},
    )
    return [LineSum(*row) for row in rows]


def codes(connection: Connection, lines: tuple[int, int]) -> list[tuple[str, str, int]]:
    """(outcome, code, lines) of lines that carry problem codes; a line counts under each."""
    rows = connection.execute(
        text(
            "SELECT outcome::text, code, count(*) FROM line,"
            " unnest(string_to_array(codes, ' ')) AS code"
            " WHERE id BETWEEN :lo AND :hi AND codes IS NOT NULL"
            " GROUP BY 1, 2 ORDER BY 3 DESC, 2"
        ),
        {"lo": lines[0], "hi": lines[1]},
    )
    return [(outcome, code, int(count)) for outcome, code, count in rows]


# -- outcomes, for a results file -------------------------------------------------------------------

_COLUMNS: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "item_id": pl.Int64,
    "first_line": pl.Int64,
    "provider": pl.String,
    "item_currency": pl.String,
    "item_minor": pl.Int64,
    "state": pl.String,
    "attempts": pl.Int64,
    "code": pl.String,
    "provider_ref": pl.String,
    "at": pl.Datetime("us", "UTC"),
}
ITEMS: Final = pl.Schema(_COLUMNS)
"""What is known of an item now; `first_line` is the key of the first line that it pays."""

_RANGE: Final = pl.Schema(
    {
        "item_id": pl.Int64,
        "first_line": pl.Int64,
        "batch_id": pl.Int64,
        "item_minor": pl.Int64,
        "state": pl.String,
        "attempts": pl.Int64,
        "code": pl.String,
        "at": pl.Int64,
        "paid_by": pl.String,
        "provider_ref": pl.String,
    }
)
_OF_BATCH: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "batch_id": pl.Int64,
    "lo": pl.Int64,
    "hi": pl.Int64,
    "provider": pl.String,
    "item_currency": pl.String,
    "base_state": pl.String,
    "base_attempts": pl.Int64,
    "base_code": pl.String,
    "base_at": pl.Datetime("us", "UTC"),
}
_BATCHES: Final = pl.Schema(_OF_BATCH)
_LINES: Final = pl.Schema(
    {
        "line_id": pl.Int64,
        "line": pl.Int64,
        "outcome": pl.String,
        "line_codes": pl.String,
        "currency": pl.String,
        "amount_minor": pl.Int64,
        "item_id": pl.Int64,
    }
)
OUTCOMES: Final = pl.Schema(_LINES | {name: ITEMS[name] for name in ITEMS.names()[1:]})
"""One row per line: what became of it and, where it has an item, of that."""


@dataclass(slots=True)
class OutcomePages:
    """Outcomes of a run's lines, page by page in file order.

    Calling it with the first and last line number of a page gives an `OUTCOMES` frame of the lines
    in between. Pages come in order, each once; the cost of a page does not depend on its place.
    """

    connection: Connection
    line_lo: int
    line_hi: int
    _next: int = field(init=False)

    def __post_init__(self) -> None:
        self._next = self.line_lo

    def __call__(self, lo: int, hi: int) -> pl.DataFrame:
        """The lines numbered `lo` to `hi` that no earlier page had."""
        del lo
        lines = bulk.copied(
            self.connection,
            "SELECT l.id, l.number, l.outcome, l.codes, l.currency, l.amount_minor,"
            # A repetition inside the file names no item; its reference leads to the one that pays.
            " CASE WHEN l.item_id IS NOT NULL OR l.outcome <> 'duplicate' THEN l.item_id"
            " ELSE (SELECT o.item_id FROM line o WHERE o.payer_id = l.payer_id"
            " AND o.reference = l.reference AND o.outcome = 'accepted'"
            " ORDER BY o.intent DESC LIMIT 1) END FROM line l"
            # A line's number is never below its place in the file, so the key range is bounded.
            " WHERE l.id BETWEEN {next} AND {last} AND l.number <= {hi} ORDER BY l.id",
            _LINES,
            next=self._next,
            last=min(self.line_hi, self.line_lo + hi - 1),
            hi=hi,
        )
        if lines.height:
            self._next = int(lines["line_id"].tail(1).item()) + 1
        found = item_frame(self.connection, lines["item_id"].drop_nulls().unique().sort())
        return lines.join(found, on="item_id", how="left", maintain_order="left").select(
            OUTCOMES.names()
        )


def item_frame(connection: Connection, item_ids: pl.Series) -> pl.DataFrame:
    """What is known now of items (an `ITEMS` frame), read by ranges of the batches that hold them.

    Args:
        item_ids: sorted, unique. Whole batches are read, so the frame may hold their other items.
    """
    if item_ids.is_empty():
        return pl.DataFrame(schema=ITEMS)
    batches = _batches_of(connection, item_ids)
    parts = [_range_frame(connection, lo, hi) for lo, hi in _merged(batches)]
    base = [pl.coalesce(name, f"base_{name}").alias(name) for name in ("state", "attempts", "at")]
    own = pl.col("state").is_not_null()  # of the item alone; else all of its batch is one
    return (
        pl.concat(parts)
        .join(batches.drop("lo", "hi"), on="batch_id", how="left", maintain_order="left")
        .with_columns(
            *base,
            pl.when(own).then("code").otherwise("base_code").alias("code"),
            pl.when(pl.col("paid_by") == pl.col("provider")).then("provider_ref"),
        )
        # After a fallback an item has an id at two platforms: its own batch's is shown.
        .sort("item_id", pl.col("provider_ref").is_null(), maintain_order=True)
        .unique("item_id", keep="first", maintain_order=True)
        .select(ITEMS.names())
    )


def _range_frame(connection: Connection, lo: int, hi: int) -> pl.DataFrame:
    """Items of a range of keys with the last event of their own and the platforms' ids."""
    return bulk.copied(
        connection,
        "SELECT i.id, i.line_id, i.batch_id, i.amount_minor, e.after, e.tries, e.code,"
        " (date_part('epoch', e.at) * 1000000)::bigint, p.provider, p.provider_ref FROM item i"
        " LEFT JOIN (SELECT DISTINCT ON (item_id) item_id, after, tries, code, at FROM item_event"
        " WHERE item_id BETWEEN {lo} AND {hi} ORDER BY item_id, seq DESC) e ON e.item_id = i.id"
        " LEFT JOIN provider_payment p ON p.item_id = i.id AND p.item_id BETWEEN {lo} AND {hi}"
        " WHERE i.id BETWEEN {lo} AND {hi} ORDER BY i.id",
        _RANGE,
        lo=lo,
        hi=hi,
    ).with_columns(pl.from_epoch("at", "us").dt.replace_time_zone("UTC"))


def _merged(batches: pl.DataFrame) -> list[tuple[int, int]]:
    """Ranges of item keys, neighbours put together."""
    ranges: list[tuple[int, int]] = []
    for lo, hi in batches.select("lo", "hi").iter_rows():
        if ranges and ranges[-1][1] + 1 == lo:
            ranges[-1] = (ranges[-1][0], hi)
        else:
            ranges.append((lo, hi))
    return ranges


def _batches_of(connection: Connection, item_ids: pl.Series) -> pl.DataFrame:
    """The batches that hold these items (a `_BATCHES` frame); they are matched here, by range."""
    near = bulk.copied(
        connection,
        "SELECT b.id, b.lo, b.hi, b.provider, b.currency, b.base_state, b.tries, x.code,"
        " coalesce(x.at, b.created_at) FROM batch b LEFT JOIN batch_event x"
        " ON x.batch_id = b.id AND x.seq = b.base_seq"
        " WHERE b.lo <= {last} AND b.hi >= {first} ORDER BY b.lo",
        _BATCHES,
        first=int(item_ids[0]),
        last=int(item_ids[-1]),
    )
    matched = item_ids.alias("item_id").to_frame().join_asof(near, left_on="item_id", right_on="lo")
    held = matched.filter(pl.col("item_id") <= pl.col("hi"))["batch_id"].unique()
    return near.filter(pl.col("batch_id").is_in(held.implode()))
