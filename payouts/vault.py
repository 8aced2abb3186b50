"""The vault: account data at rest.

Account data of a batch is one blob under a data key of its own; the data key is wrapped by the
vault key. AES-256-GCM with the batch's key as associated data, so a blob that is moved to another
row does not open (RELIABILITY §7).

The batches of one load can be sealed so that a platform's word is needed as well (notes/0008): a
key of the load is kept there, and data keys are wrapped by a key that is made of both. Then neither
our vault key and database nor the platform alone opens anything, and where the platform forgets the
key, nobody ever does.

>>> vault = Vault(b"v" * 32)
>>> sealed = vault.seal(7, b"secret")
>>> vault.open(7, sealed), b"secret" in sealed.body
(b'secret', False)
>>> vault
Vault(key_id='4f6924')
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from payouts.core.errors import PayoutsError, VaultAwayError
from payouts.core.sealed import Sealed

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ErasedError", "Keys", "Sealed", "Sealer", "Vault", "VaultError", "token_of"]

_KEY = 32
_NONCE = 12
_MARK: Final = "@"  # vault key id @ token, in a blob's key id
_REMEMBERED_S: Final = 120.0
_REMEMBERED_MAX: Final = 256


class VaultError(PayoutsError):
    """A sealed blob does not open: another key, another row, or altered bytes."""

    code = "E_VAULT"


class ErasedError(VaultError):
    """The other key of a blob was deleted where it was kept: it never opens again."""


class Keys(Protocol):
    """Somebody else who keeps short secrets for us: Orchestra's StringTokens.

    All of it raises `VaultAwayError` where no usable answer comes.
    """

    def keep(self, payload: str) -> str:
        """Store a secret; returns its name."""
        ...

    def reveal(self, token: str) -> str | None:
        """The secret of a name; none where it was forgotten."""
        ...

    def forget(self, token: str) -> bool:
        """Forget a secret for good; false where it is gone already."""
        ...


class Sealer(Protocol):
    """What a load needs of a vault."""

    def seal(self, row: int, plain: bytes) -> Sealed:
        """Encrypt `plain` for the row with key `row`, under a new data key."""
        ...


def token_of(key_id: str) -> str | None:
    """The name under which a blob's other key is kept elsewhere; none where there is none.

    >>> token_of("4f6924@Ab3"), token_of("4f6924")
    ('Ab3', None)
    """
    return key_id.partition(_MARK)[2] or None


class Vault:
    """Seals and opens under one vault key of 32 bytes.

    Args:
        keys: who keeps the other keys of blobs that need one.
        shared: loads are sealed so that they need one.
        clock: seconds that only rise; other keys are remembered for two minutes.
    """

    def __init__(
        self,
        key: bytes,
        *,
        random: Callable[[int], bytes] = os.urandom,
        keys: Keys | None = None,
        shared: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = key
        self._wrap = AESGCM(key)
        self._random = random
        self._keys = keys
        self._shared = shared
        self._clock = clock
        self._known: dict[str, tuple[float, bytes]] = {}
        self._lock = threading.Lock()
        self.key_id = hashlib.blake2b(key, digest_size=3, person=b"payouts-vault").hexdigest()

    def __repr__(self) -> str:
        return f"Vault(key_id='{self.key_id}')"

    def seal(self, row: int, plain: bytes) -> Sealed:
        """Encrypt `plain` for the row with key `row`, under a new data key."""
        return self._sealed(row, plain, self.key_id, self._wrap)

    def _sealed(self, row: int, plain: bytes, key_id: str, wrap: AESGCM) -> Sealed:
        bound = row.to_bytes(8, "big", signed=True)
        chance = self._random(_KEY + 2 * _NONCE)  # at once: asking the system costs more than AES
        data_key, wrap_nonce = chance[:_KEY], chance[_KEY : _KEY + _NONCE]
        nonce = chance[_KEY + _NONCE :]
        return Sealed(
            key_id,
            wrap_nonce + wrap.encrypt(wrap_nonce, data_key, bound),
            nonce + AESGCM(data_key).encrypt(nonce, plain, bound),
        )

    def for_load(self, *, kept: bool) -> Sealer:
        """What seals the batches of one load: this vault, or one with a key kept elsewhere.

        Args:
            kept: false for a rehearsal that is rolled back: nothing is stored elsewhere then.
        """
        if not self._shared or self._keys is None:
            return self
        return _LoadSealer(self, self._keys if kept else None)

    def _begun(self, keys: Keys | None) -> tuple[str, AESGCM]:
        """A new key of a load, stored elsewhere unless `keys` is none: (key id, what wraps)."""
        other = self._random(32)
        token = "rehearsal" if keys is None else keys.keep(urlsafe_b64encode(other).decode("ascii"))
        return f"{self.key_id}{_MARK}{token}", AESGCM(self._both(other))

    def forget(self, token: str) -> bool:
        """Have the key that is kept elsewhere forgotten: what needs it never opens again.

        Returns false where it was gone already.

        Raises:
            VaultAwayError: nobody who keeps keys could be asked.
        """
        if self._keys is None:
            raise _nobody(token)
        with self._lock:
            self._known.pop(token, None)
        return self._keys.forget(token)

    def open(self, row: int, sealed: Sealed) -> bytes:
        """The plain bytes of `sealed`.

        Raises:
            VaultError: the blob was made with another vault key, for another row, or was altered;
                or its other key was forgotten.
            VaultAwayError: it needs another key, and who keeps it gives no answer.
        """
        bound = row.to_bytes(8, "big", signed=True)
        token = token_of(sealed.key_id)
        wrap = self._wrap if token is None else AESGCM(self._both(self._other(token, row)))
        try:
            wrapped = sealed.data_key
            data_key = wrap.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], bound)
            return AESGCM(data_key).decrypt(sealed.body[:_NONCE], sealed.body[_NONCE:], bound)
        except (InvalidTag, ValueError):  # ValueError: cut so short that there is no nonce
            raise VaultError(
                f"the account data of row {row} does not open with vault key {self.key_id}",
                hint="Give the vault key with id"
                f" {sealed.key_id.partition(_MARK)[0]} in PAYOUTS_VAULT_KEY.",
            ) from None

    def _both(self, other: bytes) -> bytes:
        """The key that wraps data keys, made of ours and the one that is kept elsewhere."""
        return hashlib.blake2b(
            other, key=self._key, digest_size=32, person=b"payouts-both"
        ).digest()

    def _other(self, token: str, row: int) -> bytes:
        """The key that is kept elsewhere; asked for once in a while, not once per batch."""
        with self._lock:
            now = self._clock()
            until, other = self._known.get(token, (now, b""))
            if until > now:
                return other
            if self._keys is None:
                raise _nobody(token)
            found = self._keys.reveal(token)
            if found is None:
                raise ErasedError(
                    f"the key of the account data of row {row} was deleted at Orchestra",
                    hint="It was erased on purpose, by retention or by hand, and cannot come back.",
                )
            if len(self._known) >= _REMEMBERED_MAX:
                self._known.clear()
            other = _decoded(found)
            self._known[token] = now + _REMEMBERED_S, other
            return other


class _LoadSealer:
    """Seals the batches of one load under one key of its own, which is stored with the first."""

    def __init__(self, vault: Vault, keys: Keys | None) -> None:
        self._vault, self._keys = vault, keys
        self._lock = threading.Lock()
        self._made: tuple[str, AESGCM] | None = None

    def seal(self, row: int, plain: bytes) -> Sealed:
        """Encrypt `plain` for the row with key `row`, under a new data key.

        Raises:
            VaultAwayError: the load's key cannot be stored, so nothing may be sealed.
        """
        with self._lock:
            if self._made is None:
                self._made = self._vault._begun(self._keys)  # noqa: SLF001  of this module
        return self._vault._sealed(row, plain, *self._made)  # noqa: SLF001  the same


def _decoded(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text.encode())
    except ValueError:
        raise VaultError(
            "what Orchestra keeps under this token is no key of ours",
            hint="Somebody changed it there, or the API key is of another account.",
        ) from None


def _nobody(token: str) -> VaultAwayError:
    return VaultAwayError(
        f"account data needs the key {token[:4]}…, which Orchestra keeps, and no API key is given",
        hint="Nothing was sent. Set api_key under [orchestra].",
    )
