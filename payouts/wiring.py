"""Wiring: the one place that turns settings into parts and hands plain values to the flows."""

from __future__ import annotations

import hashlib
import secrets
import tomllib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import text

from payouts import local
from payouts.core.currencies import currency
from payouts.core.errors import SettingsError
from payouts.core.retry import RetryPolicy
from payouts.flows import collect, restore
from payouts.flows.cancel import CancelOrder
from payouts.flows.identity import NEWEST, Signer
from payouts.flows.inbox import InboxOrder
from payouts.flows.lane import LaneOrder
from payouts.flows.load import LoadOrder
from payouts.intake import coverage
from payouts.intake.checks import Rules
from payouts.intake.limits import FileLimits
from payouts.intake.source import opened as opened_source
from payouts.platforms import checked_keys, collector, keeper, payers, vault_of
from payouts.plugged import plugged, twins
from payouts.providers.calls import Calls
from payouts.providers.client import Timeouts
from payouts.providers.events import Hearing
from payouts.providers.signatures import BasicUsers, HmacHeader
from payouts.store import embedded, migrate
from payouts.store.engine import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pydantic import SecretStr

    from payouts.core.pipeline import Pipeline
    from payouts.flows.keycheck import Checked
    from payouts.providers.connector import Connector
    from payouts.providers.orchestra import Orchestra
    from payouts.providers.orchestrate import Orchestrate
    from payouts.providers.signatures import Verifier
    from payouts.settings import Project, Settings
    from payouts.vault import Vault

__all__ = ["LANDINGS", "Parts", "create_database", "opened", "upgrade_database"]

