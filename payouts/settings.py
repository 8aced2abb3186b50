"""Settings: what a project says about itself, from file and environment.

Precedence: environment (`PAYOUTS_…`, nested by `__`) over `payouts.toml` (or `[tool.payouts]` of
`pyproject.toml`) over the defaults here. The project folder is the nearest ancestor of the working
directory that has such a file (ARCHITECTURE §10).
"""

from __future__ import annotations

import os
import tomllib
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from payouts.core.errors import SettingsError

__all__ = ["ConnectorSettings", "Project", "Settings", "find_project", "load_settings"]

_FILE: ContextVar[dict[str, Any]] = ContextVar("payouts_settings_file")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(_Table):
    """Where the database is."""

    url: SecretStr | None = Field(None, description="a PostgreSQL URL; left out: the embedded one")
    allow_unsafe: bool = Field(
        default=False, description="accept a server with fsync or synchronous_commit off"
    )


class OrkestaSettings(_Table):
    """The Orkesta workspace."""

    base_url: str = Field("https://api.orkesta.com.tr/v1", description="live base URL")
    api_key: SecretStr | None = Field(None, description="a key with the scope read-write")
    from_accounts: dict[str, str] = Field(
        default_factory=dict, description="currency -> the acc_… that is debited"
    )
    concurrency: int = Field(4, ge=1, le=64, description="batches in flight")
    webhook_secrets: tuple[SecretStr, ...] = Field(
        (), description="secrets of its webhooks; two while one is exchanged"
    )


class OrkestraSettings(_Table):
    """The Orkestra merchant."""

    base_url: str = Field("https://orkestrapay.io", description="live base URL")
    key_id: str | None = Field(None, description="HTTP Basic user (A-ORK-1)")
    secret: SecretStr | None = Field(None, description="HTTP Basic password")
    concurrency: int = Field(16, ge=1, le=256, description="payouts in flight")
    key_life_h: float = Field(24, ge=0, description="hours a referenceId is kept (A-ORK-10)")
    webhook_users: tuple[SecretStr, ...] = Field(
        (), description="user:password of its webhooks; two while one is exchanged"
    )


class ConnectorSettings(_Table):
    """A connector of the project's own; see `payouts.plugged`."""

    connector: str = Field(description="its Python file, relative to the project")
    twin: str | None = Field(None, description="the file that the sandbox plays it by")
    base_url: str | None = Field(None, description="live base URL")
    options: dict[str, SecretStr] = Field(
        default_factory=dict, description="what its connect(base_url, **options) takes"
    )


class OrchestraSettings(_Table):
    """The Orchestra account: the vault for account data, and operations on cards."""

    base_url: str = Field("https://api.orchestrasolutions.com", description="live base URL")
    api_key: SecretStr | None = Field(None, description="a key of the portal")


class OrchestrateSettings(_Table):
    """The Orchestrate account, which collects money by payment links."""

    base_url: str = Field("https://orchestrate.global", description="live base URL")
    api_key: SecretStr | None = Field(None, description="a key of Developer » API Keys")
    webhook_header: str = Field(
        "X-Orchestrate-Signature", description="the header that signs its webhooks (A-ORT-3)"
    )
    webhook_secrets: tuple[SecretStr, ...] = Field(
        (), description="secrets of its webhooks; two while one is exchanged"
    )
    mcc: int | None = Field(None, ge=0, le=9999, description="merchant category code")
    customer_name: str | None = Field(None, description="who pays, if nobody says otherwise")
    customer_email: str | None = Field(None, description="the e-mail address of who pays")
    success_url: str | None = Field(None, description="where the browser goes; never evidence")
    cancel_url: str | None = Field(None, description="where it goes when the visitor leaves")
    valid_h: float = Field(24, gt=0, le=8760, description="hours until a payment link ends")


class RetrySettings(_Table):
    """Times of retries; see `payouts.core.retry`."""

    pace: float | None = Field(
        None, gt=0, description="factor on all waits; left out: 1 in live, 0.01 in the sandbox"
    )
    tries_max: int = Field(10, ge=1, description="sends that were proven not executed")
    overall_s: float | None = Field(
        None, gt=0, description="deadline of one request; left out: 60, in the sandbox 20"
    )


class WebSettings(_Table):
    """Where `payouts serve` listens for webhooks."""

    host: str = Field("127.0.0.1", description="the address; another one needs web.open")
    port: int = Field(
        8321,
        ge=0,
        le=65535,
        description="the port; 0: any that is free, in the sandbox also where it is taken",
    )
    open: bool = Field(
        default=False, description="listen on an address that other machines can reach"
    )
    hosts: tuple[str, ...] = Field(
        (), description="names under which it is called, e.g. pay.example.com"
    )


class SandboxSettings(_Table):
    """The imitation that the sandbox environment talks to."""

    speed: float | Literal["instant"] = Field(
        10.0, description="how fast payments settle: a factor (1: a second or two), or instant"
    )
    faults: str | None = Field(None, description="a file of fault recipes, relative to the project")
    seed: int | None = Field(None, description="a storm of faults drawn from this seed")
    opening: int = Field(
        1_000_000_000, ge=0, description="major units that a funding account opens with"
    )


