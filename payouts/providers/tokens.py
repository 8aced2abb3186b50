"""StringTokens: short texts that Orchestra keeps for us, and gives back for their token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from payouts.core.errors import VaultAwayError
from payouts.providers import strict
from payouts.providers.orchestra import GONE, OK, readable

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.providers.client import Exchange, Permit, Request
    from payouts.providers.orchestra import Orchestra

__all__ = ["StringTokens"]

_CREATED: Final = frozenset({200, 201})


class StringTokens:
    """Texts that are kept at Orchestra, one call each and waited for.

    Storing, reading and deleting move no money, so each is tried again after any failure; a text
    that was stored twice leaves a token that nobody knows (A-ORC-3).

    Args:
        send: one request and what came of it.
        tries: calls before the platform counts as away.
    """

    def __init__(
        self,
        platform: Orchestra,
        send: Callable[[Request, Permit | None], Exchange],
        *,
        tries: int = 2,
    ) -> None:
        self._platform = platform
        self._send = send
        self._tries = tries

    def __repr__(self) -> str:
        return f"StringTokens({self._platform!r})"

    def keep(self, payload: str) -> str:
        """Store a text; returns its token.

        Raises:
            VaultAwayError: no answer, or none that can be read.
        """
        exchange = self._asked(self._platform.keep(payload))
        found = readable(exchange) if exchange.status in _CREATED else {}
        token = strict.ident(found.get("token"))
        if token is None:
            raise self._away(f"storing a key was answered by {exchange.status}")
        return token

    def reveal(self, token: str) -> str | None:
        """The text of a token; none where it was deleted or never was.

        Raises:
            VaultAwayError: no answer, or none that can be read.
        """
        exchange = self._asked(self._platform.reveal(token))
        if exchange.status == GONE:
            return None
        found = readable(exchange) if exchange.status == OK else {}
        text = found.get("clearPayload", found.get("payload"))  # PROVIDERS 3.6: both
        if not isinstance(text, str):
            raise self._away(f"reading a key was answered by {exchange.status}")
        return text

    def forget(self, token: str) -> bool:
        """Delete a token for good; false where it is gone already.

        Raises:
            VaultAwayError: no answer, or none that says so.
        """
        exchange = self._asked(self._platform.forget(token))
        if exchange.status not in {OK, GONE}:
            raise self._away(f"deleting a key was answered by {exchange.status}")
        return exchange.status == OK

    def _asked(self, request: Request) -> Exchange:
        exchange = self._send(request, None)
        for _ in range(self._tries - 1):
            if exchange.failure is None and exchange.status < 500 and exchange.status != 429:  # noqa: PLR2004  both may pass (A-ALL-1)
                break
            exchange = self._send(request, None)
        if exchange.failure is not None:
            raise self._away(f"it does not answer ({exchange.failure})")
        return exchange

    def _away(self, why: str) -> VaultAwayError:
        return VaultAwayError(
            f"Orchestra keeps the keys of the account data, and {why}",
            hint="Nothing was sent. Check the network and [orchestra]; `payouts doctor` asks it.",
        )
