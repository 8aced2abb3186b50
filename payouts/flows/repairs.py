"""Reject files that a person may have repaired already: their work is never written over.

A reject file is there to be edited. Writing a report again must not put the bad lines back over
the good ones, so each machine result remembers the reject file that it came with.
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
    """Write a reject file, unless ours of the same lines lies there, repaired or not.

    Args:
        path: where it goes.
        ours: SHA-256 of the file that we wrote there before for the same lines, where we know it:
            it says more than one that is made later (a sum is known to the load alone), and where
            its content is another by now, a person has repaired it. A file that differs and that
            we know nothing of is left alone as well: ours gets a number then.

    Returns:
        The file that names these lines; none where there are none.
    """
    if ours is not None and path.exists():
        return Rejects(path, ours)
    fresh = path.with_name(f"{path.name}.new")
    if not write_rejects(survey, problems, fresh):
        return None
    made = _sha256(fresh)
    place = path
    if path.exists() and _sha256(path) != made:
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
