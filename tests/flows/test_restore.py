"""A restored backup: whatever the database forgot, nobody is paid twice (P22)."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from psycopg import sql
from sqlalchemy import text

from payouts.core.errors import SettingsError, UsageError
from payouts.core.retry import RetryPolicy
from payouts.flows import control, restore, review
from payouts.flows.restore import Keeper, Keyed, confirm
from payouts.settings import load_settings
from payouts.store import generation
from payouts.store.generation import Mark
from payouts.wiring import opened
from payouts.worker import work
from tests.flows.conftest import World, sepa, turkish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from payouts.store import embedded
    from payouts.store.engine import Database
    from payouts.wiring import Parts

pytestmark = pytest.mark.journey

LINES = {"orkesta": turkish, "orkestra": sepa}


@dataclass
class Machine:
    """A project folder on a machine whose database is backed up and restored."""

    folder: Path
    server: embedded.Server
    name: str
    said: list[str]

    def world(self, parts: Parts) -> World:
        return World(parts, self.folder)

    def backup(self, name: str) -> None:
        """A copy of the database, as a dump would have it."""
        self._admin(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(self.name)
            )
        )

    def restore(self, name: str) -> None:
        """The copy takes the database's place."""
        self._admin(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.name)))
        self._admin(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(name), sql.Identifier(self.name)
            )
        )

    def _admin(self, statement: sql.Composed) -> None:
        with self.server.connect("postgres", autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture
def machine(
    tmp_path: Path,
    postgres: embedded.Server,
    make_database: Callable[..., str],
    payouts_template: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Machine]:
    name = make_database("restored", template=payouts_template)
    args = postgres.connect_args(name)
    url = f"postgresql://{args['user']}@/{args['dbname']}?host={args['host']}&port={args['port']}"
    monkeypatch.setenv("PAYOUTS_DATABASE__URL", url)
    (tmp_path / "payouts.toml").write_text(
        'payer = "world"\n[retry]\npace = 0.001\n[sandbox]\nspeed = "instant"\n'
    )
    made = Machine(tmp_path, postgres, name, [])
    yield made
    with postgres.connect("postgres", autocommit=True) as connection:
        for one in (name, f"{name}_backup"):
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(one)))


def work_for(world: World, seconds: float) -> None:
    end = time.monotonic() + seconds
    asyncio.run(
        work(
            world.parts,
            finished=lambda: time.monotonic() > end,
            poll_s=0.02,
            said=world.alarms.append,
        )
    )


def nobody_twice(world: World) -> None:
    """Says the platforms' own log, whatever our database believes."""
    assert {len(made) for made in world.effects().values()} == {1}


def rows(provider: str) -> list[dict[str, str]]:
    return [LINES[provider](f"R-{n}", f"{10 + n}.00") for n in range(3)]


@pytest.mark.parametrize("provider", ["orkesta", "orkestra"])
@pytest.mark.parametrize("when", ["approved", "loaded", "before"])
def test_nobody_is_paid_twice_after_a_backup_is_restored(
    machine: Machine, provider: str, when: str
) -> None:
    """The backup knows the run as approved, as waiting for approval, or not at all."""
    with opened(load_settings(machine.folder)) as parts:
        world = machine.world(parts)
        path = world.write(rows(provider))
        policy = "auto" if when == "approved" else "person"
        if when == "before":
            parts.database.dispose()
            machine.backup(f"{machine.name}_backup")
        run = world.load(path, policy=policy).run_id
        if when != "before":
            parts.database.dispose()
            machine.backup(f"{machine.name}_backup")
        review.approve(parts.database, run, actor="person:ada", reason="x")
        assert world.work(run) == {"settled": 3}
        parts.database.dispose()
    machine.restore(f"{machine.name}_backup")

    with opened(load_settings(machine.folder), warned=machine.said.append) as parts:
        world = machine.world(parts)
        run = world.load(world.write(rows(provider)), policy="auto").run_id
        if when == "loaded":
            review.approve(parts.database, run, actor="person:ada", reason="x")
        work_for(world, 1.0)

        assert machine.said[0].startswith("This database is an older copy")
        nobody_twice(world)
        expected = {
            ("orkestra", "approved"): {"settled": 3},
            ("orkestra", "loaded"): {"settled": 3},
            ("orkestra", "before"): {"settled": 3},
            ("orkesta", "approved"): {"unknown": 3},
            ("orkesta", "loaded"): {"approved": 3},
            ("orkesta", "before"): {"approved": 3},
        }
        assert world.states(run) == expected[provider, when]
        paused = [("orkesta", "*"), ("orkesta", "main")]
        found = world.sql("SELECT provider, funding FROM lane WHERE paused_at IS NOT NULL")
        assert sorted(found) == (paused if provider == "orkesta" else paused[:1])
        assert world.sql("SELECT severity FROM incident WHERE code = 'E_RESTORED'") == [(1,)]


