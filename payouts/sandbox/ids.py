"""Ids that say where their payment is booked: each holds the number of its line in the truth log.

An Orkesta id is `pay_` and 26 characters: the time, a mark of the moment, the line, the position
in the batch. An Orkestra id is an int64 of seconds and line, beyond 2**53 on purpose, so that
nobody gets away with reading it through a float.

>>> payment_prefix(1779268473.5, 7) + SUFFIXES[499]
'pay_01ks2ammmw5gqks300000007fk'
>>> line_of("pay_01ks2ammmw5gqks300000007fk"), line_of(str(payout_id(1779268473.5, 9)))
(7, 9)
>>> line_of("pay_x") is None
True
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

__all__ = ["SUFFIXES", "line_of", "part_id", "payment_prefix", "payout_id"]

_BASE32: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_EPOCH: Final = 1577836800  # 2020-01-01
_LINE_BITS: Final = 28
_PART_SHIFT: Final = 56
_PAYMENT: Final = re.compile(f"pay_[{_BASE32}]{{26}}")
_PAYOUT: Final = re.compile("[0-9]{1,19}")

SUFFIXES: Final = [first + second for first in _BASE32 for second in _BASE32]


def payment_prefix(now: float, line: int) -> str:
    """Give the ids of a batch without their last two characters, which are of `SUFFIXES`."""
    mark = int.from_bytes(hashlib.sha256(f"{now!r}/{line}".encode()).digest()[:4])
    return f"pay_{_base32(int(now * 1000), 10)}{_base32(mark, 6)}{_base32(line, 8)}"


def payout_id(now: float, line: int) -> int:
    """Give the id of a payout."""
    return int(now - _EPOCH) << _LINE_BITS | line


def part_id(base: int, number: int) -> int:
    """Give the id of a part (1 to 127) of what has a payout's id: a charge, a transaction."""
    return number << _PART_SHIFT | base


def line_of(name: str) -> int | None:
    """Give the line where a payment of this id would be booked, or None if it cannot be an id."""
    if _PAYMENT.fullmatch(name):
        line = 0
        for digit in name[-10:-2]:
            line = line << 5 | _BASE32.index(digit)
        return line
    if _PAYOUT.fullmatch(name):
        return int(name) & (1 << _LINE_BITS) - 1
    return None


def _base32(number: int, length: int) -> str:
    return "".join(_BASE32[number >> 5 * place & 31] for place in range(length - 1, -1, -1))
