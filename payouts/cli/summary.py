"""The words of `plan` and `run`: what a file holds, what became of it, and what to do next.

Everything here turns values into lines of text or into JSON values; nothing reads or writes.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from payouts.cli import frame
from payouts.cli.frame import Exit
from payouts.core.items import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from payouts.core.capabilities import Capabilities
    from payouts.flows.load import LoadResult
    from payouts.flows.progress import Standing, Wait
    from payouts.store.queries import RunRow

__all__ = [
    "PlanWords",
    "ending",
    "expected_s",
    "funded",
    "lines_counted",
    "money_of",
    "next_for",
    "problem_rows",
    "run_command",
    "run_document",
    "run_lines",
    "waiting",
]

_OUTCOMES = ("accepted", "rejected", "conflict", "quarantined", "duplicate")
_REFUSED = ("rejected", "conflict", "quarantined")
_FIRST_LINES = 5
_CURRENCIES_MAX = 6
_REQUEST_S = 0.25
"""What one request is reckoned with; both imitations and the published pages are near it."""


def ending(standing: Standing, counts: Mapping[str, int], *, stopped: bool = False) -> Exit:
    """The exit code of a run that is left alone now."""
    codes = [Exit.INTERRUPTED] if stopped else []
    if standing.waits or not standing.rests:
        codes.append(Exit.WAITING)
    if standing.unpaid or any(counts.get(outcome) for outcome in _REFUSED):
        codes.append(Exit.SOME_FAILED)
    return frame.worst(*codes)


def lines_counted(total: int, counts: Mapping[str, int]) -> str:
    """`1,200 lines = 1,191 accepted + 9 rejected`."""
    parts = [f"{counts[name]:,} {name}" for name in _OUTCOMES if counts.get(name)]
    return f"{frame.count(total, 'line')} = {' + '.join(parts) or 'nothing'}"


def money_of(amounts: Mapping[str, int]) -> str:
    """Amounts of many currencies in one line, in the order of their codes."""
    shown = [frame.money(minor, currency) for currency, minor in sorted(amounts.items()) if minor]
    more = len(shown) - _CURRENCIES_MAX
    return " · ".join(shown[:_CURRENCIES_MAX]) + (f" · {more} more" if more > 0 else "")


def problem_rows(problems: pl.DataFrame) -> list[tuple[str, int, str, str]]:
    """Codes with how many lines have them, the first of these, and what the code means.

    Args:
        problems: PROBLEMS frame (line, code, column, value, allowed).
    """
    import polars as pl  # noqa: PLC0415  bodies import what they need

    from payouts.core.problems import KINDS  # noqa: PLC0415  the same

    grouped = (
        problems.group_by("code")
        .agg(pl.col("line").unique().sort(), pl.first("value", "allowed"))
        .with_columns(lines=pl.col("line").list.len())
        .sort("lines", "code", descending=[True, False])
    )
    rows = []
    for code, lines, value, allowed, number in grouped.iter_rows():
        first = ", ".join(f"{line:,}" for line in lines[:_FIRST_LINES])
        where = first + (" …" if number > _FIRST_LINES else "")
        kind = KINDS.get(code)
        words = kind.message.format(value=value or "", allowed=allowed or "") if kind else ""
        rows.append((code, number, where, words))
    return rows


def funded(result: LoadResult) -> str:
    """Whether the money is there, and what the sandbox opened with."""
    if result.short:
        return f"lacks {money_of(result.short)}"
    if result.opened:
        return f"opens with {money_of(result.opened)} (sandbox)"
    return "enough"


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


def run_command(file: Path, *options: str) -> str:
    """The command that runs a file again, ready to be pasted."""
    return shlex.join(["payouts", "run", str(file), *options])


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
    standing: Standing, file: Path, run_name: str, rejects: Path | None, counts: Mapping[str, int]
) -> tuple[str, str]:
    """The next command and why."""
    if standing.waits and standing.rests:
        return _next_for_wait(standing.waits[0], file, run_name)
    if not standing.rests:
        return run_command(file), "goes on"
    if rejects is not None:
        return run_command(rejects), "after you repaired its lines"
    if standing.states.get(State.FAILED):
        return f"payouts items {run_name} --state failed", "shows why, one by one"
    if any(counts.get(outcome) for outcome in _REFUSED):
        return f"payouts report {run_name}", "shows line by line what was not paid"
    return f"payouts status {run_name}", ""


def _next_for_wait(wait: Wait, file: Path, run_name: str) -> tuple[str, str]:
    again = run_command(file)
    steps = {
        "approval": (run_command(file, "--yes"), "approves it and pays"),
        "rejects": (run_command(file, "--skip-invalid"), "pays the good lines"),
        "lookalike": (run_command(file, "--yes"), "pays it although it looks like an earlier run"),
        "funds": ("payouts fund …", f"then {again}"),
        "held": (f"payouts status {run_name}", "shows what is held and why"),
        "paused": ("payouts doctor", f"then {again}"),
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
    files: Sequence[str],
) -> list[str]:
    """The summary of a run, without its first and its last line."""
    paid = {
        currency: of.get(State.SETTLED, 0) + of.get(State.RECONCILED, 0)
        for currency, of in standing.amounts.items()
    }
    lines = [f"Lines    {lines_counted(about.lines_read, about.counts)}"]
    if standing.items:
        share = f"{standing.paid:,} of {frame.count(standing.items, 'item')}"
        money = money_of(paid)
        lines.append(f"Paid     {share}" + (f" · {money}" if money else ""))
    if failures:
        reasons = ", ".join(f"{code} {count:,}" for code, count in failures)
        lines.append(f"Failed   {sum(count for _, count in failures):,}: {reasons}")
    if not standing.rests:
        open_states = [f"{count:,} {state}" for state, count in standing.states.items()]
        lines.append(f"Now      {' · '.join(open_states)}")
    lines += [f"Waits    {words}" for words in waiting(standing)]
    lines += [
        f"Files    {name}" if place == 0 else f"         {name}" for place, name in enumerate(files)
    ]
    return lines


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

    def lines(self, policy: str, expected: float) -> list[str]:
        """The whole plan for people."""
        result = self.result
        shown = [f"Lines     {lines_counted(result.lines, result.counts)}"]
        shown += self._problems("E_", "Rejected")
        shown += self._problems("W_", "Warnings")
        shown += self._routes()
        shown.append(
            f"Batches   {result.batches:,} with {frame.count(self._items(), 'item')},"
            f" {money_of(result.totals) or 'no money'}"
        )
        shown.append(f"Funding   {funded(result)}")
        shown.append(f"Approval  {'by policy' if policy == 'auto' else 'a person approves'}")
        shown += [f"Held      {reason}: {detail}" for reason, detail in result.holds]
        shown.append(f"Expected  sent and looked at once in about {_duration(expected)}")
        return shown

    def _items(self) -> int:
        return int(self.result.routes["items"].sum()) if self.result.routes.height else 0

    def _problems(self, kind: str, title: str) -> list[str]:
        import polars as pl  # noqa: PLC0415  bodies import what they need

        problems = self.result.problems
        if problems.is_empty():
            return []
        rows = problem_rows(problems.filter(pl.col("code").str.starts_with(kind)))
        if not rows:
            return []
        table = frame.table(("code", "lines", "first", "meaning"), rows, right=[1], indent="  ")
        return [title, *table]

    def _routes(self) -> list[str]:
        routes = self.result.routes
        if routes.is_empty():
            return []
        rows = [
            (provider, method, f"{items:,}", frame.money(minor, currency))
            for provider, method, currency, items, minor in routes.select(
                "provider", "method", "currency", "items", "amount_minor"
            ).iter_rows()
        ]
        table = frame.table(
            ("provider", "method", "items", "amount"), rows, right=[2, 3], indent="  "
        )
        return ["Payouts", *table]

    def document(self, **more: object) -> dict[str, Any]:
        """The plan for programs."""
        result = self.result
        return {
            "file": str(self.file),
            "known_run": more.pop("known_run", None),
            "lines": result.lines,
            "counts": result.counts,
            "totals_minor": result.totals,
            "batches": result.batches,
            "items": self._items(),
            "routes": result.routes.to_dicts(),
            "problems": [
                {"code": code, "lines": number, "first": where, "meaning": words}
                for code, number, where, words in (
                    problem_rows(result.problems) if result.problems.height else []
                )
            ],
            "short_minor": result.short,
            "holds": [{"reason": reason, "detail": detail} for reason, detail in result.holds],
            **more,
        }
