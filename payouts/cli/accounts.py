"""`payouts accounts`: what the platforms say our accounts hold, beside our own ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payouts.cli import frame
from payouts.cli.frame import Exit, Json, Panel, add

if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer

    from payouts.flows.accounts import Asked
    from payouts.store.queries import BalanceRow

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, accounts, panel=Panel.MONEY, example="payouts accounts")


def accounts(*, as_json: Json = False) -> Exit:
    """Ask the platforms for the balances of our accounts, and show our funding accounts beside.

    They need not agree: what was approved and is not executed yet has left ours, and not theirs.
    Exits 1 where a platform did not tell.
    """
    from payouts.flows.accounts import ask  # noqa: PLC0415  bodies import what they need
    from payouts.store import queries  # noqa: PLC0415  the same

    with frame.project(platforms=True) as parts:
        asked = ask(parts.connectors, timeouts=parts.timeouts())
        with parts.database.reading() as unit:
            ours = [row for row in queries.balances(unit) if row.kind in {"funding", "reserved"}]
    code = Exit.FAULT if any(one.trouble for one in asked) else Exit.DONE
    if as_json:
        frame.document("accounts", {**_values(asked, ours), "exit_code": int(code)})
        return code
    for line in _lines(asked, ours):
        frame.told(line)
    frame.next_step("payouts ledger", "shows where all money is")
    return code


def _lines(asked: Sequence[Asked], ours: Sequence[BalanceRow]) -> list[str]:
    theirs = [
        (one.provider, balance.ref, balance.name, frame.money(balance.minor, balance.currency))
        for one in asked
        for balance in one.balances
    ]
    shown = [f"! {one.provider}: {one.trouble}" for one in asked if one.trouble]
    if theirs:
        shown += frame.table(("platform", "account", "name", "holds"), theirs, right=[3])
    summed: dict[tuple[str, str], dict[str, int]] = {}
    for row in ours:
        key = ("" if row.kind == "reserved" else row.owner, row.currency)
        kinds = summed.setdefault(key, {})
        kinds[row.kind] = kinds.get(row.kind, 0) + row.balance_minor
    mine = [
        (owner or "(all runs)", kind, frame.money(minor, currency))
        for (owner, currency), kinds in sorted(summed.items())
        for kind, minor in kinds.items()
        if minor or kind == "funding"
    ]
    if mine:
        shown += ["", *frame.table(("our account", "kind", "holds"), mine, right=[2])]
    return shown


def _values(asked: Sequence[Asked], ours: Sequence[BalanceRow]) -> dict[str, object]:
    return {
        "platforms": [
            {
                "provider": one.provider,
                "trouble": one.trouble or None,
                "accounts": [
                    {
                        "account": balance.ref,
                        "name": balance.name,
                        "currency": balance.currency,
                        "minor": balance.minor,
                    }
                    for balance in one.balances
                ],
            }
            for one in asked
        ],
        "ledger": [
            {
                "kind": row.kind,
                "account": row.owner,
                "currency": row.currency,
                "minor": row.balance_minor,
            }
            for row in ours
        ],
    }
