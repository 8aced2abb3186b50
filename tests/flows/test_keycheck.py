"""Whether keys are known: what the doctor hears of two platforms, and of their absence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payouts import local
from payouts.flows.keycheck import check_orchestra, check_orchestrate
from payouts.providers.calls import Calls
from payouts.providers.client import Exchange, Timeouts
from payouts.providers.orchestra import Orchestra
from payouts.providers.orchestrate import Orchestrate

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with local.sandbox_running(tmp_path_factory.mktemp("sandbox")) as url:
        yield url


def orchestra(url: str, key: str = "sandbox-orchestra") -> tuple[Orchestra, Calls]:
    platform = Orchestra(f"{url}/orchestra", api_key=key)
    return platform, Calls(platform.base_url, platform.headers, Timeouts(connect=0.5))


def orchestrate(url: str, key: str = "sandbox-orchestrate") -> tuple[Orchestrate, Calls]:
    platform = Orchestrate(f"{url}/orchestrate", api_key=key)
    return platform, Calls(platform.base_url, platform.headers, Timeouts(connect=0.5))


def test_a_known_key_holds(url: str) -> None:
    vault = check_orchestra(*orchestra(url), sandbox=True)
    links = check_orchestrate(*orchestrate(url))

    assert (vault.holds, links.holds) == (True, True)
    assert vault.words == "key of sandbox, account 9007199254740993, sandbox"


def test_a_key_of_the_other_environment_does_not(url: str) -> None:
    """A guard against a live key in tests, and the other way round (ORC-spec)."""
    found = check_orchestra(*orchestra(url), sandbox=False)

    assert not found.holds
    assert found.hint == "This project is live: give a key of that kind."


def test_a_key_that_is_refused_does_not(url: str) -> None:
    for found in (
        check_orchestra(*orchestra(url, "nobody"), sandbox=True),
        check_orchestrate(*orchestrate(url, "nobody")),
    ):
        assert not found.holds
        assert "refused" in found.words
        assert "api_key" in found.hint


def test_a_platform_that_is_away_or_is_another_does_not() -> None:
    away = "http://127.0.0.1:9"
    for found in (
        check_orchestra(*orchestra(away), sandbox=True),
        check_orchestrate(*orchestrate(away)),
        check_orchestra(orchestra(away)[0], lambda *_: Exchange(200, b"<html>"), sandbox=True),
        check_orchestrate(orchestrate(away)[0], lambda *_: Exchange(200, b"<html>")),
    ):
        assert not found.holds
        assert "base_url" in found.hint
