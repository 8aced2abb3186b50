"""Ways: named pieces of work that are measured, each in a fresh process of its own.

A way does its preparations, then times only the part that counts, checks what came of it, and
returns `{"seconds": …, "items": …}` with whatever else it has seen. `python -m
tests.benchmarks.ways NAME` reads a `Place` as JSON from stdin and prints that as one JSON line.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MODULES", "WAYS", "Clock", "Facts", "Place", "Way", "require", "way"]

Facts: TypeAlias = "dict[str, Any]"

MODULES: Final = (
    "reading",
    "storing",
    "recording",
    "floor",
    "flow",
    "script",
    "calls",
    "command",
    "shape",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a way works.

    Args:
        folder: with the data files; `own` is empty and the way's alone.
        lines: of the data files.
        database: libpq keywords of a database of its own; empty where it needs none.
    """

    folder: Path
    own: Path
    lines: int
    database: dict[str, str] = field(default_factory=dict)

    @property
    def turkish(self) -> Path:
        """The file of the whole flow."""
        return self.folder / f"turkish_{self.lines}.csv"

    @property
    def failing(self) -> Path:
        """The file of the whole flow in which 1 % of the payments fail."""
        return self.folder / f"failing_{self.lines}.csv"

    @property
    def mixed(self) -> Path:
        """The file of many countries."""
        return self.folder / f"mixed_{self.lines}.csv"

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def read(cls, text: str) -> Place:
        """From JSON."""
        values = json.loads(text)
        return cls(Path(values["folder"]), Path(values["own"]), values["lines"], values["database"])


@dataclass(frozen=True, slots=True)
class Way:
    """A named piece of work; `database` is what it needs: none, an empty or a migrated one."""

    name: str
    work: Callable[[Place], Facts]
    database: str = ""


WAYS: Final[dict[str, Way]] = {}


def way(
    name: str, *, database: str = ""
) -> Callable[[Callable[[Place], Facts]], Callable[[Place], Facts]]:
    """Register a function as a way."""

    def registered(work: Callable[[Place], Facts]) -> Callable[[Place], Facts]:
        WAYS[name] = Way(name, work, database)
        return work

    return registered


@dataclass(slots=True)
class Clock:
    """Seconds that were spent, all in all and by part."""

    parts: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add the seconds of the block to a part."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.parts[name] = self.parts.get(name, 0.0) + time.perf_counter() - begun

    @property
    def seconds(self) -> float:
        """Of all parts."""
        return sum(self.parts.values())


def require(name: str, found: object, expected: object) -> None:
    """End the measurement where its result is not what it has to be."""
    if found != expected:
        raise AssertionError(f"{name}: {found!r}, expected {expected!r}")


def registered() -> dict[str, Way]:
    """All ways, with the modules that bring them imported."""
    for module in MODULES:
        import_module(f"tests.benchmarks.{module}")
    return WAYS


def main() -> None:
    """Do one way and print its facts."""
    # Through the module's real name: what runs here is `__main__`, another copy of it.
    found = import_module("tests.benchmarks.ways").registered()[sys.argv[1]]
    print(json.dumps(found.work(Place.read(sys.stdin.read()))))  # noqa: T201  that is the answer


if __name__ == "__main__":
    main()
