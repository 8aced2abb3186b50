"""The sample files of this folder, made anew: `python inputs/generate.py`.

All people, companies and accounts are invented; check digits are computed by the rules in
`checkdigits.py`, so that a good line is good. Some payees have an account that the sandbox treats
badly on purpose (payouts/sandbox/magic.py). The seed decides everything: the same program writes
the same bytes, and tests/test_inputs.py compares them with what is committed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it runs as a script, too

from inputs.making import damaged, gig_week, mass, spreadsheet

if TYPE_CHECKING:
    from inputs.making.sample import Sample

__all__ = ["main", "samples"]

_HEAD = """\
# Sample files

Try one: `payouts run inputs/gig_week.csv`. Everything here is invented and made by
`python inputs/generate.py`; a test makes it again and compares. Exit codes: 0 all paid, 3 some
lines rejected or failed, 4 the file is refused.

"""
_DAMAGED = """
## damaged/

Small files, each with one kind of damage. What is refused pays nobody; what is read says what was
detected.

"""


def samples() -> list[Sample]:
    """All sample files, without the list of them."""
    return [gig_week.sample(), mass.sample(), spreadsheet.sample(), *damaged.samples()]


def readme(made: list[Sample]) -> str:
    """One line per file."""
    top = [f"- `{one.name}`: {one.says}\n" for one in made if "/" not in one.name]
    below = [
        f"- `{one.name.partition('/')[2]}`: {one.says} "
        + (f"Refused: `{one.refused}`.\n" if one.refused else "Read.\n")
        for one in made
        if "/" in one.name
    ]
    return _HEAD + "".join(top) + _DAMAGED + "".join(below)


def main(folder: Path) -> None:
    """Write all files below a folder."""
    made = samples()
    for one in made:
        path = folder / one.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.content)
    (folder / "README.md").write_text(readme(made), encoding="utf-8")
    (folder / "damaged" / ".gitattributes").write_text("* -text\n")  # line ends are the point


if __name__ == "__main__":
    main(Path(__file__).parent)
