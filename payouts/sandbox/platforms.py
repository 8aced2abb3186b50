"""Platforms: what every imitated platform has in common, and how one is plugged into the app.

A platform is a module with a `PLATFORM`, a `Registration`, and a line in `app.PLATFORMS`. What it
is given is a `World`; what faults want of it while it answers is a `Wish`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from payouts.sandbox.books import Books
    from payouts.sandbox.http import Reply, Request
    from payouts.sandbox.settings import Settings

__all__ = ["Platform", "Refuse", "Registration", "Wish", "World", "nested_error", "plain_error"]

Refuse: TypeAlias = Callable[[str | None], str | None]
Document: TypeAlias = dict[str, Any]


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
    """

    refuse: Refuse | None = None


class Platform(Protocol):
    """One imitated platform."""

    def answer(self, request: Request, wish: Wish) -> Reply:
        """Answer a request below the mount; what it did is booked when this returns."""


@dataclass(frozen=True, slots=True)
class Registration:
    """How the app knows a platform.

    Args:
        name: first part of its paths.
        make: makes it; called once.
        error: shapes the document of an error, given code and message.
        references: names of the fields of an item that may hold the client's own reference.
    """

    name: str
    make: Callable[[World], Platform]
    error: Callable[[str, str], Document]
    references: tuple[str, ...]


def plain_error(code: str, message: str) -> Document:
    """Give `{"code", "message"}`."""
    return {"code": code, "message": message}


def nested_error(code: str, message: str) -> Document:
    """Give `{"error": {"code", "message"}}`."""
    return {"error": plain_error(code, message)}
