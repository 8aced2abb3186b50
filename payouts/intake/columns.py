"""Columns: which column of a file means which of ours.

>>> plan = planned(("Ref", "amount", "CCY", "country", "method"), mapping={"Ref": "reference"})
>>> plan.sources["currency"], plan.pairs[0]
(('CCY',), ('Ref', 'reference'))
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from payouts.intake.frames import CANONICAL
from payouts.intake.refusal import refused
from payouts.intake.templates import CARD_DATA, SYNONYMS, TEMPLATES, Template, key

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["OWN", "REQUIRED", "Plan", "own_columns", "planned", "recognised"]

OWN: Final = ("line", "error_code", "error_column", "error_message", "hint")
"""The columns that our reject files add at the end."""

REQUIRED: Final = ("country", "currency", "amount", "method")
"""What every payee file must say, in a column or as a constant of its pipeline."""

_LONG_NUMBER: Final = re.compile(r"[0-9](?:[ .-]?[0-9]){7,}")
_BY_KEY: Final = {key(name): name for name in CANONICAL}
_KNOWN: Final = frozenset(
    {*_BY_KEY, *SYNONYMS, *(name for template in TEMPLATES for name in template.columns)}
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How the canonical columns are made from those of one file.

    Args:
        sources: our column → the file's columns, the first filled one counts.
        joined: columns that are put together to `name`.
        constants: our column → its value for all lines.
        ignored: columns of the file that are kept beside the line and not read.
        template: the product whose file this is, or None.
        paise: the amount column that counts hundredths, or empty.
        priced_in: the column that may say that the amount is in another currency, or empty.
    """

    sources: dict[str, tuple[str, ...]]
    joined: tuple[str, ...] = ()
    constants: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()
    template: str | None = None
    paise: str = ""
    priced_in: str = ""

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The mapping as (column of the file, our column)."""
        named = [(source, ours) for ours, all_of in self.sources.items() for source in all_of]
        return (*named, *((source, "name") for source in self.joined))

    @property
    def columns(self) -> frozenset[str]:
        """Our columns that the file or the pipeline gives."""
        joined = {"name"} if self.joined else set()
        return frozenset(self.sources) | joined | {name for name, _ in self.constants}


def recognised(cells: Sequence[str], named: Collection[str] = ()) -> int:
    """Count the cells that are a column name of ours, of a template or of the pipeline.

    Args:
        cells: of one line.
        named: the names that the pipeline maps.
    """
    keys = {key(cell) for cell in cells}
    return len(keys & (_KNOWN | CARD_DATA | {key(name) for name in named}))


def own_columns(header: Sequence[str]) -> tuple[int, ...]:
    """Give the positions of our own reject columns, where `header` is that of a reject file."""
    names = [name.strip().lower() for name in header]
    if not {"line", "error_code"} <= set(names):
        return ()
    return tuple(position for position, name in enumerate(names) if name in OWN)


def planned(
    header: Sequence[str],
    *,
    mapping: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
) -> Plan:
    """Map the columns of a file to ours.

    Args:
        header: as written, our own reject columns already taken off.
        mapping: the pipeline's own; original name → our column, or "" to ignore the column.
        constants: our column → the value of all lines, for files that do not have the column.

    Raises:
        FileRefusedError: E_FILE_HEADER_EMPTY, _DUPLICATE, _RESERVED, E_FILE_COLUMN_UNKNOWN,
            _MISSING, _TWICE, _CARD, E_FILE_MAPPING.
    """
    _check_header(header)
    chosen = _chosen(header, mapping or {}, constants or {})
    template = _template(header)
    sources: dict[str, list[str]] = {}
    joined: dict[str, str] = {}
    ignored: list[str] = []
    unknown: list[str] = []
    for name in header:
        ours = chosen.get(name, _meaning(name, template))
        if ours is None:
            unknown.append(name)
        elif ours == "":
            ignored.append(name)
        elif template and name not in chosen and key(name) in template.joined:
            joined[key(name)] = name
        else:
            sources.setdefault(ours, []).append(name)
    if unknown:
        raise refused("E_FILE_COLUMN_UNKNOWN", **_suggested(unknown))
    _check_twice(sources, template)
    found = Plan(
        sources={ours: _ordered(names, template) for ours, names in sources.items()},
        joined=tuple(joined[part] for part in template.joined if part in joined)
        if template
        else (),
        constants=tuple((constants or {}).items()),
        ignored=tuple(ignored),
        template=template.name if template else None,
        paise=_written(header, template.paise, chosen) if template else "",
        priced_in=_written(header, template.priced_in, chosen) if template else "",
    )
    for ours in REQUIRED:
        if ours not in found.columns:
            raise refused("E_FILE_COLUMN_MISSING", value=f"'{ours}'")
    return found


def _check_header(header: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for position, name in enumerate(header, 1):
        if not key(name):
            raise refused("E_FILE_HEADER_EMPTY", value=f"Column {position}")
        seen[key(name)] = seen.get(key(name), 0) + 1
    for name in header:
        if seen[key(name)] > 1:
            raise refused(
                "E_FILE_HEADER_DUPLICATE", value=_shown(name), allowed=f"{seen[key(name)]} times"
            )
        if name == "line":
            raise refused("E_FILE_HEADER_RESERVED", value=name)
        if key(name) in CARD_DATA:
            raise refused("E_FILE_COLUMN_CARD", value=_shown(name))


def _chosen(
    header: Sequence[str], mapping: Mapping[str, str], constants: Mapping[str, str]
) -> dict[str, str]:
    """Check the pipeline's own words against the header."""
    by_key = {key(name): name for name in header}
    allowed = ", ".join(CANONICAL)
    for ours in (*mapping.values(), *constants):
        if ours not in (*CANONICAL, ""):
            raise refused("E_FILE_MAPPING", value=f"'{ours}' is no column", allowed=allowed)
    chosen = {}
    for name, ours in mapping.items():
        if key(name) not in by_key:
            raise refused("E_FILE_MAPPING", value=f"there is no column '{name}'", allowed=allowed)
        chosen[by_key[key(name)]] = ours
    return chosen


