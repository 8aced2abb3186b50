"""Connectors of a project's own: a Python file each, named in the settings.

```toml
[connectors.quintet]
connector = "connectors/quintet.py"      # has connect(base_url, **options) -> Connector
twin = "connectors/quintet_twin.py"      # has PLATFORM; the sandbox plays it (see sandbox.platforms)
base_url = "https://api.quintet.example" # live
[connectors.quintet.options]
api_key = "…"
```

Rows of `coverage` then name the connector as their provider.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from payouts.core.errors import PayoutsError, SettingsError
from payouts.discover import executed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from payouts.providers.connector import Connector
    from payouts.settings import ConnectorSettings, Project

__all__ = ["plugged", "twins"]


def plugged(project: Project, sandbox: str | None) -> dict[str, Connector]:
    """The connectors of `[connectors.NAME]`, by name.

    Args:
        sandbox: in the sandbox environment its base URL; there a connector talks to its twin.

    Raises:
        SettingsError: E_CONNECTOR, naming the file, what is wrong and what to do.
    """
    settings = project.settings
    made: dict[str, Connector] = {}
    for name, one in settings.connectors.items():
        live = settings.environment == "live"
        base = one.base_url if live else f"{sandbox or 'http://127.0.0.1:9'}/{name}"
        if base is None:
            raise _wrong(f"connectors.{name} has no base_url", "Live needs one.")
        if not live and one.twin is None:
            raise _wrong(
                f"connectors.{name} has no twin", "Name the file that the sandbox plays it by."
            )
        options = {key: value.get_secret_value() for key, value in one.options.items()}
        made[name] = _connected(project.root, name, one, base, options)
    return made


def twins(project: Project) -> list[Path]:
    """The files of the twins that the sandbox is to play."""
    found = [
        (name, project.root / one.twin)
        for name, one in project.settings.connectors.items()
        if one.twin is not None
    ]
    for name, path in found:
        if not path.is_file():
            raise _wrong(f"connectors.{name}.twin: there is no {path.name}", "Check the path.")
    return [path for _, path in found]


def _connected(
    root: Path, name: str, one: ConnectorSettings, base: str, options: Mapping[str, str]
) -> Connector:
    try:
        module = executed(root / one.connector, f"payouts_connector_{name}")
    except PayoutsError:
        raise
    except (Exception, SystemExit) as error:
        what = f"{Path(one.connector).name} cannot be loaded: {type(error).__name__}: {error}"
        raise _wrong(what, "Repair the file.") from error
    connect = getattr(module, "connect", None)
    if not callable(connect):
        raise _wrong(f"{one.connector} has no connect(base_url, **options)", "Write that function.")
    try:
        made: Connector = connect(base, **options)
    except TypeError as error:
        raise _wrong(
            f"connectors.{name}.options: {error}", f"See connect in {one.connector}."
        ) from error
    if made.name != name:
        raise _wrong(
            f"{one.connector} makes a connector named '{made.name}'",
            f"Name it as its table: {name}.",
        )
    return made


def _wrong(what: str, hint: str) -> SettingsError:
    return SettingsError(what, hint=hint, code="E_CONNECTOR")
