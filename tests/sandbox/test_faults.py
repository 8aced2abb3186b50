"""When faults strike: rules, scripts, storms and the control paths."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from payouts.sandbox.faults import ALL_RECIPES, read_script, rules_of
from payouts.sandbox.storms import MATRIX, storm

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Sandbox


def _statuses(sandbox: Sandbox, count: int) -> list[int]:
    return [sandbox.orkesta.get("/accounts").status_code for _ in range(count)]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({}, [500, 500, 500, 500, 500, 500]),
        ({"nth": 2}, [200, 500, 200, 200, 200, 200]),
        ({"nth": [1, 4]}, [500, 200, 200, 500, 200, 200]),
        ({"every": 3}, [200, 200, 500, 200, 200, 500]),
        ({"every": 3, "nth": [1]}, [500, 200, 500, 200, 200, 500]),
        ({"times": 2}, [500, 500, 200, 200, 200, 200]),
        ({"every": 2, "times": 1}, [200, 500, 200, 200, 200, 200]),
        ({"probability": 0}, [200] * 6),
        ({"probability": 1}, [500] * 6),
        ({"route": "POST *"}, [200] * 6),
        ({"route": "GET /orkesta/v1/acc*"}, [500] * 6),
    ],
)
def test_a_rule_says_when_it_strikes(
    sandbox: Sandbox, when: dict[str, Any], expected: list[int]
) -> None:
    sandbox.faults({"fault": "server_error", **when})

    assert _statuses(sandbox, 6) == expected


def test_a_rule_can_hold_for_a_while(sandbox: Sandbox) -> None:
    sandbox.faults({"fault": "unauthorized", "for_s": 0.3})

    assert _statuses(sandbox, 2) == [401, 401]
    time.sleep(0.4)
    assert _statuses(sandbox, 2) == [200, 200]


def test_a_rule_can_wait_for_a_reference(sandbox: Sandbox) -> None:
    """A poisoned item is this: 400 for whatever batch it is in."""
    sandbox.faults({"fault": "poison", "reference": "POISON-*"})

    good = sandbox.batch(sandbox.item("GOOD-1"), sandbox.item("GOOD-2"))
    bad = sandbox.batch(sandbox.item("GOOD-3"), sandbox.item("POISON-1"))

    assert (good.status_code, bad.status_code) == (200, 400)
    assert not sandbox.effects("GOOD-3")


def test_a_reference_is_found_in_every_kind_of_request(sandbox: Sandbox) -> None:
    name = sandbox.batch(sandbox.item("FIND-1")).json()[0]["id"]
    payout = sandbox.orkestra.post("/payouts", json=sandbox.payout("FIND-2")).json()["id"]
    sandbox.faults({"fault": "status", "reference": "FIND-*", "options": {"status": 418}})

    assert sandbox.orkesta.post("/payments", json=sandbox.item("FIND-3")).status_code == 418
    assert sandbox.orkesta.get(f"/payments/{name}").status_code == 418
    assert sandbox.orkesta.delete(f"/payments/{name}").status_code == 418
    assert sandbox.orkestra.post("/payouts", json=sandbox.payout("FIND-4")).status_code == 418
    assert sandbox.orkestra.get(f"/payouts/{payout}").status_code == 418
    assert sandbox.orkesta.get("/accounts").status_code == 200
    for body in (b"", b"{", b"1", b"[1]", b'{"payments": 1}'):
        assert sandbox.orkesta.post("/payments", content=body).status_code == 415


def test_several_rules_can_strike_at_one_request(sandbox: Sandbox) -> None:
    sandbox.faults(
        {"fault": "latency", "options": {"seconds": 0.2}},
        {"fault": "shuffled"},
        {"fault": "missing_items"},
        {"fault": "effect_then_reset", "nth": 2},
    )
    begun = time.monotonic()

    first = sandbox.batch(*(sandbox.item(f"MANY-{n}") for n in range(5)))
    with pytest.raises(httpx.ReadError):
        sandbox.batch(sandbox.item("MANY-9"))

    assert len(first.json()) == 4
    assert time.monotonic() - begun > 0.4
    assert sandbox.effects("MANY-9")


def test_chance_follows_from_seed_and_content_and_not_from_the_order(
    start: Callable[..., Sandbox], tmp_path: Path
) -> None:
    """Else a storm could not be repeated by a client that sends many requests at once."""

    def struck(seed: str, order: list[int]) -> set[int]:
        sandbox = start("--seed", seed, directory=tmp_path / f"{seed}-{order[0]}")
        sandbox.faults({"fault": "server_error", "probability": 0.4})
        replies = {n: sandbox.batch(sandbox.item(f"C-{n}")).status_code for n in order}
        sandbox.end()
        return {number for number, status in replies.items() if status == 500}

    forwards = struck("7", list(range(40)))

    assert 5 < len(forwards) < 30
    assert struck("7", list(range(39, -1, -1))) == forwards
    assert struck("8", list(range(40))) != forwards


def test_a_repeated_request_has_a_new_chance(sandbox: Sandbox) -> None:
    """Else what fails once would fail for ever."""
    sandbox.faults({"fault": "server_error", "probability": 0.5})

    assert set(_statuses(sandbox, 40)) == {200, 500}


# control


def test_counters_tell_how_often_each_fault_struck(sandbox: Sandbox) -> None:
    before = sandbox.control.get("/_control/faults").json()["struck"].get("bad_gateway", 0)
    sandbox.faults({"fault": "bad_gateway", "nth": [1, 3]}, {"fault": "locked", "route": "PUT *"})
    _statuses(sandbox, 4)

    shown = sandbox.control.get("/_control/faults").json()

    counts = [(rule["fault"], rule["seen"], rule["struck"]) for rule in shown["rules"]]
    assert counts == [("bad_gateway", 4, 2), ("locked", 0, 0)]
    assert shown["struck"]["bad_gateway"] == before + 2


def test_faults_can_be_cleared(sandbox: Sandbox) -> None:
    sandbox.faults({"fault": "server_error"})

    assert sandbox.control.delete("/_control/faults").json()["rules"] == []
    assert _statuses(sandbox, 1) == [200]


def test_no_fault_locks_out_whoever_wants_to_end_it(sandbox: Sandbox) -> None:
    sandbox.faults({"fault": "reset_on_accept"}, {"fault": "server_error"})
    url = sandbox.control.base_url.join("/_control/faults")

    assert httpx.delete(url, trust_env=False).status_code == 200
    assert _statuses(sandbox, 1) == [200]


def test_control_answers_on_the_platforms_port_too(sandbox: Sandbox) -> None:
    sandbox.faults({"fault": "server_error"}, {"fault": "reset_before_reading", "route": "*"})

    health = sandbox.orkesta.get(sandbox.orkesta.base_url.join("/_control/health"))

    assert health.json()["status"] == "ok"
    assert sandbox.control.get("/orkesta/v1/accounts").status_code == 404


def test_health_counts_requests_and_effects(sandbox: Sandbox) -> None:
    before = sandbox.control.get("/_control/health").json()
    sandbox.batch(sandbox.item(), sandbox.item())

    after = sandbox.control.get("/_control/health").json()

    assert after["effects"] == before["effects"] + 2
    assert after["requests"] == before["requests"] + 1


def test_settings_are_shown_and_wrong_ones_change_nothing(sandbox: Sandbox) -> None:
    shown = sandbox.control.get("/_control/settings").json()
    usual = {
        "speed": 1.0,
        "wording": "settled",
        "wrapped": False,
        "approval": False,
        "magic": True,
        "key_life_s": None,
        "reconcile_s": None,
        "prefunded": False,
        "webhooks": {},
        "webhook_deadline_s": 10.0,
        "bare_signature": False,
    }
    assert usual.items() <= shown.items()

    for wrong in (
        {"speed": 0},
        {"speed": "fast"},
        {"speed": 5, "wording": "done"},
        {"wrapped": 1},
        {"webhooks": {"nobody": "http://127.0.0.1/"}},
        {"webhooks": {"orkesta": "127.0.0.1"}},
        {"webhooks": "http://127.0.0.1/"},
        {"webhook_deadline_s": 0},
        {"reconcile_s": "soon"},
        {"key_life_s": -1},
        {"nothing": 1},
        [1],
    ):
        assert sandbox.control.post("/_control/settings", json=wrong).status_code == 422

    assert sandbox.control.get("/_control/settings").json() == shown


# scripts


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        "text",
        None,
        [{"fault": "no_such_fault"}],
        [{"route": "*"}],
        ["latency"],
        [{"fault": "latency", "seconds": 1}],
        [{"fault": "latency", "options": {"second": 1}}],
        [{"fault": "latency", "options": 5}],
        [{"fault": "latency", "nth": 0}],
        [{"fault": "latency", "nth": ["1"]}],
        [{"fault": "latency", "every": True}],
        [{"fault": "latency", "probability": 2}],
        [{"fault": "latency", "times": 1.5}],
        [{"fault": "latency", "for_s": -1}],
        [{"fault": "latency", "route": 1}],
        [{"fault": "latency", "reference": 1}],
    ],
)
def test_a_script_with_a_mistake_is_refused(sandbox: Sandbox, wrong: object) -> None:
    """A fault that silently never strikes proves nothing."""
    with pytest.raises(ValueError):  # noqa: PT011  each has a message of its own
        rules_of(wrong)

    reply = sandbox.control.post("/_control/faults", json=wrong)

    assert reply.status_code == 422
    assert reply.json()["message"]


def test_a_script_is_toml_or_json(tmp_path: Path) -> None:
    toml = tmp_path / "faults.toml"
    toml.write_text('[[fault]]\nfault = "cut"\nnth = [1, 2]\noptions = { share = 0.1 }\n')
    as_json = tmp_path / "faults.json"
    as_json.write_text(json.dumps([{"fault": "cut", "nth": [1, 2], "options": {"share": 0.1}}]))

    assert read_script(toml) == read_script(as_json)
    assert read_script(toml)[0].nth == (1, 2)


def test_a_script_is_in_force_from_the_start(start: Callable[..., Sandbox], tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[fault]]\nfault = "bad_gateway"\ntimes = 1\n')

    sandbox = start("--faults", str(script))

    assert _statuses(sandbox, 2) == [502, 200]


@pytest.mark.parametrize("place", ["the help", "the README"])
def test_the_example_script_is_one(place: str) -> None:
    """Whoever copies it must not begin with an error."""
    if place == "the README":
        readme = Path(__file__).parents[2] / "README.md"
        text = readme.read_text("utf-8").partition("## Faults on request")[2]
        script = text.partition("```toml")[2].partition("```")[0]
    else:
        command = [sys.executable, "-m", "payouts.sandbox", "--help"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        script = text.partition("as JSON:\n")[2].partition("The fault recipes")[0]

    assert rules_of(tomllib.loads(script))


def test_a_wrong_script_or_argument_ends_with_2(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[fault]]\nfault = "no_such_fault"\n')
    command = [sys.executable, "-m", "payouts.sandbox", "--dir", str(tmp_path)]

    for arguments in (
        ["--faults", str(script)],
        ["--faults", str(tmp_path / "none.json")],
        ["--speed", "fast"],
    ):
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=20, check=False
        )
        assert done.returncode == 2
        assert done.stderr
        assert "Traceback" not in done.stderr


# storms


def test_a_storm_is_drawn_from_its_seed() -> None:
    assert storm(3) == storm(3)
    assert [rule.fault for rule in storm(3)] != [rule.fault for rule in storm(4)]
    for rule in (rule for seed in range(200) for rule in storm(seed)):
        assert rule.times
        assert set(rule.options) <= set(ALL_RECIPES[rule.fault].options)


def test_storms_draw_from_calls_from_later_and_from_webhooks() -> None:
    drawn = {rule.fault for seed in range(200) for rule in storm(seed)}

    assert len(drawn) > 50
    assert not drawn & {"effect_then_hang", "hang_without_effect", "forgotten_key", "no_funds"}


def test_every_fault_of_the_list_has_its_recipes_and_every_recipe_its_fault() -> None:
    """RELIABILITY 6; faults on our own side are none of the sandbox's."""
    named = [recipe for _, recipes in MATRIX for recipe in recipes]

    assert set(named) == set(ALL_RECIPES)
    assert len({fault for fault, _ in MATRIX}) == len(MATRIX)


def test_a_storm_strikes_and_ends(start: Callable[..., Sandbox]) -> None:
    sandbox = start("--seed", "1")

    def is_answered(number: int) -> bool:
        try:
            sandbox.fresh.post("/payments/batch", json=[sandbox.item(f"STORM-{number}")])
        except httpx.TransportError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        answered = sum(pool.map(is_answered, range(400)))

    rules = sandbox.control.get("/_control/faults").json()["rules"]
    assert sum(rule["struck"] for rule in rules) > 5
    assert answered > 250