def _template(header: Sequence[str]) -> Template | None:
    keys = {key(name) for name in header}
    return next((template for template in TEMPLATES if template.marks <= keys), None)


def _meaning(name: str, template: Template | None) -> str | None:
    """Give our column for one of the file's, "" to ignore it, None where it is unknown."""
    word = key(name)
    if template is not None:
        if word in template.joined:
            return "name"
        if word in template.columns:
            return template.columns[word]
        stems = [stem[:-1] for stem in template.ignored if stem.endswith("*")]
        if word in template.ignored or any(word.startswith(stem) for stem in stems):
            return ""
    return _BY_KEY.get(word) or SYNONYMS.get(word)


def _check_twice(sources: dict[str, list[str]], template: Template | None) -> None:
    for ours, names in sources.items():
        foreign = [name for name in names if not template or key(name) not in template.columns]
        if len(names) > 1 and foreign:
            raise refused(
                "E_FILE_COLUMN_TWICE",
                value=" and ".join(f"'{_shown(name)}'" for name in names),
                allowed=ours,
            )


def _ordered(names: list[str], template: Template | None) -> tuple[str, ...]:
    order = list(template.columns) if template else []
    return tuple(sorted(names, key=lambda n: order.index(key(n)) if key(n) in order else -1))


def _written(header: Sequence[str], word: str, chosen: Mapping[str, str]) -> str:
    return next((name for name in header if key(name) == word and name not in chosen), "")


def _suggested(unknown: Sequence[str]) -> dict[str, str]:
    """Say which columns are unknown and which known one each is nearest to."""
    meant = []
    for name in unknown[:5]:
        near = difflib.get_close_matches(key(name), _KNOWN, n=1, cutoff=0.75)
        ours = [_BY_KEY.get(word) or SYNONYMS.get(word) or word for word in near]
        meant.append(f"'{_shown(name)}'" + "".join(f" (did you mean '{word}'?)" for word in ours))
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""  # noqa: PLR2004  as above
    return {"value": ", ".join(meant), "allowed": more}


def _shown(name: str) -> str:
    """Give a header cell short and without control characters.

    Where a file has no header, its cells may be account numbers: of many digits four are shown.
    """
    plain = "".join(char if char.isprintable() else "·" for char in name.strip())
    plain = _LONG_NUMBER.sub(lambda found: f"…{found[0][-4:]}", plain)
    return plain if len(plain) <= 40 else plain[:39] + "…"  # noqa: PLR2004  one line of a screen
