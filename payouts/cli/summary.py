"""The words of `plan` and `run`: what a file holds, what became of it, and what to do next.

Everything here turns values into lines of text or into JSON values; nothing reads or writes.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from payouts.cli import frame
from payouts.cli.frame import Exit
from payouts.core.items import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from payouts.cli.which import RunAgain
    from payouts.core.capabilities import Capabilities
    from payouts.flows.load import LoadResult
    from payouts.flows.progress import Standing, Wait
    from payouts.store.queries import RunRow

__all__ = [
    "PlanWords",
    "ProblemRow",
    "ending",
    "ends_hold",
    "ends_pause",
    "expected_s",
    "funded",
    "lines_counted",
    "money_of",
    "next_for",
    "opening",
    "problem_rows",
    "run_document",
    "run_lines",
    "waiting",
]

_OUTCOMES = ("accepted", "rejected", "conflict", "quarantined", "duplicate")
_REFUSED = ("rejected", "conflict", "quarantined")
_REPEATED = {
    "duplicate": "paid already or once in this file",
    "conflict": "same reference, other payment",
    "quarantined": "equal lines without a reference",
}
_FIRST_LINES = 5
_MEANING_MAX = 100
_REASONS_MAX = 5
_CURRENCIES_MAX = 4
_REQUEST_S = 0.25
"""What one request is reckoned with; both imitations and the published pages are near it."""


def ending(
    standing: Standing, counts: Mapping[str, int], *, stopped: bool = False, agrees: bool = True
) -> Exit:
    """The exit code of a run that is left alone now.

    Args:
        stopped: a person stopped it.
        agrees: file, items and ledger agree; that they do not can only be our fault.
    """
    codes = [
        code for code, holds in ((Exit.FAULT, not agrees), (Exit.INTERRUPTED, stopped)) if holds
    ]
    if standing.waits or not standing.rests:
        codes.append(Exit.WAITING)
    if standing.unpaid or any(counts.get(outcome) for outcome in _REFUSED):
        codes.append(Exit.SOME_FAILED)
    return frame.worst(*codes)


def lines_counted(total: int, counts: Mapping[str, int]) -> str:
    """`1,200 lines = 1,191 accepted + 9 rejected`."""
    parts = [f"{counts[name]:,} {name}" for name in _OUTCOMES if counts.get(name)]
    return f"{frame.count(total, 'line')} = {' + '.join(parts) or 'nothing'}"


def money_of(amounts: Mapping[str, int], *, most: int | None = _CURRENCIES_MAX) -> str:
    """Amounts of many currencies in one line, in the order of their codes.

    >>> money_of({"USD": 1200, "EUR": 5}), money_of({"USD": 1200, "EUR": 5}, most=1)
    ('0.05 EUR · 12.00 USD', '0.05 EUR · 1 more')
    """
    shown = [frame.money(minor, currency) for currency, minor in sorted(amounts.items()) if minor]
    more = len(shown) - (most or len(shown))
    return " · ".join(shown[:most]) + (f" · {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """One problem code of a file: how many lines have it, the first of them, what it means."""

    code: str
    lines: int
    first: tuple[int, ...]
    meaning: str

    @property
    def where(self) -> str:
        """The first lines as text."""
        return _places(self.first, self.lines)


def _places(first: Sequence[int], number: int) -> str:
    return ", ".join(f"{line:,}" for line in first) + (" …" if number > len(first) else "")


def problem_rows(problems: pl.DataFrame) -> list[ProblemRow]:
    """The codes of a file, the most frequent first; the meaning speaks of the first line.

    Args:
        problems: PROBLEMS frame (line, code, column, value, allowed).
    """
    import polars as pl  # noqa: PLC0415  bodies import what they need

    from payouts.core.problems import KINDS  # noqa: PLC0415  the same

    grouped = (
        problems.sort("line", maintain_order=True)
        .group_by("code")
        .agg(
            pl.col("line").n_unique().alias("lines"),
            pl.col("line").unique().sort().head(_FIRST_LINES).alias("first"),
            pl.first("value", "allowed"),
        )
        .sort("lines", "code", descending=[True, False])
    )
    rows = []
    for code, lines, first, value, allowed in grouped.iter_rows():
        kind = KINDS.get(code)
        words = kind.message.format(value=value or "", allowed=allowed or "") if kind else ""
        rows.append(ProblemRow(code, lines, tuple(first), words))
    return rows


def funded(result: LoadResult) -> str:
    """Whether the money is there, and what the sandbox opened with."""
    if result.short:
        return f"lacks {money_of(result.short)}"
    return opening(result.opened) if result.opened else "enough"


def opening(opened: Mapping[str, int]) -> str:
    """The sandbox's stated opening transfers: the same number of each currency."""
    first, *others = sorted(opened)
    named = ", ".join(others) if len(others) <= _CURRENCIES_MAX else f"{len(others)} others"
    much = f" and as much of {named}" if others else ""
    return f"the sandbox opens it with {frame.money(opened[first], first)}{much}"


