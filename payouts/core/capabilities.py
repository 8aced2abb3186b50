"""What a connector's provider can do; the engine derives the safe behaviour from it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Capabilities"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Facts of one provider, each with its source in the connector's module.

    Args:
        batch_max: items of one batch of ours.
        per_request: items in one request; 1 for a provider of single payouts.
        idempotent: the same key with the same bytes has at most one effect.
        key_life_s: how long the key is remembered.
        lookup_by_reference: an item can be found by our own reference.
        poll_by_id: an item can be read by the provider's id.
        cancel: an item can be cancelled before it is executed.
        concurrency: requests of one lane in flight.
        at_risk_max: items that a crash may leave unclear at once; 0 means no cap.
        binds_rejections: a rejection under a key holds for all attempts under it, so that it is
            final also after an unclear one.
    """

    batch_max: int
    per_request: int
    idempotent: bool
    key_life_s: float
    lookup_by_reference: bool
    poll_by_id: bool
    cancel: bool
    concurrency: int
    at_risk_max: int = 0
    binds_rejections: bool = False

    @property
    def level(self) -> str:
        """The capability level of RELIABILITY §1 that these facts amount to."""
        if self.idempotent and self.lookup_by_reference:
            return "C3" if self.binds_rejections else "C2"
        return "C1" if self.idempotent or self.lookup_by_reference else "C0"
