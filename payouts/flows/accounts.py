"""What our accounts at the platforms hold, beside what our ledger says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from payouts.core.outcomes import Answer
from payouts.providers.client import Client
from payouts.providers.connector import AccountKeeper
from payouts.providers.strict import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from payouts.providers.client import Exchange, Timeouts
    from payouts.providers.connector import Balance, Connector

__all__ = ["Asked", "ask"]

_DENIED = {
    401: "the platform does not accept our key",
    403: "our key may not read accounts: it needs the scope read-only or more, and this machine's"
    " address must be allowed",
    429: "the platform asks to slow down; try again later",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What one platform said.

    Args:
        balances: of our accounts there, none where it did not tell.
        trouble: why it did not; empty where it did.
    """

    provider: str
    balances: tuple[Balance, ...] = ()
    trouble: str = ""


def ask(connectors: Mapping[str, Connector], *, timeouts: Timeouts) -> list[Asked]:
    """Ask every platform that tells balances; the others lack."""

    async def every() -> list[Asked]:
        asked = [
            _ask(name, one, timeouts)
            for name, one in sorted(connectors.items())
            if isinstance(one, AccountKeeper)
        ]
        return list(await asyncio.gather(*asked))

    return asyncio.run(every())


async def _ask(name: str, connector: Connector, timeouts: Timeouts) -> Asked:
    keeper = connector
    if not isinstance(keeper, AccountKeeper):
        return Asked(name)
    async with Client(
        connector.base_url, headers=connector.headers, connections=1, timeouts=timeouts
    ) as client:
        exchange = await client.send(keeper.accounts())
    if connector.answer(exchange) is not Answer.READABLE:
        return Asked(name, trouble=_why(exchange))
    try:
        return Asked(name, tuple(keeper.read_accounts(exchange)))
    except UnreadableError as error:
        return Asked(name, trouble=f"its answer cannot be read: {error}")


def _why(exchange: Exchange) -> str:
    if exchange.failure is not None:
        return f"it could not be asked: {exchange.failure}"
    return _DENIED.get(exchange.status, f"it answered {exchange.status}")
