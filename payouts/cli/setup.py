"""`payouts init`, `template`, `coverage`, `config`: a project, files to fill in, what can be paid."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from payouts.cli import frame
from payouts.cli.frame import Exit, Json, Panel, add
from payouts.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from payouts.settings import Project

__all__ = ["register"]

_SKELETON = (
    ("payouts.toml.tmpl", "payouts.toml"),
    ("gitignore.tmpl", ".gitignore"),
    ("inputs/README.md", "inputs/README.md"),
    ("inputs/example.csv", "inputs/example.csv"),
    ("pipelines/weekly.py.tmpl", "pipelines/weekly.py"),
)
"""Files of a new project: as package data, and as they are called there."""

_SECRET_SHOWN = "(given, not shown)"  # noqa: S105  what is shown in place of a secret


class Format(StrEnum):
    """Kinds of files to fill in."""

    CSV = "csv"
    XLSX = "xlsx"


def register(app: typer.Typer) -> None:
    """Add the commands of a set-up."""
    add(app, init, panel=Panel.SETUP, example="payouts init payroll --payer acme-oy")
    add(
        app,
        template,
        panel=Panel.SETUP,
        example="payouts template --country BR --method pix --format xlsx",
    )
    add(app, coverage, panel=Panel.OPERATE, example="payouts coverage Kenya")
    from payouts.cli.app import Below  # noqa: PLC0415  it imports the modules of commands

    group = typer.Typer(
        cls=Below,
        help="Settings: what they are and where they come from.",
        no_args_is_help=True,
        rich_markup_mode=None,
        epilog="Example: payouts config show retry",
    )
    add(group, config_show, panel=Panel.OPERATE, name="show", example="payouts config show retry")
    app.add_typer(group, name="config", rich_help_panel=Panel.OPERATE)


# -- init -------------------------------------------------------------------------------------------


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; made if needed.")],
    *,
    payer: Annotated[
        str | None,
        typer.Option(help="Whose payments these are, for ever; by default the folder's name."),
    ] = None,
    as_json: Json = False,
) -> Exit:
    """Make a project in DIR: payouts.toml, pipelines/, inputs/. Files that are there stay."""
    from importlib.resources import files  # noqa: PLC0415  bodies import what they need
    from json import dumps  # noqa: PLC0415  the same

    if (folder / "payouts.toml").exists():
        raise UsageError(
            f"{folder} is a project already: it has a payouts.toml",
            hint=f"Go there and start: cd {folder} && payouts status",
            code="E_PROJECT_EXISTS",
        )
    named = (payer or folder.resolve().name).strip()
    if not 0 < len(named) <= 64:  # noqa: PLR2004  as settings.payer has it
        raise UsageError("the payer's name has 1 to 64 characters", hint="Give --payer NAME.")
    package = files("payouts").joinpath("data", "project")
    made: list[str] = []
    for source, name in _SKELETON:
        target = folder / name
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        text = package.joinpath(*source.split("/")).read_text("utf-8")
        if name == "payouts.toml":
            text = text.replace("{payer}", dumps(named, ensure_ascii=False))
        target.write_text(text, "utf-8")
        made.append(name)
    if as_json:
        body = {"folder": str(folder), "payer": named, "made": made}
        frame.document("project", {**body, "exit_code": 0})
        return Exit.DONE
    frame.told(f"A project for payer {frame.clean(named)} in {frame.clean(str(folder))}")
    for name in made:
        frame.told(f"  {name}")
    frame.told("It is in the sandbox: no money moves until payouts.toml says live.")
    frame.next_step(f"cd {folder} && payouts run inputs/example.csv")
    return Exit.DONE


# -- template ---------------------------------------------------------------------------------------


def template(
    *,
    country: Annotated[str, typer.Option(help="Two letters or an English name.")],
    method: Annotated[str, typer.Option(help="For example pix, sepa, mobile_money.")],
    currency: Annotated[
        str | None, typer.Option(metavar="CUR", help="Where the country has several.")
    ] = None,
    kind: Annotated[
        Format, typer.Option("--format", help="A workbook has text columns and drop-downs.")
    ] = Format.CSV,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to; never written over.")
    ] = None,
    as_json: Json = False,
) -> Exit:
    """Write a payee file to fill in: the columns that are needed there, and two example lines."""
    from payouts.intake.coverage import load  # noqa: PLC0415  bodies import what they need
    from payouts.intake.template import (  # noqa: PLC0415  the same
        template_choices,
        template_frame,
        write_template,
    )

    table = load(_overrides())
    lines = template_frame(table, country, method, currency)
    code, rail = str(lines.item(0, "country")), str(lines.item(0, "method"))
    path = to or Path(f"payees_{code.lower()}_{rail}.{kind}")
    if path.suffix.lower() != f".{kind}":
        path = path.with_name(f"{path.name}.{kind}")
    if path.exists():
        raise UsageError(
            f"{path} exists", hint="Name another file with --to.", code="E_FILE_EXISTS"
        )
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="Make it first.")
    write_template(lines, path, template_choices(table, lines))
    if as_json:
        body = {"file": str(path), "columns": lines.columns}
        frame.document("template", {**body, "exit_code": 0})
        return Exit.DONE
    frame.told(f"Wrote {path}: {', '.join(lines.columns)}")
    frame.told("The two lines are examples; put yours in their place.")
    frame.next_step(f"payouts plan {path}", "checks every line and moves nothing")
    return Exit.DONE


def _overrides() -> Path | None:
    """The project's own coverage rows, if it has some."""
    from payouts.settings import load_settings  # noqa: PLC0415  bodies import what they need

    project = load_settings()
    return project.root / project.settings.coverage if project.settings.coverage else None


