"""What can be switched about the sandbox, at the start and later through `/_control/settings`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, Final

from payouts.sandbox.channels import CHANNELS
from payouts.sandbox.life import speed_of
from payouts.sandbox.post import is_url

__all__ = ["Settings"]

_SWITCH: Final = (False, True)
_CHOICES: Final[dict[str, tuple[str | bool | None, ...]]] = {
    "wording": ("settled", "completed"),
    "collected": ("completed", "succeeded"),
    "link": ("payment_link", "next_action"),
    "envelope": ("id", "api_version"),
    "payload_name": ("clearPayload", "payload"),
    "wrapped": _SWITCH,
    "approval": _SWITCH,
    "magic": _SWITCH,
    "prefunded": _SWITCH,
    "bare_signature": _SWITCH,
    "amount_text": _SWITCH,
    "empty_401": _SWITCH,
    "key_life_s": (None,),
    "reconcile_s": (None,),
}
_LEAST: Final = {"key_life_s": 0, "reconcile_s": 0, "webhook_deadline_s": 0.001}


@dataclass(slots=True)
class Settings:
    """The switches and their defaults.

    Args:
        speed: how many times faster than usual a payment lives; None: it is done in the reply.
        wording: the word of Orkesta for a paid payment, `settled` or `completed`.
        wrapped: Orkesta's batches travel as `{"payments": […]}` and `{"results": […]}`.
        approval: Orkesta's payments wait for an approver, who comes by `/_control/release`.
        reconcile_s: Orkesta's payments are reconciled so long after they are settled, divided by
            the speed; None is never.
        magic: magic accounts misbehave (see `magic`).
        key_life_s: how long Orkestra remembers a referenceId; None is for ever.
        prefunded: Orkestra pays out only what orders in the same currency have brought in.
        webhooks: where the webhooks of each platform go; platforms without an address send none.
        webhook_deadline_s: how long a webhook waits for its answer.
        bare_signature: Orkesta's signature comes without `sha256=` (A-OKS-6).
        collected: the word of Orchestrate for a paid payment, `completed` or `succeeded`.
        amount_text: Orchestrate shows amounts as text, else as numbers.
        link: where Orchestrate shows the link, `payment_link` or `next_action`.
        envelope: what stands in Orchestrate's webhooks beside type and payload, `id` or `api_version`.
        payload_name: where Orchestra shows what a token stands for, `clearPayload` or `payload`.
        empty_401: Orchestra refuses a key without a body (A-ORC-4).
    """

    speed: float | None = 1.0
    wording: str = "settled"
    wrapped: bool = False
    approval: bool = False
    magic: bool = True
    key_life_s: float | None = None
    reconcile_s: float | None = None
    prefunded: bool = False
    webhooks: dict[str, str] = field(default_factory=dict)
    webhook_deadline_s: float = 10.0
    bare_signature: bool = False
    collected: str = "completed"
    amount_text: bool = True
    link: str = "payment_link"
    envelope: str = "id"
    payload_name: str = "clearPayload"
    empty_401: bool = False

    def change(self, wanted: object) -> None:
        """Take changes as JSON gives them; `speed` also as the text `instant`.

        Raises:
            ValueError: a name or a value that makes no sense; then nothing has changed.
        """
        if not isinstance(wanted, dict):
            raise ValueError("settings are an object")  # noqa: TRY004  one error for the caller
        checked = {name: _checked(name, value) for name, value in wanted.items()}
        if "webhooks" in checked:
            wanted_urls = {**self.webhooks, **checked["webhooks"]}
            checked["webhooks"] = {name: url for name, url in wanted_urls.items() if url}
        for name, value in checked.items():
            setattr(self, name, value)

    def shown(self) -> dict[str, Any]:
        """Give the settings as JSON can carry them."""
        shown = {item.name: getattr(self, item.name) for item in fields(self)}
        shown["speed"] = "instant" if self.speed is None else self.speed
        return shown


def _checked(name: object, value: object) -> Any:  # noqa: ANN401  as the field has it
    match name, value:
        case "speed", str() | int() | float():
            return speed_of(str(value))
        case str(), str() | bool() | None if value in _CHOICES.get(name, ()):
            return value
        case str(), int() | float() if value >= _LEAST.get(name, math.inf):
            return float(value)
        case "webhooks", dict() if all(
            known in CHANNELS and (url is None or is_url(url)) for known, url in value.items()
        ):
            return value
        case _:
            raise ValueError(f"{name!r} cannot be {value!r}")
