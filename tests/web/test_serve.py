"""`payouts serve`, the real command, with the sandbox's webhooks."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from payouts.core.errors import SettingsError
from payouts.settings import load_settings
from payouts.store import slots
from payouts.web.server import bound
from payouts.wiring import opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from payouts.store import embedded

SETTINGS = """
payer = "acme"
[retry]
pace = 1.0
[web]
port = {port}
[sandbox]
speed = 20.0
[pipelines.weekly]
files = "in/*.csv"
schedule = "0 9 * * fri"
"""
"""At this pace the first poll comes after a minute."""


@pytest.mark.journey
def test_serve_receives_what_the_sandbox_tells_and_ends_when_told(
    tmp_path: Path, sepa: Callable[..., str]
) -> None:
    with bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "payouts.toml").write_text(SETTINGS.format(port=port))
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "gig.csv").write_text(sepa(5))
        with (
            opened(load_settings(tmp_path), platforms=False) as parts,
            parts.database.unit() as unit,
        ):
            slots.begin(unit, "weekly", datetime.now(UTC) - timedelta(days=9))
        said = _served_until(tmp_path, "gig.csv: 5 settled")

    url = re.search(r"webhooks of orkestra: (http://127.0.0.1:(\d+)/webhooks/orkestra)", said)
    assert url is not None, said
    assert int(url[2]) != port  # that one was taken: the sandbox gets along without settings
    with pytest.raises(OSError, match="refused"):
        http.client.HTTPConnection("127.0.0.1", int(url[2]), timeout=5).connect()
    with (
        opened(load_settings(tmp_path), platforms=False) as parts,
        parts.database.reading() as connection,
    ):
        found = connection.execute(text("SELECT DISTINCT state FROM webhook_inbox")).scalars()
        assert list(found) == ["applied"]


def _served_until(folder: Path, words: str) -> str:
    """Serve until a line says so, then SIGTERM; gives all that was said."""
    with subprocess.Popen(
        [sys.executable, "-m", "payouts", "serve"], cwd=folder, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        impatience = threading.Timer(45, process.kill)
        impatience.start()
        said = ""
        for line in process.stderr:
            said += line
            if words in line:
                process.send_signal(signal.SIGTERM)
        impatience.cancel()
        assert process.wait(20) == 0, said
    return said


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "pay.example.com"])  # noqa: S104  that it is refused
def test_an_address_that_others_can_reach_has_to_be_wanted(host: str) -> None:
    with pytest.raises(SettingsError, match="other machines can reach"):
        bound(host, 0)


def test_an_open_address_is_taken_when_it_is_wanted() -> None:
    with bound("0.0.0.0", 0, openly=True) as listening:  # noqa: S104  the point
        assert listening.getsockname()[0] == "0.0.0.0"  # noqa: S104  the same


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    with bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port}.*in use"):
            bound("127.0.0.1", port)


LIVE = """
environment = "live"
payer = "acme"
[orkesta]
webhook_secrets = {secrets}
"""


@pytest.fixture
def verified(
    tmp_path: Path,
    postgres: embedded.Server,
    make_database: Callable[..., str],
    payouts_template: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], set[str]]:
    """Whose webhooks a live project verifies that has these secrets of Orkesta."""

    def whose(secrets: str) -> set[str]:
        args = postgres.connect_args(make_database("live", template=payouts_template))
        url = (
            f"postgresql://{args['user']}@/{args['dbname']}?host={args['host']}&port={args['port']}"
        )
        for name, value in (("DATABASE__URL", url), ("INSTALL_KEY", "1" * 64)):
            monkeypatch.setenv(f"PAYOUTS_{name}", value)
        monkeypatch.setenv("PAYOUTS_VAULT_KEY", "2" * 64)
        (tmp_path / "payouts.toml").write_text(LIVE.format(secrets=secrets))
        with opened(load_settings(tmp_path), platforms=False) as parts:
            return set(parts.verifiers())

    return whose


def test_in_live_only_those_with_a_secret_are_heard(verified: Callable[[str], set[str]]) -> None:
    assert verified('["one", "two"]') == {"orkesta"}
    assert verified("[]") == set()


@pytest.mark.parametrize(
    ("secrets", "words"),
    [('["sandbox-orkesta-webhook-secret"]', "the sandbox's own"), ('["one", ""]', "is empty")],
)
def test_in_live_a_secret_that_anybody_knows_stops_the_start(
    verified: Callable[[str], set[str]], secrets: str, words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        verified(secrets)