# -- coverage ---------------------------------------------------------------------------------------


def coverage(
    country: Annotated[str | None, typer.Argument(help="Two letters or an English name.")] = None,
    *,
    method: Annotated[str | None, typer.Option(help="Only this method.")] = None,
    as_json: Json = False,
) -> Exit:
    """Show what can be paid where: country, currency, method, platform and needed columns."""
    from payouts.intake.coverage import load, version  # noqa: PLC0415  bodies import lazily

    rows = _chosen(load(_overrides()), country, method)
    if as_json:
        body = {"version": version(), "rows": rows.to_dicts()}
        frame.document("coverage", {**body, "exit_code": 0})
        return Exit.DONE
    table = [
        (
            f"{code} {name}",
            currency,
            rail,
            "pays in" if direction == "collection" else "pays out",
            providers.replace(";", ", "),
            (required or "").replace(";", ", "),
            _bounds(least, most, currency),
        )
        for code, name, currency, rail, direction, providers, required, least, most in rows.select(
            *("country", "country_name", "currency", "method", "direction", "providers"),
            *("required", "min_minor", "max_minor"),
        ).iter_rows()
    ]
    headers = ("country", "currency", "method", "", "platform", "needs", "one amount")
    for line in frame.table(headers, table):
        frame.told(line)
    frame.told(f"{frame.count(rows.height, 'row')}, version {version()}")
    first = rows.filter(direction="both") if rows.height else rows
    if first.height:
        code, rail = first.item(0, "country"), first.item(0, "method")
        frame.next_step(f"payouts template --country {code} --method {rail}", "a file to fill in")
    return Exit.DONE


def _bounds(least: int | None, most: int | None, currency: str) -> str:
    """The bounds of one amount, where there are some."""
    words = [
        f"{word} {frame.money(minor, currency).rpartition(' ')[0]}"
        for word, minor in (("from", least), ("up to", most))
        if minor
    ]
    return " ".join(words)


def _chosen(table: pl.DataFrame, country: str | None, method: str | None) -> pl.DataFrame:
    """The rows of a country and method; an error that says what there is where there are none."""
    import polars as pl  # noqa: PLC0415  bodies import what they need

    from payouts.core.countries import near, read_country  # noqa: PLC0415  the same
    from payouts.core.methods import read_method  # noqa: PLC0415  the same

    rows = table
    if country is not None:
        code = read_country(country)
        if code is None:
            close = near(country)
            hint = f"Did you mean {' or '.join(close)}?" if close else "Write two letters: BR."
            raise UsageError(f"'{country}' is no country", hint=hint, code="E_COUNTRY_UNKNOWN")
        rows = rows.filter(country=code)
    if method is not None:
        names = list(read_method(method)) or [method]
        rows = rows.filter(pl.col("method").is_in(names))
    if rows.is_empty():
        raise UsageError(
            "nobody can be paid so",
            hint="`payouts coverage` lists everything; a row of your own goes into the file that"
            " the setting `coverage` names.",
            code="E_COUNTRY_NOT_COVERED",
        )
    return rows


# -- config -----------------------------------------------------------------------------------------


def config_show(
    name: Annotated[
        str | None, typer.Argument(help="Only settings whose name begins like this.")
    ] = None,
    *,
    as_json: Json = False,
) -> Exit:
    """Show every setting, its value (secrets are never shown) and where it came from."""
    from payouts.settings import load_settings  # noqa: PLC0415  bodies import what they need

    project = load_settings()
    rows = [row for row in _settings(project) if name is None or row[0].startswith(name)]
    if not rows:
        raise UsageError(
            f"there is no setting '{name}'",
            hint="`payouts config show` lists all of them.",
            code="E_SETTING_UNKNOWN",
        )
    file = str(project.file) if project.file else None
    if as_json:
        settings = [
            {"name": one, "value": value, "origin": origin, "about": about}
            for one, value, origin, about in rows
        ]
        body = {"folder": str(project.root), "file": file, "settings": settings}
        frame.document("settings", {**body, "exit_code": 0})
        return Exit.DONE
    frame.told(f"Project  {frame.clean(str(project.root))}")
    frame.told(f"File     {frame.clean(file) if file else 'none: everything is a default'}")
    shown = [(one, _shown(value), origin, about) for one, value, origin, about in rows]
    for line in frame.table(("setting", "value", "from", ""), shown):
        frame.told(line)
    return Exit.DONE


def _settings(project: Project) -> list[tuple[str, Any, str, str]]:
    """Name, value, origin and what it is, of every setting."""
    values = dict(_flat(project.settings.model_dump(), ()))
    about = dict(_about(type(project.settings), ()))
    return [
        (name, values.get(name), origin, about.get(name, ""))
        for name, origin in project.origin.items()
    ]


def _flat(value: Any, above: tuple[str, ...]) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  settings
    """Dotted names and plain values; a secret becomes a word."""
    from pydantic import SecretStr  # noqa: PLC0415  bodies import what they need

    if isinstance(value, dict) and value:
        for name, below in value.items():
            yield from _flat(below, (*above, str(name)))
    elif isinstance(value, SecretStr):
        yield ".".join(above), _SECRET_SHOWN
    else:
        yield ".".join(above), value


def _about(model: Any, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:  # noqa: ANN401  a model class
    """Dotted names and what the fields say of themselves."""
    for name, field in model.model_fields.items():
        below = field.annotation
        if hasattr(below, "model_fields"):
            yield from _about(below, (*above, name))
        else:
            yield ".".join((*above, name)), field.description or ""


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case tuple() | list():
            return ", ".join(map(str, value)) or "-"
        case dict():
            return "-"
        case _:
            return str(value)
