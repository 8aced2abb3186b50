"""Quintet's twin: how the sandbox plays the invented platform. It knows nothing of the connector."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from payouts.sandbox import life, magic
from payouts.sandbox.books import fingerprint
from payouts.sandbox.http import Reply
from payouts.sandbox.ids import SUFFIXES, payment_prefix
from payouts.sandbox.life import Phase
from payouts.sandbox.platforms import Registration, plain_error

if TYPE_CHECKING:
    from payouts.sandbox.books import Entry
    from payouts.sandbox.http import Request
    from payouts.sandbox.platforms import Wish, World

_MOUNT, _TOKEN, _MOST = "/quintet", "quintet-token", 50


class Quintet:
    """The platform's answers, on top of the sandbox's books."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[str, tuple[int, int]] = {}
        for number in range(world.books.next_line):
            self._learn(number, world.books.line(number) or {})

    def _learn(self, number: int, entry: Entry) -> None:
        if entry.get("platform") == "quintet":
            for place, effect in enumerate(entry.get("effects", ())):
                self._known.setdefault(effect["reference"], (number, place))

    def answer(self, request: Request, wish: Wish) -> Reply:
        """Answer a request below the mount."""
        if request.headers.get("authorization") != f"Bearer {_TOKEN}":
            return Reply(401, plain_error("unauthorized", "Unknown token"))
        path = request.path.removeprefix(_MOUNT).split("/")[1:]
        if request.method == "POST" and path == ["transfers"]:
            return self._create(request, wish)
        if request.method == "GET" and path == ["transfers"]:
            [reference] = parse_qs(request.query).get("reference", [""])
            found = self._known.get(reference)
            rows = [] if found is None else [self._shown(*found, wish)]
            return Reply(200, {"transfers": [row for row in rows if row is not None]})
        if request.method == "GET" and path[:1] == ["transfers"]:
            by_id = self._world.books.find(path[1])
            row = None if by_id is None else self._shown_of(*by_id, wish)
            return Reply(200, row) if row else Reply(404, plain_error("not_found", "No transfer"))
        return Reply(404, plain_error("not_found", "No such resource"))

    def _create(self, request: Request, wish: Wish) -> Reply:
        try:
            given = json.loads(request.body, parse_float=Decimal)["transfers"]
        except (ValueError, KeyError, TypeError):
            return Reply(400, plain_error("bad_request", "Not a list of transfers"))
        if not isinstance(given, list) or not 1 <= len(given) <= _MOST:
            return Reply(422, plain_error("too_many", f"1 to {_MOST} transfers"))
        books, now = self._world.books, self._world.clock()
        entry: Entry = {
            "kind": "batch",
            "platform": "quintet",
            "at": now,
            "request": hashlib.sha256(request.body).hexdigest(),
            "key": request.headers.get("x-request"),
            "speed": self._world.settings.speed,
            "debits": {},
            "effects": [],
            "refused": [],
        }
        number, prefix = books.next_line, payment_prefix(now, books.next_line)
        rows: list[tuple[int, int] | dict[str, Any]] = []
        for item in given:
            reference, account = item["reference"], item["account"]
            code = None if wish.refuse is None else wish.refuse(reference)
            known = None if wish.forget else self._known.get(reference)
            if known is not None:
                rows.append(known)
            elif code is not None:
                entry["refused"].append(
                    {"reference": reference, "account": fingerprint(account), "code": code}
                )
                rows.append({"reference": reference, "state": "rejected", "reason": code})
            else:
                place = len(entry["effects"])
                entry["effects"].append(self._effect(item, f"{prefix}{SUFFIXES[place]}", wish))
                rows.append((number, place))
        if entry["effects"] or entry["refused"]:
            books.append(entry)
            self._learn(number, entry)
        shown = [row if isinstance(row, dict) else self._shown(*row, None) for row in rows]
        return Reply(201, {"transfers": shown})

    def _effect(self, item: dict[str, Any], name: str, wish: Wish) -> dict[str, Any]:
        word = magic.word_of(item["account"]) if self._world.settings.magic else None
        fate = magic.fate_of(word)
        effect = {
            "effect": name,
            "reference": item["reference"],
            "amount_minor": int(Decimal(item["amount"]).scaleb(2)),
            "currency": item["currency"],
            "account": fingerprint(item["account"]),
            "method": "transfer",
            "fate": fate,
            "amount": item["amount"],
        }
        if fate == "failed":
            effect["code"] = word
        return effect | ({} if wish.mark is None else wish.mark(item["reference"]))

    def _shown(self, number: int, place: int, wish: Wish | None) -> dict[str, Any] | None:
        entry = self._world.books.line(number) or {}
        return self._shown_of(entry["effects"][place], entry, wish)

    def _shown_of(
        self, effect: dict[str, Any], entry: Entry, wish: Wish | None
    ) -> dict[str, Any] | None:
        now = self._world.clock() - (0.0 if wish is None else wish.ago_s)
        if now < entry["at"]:
            return None
        age, speed = now - entry["at"], entry["speed"]
        over = life.phase(effect["fate"], effect["reference"], age=age, speed=speed) is Phase.DONE
        row = {
            "id": effect["effect"],
            "reference": effect["reference"],
            "amount": effect["amount"],
            "currency": effect["currency"],
            "state": ("rejected" if effect["fate"] == "failed" else "paid") if over else "queued",
        }
        return row | ({"reason": effect["code"]} if over and effect["fate"] == "failed" else {})


PLATFORM = Registration("quintet", Quintet, plain_error, ("reference",))
