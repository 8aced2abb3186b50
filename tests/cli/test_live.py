"""The live environment: it has to be said, keys have to be given, and somebody has to say yes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.cli.conftest import many

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Terminal

pytestmark = pytest.mark.journey

LIVE = """
environment = "live"
install_key = "{install}"
vault_key = "{vault}"
payer = "desk"
allow_undocumented_rails = ["orkestra:sepa"]
{more}
[orkestra]
base_url = "{base}/orkestra"
key_id = "sandbox-orkestra"
secret = "sandbox-orkestra-secret"
"""


def live(terminal: Terminal, more: str = "") -> Terminal:
    """The project as a live one whose platform is the sandbox's address."""
    terminal.settings(
        LIVE.format(install="1a" * 32, vault="2b" * 32, base=terminal.sandbox, more=more)
    )
    with psycopg.connect(terminal.environment["PAYOUTS_DATABASE__URL"]) as connection:
        connection.execute(
            "INSERT INTO ledger_account (name, kind, owner, currency, balance_minor)"
            " VALUES ('external::EUR', 'external', '', 'EUR', NULL),"
            " ('funding:main:EUR', 'funding', 'main', 'EUR', 0)"
        )
        connection.execute(
            "INSERT INTO ledger_transfer (posting, credit_id, debit_id, amount_minor, currency,"
            " kind, reason) SELECT 0, c.id, d.id, 10000000, 'EUR', 'fund', 'for the test'"
            " FROM ledger_account c, ledger_account d"
            " WHERE c.kind = 'external' AND d.kind = 'funding'"
        )
    return terminal


def approved_by(terminal: Terminal) -> list[str | None]:
    with psycopg.connect(terminal.environment["PAYOUTS_DATABASE__URL"]) as connection:
        return [row[0] for row in connection.execute("SELECT approved_by FROM pipeline_run")]


def test_nothing_is_sent_before_somebody_said_yes(make_terminal: Callable[..., Terminal]) -> None:
    terminal = live(make_terminal())
    file = terminal.write(many(3))

    asked = terminal.run("run", file)

    assert asked.code == 5, asked.err
    assert "payouts · live · database" in asked.err
    assert "Batches   1 batch with 3 items" in asked.err
    assert "Nobody can answer here: give --yes" in asked.err
    assert "3 items for approval" in asked.out
    assert asked.lines[-1].startswith(f"Next: payouts run {file} --yes")
    assert not terminal.effects()
    assert approved_by(terminal) == [None]


def test_a_yes_is_the_approval_of_the_person_who_typed_it(
    make_terminal: Callable[..., Terminal],
) -> None:
    terminal = live(make_terminal())
    file = terminal.write(many(3))

    done = terminal.run("run", file, "--yes", USER="ana", LOGNAME="ana")

    assert done.code == 0, done.err
    assert approved_by(terminal) == ["person:ana"]
    assert sorted(terminal.effects().values()) == [1, 1, 1]
    with psycopg.connect(terminal.environment["PAYOUTS_DATABASE__URL"]) as connection:
        rows = connection.execute("SELECT actor, reason FROM approval").fetchall()
    assert [row[0] for row in rows] == ["person:ana"]


def test_a_yes_later_pays_what_was_loaded_before(make_terminal: Callable[..., Terminal]) -> None:
    terminal = live(make_terminal())
    file = terminal.write(many(3))
    terminal.run("run", file)

    done = terminal.run("run", file, "--yes")

    assert done.code == 0, done.err
    assert sorted(terminal.effects().values()) == [1, 1, 1]


def test_a_pipeline_that_approves_by_itself_is_asked_about_before_it_is_loaded(
    make_terminal: Callable[..., Terminal],
) -> None:
    """Once it is loaded a worker elsewhere would send it, so the question comes first."""
    terminal = live(make_terminal(), '[pipelines.disbursement]\npolicy = "auto"\n')
    file = terminal.write(many(3))

    refused = terminal.run("run", file)
    assert refused.code == 2, refused.err
    assert "--yes" in refused.err
    assert approved_by(terminal) == []
    assert not any((terminal.folder / ".payouts" / "files").iterdir())

    done = terminal.run("run", file, "--yes")
    assert done.code == 0, done.err
    assert len(terminal.effects()) == 3


def test_more_money_than_there_is_holds_the_run_at_the_approval(
    make_terminal: Callable[..., Terminal],
) -> None:
    terminal = live(make_terminal())
    file = terminal.write(many(3, amount="99999.00"))

    done = terminal.run("run", file, "--yes")

    assert done.code == 5, done.err
    assert "funds: EUR" in done.out
    assert not terminal.effects()


def test_live_without_its_keys_is_refused(make_terminal: Callable[..., Terminal]) -> None:
    terminal = make_terminal()
    terminal.settings('environment = "live"\n')

    done = terminal.run("run", terminal.write(many(1)))

    assert done.code == 2
    assert "install_key is not given" in done.err
