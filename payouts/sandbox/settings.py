"""What can be switched about the sandbox, at the start and later through `/_control/settings`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from payouts.sandbox.life import speed_of

__all__ = ["Settings"]

_WORDS: Final = {
    "wording": ("settled", "completed"),
    "collected": ("completed", "succeeded"),
    "link": ("payment_link", "next_action"),
    "payload_name": ("clearPayload", "payload"),
}


@dataclass(slots=True)
class Settings:
    """The switches and their defaults.

    Args:
        speed: how many times faster than usual a payment lives; None: it is done in the reply.
        wording: the word of Orkesta for a paid payment, `settled` or `completed`.
        wrapped: Orkesta's batches travel as `{"payments": […]}` and `{"results": […]}`.
        approval: Orkesta's payments wait for an approver, who comes by `/_control/release`.
        magic: magic accounts misbehave (see `magic`).
        key_life_s: how long Orkestra remembers a referenceId; None is for ever.
        collected: the word of Orchestrate for a paid payment, `completed` or `succeeded`.
        amount_text: Orchestrate shows amounts as text, else as numbers.
        link: where Orchestrate shows the link, `payment_link` or `next_action`.
        payload_name: where Orchestra shows what a token stands for, `clearPayload` or `payload`.
        empty_401: Orchestra refuses a key without a body (A-ORC-4).
    """

    speed: float | None = 1.0
    wording: str = "settled"
    wrapped: bool = False
    approval: bool = False
    magic: bool = True
    key_life_s: float | None = None
    collected: str = "completed"
    amount_text: bool = True
    link: str = "payment_link"
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
        for name, value in checked.items():
            setattr(self, name, value)

    def shown(self) -> dict[str, Any]:
        """Give the settings as JSON can carry them."""
        shown = {item.name: getattr(self, item.name) for item in fields(self)}
        shown["speed"] = "instant" if self.speed is None else self.speed
        return shown


def _checked(name: object, value: object) -> float | bool | str | None:
    match name, value:
        case "speed", str() | int() | float():
            return speed_of(str(value))
        case str(), str() if value in _WORDS.get(name, ()):
            return value
        case "wrapped" | "approval" | "magic" | "amount_text" | "empty_401", bool():
            return bool(value)
        case "key_life_s", None:
            return None
        case "key_life_s", int() | float() if value >= 0:
            return float(value)
    raise ValueError(f"{name!r} cannot be {value!r}")
