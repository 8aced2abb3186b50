"""Calls: one request at a time, for callers that are not asynchronous.

A vault that reads a key, a person who asks for a payment link: few calls, each waited for. What
carries many requests works with `Client` itself.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from payouts.providers.client import Client, Exchange, Permit, Request, Timeouts

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Calls"]


class Calls:
    """Sends requests to one provider and waits for each.

    Args:
        base_url: where the provider's API begins.
        headers: sent with every request (credentials).
    """

    def __init__(
        self, base_url: str, headers: Mapping[str, str], timeouts: Timeouts | None = None
    ) -> None:
        self.base_url = base_url
        self._headers = dict(headers)
        self._timeouts = timeouts

    def __repr__(self) -> str:
        return f"Calls({self.base_url!r})"

    def __call__(self, request: Request, permit: Permit | None = None) -> Exchange:
        """One request and what came of it.

        Raises:
            InvariantError: a money-moving request without a permit (P4); nothing was sent.
        """
        # In a thread of its own, so that it also works where a loop is running already.
        with ThreadPoolExecutor(1, "payouts-call") as pool:
            return pool.submit(asyncio.run, self._sent(request, permit)).result()

    async def _sent(self, request: Request, permit: Permit | None) -> Exchange:
        async with Client(
            self.base_url, headers=self._headers, connections=1, timeouts=self._timeouts
        ) as client:
            return await client.send(request, permit)
