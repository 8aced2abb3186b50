"""Problems: everything that can be wrong, each with a stable code.

A *problem kind* is what `payouts explain E_IBAN_CHECK_DIGITS` prints. Codes that begin with `E_`
reject (a line, with `scope="file"` the whole file, with `scope="command"` what somebody typed),
codes that begin with `W_` warn. The codes are stored, printed and filtered by users' scripts: one
that was published never changes meaning.

>>> KINDS["E_AMOUNT_FORMAT"].verdict
'reject'
"""

from __future__ import annotations

from payouts.core.problems.accounts import ACCOUNTS
from payouts.core.problems.files import FILES
from payouts.core.problems.kind import ProblemKind
from payouts.core.problems.lines import LINES
from payouts.core.problems.operations import HOLDS, OPERATIONS, HoldKind

__all__ = ["ACCOUNTS", "FILES", "HOLDS", "KINDS", "LINES", "OPERATIONS", "HoldKind", "ProblemKind"]

KINDS: dict[str, ProblemKind] = {
    kind.code: kind for kind in (*FILES, *LINES, *ACCOUNTS, *OPERATIONS)
}
