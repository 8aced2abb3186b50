"""Sealed account data: what the vault makes and the database keeps."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Sealed"]


class Sealed(NamedTuple):
    """An encrypted blob: the id of the vault key, the wrapped data key, the body."""

    key_id: str
    data_key: bytes
    body: bytes
