"""The course that a request takes, before anything has happened, and what a recipe of it is."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from payouts.sandbox.http import Reply, Wire
from payouts.sandbox.platforms import Mark, Refuse, Wish, plain_error

__all__ = ["Course", "Item", "Moment", "Options", "Recipe"]

Options: TypeAlias = Mapping[str, Any]
Moment: TypeAlias = Literal["connect", "head", "request", "webhook", "statement"]
Item: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Course:
    """What will be done with one request; recipes edit it before anything has happened.

    Args:
        error: shapes an error document as the platform at hand does.
        dice: chance that follows from seed and content.
        wait_before_s: seconds before the effect.
        instead: this is answered and nothing is done.
        effect_later_s: with `instead`: the effect happens all the same, so long after the answer.
        refuse: gives a code for a reference whose item is to be refused, None for others.
        mark: gives what is added to the effect of a reference (see `platforms.Wish`).
        ago_s: look-ups see the platform as it was so long ago.
        forget: a key that was used before is not recognised.
        edits: applied to the reply, in order.
        wait_after_s: seconds between the effect and the reply.
        webhooks_first_s: seconds that the reply waits at most for the webhooks that are due.
        wire: how the reply travels.
        shut_s: the server accepts no connection for so long from now.
    """

    error: Callable[[str, str], Item] = plain_error
    dice: random.Random = field(default_factory=random.Random)
    wait_before_s: float = 0.0
    instead: Reply | None = None
    effect_later_s: float | None = None
    refuse: Refuse | None = None
    mark: Mark | None = None
    ago_s: float = 0.0
    forget: bool = False
    edits: list[Callable[[Reply], Reply]] = field(default_factory=list)
    wait_after_s: float = 0.0
    webhooks_first_s: float = 0.0
    wire: Wire = field(default_factory=Wire)
    shut_s: float = 0.0

    def wish(self) -> Wish:
        """Give what concerns the platform."""
        return Wish(self.refuse, self.mark, self.ago_s, self.forget)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One kind of fault.

    Args:
        does: edits the course; gets the rule's options, completed by the defaults.
        says: one sentence for the table.
        options: the options it takes, with their defaults.
        moment: when it strikes: as soon as a connection is made, when the headers are read, or
            when the request is complete. A rule with a route or a reference can make it later.
    """

    does: Callable[[Course, Options], None]
    says: str
    options: Options = field(default_factory=dict)
    moment: Moment = "request"
