"""Coverage data: our table and a user's overrides as one checked frame.

The frame has one row per country, currency and method (unique together):

    country, country_name, currency, method   String   ISO 3166 alpha-2 or 001, ISO 4217, snake_case
    direction                                 String   payout, collection or both
    providers                                 String   separated by `;`, the first is the default
    identifier                                String   a name of core.coverage.IDENTIFIERS
    required                                  String   canonical columns, separated by `;`
    min_minor, max_minor                      Int64    bounds of one amount, minor units
    decimals                                  String   `provider:digits`, separated by `;`
    valid_from, valid_to                      Date     first and last day of use
    warning                                   String   code of a warning for each line of the row
    source                                    String   where the row comes from

All but the first six and `identifier` may be null.

>>> coverage = coverage_of(load())
>>> coverage.at("BR", "BRL", "pix").provider, coverage.methods("BJ")
('orkestra', ('mobile_money',))
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import astuple
from datetime import date
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple, cast, get_args

import polars as pl

from payouts.core.countries import COUNTRIES, country_name
from payouts.core.coverage import IDENTIFIERS, Coverage, CoverageRow, Direction
from payouts.core.currencies import CURRENCIES
from payouts.core.errors import AmountError, SettingsError
from payouts.core.money import parse_minor
from payouts.core.problems import KINDS
from payouts.intake.frames import CANONICAL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

__all__ = ["COLUMNS", "SCHEMA", "coverage_of", "load", "version"]

SCHEMA: Final = pl.Schema(
    {
        "country": pl.String,
        "country_name": pl.String,
        "currency": pl.String,
        "method": pl.String,
        "direction": pl.String,
        "providers": pl.String,
        "identifier": pl.String,
        "required": pl.String,
        "min_minor": pl.Int64,
        "max_minor": pl.Int64,
        "decimals": pl.String,
        "valid_from": pl.Date,
        "valid_to": pl.Date,
        "warning": pl.String,
        "source": pl.String,
    }
)
"""The frame's columns; `load` promises them."""

COLUMNS: Final = tuple(name.removesuffix("_minor") for name in SCHEMA)
"""The columns of the CSV, where `min` and `max` are amounts such as 0.01."""

_NEEDED: Final = ("country", "currency", "method", "direction", "providers", "identifier")
_PROVIDERS: Final = frozenset({"orkesta", "orkestra", "orchestra", "orchestrate"})
_PAYING: Final = frozenset({"orkesta", "orkestra"})
_METHOD = re.compile(r"[a-z][a-z0-9_]{1,39}")
_DECIMALS = re.compile(r"([a-z]+):([0-9]{1,2})")
_SHOWN_MAX = 20


class _Fault(NamedTuple):
    """What is wrong with one cell of the table."""

    row: int
    column: str
    text: str


def version() -> str:
    """The version of our own table: the day it was last changed.

    >>> len(version())
    10
    """
    return _shipped_text().partition("\n")[0].removeprefix("# version ").strip()


def load(override: Path | None = None, *, plugged: Collection[str] = ()) -> pl.DataFrame:
    """Our coverage table, with the rows of a user's file added or put in their place.

    A row of the user's file replaces ours of the same country, currency and method; a new key is
    a new row. Both files have the columns `COLUMNS`; the user's may leave out those that may be
    blank.

    Args:
        override: the user's file.
        plugged: providers of the project's own that its rows may name.

    Raises:
        SettingsError: E_COVERAGE_FILE where the file cannot be read, E_COVERAGE_ROW with every
            wrong cell named.
    """
    rows = {(row.country, row.currency, row.method): row for row in _shipped()}
    if override is not None:
        read = _checked(_read_override(override), override.name, frozenset(plugged))
        rows |= {(row.country, row.currency, row.method): row for row in read}
    return _frame(tuple(rows.values()))


def coverage_of(frame: pl.DataFrame) -> Coverage:
    """The rows of a coverage frame as values that decisions can ask.

    The last answer is kept, since a file's chunks are all judged by one frame.
    """
    if not _LAST or _LAST[0][0] is not frame:
        made = Coverage(tuple(_row_of(values) for values in frame.iter_rows()))
        _LAST[:] = [(frame, made)]
        return made
    return _LAST[0][1]


_LAST: Final[list[tuple[pl.DataFrame, Coverage]]] = []


@cache
def _shipped() -> tuple[CoverageRow, ...]:
    text = _shipped_text().encode()
    return tuple(
        _checked(pl.read_csv(text, infer_schema=False, comment_prefix="#"), "coverage.csv")
    )


