"""The doctor, the imitation in the foreground, and the database from the command line."""

from __future__ import annotations

import signal
import urllib.request
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.cli.conftest import ended, many, turkish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Terminal

pytestmark = pytest.mark.journey


def checks(terminal: Terminal) -> dict[str, str]:
    """What the doctor says: verdicts by thing."""
    found = terminal.run("doctor", "--json").document["checks"]
    return {one["what"]: one["verdict"] for one in found}


def test_a_healthy_project_is_well(fresh: Terminal) -> None:
    done = fresh.run("doctor")

    assert done.code == 0, done.out + done.err
    assert done.lines[-1] == "All is well."
    for words in ("PostgreSQL 18", "fingerprints", "level C0", "level C1", "GB free"):
        assert words in done.out


def test_what_waits_is_said_with_what_to_do(make_terminal: Callable[..., Terminal]) -> None:
    terminal = make_terminal('[[fault]]\nfault = "error_after_effect"\ntimes = 1\n')
    terminal.write([turkish("LOST")])
    terminal.run("run", "payees.csv")

    done = terminal.run("doctor")

    assert done.code == 5
    assert "1 item unknown at orkesta" in done.out
    assert "payouts items last --state unknown" in done.out


def test_a_database_of_another_key_is_wrong_and_nothing_is_tried(terminal: Terminal) -> None:
    """With another install key everybody would look unpaid."""
    terminal.write(many(1))
    terminal.run("run", "payees.csv")

    done = terminal.run("doctor", PAYOUTS_INSTALL_KEY="ab" * 32)

    assert done.code == 1
    assert "E_INSTALLATION" in done.out
    assert checks(terminal)["keys"] == "ok"


def test_the_imitation_prints_its_address_and_ends_by_ctrl_c(fresh: Terminal) -> None:
    process = fresh.start("sandbox", "--speed", "instant", "--seed", "7")
    assert process.stdout is not None
    first = process.stdout.readline().split()
    second = process.stdout.readline().split()

    with (
        pytest.raises(urllib.error.HTTPError) as caught,
        urllib.request.urlopen(f"{first[1]}/payments", timeout=5),  # noqa: S310  our own server
    ):
        pass
    caught.value.close()
    process.send_signal(signal.SIGINT)
    done = ended(process)

    assert (first[0], second[0]) == ("Orkesta", "Orkestra")
    assert caught.value.code in {401, 404, 405}
    assert done.code == 0, done.err
    assert not (fresh.folder / ".payouts" / "sandbox" / "address").exists()


def test_the_faults_are_listed(fresh: Terminal) -> None:
    done = fresh.run("sandbox", "--recipes")

    assert "error_after_effect" in done.out
    assert not (fresh.folder / ".payouts").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--speed", "fast"], "is no speed"), (["--faults", "none.toml"], "there is no file")],
)
def test_an_imitation_that_cannot_be_is_not_started(
    fresh: Terminal, words: list[str], said: str
) -> None:
    done = fresh.run("sandbox", *words)

    assert done.code == 2
    assert said in done.err


def test_the_shell_reads_and_does_not_write_unless_it_is_told_to(terminal: Terminal) -> None:
    reads = terminal.run("db", "shell", "--", "-Atc", "SELECT count(*) FROM item")
    refused = terminal.run("db", "shell", "--", "-c", "DELETE FROM confirmation")
    written = terminal.run("db", "shell", "--write", "--", "-c", "DELETE FROM confirmation")

    assert (reads.code, reads.out.strip()) == (0, "0")
    assert "read-only transaction" in refused.err
    assert refused.code != 0
    assert written.code == 0, written.err


def test_the_url_leads_to_the_database(terminal: Terminal) -> None:
    done = terminal.run("db", "url")

    with psycopg.connect(done.out.strip()) as connection:
        (count,) = connection.execute("SELECT count(*) FROM pipeline_run").fetchone() or (None,)
    assert count == 0


def test_a_password_is_shown_only_on_request(terminal: Terminal) -> None:
    url = terminal.environment["PAYOUTS_DATABASE__URL"].replace("payouts@", "payouts:hush@")

    hidden = terminal.run("db", "url", PAYOUTS_DATABASE__URL=url)
    shown = terminal.run("db", "url", "--show-password", PAYOUTS_DATABASE__URL=url)

    assert ("hush" in hidden.out, "hush" in shown.out) == (False, True)


def test_a_database_is_created_upgraded_and_forgotten(fresh: Terminal) -> None:
    missing = fresh.run("db", "upgrade")
    created = fresh.run("db", "create")
    again = fresh.run("db", "create")
    upgraded = fresh.run("db", "upgrade")
    log = fresh.run("db", "log", "--lines", "2")
    asked = fresh.run("db", "reset")
    gone = fresh.run("db", "reset", "--yes")

    assert (missing.code, "E_DATABASE_MISSING" in missing.err) == (2, True)
    assert (created.code, again.code, upgraded.code) == (0, 0, 0)
    assert created.out.split()[3] == again.out.split()[4]  # the same id
    assert "already" in upgraded.out
    assert len(log.lines) == 2
    assert "shut down" in log.lines[-1]
    assert (asked.code, "E_NOT_CONFIRMED" in asked.err) == (2, True)
    assert gone.code == 0
    assert not (fresh.folder / ".payouts" / "postgres").exists()


def test_a_live_database_is_never_reset(fresh: Terminal) -> None:
    """Another, empty database would pay everybody again."""
    fresh.environment |= {"PAYOUTS_INSTALL_KEY": "ab" * 32, "PAYOUTS_VAULT_KEY": "cd" * 32}
    fresh.settings('environment = "live"\npayer = "first"\n')

    done = fresh.run("db", "reset", "--yes")

    assert (done.code, "E_RESET_LIVE" in done.err) == (2, True)


def test_a_database_in_use_is_not_forgotten(fresh: Terminal) -> None:
    fresh.run("db", "create")
    process = fresh.start("worker")
    fresh.wait_for((fresh.folder / ".payouts" / "sandbox" / "address").exists)

    done = fresh.run("db", "reset", "--yes")
    process.send_signal(signal.SIGINT)
    ended(process)

    assert (done.code, "E_IN_USE" in done.err) == (2, True)
    assert (fresh.folder / ".payouts" / "postgres").exists()
