"""`payouts status`, `items`, `explain`, `report`: where things stand, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from payouts.cli import frame
from payouts.cli.frame import Exit, Json, Panel, add
from payouts.cli.which import runs_like
from payouts.core.errors import UsageError
from payouts.core.items import FINAL, OPEN, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from payouts.flows.explain import AsSent, Present
    from payouts.flows.progress import Standing
    from payouts.flows.report import Written
    from payouts.store.queries import CountRow, HoldRow, ItemRow, LaneRow, RunRow
    from payouts.wiring import Parts

__all__ = ["register", "written_files"]

_LIST_MAX = 20
_FOUND_MAX = 10
_GROUPS = {"open": OPEN, "final": FINAL, "unpaid": FINAL - {State.SETTLED, State.RECONCILED}}
"""Words for `--state` that stand for several."""

_EFFECTS = {
    ("file", "reject"): "the whole file is refused: nothing of it is stored or sent",
    ("line", "reject"): "the line is not paid; the others are",
    ("command", "reject"): "the command stops; what was stored before stays stored",
    ("incident", "reject"): "it stays open until a person closes it",
    ("file", "warn"): "the file is read; this is only said",
    ("line", "warn"): "the line is paid; this is only said",
    ("command", "warn"): "the command goes on; this is only said",
    ("incident", "warn"): "it stays open until a person closes it",
}
_SEVERITIES = {
    1: "money is at risk: somebody looks now",
    2: "something waits for a person",
    3: "to be known; nothing stops",
}

_OneRun = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run: its id, its file's name, or `last`.",
        autocompletion=runs_like,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands that show things."""
    add(app, status, panel=Panel.LOOK, example="payouts status last")
    add(app, items, panel=Panel.LOOK, example="payouts items last --state failed")
    add(app, explain, panel=Panel.LOOK, example="payouts explain E_IBAN_CHECK_DIGITS")
    add(app, report, panel=Panel.LOOK, example="payouts report last")


# -- status -----------------------------------------------------------------------------------------


