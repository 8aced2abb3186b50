"""The receiver of a project: built from its parts, listening while `payouts serve` runs."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from payouts import local
from payouts.core.errors import SettingsError
from payouts.web.receiver import Door, make_app
from payouts.web.server import LOOPBACK, bound, serving

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from payouts.wiring import Parts

__all__ = ["doors", "receiving"]

_ANSWERS: Final = {"orkestra": 204}
"""What a platform wants to hear where it is not 200 (ORK-hook)."""

_SAY_EVERY_S = 60.0


def doors(parts: Parts) -> dict[str, Door]:
    """The platforms whose webhooks are taken: those with a secret and a connector."""
    hearings = parts.inbox_order().hearings
    return {
        name: Door(verifier, hearings[name], _ANSWERS.get(name, 200))
        for name, verifier in parts.verifiers().items()
        if name in hearings
    }


@contextmanager
def receiving(parts: Parts, *, said: Callable[[str], None]) -> Iterator[dict[str, str]]:
    """Receive webhooks inside the `with` block; gives the URL of each platform's.

    The project's sandbox is told to send its webhooks here.

    Raises:
        SettingsError: the address cannot be listened on, or must not be.
    """
    web, open_doors = parts.settings.web, doors(parts)
    app = make_app(
        parts.database,
        parts.vault,
        open_doors,
        hosts={*LOOPBACK, web.host, *web.hosts},
        refused=_Refusals(said),
    )
    with serving(app, _socket(parts)) as base:
        urls = {name: f"{base}/webhooks/{name}" for name in open_doors}
        if parts.settings.environment == "sandbox":
            local.set_sandbox(parts.project.state / "sandbox", {"webhooks": urls})
        yield urls


def _socket(parts: Parts) -> socket.socket:
    web = parts.settings.web
    try:
        return bound(web.host, web.port, openly=web.open)
    except SettingsError:
        if parts.settings.environment != "sandbox" or web.port == 0:
            raise
        # Several sandbox projects on one machine want no settings to get along.
        return bound(web.host, 0, openly=web.open)


class _Refusals:
    """Says now and then that a platform's webhooks are refused: mostly a secret that is wrong."""

    def __init__(self, said: Callable[[str], None]) -> None:
        self._said = said
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._last: dict[str, float] = {}

    def __call__(self, provider: str) -> None:
        """Count one; a forger who sends a million makes one line a minute."""
        with self._lock:
            count = self._counts[provider] = self._counts.get(provider, 0) + 1
            now = time.monotonic()
            if now - self._last.get(provider, now - _SAY_EVERY_S) < _SAY_EVERY_S:
                return
            self._last[provider] = now
        self._said(
            f"! {count} webhook{'s' if count > 1 else ''} for {provider} refused: no active secret"
            " signed them. If the platform sent them, check its secret in the settings."
        )
