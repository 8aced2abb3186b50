"""The page of a report: HTML that opens without a network, in light and in dark, and prints.

The template is package data (`payouts/data/templates/report.html`); here are the words, shares and
bars that it shows. Bars are inline SVG; nothing on the page runs a script.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jinja2 import Environment, StrictUndefined

from payouts.core.currencies import currency
from payouts.core.ids import public_id
from payouts.core.items import FINAL, State
from payouts.core.money import format_minor
from payouts.core.problems import HOLDS
from payouts.flows.explain import STATES, code_word, meaning
from payouts.flows.proof import KINDS, OUTCOMES, Sum

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from jinja2 import Template

    from payouts.flows.proof import CurrencyProof
    from payouts.flows.result import Report

__all__ = ["rendered"]

_BAR_WIDTH: Final = 1000
_SLIVER: Final = 6
"""The least width of a part that is not empty, so that one failed item of a million is seen."""

_PLACES: Final = {
    "paid": "paid",
    "in_transit": "on the way (at risk)",
    "reserved": "reserved",
    "funding": "not taken, or given back",
}
_OUTCOMES: Final = {
    "accepted": "became payouts",
    "rejected": "something is wrong with the line",
    "duplicate": "the same line was there before",
    "conflict": "the same reference with other content",
    "quarantined": "an equal line without a reference waits",
}
_UNPAID: Final = (State.FAILED, State.RETURNED, State.CANCELLED, State.EXPIRED)


class Part(NamedTuple):
    """A part of a bar: its CSS class, place and width (of 1000), and its words."""

    css: str
    x: int
    width: int
    title: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one sentence that a reader came for."""

    css: str
    mark: str
    headline: str
    detail: str


