"""Fields: what can be wrong with the texts of a line that identify no account.

Names, references, descriptions, dates and addresses. A check is an expression that gives a code
or null; the frame-wide ones are cheap, and the thorough ones run only on the few lines whose text
is not plain ASCII of the expected length.

>>> frame = pl.DataFrame({"line": [2, 3], "name": ["Ana Silva", "Ana\\u202eavliS"]})
>>> run(frame, [Check("name", pl.when(pl.col("name").str.contains(BIDI)).then(pl.lit("W_X")))])
... # doctest: +NORMALIZE_WHITESPACE
shape: (1, 5)
...
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from payouts.core.latin import LETTERS, SEPA, UNSENDABLE
from payouts.intake.combinations import needs
from payouts.intake.frames import CANONICAL, PROBLEMS, masked, no_problems

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

__all__ = ["BIDI", "Check", "due_date", "field_problems", "run", "sepa_text"]

# Characters that reorder text or show nothing: bidi controls, zero-width marks, soft hyphen.
BIDI: Final = r"[\x{AD}\x{61C}\x{180E}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{206F}\x{FEFF}]"
_CONTROL: Final = r"[\x00-\x1F\x7F-\x9F\x{2028}\x{2029}\x{FFF9}-\x{FFFD}]"
_NAME: Final = r"^[A-Za-z][A-Za-z0-9/\-?:().,'+ ]{0,69}$"
_INITIALS: Final = r"(?:^|\s)\p{L}\.?(?:\s|$)"
_MARKUP: Final = r"^[=+\-@]|[<>]"
_REFERENCE: Final = r"^[!-~ ]{1,64}$"
_DESCRIPTION: Final = r"^[A-Za-z0-9/\-?:().,'+ ]{1,140}$"
_EMAIL: Final = r"^[^@\s\x00-\x20<>(),;:]{1,64}@[^@\s.<>(),;:]+(?:\.[^@\s.<>(),;:]+)+$"
_PHONE: Final = r"^\+?[(]?[0-9][0-9 ().\-/]{4,24}$"
_DATE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

_REFERENCE_MAX: Final = 64
_NAME_MAX: Final = 140
_SEPA_NAME_MAX: Final = 70  # Nm of pain.001 in SEPA (EPC)
_DESCRIPTION_MAX: Final = 140  # Ustrd of pain.001 in SEPA (EPC)
_EMAIL_MAX: Final = 254  # RFC 5321
_SHORT_MAX: Final = 64
_ACCOUNT_MAX: Final = 128
_DUE_MAX_DAYS: Final = 366
_VALUE_MAX: Final = 60

_PRIVATE: Final = ("account", "document", "phone", "email")
_SHORT: Final = (
    "account_kind",
    "bank_code",
    "branch_code",
    "account_type",
    "document",
    "document_kind",
    "network",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One question to a column.

    Args:
        column: the canonical column it is about.
        code: the code of the problem, null where there is none: String.
        allowed: what would be right: String.
        value: what to show; the column, masked where it is private, unless given.
    """

    column: str
    code: pl.Expr
    allowed: pl.Expr = field(default_factory=lambda: pl.lit(""))
    value: pl.Expr | None = None

    def found(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The problems of the frame's lines, as a problems frame."""
        hit = frame.with_columns(self.code.alias("code")).filter(pl.col("code").is_not_null())
        if hit.is_empty():
            return no_problems()
        return hit.select(
            "line",
            "code",
            pl.lit(self.column).alias("column"),
            self._shown().fill_null("").alias("value"),
            self.allowed.fill_null("").alias("allowed"),
        ).cast(PROBLEMS)  # type: ignore[arg-type]  # a schema is a mapping of names to types

    def _shown(self) -> pl.Expr:
        if self.value is not None:
            return self.value
        value = pl.col(self.column)
        if self.column in _PRIVATE:
            return masked(value)
        return value.str.head(_VALUE_MAX).str.replace_all(_CONTROL, "\ufffd")


def run(frame: pl.DataFrame, checks: Iterable[Check]) -> pl.DataFrame:
    """The problems that checks find on the lines of a frame, as a problems frame."""
    return pl.concat([no_problems(), *(check.found(frame) for check in checks)])