def test_two_people_let_a_keyless_platform_be_sent_to_again(machine: Machine) -> None:
    with opened(load_settings(machine.folder)) as parts:
        machine.world(parts)
        parts.database.dispose()
        machine.backup(f"{machine.name}_backup")
        world = machine.world(parts)
        assert world.pay(rows("orkesta")) == {"settled": 3}
        parts.database.dispose()
    machine.restore(f"{machine.name}_backup")
    with opened(load_settings(machine.folder)) as parts:
        world = machine.world(parts)
        run = world.load(world.write([turkish("NEW-1")], "new.csv")).run_id
        work_for(world, 0.6)
        said = {"reason": "compared with their list"}

        with pytest.raises(UsageError) as early:
            control.resume(parts.database, "orkesta", actor="person:ada", **said)
        first = confirm(parts.database, "orkesta", actor="person:ada", **said)
        with pytest.raises(UsageError) as again:
            confirm(parts.database, "orkesta", actor="person:Ada", **said)
        with pytest.raises(UsageError):
            control.resume(parts.database, "orkesta", actor="person:bob", **said)
        between = world.states(run)
        second = confirm(parts.database, "orkesta", actor="person:bob", **said)

        assert (early.value.code, again.value.code) == ("E_RESTORED_WAITS", "E_TWO_PEOPLE")
        assert (first.over, second.over, between) == (False, True, {"approved": 1})
        assert world.work(run) == {"settled": 1}
        nobody_twice(world)
        with pytest.raises(UsageError, match="does not wait"):
            confirm(parts.database, "orkesta", actor="person:bob", **said)


def test_an_ordinary_start_moves_nothing(machine: Machine) -> None:
    for _ in range(3):
        with opened(load_settings(machine.folder), warned=machine.said.append) as parts:
            world = machine.world(parts)
    with opened(load_settings(machine.folder), warned=machine.said.append) as parts:
        world = machine.world(parts)
        assert world.pay(rows("orkesta")) == {"settled": 3}
        assert world.sql("SELECT FROM restoration") == []
        (there,) = world.sql("SELECT generation FROM installation")
    mark = json.loads((machine.folder / ".payouts" / "generation").read_text())
    assert machine.said == []
    assert (mark["generation"], mark["database"]) == (there[0], parts.database_id)


# -- the parts ----------------------------------------------------------------------------------------------


@pytest.fixture
def keeper(database: Database, tmp_path: Path) -> Keeper:
    with database.unit() as unit:
        unit.execute(
            text(
                "INSERT INTO installation (database_id, environment, install_key_fingerprint,"
                " vault_key_fingerprint, identity_version)"
                " VALUES ('abcd', 'live', 'x', 'y', 1) ON CONFLICT DO NOTHING"
            )
        )
        unit.execute(text("UPDATE installation SET generation = 7"))
    return Keeper(database, tmp_path / "generation", "abcd")


def test_the_generation_rises_in_the_database_first_and_never_falls_in_the_file(
    keeper: Keeper,
) -> None:
    assert keeper.raise_now() == 8
    generation.write_mark(keeper.path, Mark("abcd", 3))

    assert generation.read_mark(keeper.path) == Mark("abcd", 8)
    assert keeper.raise_now(20) == 20


def test_a_file_of_another_database_is_written_over(keeper: Keeper) -> None:
    generation.write_mark(keeper.path, Mark("other", 900))

    keeper.raise_now()

    assert generation.read_mark(keeper.path) == Mark("abcd", 8)


def test_the_fence_is_kept_with_each_claim_and_never_falls(keeper: Keeper) -> None:
    for fence in (5, 17, 9):
        keeper.claimed(fence)

    assert generation.read_fence(keeper.fence_path, "abcd") == 17
    assert generation.read_fence(keeper.fence_path, "other") == 0


