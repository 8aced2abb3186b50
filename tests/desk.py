"""A desk for tests: files into a database, and answers to their items, without any platform."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import text

from payouts.core.items import Move, State
from payouts.flows.identity import Signer
from payouts.flows.load import LoadOrder, LoadResult, load
from payouts.intake import coverage
from payouts.intake.checks import Rules
from payouts.intake.survey import Survey, survey
from payouts.providers.orkesta import Orkesta
from payouts.providers.orkestra import Orkestra
from payouts.store import bulk, lanes
from payouts.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Row

    from payouts.providers.connector import Connector
    from payouts.store.engine import Database

__all__ = ["Desk", "german_iban"]


@dataclass
class Desk:
    """Loads payee files into a database and plays what the platforms say to their items."""

    database: Database
    folder: Path
    vault: Vault = field(default_factory=lambda: Vault(b"v" * 32))
    signer: Signer = field(default_factory=lambda: Signer(b"k" * 32))
    surveys: dict[int, Survey] = field(default_factory=dict)

    connectors: ClassVar[dict[str, Connector]] = {
        "orkesta": Orkesta("http://x", api_key="k", from_accounts={"TRY": "acc_1"}),
        "orkestra": Orkestra("http://x", key_id="k", secret="s"),  # noqa: S106  nobody listens
    }

    def load(self, text: str, name: str = "payees.csv", **changes: object) -> LoadResult:
        """Load a file of this text; `changes` are fields of `LoadOrder`."""
        path = self.folder / f"{len(self.surveys)}_{name}"
        path.write_text(text)
        return self.load_surveyed(survey(path), name, **changes)

    def load_surveyed(self, found: Survey, name: str, **changes: object) -> LoadResult:
        """Load a file that was surveyed."""
        order = LoadOrder(
            payer="acme",
            pipeline="disbursement",
            period="2026-11-20",
            source_name=name,
            source_copy=found.path.name,
            funding="main",
            policy="auto",
            actor="policy:test",
            reject_share_max=1.0,
            opening_minor=defaultdict(lambda: 100_000_000),
        )
        result = load(
            self.database,
            found,
            Rules(coverage.load(), "sandbox", date(2026, 11, 20)),
            replace(order, **changes),  # type: ignore[arg-type]
            encoders=self.connectors,
            batch_max=dict.fromkeys(self.connectors, 500),
            signer=self.signer,
            vault=self.vault,
        )
        self.surveys.setdefault(result.run_id, found)
        return result

    def send(self, run_id: int) -> None:
        """Every approved, unsplit batch of a run goes out in one attempt."""
        with self.database.unit() as unit:
            rows = unit.execute(
                text(
                    "INSERT INTO attempt (batch_id, number, items, key, request_hash, worker,"
                    " send_by, lease_until) SELECT id, 1, items, 'key', payload_hash, 1,"
                    " payouts_now(), payouts_now() + interval '1 hour' FROM batch"
                    " WHERE run_id = :run AND base_state = 'approved' AND NOT split"
                    " RETURNING batch_id, id, (SELECT base_seq FROM batch b WHERE b.id = batch_id)"
                ),
                {"run": run_id},
            ).all()
            lanes.insert_batch_events(
                unit,
                posting=bulk.next_posting(unit),
                actor="worker:test",
                before="approved",
                after="sending",
                clouded=False,
                batches=[
                    (batch, seq + 1, attempt, None, None, None) for batch, attempt, seq in rows
                ],
            )
            self._refresh(unit, [row[0] for row in rows])

    def answer(
        self,
        run_id: int,
        after: str = "settled",
        *,
        lines: Sequence[int] | None = None,
        before: str = "sending",
        code: str | None = None,
        due_s: float | None = None,
    ) -> None:
        """Move the items of these lines (none: all that are `before`), as a platform's reply."""
        with self.database.unit() as unit:
            found = unit.execute(
                text(
                    "SELECT n.id, n.batch_id, n.seq, n.tries, n.provider, b.base_seq,"
                    " (SELECT max(id) FROM attempt a WHERE a.batch_id = n.batch_id)"
                    " FROM item_now n JOIN batch b ON b.id = n.batch_id"
                    " JOIN line l ON l.id = n.line_id WHERE n.run_id = :run AND n.state = :before"
                    " AND (CAST(:lines AS bigint[]) IS NULL OR l.number = ANY(:lines))"
                    " ORDER BY n.id"
                ),
                {"run": run_id, "before": before, "lines": None if lines is None else [*lines]},
            ).all()
            if after == "sending":
                found = self._sent_again(unit, found)
            move = Move.find(State(before), State(after))
            proof: dict[str, object] = dict.fromkeys(("item_id", "excerpt"))
            proofs = lanes.insert_evidence(
                unit,
                [
                    proof
                    | {"kind": "reply", "provider": row.provider, "batch_id": row.batch_id}
                    | {"attempt_id": row[-1], "http_status": 200, "sha256": b"s" * 32, "bytes": 9}
                    | {"item_id": row.id}
                    for row in found
                ],
            )
            now = lanes.now(unit)
            due = None if due_s is None else now + timedelta(seconds=due_s)
            columns = (
                *("item_id", "batch_id", "posting", "attempt_id", "evidence_id", "due_at"),
                *("before", "after", "seq", "tries", "clouded", "actor", "code"),
            )
            posting = bulk.next_posting(unit)
            bulk.copy_rows(
                unit,
                "item_event",
                columns,
                [
                    (
                        *(row.id, row.batch_id, posting, row[-1], key, due, before, after),
                        *(row.seq + 1, row.tries, move.clouds, "worker:test", code),
                    )
                    for row, key in zip(found, proofs, strict=True)
                ],
            )
            if after in {"settled", "processing"}:
                refs = [f"pay_{row.id:06d}" for row in found]
                for provider in {row.provider for row in found}:
                    mine = [i for i, row in enumerate(found) if row.provider == provider]
                    lanes.map_refs(
                        unit, provider, [found[i].id for i in mine], [refs[i] for i in mine]
                    )
            self._refresh(unit, [row.batch_id for row in found])

    @staticmethod
    def _sent_again(unit: Connection, found: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
        """The same rows with new attempts, one per batch, whose members these items are."""
        made = {}
        for batch in {row.batch_id for row in found}:
            members = [row.id for row in found if row.batch_id == batch]
            made[batch] = unit.execute(
                text(
                    "INSERT INTO attempt (batch_id, number, members, items, key, request_hash,"
                    " worker, send_by, lease_until) SELECT :batch, 1 + max(number), :members,"
                    " :items, 'key', '\\x00', 1, payouts_now(), payouts_now() + interval '1 hour'"
                    " FROM attempt WHERE batch_id = :batch RETURNING id"
                ),
                {"batch": batch, "members": members, "items": len(members)},
            ).scalar_one()
        return unit.execute(
            text(
                "SELECT n.id, n.batch_id, n.seq, n.tries, n.provider, b.base_seq, a.id AS attempt"
                " FROM item_now n JOIN batch b ON b.id = n.batch_id JOIN attempt a"
                " ON a.batch_id = b.id AND a.id = ANY(:attempts) WHERE n.id = ANY(:items)"
                " ORDER BY n.id"
            ),
            {"attempts": list(made.values()), "items": [row.id for row in found]},
        ).all()

    def close_attempts(self, run_id: int) -> None:
        """No attempt of a run is open any more."""
        with self.database.unit() as unit:
            unit.execute(
                text(
                    "UPDATE attempt SET closed_at = payouts_now(), outcome = 'readable',"
                    " http_status = 200 WHERE closed_at IS NULL"
                    " AND batch_id IN (SELECT id FROM batch WHERE run_id = :run)"
                ),
                {"run": run_id},
            )

    @staticmethod
    def _refresh(unit: Connection, batches: list[int]) -> None:
        unit.execute(
            text(
                "UPDATE batch b SET send_at = (SELECT min(n.due_at) FROM item_now n"
                " WHERE n.batch_id = b.id AND n.state IN ('approved', 'unknown'))"
                " WHERE b.id = ANY(:ids)"
            ),
            {"ids": batches},
        )


def german_iban(number: int) -> str:
    """A German IBAN with right check digits."""
    bban = f"37040044{number:010d}"
    return f"DE{98 - int(bban + '131400') % 97:02d}{bban}"