_SANDBOX_PACE = 0.01
_SANDBOX_DEADLINE_S = 20.0
_SANDBOX_SIGNS = {
    "orkesta": "sandbox-orkesta-webhook-secret",
    "orkestra": "sandbox-orkestra-hook:sandbox-orkestra-hook-secret",
    "orchestrate": "sandbox-orchestrate-webhook-secret",
}
_DATABASE = "payouts"
LANDINGS = ("success", "cancel")
"""Static pages of `payouts/data/landing`, served as `/paid/<word>`; they say that they prove nothing."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a command works with, built from the settings of one project.

    Args:
        orchestrate: collects money by payment links; none without its key.
        orchestra: keeps keys of account data, operates on cards; none without its key.
        keeper: raises the generation of the database and the file beside it (P22).
    """

    project: Project
    database: Database
    vault: Vault
    signer: Signer
    connectors: dict[str, Connector]
    database_id: str
    keeper: restore.Keeper
    orchestrate: Orchestrate | None = None
    orchestra: Orchestra | None = None

    @property
    def settings(self) -> Settings:
        """The project's settings."""
        return self.project.settings

    def policy(self, provider: str) -> RetryPolicy:
        """The retry policy of a provider."""
        settings = self.settings.retry
        sandbox = self.settings.environment == "sandbox"
        pace = settings.pace or (_SANDBOX_PACE if sandbox else 1.0)
        life = self.connectors[provider].capabilities.key_life_s
        return RetryPolicy(pace=pace, tries_max=settings.tries_max, key_life_s=life)

    def timeouts(self) -> Timeouts:
        """Time-outs of one request."""
        sandbox = self.settings.environment == "sandbox"
        overall = self.settings.retry.overall_s or (_SANDBOX_DEADLINE_S if sandbox else 60.0)
        return Timeouts(read=min(30.0, overall), overall=overall)

    def lane_order(
        self, provider: str, funding: str, *, stopping: Callable[[], bool] = lambda: False
    ) -> LaneOrder:
        """What `flows.lane.work_lane` needs for one lane."""
        if provider not in self.connectors:
            raise SettingsError(
                f"provider {provider} has no credentials", hint=f"Set them under [{provider}]."
            )
        return LaneOrder(
            database=self.database,
            connector=self.connectors[provider],
            funding=funding,
            policy=self.policy(provider),
            vault=self.vault,
            exponents=lambda code: currency(code).exponent,
            timeouts=self.timeouts(),
            stopping=stopping,
            claimed=self.keeper.claimed,
        )

    def cancel_order(self, *, stopping: Callable[[], bool] = lambda: False) -> CancelOrder:
        """What `flows.cancel.work_cancels` needs."""
        return CancelOrder(
            database=self.database,
            connectors=self.connectors,
            policies={name: self.policy(name) for name in self.connectors},
            timeouts=self.timeouts(),
            stopping=stopping,
        )

    def inbox_order(self, *, stopping: Callable[[], bool] = lambda: False) -> InboxOrder:
        """What `flows.inbox.apply` needs."""
        speak = {**self.connectors, "orchestrate": self.orchestrate}
        return InboxOrder(
            database=self.database,
            vault=self.vault,
            hearings={name: one for name, one in speak.items() if isinstance(one, Hearing)},
            exponents=lambda code: currency(code).exponent,
            handlers={"collection": collect.hear},
            pace=self.pace,
            stopping=stopping,
        )

    def collect_order(self) -> collect.CollectOrder:
        """What `flows.collect` needs.

        Raises:
            SettingsError: Orchestrate has no key.
        """
        if self.orchestrate is None:
            raise SettingsError(
                "Orchestrate has no API key here, so nothing can be collected",
                hint="Set api_key under [orchestrate], or PAYOUTS_ORCHESTRATE__API_KEY.",
            )
        timeouts = self.timeouts()
        return collect.CollectOrder(
            database=self.database,
            connector=self.orchestrate,
            send=Calls(self.orchestrate.base_url, self.orchestrate.headers, timeouts),
            pace=self.pace,
            lease_s=timeouts.overall + 45.0,
        )

    def check_keys(self) -> dict[str, Checked]:
        """Whether the keys of Orchestra and Orchestrate, where they are given, are known there."""
        sandbox = self.settings.environment == "sandbox"
        return checked_keys(self.orchestra, self.orchestrate, sandbox=sandbox)

    def landing_urls(self) -> tuple[str | None, str | None]:
        """Where the browser of who paid, or left, is sent; none: the platform's own page.

        Said in the settings, or else the pages of `payouts serve` under its public name.
        """
        given, hosts = self.settings.orchestrate, self.settings.web.hosts
        own = [f"https://{hosts[0]}/paid/{word}" if hosts else None for word in LANDINGS]
        return given.success_url or own[0], given.cancel_url or own[1]

    @property
    def pace(self) -> float:
        """The factor on our waits."""
        sandbox = self.settings.environment == "sandbox"
        return self.settings.retry.pace or (_SANDBOX_PACE if sandbox else 1.0)

    def verifiers(self) -> dict[str, Verifier]:
        """By provider, who knows its signatures; only those that have a secret.

        Raises:
            SettingsError: a secret is empty, or in live one that everybody can read in our source.
        """
        settings = self.settings
        sandbox = settings.environment == "sandbox"
        given = {
            "orkesta": _revealed(settings.orkesta.webhook_secrets),
            "orkestra": _revealed(settings.orkestra.webhook_users),
            "orchestrate": _revealed(settings.orchestrate.webhook_secrets),
        }
        if sandbox:
            given = {name: [*given[name], _SANDBOX_SIGNS[name]] for name in given}
        elif known := [n for n in given if not {*given[n]}.isdisjoint(_SANDBOX_SIGNS.values())]:
            raise SettingsError(
                f"the webhook secret of {known[0]} is the sandbox's own, which everybody can read",
                hint="Give the one that the platform showed when the webhook was registered.",
            )
        made: dict[str, Verifier] = {
            "orkesta": HmacHeader("X-Signature-256", given["orkesta"]),
            "orkestra": BasicUsers(given["orkestra"]),
            "orchestrate": HmacHeader(settings.orchestrate.webhook_header, given["orchestrate"]),
        }
        return {name: one for name, one in made.items() if given[name]}

    def rules(self, today: date | None = None) -> Rules:
        """What a line is checked against."""
        settings = self.settings
        overrides = self.project.root / settings.coverage if settings.coverage else None
        return Rules(
            coverage=coverage.load(overrides, plugged=settings.connectors),
            environment=settings.environment,
            today=today or datetime.now(UTC).date(),
            own_accounts=frozenset(settings.own_accounts),
            leone=settings.leone,
            allow_undocumented_rails=frozenset(settings.allow_undocumented_rails),
        )

    def take_copy(self, source: Path) -> Path:
        """Our own private copy of a payee file; what is surveyed and loaded is the copy (P2)."""
        folder = local.private_directory(self.project.state / "files")
        unfinished = folder / f"{secrets.token_hex(8)}.part"
        digest = hashlib.sha256()
        with opened_source(source, FileLimits()) as (given, _), unfinished.open("xb") as copy:
            while piece := given.read(1 << 20):
                digest.update(piece)
                copy.write(piece)
        unfinished.chmod(0o600)
        kept = folder / f"{digest.hexdigest()}{source.suffix.lower()[:8]}"
        try:
            kept.hardlink_to(unfinished)  # never over a copy that somebody reads just now
        except FileExistsError:
            if _sha256(kept) != digest.hexdigest():
                return unfinished.rename(kept)
        unfinished.unlink()
        return kept

    def load_order(
        self, pipeline: Pipeline, source: Path, copy: Path, **changes: object
    ) -> LoadOrder:
        """How `flows.load` is to load a file through a pipeline."""
        settings = self.settings
        sandbox = settings.environment == "sandbox"
        limit = (
            pipeline.reject_limit if pipeline.reject_limit is not None else settings.reject_limit
        )
        order = LoadOrder(
            payer=settings.payer,
            pipeline=pipeline.name,
            period=pipeline.period_at(datetime.now(ZoneInfo(pipeline.timezone))),
            source_name=source.name,
            source_copy=str(copy.relative_to(self.project.root)),
            funding=pipeline.funding or settings.funding,
            policy=pipeline.policy or ("auto" if sandbox else "person"),
            actor="policy:sandbox" if sandbox else "person",
            aggregated=pipeline.aggregated,
            reject_share_max=limit,
            opening_minor=_Opening(settings.sandbox.opening) if sandbox else None,
            transform=pipeline.transform,
        )
        return replace(order, **changes)  # type: ignore[arg-type]

    @property
    def batch_max(self) -> dict[str, int]:
        """Items per batch of each provider."""
        return {name: c.capabilities.batch_max for name, c in self.connectors.items()}


