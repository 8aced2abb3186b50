"""Channels: how each platform's webhooks travel, and what a piece of news is.

    platform      proof of origin                                 repeated after          accepted
    orkesta       X-Signature-256, HMAC-SHA256 of the raw body    1 m, 5 m, 30 m, 2 h, 8 h  2xx
    orkestra      Authorization: Basic                            1 m, 5 m, 30 m, 2 h, 8 h  204, 2xx
    orchestrate   X-Orchestrate-Signature, the same kind          1 m, 5 m, 30 m            2xx

The waits are divided by the speed. Only Orkesta switches an endpoint off after the last of them.

>>> hmac_of(b"{}", "sandbox-orkesta-webhook-secret")[:16]
'9855bdb9b6f28390'
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.sandbox.post import Headers
    from payouts.sandbox.settings import Settings

__all__ = ["CHANNELS", "FORGED", "Channel", "News", "hmac_of"]

Prove: TypeAlias = "Callable[[bytes, str, Settings], Headers]"

FORGED: Final = "not-the-secret"


@dataclass(slots=True)
class News:
    """What a platform has to say of one thing at one moment.

    Args:
        type: of the event, as in `payment.settled`.
        document: the body, before any fault.
        reference: the client's own, for whoever wants to match it.
        url: where to send it if not to the platform's endpoint.
    """

    type: str
    document: dict[str, Any]
    reference: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """How one platform's webhooks travel.

    Args:
        prove: gives the headers that prove the origin of a body, made with a secret.
        secret: the right one.
        waits_s: seconds before each repetition, at speed 1.
        disables: the endpoint is switched off after the last repetition.
    """

    prove: Prove
    secret: str
    waits_s: tuple[float, ...] = (60, 300, 1800, 7200, 28800)
    disables: bool = False
    headers: Headers = field(default=(("content-type", "application/json"),))


def hmac_of(body: bytes, secret: str) -> str:
    """Give the hexadecimal HMAC-SHA256 of a body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _orkesta(body: bytes, secret: str, settings: Settings) -> Headers:
    prefix = "" if settings.bare_signature else "sha256="  # A-OKS-6
    return (("x-signature-256", prefix + hmac_of(body, secret)),)


def _orkestra(body: bytes, secret: str, settings: Settings) -> Headers:
    del body, settings
    token = base64.b64encode(f"sandbox-orkestra-hook:{secret}".encode()).decode()
    return (("authorization", f"Basic {token}"),)


def _orchestrate(body: bytes, secret: str, settings: Settings) -> Headers:
    del settings
    return (("x-orchestrate-signature", hmac_of(body, secret)),)  # A-ORT-3


CHANNELS: Final = {
    "orkesta": Channel(_orkesta, "sandbox-orkesta-webhook-secret", disables=True),
    "orkestra": Channel(_orkestra, "sandbox-orkestra-hook-secret"),  # A-ORK-8
    "orchestrate": Channel(
        _orchestrate, "sandbox-orchestrate-webhook-secret", waits_s=(60, 300, 1800)
    ),  # A-ORT-4
}