def rendered(report: Report, names: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        names: file names of the other parts of the report, by their role.
    """
    states = report.states()
    return _template().render(
        r=report,
        run=report.run,
        verdict=_verdict(report),
        names=names,
        tiles=_tiles(report),
        lines_bar=_bar((name, count) for name, count in report.proof.file.outcomes.items()),
        outcomes=[
            (name, count, _OUTCOMES[name])
            for name, count in report.proof.file.outcomes.items()
            if count
        ],
        currencies=[_currency_row(report, one) for one in report.proof.currencies],
        states=[
            (state, items, STATES[State(state)], amounts)
            for state, (items, amounts) in states.items()
        ],
        items_total=report.items,
        reasons=_reasons(report),
        batches=[_batch_row(row) for row in report.batches],
        batches_total=sum(row.batches for row in report.sends),
        proofs=[_proof_row(one) for one in report.proof.currencies],
        version=version("payouts"),
    )


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"money": _money, "count": _count, "when": _when, "share": _share}
    environment.filters |= {"meaning": meaning, "cap": _cap, "moment": _moment, "held": _held}
    text = files("payouts").joinpath("data", "templates", "report.html").read_text("utf-8")
    return environment.from_string(text)


def _money(minor: int, code: str) -> str:
    """`1,250.00`."""
    whole, point, decimals = format_minor(abs(minor), currency(code).exponent).partition(".")
    return f"{'-' if minor < 0 else ''}{int(whole):,}{point}{decimals}"


def _count(number: int) -> str:
    return f"{number:,}"


def _held(reason: str) -> str:
    """Why a run is held; nothing for a reason that a person gave."""
    return HOLDS[reason].message if reason in HOLDS else ""


def _cap(words: str) -> str:
    """A clause as the beginning of a sentence."""
    return words[:1].upper() + words[1:]


def _moment(at: datetime | None) -> str:
    return "—" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def _when(at: datetime | None) -> str:
    return "—" if at is None else f"{_moment(at)} UTC"


def _share(part: int, whole: int) -> str:
    """Per cent; never 0 for something and never 100 for less than all."""
    if not whole or not part:
        return "0 %"
    tenths = max(1, min(999, round(1000 * part / whole))) if part < whole else 1000
    return f"{tenths / 10:g} %"


def _verdict(report: Report) -> Verdict:
    if not report.proof.agrees:
        wrong = [one.currency for one in report.proof.currencies if not one.agrees]
        where = ", ".join(wrong) if wrong else "the lines of the file"
        return Verdict(
            "bad",
            "✗",
            "The accounts do not agree",
            f"See the proof below: {where}. Pay nothing more from this run until it is explained.",
        )
    if report.proof.open_items:
        return Verdict(
            "open",
            "…",
            f"{_count(report.proof.open_items)} of {_count(report.items)} items are still open",
            "File, items and ledger agree so far. The run closes when nothing is open any more.",
        )
    unpaid = sum(row.items for row in report.counters if row.state in _UNPAID)
    return Verdict(
        "good" if not unpaid else "some",
        "✓",
        "Every line is accounted for",
        "File, items and ledger agree in count and money"
        + (f"; {_count(unpaid)} items were not paid." if unpaid else "."),
    )


def _tiles(report: Report) -> list[tuple[str, str, str]]:
    """Big numbers: what, number, a remark."""
    outcomes = report.proof.file.outcomes
    by_state = {state: items for state, (items, _) in report.states().items()}
    paid = sum(by_state.get(state, 0) for state in (State.SETTLED, State.RECONCILED))
    unpaid = sum(by_state.get(state, 0) for state in _UNPAID)
    refused = sum(outcomes.values()) - outcomes["accepted"]
    return [
        ("lines read", _count(report.proof.file.read), report.run.source_name),
        ("accepted", _count(outcomes["accepted"]), f"{_count(refused)} not accepted"),
        ("payouts paid", _count(paid), f"{_share(paid, report.items)} of {_count(report.items)}"),
        ("not paid", _count(unpaid), "final"),
        ("still open", _count(report.open_items), "not final"),
    ]


def _bar(parts: Any) -> list[Part]:  # noqa: ANN401  pairs of CSS class and number
    """A stacked bar of 1000 units."""
    some = [(css, number) for css, number in parts if number]
    whole = sum(number for _, number in some)
    widths = [max(_SLIVER, _BAR_WIDTH * number // whole) for _, number in some]
    if widths:
        widths[widths.index(max(widths))] += _BAR_WIDTH - sum(widths)
    made, x = [], 0
    for (css, number), width in zip(some, widths, strict=True):
        made.append(Part(css, x, width, f"{css}: {_count(number)} ({_share(number, whole)})"))
        x += width
    return made


def _currency_row(report: Report, one: CurrencyProof) -> dict[str, Any]:
    of_state: dict[str, Sum] = {}
    for row in report.counters:
        if row.currency == one.currency:
            known = of_state.get(row.state, Sum())
            of_state[row.state] = known.plus(row.items, row.amount_minor)
    paid = _total(of_state, (State.SETTLED, State.RECONCILED))
    unpaid = _total(of_state, _UNPAID)
    still = _total(of_state, [state for state in State if state not in FINAL])
    return {
        "code": one.currency,
        "accepted": one.accepted,
        "whole": one.items,
        "paid": paid,
        "unpaid": unpaid,
        "open": still,
        "refused": one.lines.get("rejected", Sum()),
        "bar": _bar((state, of_state[state].items) for state in State if state in of_state),
        "agrees": one.agrees,
    }


def _total(of_state: Mapping[str, Sum], states: Sequence[State]) -> Sum:
    chosen = [of_state[state] for state in states if state in of_state]
    return Sum(sum(one.items for one in chosen), sum(one.amount_minor for one in chosen))


def _reasons(report: Report) -> list[dict[str, Any]]:
    """Items that are not paid, finally or not yet, by code and state."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for reason in report.reasons:
        word = code_word(reason.code)
        row = found.setdefault(
            (word, reason.state, reason.provider),
            {
                "state": reason.state,
                "words": meaning(reason.code) or STATES[State(reason.state)],
                "code": word if reason.code else "",
                "provider": reason.provider,
                "count": 0,
                "amounts": {},
            },
        )
        row["count"] += reason.items
        amounts = row["amounts"]
        amounts[reason.currency] = amounts.get(reason.currency, 0) + reason.amount_minor
    most = max((row["count"] for row in found.values()), default=1)
    for row in found.values():
        row["width"] = max(_SLIVER, _BAR_WIDTH * row["count"] // most)
    return sorted(found.values(), key=lambda row: (-row["count"], row["state"], row["code"]))


def _batch_row(row: Any) -> dict[str, Any]:  # noqa: ANN401  a row of the queries
    return {
        "id": public_id("bat", row.id),
        "row": row,
        "bar": _bar((state, row.states[state]) for state in State if state in row.states),
        "states": ", ".join(f"{_count(row.states[s])} {s}" for s in State if s in row.states),
    }


def _proof_row(one: CurrencyProof) -> dict[str, Any]:
    checks = {check.name: check for check in one.checks}
    places = [
        (_PLACES[kind], checks[kind].expected, checks[kind].found, checks[kind].agrees)
        for kind in reversed(KINDS)
        if any((*checks[kind].expected, *checks[kind].found))
    ]
    return {
        "code": one.currency,
        "agrees": one.agrees,
        "outcomes": [(name, one.lines[name]) for name in OUTCOMES if name in one.lines],
        "read": _total_of(list(one.lines.values())),
        "accepted": one.accepted,
        "whole": one.items,
        "places": places,
        "wrong": [check for check in one.checks if not check.agrees],
    }


def _total_of(sums: Sequence[Sum]) -> Sum:
    return Sum(sum(one.items for one in sums), sum(one.amount_minor for one in sums))
