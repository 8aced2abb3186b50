"""The identity of lines: references, contents and wire references as columns.

Everything here is keyed by the install key, which is never rotated, and so stays what it is when
the vault key is exchanged. A content is hashed from a text; how that text is made has a version,
which an installation keeps for ever: a line that was paid under one version must not look new
under the next (notes/0010). All hashing of a million lines happens here, in loops over plain lists
that call C for each hash.
"""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from payouts.core.errors import SettingsError
from payouts.core.ids import IDENTITY_BYTES, identity_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "NEWEST",
    "VERSIONS",
    "Signer",
    "fingerprints",
    "with_content",
    "with_references",
    "with_wires",
]

_CONTENT_1 = (
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
)


def _content_1() -> pl.Expr:
    """Version 1: the read values of a good line, and the phone of who fetches cash by it."""
    parts = [pl.col(name).cast(pl.String).fill_null("") for name in _CONTENT_1]
    fetcher = pl.when(pl.col("account").is_null()).then(pl.col("phone")).fill_null("")
    return pl.concat_str([*parts, fetcher], separator="\x1f")


VERSIONS: Final[Mapping[int, Callable[[], pl.Expr]]] = MappingProxyType({1: _content_1})
"""Version -> the text that two lines with one reference must share to be the same payment.

It reads the columns of `intake.checks.GOOD`. A version is frozen with everything it reads: where a
check comes to write an account or a name differently, a new version takes the new spelling and the
old one undoes it. tests/flows/test_identity.py holds hashes of each version.
"""

NEWEST: Final = max(VERSIONS)
"""What a new installation begins with."""

_BLOCK = 64
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = np.frombuffer(
    "".join(f"{a}{b}" for a in _ALPHABET for b in _ALPHABET).encode("ascii"), dtype=np.uint16
)
"""Two base-32 digits for each ten bits: half the look-ups of one by one."""


class Signer:
    """Keyed hashes under the install key, with their keyed states made once.

    Wire references are HMAC-SHA256: a digest is that of `hmac.digest(key, message, "sha256")`; a
    test compares them. Contents and accounts, which never leave the database, are keyed BLAKE2b.

    Args:
        install_key: kept secret and never exchanged.
        version: of `VERSIONS`, as the installation began with it.

    Raises:
        SettingsError: E_INSTALLATION: a version that this program does not know.
    """

    def __init__(self, install_key: bytes, version: int = NEWEST) -> None:
        if version not in VERSIONS:
            raise SettingsError(
                f"this database identifies lines by version {version}, which this program does"
                f" not know (it knows {', '.join(map(str, VERSIONS))})",
                hint="Nothing was sent. Use the version of payouts that made the database, or a"
                " newer one.",
                code="E_INSTALLATION",
            )
        self.version = version
        key = install_key if len(install_key) <= _BLOCK else hashlib.sha256(install_key).digest()
        key = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))
        self._content = _keyed(install_key, f"content v{version}", 16)
        self._account = _keyed(install_key, f"account v{version}", 8)

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

    def contents(self, lines: pl.DataFrame) -> pl.Series:
        """What each line would pay and to whom, as Binary of 16 bytes: equal lines, equal bytes."""
        texts = lines.select(VERSIONS[self.version]()).to_series()
        return pl.Series("content", _hashes(self._content, texts), dtype=pl.Binary)

    def accounts(self, accounts: pl.Series) -> pl.Series:
        """A 64-bit hash of each account as Int64: for equality, in one installation only."""
        raw = b"".join(_hashes(self._account, accounts.fill_null("")))
        numbers = np.frombuffer(raw, dtype=">i8").astype(np.int64)
        return pl.Series("account_hash", numbers, dtype=pl.Int64)


def _keyed(install_key: bytes, purpose: str, size: int) -> hashlib.blake2b:
    """A keyed state under a key of its own for each purpose."""
    key = hashlib.blake2b(install_key, digest_size=32, person=purpose.encode()).digest()
    return hashlib.blake2b(key=key, digest_size=size)


def _hashes(begun: hashlib.blake2b, texts: pl.Series) -> list[bytes]:
    copy = begun.copy
    found = []
    for each in texts.cast(pl.Binary).to_list():
        hashed = copy()
        hashed.update(each)
        found.append(hashed.digest())
    return found


def with_content(lines: pl.DataFrame, signer: Signer) -> pl.DataFrame:
    """Add `content` (Binary, 16 bytes): a keyed hash of what would be paid and to whom."""
    return lines.with_columns(signer.contents(lines))


def fingerprints(period: str) -> pl.Expr:
    """The references of lines that have none, made of `content` and a period of the pipeline."""
    return pl.concat_str(pl.lit(f"fp:{period}:"), pl.col("content").bin.encode("hex"))


def with_references(lines: pl.DataFrame, period: str) -> pl.DataFrame:
    """Fill a missing `reference` with the fingerprint of the line and the pipeline's period.

    A file without a reference column is then paid once per period, whatever it is called.
    """
    if not lines["reference"].null_count():
        return lines
    return lines.with_columns(reference=pl.coalesce("reference", fingerprints(period)))


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
