"""The vault whose other key is kept at Orchestra: one key per load, and nothing opens without it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from payouts import local
from payouts.core.errors import VaultAwayError
from payouts.core.sealed import Sealed
from payouts.providers.calls import Calls
from payouts.providers.client import Timeouts
from payouts.providers.orchestra import Orchestra
from payouts.providers.tokens import StringTokens
from payouts.vault import ErasedError, Vault, VaultError, token_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = b"v" * 32
PLAIN = b'{"account":"DE89370400440532013000"}'


class Counted:
    """The real tokens of the sandbox, and how often each call was made."""

    def __init__(self, tokens: StringTokens) -> None:
        self.tokens = tokens
        self.calls: Counter[str] = Counter()
        self.kept: list[str] = []

    def keep(self, payload: str) -> str:
        self.calls["keep"] += 1
        self.kept.append(payload)
        return self.tokens.keep(payload)

    def reveal(self, token: str) -> str | None:
        self.calls["reveal"] += 1
        return self.tokens.reveal(token)

    def forget(self, token: str) -> bool:
        self.calls["forget"] += 1
        return self.tokens.forget(token)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with local.sandbox_running(folder) as url:
        yield f"{url}/orchestra"


@pytest.fixture
def keys(url: str) -> Counted:
    platform = Orchestra(url, api_key="sandbox-orchestra")
    return Counted(StringTokens(platform, Calls(url, platform.headers)))


def test_a_load_keeps_one_key_however_many_batches_it_has(keys: Counted) -> None:
    vault = Vault(KEY, keys=keys, shared=True)
    sealer = vault.for_load(kept=True)

    sealed = {row: sealer.seal(row, PLAIN + bytes([row])) for row in range(200)}
    opened = {row: vault.open(row, one) for row, one in sealed.items()}

    assert opened == {row: PLAIN + bytes([row]) for row in range(200)}
    assert keys.calls == {"keep": 1, "reveal": 1}
    assert len({one.key_id for one in sealed.values()}) == 1
    assert len({one.data_key for one in sealed.values()}) == 200


def test_each_load_has_a_key_of_its_own(keys: Counted) -> None:
    """So that one run can be erased without the others."""
    vault = Vault(KEY, keys=keys, shared=True)
    first, second = (vault.for_load(kept=True).seal(7, PLAIN) for _ in range(2))

    assert vault.forget(token_of(first.key_id) or "")

    with pytest.raises(ErasedError, match="was deleted"):
        vault.open(7, first)
    assert vault.open(7, second) == PLAIN


def test_neither_side_opens_anything_alone(keys: Counted) -> None:
    """P24: not the database with our vault key, not the platform with all that it ever saw."""
    sealed = Vault(KEY, keys=keys, shared=True).for_load(kept=True).seal(7, PLAIN)

    with pytest.raises(VaultAwayError):
        Vault(KEY).open(7, sealed)
    with pytest.raises(VaultError):
        Vault(b"w" * 32, keys=keys).open(7, sealed)
    local_only = Sealed(sealed.key_id.partition("@")[0], sealed.data_key, sealed.body)
    with pytest.raises(VaultError):
        Vault(KEY, keys=keys).open(7, local_only)
    [seen] = keys.kept
    assert "DE89" not in seen
    assert KEY.decode() not in seen


def test_a_blob_does_not_open_in_another_row(keys: Counted) -> None:
    vault = Vault(KEY, keys=keys, shared=True)
    sealed = vault.for_load(kept=True).seal(7, PLAIN)

    with pytest.raises(VaultError, match="row 8"):
        vault.open(8, sealed)


def test_blobs_of_both_kinds_open_side_by_side(keys: Counted) -> None:
    """A project that changes the setting keeps its history."""
    before, after = Vault(KEY), Vault(KEY, keys=keys, shared=True)
    old, new = before.seal(7, b"old"), after.for_load(kept=True).seal(8, b"new")
    back = Vault(KEY, keys=keys, shared=False)

    for vault in (after, back):
        assert (vault.open(7, old), vault.open(8, new)) == (b"old", b"new")
    assert back.for_load(kept=True) is back
    assert token_of(back.seal(9, b"local").key_id) is None


def test_a_rehearsal_keeps_nothing_there(keys: Counted) -> None:
    sealer = Vault(KEY, keys=keys, shared=True).for_load(kept=False)

    sealer.seal(7, PLAIN)

    assert keys.calls == {}


def test_a_key_is_read_again_after_two_minutes(keys: Counted) -> None:
    now = [0.0]
    vault = Vault(KEY, keys=keys, shared=True, clock=lambda: now[0])
    sealed = vault.for_load(kept=True).seal(7, PLAIN)

    for now[0] in (0.0, 60.0, 119.0, 121.0, 200.0):
        vault.open(7, sealed)

    assert keys.calls["reveal"] == 2


def test_a_platform_that_is_away_opens_and_seals_nothing() -> None:
    platform = Orchestra("http://127.0.0.1:9", api_key="x")
    tokens = StringTokens(platform, Calls(platform.base_url, {}, Timeouts(connect=0.5)))
    vault = Vault(KEY, keys=tokens, shared=True)

    with pytest.raises(VaultAwayError):
        vault.for_load(kept=True).seal(7, PLAIN)
    with pytest.raises(VaultAwayError):
        vault.open(7, Sealed(f"{vault.key_id}@abc", b"x" * 60, b"y" * 60))


def test_what_somebody_changed_there_is_no_key(keys: Counted) -> None:
    vault = Vault(KEY, keys=keys, shared=True)
    sealed = vault.for_load(kept=True).seal(7, PLAIN)
    foreign = keys.tokens.keep("not base64!")

    with pytest.raises(VaultError):
        vault.open(7, sealed._replace(key_id=f"{vault.key_id}@{foreign}"))


def test_no_key_is_shown(keys: Counted) -> None:
    vault = Vault(KEY, keys=keys, shared=True)
    sealer = vault.for_load(kept=True)
    sealed = sealer.seal(7, PLAIN)

    assert keys.kept[0] not in repr((vault, sealer, sealed.key_id, keys.tokens))
    assert "vvvv" not in repr((vault, sealer))
