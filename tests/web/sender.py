"""What the platforms do: bodies, signatures, and a POST over a real socket."""

from __future__ import annotations

import hmac
import http.client
import json
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from payouts.providers.signatures import BasicUsers, HmacHeader

if TYPE_CHECKING:
    from payouts.providers.signatures import Verifier

__all__ = ["SECRET", "USER", "VERIFIERS", "Sender", "orkesta_event", "orkestra_note", "signed"]

SECRET, USER = "an orkesta secret", "hook:an orkestra password"
VERIFIERS: dict[str, Verifier] = {
    "orkesta": HmacHeader("X-Signature-256", ["an older secret", SECRET]),
    "orkestra": BasicUsers([USER]),
}


def orkesta_event(
    number: int,
    step: str,
    payment: str | None,
    wire: str | None = None,
    *,
    amount: object = 1050,
    currency: str = "TRY",
    **changes: Any,  # noqa: ANN401  members of the payment
) -> bytes:
    """An event of Orkesta (A-OKS-7)."""
    status = "pending" if step == "created" else step
    data = {
        "id": payment,
        "status": status,
        "created_at": "2026-11-20T09:14:33Z",
        "amount": amount,
        "currency": currency,
        "reference": wire,
        **changes,
    }
    event = {"id": f"evt_{number}", "type": f"payment.{step}", "data": data}
    return json.dumps(event).encode()


def orkestra_note(
    payment: int, status: str, wire: str | None, *, amount: str = "10.50", currency: str = "EUR"
) -> bytes:
    """A notification of Orkestra (A-ORK-4); the amount as a JSON number with its digits."""
    note = {"id": payment, "referenceId": wire, "amount": "@", "currency": currency}
    return json.dumps({**note, "status": status}).replace('"@"', amount).encode()


def signed(provider: str, raw: bytes) -> dict[str, str]:
    """The header that proves where a body comes from."""
    if provider == "orkestra":
        return {"Authorization": f"Basic {b64encode(USER.encode()).decode()}"}
    digest = hmac.digest(SECRET.encode(), raw, "sha256").hex()
    return {"X-Signature-256": f"sha256={digest}"}


@dataclass(frozen=True, slots=True)
class Sender:
    """Posts to a receiver."""

    base: str

    def post(
        self,
        provider: str,
        raw: bytes,
        headers: dict[str, str] | None = None,
        *,
        method: str = "POST",
        path: str | None = None,
    ) -> tuple[int, bytes]:
        """Status and body of the answer; signed rightly unless headers are given."""
        where = urlsplit(self.base)
        line = http.client.HTTPConnection(where.hostname or "", where.port, timeout=20)
        try:
            wanted = signed(provider, raw) if headers is None else headers
            line.request(method, path or f"/webhooks/{provider}", raw or None, wanted)
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()

    def sends(self, provider: str, *bodies: bytes) -> list[int]:
        """Post bodies, rightly signed."""
        return [self.post(provider, raw)[0] for raw in bodies]
