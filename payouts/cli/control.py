"""`payouts hold`, `release`, `cancel`, `pause`, `resume`: what a person stops and lets go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from payouts.cli import frame
from payouts.cli.decide import Reason, Wait, goes_on, require_words
from payouts.cli.frame import Exit, Json, Panel, add
from payouts.cli.which import runs_like
from payouts.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from payouts.flows.cancel import Cancelled
    from payouts.flows.restore import Confirmed

__all__ = ["Actor", "RunOrItem", "Target", "actor_of", "register", "target_of"]

Actor = Annotated[
    str | None,
    typer.Option(
        "--actor",
        metavar="NAME",
        help="Who says so, where several people share this machine's user; else its user.",
        show_default=False,
    ),
]
RunOrItem = Annotated[
    str,
    typer.Argument(
        metavar="RUN|ITEM",
        help="A run (its id, its file's name, or `last`) or an item (its id or a reference).",
        autocompletion=runs_like,
    ),
]
_Lane = Annotated[
    str,
    typer.Argument(
        metavar="PROVIDER[/FUNDING]",
        help="A platform, or its lane of one funding account: `orkesta`, `orkesta/main`.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, hold, panel=Panel.CONTROL, example='payouts hold last --reason "wrong month?"')
    add(app, release, panel=Panel.CONTROL, example='payouts release last --reason "Ana checked it"')
    add(
        app,
        cancel,
        panel=Panel.CONTROL,
        example='payouts cancel itm_0000000010 --reason "left the company"',
    )
    add(app, pause, panel=Panel.CONTROL, example='payouts pause orkesta --reason "bank holiday"')
    add(app, resume, panel=Panel.CONTROL, example='payouts resume orkesta --reason "key renewed"')


class Target(NamedTuple):
    """What a person names: a run, or an item of it.

    Args:
        name: its public id.
    """

    run_id: int
    item_id: int | None
    name: str


def target_of(connection: Connection, word: str) -> Target:
    """The run or the item that a word stands for.

    Raises:
        UsageError: E_ITEM_UNKNOWN where it is neither, or stands for several items.
    """
    from payouts.cli.which import item_keys, run_row  # noqa: PLC0415  bodies import what they need
    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.store import queries  # noqa: PLC0415  the same

    if not word.startswith("itm_"):
        try:
            row = run_row(connection, word)
        except UsageError as error:
            if error.code != "E_RUN_UNKNOWN" or word.startswith("run_") or word == "last":
                raise
        else:
            return Target(row.id, None, public_id("run", row.id))
    keys = item_keys(connection, word)
    if len(keys) != 1:
        raise UsageError(
            f"'{word}' stands for {frame.count(len(keys), 'item')}",
            hint="Give a run, or one item's id (itm_…); `payouts items last` lists them.",
            code="E_ITEM_UNKNOWN",
        )
    item = queries.item(connection, keys[0])
    if item is None:
        raise UsageError(f"there is no item '{word}'", code="E_ITEM_UNKNOWN")
    return Target(item.run_id, item.id, public_id("itm", item.id))


def actor_of(name: str | None) -> str:
    """Who acts, as it is kept: `person:ana`.

    Raises:
        UsageError: the name is empty.
    """
    if name is None:
        return frame.person()
    if not name.strip():
        raise UsageError("--actor is empty", hint="Give the name of who says so.")
    return f"person:{name.strip()}"


# -- holds ----------------------------------------------------------------------------------------------


def hold(what: RunOrItem, *, reason: Reason, actor: Actor = None, as_json: Json = False) -> Exit:
    """Let nothing more of RUN, or of ITEM, be sent until somebody releases it.

    What is out already is not called back; `payouts cancel` asks for that.
    """
    from payouts.flows import control  # noqa: PLC0415  bodies import what they need

    require_words(reason)
    with frame.project() as parts:
        with parts.database.reading() as unit:
            target = target_of(unit, what)
        who = actor_of(actor)
        new = control.hold(parts.database, target.run_id, target.item_id, reason=reason, actor=who)
    if as_json:
        body = {"held": target.name, "new": new, "actor": who, "reason": reason}
        frame.document("hold", {**body, "exit_code": 0})
        return Exit.DONE
    frame.told(f"{target.name} is held by {who}" if new else f"{target.name} was held already.")
    frame.next_step(f"payouts release {target.name} --reason …", "lets it go on")
    return Exit.DONE


def release(
    what: RunOrItem,
    *,
    reason: Reason,
    actor: Actor = None,
    wait: Wait = False,
    as_json: Json = False,
) -> Exit:
    """End what people held with `payouts hold`; RUN, or ITEM, goes on.

    A hold for bad lines or a likeness ends with `payouts approve`, one for money with the money.
    """
    from payouts.flows import control  # noqa: PLC0415  bodies import what they need

    require_words(reason)
    with frame.project(platforms=wait) as parts:
        with parts.database.reading() as unit:
            target = target_of(unit, what)
        who = actor_of(actor)
        ended = control.release(
            parts.database, target.run_id, target.item_id, reason=reason, actor=who
        )
        if as_json:
            body = {"released": target.name, "holds": ended, "actor": who, "reason": reason}
            frame.document("release", {**body, "exit_code": 0})
            return Exit.DONE
        if not ended:
            frame.told(f"{target.name} is not held by a person.")
            frame.next_step("payouts status", "shows every hold")
            return Exit.DONE
        frame.told(f"{target.name} is released by {who}")
        return goes_on(parts, target.run_id, wait=wait)


# -- cancel ---------------------------------------------------------------------------------------------


def cancel(
    what: RunOrItem,
    *,
    reason: Reason,
    actor: Actor = None,
    wait: Wait = False,
    as_json: Json = False,
) -> Exit:
    """Ask that RUN, or ITEM, is not paid; what was not sent is cancelled at once.

    What may have been executed is asked of the platform, whose word decides; it is never sent
    again. Exits 5 while something of it is not final.
    """
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need
    from payouts.flows.cancel import cancel as asked  # noqa: PLC0415  the same

    require_words(reason)
    with frame.project(platforms=wait) as parts:
        with parts.database.reading() as unit:
            target = target_of(unit, what)
        made = asked(
            parts.database, target.run_id, target.item_id, reason=reason, actor=actor_of(actor)
        )
        code = Exit.DONE if made.over else Exit.WAITING
        if as_json:
            body = {
                "cancelled": target.name,
                "at_once": made.at_once,
                "items": dict(made.states),
                "over": made.over,
            }
            frame.document("cancel", {**body, "exit_code": int(code)})
            return code
        for line in _cancel_words(target, made):
            frame.told(line)
        if made.over:
            frame.next_step(f"payouts status {public_id('run', target.run_id)}")
            return code
        if wait:
            return goes_on(parts, target.run_id, wait=True)
        frame.next_step("payouts worker", "asks the platform; the request stays until all is final")
        return code


def _cancel_words(target: Target, made: Cancelled) -> list[str]:
    asked = "is asked to be cancelled" if made.new else "was asked to be cancelled before"
    said = [f"{target.name} {asked}"]
    if made.at_once:
        said.append(f"Cancelled {frame.count(made.at_once, 'item')}: nothing of it was sent")
    words = {
        "sending": "on the wire: the answer is awaited, nothing is sent again",
        "unknown": "unclear: evidence decides, nothing is sent again",
        "processing": "at the platform: it is asked to cancel, and says what became of it",
        "review": "for people: `payouts resolve`; nothing is sent again",
    }
    said += [
        f"Waits     {frame.count(items, 'item')} {words.get(state, state)}"
        for state, items in made.waiting.items()
    ]
    return said


# -- lanes ----------------------------------------------------------------------------------------------


def pause(lane: _Lane, *, reason: Reason, actor: Actor = None, as_json: Json = False) -> Exit:
    """Let nothing more be sent to a platform, or from one funding account, until it is resumed.

    Lanes to come are paused too. What is out is still asked about; nobody is failed.
    """
    from payouts.flows import control  # noqa: PLC0415  bodies import what they need

    require_words(reason)
    with frame.project() as parts:
        provider, funding = _lane_of(lane, parts.connectors)
        who = actor_of(actor)
        paused = control.pause(parts.database, provider, funding, reason=reason, actor=who)
    if as_json:
        body = {"paused": _lane_values(paused), "actor": who, "reason": reason}
        frame.document("pause", {**body, "exit_code": 0})
        return Exit.DONE
    for one, account in paused:
        every = "every lane to come" if account == "*" else account
        frame.told(f"Paused   {one}/{every}")
    frame.next_step(f"payouts resume {lane} --reason …", "lets it send again")
    return Exit.DONE


def resume(
    lane: _Lane,
    *,
    reason: Reason,
    restored: Annotated[
        bool,
        typer.Option(
            "--confirm-restored",
            help="Confirm that what was paid since a restored backup is reconciled; two people do.",
        ),
    ] = False,
    actor: Actor = None,
    as_json: Json = False,
) -> Exit:
    """Let a paused platform, or one lane of it, send again; end the cause first.

    After a restored backup two different people confirm, each with --confirm-restored, that they
    compared the platform's own list of payments with this database. Exits 5 after the first.
    """
    from payouts.flows import control, restore  # noqa: PLC0415  bodies import what they need

    require_words(reason)
    with frame.project() as parts:
        provider, funding = _lane_of(lane, parts.connectors)
        who = actor_of(actor)
        if restored:
            made = restore.confirm(parts.database, provider, reason=reason, actor=who)
            return _told_confirmed(provider, made, as_json=as_json)
        lanes = control.resume(parts.database, provider, funding, reason=reason, actor=who).lanes
    if as_json:
        body = {"resumed": _lane_values(lanes), "actor": who, "reason": reason}
        frame.document("resume", {**body, "exit_code": 0})
        return Exit.DONE
    for one, account in lanes:
        frame.told(f"Resumed  {one}/{'every lane to come' if account == '*' else account}")
    if not lanes:
        frame.told(f"{lane} is not paused.")
    frame.next_step("payouts worker" if lanes else "payouts status")
    return Exit.DONE


def _told_confirmed(provider: str, made: Confirmed, *, as_json: bool) -> Exit:
    code = Exit.DONE if made.over else Exit.WAITING
    if as_json:
        body = {"provider": provider, "first": made.first, "over": made.over}
        body["resumed"] = _lane_values(made.lanes)
        frame.document("restored", {**body, "exit_code": int(code)})
    elif made.over:
        frame.told(f"Two people have confirmed: {provider} is sent to again.")
        frame.next_step("payouts worker")
    else:
        frame.told(f"{made.first} has confirmed; somebody else has to, too.")
        frame.next_step(f"payouts resume {provider} --confirm-restored --actor NAME --reason …")
    return code


def _lane_values(lanes: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"provider": provider, "funding": funding} for provider, funding in lanes]


def _lane_of(word: str, known: Collection[str]) -> tuple[str, str | None]:
    provider, _, funding = word.partition("/")
    if provider not in known:
        raise UsageError(
            f"there is no platform '{provider}' here",
            hint=f"Those with credentials: {', '.join(sorted(known)) or 'none'}.",
        )
    return provider, funding or None