def _short(words: str) -> str:
    """At most so long that a table stays one; `payouts explain CODE` says all."""
    return words if len(words) <= _MEANING_MAX else words[: _MEANING_MAX - 1] + "…"


def expected_s(
    routes: pl.DataFrame, facts: Mapping[str, Capabilities], first_look_s: Mapping[str, float]
) -> float:
    """A reckoning of the seconds until the last item was sent and looked at once."""
    import polars as pl  # noqa: PLC0415  bodies import what they need

    slowest = 0.0
    for provider, items in routes.group_by("provider").agg(pl.col("items").sum()).iter_rows():
        requests = -(-items // facts[provider].per_request)
        sending = -(-requests // facts[provider].concurrency) * _REQUEST_S
        slowest = max(slowest, sending + first_look_s[provider])
    return slowest


def _duration(seconds: float) -> str:
    """Rounded for people.

    >>> _duration(3.2), _duration(95), _duration(7000)
    ('4 s', '2 min', '2 h')
    """
    for size, word in ((1, "s"), (60, "min"), (3600, "h")):
        number = -(-seconds // size)
        if number <= 90 or word == "h":  # noqa: PLR2004  then the next unit reads better
            return f"{number:.0f} {word}"
    return ""


def _why(wait: Wait) -> str:
    items = frame.count(wait.items, "item")
    match wait.reason:
        case "approval":
            return f"{items} for approval"
        case "held":
            return f"{items} held ({wait.detail})"
        case "paused":
            return f"{items} in a paused lane ({wait.detail})"
        case "later":
            return f"{items} due {wait.detail}"
        case "unclear":
            return f"{items} without a clear answer: the platform may or may not have paid them"
        case _:
            return f"{items} for review by people"


def waiting(standing: Standing) -> list[str]:
    """What waits, each with its reason."""
    return [_why(wait) for wait in standing.waits]


def next_for(
    standing: Standing,
    about: RunRow,
    *,
    file: Path,
    run_name: str,
    rejects: Path | None,
    short: Mapping[str, int],
    again: RunAgain,
) -> tuple[str, str]:
    """The next command and why.

    Args:
        rejects: the reject file, if one was written.
        short: what the funding account lacks for the run.
        again: see `which.run_again`.
    """
    if not standing.rests:
        return again(file), "goes on"
    if short:
        return _fund_command(about.funding, short, run_name), f"then {again(file)}"
    if standing.waits:
        return _next_for_wait(standing.waits[0], file, run_name, again)
    if rejects is not None:
        return again(rejects), "once its lines are repaired"
    return _next_for_end(standing, about.counts, run_name)


def _next_for_end(standing: Standing, counts: Mapping[str, int], run_name: str) -> tuple[str, str]:
    if standing.states.get(State.FAILED):
        return f"payouts items {run_name} --state failed", "shows why, one by one"
    if any(counts.get(outcome) for outcome in _REFUSED):
        return f"payouts report {run_name}", "shows line by line what was not paid"
    return f"payouts status {run_name}", ""


def _fund_command(account: str, short: Mapping[str, int], run_name: str) -> str:
    """Book what is missing, of the first currency that lacks something."""
    code, minor = min(short.items())
    amount = frame.money(minor, code).split()[0].replace(",", "")
    return shlex.join(["payouts", "fund", account, amount, code, "--reason", f"for {run_name}"])


def ends_hold(run_name: str, funding: str, detail: str) -> tuple[str, str]:
    """The command that ends the holds of a run, and why.

    Args:
        detail: `reason: words` of each, joined by semicolons.
    """
    reasons = [one.partition(":")[0] for one in detail.split("; ")]
    if "funds" in reasons:
        return f"payouts fund {funding} AMOUNT CURRENCY --reason …", "books money in"
    if "person" in reasons:
        return f"payouts release {run_name} --reason …", "ends what a person held"
    return f"payouts approve {run_name} --reason …", "pays it all the same"


def ends_pause(run_name: str, detail: str) -> tuple[str, str]:
    """The command that lets a paused lane go on, and why.

    Args:
        detail: `provider: reason`.
    """
    provider, _, reason = detail.partition(": ")
    if reason.startswith("person"):
        return f"payouts resume {provider} --reason …", "ends what a person paused"
    if reason.startswith("restored"):
        return f"payouts resume {provider} --confirm-restored --reason …", "two people say so"
    return f"payouts retry {run_name}", "once its cause is repaired"


def _next_for_wait(wait: Wait, file: Path, run_name: str, again: RunAgain) -> tuple[str, str]:
    resumed, why = ends_pause(run_name, wait.detail)
    steps = {
        "approval": (again(file, "--yes"), "approves it and pays"),
        "rejects": (again(file, "--skip-invalid"), "pays the good lines"),
        "lookalike": (again(file, "--yes"), "pays it although it looks like an earlier run"),
        "funds": (again(file), "the money is there now"),
        "held": (f"payouts status {run_name}", "shows what is held and why"),
        "paused": (resumed, f"{why}; then {again(file)}"),
        "later": ("payouts worker", "sends what is due later"),
        "unclear": (f"payouts items {run_name} --state unknown", "shows them one by one"),
        "review": (f"payouts items {run_name} --state review", "shows them one by one"),
    }
    hold = wait.detail.partition(":")[0]
    return steps[hold if wait.reason == "held" and hold in steps else str(wait.reason)]


def run_lines(
    about: RunRow,
    standing: Standing,
    failures: Sequence[tuple[str, int]],
    *,
    opened: Mapping[str, int],
    agrees: bool,
    files: Sequence[str],
) -> list[str]:
    """The summary of a run, without its first and its last line.

    Args:
        failures: codes and how many items have them; what follows a colon is left out.
        opened: what the sandbox booked into the funding account for this run.
        agrees: file, items and ledger agree.
        files: names of the report's files, the first is the page.
    """
    proof = "file, items and ledger agree" if agrees else "file, items and ledger DISAGREE"
    counted = lines_counted(about.lines_read, about.counts)
    lines = [f"Lines    {counted}" + (f"; {proof}" if files else "")]
    if standing.items:
        share = f"{standing.paid:,} of {frame.count(standing.items, 'item')}"
        money = money_of(_paid(standing))
        lines.append(f"Paid     {share}" + (f" · {money}" if money else ""))
    if failures:
        lines.append(f"Failed   {sum(count for _, count in failures):,}: {_reasons(failures)}")
    if not standing.rests:
        open_states = [f"{count:,} {state}" for state, count in standing.states.items()]
        lines.append(f"Now      {' · '.join(open_states)}")
    lines += [f"Waits    {words}" for words in waiting(standing)]
    if opened:
        lines.append(f"Funding  {opening(opened)}")
    if files:
        lines.append(f"Report   {files[0]} and {len(files) - 1} files beside it")
    return lines


def _paid(standing: Standing) -> dict[str, int]:
    return {
        currency: of.get(State.SETTLED, 0) + of.get(State.RECONCILED, 0)
        for currency, of in standing.amounts.items()
    }


def _reasons(failures: Sequence[tuple[str, int]]) -> str:
    """`account_closed 2, name_mismatch 1`: codes without the words that follow them."""
    counted: dict[str, int] = {}
    for code, count in failures:
        word = code.partition(":")[0]
        counted[word] = counted.get(word, 0) + count
    ranked = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    shown = [f"{word} {count:,}" for word, count in ranked[:_REASONS_MAX]]
    more = len(ranked) - _REASONS_MAX
    return ", ".join(shown) + (f", {more} more" if more > 0 else "")


def run_document(
    about: RunRow,
    standing: Standing,
    failures: Sequence[tuple[str, int]],
    files: Sequence[str],
) -> dict[str, Any]:
    """A run for programs."""
    return {
        "file": about.source_name,
        "pipeline": about.pipeline,
        "lines": about.lines_read,
        "counts": dict(about.counts),
        "totals_minor": dict(about.totals),
        "states": {str(state): count for state, count in standing.states.items()},
        "amounts_minor": {
            currency: {str(state): minor for state, minor in of.items()}
            for currency, of in standing.amounts.items()
        },
        "failures": dict(failures),
        "waits": [
            {"reason": str(wait.reason), "items": wait.items, "detail": wait.detail}
            for wait in standing.waits
        ],
        "moving": standing.moving,
        "files": list(files),
    }


class PlanWords:
    """The text and the JSON of a plan."""

    def __init__(self, file: Path, result: LoadResult) -> None:
        self.file, self.result = file, result

    @property
    def items(self) -> int:
        """Payouts that would be made."""
        return int(self.result.routes["items"].sum()) if self.result.batches else 0

    def lines(self, policy: str, expected: float) -> list[str]:
        """The whole plan for people."""
        result = self.result
        shown = [f"Lines     {lines_counted(result.lines, result.counts)}"]
        shown += self._repeated()
        shown += self._problems("E_", "Rejected")
        shown += self._problems("W_", "Warnings")
        if not self.items:
            return shown
        shown += self._routes()
        batches = frame.count(result.batches, "batch", "batches")
        shown.append(f"Batches   {batches} with {frame.count(self.items, 'item')}")
        shown.append(f"Total     {money_of(result.totals, most=None)}")
        shown.append(f"Funding   {funded(result)}")
        shown.append(f"Approval  {'by policy' if policy == 'auto' else 'a person approves'}")
        shown += [f"Held      {reason}: {detail}" for reason, detail in result.holds]
        shown.append(f"Expected  sent and looked at once in about {_duration(expected)}")
        return shown

    def next(self, again: RunAgain) -> str:
        """The command that would make it so."""
        holds = {reason for reason, _ in self.result.holds}
        options = [
            option
            for reason, option in (("rejects", "--skip-invalid"), ("lookalike", "--yes"))
            if reason in holds
        ]
        return again(self.file, *options)

    def _repeated(self) -> list[str]:
        """Lines that are not paid for what stands beside them."""
        shown = []
        for outcome, words in _REPEATED.items():
            lines = self.result.outcomes.filter(outcome=outcome)["line"].sort()
            if lines.len():
                where = _places(lines.head(_FIRST_LINES).to_list(), lines.len())
                shown.append(f"          {outcome} ({words}): {where}")
        return shown

    def _problems(self, kind: str, title: str) -> list[str]:
        import polars as pl  # noqa: PLC0415  bodies import what they need

        problems = self.result.problems.filter(pl.col("code").str.starts_with(kind))
        if problems.is_empty():
            return []
        rows = [
            (row.code, f"{row.lines:,}", row.where, _short(row.meaning))
            for row in problem_rows(problems)
        ]
        headers = ("code", "lines", "which", "meaning, of the first")
        return [title, *frame.table(headers, rows, right=[1], indent="  ")]

    def _routes(self) -> list[str]:
        routes = self.result.routes.sort("currency", "provider", "method")
        rows = [
            (provider, method, f"{items:,}", frame.money(minor, currency))
            for provider, method, currency, items, minor in routes.select(
                "provider", "method", "currency", "items", "amount_minor"
            ).iter_rows()
        ]
        headers = ("provider", "method", "items", "amount")
        return ["Payouts", *frame.table(headers, rows, right=[2, 3], indent="  ")]

    def document(self) -> dict[str, Any]:
        """The plan for programs; amounts are minor units."""
        result = self.result
        problems = problem_rows(result.problems) if result.problems.height else []
        return {
            "file": str(self.file),
            "lines": result.lines,
            "counts": result.counts,
            "totals_minor": result.totals,
            "batches": result.batches,
            "items": self.items,
            "routes": result.routes.to_dicts(),
            "problems": [
                {
                    "code": row.code,
                    "lines": row.lines,
                    "first_lines": list(row.first),
                    "meaning": row.meaning,
                }
                for row in problems
            ],
            "short_minor": result.short,
            "holds": [{"reason": reason, "detail": detail} for reason, detail in result.holds],
        }