def _revealed(secrets_given: Sequence[SecretStr]) -> list[str]:
    return [secret.get_secret_value() for secret in secrets_given]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Opening(dict[str, int]):
    """Minor units of the stated opening balance, for whichever currency is asked."""

    def __init__(self, major: int) -> None:
        super().__init__()
        self._major = major

    def __missing__(self, code: str) -> int:
        scale: int = 10 ** currency(code).exponent
        return self._major * scale


@contextmanager
def opened(
    project: Project,
    *,
    progress: Callable[[str], None] = lambda _sentence: None,
    platforms: bool = True,
    warned: Callable[[str], None] = lambda _sentence: None,
    first_start: Callable[[str], bool] = lambda _question: False,
) -> Iterator[Parts]:
    """Start what the project needs, migrate an embedded database, and give the parts.

    A database that is older than the file beside it was restored from a backup: what follows from
    that is done here, before anything can be sent (P22).

    Args:
        platforms: start the sandbox too (in the sandbox environment).
        warned: receives what a person has to read.
        first_start: in live, asks a person whether a database that this folder does not know is
            the current one.

    Raises:
        SettingsError: keys that do not belong to this database, a database to be migrated, or one
            that nobody knows here.
    """
    settings = project.settings
    with ExitStack() as stack:
        local.private_directory(project.state, passable=True)
        _ignore(project.state)
        database = _database(project, stack, progress)
        stack.callback(database.dispose)
        install_key, vault_key = _keys(project)
        database_id, version = _claim_installation(database, settings, install_key, vault_key)
        base_urls = None
        # Where Orchestra keeps keys, no command opens account data without it.
        needed = platforms or settings.vault == "orchestra"
        if settings.environment == "sandbox" and needed:
            base_urls = stack.enter_context(
                local.sandbox_running(
                    project.state / "sandbox",
                    speed=settings.sandbox.speed,
                    extra_args=_fault_args(project),
                    progress=progress,
                )
            )
        orchestra = keeper(settings, base_urls)
        parts = Parts(
            project,
            database,
            vault_of(settings, vault_key, orchestra),
            Signer(install_key, version),
            payers(settings, base_urls) | plugged(project, base_urls),
            database_id,
            restore.Keeper(database, project.state / "generation", database_id),
            collector(settings, base_urls),
            orchestra,
        )
        _start_generation(parts, warned, first_start)
        yield parts


