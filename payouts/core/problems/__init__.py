"""Problems: everything that can be wrong with a payee file, each with a stable code.

A *problem kind* is what `payouts explain E_IBAN_CHECK_DIGITS` prints. Codes that begin with `E_`
reject (a line, or with `scope="file"` the whole file), codes that begin with `W_` warn. The codes
are stored, printed and filtered by users' scripts: one that was published never changes meaning.

>>> KINDS["E_AMOUNT_FORMAT"].verdict
'reject'
"""

from __future__ import annotations

from payouts.core.problems.accounts import ACCOUNTS
from payouts.core.problems.files import FILES
from payouts.core.problems.kind import ProblemKind
from payouts.core.problems.lines import LINES

__all__ = ["ACCOUNTS", "FILES", "KINDS", "LINES", "ProblemKind"]

KINDS: dict[str, ProblemKind] = {kind.code: kind for kind in (*FILES, *LINES, *ACCOUNTS)}