@cache
def _shipped_text() -> str:
    return (files("payouts") / "data" / "coverage.csv").read_text("utf-8")


def _read_override(path: Path) -> pl.DataFrame:
    try:
        frame = pl.read_csv(path, infer_schema=False, comment_prefix="#")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SettingsError(
            f"the coverage file {path.name} cannot be read: {error}",
            hint="Write it as comma separated UTF-8 text with the columns " + ", ".join(COLUMNS),
            code="E_COVERAGE_FILE",
        ) from error
    missing = [name for name in _NEEDED if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in COLUMNS]
    if missing or unknown:
        raise SettingsError(
            f"the coverage file {path.name} "
            + " and ".join(
                words
                for words in (
                    missing and f"lacks the columns {', '.join(missing)}",
                    unknown and f"has the unknown columns {', '.join(unknown)}",
                )
                if words
            ),
            hint="The columns are " + ", ".join(COLUMNS),
            code="E_COVERAGE_FILE",
        )
    return frame


def _checked(
    frame: pl.DataFrame, name: str, plugged: frozenset[str] = frozenset()
) -> list[CoverageRow]:
    """The rows of a table as read; raises with all faults of all rows."""
    texts = [
        {column: (cell or "").strip() for column, cell in row.items()}
        for row in frame.iter_rows(named=True)
    ]
    faults = [
        fault for number, row in enumerate(texts, 1) for fault in _faults(number, row, plugged)
    ]
    keys = Counter((row["country"], row["currency"], row["method"]) for row in texts)
    faults += [
        _Fault(0, "country, currency, method", f"{' '.join(key)} stands there {count} times")
        for key, count in keys.items()
        if count > 1
    ]
    if faults:
        shown = [
            f"row {fault.row}, {fault.column}: {fault.text}" if fault.row else fault.text
            for fault in faults[:_SHOWN_MAX]
        ]
        more = len(faults) - len(shown)
        raise SettingsError(
            f"the coverage table {name} has {len(faults)} faults: "
            + "; ".join(shown)
            + (f"; and {more} more" if more else ""),
            hint="Correct the cells; row 1 is the first below the header.",
            code="E_COVERAGE_ROW",
        )
    return [_row(row) for row in texts]


def _faults(number: int, row: dict[str, str], plugged: frozenset[str]) -> Iterator[_Fault]:
    """Everything that is wrong with one row of texts, cell by cell."""
    for column in _NEEDED:
        if not row[column]:
            yield _Fault(number, column, "is blank")
    for column, check in _CHECKS.items():
        cell = row.get(column, "")
        fault = check(cell, row) if cell else None
        if fault:
            yield _Fault(number, column, fault)
    known = plugged | (_PROVIDERS if row["direction"] == "collection" else _PAYING)
    unknown = [one for one in row["providers"].split(";") if one and one not in known]
    if unknown:
        text = f"'{unknown[0]}' is none of {', '.join(sorted(known))}"
        yield _Fault(number, "providers", text)


def _country_fault(cell: str, _: dict[str, str]) -> str | None:
    return None if cell in COUNTRIES else f"'{cell}' is no ISO 3166 alpha-2 code, nor 001"


def _currency_fault(cell: str, _: dict[str, str]) -> str | None:
    return None if cell in CURRENCIES else f"'{cell}' is no currency of ISO 4217, nor USDT or USDC"


def _method_fault(cell: str, _: dict[str, str]) -> str | None:
    return None if _METHOD.fullmatch(cell) else f"'{cell}' is not snake_case"


def _direction_fault(cell: str, _: dict[str, str]) -> str | None:
    directions = get_args(Direction)
    return None if cell in directions else f"'{cell}' is none of {', '.join(directions)}"


def _identifier_fault(cell: str, _: dict[str, str]) -> str | None:
    names = ", ".join(sorted(IDENTIFIERS))
    return None if cell in IDENTIFIERS else f"'{cell}' is none of {names}"


def _required_fault(cell: str, _: dict[str, str]) -> str | None:
    unknown = [name for name in cell.split(";") if name not in CANONICAL]
    return f"'{unknown[0]}' is none of {', '.join(CANONICAL)}" if unknown else None


