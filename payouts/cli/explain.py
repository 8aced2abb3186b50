"""`payouts explain`: the life of one item and what comes next, or what a code means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from payouts.cli import frame
from payouts.cli.attention import incident_values
from payouts.cli.frame import Exit, Json, Panel, add
from payouts.cli.items import item_table, item_values, shown_reference
from payouts.core.errors import UsageError
from payouts.core.items import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from payouts.flows.explain import AsSent, Present
    from payouts.store.queries import ItemRow
    from payouts.wiring import Parts

__all__ = ["register"]

_FOUND_MAX = 10
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


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, explain, panel=Panel.LOOK, example="payouts explain E_IBAN_CHECK_DIGITS")


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
        if not keys and (said := _word_meaning(word)) is not None:
            return _explain_word(word, *said, as_json=as_json)
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


def _word_meaning(word: str) -> tuple[str, str] | None:
    """What a stored word says that is no code of ours: the reason of a hold, a state, an answer."""
    from payouts.core.problems import HOLDS  # noqa: PLC0415  bodies import what they need
    from payouts.flows.explain import STATES, code_word, meaning  # noqa: PLC0415  the same

    if word in HOLDS:
        return f"why a run is held: {HOLDS[word].message}", HOLDS[word].hint
    if word in set(State):
        return f"a state: {STATES[State(word)]}", f"`payouts items last --state {word}` lists them."
    code = word if word.startswith("bisect:") else code_word(word)
    said = meaning(code)
    if said == code:
        return None
    return f"why an item is where it is: {said}", "`payouts explain ITEM` says what comes next."


def _explain_word(word: str, means: str, hint: str, *, as_json: bool) -> Exit:
    if as_json:
        frame.document("word", {"word": word, "message": means, "hint": hint, "exit_code": 0})
        return Exit.DONE
    frame.told(word)
    frame.told(f"  Means    {means}")
    frame.told(f"  Do       {hint}")
    return Exit.DONE


def _is_code(word: str) -> bool:
    return word.upper().startswith(("E_", "W_"))


def _explain_code(code: str, *, as_json: bool) -> Exit:
    from difflib import get_close_matches  # noqa: PLC0415  bodies import what they need

    from payouts.core.problems import KINDS  # noqa: PLC0415  the same

    kind = KINDS.get(code)
    if kind is None:
        near = get_close_matches(code, KINDS, n=3, cutoff=0.7)
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
    return item_table([one for one in found if one is not None])


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
        from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need
        from payouts.flows.explain import present  # noqa: PLC0415  the same
        from payouts.store import awaited, incidents, queries  # noqa: PLC0415  the same

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
        self.warnings = queries.line_codes(unit, row.line_id)
        about = [public_id("itm", key), public_id("bat", row.batch_id)]
        self.incidents = incidents.open_about(unit, about)
        self.present: Present = present(
            row,
            holds=holds,
            lane=next((lane for lane in lanes if lane.provider == row.provider), None),
            keyed={
                name: parts.policy(name).key_sure_s()
                for name, one in parts.connectors.items()
                if one.capabilities.idempotent
            },
            replaced_by=self.replaced_by,
            awaited=awaited.awaited(unit, key),
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
        mine = f"reference {frame.clean(shown_reference(one.reference))}"
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
        shown += [f"  Warning   {code}: {_said_of(code)}" for code in self.warnings]
        shown += [f"  Incident  {one.code}: {frame.clean(one.detail)}" for one in self.incidents]
        shown += ["Time line (UTC)", *self._moves(), "Money", *self._money()]
        shown.append(f"Now       {self.present.cause}")
        when = f", {moment(self.present.when)}" if self.present.when else ""
        shown.append(f"Then      {self.present.action}{when}")
        if self.present.until is not None:
            shown.append(f"Until     {moment(self.present.until)} it may be sent again, not later")
        shown += [f"People    {frame.clean(note)}" for note in self.present.notes]
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
            **item_values(self.item),
            "wire_reference": self.sent.wire if self.sent else None,
            "account": self.sent.account if self.sent else None,
            "method": self.sent.method if self.sent else None,
            "replaced_by": None if again is None else public_id("itm", again),
            "now": {
                "cause": self.present.cause,
                "action": self.present.action,
                "when": self.present.when,
                "command": self.present.command,
                "until": self.present.until,
                "notes": list(self.present.notes),
            },
            "warnings": self.warnings,
            "incidents": [incident_values(one) for one in self.incidents],
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


def _said_of(code: str) -> str:
    """What a code means, where its values are not at hand."""
    from payouts.core.problems import KINDS  # noqa: PLC0415  bodies import what they need

    kind = KINDS.get(code)
    return "" if kind is None else kind.message.replace("{value}", "…").replace("{allowed}", "…")


def _plain(row: object) -> dict[str, Any]:
    """A row of the queries as plain values."""
    from dataclasses import asdict, is_dataclass  # noqa: PLC0415  bodies import what they need

    if not is_dataclass(row) or isinstance(row, type):
        return {}
    return asdict(row)


def _as_sent(parts: Parts, unit: Connection, row: ItemRow) -> AsSent | None:
    """What of the sealed payload may be shown; nothing where it cannot be opened now or any more."""
    from payouts.core.errors import VaultAwayError  # noqa: PLC0415  bodies import what they need
    from payouts.flows.explain import as_sent  # noqa: PLC0415  the same
    from payouts.store import queries  # noqa: PLC0415  the same
    from payouts.vault import ErasedError  # noqa: PLC0415  the same

    found = queries.payload(unit, row.batch_id)
    if found is None:
        return None
    lo, _, sealed = found
    try:
        plain = parts.vault.open(row.batch_id, sealed)
    except (VaultAwayError, ErasedError) as error:
        frame.say(f"What was sent is not shown: {error.message}.")
        return None
    return as_sent(plain.split(b"\n")[row.id - lo])
