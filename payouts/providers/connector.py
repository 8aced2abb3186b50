"""What a connector is: facts, an encoder, requests, and a reader of replies. It holds no policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from payouts.core.capabilities import Capabilities
    from payouts.core.outcomes import Answer, Verdict
    from payouts.providers.client import Exchange, Request

__all__ = ["AccountKeeper", "Balance", "Connector", "Reading", "Sent"]


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
