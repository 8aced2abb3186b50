"""Problem kinds of one line: amount, currency, method, reference, date."""

from __future__ import annotations

from payouts.core.problems.kind import ProblemKind

__all__ = ["LINES"]

LINES: tuple[ProblemKind, ...] = (
    ProblemKind(
        "E_AMOUNT_FORMAT",
        "'{value}' is not an amount: digits, then at most one decimal point",
        "Write the amount with digits and a point, for example 1250.00.",
    ),
)
