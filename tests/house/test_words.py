"""Stored words: what is in databases, files and scripts of others never changes its name."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from payouts.core.items import Role, State
from payouts.core.ledger import AccountKind, TransferKind
from payouts.core.outcomes import Verdict
from payouts.core.problems import KINDS
from payouts.flows.load import OUTCOMES

FROZEN = Path(__file__).with_name("frozen_words.txt")
HEAD = "# Words that are stored or that scripts of others rely on. Append; never rename, never delete.\n"


def words() -> list[str]:
    return sorted(
        {
            *(f"state {state}" for state in State),
            *(f"account {kind}" for kind in AccountKind),
            *(f"role {role}" for role in get_args(Role)),
            *(f"transfer {kind}" for kind in TransferKind),
            *(f"verdict {verdict}" for verdict in Verdict),
            *(f"line {outcome}" for outcome in OUTCOMES),
            *(f"problem {code}" for code in KINDS),
        }
    )


def frozen() -> list[str]:
    return [line for line in FROZEN.read_text("utf-8").splitlines() if not line.startswith("#")]


def test_no_stored_word_was_renamed_or_deleted() -> None:
    assert not set(frozen()) - set(words()), "these are gone: rows and scripts out there use them"


def test_every_new_word_was_put_on_the_list_on_purpose() -> None:
    """Add it to tests/house/frozen_words.txt when you are sure of its name."""
    assert not set(words()) - set(frozen())


def test_the_list_is_sorted_and_without_repetition() -> None:
    assert frozen() == sorted(set(frozen()))
