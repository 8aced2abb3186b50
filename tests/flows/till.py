"""A till: what the tests of collections do with a world that they share, each on its own account."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import text

from payouts.core.ids import public_id
from payouts.flows import collect
from payouts.providers.orchestrate import Intent
from payouts.store.incidents import open_incidents

if TYPE_CHECKING:
    from payouts.store.collections import Collection
    from tests.flows.conftest import World

__all__ = ["ACTOR", "Edited", "Till"]

ACTOR = "person:test"
CREATE = "POST /orchestrate/api/v1/payments"


@dataclass
class Till:
    """A world that all tests share, and an account of one test's own."""

    world: World
    account: str

    def order(self, **changes: Any) -> collect.CollectOrder:  # noqa: ANN401  fields of it
        return replace(self.world.parts.collect_order(), pause=lambda _s: None, **changes)

    def ask(self, amount_minor: int = 12_55, **changes: Any) -> Collection:  # noqa: ANN401  fields of Intent
        intent = replace(Intent("", amount_minor, "EUR", "for the week", 3600), **changes)
        return collect.ask(self.order(), collect.Asked(self.account, intent, ACTOR))

    def look(self, collection: Collection, **changes: Any) -> collect.Looked:  # noqa: ANN401  fields of the order
        return collect.look(self.order(**changes), collection.id, actor=ACTOR)

    def funded(self) -> int:
        name = f"funding:{self.account}:EUR"
        rows = self.world.sql("SELECT balance_minor FROM ledger_balance WHERE name = :n", n=name)
        return int(rows[0][0]) if rows else 0

    def made_there(self, collection: Collection) -> int:
        """How many payments of a collection Orchestrate itself has."""
        lines = [json.loads(line) for line in self.world.truth.read_text().splitlines()]
        mine = {"collection_id": collection.key}
        return sum(line.get("act") == "created" and line["metadata"] == mine for line in lines)

    def life(self, collection: Collection) -> list[str]:
        rows = self.world.sql(
            "SELECT after FROM collection_event WHERE collection_id = :id ORDER BY seq",
            id=collection.id,
        )
        return [str(after) for (after,) in rows]

    def incidents(self, collection: Collection) -> list[str]:
        with self.world.parts.database.reading() as connection:
            found = open_incidents(connection)
        return [one.code for one in found if one.subject == public_id("col", collection.id)]

    def control(self, path: str, document: object) -> None:
        url = (self.world.folder / ".payouts" / "sandbox" / "control").read_text()
        httpx.post(f"{url}/_control/{path}", json=document, trust_env=False).raise_for_status()

    def fault(self, name: str, nth: tuple[int, ...] = (1,)) -> None:
        """The next payments that are asked for meet a fault."""
        self.control("faults", [{"fault": name, "route": CREATE, "nth": list(nth)}])

    def overrule(self, collection: Collection, statement: str) -> None:
        """Change what the guards keep, as only time itself may."""
        with self.world.parts.database.unit() as unit:
            unit.execute(text("SET LOCAL session_replication_role = replica"))
            unit.execute(text(statement), {"id": collection.id})


class Edited:
    """The way to the platform, with its answers to looks edited."""

    def __init__(self, order: collect.CollectOrder, **fields: object) -> None:
        self.order, self.fields = order, fields

    def __call__(self, request: Any, permit: Any) -> Any:  # noqa: ANN401  as `send`
        exchange = self.order.send(request, permit)
        document = json.loads(exchange.body) | self.fields
        return replace(exchange, body=json.dumps(document).encode())
