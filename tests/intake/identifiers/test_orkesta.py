"""Orkesta's account ids: those of its own pages, and Turkish IBANs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payouts.intake.identifiers import orkesta

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("written", "account", "kind", "code"),
    [
        (
            "acc_01hx3k9qze4p7vb2ntcm6d8faj",
            "acc_01hx3k9qze4p7vb2ntcm6d8faj",
            "orkesta_account",
            None,
        ),
        (
            "acc_01hx3kbr7mfq2wc5gtdn9e0spu",
            "acc_01hx3kbr7mfq2wc5gtdn9e0spu",
            "orkesta_account",
            None,
        ),
        ("acc_01HXYZ", "acc_01HXYZ", "orkesta_account", "W_ORKESTA_ACCOUNT_LENGTH"),
        ("acc_xxxx", "acc_xxxx", "orkesta_account", "W_ORKESTA_ACCOUNT_LENGTH"),
        ("acc_", "acc_", "orkesta_account", "E_ORKESTA_ACCOUNT_FORMAT"),
        ("acc-01HXYZ", "acc-01HXYZ", "orkesta_account", "E_ORKESTA_ACCOUNT_FORMAT"),
        ("tr33 0006 1005 1978 6457 8413 26", "TR330006100519786457841326", "iban", None),
        ("TR330006100519786457841327", "TR330006100519786457841327", "iban", "E_IBAN_CHECK_DIGITS"),
        ("DE89370400440532013000", "DE89370400440532013000", "iban", "E_IBAN_COUNTRY_OTHER"),
        (None, None, None, None),
    ],
)
def test_each_way_of_writing_gets_its_kind_and_code(
    answers: Callable[..., list[str | None]],
    written: str | None,
    account: str | None,
    kind: str | None,
    code: str | None,
) -> None:
    assert answers(orkesta.normalised, [written]) == [account]
    assert answers(orkesta.kind, [account]) == [kind]
    assert answers(orkesta.problem, [account]) == [code]
