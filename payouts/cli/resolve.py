"""`payouts resolve`, `incidents`: what automation leaves to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from payouts.cli import frame
from payouts.cli.control import Actor, actor_of, target_of
from payouts.cli.decide import Wait, goes_on, require_words
from payouts.cli.frame import Exit, Json, Panel, add
from payouts.core.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from payouts.flows.resolve import Decision, Resolved
    from payouts.store.engine import Database

__all__ = ["register"]

_SHOWN_MAX = 200


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(
        app,
        resolve,
        panel=Panel.CONTROL,
        example='payouts resolve itm_0000000010 --as settled --reason "asked the bank"'
        ' --evidence "letter of 12 May"',
    )
    add(app, incidents, panel=Panel.LOOK, example='payouts incidents --close 7 --reason "called"')


def resolve(
    item: Annotated[
        str | None,
        typer.Argument(metavar="ITEM", help="An item in review: its id or a reference."),
    ] = None,
    *,
    batch: Annotated[
        str | None,
        typer.Option(
            help="All items of a batch (bat_…) that wait, instead of ITEM.", show_default=False
        ),
    ] = None,
    decision: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="settled|failed|approved",
            help="settled: it was paid. failed: it was not, and will not be. approved: it was not,"
            " and is sent once more.",
            show_default=False,
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept with your name.")] = "",
    evidence: Annotated[
        str,
        typer.Option(
            help="What you saw: a statement and its dates, the platform's written answer. The"
            " second person may leave it to the first."
        ),
    ] = "",
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Take back what was proposed.")
    ] = False,
    actor: Actor = None,
    wait: Wait = False,
    as_json: Json = False,
) -> Exit:
    """Decide ITEM, or a batch, that automation left to people: two of them, with evidence.

    The first call proposes and moves nothing (exit 5); the same decision by somebody else applies
    it. `approved` needs proof that nothing was executed: a closed statement of three business days
    after the value date without the payment, or the platform's written answer.
    """
    from payouts.flows import resolve as resolving  # noqa: PLC0415  bodies import what they need

    if (item is None) == (batch is None):
        raise UsageError("give one ITEM, or --batch", hint="`payouts resolve --help` shows how.")
    with frame.project(platforms=wait) as parts:
        with parts.database.reading() as unit:
            item_id, batch_id = _meant(unit, item, batch)
        who = actor_of(actor)
        if withdraw:
            there = resolving.withdraw(
                parts.database, item_id=item_id, batch_id=batch_id, actor=who
            )
            return _told_withdrawn(item or batch or "", gone=there is not None, as_json=as_json)
        require_words(reason)
        made = resolving.resolve(
            parts.database,
            item_id=item_id,
            batch_id=batch_id,
            decision=_decision(decision),
            reason=reason,
            evidence=evidence,
            actor=who,
        )
        code = Exit.DONE if made.applied else Exit.WAITING
        if as_json:
            frame.document("resolution", {**_values(made), "exit_code": int(code)})
            return code
        _tell(made, item or f"--batch {batch}")
        if made.applied and made.decision == "approved":
            return goes_on(parts, made.run_id, wait=wait)
        return code


def _meant(unit: Connection, item: str | None, batch: str | None) -> tuple[int | None, int | None]:
    from payouts.core.ids import key_of  # noqa: PLC0415  bodies import what they need

    if batch is not None:
        prefix, key = key_of(batch)
        if prefix != "bat":
            raise UsageError(f"'{batch}' is no batch", hint="Batches look like bat_….", code="E_ID")
        return None, key
    target = target_of(unit, item or "")
    if target.item_id is None:
        raise UsageError(
            f"'{item}' is a run",
            hint=f"`payouts items {target.name} --state review` lists what waits for people.",
            code="E_ITEM_UNKNOWN",
        )
    return target.item_id, None


def _decision(word: str | None) -> Decision:
    from payouts.flows.resolve import Decision  # noqa: PLC0415  bodies import what they need

    known: tuple[Decision, ...] = get_args(Decision)
    for one in known:
        if one == word:
            return one
    raise UsageError(
        f"--as {word} is no decision" if word else "--as is missing",
        hint=f"One of {', '.join(known)}.",
    )


def _values(made: Resolved) -> dict[str, object]:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    return {
        "run": public_id("run", made.run_id),
        "items": [public_id("itm", item) for item in made.items],
        "decision": made.decision,
        "first": made.first,
        "applied": made.applied,
        "replaced": made.replaced,
    }


def _tell(made: Resolved, what: str) -> None:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    about = (
        public_id("itm", made.items[0])
        if len(made.items) == 1
        else frame.count(len(made.items), "item")
    )
    if made.applied:
        frame.told(f"{about}: {made.decision}, decided by {made.first} and you")
        if made.decision != "approved":
            frame.next_step(f"payouts explain {public_id('itm', made.items[0])}")
        return
    if made.replaced:
        frame.told("An older proposal is void: its items moved on since.")
    frame.told(f"{about}: {made.decision} is proposed by {made.first}; nothing has moved")
    frame.next_step(
        f"payouts resolve {what} --as {made.decision} --reason … --actor NAME",
        "by somebody else, applies it",
    )


def _told_withdrawn(what: str, *, gone: bool, as_json: bool) -> Exit:
    if as_json:
        frame.document("resolution_withdrawn", {"what": what, "withdrawn": gone, "exit_code": 0})
    elif gone:
        frame.told(f"{what}: the proposal is withdrawn; nothing has moved")
    else:
        frame.told(f"{what}: nothing was proposed")
    return Exit.DONE


# -- incidents --------------------------------------------------------------------------------------------


def incidents(
    *,
    close: Annotated[
        int | None, typer.Option(metavar="ID", help="Close this one.", show_default=False)
    ] = None,
    reason: Annotated[str, typer.Option(help="What was done; kept with your name.")] = "",
    actor: Actor = None,
    as_json: Json = False,
) -> Exit:
    """List what somebody has to see, the gravest first; close one when it is dealt with.

    Severity 1: money is at risk now. 2: something waits for a person. 3: to be known. Exits 5
    while one of severity 1 or 2 is open.
    """
    from payouts.cli.attention import incident_table, incident_values  # noqa: PLC0415  lazily
    from payouts.store import incidents as stored  # noqa: PLC0415  the same

    with frame.project() as parts:
        if close is not None:
            return _close(parts.database, close, reason, actor_of(actor), as_json=as_json)
        with parts.database.reading() as unit:
            found = stored.open_incidents(unit, limit=_SHOWN_MAX)
    grave = any(one.severity <= 2 for one in found)  # noqa: PLR2004  waits for a person
    code = Exit.WAITING if grave else Exit.DONE
    if as_json:
        rows = [incident_values(one) for one in found]
        frame.document("incidents", {"incidents": rows, "exit_code": int(code)})
        return code
    for line in incident_table(found):
        frame.told(line)
    if not found:
        frame.told("No incident is open.")
        return code
    frame.next_step(f"payouts explain {found[0].code}", "says what to do; then --close ID")
    return code


def _close(database: Database, key: int, reason: str, who: str, *, as_json: bool) -> Exit:
    from payouts.store import control  # noqa: PLC0415  bodies import lazily
    from payouts.store import incidents as stored  # noqa: PLC0415  the same

    require_words(reason)
    with database.unit() as unit:
        if not stored.close_incident(unit, key, actor=who):
            raise UsageError(
                f"incident {key} is not open",
                hint="`payouts incidents` lists those that are.",
                code="E_INCIDENT_UNKNOWN",
            )
        control.note(unit, "close", f"incident {key}", reason=reason, actor=who)
    if as_json:
        frame.document("incident_closed", {"incident": key, "by": who, "exit_code": 0})
    else:
        frame.told(f"Incident {key} is closed by {who}.")
        frame.next_step("payouts incidents")
    return Exit.DONE
