"""The vault: account data at rest.

Account data of a batch is one blob under a data key of its own; the data key is wrapped by the
vault key. AES-256-GCM with the batch's key as associated data, so a blob that is moved to another
row does not open (RELIABILITY §7).

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
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from payouts.core.errors import PayoutsError
from payouts.core.sealed import Sealed

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Sealed", "Vault", "VaultError"]

_NONCE = 12


class VaultError(PayoutsError):
    """A sealed blob does not open: another key, another row, or altered bytes."""

    code = "E_VAULT"


class Vault:
    """Seals and opens under one vault key of 32 bytes."""

    def __init__(self, key: bytes, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self._wrap = AESGCM(key)
        self._random = random
        self.key_id = hashlib.blake2b(key, digest_size=3, person=b"payouts-vault").hexdigest()

    def __repr__(self) -> str:
        return f"Vault(key_id='{self.key_id}')"

    def seal(self, row: int, plain: bytes) -> Sealed:
        """Encrypt `plain` for the row with key `row`, under a new data key."""
        bound = row.to_bytes(8, "big", signed=True)
        data_key = self._random(32)
        wrap_nonce, nonce = self._random(_NONCE), self._random(_NONCE)
        return Sealed(
            self.key_id,
            wrap_nonce + self._wrap.encrypt(wrap_nonce, data_key, bound),
            nonce + AESGCM(data_key).encrypt(nonce, plain, bound),
        )

    def open(self, row: int, sealed: Sealed) -> bytes:
        """The plain bytes of `sealed`.

        Raises:
            VaultError: the blob was made with another vault key, for another row, or was altered.
        """
        bound = row.to_bytes(8, "big", signed=True)
        try:
            wrapped = sealed.data_key
            data_key = self._wrap.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], bound)
            return AESGCM(data_key).decrypt(sealed.body[:_NONCE], sealed.body[_NONCE:], bound)
        except (InvalidTag, ValueError):  # ValueError: cut so short that there is no nonce
            raise VaultError(
                f"the account data of row {row} does not open with vault key {self.key_id}",
                hint=f"Give the vault key with id {sealed.key_id} in PAYOUTS_VAULT_KEY.",
            ) from None
