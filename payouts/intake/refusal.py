"""The refusal of a whole file: a problem kind of scope `file` as an exception.

>>> str(refused("E_FILE_NUL", value="line 7"))
'There is a NUL byte in line 7'
"""

from __future__ import annotations

from payouts.core.errors import FileRefusedError
from payouts.core.problems import KINDS

__all__ = ["refused"]


def refused(code: str, *, value: object = "", allowed: object = "") -> FileRefusedError:
    """Make the error that refuses a file with problem kind `code`.

    Args:
        code: a kind of scope `file`.
        value: which thing; never an account or card number.
        allowed: what would be right.
    """
    kind = KINDS[code]
    message = kind.message.format(value=value, allowed=allowed)
    return FileRefusedError(message, hint=kind.hint.format(allowed=allowed), code=code)