def _start_generation(
    parts: Parts, warned: Callable[[str], None], first_start: Callable[[str], bool]
) -> None:
    restore.start(
        parts.keeper,
        {
            name: restore.Keyed(
                one.capabilities.idempotent,
                parts.policy(name),
                by_reference=one.capabilities.lookup_by_reference,
            )
            for name, one in parts.connectors.items()
        },
        asks=first_start if parts.settings.environment == "live" else None,
        say=warned,
    )


def _database(project: Project, stack: ExitStack, progress: Callable[[str], None]) -> Database:
    url = project.settings.database.url
    if url is not None:
        database = Database.from_url(url.get_secret_value())
        if not project.settings.database.allow_unsafe:
            database.require_durable()
        if migrate.current(database) != migrate.head():
            raise SettingsError(
                "the database does not have the shape that this version needs",
                hint="Run `payouts db upgrade`.",
                code="E_DATABASE_OLD",
            )
        return database
    directory = project.state / "postgres"
    if project.settings.environment == "live" and not embedded.exists(directory):
        raise _no_embedded(directory)
    server = stack.enter_context(embedded.running(directory, progress=progress))
    server.ensure_database(_DATABASE)
    database = Database.from_args(server.connect_args(_DATABASE))
    migrate.upgrade(database)
    return database


def create_database(project: Project, *, progress: Callable[[str], None]) -> bool:
    """Make the project's embedded database; false where it was there.

    The one way to get a new one in live, where an empty database by mistake would mean that
    everybody is paid again.

    Raises:
        SettingsError: the project has the URL of a database of its own.
    """
    if project.settings.database.url is not None:
        raise SettingsError(
            "this project's database is given by its URL",
            hint="Create it there (CREATE DATABASE …), then run `payouts db upgrade`.",
        )
    local.private_directory(project.state)
    _ignore(project.state)
    directory = project.state / "postgres"
    made = not embedded.exists(directory)
    with embedded.running(directory, progress=progress) as server:
        server.ensure_database(_DATABASE)
        database = Database.from_args(server.connect_args(_DATABASE))
        try:
            migrate.upgrade(database)
        finally:
            database.dispose()
    return made


def upgrade_database(project: Project, *, progress: Callable[[str], None]) -> tuple[str, str]:
    """Give the project's database the shape of this version: revision (before, after)."""
    url = project.settings.database.url
    with ExitStack() as stack:
        if url is not None:
            database = Database.from_url(url.get_secret_value())
        else:
            directory = project.state / "postgres"
            if not embedded.exists(directory):
                raise _no_embedded(directory)
            server = stack.enter_context(embedded.running(directory, progress=progress))
            database = Database.from_args(server.connect_args(_DATABASE))
        stack.callback(database.dispose)
        return migrate.upgrade(database), migrate.current(database)


