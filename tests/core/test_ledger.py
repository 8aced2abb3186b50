"""The chart of accounts and what moves between them."""

from __future__ import annotations

from typing import get_args

from payouts.core.items import MOVES, Role
from payouts.core.ledger import GUARDED, AccountKind, TransferKind, account_name


def test_an_account_is_named_by_kind_owner_and_currency() -> None:
    assert account_name("reserved", "run_0000000001", "EUR") == "reserved:run_0000000001:EUR"
    assert account_name("refunded", "", "EUR") == "refunded:EUR"


def test_every_role_that_a_move_books_is_an_account() -> None:
    roles = set(get_args(Role))

    assert roles <= {*AccountKind}
    assert {role for move in MOVES if move.posting for role in move.posting} == roles


def test_accounts_that_must_not_fall_below_zero_are_those_that_are_spent_from() -> None:
    assert {AccountKind.FUNDING, AccountKind.RESERVED} == GUARDED


def test_names_of_moves_and_of_other_transfers_cannot_be_confused() -> None:
    assert not {f"{move.before}>{move.after}" for move in MOVES} & {*TransferKind}
