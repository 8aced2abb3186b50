"""`payouts approve`, `retry`, `reissue`, `fund`, `ledger`: what a person decides about money."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from payouts.cli import frame
from payouts.cli.frame import Exit, Json, Panel, add
from payouts.cli.which import runs_like
from payouts.core.errors import AmountError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import polars as pl
    from sqlalchemy import Connection

    from payouts.flows.load import LoadResult
    from payouts.flows.reissue import Reissue
    from payouts.flows.review import Review
    from payouts.store.queries import BalanceRow, RunRow, TransferRow
    from payouts.wiring import Parts

__all__ = ["register"]

_HELD_BY_WORDS = ("rejects", "lookalike")
"""Holds that end when a person says so; the one for money ends with the money."""

_OneRun = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run: its id, its file's name, or `last`.",
        autocompletion=runs_like,
    ),
]
_Reason = Annotated[str, typer.Option(help="Why; it is kept with your name.")]
_Wait = Annotated[
    bool, typer.Option("--wait", help="Work until nothing of the run moves by itself.")
]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer yes, for scripts.")]


def register(app: typer.Typer) -> None:
    """Add the commands about money."""
    add(
        app,
        approve,
        panel=Panel.CONTROL,
        example='payouts approve last --reason "checked with Ana"',
    )
    add(app, retry, panel=Panel.CONTROL, example="payouts retry last")
    add(app, reissue, panel=Panel.CONTROL, example="payouts reissue itm_0000000010")
    add(
        app,
        fund,
        panel=Panel.MONEY,
        example='payouts fund main 25000.00 EUR --reason "transfer of Friday"',
    )
    add(app, ledger, panel=Panel.MONEY, example="payouts ledger funding")


# -- approve ----------------------------------------------------------------------------------------


def approve(
    run: _OneRun, *, reason: _Reason, wait: _Wait = False, yes: _Yes = False, as_json: Json = False
) -> Exit:
    """Approve RUN: its money is reserved and it is sent; a hold for rejects or a likeness ends."""
    from payouts.cli.summary import money_of  # noqa: PLC0415  bodies import what they need
    from payouts.cli.which import require_yes, run_row  # noqa: PLC0415  the same
    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.flows import review  # noqa: PLC0415  the same
    from payouts.store import queries  # noqa: PLC0415  the same

    _require_words(reason)
    with frame.project(platforms=wait) as parts:
        with parts.database.reading() as unit:
            row = run_row(unit, run)
            held = queries.holds(unit, [row.id], open_only=True)
        name = public_id("run", row.id)
        question = f"Approve {name} ({row.source_name}, {money_of(row.totals, most=None)})?"
        if parts.settings.environment == "live":
            require_yes(question, yes=yes)
        actor = frame.person()
        ended = review.release(parts.database, row.id, reasons=_HELD_BY_WORDS, actor=actor)
        made = review.approve(parts.database, row.id, actor=actor, reason=reason)
        code = Exit.WAITING if made.short else Exit.DONE
        if as_json:
            body = {
                "run": name,
                "approved_batches": made.batches,
                "released_holds": ended.released + made.released,
                "short_minor": dict(made.short),
            }
            frame.document("approval", {**body, "exit_code": int(code)})
            return code
        for hold in held:
            if hold.reason in _HELD_BY_WORDS:
                frame.told(f"Released {hold.reason}: {frame.clean(hold.detail)}")
        if made.short:
            return _short_of_money(row, made)
        if not made.batches:
            frame.told(f"{name}: nothing was waiting for an approval.")
        else:
            batches = frame.count(made.batches, "batch", "batches")
            total = money_of(row.totals, most=None)
            frame.told(f"{name} is approved by {actor}: {batches}, {total}")
        return _goes_on(parts, row.id, wait=wait)


def _require_words(reason: str) -> None:
    if not reason.strip():
        raise UsageError("the reason is empty", hint="Say why in a few words: --reason …")


def _short_of_money(row: RunRow, made: Review) -> Exit:
    from payouts.cli.summary import money_of  # noqa: PLC0415  bodies import what they need
    from payouts.core.ids import public_id  # noqa: PLC0415  the same

    name = public_id("run", row.id)
    frame.told(f"{name} waits for money: {row.funding} lacks {money_of(made.short, most=None)}")
    currency, minor = next(iter(sorted(made.short.items())))
    amount = frame.money(minor, currency).rpartition(" ")[0].replace(",", "")
    frame.next_step(f"payouts fund {row.funding} {amount} {currency} --reason …")
    return Exit.WAITING


def _goes_on(parts: Parts, run_id: int, *, wait: bool) -> Exit:
    """Say, or do, what comes after a decision."""
    from payouts.cli import foreground, screen, summary  # noqa: PLC0415  bodies import lazily
    from payouts.cli.show import written_files  # noqa: PLC0415  the same
    from payouts.core.ids import public_id  # noqa: PLC0415  the same

    name = public_id("run", run_id)
    if not wait:
        frame.next_step("payouts worker", f"sends it; `payouts status {name}` shows how far it is")
        return Exit.DONE
    with screen.opened() as shown:
        standing, stopped = foreground.until_rest(parts, run_id, shown)
    with parts.database.reading() as unit:
        row = _run_of(unit, run_id)
    frame.told(f"Paid     {standing.paid:,} of {frame.count(standing.items, 'item')}")
    for words in summary.waiting(standing):
        frame.told(f"Waits    {words}")
    if stopped:
        frame.next_step("payouts worker", "goes on with it")
        return summary.ending(standing, row.counts, stopped=True)
    written = written_files(parts, row, None)
    agrees = written.report.proof.agrees
    frame.told(f"Report   {written.html}")
    what = "unpaid" if standing.unpaid else "open"
    if standing.unpaid or standing.waits:
        frame.next_step(f"payouts items {name} --state {what}", "shows why, one by one")
    else:
        frame.next_step(f"payouts status {name}")
    return summary.ending(standing, row.counts, agrees=agrees)


# -- retry ------------------------------------------------------------------------------------------


def retry(run: _OneRun, *, wait: _Wait = False, as_json: Json = False) -> Exit:
    """Try now what waits for its next turn after an answer that proved it was not executed.

    Paused lanes of RUN are resumed. What is unclear is never touched: evidence decides it.
    """
    from payouts.cli.which import run_row  # noqa: PLC0415  bodies import what they need
    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.flows.retry import retry_run  # noqa: PLC0415  the same
    from payouts.store import queries  # noqa: PLC0415  the same

    with frame.project(platforms=wait) as parts:
        with parts.database.reading() as unit:
            row = run_row(unit, run)
        made = retry_run(parts.database, row.id)
        with parts.database.reading() as unit:
            counts = queries.counts(unit, [row.id])
        unclear = sum(one.items for one in counts if one.state in {"unknown", "review"})
        name = public_id("run", row.id)
        if as_json:
            body = {
                "run": name,
                "items": made.items,
                "batches": made.batches,
                "resumed": [{"provider": p, "funding": f} for p, f in made.resumed],
                "unclear": unclear,
            }
            frame.document("retry", {**body, "exit_code": 0})
            return Exit.DONE
        for provider, funding in made.resumed:
            frame.told(f"Resumed  the lane {provider}/{funding}")
        if made.items:
            frame.told(f"Due now  {frame.count(made.items, 'item')} of {name}")
        elif not made.resumed:
            frame.told(f"{name} has nothing that may be tried again now.")
        if unclear:
            frame.told(
                f"Untouched {frame.count(unclear, 'item')} without a clear answer: sending again"
                " could pay twice"
            )
        if made.items or made.resumed:
            return _goes_on(parts, row.id, wait=wait)
        frame.next_step(f"payouts status {name}")
        return Exit.DONE


# -- reissue ----------------------------------------------------------------------------------------


def reissue(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ITEM|FILE",
            help="An item, or a CSV with the columns item, account, … (blank cells stay as they"
            " were).",
        ),
    ],
    *,
    account: Annotated[
        str | None, typer.Option(help="Another account for ITEM.", show_default=False)
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; kept with the approval.")] = "paid again",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Approve it too, and work until it rests.")
    ] = False,
    as_json: Json = False,
) -> Exit:
    """Pay again what is finally not paid: a new item that names the old one, also to a new account.

    Only what is failed, returned, cancelled or expired, and clear; each item once. It becomes a run
    of its own that somebody approves.
    """
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need
    from payouts.flows import review  # noqa: PLC0415  the same

    with frame.project(platforms=yes) as parts:
        wanted = _wanted(parts, what, account)
        result, made = _reissued(parts, wanted)
        name = public_id("run", result.run_id)
        actor = frame.person()
        accepted = result.counts.get("accepted", 0)
        code = Exit.WAITING if not yes else Exit.DONE
        if as_json and not yes:
            body = {
                "run": name,
                "replaces": [public_id("itm", item.id) for item in made.items],
                "counts": result.counts,
                "totals_minor": result.totals,
                "approved": False,
            }
            frame.document("reissue", {**body, "exit_code": int(code)})
            return code
        _tell_reissue(name, result, made)
        if not accepted:
            return Exit.REFUSED
        if not yes:
            frame.next_step(f"payouts approve {name} --reason …", "pays it")
            return code
        approved = review.approve(parts.database, result.run_id, actor=actor, reason=reason)
        if approved.short:
            with parts.database.reading() as unit:
                return _short_of_money(_run_of(unit, result.run_id), approved)
        code = _goes_on(parts, result.run_id, wait=True)
        if as_json:
            body = {"run": name, "counts": result.counts, "approved": True}
            frame.document("reissue", {**body, "exit_code": int(code)})
        return code


def _run_of(unit: Connection, run_id: int) -> RunRow:
    from payouts.store import queries  # noqa: PLC0415  bodies import what they need

    row = queries.run(unit, run_id)
    if row is None:
        raise UsageError(f"run {run_id} is gone", code="E_RUN_UNKNOWN")
    return row


def _tell_reissue(name: str, result: LoadResult, made: Reissue) -> None:
    from payouts.cli.summary import lines_counted, money_of, problem_rows  # noqa: PLC0415  lazily
    from payouts.core.ids import public_id  # noqa: PLC0415  the same

    first = public_id("itm", made.items[0].id)
    more = f" and {len(made.items) - 1:,} more" if len(made.items) > 1 else ""
    frame.told(f"{name} pays {first}{more} again: {money_of(result.totals, most=None)}")
    if result.counts.get("rejected"):
        frame.told(f"Lines    {lines_counted(result.lines, result.counts)}")
        for row in problem_rows(result.problems):
            frame.told(f"  {row.code}  {row.meaning} (line {row.where})")


def _wanted(parts: Parts, what: str, account: str | None) -> dict[int, dict[str, str]]:
    """Items with the columns that are given anew."""
    path = Path(what)
    if path.is_file():
        if account is not None:
            raise UsageError(
                "--account goes with one ITEM", hint="In a FILE, give a column account."
            )
        return _from_file(parts, path)
    from payouts.cli.which import item_keys  # noqa: PLC0415  bodies import what they need

    with parts.database.reading() as unit:
        keys = _latest(unit, item_keys(unit, what))
    if len(keys) != 1:
        raise UsageError(
            f"'{what}' is no file and stands for {frame.count(len(keys), 'item')}",
            hint="Give one item's id (itm_…), or a CSV with a column `item`;"
            " `payouts items last --state unpaid` lists them.",
            code="E_ITEM_UNKNOWN",
        )
    return {keys[0]: {"account": account} if account is not None else {}}


def _latest(unit: Connection, keys: Sequence[int]) -> list[int]:
    """Of several items of one reference, the one that none replaces."""
    from payouts.store import queries  # noqa: PLC0415  bodies import what they need

    if len(keys) == 1:
        return list(keys)
    return [key for key in keys if queries.replaced_by(unit, key) is None]


def _from_file(parts: Parts, path: Path) -> dict[int, dict[str, str]]:
    import csv  # noqa: PLC0415  bodies import what they need

    from payouts.cli.which import item_keys  # noqa: PLC0415  the same
    from payouts.flows.reissue import CHANGEABLE  # noqa: PLC0415  the same

    try:
        rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines(keepends=True)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path.name} is no CSV in UTF-8: {error}") from None
    header = list(rows[0]) if rows else []
    unknown = [name for name in header if name not in {"item", *CHANGEABLE}]
    if "item" not in header or unknown:
        what = f"has the unknown column '{unknown[0]}'" if unknown else "has no column `item`"
        raise UsageError(
            f"{path.name} {what}",
            hint=f"The columns are: item, and any of {', '.join(CHANGEABLE)}.",
            code="E_REISSUE_FILE",
        )
    wanted: dict[int, dict[str, str]] = {}
    with parts.database.reading() as unit:
        for number, row in enumerate(rows, start=2):
            keys = _latest(unit, item_keys(unit, (row["item"] or "").strip()))
            if len(keys) != 1 or keys[0] in wanted:
                why = "stands there twice" if len(keys) == 1 else "is not one item"
                raise UsageError(
                    f"{path.name}, line {number}: '{row['item']}' {why}", code="E_REISSUE_FILE"
                )
            wanted[keys[0]] = {
                name: value.strip()
                for name, value in row.items()
                if name in CHANGEABLE and isinstance(value, str) and value.strip()
            }
    return wanted


def _reissued(parts: Parts, wanted: Mapping[int, Mapping[str, str]]) -> tuple[LoadResult, Reissue]:
    """Write the file of the re-issue and load it as a run that a person approves."""
    from dataclasses import replace  # noqa: PLC0415  bodies import what they need

    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.core.pipeline import Pipeline  # noqa: PLC0415  the same
    from payouts.flows.load import load  # noqa: PLC0415  the same
    from payouts.flows.reissue import MAPPING, PIPELINE, prepare  # noqa: PLC0415  the same
    from payouts.intake.survey import survey  # noqa: PLC0415  the same

    if not wanted:
        raise UsageError("there is nothing to pay again", code="E_REISSUE_FILE")
    name = f"reissue_{public_id('itm', min(wanted))}.csv"
    with _draft(parts, name) as path:
        with parts.database.reading() as unit:
            made = prepare(unit, wanted, lines_of=lambda run: _lines_of(parts, run), path=path)
        copy = parts.take_copy(path)
        order = parts.load_order(Pipeline(PIPELINE, policy="person"), path, copy)
        try:
            result = load(
                parts.database,
                survey(copy, mapping=MAPPING),
                parts.rules(),
                replace(
                    order,
                    funding=made.funding,
                    again=made.again,
                    reject_share_max=1.0,
                    actor=frame.person(),
                ),
                encoders=parts.connectors,
                batch_max=parts.batch_max,
                signer=parts.signer,
                vault=parts.vault,
            )
        except BaseException:
            copy.unlink(missing_ok=True)  # nothing of it is stored
            raise
    return result, made


@contextmanager
def _draft(parts: Parts, name: str) -> Iterator[Path]:
    """A private file that is gone afterwards."""
    from payouts.local import private_directory  # noqa: PLC0415  bodies import what they need

    path = private_directory(parts.project.state / "drafts") / name
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _lines_of(parts: Parts, run: RunRow) -> Iterable[pl.DataFrame]:
    """The canonical lines of a run's file, as they were loaded."""
    from payouts.cli.which import source_of  # noqa: PLC0415  bodies import what they need
    from payouts.intake.reader import chunks  # noqa: PLC0415  the same

    found, transform = source_of(parts, run)
    for chunk in chunks(found):
        yield chunk.lines if transform is None else transform(chunk.lines)


# -- fund -------------------------------------------------------------------------------------------


def fund(
    account: Annotated[str, typer.Argument(help="The funding account, for example main.")],
    amount: Annotated[str, typer.Argument(help="Major units with a decimal point: 25000.00.")],
    currency: Annotated[str, typer.Argument(metavar="CUR", help="For example EUR.")],
    *,
    reason: _Reason,
    yes: _Yes = False,
    as_json: Json = False,
) -> Exit:
    """Book money into a funding account; runs that wait for it go on, the oldest first."""
    from payouts.cli.which import require_yes  # noqa: PLC0415  bodies import what they need
    from payouts.core.currencies import currency as unit_of  # noqa: PLC0415  the same
    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.core.money import parse_minor  # noqa: PLC0415  the same
    from payouts.flows.deposit import deposit  # noqa: PLC0415  the same

    _require_words(reason)
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


# -- ledger -----------------------------------------------------------------------------------------


def ledger(
    account: Annotated[
        str | None,
        typer.Argument(help="An account, a kind (funding, paid …) or an owner; else an overview."),
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
