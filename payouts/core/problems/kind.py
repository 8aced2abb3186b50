"""One kind of problem: a code, what it means and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ProblemKind", "Scope", "Severity", "Verdict"]

Scope = Literal["file", "line", "command", "incident"]
Verdict = Literal["reject", "warn"]
Severity = Literal[0, 1, 2, 3]


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """What `payouts explain CODE` prints.

    Args:
        code: `E_…` rejects, `W_…` warns; upper-case words joined by underscores.
        message: one sentence for the reject file; may hold `{value}` (masked where it is an
            account) and `{allowed}`.
        hint: what to do, as an imperative sentence.
        scope: what it stops: the whole file, one line, a command; an incident stops nothing by
            itself and waits for a person.
        severity: of an incident: 1 money is at risk now, 2 something waits for a person, 3 to be
            known; 0 for all else.
        source: where the rule comes from (a standard, a platform's page, an assumption id).
    """

    code: str
    message: str
    hint: str
    scope: Scope = "line"
    source: str = ""
    severity: Severity = 0

    @property
    def verdict(self) -> Verdict:
        """Whether the problem stops the line (`reject`) or only says so (`warn`)."""
        return "reject" if self.code.startswith("E_") else "warn"
