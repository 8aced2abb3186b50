"""Whether the keys of platforms that pay nobody out are known there: asked, nothing is moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from payouts.core.outcomes import Answer
from payouts.providers.strict import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.providers.client import Exchange, Permit, Request
    from payouts.providers.orchestra import Orchestra
    from payouts.providers.orchestrate import Orchestrate

__all__ = ["Checked", "check_orchestra", "check_orchestrate"]

_AWAY = "It cannot be reached from here: check the network and base_url."
_REFUSED = "Set api_key to a key of {}, and see that nobody revoked it."


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found.

    Args:
        holds: the key is known and fits this environment.
        words: what was found.
        hint: what to do where it does not hold.
    """

    holds: bool
    words: str
    hint: str = ""


def check_orchestra(
    platform: Orchestra,
    send: Callable[[Request, Permit | None], Exchange],
    *,
    sandbox: bool,
) -> Checked:
    """Ask whose key it is; a key of the other environment does not fit.

    Args:
        sandbox: this project is the sandbox.
    """
    exchange = send(platform.check_key(), None)
    if exchange.failure is not None:
        return Checked(holds=False, words=f"no answer ({exchange.failure})", hint=_AWAY)
    try:
        whose = platform.read_key(exchange)
    except UnreadableError as error:
        return Checked(holds=False, words=f"{exchange.status}: {error}", hint=_AWAY)
    if whose is None:
        return Checked(
            holds=False, words="the key is refused", hint=_REFUSED.format("the Orchestra portal")
        )
    kind = "sandbox" if whose.sandbox else "live"
    return Checked(
        holds=whose.sandbox is sandbox,
        words=f"key of {whose.name}, account {whose.account}, {kind}",
        hint=f"This project is {'the sandbox' if sandbox else 'live'}: give a key of that kind.",
    )


def check_orchestrate(
    platform: Orchestrate, send: Callable[[Request, Permit | None], Exchange]
) -> Checked:
    """Ask for one payment of the list, which needs the key and changes nothing."""
    exchange = send(platform.listing(1, per_page=1), None)
    if exchange.failure is not None:
        return Checked(holds=False, words=f"no answer ({exchange.failure})", hint=_AWAY)
    if platform.answer(exchange) is Answer.CONFIGURATION:
        hint = _REFUSED.format("Developer » API Keys")
        return Checked(holds=False, words=f"the key is refused ({exchange.status})", hint=hint)
    try:
        platform.read_page(exchange)
    except UnreadableError as error:
        return Checked(holds=False, words=f"{exchange.status}: {error}", hint=_AWAY)
    return Checked(holds=True, words="the key is known; payment links can be made")