def _no_embedded(directory: Path) -> SettingsError:
    return SettingsError(
        f"there is no embedded database in {directory}",
        hint="If this is a new installation, run `payouts db create`; else check the folder.",
        code="E_DATABASE_MISSING",
    )


def _ignore(state: Path) -> None:
    ignore = state / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")


def _keys(project: Project) -> tuple[bytes, bytes]:
    """Install key and vault key: given, or in the sandbox generated once (ARCHITECTURE §10)."""
    given = [project.settings.install_key, project.settings.vault_key]
    stored: dict[str, str] = {}
    if None in given:
        stored = _sandbox_secrets(project.state / "secrets.toml")
    keys = []
    for name, secret in zip(("install_key", "vault_key"), given, strict=True):
        value = secret.get_secret_value() if secret is not None else stored[name]
        try:
            key = bytes.fromhex(value)
        except ValueError:
            key = b""
        if len(key) != 32:  # noqa: PLR2004  bytes of an AES-256 key
            raise SettingsError(f"{name} is not 64 hex digits", hint="`openssl rand -hex 32`")
        keys.append(key)
    return keys[0], keys[1]


def _sandbox_secrets(path: Path) -> dict[str, str]:
    if not path.exists():
        unfinished = path.with_suffix(f".{secrets.token_hex(4)}")
        unfinished.touch(mode=0o600)
        unfinished.write_text(
            "# Generated for the sandbox. Without the install key everybody would be paid again.\n"
            f'install_key = "{secrets.token_hex(32)}"\nvault_key = "{secrets.token_hex(32)}"\n'
        )
        try:
            path.hardlink_to(unfinished)  # only one of two first starters wins
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()
    return {name: str(value) for name, value in tomllib.loads(path.read_text()).items()}


def _claim_installation(
    database: Database, settings: Settings, install_key: bytes, vault_key: bytes
) -> tuple[str, int]:
    """Bind the database to its keys and environment; stop everything where they do not match.

    Returns:
        The database's id, and the version by which it identifies lines.
    """
    prints = {
        "install": hashlib.sha256(b"payouts install" + install_key).hexdigest()[:16],
        "vault": hashlib.sha256(b"payouts vault" + vault_key).hexdigest()[:16],
        "environment": settings.environment,
        "id": secrets.token_hex(4),
    }
    with database.unit() as unit:
        unit.execute(
            text(
                "INSERT INTO installation (database_id, environment, install_key_fingerprint,"
                " vault_key_fingerprint, identity_version)"
                " VALUES (:id, :environment, :install, :vault, :version)"
                " ON CONFLICT DO NOTHING"
            ),
            {**prints, "version": NEWEST},
        )
        row = unit.execute(
            text(
                "SELECT database_id, environment, install_key_fingerprint, vault_key_fingerprint,"
                " identity_version FROM installation"
            )
        ).one()
    for name, stored, ours in (
        ("environment", row[1], prints["environment"]),
        ("install key", row[2], prints["install"]),
        ("vault key", row[3], prints["vault"]),
    ):
        if stored != ours:
            raise SettingsError(
                f"this database belongs to another {name} ({stored}, not {ours})",
                hint="Nothing was sent. Restore the right key, or use this project's own database.",
                code="E_INSTALLATION",
            )
    return str(row[0]), int(row[4])


def _fault_args(project: Project) -> list[str]:
    sandbox = project.settings.sandbox
    given = [word for twin in twins(project) for word in ("--platform", str(twin))]
    if sandbox.faults:
        given += ["--faults", str(project.root / sandbox.faults)]
    if sandbox.seed is not None:
        given += ["--seed", str(sandbox.seed)]
    return given
