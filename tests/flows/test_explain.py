"""Every state has a cause, an action, and a command that exists; nothing shows an account."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from payouts.cli.app import ORDER
from payouts.core.items import State
from payouts.flows.explain import STATES, as_sent, meaning, present
from payouts.store.awaited import Awaited
from payouts.store.cancels import CancelRow
from payouts.store.generation import OpenRestoration
from payouts.store.queries import HoldRow, ItemRow, LaneRow
from payouts.store.resolutions import Proposal

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
ITEM = ItemRow(
    id=16,
    batch_id=1,
    run_id=1,
    provider="orkestra",
    funding="main",
    currency="EUR",
    amount_minor=1250,
    lines=1,
    account_last4="3000",
    state="approved",
    clouded=False,
    tries=0,
    code=None,
    provider_status=None,
    provider_ref=None,
    due_at=None,
    check_at=None,
    at=NOW,
    line_id=1,
    number=2,
    reference="INV-1",
    intent=1,
    replaces=None,
)
HOLD = HoldRow(1, 1, None, "funds", "EUR", NOW, "policy", None, None)
PAUSED = LaneRow(1, "orkestra", "main", NOW, "http_401", None, None)


@pytest.mark.parametrize("state", State)
def test_every_state_is_explained(state: State) -> None:
    found = present(replace(ITEM, state=state), keyed=["orkestra"])

    assert found.cause
    assert found.action
    words = found.command.split()
    assert not words or (words[0] == "payouts" and words[1] in ORDER)


@pytest.mark.parametrize(
    ("item", "more", "cause", "command"),
    [
        (replace(ITEM, state="pending"), {}, "not approved", "payouts approve"),
        (replace(ITEM, state="pending"), {"holds": [HOLD]}, "not enough EUR", "payouts fund main"),
        (ITEM, {"holds": [replace(HOLD, reason="rejects")]}, "held: rejects", "payouts approve"),
        (ITEM, {"lane": PAUSED}, "does not accept our credentials", "payouts retry"),
        (ITEM, {"lane": replace(PAUSED, reason="person: holiday")}, "paused: holiday", "payouts resume orkestra/main"),
        (ITEM, {"lane": replace(PAUSED, reason="restored_found")}, "restored backup", "payouts resume orkestra --confirm-restored"),
        (ITEM, {"holds": [replace(HOLD, reason="person")]}, "held: person", "payouts release run_"),
        (ITEM, {"holds": [replace(HOLD, reason="person", item_id=16)]}, "held: person", "payouts release itm_000000000g"),
        (replace(ITEM, state="review"), {}, "automation has stopped", "payouts resolve itm_000000000g --as settled|failed|approved"),
        (replace(ITEM, tries=1, code="http_429", due_at=NOW), {}, "slow down", "payouts retry"),
        (replace(ITEM, state="unknown", code="read_timeout", due_at=NOW), {"keyed": ["orkestra"]}, "in time", ""),
        (replace(ITEM, state="unknown", code="read_timeout"), {}, "in time", ""),
        (replace(ITEM, state="failed", code="name_mismatch: The name differs"), {}, "does not match", "payouts reissue itm_000000000g"),
        (replace(ITEM, state="failed"), {"replaced_by": 17}, "proven not paid", "payouts explain itm_000000000h"),
    ],
)  # fmt: skip
def test_the_present_cause_and_the_next_command_fit(
    item: ItemRow, more: dict[str, object], cause: str, command: str
) -> None:
    found = present(item, **more)  # type: ignore[arg-type]

    assert cause in found.cause
    assert found.command.startswith(command)


def test_an_unclear_item_is_never_said_to_be_sent_again_without_a_key() -> None:
    """A person who reads that would send it by hand as well."""
    keyed = present(replace(ITEM, state="unknown", due_at=NOW), keyed=["orkestra"])
    keyless = present(replace(ITEM, state="unknown", due_at=NOW), keyed=[])

    assert "same key" in keyed.action
    assert "sent again" not in keyless.action


def test_a_hold_of_another_item_does_not_hold_this_one() -> None:
    found = present(ITEM, holds=[replace(HOLD, item_id=99)])

    assert "held" not in found.cause


def test_an_unclear_item_says_until_when_it_may_be_sent_again() -> None:
    """After the key's life the same key is a new payment."""
    item = replace(ITEM, state="unknown", due_at=NOW)

    found = present(item, keyed={"orkestra": 3600.0}, awaited=Awaited(key_used_at=NOW))

    assert found.until == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert present(item, keyed={"orkestra": 3600.0}).until is None
    assert present(replace(item, state="review"), keyed={"orkestra": 3600.0}).until is None


def test_what_people_said_of_an_item_is_told_and_who_is_missing() -> None:
    item = replace(ITEM, state="review")
    proposal = Proposal(1, [16], [4], "failed", "asked", "letter", "person:ada", NOW)
    asked = CancelRow(1, None, "left", "person:eve", NOW, None, None)
    gap = OpenRestoration(1, "orkestra", NOW, None, NOW, None)

    found = present(item, awaited=Awaited(cancels=(asked,), proposals=(proposal,), restored=(gap,)))
    over = present(
        replace(ITEM, state="failed"), awaited=Awaited(cancels=(asked,), restored=(gap,))
    )

    cancelled, proposed, restored = found.notes
    assert "person:eve asked on 2026-11-20 09:00 UTC that it be cancelled (left)" in cancelled
    assert "person:ada proposed failed" in proposed
    assert "two people confirm before orkestra is sent to" in restored
    assert found.command.startswith("payouts resolve itm_000000000g --as failed")
    assert "a second person decides" in found.action
    assert over.notes == ()


def test_a_look_that_somebody_asked_for_comes_first() -> None:
    waits = Awaited(look_due_at=NOW, look_reason="webhook")

    found = present(replace(ITEM, state="unknown", due_at=NOW), keyed=["orkestra"], awaited=waits)

    assert (found.when, "webhook asked for it" in found.action) == (NOW, True)


def test_a_cancelled_unclear_item_is_not_said_to_be_sent_again() -> None:
    asked = CancelRow(1, 16, "left", "person:eve", NOW, None, None)

    found = present(
        replace(ITEM, state="unknown", due_at=NOW),
        keyed=["orkestra"],
        awaited=Awaited(cancels=(asked,)),
    )

    assert "sent again" not in found.action


def test_a_platforms_own_words_come_back_as_they_are() -> None:
    assert meaning("X9: Beneficiary bank closed for a holiday") == (
        "beneficiary bank closed for a holiday"
    )
    assert meaning("something_new") == "something_new"
    assert meaning("http_503") == "the platform was unavailable"


@pytest.mark.parametrize(
    ("body", "account", "name"),
    [
        (b'{"amount":1,"to_account":"TR330006100519786457841326","reference":"PX"}', "…1326", ""),
        (b'{"receivingBankAccount":{"key":"ana@example.com"},"beneficiary":{"firstName":"Ana","lastName":"Silva"},"referenceId":"PY"}', "….com", "Ana Silva"),
        (b'{"receivingBankAccount":{},"beneficiary":{"firstName":"Ana","lastName":"Ana","document":"52998224725"}}', "…4725", "Ana"),
        (b'{"receivingBankAccount":{"key":"1234"}}', "…", ""),
    ],
)  # fmt: skip
def test_what_was_sent_is_shown_with_its_account_masked(
    body: bytes, account: str, name: str
) -> None:
    found = as_sent(body)

    assert found.account == account
    assert found.name == name


def test_each_state_has_its_clause() -> None:
    assert set(STATES) == set(State)
