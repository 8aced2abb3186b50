"""The identity of lines: references, contents and wire references as columns.

All hashing of a million lines happens here, in loops over plain lists that call C for each hash.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from payouts.core.ids import IDENTITY_BYTES, identity_frame

if TYPE_CHECKING:
    from payouts.vault import Vault

__all__ = ["Signer", "with_content", "with_references", "with_wires"]

_CONTENT = [
    "name",
    "country",
    "currency",
    "amount_minor",
    "method",
    "account",
    "bank_code",
    "branch_code",
    "account_type",
    "document",
    "document_kind",
    "network",
    "due_date",
]
"""What two lines with one reference must share to be the same payment."""

_FETCHER = pl.when(pl.col("account").is_null()).then(pl.col("phone"))
"""Who fetches cash is told by the phone in countries that ask for no document."""

_BLOCK = 64
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = np.frombuffer(
    "".join(f"{a}{b}" for a in _ALPHABET for b in _ALPHABET).encode("ascii"), dtype=np.uint16
)
"""Two base-32 digits for each ten bits: half the look-ups of one by one."""


class Signer:
    """HMAC-SHA256 under the install key, with both keyed states made once.

    A digest is that of `hmac.digest(key, message, "sha256")`; a test compares them.
    """

    def __init__(self, install_key: bytes) -> None:
        key = install_key if len(install_key) <= _BLOCK else hashlib.sha256(install_key).digest()
        key = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))

    def digests(self, messages: list[bytes], *, prefix: bytes = b"") -> bytes:
        """The first 20 bytes of the digest of `prefix + message` for each message, end to end."""
        begun = self._inner.copy()
        begun.update(prefix)
        inner_copy, outer_copy = begun.copy, self._outer.copy
        found = []
        for message in messages:
            inner = inner_copy()
            inner.update(message)
            outer = outer_copy()
            outer.update(inner.digest())
            found.append(outer.digest()[:IDENTITY_BYTES])
        return b"".join(found)


def with_content(lines: pl.DataFrame, vault: Vault) -> pl.DataFrame:
    """Add `content` (Binary, 16 bytes): a keyed hash of what would be paid and to whom."""
    parts = [pl.col(name).cast(pl.String).fill_null("") for name in _CONTENT]
    parts.append(_FETCHER.fill_null(""))
    joined = lines.select(pl.concat_str(parts, separator="\x1f")).to_series()
    content = pl.Series("content", vault.fingerprints(joined.to_list()), dtype=pl.Binary)
    return lines.with_columns(content)


def with_references(lines: pl.DataFrame, period: str) -> pl.DataFrame:
    """Fill a missing `reference` with the fingerprint of the line and the pipeline's period.

    A file without a reference column is then paid once per period, whatever it is called.
    """
    fingerprint = pl.concat_str(
        pl.lit(f"fp:{period}:"), pl.col("content").bin.encode("hex"), separator=""
    )
    return lines.with_columns(reference=pl.coalesce("reference", fingerprint))


def with_wires(items: pl.DataFrame, *, signer: Signer, payer: str, intent: int = 1) -> pl.DataFrame:
    """Add `wire` (String, 32 characters) and `wire_prefix` (Int64) from `reference`."""
    before, after = identity_frame(payer, intent)
    message = pl.concat_str("reference", pl.lit(after)).cast(pl.Binary)
    messages = items.select(message).to_series().to_list()
    raw = signer.digests(messages, prefix=before.encode())
    data = np.frombuffer(raw, dtype=np.uint8).reshape(-1, IDENTITY_BYTES)
    prefix = data[:, :8].copy().view(">i8").reshape(-1).astype(np.int64)
    return items.with_columns(
        pl.Series("wire", _base32(data), dtype=pl.String),
        pl.Series("wire_prefix", prefix, dtype=pl.Int64),
    )


def _base32(data: np.ndarray) -> list[str]:
    """`P` and 31 base-32 characters per row of 20 bytes (four groups of 40 bits)."""
    groups = data.reshape(-1, 4, 5).astype(np.uint64)
    value = np.zeros(groups.shape[:2], dtype=np.uint64)
    for byte in range(5):
        value = (value << np.uint64(8)) | groups[:, :, byte]
    shifts = np.array([30, 20, 10, 0], dtype=np.uint64)
    pairs = ((value[:, :, None] >> shifts) & np.uint64(1023)).astype(np.uint16)
    rows = np.empty((len(data), 34), dtype=np.uint8)
    rows[:, 0] = ord("P")
    rows[:, 1:33] = _PAIRS[pairs].reshape(-1, 16).view(np.uint8)
    rows[:, 32] = ord("\n")  # 31 of the 32 digits: 155 bits
    return rows[:, :33].tobytes().decode("ascii").split("\n")[:-1]
