"""Public ids and the wire reference.

A public id is the database key in a readable dress: a prefix, then the key in Crockford's
base 32, padded so that ids sort like their keys. A wire reference is what a provider sees of an
item: it depends on the line's identity and the install key alone, so a restored database, another
machine or a second attempt arrive at the same one (ARCHITECTURE §5).

>>> public_id("itm", 1234)
'itm_000000016j'
>>> key_of("itm_000000016j")
('itm', 1234)
>>> wire_reference(b"k" * 32, "acme", "INV-1", 1)
'P4L3KIV6B6AXE3ADCY6MQ6NLHDSZIWKE'
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32decode, b32encode

from payouts.core.errors import UsageError

__all__ = [
    "IDENTITY_BYTES",
    "identity_frame",
    "identity_message",
    "key_of",
    "public_id",
    "wire_from_digest",
    "wire_prefix",
    "wire_reference",
]

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_WIDTH = 10
PREFIXES = {
    "run": "run",
    "itm": "item",
    "bat": "batch",
    "rfd": "refund",
    "att": "attempt",
    "col": "collection",
}

IDENTITY_BYTES = 20
"""Bytes of the digest that the wire reference shows 155 bits of."""


def public_id(prefix: str, key: int) -> str:
    """`prefix` and the key as ten or more base-32 digits."""
    digits = ""
    while key:
        key, rest = divmod(key, 32)
        digits = _DIGITS[rest] + digits
    return f"{prefix}_{digits.rjust(_WIDTH, '0')}"


def key_of(public: str) -> tuple[str, int]:
    """The prefix and the key of a public id; `UsageError` where it is none."""
    prefix, _, digits = public.partition("_")
    if prefix not in PREFIXES or not digits or set(digits.lower()) - set(_DIGITS):
        known = ", ".join(f"{short}_…" for short in PREFIXES)
        raise UsageError(f"'{public}' is not an id", hint=f"Ids look like {known}.", code="E_ID")
    key = 0
    for digit in digits.lower():
        key = key * 32 + _DIGITS.index(digit)
    if key >= 1 << 63:
        raise UsageError(f"'{public}' is not an id of this database", code="E_ID")
    return prefix, key


def identity_frame(payer: str, intent: int) -> tuple[str, str]:
    """What stands before and after a reference in the text that its identity is hashed from.

    NUL separates the parts and is refused in each, so two identities never share a text.
    """
    return f"{payer}\0", f"\0{intent}\0v1"


def identity_message(payer: str, reference: str, intent: int) -> bytes:
    """The bytes that the identity of one line is hashed from."""
    before, after = identity_frame(payer, intent)
    return f"{before}{reference}{after}".encode()


def wire_from_digest(digest: bytes) -> str:
    """`P` and 31 base-32 characters of the first 20 bytes of an HMAC-SHA256."""
    return "P" + b32encode(digest[:IDENTITY_BYTES])[:31].decode("ascii")


def wire_reference(install_key: bytes, payer: str, reference: str, intent: int) -> str:
    """The wire reference of one line: 32 characters of `[A-Z2-7]`, fit for pain.001 (35)."""
    message = identity_message(payer, reference, intent)
    return wire_from_digest(hmac.digest(install_key, message, hashlib.sha256))


def wire_prefix(wire: str) -> int:
    """The first 8 bytes behind a wire reference as a signed 64-bit number: the indexed handle."""
    return int.from_bytes(b32decode(wire[1:17])[:8], "big", signed=True)
