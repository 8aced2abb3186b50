"""`payouts items`: the items of a run, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from payouts.cli import frame
from payouts.cli.frame import Exit, Json, OneRun, Panel, add
from payouts.core.errors import UsageError
from payouts.core.items import FINAL, OPEN, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from payouts.store.queries import ItemRow

__all__ = ["item_table", "item_values", "register", "shown_reference"]

_GROUPS = {"open": OPEN, "final": FINAL, "unpaid": FINAL - {State.SETTLED, State.RECONCILED}}
"""Words for `--state` that stand for several."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, items, panel=Panel.LOOK, example="payouts items last --state failed")


def items(
    run: OneRun,
    *,
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE",
            help="A state, or: open, final, unpaid. May be given several times; all by default.",
        ),
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="Only items whose last answer has this code.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Items of one page.")] = 50,
    after: Annotated[
        str | None, typer.Option(metavar="ITEM", help="The last item of the page before.")
    ] = None,
    as_json: Json = False,
) -> Exit:
    """List items of RUN, page by page: line, reference, amount, account, state and why."""
    from payouts.cli.which import run_row  # noqa: PLC0415  bodies import what they need
    from payouts.core.ids import key_of, public_id  # noqa: PLC0415  the same
    from payouts.store import queries  # noqa: PLC0415  the same

    states = _states(state or [])
    start = key_of(after)[1] if after is not None else 0
    with frame.project() as parts, parts.database.reading() as unit:
        row = run_row(unit, run)
        found = queries.items(unit, row.id, states, after=start, limit=limit + 1, code=code)
    page, more = found[:limit], len(found) > limit
    last = public_id("itm", page[-1].id) if page else None
    name = public_id("run", row.id)
    if as_json:
        values = [item_values(one) for one in page]
        cursor = last if more else None
        frame.document("items", {"run": name, "items": values, "after": cursor, "exit_code": 0})
        return Exit.DONE
    if not page:
        frame.told(f"{name} has no such item{' left' if after else ''}.")
        frame.next_step(f"payouts status {name}")
        return Exit.DONE
    for line in item_table(page):
        frame.told(line)
    if more:
        chosen = "".join(f" --state {one}" for one in state or [])
        frame.next_step(f"payouts items {name}{chosen} --after {last}", "the next page")
    else:
        frame.next_step(f"payouts explain {public_id('itm', page[0].id)}", "says why")
    return Exit.DONE


def _states(words: Sequence[str]) -> list[str]:
    """States of what was typed."""
    if not words:
        return [str(state) for state in State]
    chosen: set[State] = set()
    for word in words:
        if word in _GROUPS:
            chosen |= _GROUPS[word]
        elif word in set(State):
            chosen.add(State(word))
        else:
            known = ", ".join((*State, *_GROUPS))
            raise UsageError(f"there is no state '{word}'", hint=f"There are: {known}.")
    return [str(state) for state in State if state in chosen]


def item_table(page: Sequence[ItemRow]) -> list[str]:
    """One line per item, below a header."""
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need
    from payouts.flows.explain import meaning  # noqa: PLC0415  the same

    rows = [
        (
            public_id("itm", one.id),
            f"{one.number:,}" + (f" +{one.lines - 1}" if one.lines > 1 else ""),
            shown_reference(one.reference),
            frame.money(one.amount_minor, one.currency),
            f"…{one.account_last4}" if one.account_last4 else "",
            one.state,
            str(one.tries),
            meaning(one.code),
        )
        for one in page
    ]
    headers = ("item", "line", "reference", "amount", "account", "state", "sent", "why")
    return frame.table(headers, rows, right=[1, 3, 6])


def shown_reference(reference: str) -> str:
    """The payer's own reference; those that we made say so."""
    if reference.startswith(("fp:", "sum:")):
        return "(none)" if reference.startswith("fp:") else "(summed)"
    return reference


def item_values(one: ItemRow) -> dict[str, Any]:
    """An item for programs."""
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    return {
        "item": public_id("itm", one.id),
        "run": public_id("run", one.run_id),
        "batch": public_id("bat", one.batch_id),
        "line": one.number,
        "lines": one.lines,
        "reference": one.reference,
        "intent": one.intent,
        "provider": one.provider,
        "funding": one.funding,
        "currency": one.currency,
        "minor": one.amount_minor,
        "account_last4": one.account_last4,
        "state": one.state,
        "clouded": one.clouded,
        "attempts": one.tries,
        "code": one.code,
        "provider_status": one.provider_status,
        "provider_reference": one.provider_ref,
        "due_at": one.due_at,
        "updated_at": one.at,
        "replaces": None if one.replaces is None else public_id("itm", one.replaces),
    }
