"""The vault: what it seals opens only with its key, in its row, unaltered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.vault import Sealed, Vault, VaultError

KEY = b"v" * 32
SECRET = b"DE89370400440532013000"
ROWS = st.integers(-(2**63), 2**63 - 1)


def changed(sealed: Sealed, field: str, value: bytes) -> Sealed:
    return Sealed(**(sealed._asdict() | {field: value}))


@given(ROWS, st.binary(max_size=500))
def test_what_was_sealed_opens_in_its_row(row: int, plain: bytes) -> None:
    vault = Vault(KEY)

    assert vault.open(row, vault.seal(row, plain)) == plain


def test_nothing_of_the_secret_or_the_key_shows() -> None:
    vault = Vault(KEY)
    sealed = vault.seal(1, SECRET)

    assert SECRET not in sealed.body + sealed.data_key
    assert "vvv" not in repr(vault)
    assert SECRET.decode() not in repr(sealed)


def test_the_same_plain_text_is_sealed_differently_every_time() -> None:
    """Equal blobs would tell which batches pay the same people."""
    vault = Vault(KEY)
    one, other = vault.seal(1, SECRET), vault.seal(1, SECRET)

    assert one.body != other.body
    assert one.data_key != other.data_key


def test_a_blob_that_is_moved_to_another_row_does_not_open() -> None:
    """Somebody who can write rows could otherwise swap the payees of two batches."""
    vault = Vault(KEY)
    first, second = vault.seal(1, b"first"), vault.seal(2, b"second")

    for row, sealed in ((2, first), (1, second)):
        with pytest.raises(VaultError):
            vault.open(row, sealed)
    with pytest.raises(VaultError):
        vault.open(1, first._replace(body=second.body))


def test_another_key_does_not_open_and_the_message_says_which_would() -> None:
    sealed = Vault(KEY).seal(1, SECRET)

    with pytest.raises(VaultError) as caught:
        Vault(b"w" * 32).open(1, sealed)

    assert Vault(KEY).key_id in caught.value.hint
    assert "PAYOUTS_VAULT_KEY" in caught.value.hint


@pytest.mark.parametrize("field", ["body", "data_key"])
def test_one_altered_bit_anywhere_is_noticed(field: str) -> None:
    vault = Vault(KEY)
    sealed = vault.seal(1, SECRET)
    whole: bytes = getattr(sealed, field)

    for place in range(len(whole)):
        altered = bytearray(whole)
        altered[place] ^= 1
        with pytest.raises(VaultError):
            vault.open(1, changed(sealed, field, bytes(altered)))


@pytest.mark.parametrize("field", ["body", "data_key"])
def test_a_blob_that_was_cut_is_noticed(field: str) -> None:
    vault = Vault(KEY)
    sealed = vault.seal(1, SECRET)
    whole: bytes = getattr(sealed, field)

    for length in range(len(whole)):
        with pytest.raises(VaultError):
            vault.open(1, changed(sealed, field, whole[:length]))


def test_data_keys_and_nonces_come_from_the_given_chance() -> None:
    asked: list[int] = []

    def chance(size: int) -> bytes:
        asked.append(size)
        return bytes(range(size))

    sealed = Vault(KEY, random=chance).seal(1, SECRET)

    assert asked == [32 + 12 + 12]
    assert (sealed.data_key[:12], sealed.body[:12]) == (bytes(range(32, 44)), bytes(range(44, 56)))
    assert Vault(KEY).open(1, sealed) == SECRET


def test_another_key_has_another_id() -> None:
    assert Vault(KEY).key_id != Vault(b"w" * 32).key_id


def test_a_sealed_blob_is_three_plain_values() -> None:
    assert Sealed._fields == ("key_id", "data_key", "body")
