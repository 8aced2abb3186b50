"""Steering the sandbox of a world over its control port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from tests.flows.conftest import World

__all__ = ["control"]


def control(world: World, path: str, document: object | None = None) -> Any:  # noqa: ANN401  JSON
    """Ask (without a document) or tell the sandbox something."""
    base = (world.folder / ".payouts" / "sandbox" / "control").read_text().strip()
    url = f"{base}/_control/{path}"
    reply = httpx.get(url) if document is None else httpx.post(url, json=document)
    return reply.raise_for_status().json()
