"""What a connector is: facts, an encoder, requests, and a reader of replies. It holds no policy."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from payouts.core.capabilities import Capabilities
    from payouts.core.outcomes import Answer, Verdict
    from payouts.providers.client import Exchange, Request

__all__ = ["AccountKeeper", "Balance", "Connector", "Reading", "Sent", "fingerprint"]


def fingerprint(base_url: str, identity: str) -> str:
    """A short hash of an account of ours: the platform's host and path, and who we are there.

    The port is left out, since a local server has another one at each start.

    Args:
        identity: what tells accounts apart, e.g. a key's id; a secret only where there is nothing
            else. It cannot be recovered: of a random key of 128 bits and more nobody finds the
            preimage.

    >>> fingerprint("http://127.0.0.1:8001/v1", "key_1") == fingerprint("http://127.0.0.1:9/v1", "key_1")
    True
    >>> fingerprint("https://a.example/v1", "key_1") == fingerprint("https://a.example/v1", "key_2")
    False
    """
    parts = urlsplit(base_url)
    text = "\n".join(("payouts.account", parts.hostname or "", parts.path.rstrip("/"), identity))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Sent:
    """What one request carried, in the order of its items (parallel sequences).

    Args:
        wires: wire references.
        amounts: minor units.
        currency: ISO 4217 code or asset.
        exponent: decimals of `currency`.
    """

    wires: Sequence[str]
    amounts: Sequence[int]
    currency: str
    exponent: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply says of the items that were sent, in their order (parallel lists).

    Args:
        verdicts: one per item.
        refs: the provider's id, where it gave one.
        statuses: the provider's own status word.
        codes: the provider's error code, or why the item is unclear.
        strangers: references in the reply that were not sent (an alarm).
    """

    verdicts: list[Verdict]
    refs: list[str | None]
    statuses: list[str | None]
    codes: list[str | None]
    strangers: list[str]


class Connector(Protocol):
    """One platform.

    `encode` gives one JSON body per item; `submission` packs bodies into a request; `read` and
    `read_poll` raise `UnreadableError` where the body is not what the contract says.
    """

    name: str
    encoder: str

    @property
    def capabilities(self) -> Capabilities:
        """What the platform can do."""
        ...

    @property
    def base_url(self) -> str:
        """Where its API begins."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Sent with every request: credentials."""
        ...

    @property
    def account_fingerprint(self) -> str:
        """Which account of ours the credentials stand for, see `fingerprint`.

        Idempotency keys are known per account: with another one, the same key is a new payment.
        """
        ...

    def encode(self, items: pl.DataFrame) -> pl.Series:
        """One JSON body per item; columns are those of `flows.load` (`wire`, `amount_minor` …)."""
        ...

    def submission(self, bodies: Sequence[bytes], key: str) -> Request:
        """The request that pays these bodies; `len(bodies)` is at most `per_request`."""
        ...

    def answer(self, exchange: Exchange) -> Answer:
        """The class of the whole answer to a submission (RELIABILITY §3)."""
        ...

    def read(self, exchange: Exchange, sent: Sent) -> Reading:
        """What a readable answer says of each item."""
        ...

    def poll(self, ref: str) -> Request:
        """The request that reads one payment by the provider's id."""
        ...

    def read_poll(self, exchange: Exchange, sent: Sent) -> Reading:
        """What a readable answer to `poll` says of its one item."""
        ...

    def find(self, wire: str) -> Request:
        """The request that looks for one payment by our own reference.

        Raises:
            InvariantError: the platform cannot (`capabilities.lookup_by_reference`).
        """
        ...

    def read_find(self, exchange: Exchange, sent: Sent) -> Reading | None:
        """What a readable answer to `find` says of its one item; none: it does not have it.

        Two payments of our reference are `Verdict.MISMATCH` with the code `found_twice`.
        """
        ...

    def cancel(self, ref: str) -> Request:
        """The request that asks for one payment to be cancelled; a look decides what it is then.

        Raises:
            InvariantError: the platform cannot (`capabilities.cancel`).
        """
        ...


@dataclass(frozen=True, slots=True)
class Balance:
    """An account that we hold at a provider.

    Args:
        ref: the provider's id of it.
        minor: minor units of `currency`; negative where it is overdrawn.
    """

    ref: str
    name: str
    currency: str
    minor: int


@runtime_checkable
class AccountKeeper(Protocol):
    """A connector whose platform tells the balances of our accounts."""

    def accounts(self) -> Request:
        """The request that lists our accounts."""
        ...

    def read_accounts(self, exchange: Exchange) -> list[Balance]:
        """What a readable answer says; raises `UnreadableError`."""
        ...
