"""`payouts fund`, `ledger`: money that comes in, balances and transfers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from payouts.cli import frame
from payouts.cli.decide import Reason, Yes, require_words
from payouts.cli.frame import Exit, Json, Panel, add
from payouts.core.errors import AmountError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from payouts.store.queries import BalanceRow, TransferRow

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(
        app,
        fund,
        panel=Panel.MONEY,
        example='payouts fund main 25000.00 EUR --reason "transfer of Friday"',
    )
    add(app, ledger, panel=Panel.MONEY, example="payouts ledger funding")


def fund(
    account: Annotated[str, typer.Argument(help="The funding account, for example main.")],
    amount: Annotated[str, typer.Argument(help="Major units with a decimal point: 25000.00.")],
    currency: Annotated[str, typer.Argument(metavar="CUR", help="For example EUR.")],
    *,
    reason: Reason,
    yes: Yes = False,
    as_json: Json = False,
) -> Exit:
    """Book money into a funding account; runs that wait for it go on, the oldest first."""
    from payouts.cli.which import require_yes  # noqa: PLC0415  bodies import what they need
    from payouts.core.currencies import currency as unit_of  # noqa: PLC0415  the same
    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.core.money import parse_minor  # noqa: PLC0415  the same
    from payouts.flows.deposit import deposit  # noqa: PLC0415  the same

    require_words(reason)
    unit = unit_of(currency.upper())
    try:
        minor = parse_minor(amount, unit)
    except AmountError as error:
        raise UsageError(error.message, hint=error.hint, code=error.code) from None
    if minor <= 0:
        raise UsageError("the amount is zero", hint="Write what came in, for example 25000.00.")
    shown = frame.money(minor, unit.code)
    with frame.project() as parts:
        question = f"Book {shown} into {account}?"
        if parts.settings.environment == "live":
            require_yes(question, yes=yes)
        made = deposit(
            parts.database, account, unit.code, minor, reason=reason, actor=frame.person()
        )
    approved = [(run, one) for run, one in made.runs if not one.short]
    short = [(run, one) for run, one in made.runs if one.short]
    if as_json:
        body = {
            "account": account,
            "currency": unit.code,
            "minor": minor,
            "transfer": made.transfer,
            "runs": [
                {
                    "run": public_id("run", run),
                    "approved_batches": one.batches,
                    "short_minor": dict(one.short),
                }
                for run, one in made.runs
            ],
        }
        frame.document("deposit", {**body, "exit_code": 0})
        return Exit.DONE
    frame.told(f"Booked   {shown} into {account} (transfer {made.transfer})")
    frame.told(f"Balance  {frame.money(made.balance_minor, unit.code)}")
    for run, one in approved:
        batches = frame.count(one.batches, "batch", "batches")
        what = f"{batches} approved" if one.batches else "released, waits for approval"
        frame.told(f"Goes on  {public_id('run', run)}: {what}")
    for run, one in short:
        from payouts.cli.summary import money_of  # noqa: PLC0415  bodies import what they need

        frame.told(f"Waits    {public_id('run', run)}: lacks {money_of(one.short, most=None)}")
    if any(one.batches for _, one in approved):
        frame.next_step("payouts worker", "sends what was approved")
    elif approved:
        frame.next_step(f"payouts approve {public_id('run', approved[0][0])} --reason …")
    else:
        frame.next_step(f"payouts ledger funding:{account}")
    return Exit.DONE


def ledger(
    account: Annotated[
        str | None,
        typer.Argument(
            help="An account, a kind (funding, paid …), an owner or a currency; else all."
        ),
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Transfers of one page.")] = 20,
    before: Annotated[
        int | None, typer.Option(metavar="TRANSFER", help="The last transfer of the page before.")
    ] = None,
    as_json: Json = False,
) -> Exit:
    """Show balances; with ACCOUNT also its transfers, newest first."""
    from payouts.store import queries  # noqa: PLC0415  bodies import what they need

    with frame.project() as parts, parts.database.reading() as unit:
        found = queries.balances(unit, account)
        if account is not None and not found:
            raise UsageError(
                f"there is no ledger account '{account}'",
                hint="`payouts ledger` lists them.",
                code="E_ACCOUNT_UNKNOWN",
            )
        keys = [row.id for row in found]
        moves = (
            queries.transfers(unit, keys, before=before, limit=limit) if account is not None else []
        )
    if as_json:
        body: dict[str, Any] = {
            "accounts": [_balance_values(row) for row in found],
            "transfers": [_transfer_values(row) for row in moves],
        }
        frame.document("ledger", {**body, "exit_code": 0})
        return Exit.DONE
    # One reserved account per run: those that are empty again would hide the rest.
    shown = [row for row in found if account or row.kind != "reserved" or row.balance_minor]
    for line in _balances(shown):
        frame.told(line)
    if account is None:
        frame.told(_balanced(found))
        frame.next_step("payouts ledger funding", "shows the transfers of the funding accounts")
        return Exit.DONE
    frame.told("")
    for line in _transfers(moves):
        frame.told(line)
    if len(moves) == limit:
        frame.next_step(f"payouts ledger {account} --before {moves[-1].id}", "older ones")
    return Exit.DONE


def _balances(rows: Sequence[BalanceRow]) -> list[str]:
    table = [
        (row.name, frame.money(row.balance_minor, row.currency), f"{row.transfers:,}")
        for row in rows
    ]
    return frame.table(("account", "balance", "transfers"), table, right=[1, 2])


def _balanced(rows: Sequence[BalanceRow]) -> str:
    """The sum of all accounts of a currency is zero, or the ledger is broken."""
    sums: dict[str, int] = {}
    for row in rows:
        sums[row.currency] = sums.get(row.currency, 0) + row.balance_minor
    wrong = [currency for currency, minor in sums.items() if minor]
    wrong += [row.name for row in rows if row.kept_minor not in {None, row.balance_minor}]
    if wrong:
        return f"✗ does not balance: {', '.join(wrong)}"
    return f"Balanced: every currency sums to zero ({frame.count(len(sums), 'currency', 'currencies')})"


def _transfers(rows: Sequence[TransferRow]) -> list[str]:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    table = []
    for row in rows:
        about = [f"{row.items:,} items" if row.items > 1 else ""]
        about += [public_id("bat", row.batch_id)] if row.batch_id else []
        about += [public_id("itm", row.item_id)] if row.item_id else []
        about += [f"corrects {row.corrects}"] if row.corrects else []
        about += [row.reason or ""]
        table.append(
            (
                str(row.id),
                f"{row.at:%Y-%m-%d %H:%M:%S}",
                frame.money(row.amount_minor, row.currency),
                row.credit,
                "→",
                row.debit,
                row.kind,
                ", ".join(word for word in about if word),
            )
        )
    headers = ("transfer", "at (UTC)", "amount", "from", "", "to", "kind", "about")
    return frame.table(headers, table, right=[0, 2])


def _balance_values(row: BalanceRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "owner": row.owner,
        "currency": row.currency,
        "minor": row.balance_minor,
        "kept_minor": row.kept_minor,
        "transfers": row.transfers,
    }


def _transfer_values(row: TransferRow) -> dict[str, Any]:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    return {
        "transfer": row.id,
        "at": row.at,
        "from": row.credit,
        "to": row.debit,
        "minor": row.amount_minor,
        "currency": row.currency,
        "kind": row.kind,
        "items": row.items,
        "run": None if row.run_id is None else public_id("run", row.run_id),
        "batch": None if row.batch_id is None else public_id("bat", row.batch_id),
        "item": None if row.item_id is None else public_id("itm", row.item_id),
        "corrects": row.corrects,
        "reason": row.reason,
    }
