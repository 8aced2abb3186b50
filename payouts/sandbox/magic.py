"""Magic accounts: destinations that misbehave on purpose, so that sample files show failures.

An account is magic when its last six characters are one of the endings below (no zero among them,
so that base58 addresses can have them too), or, for an e-mail key, when its local part ends in
`+word`, as in `ana+account_closed@example.com`. Where a payout names no account (cash), the
beneficiary's document counts as the account.

    ending  word                Orkesta                           Orkestra
    771111  account_closed      refused in the reply              201, then FAILED
    772222  account_blocked     refused in the reply              201, then FAILED
    773333  name_mismatch       accepted, failed when processed   201, then FAILED
    774444  try_later           refused, accepted the next time   429 with Retry-After: 1, then 201
    775555  insufficient_funds  refused every time                402 every time
    776666  slow                settles after 60 times as long    the same
    777777  held                stays pending until released      the same
    778888  rejected_by_bank    accepted, failed when processed   201, then FAILED
    779999  invalid_account     refused in the reply              422, nothing made

"Refused" has no effect and no id. The next time of `try_later` is counted per reference and
account, and the count survives a restart. `held` is let go by `POST /_control/release`.

>>> word_of("DE02120300000000771111"), word_of("DE02120300000000202051")
('account_closed', None)
"""

from __future__ import annotations

from typing import Final

__all__ = ["ENDINGS", "fate_of", "message_of", "refusal_of", "word_of"]

ENDINGS: Final = {
    "771111": "account_closed",
    "772222": "account_blocked",
    "773333": "name_mismatch",
    "774444": "try_later",
    "775555": "insufficient_funds",
    "776666": "slow",
    "777777": "held",
    "778888": "rejected_by_bank",
    "779999": "invalid_account",
}

_MESSAGES: Final = {
    "account_closed": "The destination account is closed",
    "account_blocked": "The destination account is blocked",
    "name_mismatch": "The name does not match the holder of the destination account",
    "try_later": "The payment cannot be taken now, try again later",
    "insufficient_funds": "The source account has not enough funds",
    "rejected_by_bank": "The receiving bank sent the payment back",
    "invalid_account": "The destination account does not exist",
}

_REFUSED: Final = frozenset({"insufficient_funds", "invalid_account"})
_FOUND_LATE: Final = frozenset({"account_closed", "account_blocked"})
_WORDS: Final = frozenset(ENDINGS.values())
_LENGTH: Final = 6


def word_of(account: str) -> str | None:
    """Give the magic word of an account, or None for an ordinary one."""
    if "@" in account:
        tag = account.partition("@")[0].rpartition("+")[2]
        return tag if tag in _WORDS else None
    return ENDINGS.get(account[-_LENGTH:])


def refusal_of(word: str | None, *, again: bool, late: bool) -> str | None:
    """Give the code with which a payment for such an account is refused, or None: accepted.

    Args:
        again: the same payment was refused before.
        late: the platform finds out about the account only when it has accepted.
    """
    refused = word in _REFUSED or (word in _FOUND_LATE and not late)
    return word if refused or (word == "try_later" and not again) else None


def fate_of(word: str | None) -> str:
    """Give the fate (see `life`) of a payment that was accepted for such an account."""
    match word:
        case None | "try_later":
            return "paid"
        case "slow":
            return "slow_paid"
        case "held":
            return "held"
        case _:
            return "failed"


def message_of(code: str) -> str:
    """Give the sentence that goes with a code."""
    return _MESSAGES.get(code, f"The payment was refused: {code}")
