"""Pipelines of a project: found when a command runs, by name or by a file's place.

Three sources, a later one wins by name:

```
shipped                   payouts/data/pipelines/*.py in the wheel, pipelines/*.py in a checkout
pipelines/NAME.py         each declares PIPELINE = Pipeline(name="NAME", …)
[pipelines.NAME]          a table of the settings: a pipeline of its own, or changes of the above
```

A project that has a folder `pipelines/` says itself what is scheduled and what picks up which file:
there the shipped ones are reached by name only, without pattern and schedule, until a table gives
them some.
"""

from __future__ import annotations

from dataclasses import fields, replace
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, ValidationError

from payouts.core.errors import PayoutsError, SettingsError, UsageError
from payouts.core.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

    from payouts.settings import Project

__all__ = ["DEFAULT", "choose", "executed", "find_pipelines", "matches", "shipped_folder"]

DEFAULT: Final = "disbursement"
"""The pipeline of a file that no pattern matches."""


class _Table(BaseModel):
    """`[pipelines.NAME]`: the fields of `Pipeline` that can be written in a settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: str = ""
    description: str = ""
    mapping: dict[str, str] = {}
    constants: dict[str, str] = {}
    funding: str | None = None
    schedule: str | None = None
    timezone: str = "UTC"
    aggregated: bool = False
    policy: Literal["auto", "person"] | None = None
    reject_limit: float | None = None
    period: Literal["slot", "day", "week", "month"] = "day"


def find_pipelines(project: Project) -> dict[str, Pipeline]:
    """All pipelines of a project, by name.

    Raises:
        SettingsError: E_PIPELINE, naming the file or table, what is wrong and what to do.
    """
    own = project.root / "pipelines"
    found = _declared(_modules(shipped_folder()), "shipped")
    if own.is_dir():
        by_name = {name: replace(one, files="", schedule=None) for name, one in found.items()}
        found = by_name | _declared(_modules(own), "pipelines")
    for name, table in project.settings.pipelines.items():
        found[name] = _tabled(name, table.model_dump(), found.get(name))
    for pipeline in found.values():
        _require_timezone(pipeline)
    return dict(sorted(found.items()))


def choose(project: Project, file: Path, name: str | None = None) -> Pipeline:
    """The pipeline of a payee file: the named one, else the one whose pattern matches it.

    A file that no pattern matches goes through `disbursement`.

    Raises:
        UsageError: no pipeline has that name, or several match the file.
        SettingsError: see `find_pipelines`.
    """
    pipelines = find_pipelines(project)
    if name is not None:
        if name not in pipelines:
            raise UsageError(
                f"there is no pipeline '{name}'",
                hint=f"There are {', '.join(pipelines)}; a new one is pipelines/{name}.py.",
            )
        return pipelines[name]
    matching = [one for one in pipelines.values() if matches(one, file, project.root)]
    if len(matching) > 1:
        listed = ", ".join(f"{one.name} ({one.files})" for one in matching)
        raise UsageError(
            f"several pipelines take {file.name}: {listed}",
            hint=f"Say which one: --pipeline {matching[0].name}",
        )
    return matching[0] if matching else pipelines[DEFAULT]


def matches(pipeline: Pipeline, file: Path, root: Path) -> bool:
    """Whether a pipeline's pattern, relative to the project, takes a file."""
    if not pipeline.files:
        return False
    pattern = root / pipeline.files
    place = file.absolute()
    return place.parent.resolve() in {
        folder.resolve() for folder in _folders(pattern.parent)
    } and place.match(pattern.name)


def shipped_folder() -> Path:
    """Where the shipped pipelines are: in the wheel's data, or beside the package in a checkout."""
    package = Path(__file__).parent
    inside = package / "data" / "pipelines"
    return inside if inside.is_dir() else package.parent / "pipelines"


def _folders(pattern: Path) -> Iterable[Path]:
    """The folders that a pattern's own folder stands for; itself where it is not a pattern."""
    parts = pattern.parts
    plain = next((place for place, part in enumerate(parts) if "*" in part or "?" in part), None)
    if plain is None:
        return (pattern,)
    return Path(*parts[:plain]).glob(str(Path(*parts[plain:])))


def executed(path: Path, name: str) -> ModuleType:
    """A Python file of the project's own, executed as a module of this name.

    It raises whatever the file does. It is compiled here, so that no __pycache__ appears in a
    folder that belongs to the user.
    """
    loader = SourceFileLoader(name, str(path))
    module = module_from_spec(ModuleSpec(name, loader, origin=str(path)))
    code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    exec(code, module.__dict__)  # noqa: S102  the project's own Python
    return module


def _modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def _declared(paths: Iterable[Path], said: str) -> dict[str, Pipeline]:
    return {path.stem: _loaded(path, f"{said}/{path.name}") for path in paths}


def _loaded(path: Path, said: str) -> Pipeline:
    """The pipeline that a Python file declares; the file is executed."""
    try:
        module = executed(path, f"payouts_pipeline_{path.stem}")
    except PayoutsError as error:
        raise _wrong(f"{said}: {error.message}", error.hint) from None
    except (Exception, SystemExit) as error:
        raise _wrong(
            f"{said} cannot be loaded: {type(error).__name__}: {error}{_where(error, path)}",
            "Repair the file, or take it out of the folder.",
        ) from error
    declared = getattr(module, "PIPELINE", None)
    if not isinstance(declared, Pipeline):
        raise _wrong(
            f"{said} declares no pipeline",
            f'Write PIPELINE = Pipeline(name="{path.stem}", …) with `from payouts import Pipeline`,'
            " or begin the file's name with _ if it only helps others.",
        )
    if declared.name != path.stem:
        raise _wrong(
            f"{said} declares a pipeline named '{declared.name}'",
            f'Name it as its file: Pipeline(name="{path.stem}", …), or rename the file.',
        )
    return declared


def _where(error: BaseException, path: Path) -> str:
    """The line of the file at which an error left it."""
    if isinstance(error, SyntaxError):
        return ""  # its own words name the line
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f" (line {line})"


def _tabled(name: str, table: Mapping[str, object], known: Pipeline | None) -> Pipeline:
    """A pipeline as a table says it, on top of the one of that name, if there is one."""
    try:
        said = _Table.model_validate(table).model_dump(exclude_unset=True)
        return replace(known, **said) if known else Pipeline(name=name, **said)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        words = "is no field of a pipeline" if first["type"] == "extra_forbidden" else first["msg"]
        raise _wrong(
            f"[pipelines.{name}] {where}: {words}",
            f"The fields are {', '.join(one.name for one in fields(Pipeline)[1:-1])}.",
        ) from None
    except UsageError as error:
        raise _wrong(f"[pipelines.{name}] {error.message}", error.hint) from None


def _require_timezone(pipeline: Pipeline) -> None:
    try:
        ZoneInfo(pipeline.timezone)
    except (KeyError, ValueError, OSError):
        raise _wrong(
            f"pipeline {pipeline.name}: '{pipeline.timezone}' is no time zone",
            "Write an IANA name, for example Europe/Helsinki or UTC.",
        ) from None


def _wrong(message: str, hint: str) -> SettingsError:
    return SettingsError(message, hint=hint, code="E_PIPELINE")
