"""`from payouts import …`: the names that are promised are the names that resolve."""

from __future__ import annotations

import subprocess
import sys

import pytest

import payouts


def test_every_promised_name_resolves_and_no_other() -> None:
    homes = vars(payouts)["_HOMES"]

    assert set(payouts.__all__) == set(homes)
    for name in payouts.__all__:
        assert getattr(payouts, name).__name__ == name
    with pytest.raises(AttributeError, match="'Pipelines'"):
        _ = payouts.Pipelines
    assert set(payouts.__all__) <= set(dir(payouts))


def test_opening_the_front_door_loads_nothing_heavy() -> None:
    """A pipeline file imports it, and every command imports the pipelines."""
    heavy = {"polars", "sqlalchemy", "httpx", "pydantic", "typer", "apscheduler"}
    looks = f"import sys; from payouts import Pipeline; print({heavy!r} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", looks], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
