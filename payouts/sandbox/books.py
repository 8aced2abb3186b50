"""The books: what the platforms really did, in one append-only file.

`DIR/truth.jsonl` is the whole state. It is replayed at the start, and a line is on disk (fsync)
before the reply that it belongs to leaves. A line that a crash cut short was never acknowledged
and is dropped at the next start. One JSON object per line; requests that are handled in the same
turn of the event loop share one fsync.

A line of a request that moved money:

    {"kind": "payment" | "batch" | "payout" | "order" | "refund",
     "platform": "orkesta" | "orkestra",
     "at": 1779268473.123456,            seconds since 1970
     "request": "…64 hex…",              SHA-256 of the request's body
     "key": "…" | null,                  idempotency key, where the platform was given one
     "speed": 1.0 | null,                pace of its life when it was made, null: instant
     "debits": {"acc_…": 150000},        minor units taken from own accounts
     "effects": [ … ],                   one per payment that now exists
     "refused": [{"reference", "account", "code"}]}   items without any effect

and one of its effects:

    {"effect": "pay_…",                  the platform's id, as text; unique in the file
     "reference": "P…" | null,           reference or referenceId of the request
     "amount_minor": 1500,               ISO 4217 minor units, six decimals for USDT and USDC
     "currency": "TRY",
     "account": "…16 hex…",              fingerprint() of the destination
     "method": "eft",
     "fate": "paid" | "slow_paid" | "failed" | "held",   how it ends if nobody cancels it
     "kind": "collection" | "refund",     only in orders and refunds: money that comes in by a
                                          transaction, and money that goes back; `of` names the
                                          transaction; a collection may have the fate "cancelled"
     …}                                  what else the platform shows again (amount, description)

What undoes an effect, in whole or in part, is a line of its own:

    {"kind": "cancel" | "return",            never paid | paid, and sent back by the bank
     "platform", "at", "effect", "reference", "amount_minor", "currency",
     "credits": {"acc_…": 150000}}           minor units given back to own accounts

Other lines: `{"kind": "release", "at", "effect", "platform", "held"}`: a held payment goes on; a
null effect stands for all that is held at that moment (of one platform, where that is named);
`held` has their names where somebody is told. And `{"kind": "note", "platform", "at", …}`: what
a platform keeps that is no payout of money (payments that are collected, tokens, card operations);
`notes` has their line numbers by platform, and the platform says in its module what they hold.

So the money paid out by one reference is the sum over the effects of its lines of the kinds
`payment`, `batch` and `payout` with a fate other than `failed`,
without those named by a cancel line, less what return lines of it say.

A line may have `"comes_back": [[at, account, minor]]` (what failing payments give back then) and
`"hooks": true` (its webhooks are to be sent, see `webhooks`).
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import heapq
import os
from array import array
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any, Final

import orjson

from payouts.sandbox.ids import line_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Books", "BooksInUseError", "Entry", "fingerprint"]

Entry = dict[str, Any]

_CACHED_LINES: Final = 64
_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class BooksInUseError(Exception):
    """Another sandbox already keeps the books of this directory."""


def fingerprint(account: str) -> str:
    """Give what the truth log keeps of an account: 16 hex digits of its SHA-256.

    >>> fingerprint("acc_01HABC")
    '34b9e93d9f4094c8'
    """
    return hashlib.sha256(account.encode()).hexdigest()[:16]


class Books:
    """The truth log and the little that is held in memory to answer from it.

    Args:
        directory: where `truth.jsonl` and `lock` lie; made when it is missing.
        soon: runs a function after the events at hand, as `loop.call_soon` does; the lines
            appended until then are written and synced together.

    Raises:
        BooksInUseError: another process has these books open.
    """

    def __init__(self, directory: Path, *, soon: Callable[[Callable[[], None]], object]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._soon = soon
        self._lock = os.open(directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise BooksInUseError(f"another sandbox keeps the books in {directory}") from None
        self._file = os.open(
            directory / "truth.jsonl",
            os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC,
            0o600,
        )
        self._starts = array("Q", [0])
        self._cache: OrderedDict[int, Entry] = OrderedDict()
        self._unwritten: list[bytes] = []
        self._waiting: list[asyncio.Future[None]] = []
        self.spent: Counter[str] = Counter()
        self.refusals: Counter[tuple[str | None, str]] = Counter()
        self.by_reference: dict[str, int] = {}
        self.paid_out: Counter[str] = Counter()
        self.orders = array("Q")
        self.refunds: dict[str, list[int]] = {}
        self.refund_keys: dict[str, int] = {}
        self.cancelled: dict[str, float] = {}
        self.returned: dict[str, list[tuple[float, int]]] = {}
        self.held: dict[str, str] = {}
        self.hooked = array("Q")
        self.returning = array("Q")
        self.watch: Callable[[int, Entry], None] | None = None
        self._comes_back: list[tuple[float, str, int]] = []
        self._released: dict[str | None, list[float]] = {None: []}
        self.effects = 0
        self.notes: dict[str, list[int]] = {}
        self._replay(directory / "truth.jsonl")
        _sync_directory(directory)

    def _replay(self, path: Path) -> None:
        with path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                number = self.next_line
                self._starts.append(self._starts[-1] + len(line))
                self._apply(number, orjson.loads(line))
        os.ftruncate(self._file, self._starts[-1])

    @property
    def next_line(self) -> int:
        """Number of the line that the next `append` writes (the first is 0)."""
        return len(self._starts) - 1

    def append(self, entry: Entry) -> None:
        """Book what happened. The reply must wait for `durable`.

        Whoever `watch`es sees each line, and may mark it, before it is written.
        """
        if self.watch is not None:
            self.watch(self.next_line, entry)
        line = orjson.dumps(entry) + b"\n"
        if not self._unwritten:
            self._soon(self.flush)
        self._unwritten.append(line)
        number = self.next_line
        self._starts.append(self._starts[-1] + len(line))
        self._apply(number, entry)
        self._remember(number, entry)

    async def durable(self) -> None:
        """Return once everything booked so far is on disk."""
        if self._unwritten:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(done)
            await done

    def flush(self) -> None:
        """Write and sync what is booked, then let the waiting replies go.

        Raises:
            OSError: the disk is full or broken; the books cannot be kept any more.
        """
        if self._unwritten:
            data = memoryview(b"".join(self._unwritten))
            while data:
                data = data[os.write(self._file, data) :]
            _sync(self._file)
            self._unwritten.clear()
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            if not done.done():
                done.set_result(None)

    def line(self, number: int) -> Entry | None:
        """Read a line again, or None where there is none of that number."""
        if not 0 <= number < self.next_line:
            return None
        known = self._cache.get(number)
        if known is not None:
            self._cache.move_to_end(number)
            return known
        self.flush()  # what is not written yet cannot be read again
        start, end = self._starts[number], self._starts[number + 1]
        entry: Entry = orjson.loads(os.pread(self._file, end - start, start))
        self._remember(number, entry)
        return entry

    def find(self, name: str) -> tuple[Entry, Entry] | None:
        """Find an effect by its id: the effect and the line that it is part of."""
        number = line_of(name)
        entry = None if number is None else self.line(number)
        if entry is not None:
            for effect in entry.get("effects", ()):
                if effect["effect"] == name:
                    return effect, entry
        return None

    def released_at(self, name: str, held_at: float, platform: str | None = None) -> float | None:
        """Give when a payment that is held since `held_at` was released, by itself or with all."""
        moments = (
            *self._released.get(name, ()),
            *self._released.get(platform, ()),
            *self._released[None],
        )
        return min((moment for moment in moments if moment >= held_at), default=None)

    def spent_by(self, account: str, now: float) -> int:
        """Give the minor units that an own account has paid and not got back by a moment."""
        while self._comes_back and self._comes_back[0][0] <= now:
            _, name, amount = heapq.heappop(self._comes_back)
            self.spent[name] -= amount
        return self.spent[account]

    def close(self) -> None:
        """Let the directory go; what is not flushed is lost, as in a crash."""
        os.close(self._file)
        os.close(self._lock)

    def _remember(self, number: int, entry: Entry) -> None:
        self._cache[number] = entry
        if len(self._cache) > _CACHED_LINES:
            self._cache.popitem(last=False)

    def _apply(self, number: int, entry: Entry) -> None:
        if "hooks" in entry:
            self.hooked.append(number)
        match entry["kind"]:
            case "cancel":
                self.cancelled[entry["effect"]] = entry["at"]
                self.held.pop(entry["effect"], None)
                self.spent.subtract(entry.get("credits", {}))
            case "return":
                moments = self.returned.setdefault(entry["effect"], [])
                moments.append((entry["at"], entry["amount_minor"]))
                self.spent.subtract(entry["credits"])
            case "release":
                self._let_go(entry["effect"], entry.get("platform"), entry["at"])
            case "note":
                self.notes.setdefault(entry["platform"], []).append(number)
            case _:
                self._make(number, entry)

    def _make(self, number: int, entry: Entry) -> None:
        self.effects += len(entry["effects"])
        self.spent.update(entry["debits"])
        if "returns" in entry:
            self.returning.append(number)
        if "held" in entry:
            self.held.update(dict.fromkeys(entry["held"], entry["platform"]))
        for at, account, amount in entry.get("comes_back", ()):
            heapq.heappush(self._comes_back, (at, account, amount))
        for item in entry["refused"]:
            self.refusals[item["reference"], item["account"]] += 1
        if entry["effects"]:
            self._index(number, entry)

    def _index(self, number: int, entry: Entry) -> None:
        """Note what is looked up by something other than its id."""
        match entry["kind"]:
            case "payout":
                [effect] = entry["effects"]
                if entry["key"] is not None:
                    self.by_reference[entry["key"]] = number
                if effect["fate"] != "failed":
                    self.paid_out[effect["currency"]] += effect["amount_minor"]
            case "order":
                self.orders.append(number)
            case "refund":
                if entry["key"] is not None:
                    self.refund_keys[entry["key"]] = number
                self.refunds.setdefault(entry["effects"][0]["of"], []).append(number)
            case _:
                pass

    def _let_go(self, name: str | None, platform: str | None, at: float) -> None:
        self._released.setdefault(name or platform, []).append(at)
        if name is not None:
            self.held.pop(name, None)
        else:
            self.held = {
                held: whose
                for held, whose in self.held.items()
                if platform is not None and whose != platform
            }


def _sync_directory(directory: Path) -> None:
    """Make the new file's name itself survive a crash."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
