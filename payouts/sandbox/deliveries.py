"""Deliveries: what became of each webhook, in `webhooks.jsonl` beside the books.

One line per delivery:

    {"at", "platform", "line", "index", "type",    what of which line of the books
     "reference", "url", "attempt",
     "status": 204 | null, "error": null | text,   what came back
     "state": "delivered" | "failed" | "given_up" | "lost" | "dropped" | "extra",
     "faults": ["webhook_late", …]}                that had a hand in it

`failed` is repeated, `lost` and `dropped` (its endpoint is switched off) never left, an `extra` is
a delivery that a fault added. The file is not the truth of any money: it is not synced, so after a
crash a webhook may come twice, as they do.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Log", "Sent", "Telling"]

_SHOWN_MAX: Final = 1000
_TYPES_MAX: Final = 32  # there are a dozen


@dataclass(slots=True)
class Telling:
    """One piece of news on its way, over all its attempts."""

    number: int
    index: int
    type: str
    at: float
    last_at: float
    attempt: int = 1
    delayed: bool = False


@dataclass(slots=True)
class Sent:
    """A line of the log in the making."""

    telling: Telling
    reference: str | None
    url: str | None
    status: int | None = None
    error: str | None = None
    state: str = "failed"
    faults: list[str] = field(default_factory=list)


class Log:
    """`webhooks.jsonl`, and the last of its lines in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self.recent: deque[dict[str, Any]] = deque(maxlen=_SHOWN_MAX)
        self.states: Counter[tuple[str, str]] = Counter()
        self._ended: dict[int, int] = {}  # line of the books -> a bit per thing and type
        self._bits: dict[str, int] = {}
        self.attempts: dict[tuple[int, int, str], int] = {}
        if path.exists():
            self._replay()

    def _replay(self) -> None:
        with self._path.open("rb") as lines:
            for text in lines:
                if not text.endswith(b"\n"):
                    break
                line = orjson.loads(text)
                self._note(line)
                number, index, kind = line["line"], line["index"], line["type"]
                if line["state"] == "failed":
                    self.attempts[number, index, kind] = line["attempt"]
                elif line["state"] != "extra":
                    self._ended[number] = self._ended.get(number, 0) | self._bit(index, kind)
                    self.attempts.pop((number, index, kind), None)

    def _bit(self, index: int, kind: str) -> int:
        return 1 << index * _TYPES_MAX + self._bits.setdefault(kind, len(self._bits))

    def take_ended(self, number: int) -> Callable[[int, str], bool]:
        """Give what says whether news of a line had ended before the start, and forget it."""
        ended = self._ended.pop(number, 0)
        return lambda index, kind: bool(ended and ended & self._bit(index, kind))

    def _note(self, line: dict[str, Any]) -> None:
        self.recent.append(line)
        self.states[line["platform"], line["state"]] += 1

    def write(self, platform: str, at: float, sent: Sent) -> None:
        """Note one delivery."""
        telling = sent.telling
        line = {
            "at": at,
            "platform": platform,
            "line": telling.number,
            "index": telling.index,
            "type": telling.type,
            "reference": sent.reference,
            "url": sent.url,
            "attempt": telling.attempt,
            "status": sent.status,
            "error": sent.error,
            "state": sent.state,
            "faults": sent.faults,
        }
        self._note(line)
        if self._file is None:
            flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
        os.write(self._file, orjson.dumps(line) + b"\n")

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            os.close(self._file)
