"""A small world: a project, the real sandbox over a socket, a database, and the checker."""

from __future__ import annotations

import asyncio
import csv
import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import text

from payouts.core.pipeline import Pipeline
from payouts.flows import load as loading
from payouts.flows import progress
from payouts.intake.survey import survey
from payouts.settings import load_settings
from payouts.vault import Sealed
from payouts.wiring import opened
from payouts.worker import work
from tests.proof.checker import broken_promises, effects_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from payouts.flows.load import LoadResult
    from payouts.store import embedded
    from payouts.wiring import Parts

IBANS = (
    "DE89370400440532013000",
    "FR1420041010050500013M02606",
    "NL91ABNA0417164300",
    "ES9121000418450200051332",
)
ACCOUNT = "acc_01hx3k9qze4p7vb2ntcm6d8f{:02d}"


def sepa(reference: str, amount: str = "12.50", account: str = IBANS[0]) -> dict[str, str]:
    return {
        "reference": reference,
        "name": "Ada Lovelace",
        "country": account[:2],
        "currency": "EUR",
        "amount": amount,
        "method": "sepa",
        "account": account,
    }


def turkish(reference: str, amount: str = "12.50", account: str | None = None) -> dict[str, str]:
    return {
        "reference": reference,
        "name": "Ada Lovelace",
        "country": "TR",
        "currency": "TRY",
        "amount": amount,
        "method": "bank_transfer",
        "account": account or "TR330006100519786457841326",
    }


@dataclass
class World:
    """A project with its own database, and the truth of its sandbox."""

    parts: Parts
    folder: Path
    alarms: list[str] = field(default_factory=list)

    def write(self, rows: list[dict[str, str]], name: str = "payees.csv") -> Path:
        path = self.folder / name
        with path.open("w", newline="") as file:
            out = csv.DictWriter(file, list(rows[0]))
            out.writeheader()
            out.writerows(rows)
        return path

    def load(self, path: Path, *, dry: bool = False, **changes: Any) -> LoadResult:  # noqa: ANN401  fields of Pipeline
        pipeline = Pipeline("disbursement", **changes)
        copy = self.parts.take_copy(path)
        return loading.load(
            self.parts.database,
            survey(copy),
            self.parts.rules(),
            self.parts.load_order(pipeline, path, copy),
            encoders=self.parts.connectors,
            batch_max=self.parts.batch_max,
            signer=self.parts.signer,
            vault=self.parts.vault,
            dry=dry,
        )

    def work(self, run_id: int, *, wait_max: float = 40.0) -> dict[str, int]:
        """Work until the run rests; returns its states."""
        end = time.monotonic() + wait_max
        keyed = [name for name, one in self.parts.connectors.items() if one.capabilities.idempotent]

        def finished() -> bool:
            with self.parts.database.reading() as connection:
                rests = progress.standing(progress.read(connection, run_id, keyed=keyed)).rests
            return rests or time.monotonic() > end

        asyncio.run(
            work(
                self.parts,
                finished=finished,
                poll_s=0.05,
                said=self.alarms.append,
                broken=lambda lane, error: self.alarms.append(f"{lane}: {error!r}"),
            )
        )
        return self.states(run_id)

    def pay(self, rows: list[dict[str, str]], **changes: Any) -> dict[str, int]:  # noqa: ANN401  fields of Pipeline
        return self.work(self.load(self.write(rows), **changes).run_id)

    def states(self, run_id: int) -> dict[str, int]:
        with self.parts.database.reading() as connection:
            rows = connection.execute(
                text(
                    "SELECT c.state::text, sum(c.items)::int FROM batch_count c"
                    " JOIN batch b ON b.id = c.batch_id WHERE b.run_id = :run"
                    " GROUP BY 1 HAVING sum(c.items) > 0"
                ),
                {"run": run_id},
            )
            return {str(state): int(items) for state, items in rows}

    def sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self.parts.database.reading() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    @property
    def truth(self) -> Path:
        return self.folder / ".payouts" / "sandbox" / "truth.jsonl"

    def wires(self) -> dict[int, str]:
        """The references of all items, read from the sealed payloads."""
        found = {}
        with self.parts.database.reading() as connection:
            rows = connection.execute(
                text(
                    "SELECT b.id, b.lo, p.key_id, p.data_key, p.body FROM batch b"
                    " JOIN batch_payload p ON p.batch_id = b.id"
                )
            ).all()
        for batch_id, lo, *sealed in rows:
            plain = self.parts.vault.open(batch_id, Sealed(*sealed))
            for place, line in enumerate(plain.split(b"\n")):
                body = json.loads(line)
                found[lo + place] = body.get("reference") or body["referenceId"]
        return found

    def effects(self) -> dict[str, list[dict[str, Any]]]:
        return effects_of(self.truth)

    def check(self) -> None:
        """No promise is broken, says somebody who shares no code with us."""
        with psycopg.connect(self.parts.database.conninfo()) as connection:
            assert broken_promises(connection, self.truth, self.wires()) == []


@pytest.fixture
def make_world(
    tmp_path: Path,
    postgres: embedded.Server,
    make_database: Callable[..., str],
    payouts_template: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., World]]:
    """Give a function that opens a world; its faults are TOML text for the sandbox."""
    with contextmanager(_worlds)(
        tmp_path, postgres, make_database, payouts_template, monkeypatch
    ) as make:
        yield make


def _worlds(
    tmp_path: Path,
    postgres: embedded.Server,
    make_database: Callable[..., str],
    payouts_template: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., World]]:
    from contextlib import ExitStack  # noqa: PLC0415  used by this generator alone

    with ExitStack() as stack:

        def make(
            faults: str = "",
            *,
            speed: str = "instant",
            settings: str = "",
            seed: int | None = None,
        ) -> World:
            args = postgres.connect_args(make_database("world", template=payouts_template))
            url = (
                f"postgresql://{args['user']}@/{args['dbname']}"
                f"?host={args['host']}&port={args['port']}"
            )
            monkeypatch.setenv("PAYOUTS_DATABASE__URL", url)
            (tmp_path / "faults.toml").write_text(faults)
            shown = f'"{speed}"' if speed == "instant" else speed
            (tmp_path / "payouts.toml").write_text(
                f'payer = "world"\n{settings}\n[sandbox]\nspeed = {shown}\n'
                + ('faults = "faults.toml"\n' if faults else "")
                + ("" if seed is None else f"seed = {seed}\n")
            )
            parts = stack.enter_context(opened(load_settings(tmp_path)))
            return World(parts, tmp_path)

        yield make
