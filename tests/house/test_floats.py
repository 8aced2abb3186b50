"""No float near money: where a float may stand is a list, and each entry has its reason."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.house.tracked import ROOT, source_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGES = ("core", "store", "flows", "intake", "providers")
MONEY = re.compile(r"amount|minor|balance|total|money|fee")
SECONDS = "seconds"
ALLOWED = {
    "core/breaker:Breaker": SECONDS,
    "core/breaker:BreakerPolicy": SECONDS,
    "core/capabilities:Capabilities": SECONDS,
    "core/pipeline:Pipeline": "the share of bad lines",
    "core/retry:RetryPolicy": SECONDS,
    "core/retry:module": SECONDS,
    "flows/cancel:CancelOrder": SECONDS,
    "flows/cancel:_Claim": SECONDS,
    "flows/cancel:_leave": SECONDS,
    "flows/cancel:module": SECONDS,
    "flows/collect:CollectOrder": SECONDS,
    "flows/collect:_attempt": SECONDS,
    "flows/collect:_not_found": SECONDS,
    "flows/explain:present": SECONDS,
    "flows/inbox:InboxOrder": SECONDS,
    "flows/inbox:_Group": SECONDS,
    "flows/inbox:apply": SECONDS,
    "flows/inbox:module": SECONDS,
    "flows/lane:_Lane": SECONDS,
    "flows/lane:asked_wait": SECONDS,
    "flows/lane:module": SECONDS,
    "flows/lane_claims:Claimer": SECONDS,
    "flows/lane_health:LaneHealth": SECONDS,
    "flows/lane_order:LaneOrder": SECONDS,
    "flows/lane_writer:Turn": SECONDS,
    "flows/lane_writer:Writer": SECONDS,
    "flows/lane_writer:module": SECONDS,
    "flows/order:LoadOrder": "the share of bad lines",
    "flows/page:_share": "per cent, only shown",
    "flows/pickup:Settling": SECONDS,
    "flows/pickup:settled": SECONDS,
    "flows/progress:module": SECONDS,
    "flows/progress:read": SECONDS,
    "flows/record:Recorder": "seconds, and draws for jitter",
    "flows/restore:Keeper": SECONDS,
    "flows/restore:Keyed": SECONDS,
    "flows/restore:_unclear": SECONDS,
    "flows/submitted:Submitted": SECONDS,
    "intake/columns:_suggested": "how alike two column names are",
    "providers/client:Client": SECONDS,
    "providers/client:Permit": SECONDS,
    "providers/client:Timeouts": SECONDS,
    "providers/client:clock": SECONDS,
    "providers/orchestra:Orchestra": SECONDS,
    "providers/orkestra:Orkestra": SECONDS,
    "providers/orkestra:module": SECONDS,
    "providers/signatures:TimedHmac": SECONDS,
    "providers/signatures:time_is_near": SECONDS,
    "store/cancels:_values": SECONDS,
    "store/cancels:askable": SECONDS,
    "store/cancels:close_lost": SECONDS,
    "store/cancels:next_ask": SECONDS,
    "store/cancels:open_attempts": SECONDS,
    "store/collections:look_later": SECONDS,
    "store/collections:next_look": SECONDS,
    "store/collections:open_attempt": SECONDS,
    "store/embedded:running": SECONDS,
    "store/generation:move_approved": SECONDS,
    "store/generation:open_restoration": SECONDS,
    "store/inbox:Mark": SECONDS,
    "store/inbox:due_s": SECONDS,
    "store/due:DueBatch": SECONDS,
    "store/due:DueItem": SECONDS,
    "store/lanes:mostly_failed": "a share",
    "store/due:next_due": SECONDS,
    "store/attempts:open_attempts": SECONDS,
    "store/due:refresh_due": SECONDS,
    "store/attempts:unknown_after_death": SECONDS,
    "store/looks:LookedItem": SECONDS,
    "store/looks:claim_asked": SECONDS,
    "store/looks:claim_checks": SECONDS,
    "store/looks:count_missing": SECONDS,
    "store/looks:look_for_missing": SECONDS,
    "store/looks:look_for_unclear": SECONDS,
}
"""`module:class or function` → what the floats there are. Money is never among them."""


class _Finder(ast.NodeVisitor):
    """Collects where floats stand: constants, the name, Polars' types, a division of money."""

    def __init__(self) -> None:
        self.where: list[str] = []
        self.found: set[str] = set()

    def _note(self) -> None:
        self.found.add(self.where[0] if self.where else "module")

    def _inside(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.where.append(node.name)
        self.generic_visit(node)
        self.where.pop()

    visit_ClassDef = visit_FunctionDef = visit_AsyncFunctionDef = _inside  # noqa: N815  ast's names

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, float | complex):
            self._note()

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in {"float", "round"}:
            self._note()

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr.startswith("Float") or node.attr in {"mean", "median", "quantile"}:
            self._note()
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Div) and MONEY.search(ast.unparse(node)):
            self._note()
        self.generic_visit(node)


def floats_of(text: str) -> set[str]:
    finder = _Finder()
    finder.visit(ast.parse(text))
    return finder.found


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT / "payouts")).removesuffix(".py")


def floats() -> Iterator[str]:
    for path in source_files(*PACKAGES):
        for where in floats_of(path.read_text("utf-8")):
            yield f"{name_of(path)}:{where}"


def test_floats_stand_only_where_they_are_allowed() -> None:
    assert set(floats()) - set(ALLOWED) == set(), "money? then no float; else add it with a reason"


def test_nothing_is_allowed_that_is_not_there_any_more() -> None:
    assert set(ALLOWED) - set(floats()) == set()


@pytest.mark.parametrize(
    "text",
    [
        *("amount = 12.5", "x: float = amount", "y = float(amount)", "z = round(amount, 2)"),
        *("a = amount_minor / 100", "b = pl.col('amount_minor') / 100", "c = x.cast(pl.Float64)"),
        *("d = total.mean()", "def f(fee: float) -> None: ..."),
    ],
)
def test_the_scan_sees_a_float_like_this(text: str) -> None:
    assert floats_of(text)


def test_the_scan_passes_over_what_is_none() -> None:
    assert not floats_of("path = folder / name; amount = minor // 100; whole = amount % 100")


def test_the_database_knows_no_floating_column() -> None:
    """Waits are given as float8 and become intervals; nothing that is stored is one."""
    stored = re.compile(r"^\s+\w+ (?:real|float\d?|double precision|numeric|money)\b", re.MULTILINE)
    for path in (ROOT / "payouts" / "store" / "migrations").glob("*.sql"):
        assert not stored.findall(path.read_text("utf-8"))
