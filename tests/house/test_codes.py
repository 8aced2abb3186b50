"""Every code that the package raises or stores is one that `payouts explain` knows."""

from __future__ import annotations

import re

import pytest

from payouts.core.problems import ACCOUNTS, FILES, HOLDS, KINDS, LINES, OPERATIONS, ProblemKind
from tests.house.tracked import ROOT, tracked

CODE = re.compile(r"(?<![\w.])[EW]_[A-Z][A-Z0-9_]*[A-Z0-9](?![\w…])")
NO_CODES = {"W_OK"}
"""Names of the standard library that have the form of a code."""
PUT_TOGETHER = {
    *("E_NAME_SCRIPT", "E_DESCRIPTION_SCRIPT"),
    *("W_NAME_TRANSLITERATED", "W_DESCRIPTION_TRANSLITERATED"),
}
"""Codes that the source puts together of a column's name and a word."""


def raised() -> dict[str, set[str]]:
    """Codes with the files that name them, wherever in the package they stand."""
    found: dict[str, set[str]] = {}
    for path in tracked():
        name = path.relative_to(ROOT)
        if name.parts[0] in {"payouts", "pipelines"} and path.suffix in {".py", ".sql", ".csv"}:
            for code in CODE.findall(path.read_text("utf-8")):
                found.setdefault(code, set()).add(str(name))
    return found


def test_explain_knows_every_code_that_the_package_names() -> None:
    """A person who meets a code at night has nothing but `payouts explain`."""
    unknown = {code: where for code, where in raised().items() if code not in KINDS}

    assert unknown.keys() <= NO_CODES, f"add to core/problems/: {unknown}"


def test_every_kind_is_named_somewhere_else_than_in_its_own_list() -> None:
    """A code that nothing raises promises a check that is not made."""
    homes = ("payouts/core/problems/",)
    dead = {
        code
        for code, where in raised().items()
        if code in KINDS and all(name.startswith(homes) for name in where)
    }

    assert dead == PUT_TOGETHER


def test_no_code_is_listed_twice() -> None:

    codes = [kind.code for kind in (*FILES, *LINES, *ACCOUNTS, *OPERATIONS)]

    assert len(codes) == len(set(codes)) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_says_what_is_wrong_and_what_to_do(kind: ProblemKind) -> None:

    assert len(kind.message.split()) >= 3
    assert not kind.message.endswith(".")
    assert kind.hint.endswith((".", "?")), kind.hint
    assert bool(kind.severity) == (kind.scope == "incident")


def test_every_reason_of_a_hold_is_explained() -> None:
    """Those that the load, the release of money, people and statements write."""
    written = re.compile(
        r"""holds\.append\(\("([a-z_]+)"|^(?:BY_PERSON|FUNDS)[^\n]*= "(\w+)"|"""
        r"""h\.reason = '([a-z_]+)'""",
        re.MULTILINE,
    )
    found = {
        word
        for path in tracked()
        if path.is_relative_to(ROOT / "payouts") and path.suffix == ".py"
        for words in written.findall(path.read_text("utf-8"))
        for word in words
        if word
    }

    assert found == set(HOLDS)


def test_the_reasons_of_holds_say_what_ends_them() -> None:
    for reason, kind in HOLDS.items():
        assert reason == kind.reason == reason.lower()
        assert "`payouts " in kind.hint
