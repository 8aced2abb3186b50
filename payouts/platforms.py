"""The platforms of a project: connectors from its settings, in the sandbox at the sandbox's address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payouts.core.errors import SettingsError
from payouts.flows.keycheck import check_orchestra, check_orchestrate
from payouts.providers.calls import Calls
from payouts.providers.client import Timeouts
from payouts.providers.orchestra import Orchestra
from payouts.providers.orchestrate import Orchestrate
from payouts.providers.orkesta import Orkesta
from payouts.providers.orkestra import Orkestra
from payouts.providers.tokens import StringTokens
from payouts.vault import Vault

if TYPE_CHECKING:
    from payouts.flows.keycheck import Checked
    from payouts.providers.connector import Connector
    from payouts.settings import Settings

__all__ = ["checked_keys", "collector", "keeper", "payers", "vault_of"]

_SANDBOX_ACCOUNTS = {
    "TRY": "acc_01hx3k9qze4p7vb2ntcm6d8faj",
    "USD": "acc_01hx3kd2w8t6q0v4s7n1m5r9zb",
    "EUR": "acc_01hx3kf5y1c9j3x8p2h6k4g7te",
    "GBP": "acc_01hx3kh8a4d2m6z1r5w9q7n3vc",
}
_QUICK = Timeouts(read=5.0, overall=8.0)  # a lane holds its batches while a key is read


def payers(settings: Settings, sandbox: str | None) -> dict[str, Connector]:
    """The connectors that have credentials; in the sandbox all of them, at its address."""
    orkesta, orkestra = settings.orkesta, settings.orkestra
    made: dict[str, Connector] = {}
    if settings.environment == "sandbox":
        base = sandbox or "http://127.0.0.1:9"
        made["orkesta"] = Orkesta(
            f"{base}/orkesta/v1",
            api_key="sandbox-orkesta-rw",
            from_accounts=_SANDBOX_ACCOUNTS,
            concurrency=orkesta.concurrency,
        )
        made["orkestra"] = Orkestra(
            f"{base}/orkestra",
            key_id="sandbox-orkestra",
            secret="sandbox-orkestra-secret",  # noqa: S106  the imitation's own, printed in its docs
            concurrency=orkestra.concurrency,
            key_life_s=orkestra.key_life_h * 3600,
        )
        return made
    if orkesta.api_key is not None:
        made["orkesta"] = Orkesta(
            orkesta.base_url,
            api_key=orkesta.api_key.get_secret_value(),
            from_accounts=orkesta.from_accounts,
            concurrency=orkesta.concurrency,
        )
    if orkestra.key_id is not None and orkestra.secret is not None:
        made["orkestra"] = Orkestra(
            orkestra.base_url,
            key_id=orkestra.key_id,
            secret=orkestra.secret.get_secret_value(),
            concurrency=orkestra.concurrency,
            key_life_s=orkestra.key_life_h * 3600,
        )
    return made


def collector(settings: Settings, sandbox: str | None) -> Orchestrate | None:
    """The platform that collects, if it has a key; in the sandbox always, at its address."""
    if settings.environment == "sandbox":
        base = sandbox or "http://127.0.0.1:9"
        return Orchestrate(f"{base}/orchestrate", api_key="sandbox-orchestrate")
    key = settings.orchestrate.api_key
    if key is None:
        return None
    return Orchestrate(settings.orchestrate.base_url, api_key=key.get_secret_value())


def keeper(settings: Settings, sandbox: str | None) -> Orchestra | None:
    """The platform that keeps secrets, if it has a key; in the sandbox always, at its address."""
    if settings.environment == "sandbox":
        base = sandbox or "http://127.0.0.1:9"
        return Orchestra(f"{base}/orchestra", api_key="sandbox-orchestra")
    key = settings.orchestra.api_key
    if key is None:
        return None
    return Orchestra(settings.orchestra.base_url, api_key=key.get_secret_value())


def vault_of(settings: Settings, key: bytes, orchestra: Orchestra | None) -> Vault:
    """The vault; blobs that need a key of Orchestra's open also after `vault` is set back.

    Raises:
        SettingsError: Orchestra is to keep keys, and has no API key.
    """
    if orchestra is None and settings.vault == "orchestra":
        raise SettingsError(
            "vault is orchestra, but Orchestra has no API key",
            hint='Set api_key under [orchestra], or vault = "local".',
        )
    if orchestra is None:
        return Vault(key)
    calls = Calls(orchestra.base_url, orchestra.headers, _QUICK)
    keys = StringTokens(orchestra, calls)
    return Vault(key, keys=keys, shared=settings.vault == "orchestra")


def checked_keys(
    orchestra: Orchestra | None, orchestrate: Orchestrate | None, *, sandbox: bool
) -> dict[str, Checked]:
    """Whether the keys that are given are known at these two platforms; nothing is moved."""
    found = {}
    if orchestra is not None:
        send = Calls(orchestra.base_url, orchestra.headers, _QUICK)
        found["orchestra"] = check_orchestra(orchestra, send, sandbox=sandbox)
    if orchestrate is not None:
        send = Calls(orchestrate.base_url, orchestrate.headers, _QUICK)
        found["orchestrate"] = check_orchestrate(orchestrate, send)
    return found