def _bound_fault(cell: str, row: dict[str, str]) -> str | None:
    unit = CURRENCIES.get(row["currency"])
    if unit is None:
        return None
    try:
        bound = parse_minor(cell, unit)
    except AmountError as error:
        return error.message
    try:
        least = parse_minor(row.get("min") or "0", unit)
    except AmountError:
        return None  # said of min itself
    return "max is below min" if bound < least else None


def _decimals_fault(cell: str, row: dict[str, str]) -> str | None:
    for part in cell.split(";"):
        match = _DECIMALS.fullmatch(part)
        if match is None:
            return f"'{part}' is not of the form orkestra:2"
        if match[1] not in row["providers"].split(";"):
            return f"'{match[1]}' is no provider of the row"
    return None


def _date_fault(cell: str, row: dict[str, str]) -> str | None:
    if not _is_date(cell):
        return f"'{cell}' is no date of the form 2026-12-31"
    first = row.get("valid_from") or cell
    return "valid_to is before valid_from" if _is_date(first) and cell < first else None


def _is_date(cell: str) -> bool:
    try:
        return date.fromisoformat(cell).isoformat() == cell
    except ValueError:
        return False


def _warning_fault(cell: str, _: dict[str, str]) -> str | None:
    known = cell.startswith("W_") and cell in KINDS
    return None if known else f"'{cell}' is no code of a warning"


_CHECKS: Final[dict[str, Callable[[str, dict[str, str]], str | None]]] = {
    "country": _country_fault,
    "currency": _currency_fault,
    "method": _method_fault,
    "direction": _direction_fault,
    "identifier": _identifier_fault,
    "required": _required_fault,
    "min": _bound_fault,
    "max": _bound_fault,
    "decimals": _decimals_fault,
    "valid_from": _date_fault,
    "valid_to": _date_fault,
    "warning": _warning_fault,
}


def _row(cells: dict[str, str]) -> CoverageRow:
    """A row of checked texts as a value."""
    unit = CURRENCIES[cells["currency"]]

    def bound(column: str) -> int | None:
        return parse_minor(cells[column], unit) if cells.get(column) else None

    def day(column: str) -> date | None:
        return date.fromisoformat(cells[column]) if cells.get(column) else None

    return CoverageRow(
        country=cells["country"],
        country_name=cells.get("country_name") or country_name(cells["country"]),
        currency=cells["currency"],
        method=cells["method"],
        direction=cast("Direction", cells["direction"]),
        providers=tuple(cells["providers"].split(";")),
        identifier=cells["identifier"],
        required=_split(cells.get("required")),
        minimum=bound("min"),
        maximum=bound("max"),
        decimals=_decimals(cells.get("decimals")),
        valid_from=day("valid_from"),
        valid_to=day("valid_to"),
        warning=cells.get("warning") or None,
        source=cells.get("source") or "",
    )


def _split(cell: str | None) -> tuple[str, ...]:
    return tuple(cell.split(";")) if cell else ()


def _decimals(cell: str | None) -> tuple[tuple[str, int], ...]:
    parts = (part.split(":") for part in _split(cell))
    return tuple((provider, int(digits)) for provider, digits in parts)


def _frame(rows: tuple[CoverageRow, ...]) -> pl.DataFrame:
    values = [astuple(row) for row in rows]
    texts = [tuple(_cell(value) for value in row) for row in values]
    return pl.DataFrame(texts, schema=SCHEMA, orient="row")


def _cell(value: object) -> object:
    """A field of a row as a cell of the frame."""
    if not isinstance(value, tuple):
        return value or None
    return ";".join(part if isinstance(part, str) else f"{part[0]}:{part[1]}" for part in value)


def _row_of(values: tuple[object, ...]) -> CoverageRow:
    """A row of the frame as a value."""
    cells = dict(zip(SCHEMA, values, strict=True))
    return CoverageRow(
        country=str(cells["country"]),
        country_name=str(cells["country_name"] or cells["country"]),
        currency=str(cells["currency"]),
        method=str(cells["method"]),
        direction=cast("Direction", cells["direction"]),
        providers=_split(cast("str", cells["providers"])),
        identifier=str(cells["identifier"]),
        required=_split(cast("str | None", cells["required"])),
        minimum=cast("int | None", cells["min_minor"]),
        maximum=cast("int | None", cells["max_minor"]),
        decimals=_decimals(cast("str | None", cells["decimals"])),
        valid_from=cast("date | None", cells["valid_from"]),
        valid_to=cast("date | None", cells["valid_to"]),
        warning=cast("str | None", cells["warning"]),
        source=str(cells["source"] or ""),
    )