def test_a_disk_that_refuses_the_fence_stops_no_request_that_is_committed(
    keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    """The items would be unclear without having been sent, and at some platforms for good."""
    keeper.fence_path.mkdir()

    keeper.claimed(5)

    assert "fence_not_kept" in caplog.text


def test_what_root_makes_belongs_to_the_owner_of_the_folder(keeper: Keeper) -> None:
    if os.geteuid() == 0:
        os.chown(keeper.path.parent, 65534, 65534)
    keeper.raise_now()
    keeper.claimed(5)

    owners = {path.stat().st_uid for path in keeper.path.parent.glob("generation*")}
    assert owners == {keeper.path.parent.stat().st_uid}


@pytest.mark.parametrize("text_there", ["", "{", "[]", '{"database": "abcd"}', "7"])
def test_a_broken_file_is_as_good_as_none(keeper: Keeper, text_there: str) -> None:
    keeper.path.write_text(text_there)

    assert generation.read_mark(keeper.path) is None


def test_a_worker_raises_it_before_it_sends_and_when_something_was_sent(keeper: Keeper) -> None:
    keeper.raise_now()
    keeper.before_sending()  # a moment ago: not again
    keeper.while_sending()  # nothing was sent
    before = generation.read_mark(keeper.path)
    with keeper.database.unit() as unit:
        unit.execute(text("SELECT nextval('fence_seq')"))

    keeper.while_sending()

    assert before == Mark("abcd", 8)
    assert generation.read_mark(keeper.path) == Mark("abcd", 9)
    keeper.raised_s = 0.0
    keeper.before_sending()
    assert generation.read_mark(keeper.path) == Mark("abcd", 10)


def _loaded(database: Database) -> None:
    """Anything in it: only its being there matters."""
    with database.unit() as unit:
        unit.execute(text("SET session_replication_role = replica"))
        unit.execute(
            text(
                "INSERT INTO batch (id, run_id, lo, hi, provider, funding, currency, items,"
                " amount_minor, funding_id, reserved_id, in_transit_id, paid_id, payload_hash)"
                " VALUES (1, 1, 1, 1, 'orkestra', 'main', 'EUR', 1, 1, 1, 1, 1, 1, 'h')"
                " ON CONFLICT DO NOTHING"
            )
        )
        unit.execute(text("SET session_replication_role = origin"))


def test_in_live_an_unknown_folder_asks_before_anything_is_done(keeper: Keeper) -> None:
    """Who starts a restored copy in a new folder has no file that would tell."""
    asked: list[str] = []

    def says_no(question: str) -> bool:
        asked.append(question)
        return False

    restore.start(keeper, {}, asks=says_no)
    keeper.path.unlink()
    _loaded(keeper.database)

    with pytest.raises(SettingsError) as caught:
        restore.start(keeper, {}, asks=says_no)

    assert caught.value.code == "E_FIRST_START"
    assert len(asked) == 1  # an empty database is asked about nothing
    assert not keeper.path.exists()
    restore.start(keeper, {}, asks=lambda _question: True)
    assert keeper.path.exists()


def test_a_platform_with_keys_waits_when_it_may_have_forgotten_them(keeper: Keeper) -> None:
    """The backup is older than the keys live: the same key would be a new payment."""
    _loaded(keeper.database)
    generation.write_mark(keeper.path, Mark("abcd", 500))
    young = RetryPolicy(key_life_s=10 * 86400)
    old = RetryPolicy(key_life_s=2 * 3600 + 1)
    said: list[str] = []

    restore.start(
        keeper,
        {
            "orkestra": Keyed(idempotent=True, policy=young),
            "aged": Keyed(idempotent=True, policy=old),
        },
        say=said.append,
    )
    with keeper.database.unit() as unit:
        now = generation.blocking(unit)
        time.sleep(1.1)
        later = generation.blocking(unit)
    keeper.while_sending()

    assert (now, later) == (set(), {"aged"})
    with keeper.database.reading() as unit:
        paused = unit.execute(text("SELECT provider, reason FROM lane")).all()
        (number,) = unit.execute(text("SELECT generation FROM installation")).one()
    assert [tuple(row) for row in paused] == [("aged", "restored_found")]
    assert number > 500
    assert any("orkestra is sent to under the same keys until" in sentence for sentence in said)
