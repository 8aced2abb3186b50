"""`payouts collect`: a payment link for whoever funds a run, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from payouts.cli import frame
from payouts.cli.frame import Exit, Json, Panel, add
from payouts.cli.which import runs_like
from payouts.core.errors import AmountError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from payouts.flows.collect import CollectOrder, Looked
    from payouts.flows.review import Review
    from payouts.providers.orchestrate import Intent
    from payouts.store.collections import Collection
    from payouts.store.queries import RunRow
    from payouts.wiring import Parts

__all__ = ["register"]

_POLL_S = 10.0
_POLL_LEAST_S = 0.2
_LISTED = 50
_ENDINGS = {
    "paid": Exit.DONE,
    "failed": Exit.SOME_FAILED,
    "expired": Exit.SOME_FAILED,
    "refused": Exit.REFUSED,
}


def register(app: typer.Typer) -> None:
    """Add `collect`."""
    add(app, collect, panel=Panel.MONEY, example="payouts collect 25000.00 EUR --for last")


def collect(
    amount: Annotated[
        str | None, typer.Argument(help="Major units; with --for: else what the run lacks.")
    ] = None,
    currency: Annotated[
        str | None, typer.Argument(metavar="CUR", help="USD, EUR, GBP or CAD.")
    ] = None,
    *,
    account: Annotated[
        str | None, typer.Option(help="The funding account it goes to; else the run's, or main.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Option("--for", metavar="RUN", help="The run it is for.", autocompletion=runs_like),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Who pays.")] = None,
    email: Annotated[str | None, typer.Option(help="The e-mail address of who pays.")] = None,
    valid_h: Annotated[
        float | None, typer.Option(min=0.01, max=8760, help="Hours until the link ends.")
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Print the link and end; a worker looks on.")
    ] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="Look at all that are open, and list the newest.")
    ] = False,
    as_json: Json = False,
) -> Exit:
    """Have somebody pay money in by a link; it is booked when the platform says that it is paid.

    Runs that wait for money on the account go on with it, the oldest first.
    """
    with frame.project(platforms=True) as parts:
        order = parts.collect_order()
        if listed:
            return _listed(order, as_json=as_json)
        row, account = _for(parts, run, account)
        intent = _intent(parts, row, account, amount, currency)
        intent = _said(parts, intent, name=name, email=email, valid_h=valid_h)
        return _collected(order, intent, account, row, wait=not no_wait, as_json=as_json)


def _for(parts: Parts, run: str | None, account: str | None) -> tuple[RunRow | None, str]:
    """The run, and the account that the money goes to."""
    from payouts.cli.which import run_row  # noqa: PLC0415  bodies import what they need

    if run is None:
        return None, account or parts.settings.funding
    with parts.database.reading() as unit:
        row = run_row(unit, run)
    return row, account or row.funding


def _intent(
    parts: Parts, row: RunRow | None, account: str, amount: str | None, currency: str | None
) -> Intent:
    """What is to be paid: as typed, or what the run lacks."""
    from payouts.core.currencies import currency as unit_of  # noqa: PLC0415  lazily
    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.core.money import parse_minor  # noqa: PLC0415  the same
    from payouts.providers.orchestrate import Intent  # noqa: PLC0415  the same

    if amount is None or currency is None:
        code, minor = _lacking(parts, row, amount)
    else:
        unit = unit_of(currency.upper())
        code = unit.code
        try:
            minor = parse_minor(amount, unit)
        except AmountError as error:
            raise UsageError(error.message, hint=error.hint, code=error.code) from None
    if minor <= 0:
        raise UsageError("the amount is zero", hint="Write what is to be paid, e.g. 25000.00 EUR.")
    what = f"run {public_id('run', row.id)}" if row is not None else f"account {account}"
    return Intent("", minor, code, f"Funding of {what}", 0)


def _lacking(parts: Parts, row: RunRow | None, amount: str | None) -> tuple[str, int]:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need
    from payouts.store.runs import shortfall  # noqa: PLC0415  the same

    if row is None or amount is not None:
        raise UsageError(
            "amount and currency are missing",
            hint="Write `payouts collect 25000.00 EUR`, or name the run that lacks money: --for RUN.",
        )
    with parts.database.reading() as unit:
        short = shortfall(unit, row.id)
    if len(short) != 1:
        names = " and ".join(sorted(short)) or "no money"
        raise UsageError(
            f"{public_id('run', row.id)} lacks {names}",
            hint="Say what is to be collected: `payouts collect 25000.00 EUR --for RUN`.",
        )
    return next(iter(short.items()))


def _said(
    parts: Parts, intent: Intent, *, name: str | None, email: str | None, valid_h: float | None
) -> Intent:
    """The same with who pays, how long, and where the browser goes: as typed, else as set."""
    from dataclasses import replace  # noqa: PLC0415  bodies import what they need

    settings = parts.settings.orchestrate
    success, cancel = parts.landing_urls()
    return replace(
        intent,
        expires_s=max(1, round((valid_h or settings.valid_h) * 3600)),
        name=name or settings.customer_name,
        email=email or settings.customer_email,
        success_url=success,
        cancel_url=cancel,
        mcc=settings.mcc,
    )


# -- one -------------------------------------------------------------------------------------------


def _collected(
    order: CollectOrder,
    intent: Intent,
    account: str,
    row: RunRow | None,
    *,
    wait: bool,
    as_json: bool,
) -> Exit:
    from payouts.flows.collect import Asked, ask  # noqa: PLC0415  bodies import what they need

    made = _asked_before(order, intent, account, row)
    if made is None:
        asked = Asked(account, intent, frame.person(), None if row is None else row.id)
        made = ask(order, asked)
    else:
        frame.say("This was asked for already; one link is enough.")
    _tell_asked(made)
    runs: Sequence[tuple[int, Review]] = ()
    stopped = False
    if wait and not made.final:
        made, runs, stopped = _awaited(order, made)
    code = Exit.INTERRUPTED if stopped else _ENDINGS.get(str(made.state), Exit.WAITING)
    if as_json:
        body = {**_values(made), "runs": [_run_values(run, one) for run, one in runs]}
        frame.document("collection", {**body, "exit_code": int(code)})
        return code
    _tell_ending(made, runs)
    return code


def _asked_before(
    order: CollectOrder, intent: Intent, account: str, row: RunRow | None
) -> Collection | None:
    """What was asked for the same run and still waits: typing a command again makes no second link."""
    from payouts.store import collections  # noqa: PLC0415  bodies import what they need

    if row is None:
        return None
    with order.database.reading() as unit:
        made = collections.awaited(unit, row.id, intent.currency, intent.amount_minor)
    return made if made is not None and made.funding == account else None


def _tell_asked(made: Collection) -> None:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    shown = frame.money(made.amount_minor, made.currency)
    frame.say(f"{public_id('col', made.id)}: {shown} into {made.funding}, by {made.provider}")
    if made.link is not None:
        frame.say(f"Pay at   {made.link}")
        frame.say(f"Ends     {made.ends_at:%Y-%m-%d %H:%M} UTC")


def _awaited(
    order: CollectOrder, made: Collection
) -> tuple[Collection, Sequence[tuple[int, Review]], bool]:
    """Look until it is final; Ctrl-C leaves it to a worker, or to the next `--list`."""
    import time  # noqa: PLC0415  bodies import what they need

    from payouts.flows.collect import look  # noqa: PLC0415  the same

    frame.say("Waiting until it is paid; Ctrl-C leaves, the link stays.")
    pause = max(_POLL_LEAST_S, _POLL_S * order.pace)
    told = made.link is not None
    try:
        while True:
            time.sleep(pause)
            seen = look(order, made.id, actor=frame.person())
            made = seen.collection
            if made.link is not None and not told:
                told = True
                _tell_asked(made)
            if made.final or made.state == "review":
                return made, seen.runs, False
    except KeyboardInterrupt:
        return made, (), True


def _tell_ending(made: Collection, runs: Sequence[tuple[int, Review]]) -> None:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    name = public_id("col", made.id)
    shown = frame.money(made.amount_minor, made.currency)
    match str(made.state):
        case "paid":
            frame.told(f"Paid     {shown}, booked into {made.funding}")
        case "refused":
            frame.told(f"Refused  {name}: {made.code}; nothing was asked for")
        case "failed" | "expired" as word:
            frame.told(f"{word.capitalize():8} {name}: nothing was booked")
        case "review":
            frame.told(f"Review   {name}: another amount was paid than was asked for")
        case "open":
            frame.told(f"Open     {name}: {made.link}")
        case _:
            frame.told(f"Unclear  {name}: the answer was lost; it is searched, never asked again")
    _tell_runs(runs)
    if any(one.batches for _, one in runs):
        frame.next_step("payouts worker", "sends what was approved")
    elif made.final:
        frame.next_step(f"payouts ledger funding:{made.funding}")
    else:
        frame.next_step("payouts collect --list", "looks again; a worker does so by itself")


def _tell_runs(runs: Sequence[tuple[int, Review]]) -> None:
    from payouts.cli.summary import money_of  # noqa: PLC0415  bodies import what they need
    from payouts.core.ids import public_id  # noqa: PLC0415  the same

    for run, one in runs:
        if one.short:
            frame.told(f"Waits    {public_id('run', run)}: lacks {money_of(one.short, most=None)}")
        else:
            batches = frame.count(one.batches, "batch", "batches")
            what = f"{batches} approved" if one.batches else "released, waits for approval"
            frame.told(f"Goes on  {public_id('run', run)}: {what}")


# -- all --------------------------------------------------------------------------------------------


def _listed(order: CollectOrder, *, as_json: bool) -> Exit:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need
    from payouts.flows.collect import look_due  # noqa: PLC0415  the same
    from payouts.store import collections  # noqa: PLC0415  the same

    looked = look_due(order, actor=frame.person(), everything=True)
    with order.database.reading() as unit:
        rows = collections.listed(unit, limit=_LISTED)
    waits = any(not row.final for row in rows)
    code = Exit.WAITING if waits else Exit.DONE
    if as_json:
        body = {"collections": [_values(row) for row in rows], "exit_code": int(code)}
        frame.document("collections", body)
        return code
    if not rows:
        frame.told("Nothing was collected yet.")
        frame.next_step("payouts collect 25000.00 EUR")
        return code
    headers = ("collection", "state", "amount", "account", "for", "link or reason")
    table = [
        (
            public_id("col", row.id),
            row.state,
            frame.money(row.amount_minor, row.currency),
            row.funding,
            "" if row.run_id is None else public_id("run", row.run_id),
            (row.code if row.final else row.link) or row.code or "",
        )
        for row in rows
    ]
    for line in frame.table(headers, table, right=[2]):
        frame.told(line)
    _tell_runs([pair for one in looked for pair in _booked(one)])
    return code


def _booked(one: Looked) -> Sequence[tuple[int, Review]]:
    return one.runs if one.booked else ()


def _values(row: Collection) -> dict[str, Any]:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    return {
        "collection": public_id("col", row.id),
        "state": str(row.state),
        "minor": row.amount_minor,
        "currency": row.currency,
        "account": row.funding,
        "for": None if row.run_id is None else public_id("run", row.run_id),
        "link": row.link,
        "reason": row.code,
        "provider": row.provider,
        "provider_id": row.ref,
        "provider_status": row.status,
        "created_at": row.created_at,
        "ends_at": row.ends_at,
    }


def _run_values(run: int, one: Review) -> dict[str, Any]:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    name = public_id("run", run)
    return {"run": name, "approved_batches": one.batches, "short_minor": dict(one.short)}
