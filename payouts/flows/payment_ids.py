"""The provider's ids of our items: one id is one item's, and an item has one, or somebody hears."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from payouts import jobs
from payouts.core.ids import public_id
from payouts.store import lanes
from payouts.store.incidents import report_incident

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from payouts.flows.alarms import Alarms

__all__ = ["learn"]

_NAMED_MAX = 20  # incidents of one turn that name their item; the lane's own counts all


def learn(unit: Connection, alarms: Alarms, items: Sequence[int], refs: Sequence[str]) -> set[int]:
    """Keep the provider's ids; returns the items whose id contradicts what is known.

    An id that is given to two items is neither's: which of them was paid nobody can tell (P15). One
    that another item has had before is an incident of that item too, and it is looked at.
    """
    if len(set(refs)) == len(refs):
        wrong = lanes.map_refs(unit, alarms.provider, items, refs)
    else:
        pairs = sorted(set(zip(items, refs, strict=True)))
        given = Counter(ref for _, ref in pairs)
        clear = [(item, ref) for item, ref in pairs if given[ref] == 1]
        wrong = {item for item, ref in pairs if given[ref] > 1} | lanes.map_refs(
            unit, alarms.provider, [item for item, _ in clear], [ref for _, ref in clear]
        )
    if wrong:
        _tell(
            unit,
            alarms,
            wrong,
            {ref for item, ref in zip(items, refs, strict=True) if item in wrong},
        )
    return wrong


def _tell(unit: Connection, alarms: Alarms, wrong: set[int], refs: set[str]) -> None:
    """Say which items are affected; look at those that had the ids before."""
    before = lanes.items_of_refs(unit, alarms.provider, sorted(refs)) - wrong
    alarms.tell(
        unit,
        "E_PAYMENT_ID",
        f"{alarms.provider} gave {len(wrong)} payment ids that contradict others",
        severity=1,
    )
    for item in sorted(wrong | before)[:_NAMED_MAX]:
        report_incident(
            unit,
            code="E_PAYMENT_ID",
            severity=1,
            subject=public_id("itm", item),
            detail=f"{alarms.provider} gave its payment id to another item, or it has two",
        )
    jobs.enqueue_lanes(unit, lanes.ask_looks(unit, sorted(before), reason="payment_id"))
