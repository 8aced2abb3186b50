"""What is raised to a caller, as one small tree.

```
PayoutsError                what, which, and what to do
├── UsageError              the caller's words or settings are wrong            (exit 2)
│   └── SettingsError       a setting is missing or contradicts another
├── FileRefusedError        a payee file was refused whole; nothing was sent    (exit 4)
├── AmountError             a text is no amount of its currency
├── VaultAwayError          who keeps the keys of account data cannot be reached now
└── InvariantError          our own bug: a promise would have been broken       (exit 1)
```

Bad lines are `Problem` values, never exceptions; what a provider says, or fails to say, is an
`Outcome` value. An exception is for a caller who must change something, or for our own bugs.
"""

from __future__ import annotations

__all__ = [
    "AmountError",
    "FileRefusedError",
    "InvariantError",
    "PayoutsError",
    "SettingsError",
    "UsageError",
    "VaultAwayError",
]


class PayoutsError(Exception):
    """An error that a person can act on.

    Args:
        message: what is wrong, and which thing.
        hint: what to do about it, as an imperative sentence; empty where nothing helps.
        code: a stable code that `payouts explain CODE` knows.
    """

    code = "E_INTERNAL"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code


class UsageError(PayoutsError):
    """The command's words do not fit together."""

    code = "E_USAGE"


class SettingsError(UsageError):
    """A setting is missing, or contradicts another."""

    code = "E_SETTINGS"


class FileRefusedError(PayoutsError):
    """A payee file was refused whole: nothing of it was stored or sent."""

    code = "E_FILE"


class AmountError(PayoutsError):
    """A text is no amount of its currency."""

    code = "E_AMOUNT_FORMAT"


class VaultAwayError(PayoutsError):
    """Who keeps the keys of account data cannot be reached now: nothing was opened or sent."""

    code = "E_VAULT_AWAY"


class InvariantError(PayoutsError):
    """A promise would have been broken; the operation changed nothing."""

    code = "E_INVARIANT"
