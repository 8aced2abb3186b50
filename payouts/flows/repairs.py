"""Reject files that a person may have repaired already: their work is never written over.

A reject file is there to be edited. Writing a report again must not put the bad lines back over
the good ones, so each machine result keeps the hash of the reject file as it was written.
"""

from __future__ import annotations

import hashlib
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from payouts.intake.rejects import write_rejects

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from payouts.intake.survey import Survey

__all__ = ["Rejects", "write_beside"]


class Rejects(NamedTuple):
    """A reject file, and the SHA-256 of what we have to say (not of what a person made of it)."""

    path: Path
    sha256: str


def write_beside(
    survey: Survey, problems: pl.DataFrame, path: Path, *, ours: str | None = None
) -> Rejects | None:
    """Write a reject file, unless one that a person has changed lies there.

    Args:
        path: where it goes.
        ours: SHA-256 of the file that we wrote there before for the same lines, where we know it.
            A file with another content is a person's repair and stays; where nothing is known of
            a file that differs, ours gets a number.

    Returns:
        The file that names these lines; none where there are none.
    """
    fresh = path.with_name(f"{path.name}.new")
    if not write_rejects(survey, problems, fresh):
        return None
    made = _sha256(fresh)
    place = path
    if path.exists() and _sha256(path) not in {ours, made}:
        if ours is not None:
            fresh.unlink()
            return Rejects(path, made)
        place = _numbered(path, made)
    fresh.replace(place)
    return Rejects(place, made)


def _numbered(path: Path, sha256: str) -> Path:
    """The first name behind this one that is free, or holds the same."""
    for number in count(2):
        place = path.with_name(f"{path.stem}.{number}{path.suffix}")
        if not place.exists() or _sha256(place) == sha256:
            return place
    raise AssertionError("numbers do not end")  # pragma: no cover


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