def status(
    run: Annotated[
        str | None,
        typer.Argument(help="A run: its id, its file's name, or `last`.", autocompletion=runs_like),
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many runs to list.")] = _LIST_MAX,
    as_json: Json = False,
) -> Exit:
    """Show the newest runs, or where one RUN stands; exits 5 where RUN waits for somebody."""
    with frame.project() as parts:
        if run is None:
            return _status_all(parts, limit, as_json=as_json)
        return _status_one(parts, run, as_json=as_json)


def _status_all(parts: Parts, limit: int, *, as_json: bool) -> Exit:
    from payouts.cli.which import first_step  # noqa: PLC0415  bodies import what they need
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need
    from payouts.store import queries  # noqa: PLC0415  the same

    with parts.database.reading() as unit:
        rows = queries.runs(unit, limit=limit)
        keys = [row.id for row in rows]
        counts = queries.counts(unit, keys)
        holds = queries.holds(unit, keys, open_only=True)
        lanes = queries.lanes(unit, keys)
    if as_json:
        runs = [_run_values(row, counts, holds, lanes) for row in rows]
        frame.document("status", {**_where(parts), "runs": runs, "exit_code": 0})
        return Exit.DONE
    frame.told(_heading(parts))
    if not rows:
        frame.told("There is no run yet.")
        frame.next_step(first_step())
        return Exit.DONE
    table = []
    for row in rows:
        mine = [count for count in counts if count.run_id == row.id]
        total, paid, unpaid, still = _split(mine)
        table.append(
            (
                public_id("run", row.id),
                f"{row.created_at:%Y-%m-%d %H:%M}",
                row.source_name,
                f"{row.lines_read:,}",
                f"{total:,}",
                f"{paid:,}",
                f"{unpaid:,}",
                f"{still:,}",
                _now(row, still, holds, lanes),
            )
        )
    headers = ("run", "loaded (UTC)", "file", "lines", "items", "paid", "not paid", "open", "now")
    for line in frame.table(headers, table, right=[3, 4, 5, 6, 7]):
        frame.told(line)
    frame.next_step(f"payouts status {public_id('run', rows[0].id)}")
    return Exit.DONE


def _split(counts: Sequence[CountRow]) -> tuple[int, int, int, int]:
    """All items, those paid, those finally not, those open."""
    total = sum(row.items for row in counts)
    paid = sum(row.items for row in counts if row.state in {State.SETTLED, State.RECONCILED})
    still = sum(row.items for row in counts if State(row.state) in OPEN)
    return total, paid, total - paid - still, still


def _now(row: RunRow, still: int, holds: Sequence[HoldRow], lanes: Sequence[LaneRow]) -> str:
    """What a run is doing, in a word or two."""
    if row.closed_at is not None:
        return "closed"
    if not still:
        return "over"
    held = [hold.reason for hold in holds if hold.run_id == row.id and hold.item_id is None]
    if held:
        return f"held: {', '.join(dict.fromkeys(held))}"
    if row.approved_at is None:
        return "waits for approval"
    if any(lane.run_id == row.id and lane.paused_at is not None for lane in lanes):
        return "lane paused"
    return "open"


def _heading(parts: Parts) -> str:
    root = frame.clean(str(parts.project.root))
    return f"payouts · {parts.settings.environment} · database {parts.database_id} · {root}"


def _where(parts: Parts) -> dict[str, Any]:
    return {"environment": parts.settings.environment, "database_id": parts.database_id}


def _run_values(
    row: RunRow,
    counts: Sequence[CountRow],
    holds: Sequence[HoldRow],
    lanes: Sequence[LaneRow],
) -> dict[str, Any]:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    mine = [count for count in counts if count.run_id == row.id]
    still = _split(mine)[3]
    return {
        "run": public_id("run", row.id),
        "file": row.source_name,
        "pipeline": row.pipeline,
        "created_at": row.created_at,
        "approved_at": row.approved_at,
        "closed_at": row.closed_at,
        "lines": row.lines_read,
        "counts": dict(row.counts),
        "now": _now(row, still, holds, lanes),
        "items": [
            {
                "provider": one.provider,
                "currency": one.currency,
                "state": one.state,
                "items": one.items,
                "minor": one.amount_minor,
            }
            for one in mine
        ],
    }


def _status_one(parts: Parts, word: str, *, as_json: bool) -> Exit:
    from payouts.cli import foreground, summary  # noqa: PLC0415  bodies import what they need
    from payouts.cli.which import moment, run_row  # noqa: PLC0415  the same
    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.flows import progress  # noqa: PLC0415  the same
    from payouts.store import queries  # noqa: PLC0415  the same

    with parts.database.reading() as unit:
        row = run_row(unit, word)
        counts = queries.counts(unit, [row.id])
        holds = queries.holds(unit, [row.id], open_only=True)
        lanes = queries.lanes(unit, [row.id])
        failures = progress.failures(unit, row.id)
    name = public_id("run", row.id)
    standing = foreground.look(parts, row.id)
    code = summary.ending(standing, row.counts)
    step, why = _next(name, standing, row)
    if as_json:
        body = {**_where(parts), **_run_values(row, counts, holds, lanes)}
        body["holds"] = [_hold_values(hold) for hold in holds]
        body["lanes"] = [_lane_values(lane) for lane in lanes]
        body["failures"] = dict(failures)
        frame.document("run_status", {**body, "next": step, "exit_code": int(code)})
        return code
    frame.told(_heading(parts))
    frame.told(f"{name} · {frame.clean(row.source_name)} · pipeline {row.pipeline}")
    frame.told(f"Loaded   {moment(row.created_at)}, {_approved(row)}, {_closed(row)}")
    lines = summary.run_lines(row, standing, failures, opened={}, agrees=True, files=[])
    for line in lines:
        frame.told(line)
    for line in _matrix(counts):
        frame.told(line)
    for lane in lanes:
        for words in _lane_words(lane):
            frame.told(f"Lane     {words}")
    frame.next_step(step, why)
    return code


def _approved(row: RunRow) -> str:
    if row.approved_at is None:
        return "not approved"
    return f"approved {row.approved_at:%H:%M:%S} by {row.approved_by}"


def _closed(row: RunRow) -> str:
    return "open" if row.closed_at is None else f"closed {row.closed_at:%Y-%m-%d %H:%M:%S}"


def _matrix(counts: Sequence[CountRow]) -> list[str]:
    """Items and money by currency and state."""
    if not counts:
        return []
    summed: dict[tuple[str, str], tuple[int, int]] = {}
    for row in counts:
        items, minor = summed.get((row.currency, row.state), (0, 0))
        summed[row.currency, row.state] = (items + row.items, minor + row.amount_minor)
    rows = [
        (currency, state, f"{items:,}", frame.money(minor, currency))
        for (currency, state), (items, minor) in summed.items()
    ]
    return frame.table(("", "state", "items", "amount"), rows, right=[2, 3], indent="  ")


def _lane_words(lane: LaneRow) -> list[str]:
    from datetime import UTC, datetime  # noqa: PLC0415  bodies import what they need

    from payouts.cli.which import moment, span  # noqa: PLC0415  the same
    from payouts.flows.explain import meaning  # noqa: PLC0415  the same

    name = f"{lane.provider}/{lane.funding}"
    if lane.paused_at is not None:
        why = meaning(lane.reason)
        return [f"{name} is paused since {moment(lane.paused_at)}: {frame.clean(why)}"]
    now = datetime.now(UTC)
    due = [
        f"{what} {span((at - now).total_seconds())}"
        for what, at in (("sends", lane.send_at), ("looks", lane.check_at))
        if at is not None
    ]
    return [f"{name} {' and '.join(due)}"] if due else []


def _hold_values(hold: HoldRow) -> dict[str, Any]:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need

    return {
        "reason": hold.reason,
        "detail": hold.detail,
        "item": None if hold.item_id is None else public_id("itm", hold.item_id),
        "opened_at": hold.opened_at,
        "opened_by": hold.opened_by,
    }


def _lane_values(lane: LaneRow) -> dict[str, Any]:
    return {
        "provider": lane.provider,
        "funding": lane.funding,
        "paused_at": lane.paused_at,
        "reason": lane.reason,
        "send_at": lane.send_at,
        "check_at": lane.check_at,
    }


def _next(name: str, standing: Standing, row: RunRow) -> tuple[str, str]:
    """The next command for a run that somebody looks at."""
    if not standing.rests:
        return "payouts worker", "goes on with it"
    if standing.waits:
        wait = standing.waits[0]
        hold = wait.detail.partition(":")[0]
        if str(wait.reason) == "held" and hold == "funds":
            return f"payouts fund {row.funding} AMOUNT CURRENCY --reason …", "books money in"
        steps = {
            "approval": (f"payouts approve {name} --reason …", "pays it"),
            "held": (f"payouts approve {name} --reason …", "pays it all the same"),
            "paused": (f"payouts retry {name}", "when the cause is gone"),
            "later": ("payouts worker", "sends what is due later"),
            "unclear": (f"payouts items {name} --state unknown", "shows them one by one"),
            "review": (f"payouts items {name} --state review", "shows them one by one"),
        }
        return steps[str(wait.reason)]
    if standing.unpaid:
        return f"payouts items {name} --state unpaid", "shows why, one by one"
    return f"payouts report {name}", "writes its files"


# -- items ------------------------------------------------------------------------------------------


def items(
    run: _OneRun,
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
        values = [_item_values(one) for one in page]
        cursor = last if more else None
        frame.document("items", {"run": name, "items": values, "after": cursor, "exit_code": 0})
        return Exit.DONE
    if not page:
        frame.told(f"{name} has no such item{' left' if after else ''}.")
        frame.next_step(f"payouts status {name}")
        return Exit.DONE
    for line in _item_table(page):
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


def _item_table(page: Sequence[ItemRow]) -> list[str]:
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need
    from payouts.flows.explain import meaning  # noqa: PLC0415  the same

    rows = [
        (
            public_id("itm", one.id),
            f"{one.number:,}" + (f" +{one.lines - 1}" if one.lines > 1 else ""),
            _shown_reference(one.reference),
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


def _shown_reference(reference: str) -> str:
    """The payer's own reference; those that we made say so."""
    if reference.startswith(("fp:", "sum:")):
        return "(none)" if reference.startswith("fp:") else "(summed)"
    return reference


def _item_values(one: ItemRow) -> dict[str, Any]:
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


# -- explain ----------------------------------------------------------------------------------------


def explain(
    word: Annotated[
        str,
        typer.Argument(
            metavar="ITEM|CODE",
            help="An item (its id, the payer's or the platform's reference), or a problem code.",
        ),
    ],
    *,
    as_json: Json = False,
) -> Exit:
    """Say what happened to an item, why it is where it is, and what comes next; or what CODE means."""
    if _is_code(word):
        return _explain_code(word.upper(), as_json=as_json)
    from payouts.cli.which import item_keys  # noqa: PLC0415  bodies import what they need
    from payouts.core.ids import public_id  # noqa: PLC0415  the same

    with frame.project() as parts, parts.database.reading() as unit:
        keys = item_keys(unit, word)
        if not keys:
            raise UsageError(
                f"nothing is known of '{word}'",
                hint="Give an item's id (itm_…), a reference, or a code such as E_IBAN_LENGTH;"
                " `payouts items last` lists items.",
                code="E_ITEM_UNKNOWN",
            )
        if len(keys) > 1 and not as_json:
            for line in _several(unit, keys):
                frame.told(line)
            frame.next_step(f"payouts explain {public_id('itm', keys[-1])}", "the newest")
            return Exit.DONE
        return _explain_items(parts, unit, keys, as_json=as_json)


def _is_code(word: str) -> bool:
    return word.upper().startswith(("E_", "W_"))


def _explain_code(code: str, *, as_json: bool) -> Exit:
    from difflib import get_close_matches  # noqa: PLC0415  bodies import what they need

    from payouts.core.problems import KINDS  # noqa: PLC0415  the same

    kind = KINDS.get(code)
    if kind is None:
        near = get_close_matches(code, KINDS, n=3, cutoff=0.5)
        hint = f"Did you mean {', '.join(near)}?" if near else "Codes stand in the reject file."
        raise UsageError(f"there is no problem code '{code}'", hint=hint, code="E_CODE_UNKNOWN")
    effect = _EFFECTS[kind.scope, kind.verdict]
    if kind.severity:
        effect = f"severity {kind.severity}: {_SEVERITIES[kind.severity]}"
    message = kind.message.replace("{value}", "…").replace("{allowed}", "…")
    hint = kind.hint.replace("{value}", "…").replace("{allowed}", "…")
    if as_json:
        body = {"code": code, "message": message, "hint": hint, "effect": effect}
        body |= {"scope": kind.scope, "severity": str(kind.severity), "source": kind.source}
        frame.document("problem", {**body, "exit_code": 0})
        return Exit.DONE
    frame.told(f"{code}")
    frame.told(f"  Means    {message}")
    frame.told(f"  Effect   {effect}")
    frame.told(f"  Do       {hint}")
    if kind.source:
        frame.told(f"  Rule     {kind.source}")
    return Exit.DONE


def _several(unit: Connection, keys: Sequence[int]) -> list[str]:
    from payouts.store import queries  # noqa: PLC0415  bodies import what they need

    found = [queries.item(unit, key) for key in keys[:_FOUND_MAX]]
    return _item_table([one for one in found if one is not None])


def _explain_items(parts: Parts, unit: Connection, keys: Sequence[int], *, as_json: bool) -> Exit:
    """Explain the first of these items; as JSON all of them."""
    explained = [_Explained(parts, unit, key) for key in keys]
    if as_json:
        values = [one.values() for one in explained]
        frame.document("explanation", {"items": values, "exit_code": 0})
        return Exit.DONE
    for line in explained[0].lines():
        frame.told(line)
    command = explained[0].present.command
    if command:
        frame.next_step(command)
    return Exit.DONE


class _Explained:
    """Everything that is told about one item."""

    def __init__(self, parts: Parts, unit: Connection, key: int) -> None:
        from payouts.flows.explain import present  # noqa: PLC0415  bodies import what they need
        from payouts.store import queries  # noqa: PLC0415  the same

        row = queries.item(unit, key)
        if row is None:
            raise UsageError(f"item {key} is gone", code="E_ITEM_UNKNOWN")
        self.item = row
        self.run = queries.run(unit, row.run_id)
        self.life = queries.life(unit, key)
        self.attempts = queries.attempts(unit, row.batch_id, key)
        self.evidence = {one.id: one for one in queries.evidence(unit, row.batch_id, key)}
        self.transfers = queries.transfers_of(unit, row.batch_id, key)
        self.replaced_by = queries.replaced_by(unit, key)
        holds = queries.holds(unit, [row.run_id], open_only=True)
        lanes = queries.lanes(unit, [row.run_id])
        self.sent = _as_sent(parts, unit, row)
        self.present: Present = present(
            row,
            holds=holds,
            lane=next((lane for lane in lanes if lane.provider == row.provider), None),
            keyed=[n for n, one in parts.connectors.items() if one.capabilities.idempotent],
            replaced_by=self.replaced_by,
        )

    def lines(self) -> list[str]:
        """For people."""
        from payouts.cli.which import moment  # noqa: PLC0415  bodies import what they need
        from payouts.core.ids import public_id  # noqa: PLC0415  the same
        from payouts.flows.explain import STATES  # noqa: PLC0415  the same

        one, sent = self.item, self.sent
        amount = frame.money(one.amount_minor, one.currency)
        name = frame.clean(sent.name) if sent and sent.name else "(no name on the wire)"
        account = sent.account if sent and sent.account else f"…{one.account_last4 or ''}"
        file = frame.clean(self.run.source_name) if self.run else ""
        more = f" and {one.lines - 1} more" if one.lines > 1 else ""
        mine = f"reference {frame.clean(_shown_reference(one.reference))}"
        shown = [
            f"{public_id('itm', one.id)} · {amount} · {one.state}: {STATES[State(one.state)]}",
            f"  Payee     {name}, account {account}, {sent.method if sent else ''}",
            f"  From      line {one.number:,}{more} of {file} ({public_id('run', one.run_id)}), {mine}",
            f"  Sent as   {sent.wire if sent else '(sealed)'} to {one.provider}"
            + (f", which calls it {frame.clean(one.provider_ref)}" if one.provider_ref else ""),
        ]
        if one.replaces is not None:
            shown.append(f"  Replaces  {public_id('itm', one.replaces)}")
        if self.replaced_by is not None:
            shown.append(f"  Replaced  by {public_id('itm', self.replaced_by)}")
        if one.clouded:
            shown.append("  Clouded   an earlier attempt is still unclear")
        shown += ["Time line (UTC)", *self._moves(), "Money", *self._money()]
        shown.append(f"Now       {self.present.cause}")
        when = f", {moment(self.present.when)}" if self.present.when else ""
        shown.append(f"Then      {self.present.action}{when}")
        return shown

    def _moves(self) -> list[str]:
        from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need
        from payouts.flows.explain import meaning  # noqa: PLC0415  the same

        numbers = {one.id: one.number for one in self.attempts}
        created = self.run.created_at if self.run else None
        rows: list[tuple[str, str, str, str]] = []
        if created is not None:
            batch = public_id("bat", self.item.batch_id)
            rows.append((f"{created:%Y-%m-%d %H:%M:%S}", "pending", "load", f"in batch {batch}"))
        for move in self.life:
            words = [meaning(move.code)] if move.code else []
            if move.provider_status:
                words.append(f"their word: {move.provider_status}")
            if move.attempt_id in numbers:
                words.append(f"attempt {numbers[move.attempt_id]}")
            proof = self.evidence.get(move.evidence_id or 0)
            if proof is not None:
                status = f" {proof.http_status}" if proof.http_status else ""
                digest = f", sha-256 {proof.sha256[:12]}…" if proof.sha256 else ""
                words.append(f"evidence: {proof.kind}{status}, {proof.bytes} bytes{digest}")
            if move.due_at is not None and move.due_at > move.at:
                words.append(f"due {move.due_at:%H:%M:%S}")
            rows.append((f"{move.at:%Y-%m-%d %H:%M:%S}", move.after, move.actor, "; ".join(words)))
        return frame.table(("at", "state", "by", "why"), rows, indent="  ")

    def _money(self) -> list[str]:
        rows = [
            (f"{one.at:%H:%M:%S}", one.credit, "→", one.debit, "with its batch" * (one.items > 1))
            for one in self.transfers
        ]
        if not rows:
            return ["  nothing was booked yet"]
        return frame.table(("at", "from", "", "to", ""), rows, indent="  ")

    def values(self) -> dict[str, Any]:
        """For programs."""
        from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need
        from payouts.flows.explain import meaning  # noqa: PLC0415  the same

        again = self.replaced_by
        return {
            **_item_values(self.item),
            "wire_reference": self.sent.wire if self.sent else None,
            "account": self.sent.account if self.sent else None,
            "method": self.sent.method if self.sent else None,
            "replaced_by": None if again is None else public_id("itm", again),
            "now": {
                "cause": self.present.cause,
                "action": self.present.action,
                "when": self.present.when,
                "command": self.present.command,
            },
            "life": [
                {
                    "seq": move.seq,
                    "from": move.before,
                    "to": move.after,
                    "at": move.at,
                    "by": move.actor,
                    "clouded": move.clouded,
                    "code": move.code,
                    "meaning": meaning(move.code),
                    "provider_status": move.provider_status,
                    "due_at": move.due_at,
                    "attempt": move.attempt_id,
                    "evidence": move.evidence_id,
                }
                for move in self.life
            ],
            "attempts": [_plain(one) for one in self.attempts],
            "evidence": [_plain(one) for one in self.evidence.values()],
            "transfers": [_plain(one) for one in self.transfers],
        }


def _plain(row: object) -> dict[str, Any]:
    """A row of the queries as plain values."""
    from dataclasses import asdict, is_dataclass  # noqa: PLC0415  bodies import what they need

    if not is_dataclass(row) or isinstance(row, type):
        return {}
    return asdict(row)


def _as_sent(parts: Parts, unit: Connection, row: ItemRow) -> AsSent | None:
    """What of the sealed payload may be shown."""
    from payouts.flows.explain import as_sent  # noqa: PLC0415  bodies import what they need
    from payouts.store import queries  # noqa: PLC0415  the same

    found = queries.payload(unit, row.batch_id)
    if found is None:
        return None
    lo, _, sealed = found
    return as_sent(parts.vault.open(row.batch_id, sealed).split(b"\n")[row.id - lo])


# -- report -----------------------------------------------------------------------------------------


def report(
    run: _OneRun,
    *,
    to: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where the files go.")] = None,
    as_json: Json = False,
) -> Exit:
    """Write the files of RUN (results, rejects, page) and prove that everything is accounted for.

    The run is closed when file, items and ledger agree and nothing is open.
    """
    from payouts.cli import foreground, summary  # noqa: PLC0415  bodies import what they need
    from payouts.cli.which import run_row  # noqa: PLC0415  the same

    with frame.project() as parts:
        with parts.database.reading() as unit:
            row = run_row(unit, run)
        written = written_files(parts, row, to)
        standing = foreground.look(parts, row.id)
        agrees = written.report.proof.agrees
        code = summary.ending(standing, row.counts, agrees=agrees)
        if as_json:
            names = {path.name: str(path) for path in written.files}
            frame.document("report", {**written.report.document(names), "exit_code": int(code)})
            return code
        for line in _report_lines(written):
            frame.told(line)
        frame.next_step(*_next_of_report(written, standing, row))
        return code


def written_files(parts: Parts, row: RunRow, folder: Path | None) -> Written:
    """Write the files of a run, by default into the project's own folder for reports."""
    from datetime import UTC  # noqa: PLC0415  bodies import what they need

    from payouts.cli.which import source_of  # noqa: PLC0415  the same
    from payouts.flows import report as flow  # noqa: PLC0415  the same
    from payouts.local import private_directory  # noqa: PLC0415  the same

    found, transform = source_of(parts, row)
    if folder is None:
        folder = private_directory(parts.project.state / "reports")
    elif not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint="Make it first, or leave out --to.")
    return flow.write(
        parts.database,
        row.id,
        found,
        folder=folder,
        rules=parts.rules(row.created_at.astimezone(UTC).date()),
        environment=parts.settings.environment,
        database_id=parts.database_id,
        transform=transform,
    )


def _report_lines(written: Written) -> list[str]:
    from payouts.cli.summary import lines_counted  # noqa: PLC0415  bodies import what they need

    found = written.report
    proof = found.proof
    shown = [f"{found.public} · {frame.clean(found.run.source_name)} · {found.environment}"]
    shown.append(f"Lines    {lines_counted(proof.file.read, proof.file.outcomes)}")
    rows = []
    for one in proof.currencies:
        paid = next(check for check in one.checks if check.name == "paid")
        rows.append(
            (
                one.currency,
                _amount(one.accepted.amount_minor, one.currency),
                _amount(one.items.amount_minor, one.currency),
                _amount(paid.expected.amount_minor, one.currency),
                _amount(paid.found.amount_minor, one.currency),
                "agrees" if one.agrees else "DOES NOT AGREE",
            )
        )
    headers = ("", "accepted lines", "items", "paid items", "paid in ledger", "")
    shown += frame.table(headers, rows, right=[1, 2, 3, 4], indent="  ") if rows else []
    for one in proof.currencies:
        for check in one.checks:
            if not check.agrees:
                expected = _amount(check.expected.amount_minor, one.currency)
                got = _amount(check.found.amount_minor, one.currency)
                shown.append(
                    f"  ✗ {one.currency} {check.name}: {check.expected.items:,} with {expected}"
                    f" against {check.found.items:,} with {got}"
                )
    if not proof.agrees:
        shown.append("Proof    file, items and ledger DO NOT AGREE: pay nothing more, look why")
    elif proof.open_items:
        shown.append(f"Proof    agrees; {frame.count(proof.open_items, 'item')} still open")
    else:
        shown.append("Proof    file, items and ledger agree; the run is closed")
    shown += [
        f"{'Files' if place == 0 else '':8} {_short(path)}"
        for place, path in enumerate(written.files)
    ]
    return shown


def _amount(minor: int, currency: str) -> str:
    return frame.money(minor, currency).rpartition(" ")[0]


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _next_of_report(written: Written, standing: Standing, row: RunRow) -> tuple[str, str]:
    import shlex  # noqa: PLC0415  bodies import what they need

    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.discover import DEFAULT  # noqa: PLC0415  the same
    from payouts.flows.reissue import PIPELINE as REISSUE  # noqa: PLC0415  says which

    if written.rejects is not None and standing.over and row.pipeline != REISSUE:
        named = "" if row.pipeline == DEFAULT else f" --pipeline {row.pipeline}"
        again = shlex.quote(_short(written.rejects))
        return f"payouts run {again}{named}", "once its lines are repaired"
    if standing.rests and not standing.waits and not standing.unpaid:
        return f"payouts status {public_id('run', row.id)}", ""
    return _next(public_id("run", row.id), standing, row)
