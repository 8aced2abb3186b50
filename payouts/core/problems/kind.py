"""One kind of problem: a code, what it means and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ProblemKind"]

Scope = Literal["file", "line"]
Verdict = Literal["reject", "warn"]


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """What `payouts explain CODE` prints.

    Args:
        code: `E_…` rejects, `W_…` warns; upper-case words joined by underscores.
        message: one sentence for the reject file; may hold `{value}` (masked where it is an
            account) and `{allowed}`.
        hint: what to do, as an imperative sentence.
        scope: whether the whole file is refused or one line.
        source: where the rule comes from (a standard, a platform's page, an assumption id).
    """

    code: str
    message: str
    hint: str
    scope: Scope = "line"
    source: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the problem stops the line (`reject`) or only says so (`warn`)."""
        return "reject" if self.code.startswith("E_") else "warn"
