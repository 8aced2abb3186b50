"""What the payee's bank is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from payouts.core.errors import SettingsError
from payouts.vault import Sealed
from tests.flows.conftest import sepa

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import World


def bodies(world: World) -> list[dict[str, object]]:
    with world.parts.database.reading() as connection:
        rows = connection.execute(
            text("SELECT batch_id, key_id, data_key, body FROM batch_payload ORDER BY batch_id")
        ).all()
    found = []
    for batch_id, *sealed in rows:
        plain = world.parts.vault.open(batch_id, Sealed(*sealed))
        found += [json.loads(line) for line in plain.split(b"\n")]
    return found


def test_a_sepa_name_is_sent_as_the_warning_said(make_world: Callable[..., World]) -> None:
    world = make_world()
    line = sepa("R-1") | {"name": "Günther Weiß", "description": "Café"}

    result = world.load(world.write([line]))

    warned = result.problems.filter(result.problems["code"] == "W_NAME_TRANSLITERATED")
    (body,) = bodies(world)
    beneficiary = body["beneficiary"]
    assert isinstance(beneficiary, dict)
    assert f"{beneficiary['firstName']} {beneficiary['lastName']}" == warned["allowed"].item()
    assert body["description"] == "R-1 Cafe"


def test_a_fingerprint_is_not_shown_to_the_payee(make_world: Callable[..., World]) -> None:
    world = make_world()
    line = {name: value for name, value in sepa("").items() if name != "reference"}

    world.load(world.write([line | {"description": "November"}]))

    assert [body["description"] for body in bodies(world)] == ["November"]


def test_a_line_without_any_words_has_no_description(make_world: Callable[..., World]) -> None:
    world = make_world()
    line = {name: value for name, value in sepa("").items() if name != "reference"}

    world.load(world.write([line]))

    assert "description" not in bodies(world)[0]


def test_a_file_for_a_platform_without_credentials_is_not_loaded(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    del world.parts.connectors["orkestra"]

    with pytest.raises(SettingsError, match="orkestra") as refused:
        world.load(world.write([sepa("R-1")]))

    assert "[orkestra]" in refused.value.hint
    assert world.sql("SELECT count(*) FROM line") == [(0,)]
