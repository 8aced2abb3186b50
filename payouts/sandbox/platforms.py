"""Platforms: what every imitated platform has in common, and how one is plugged into the app.

A platform is a module with a `PLATFORM`, a `Registration`, and a line in `app.PLATFORMS`. What it
is given is a `World`; what faults want of it while it answers is a `Wish`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from payouts.sandbox import life

if TYPE_CHECKING:
    from payouts.sandbox.books import Books, Entry
    from payouts.sandbox.http import Reply, Request
    from payouts.sandbox.settings import Settings

__all__ = [
    "Mark",
    "Platform",
    "Refuse",
    "Registration",
    "Wish",
    "World",
    "foretell",
    "nested_error",
    "plain_error",
]

Refuse: TypeAlias = Callable[[str | None], str | None]
Document: TypeAlias = dict[str, Any]
Mark: TypeAlias = Callable[[str | None], Document]

_ODD: Final = frozenset({"failed", "held"})


@dataclass(frozen=True, slots=True)
class World:
    """What a platform lives on.

    Args:
        clock: seconds since 1970.
    """

    books: Books
    settings: Settings
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Wish:
    """What faults want of a platform while it answers one request.

    Args:
        refuse: gives a code for a reference whose item is to be refused, None for others.
        mark: gives what is added to the effect of a reference: `mute` ("hooks", "lookups" or
            "both": nobody is told of it) and `returns` (see `returns`).
        ago_s: what is only read is read as it was so long ago.
        forget: a reference that was used before is not recognised.
    """

    refuse: Refuse | None = None
    mark: Mark | None = None
    ago_s: float = 0.0
    forget: bool = False


class Platform(Protocol):
    """One imitated platform."""

    def answer(self, request: Request, wish: Wish) -> Reply:
        """Answer a request below the mount; what it did is booked when this returns.

        A platform that sends webhooks is a `webhooks.Teller` too, by its registration's `tells`.
        """


@dataclass(frozen=True, slots=True)
class Registration:
    """How the app knows a platform.

    Args:
        name: first part of its paths.
        make: makes it; called once.
        error: shapes the document of an error, given code and message.
        references: names of the fields of an item that may hold the client's own reference.
        tells: it sends webhooks: it has a channel in `channels` and is a `webhooks.Teller`.
    """

    name: str
    make: Callable[[World], Platform]
    error: Callable[[str, str], Document]
    references: tuple[str, ...]
    tells: bool = False


def foretell(entry: Entry) -> None:
    """Note in a line what its unusual payments will lead to, so that the books need not look.

    They are rare, and a batch of ordinary ones must not pay for them.
    """
    odd = [one for one in entry["effects"] if one["fate"] in _ODD or "returns" in one]
    if not odd:
        return
    held = [effect["effect"] for effect in odd if effect["fate"] == "held"]
    if held:
        entry["held"] = held
    if any("returns" in effect for effect in odd):
        entry["returns"] = True
    failed = [one for one in odd if one["fate"] == "failed" and "from" in one]
    if failed:
        entry["comes_back"] = [
            [_done_at(one, entry), one["from"], one["amount_minor"]] for one in failed
        ]


def _done_at(effect: Entry, entry: Entry) -> float:
    seed: str = effect["reference"] or effect["effect"]
    return float(entry["at"]) + life.done_after(effect["fate"], seed, speed=entry["speed"])


def plain_error(code: str, message: str) -> Document:
    """Give `{"code", "message"}`."""
    return {"code": code, "message": message}


def nested_error(code: str, message: str) -> Document:
    """Give `{"error": {"code", "message"}}`."""
    return {"error": plain_error(code, message)}
