"""Every setting says what it is, in which unit, and is listed by `payouts config show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from payouts.settings import Settings
from tests.house.tracked import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

UNITS = {
    "_s": "seconds",
    "_h": "hours",
    "share": "share",
    "factor": "factor",
    "in flight": "a count",
    "major units": "money",
    "sends": "a count",
    "port": "a number",
    "seed": "a number",
    "code": "a number",
}
"""How a number says its unit: by the end of its name, or by a word of its description."""


def settings_of(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, Any, str]]:
    """Dotted name, annotation and description of every setting."""
    for name, field in model.model_fields.items():
        kinds = get_args(field.annotation) or (field.annotation,)
        tables = [one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)]
        if tables and get_origin(field.annotation) is not dict:
            yield from settings_of(tables[0], f"{above}{name}.")
        else:
            yield f"{above}{name}", field.annotation, field.description or ""


ALL = list(settings_of(Settings))


@pytest.mark.parametrize(("name", "kind", "about"), ALL, ids=[one[0] for one in ALL])
def test_a_setting_says_what_it_is(name: str, kind: object, about: str) -> None:
    """What is not written there has to be guessed, and some guesses move money."""
    assert len(about.split()) > 1, name
    assert not about.endswith(".")
    if {int, float} & {kind, *get_args(kind)}:
        assert any(name.endswith(unit) or unit in about for unit in UNITS), f"{name}: {about}"


def test_the_readme_names_the_settings_that_nobody_may_guess() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")

    for name in ("environment", "payer", "PAYOUTS_INSTALL_KEY", "PAYOUTS_VAULT_KEY"):
        assert name in readme
