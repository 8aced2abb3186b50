"""A project from nothing, files to fill in, what can be paid where, and every setting's origin."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import Terminal

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.journey


@pytest.fixture
def bare(tmp_path: Path) -> Terminal:
    """A folder without a project."""
    return Terminal(tmp_path)


def test_a_new_project_pays_its_example_at_once(bare: Terminal) -> None:
    made = bare.run("init", "pay roll", "--payer", 'acme "oy"')
    assert made.code == 0, made.err
    inside = Terminal(bare.folder / "pay roll")

    done = inside.run("run", "inputs/example.csv", PAYOUTS_SANDBOX__SPEED="instant")
    config = inside.run("config", "show", "payer", "--json").document

    assert done.code == 0, done.out + done.err
    assert "Paid     3 of 3 items" in done.out
    assert config["settings"][0]["value"] == 'acme "oy"'
    assert {path.name for path in inside.folder.iterdir()} == {
        "payouts.toml",
        ".gitignore",
        ".payouts",
        "inputs",
        "pipelines",
    }


def test_a_project_is_never_made_over_another(bare: Terminal) -> None:
    bare.run("init", "payroll")
    (bare.folder / "payroll" / "payouts.toml").write_text('payer = "mine"\n')

    done = bare.run("init", "payroll")

    assert (done.code, "E_PROJECT_EXISTS" in done.err) == (2, True)
    assert (bare.folder / "payroll" / "payouts.toml").read_text() == 'payer = "mine"\n'


def test_files_that_are_there_stay(bare: Terminal) -> None:
    kept = bare.folder / "payroll" / "inputs" / "example.csv"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")

    done = bare.run("init", "payroll", "--json")

    assert "inputs/example.csv" not in done.document["made"]
    assert kept.read_text() == "mine"


def test_a_template_is_accepted_as_it_is(bare: Terminal) -> None:
    for country, method in (("BR", "pix"), ("Kenya", "mobile_money"), ("de", "SEPA")):
        words = ("template", "--country", country, "--method", method, "--json")
        file = bare.run(*words).document["file"]

        plan = bare.run("plan", file, "--json")

        assert plan.code == 0, plan.err
        assert plan.document["counts"] == {"accepted": 2}


def test_a_workbook_to_fill_in_is_a_workbook_and_accepted(bare: Terminal) -> None:
    done = bare.run("template", "--country", "BR", "--method", "pix", "--format", "xlsx")

    assert done.code == 0, done.err
    assert zipfile.is_zipfile(bare.folder / "payees_br_pix.xlsx")
    assert bare.run("plan", "payees_br_pix.xlsx").code == 0


def test_a_template_is_never_written_over_a_file(bare: Terminal) -> None:
    (bare.folder / "mine.csv").write_text("mine")

    done = bare.run("template", "--country", "BR", "--method", "pix", "--to", "mine.csv")

    assert (done.code, "E_FILE_EXISTS" in done.err) == (2, True)
    assert (bare.folder / "mine.csv").read_text() == "mine"


def test_a_template_that_cannot_be_says_what_can(bare: Terminal) -> None:
    for words, said in (
        ("--country BJ --method bank", "it may be mobile_money"),
        ("--country Atlantis --method pix", "is no country"),
        ("--country BR --method pix --currency USD", "it may be BRL"),
    ):
        done = bare.run("template", *words.split())
        assert done.code == 2, words
        assert said in done.err


def test_coverage_is_a_table_and_a_document(bare: Terminal) -> None:
    kenya = bare.run("coverage", "Kenya")
    every = bare.run("coverage", "--json").document
    wrong = bare.run("coverage", "Brasilia")

    assert "mobile_money" in kenya.out
    assert len(every["rows"]) > 100
    assert {"country", "currency", "method", "providers"} <= set(every["rows"][0])
    assert (wrong.code, "E_COUNTRY_UNKNOWN" in wrong.err) == (2, True)


def test_a_users_own_coverage_row_is_shown(bare: Terminal) -> None:
    columns = "country,currency,method,direction,providers,identifier"
    (bare.folder / "own.csv").write_text(f"{columns}\nKE,USD,cash,both,orkestra,cash_document\n")
    bare.settings('coverage = "own.csv"\n')

    rows = bare.run("coverage", "KE", "--json").document["rows"]

    assert ("USD", "cash") in {(row["currency"], row["method"]) for row in rows}


def test_settings_say_where_they_come_from_and_hide_secrets(bare: Terminal) -> None:
    secret = "5ec12e7" * 9 + "0"
    bare.settings('payer = "file"\n[retry]\ntries_max = 3\n')
    bare.environment |= {"PAYOUTS_VAULT_KEY": secret, "PAYOUTS_ORKESTRA__SECRET": "hush-hush"}

    text = bare.run("config", "show")
    document = bare.run("config", "show", "--json")

    found = {row["name"]: row for row in document.document["settings"]}
    assert (found["payer"]["value"], found["payer"]["origin"]) == ("file", "file")
    assert found["retry.tries_max"]["origin"] == "file"
    assert found["vault_key"]["origin"] == "PAYOUTS_VAULT_KEY"
    assert found["funding"]["origin"] == "default"
    for done in (text, document):
        assert secret not in done.out + done.err
        assert "hush-hush" not in done.out + done.err


def test_a_setting_that_is_wrong_is_named(bare: Terminal) -> None:
    bare.settings('payer = "x"\nreject_limit = 2\n')

    done = bare.run("config", "show", "--json")

    assert done.code == 2
    assert json.loads(done.out)["error"]["code"] == "E_SETTINGS"
    assert "reject_limit" in done.err
