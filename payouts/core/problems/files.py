"""Problem kinds of the file as a whole."""

from __future__ import annotations

from payouts.core.problems.kind import ProblemKind

__all__ = ["FILES"]

FILES: tuple[ProblemKind, ...] = ()
