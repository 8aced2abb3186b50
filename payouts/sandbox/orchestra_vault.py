"""Orchestra's StringTokens, imitated: texts that are kept, and given back for their token.

    POST   /orchestra/StringTokens               201 with Location, {token, createTime}   A-ORC-3
    GET    /orchestra/StringTokens/{token}       200 with `clearPayload`, or `payload`
    GET    /orchestra/StringTokens/{token}/meta  200 without it
    DELETE /orchestra/StringTokens/{token}       200; from then on all of them are 404

The texts stand in the sandbox's own books, as nothing else would bring them back after a restart;
a deleted one is only forgotten. A real vault keeps neither in the clear.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from payouts.sandbox.http import Reply
from payouts.sandbox.orchestra_rules import PAYLOAD_MAX, RefusedError, field, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from payouts.sandbox.books import Entry
    from payouts.sandbox.http import Request
    from payouts.sandbox.platforms import World

__all__ = ["StringTokens"]

_LENGTH: Final = 32
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class StringTokens:
    """The tokens of one account.

    Args:
        note: books an act of the platform.
    """

    def __init__(self, world: World, note: Callable[[Entry], None]) -> None:
        self._books = world.books
        self._settings = world.settings
        self._clock = world.clock
        self._note = note
        self._kept: dict[str, int] = {}  # token -> its line

    def apply(self, number: int, entry: Entry) -> None:
        """Take a line of the books."""
        if entry["act"] == "token":
            self._kept[entry["token"]] = number
        else:
            self._kept.pop(entry["token"], None)

    def answer(self, request: Request, rest: list[str]) -> Reply:
        """Answer a request below `/StringTokens`."""
        match request.method, rest:
            case "POST", []:
                return self._keep(request)
            case "GET", [token]:
                entry = self._entry(token)
                return Reply(200, {self._settings.payload_name: entry["payload"], **_meta(entry)})
            case "GET", [token, "meta"]:
                return Reply(200, _meta(self._entry(token)))
            case "DELETE", [token]:
                self._entry(token)
                self._note({"act": "token_deleted", "token": token, "at": self._clock()})
                return Reply(200, {})
            case _:
                raise RefusedError(404)

    def reveal(self, token: str) -> str | None:
        """Give what a token stands for."""
        number = self._kept.get(token)
        entry = None if number is None else self._books.line(number)
        return None if entry is None else str(entry["payload"])

    def _keep(self, request: Request) -> Reply:
        payload: str = field(parse(request), "payload", str)
        if not 1 <= len(payload) <= PAYLOAD_MAX:
            raise RefusedError(400, "payload", f"must have 1 to {PAYLOAD_MAX} characters")
        now = self._clock()
        token = _token(f"{now!r}/{self._books.next_line}")
        entry = {"act": "token", "token": token, "at": now, "payload": payload}
        self._note(entry)
        where = f"http://{request.headers.get('host', '')}{request.path}/{token}"
        return Reply(201, _meta(entry), (("location", where),))

    def _entry(self, token: str) -> Entry:
        number = self._kept.get(token)
        entry = None if number is None else self._books.line(number)
        if entry is None:
            raise RefusedError(404)
        return entry


def _meta(entry: Entry) -> dict[str, str]:
    made = datetime.fromtimestamp(entry["at"], UTC).isoformat(timespec="milliseconds")
    return {"token": entry["token"], "createTime": made.replace("+00:00", "Z")}


def _token(seed: str) -> str:
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest())
    letters = []
    for _ in range(_LENGTH):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return "".join(letters)
