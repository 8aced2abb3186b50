"""The layers hold, and a module without a place breaks the build."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.house.tracked import ROOT, tracked

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
    "contracts"
]
LAYERS = CONTRACTS[0]


def modules() -> set[str]:
    """What lies directly below `payouts` and can be imported."""
    home = ROOT / "payouts"
    inside = {path.relative_to(home) for path in tracked() if path.is_relative_to(home)}
    return {
        path.parts[0].removesuffix(".py")
        for path in inside
        if path.suffix == ".py" and path.parts[0] != "__init__.py"
    }


def placed() -> set[str]:
    return {name.strip(" ()") for layer in LAYERS["layers"] for name in layer.split("|")} | set(
        LAYERS["exhaustive_ignores"]
    )


def test_all_import_contracts_are_kept() -> None:
    program = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_every_module_has_its_place_in_the_layers() -> None:
    assert LAYERS["exhaustive"] is True
    assert modules() <= placed()


def test_every_module_is_under_the_contracts_that_name_all_but_one() -> None:
    """They list modules one by one, so a new one would slip through in silence."""
    everybody = {f"payouts.{name}" for name in modules() - {"__main__", "sandbox"}}
    by_name = {contract["name"].partition(":")[0]: contract for contract in CONTRACTS}

    stays_apart = by_name["The sandbox shares no code with what it judges"]
    assert set(stays_apart["forbidden_modules"]) == everybody
    unknown = by_name["Nobody imports the sandbox"]
    assert set(unknown["source_modules"]) == everybody | {"pipelines"}
    tables = by_name["Only the store knows tables"]
    assert set(tables["source_modules"]) == everybody - {"payouts.store"} | {"pipelines"}
    http = by_name["Only the platforms' connectors speak HTTP"]
    assert set(http["source_modules"]) == everybody - {"payouts.providers"} | {"pipelines"}


def test_the_names_of_contracts_are_sentences() -> None:
    for contract in CONTRACTS:
        assert len(contract["name"].split()) > 4
