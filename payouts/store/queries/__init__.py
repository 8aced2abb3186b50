"""Reads: what a run, an item or an account is now; set-based, and none of them scans the items.

Counts come from `batch_count`, which the events keep. Values for people are small dataclasses; what
comes in hundreds of thousands is a frame (`OutcomePages`). The modules are by topic; callers take
everything from here.
"""

from __future__ import annotations

from payouts.store.queries.items import (
    AttemptRow,
    EventRow,
    EvidenceRow,
    ItemRow,
    attempts,
    evidence,
    find,
    item,
    item_sums,
    items,
    items_of,
    life,
    payload,
    replaced_by,
)
from payouts.store.queries.ledger import (
    BalanceRow,
    PositionRow,
    TransferRow,
    balances,
    positions,
    transfers,
    transfers_of,
)
from payouts.store.queries.outcomes import (
    ITEMS,
    OUTCOMES,
    LineSum,
    OutcomePages,
    codes,
    line_sums,
)
from payouts.store.queries.runs import (
    BatchRow,
    CountRow,
    HoldRow,
    LaneRow,
    RunRow,
    SendRow,
    batches,
    counts,
    ended_runs,
    holds,
    lanes,
    open_runs,
    run,
    runs,
    sends,
)

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
    "ended_runs",
    "evidence",
    "find",
    "holds",
    "item",
    "item_sums",
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