class PipelineSettings(_Table):
    """A pipeline written as a table; the fields are those of `payouts.Pipeline`."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Settings(BaseSettings):
    """Everything that can be set.

    Args:
        environment: `sandbox` by default; `live` needs to be said and keys given.
        payer: whose payments these are; part of every line's identity, never change it.
    """

    model_config = SettingsConfigDict(
        env_prefix="PAYOUTS_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    environment: Literal["sandbox", "live"] = Field(
        "sandbox", description="imitated platforms, or live: real money, by your keys"
    )
    payer: str = Field(
        "default",
        min_length=1,
        max_length=64,
        description="whose payments these are; part of every line's identity, never change it",
    )
    funding: str = Field("main", description="the funding account of pipelines that name none")
    install_key: SecretStr | None = Field(None, description="64 hex digits; given in live")
    vault_key: SecretStr | None = Field(None, description="64 hex digits; given in live")
    vault: Literal["local", "orchestra"] = Field(
        "local", description="who keeps the keys of account data: this vault key, or also Orchestra"
    )
    leone: Literal["SLL", "SLE"] | None = Field(
        None, description="which leone Orkestra means; asked once in live"
    )
    reject_limit: float = Field(
        0.02, ge=0, le=1, description="share of bad lines that holds a file"
    )
    own_accounts: tuple[str, ...] = Field((), description="accounts that are never paid")
    allow_undocumented_rails: tuple[str, ...] = Field(
        (), description="e.g. orkestra:mobile_money; live only (A-ORK-5)"
    )
    coverage: str | None = Field(None, description="a CSV of your own coverage rows")
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    orkesta: OrkestaSettings = Field(default_factory=OrkestaSettings)
    orkestra: OrkestraSettings = Field(default_factory=OrkestraSettings)
    orchestra: OrchestraSettings = Field(default_factory=OrchestraSettings)
    orchestrate: OrchestrateSettings = Field(default_factory=OrchestrateSettings)
    retry: RetrySettings = Field(default_factory=RetrySettings)
    web: WebSettings = Field(default_factory=WebSettings)
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)
    connectors: dict[str, ConnectorSettings] = Field(
        default_factory=dict, description="platforms of your own, a Python file each"
    )
    pipelines: dict[str, PipelineSettings] = Field(
        default_factory=dict, description="pipelines written as tables, see `payouts.Pipeline`"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then environment, then file."""
        return init_settings, env_settings, _FileSource(settings_cls)


class _FileSource(PydanticBaseSettingsSource):
    """The tables that `load_settings` read."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ANN401, ARG002  pydantic's signature
        return _FILE.get({}).get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(_FILE.get({}))


@dataclass(frozen=True, slots=True)
class Project:
    """A project folder and its settings.

    Args:
        root: the folder.
        file: the settings file; none where there is none (the sandbox only).
        origin: dotted setting -> where its value came from.
    """

    root: Path
    file: Path | None
    settings: Settings
    origin: dict[str, str]

    @property
    def state(self) -> Path:
        """`.payouts/`: database, sandbox, copies, reports, secrets; git-ignored."""
        return self.root / ".payouts"


def find_project(start: Path | None = None) -> tuple[Path, Path | None, dict[str, Any]]:
    """The project folder, its settings file and what it says; the start itself without one."""
    given = os.environ.get("PAYOUTS_CONFIG")
    if given:
        path = Path(given).absolute()
        return path.parent, path, _read(path)
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / "payouts.toml").is_file():
            return folder, folder / "payouts.toml", _read(folder / "payouts.toml")
        project = folder / "pyproject.toml"
        if project.is_file():
            table = _read(project).get("tool", {}).get("payouts")
            if table is not None:
                return folder, project, table
    return here, None, {}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist", hint="Check PAYOUTS_CONFIG.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}", hint="Repair that line.") from None


def load_settings(start: Path | None = None) -> Project:
    """Read the settings of the project around `start` (default: the working directory).

    Raises:
        SettingsError: a value is wrong, an unknown name is set, or live lacks what it needs.
    """
    root, file, table = find_project(start)
    token = _FILE.set(table)
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"setting '{where}': {first['msg']}",
            hint=f"It comes from {file.name if file else 'the environment'} or PAYOUTS_…;"
            " `payouts config show` lists all settings.",
        ) from None
    finally:
        _FILE.reset(token)
    if settings.environment == "live":
        _require_live(settings, file)
    return Project(root, file, settings, _origins(settings, table))


def _require_live(settings: Settings, file: Path | None) -> None:
    """Live needs a project folder and its keys: another folder would pay everybody again."""
    if file is None:
        raise SettingsError(
            "environment is live, but no payouts.toml was found here or above",
            hint="Change into the project folder, or name its file in PAYOUTS_CONFIG.",
        )
    for name in ("install_key", "vault_key"):
        if getattr(settings, name) is None:
            raise SettingsError(
                f"environment is live, but {name} is not given",
                hint=f"Set PAYOUTS_{name.upper()} to 64 hex digits and keep a copy of them safe.",
            )


def _origins(settings: Settings, table: dict[str, Any]) -> dict[str, str]:
    found = {}
    for path in _paths(settings.model_dump(), ()):
        variable = "PAYOUTS_" + "__".join(path).upper()
        if any(name.upper() == variable for name in os.environ):
            found[".".join(path)] = variable
        else:
            found[".".join(path)] = "file" if _holds(table, path) else "default"
    return found


def _paths(value: dict[str, Any], above: tuple[str, ...]) -> list[tuple[str, ...]]:
    paths: list[tuple[str, ...]] = []
    for name, below in value.items():
        here = (*above, str(name))
        paths += _paths(below, here) if isinstance(below, dict) and below else [here]
    return paths


def _holds(table: Any, path: tuple[str, ...]) -> bool:  # noqa: ANN401  TOML values
    for name in path:
        if not isinstance(table, dict) or name not in table:
            return False
        table = table[name]
    return True
