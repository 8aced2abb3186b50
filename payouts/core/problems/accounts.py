"""Problem kinds of account identifiers."""

from __future__ import annotations

from payouts.core.problems.kind import ProblemKind

__all__ = ["ACCOUNTS"]

ACCOUNTS: tuple[ProblemKind, ...] = ()
