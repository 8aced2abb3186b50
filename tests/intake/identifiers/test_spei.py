"""What SPEI takes in this program: CLABE and mobile number, no card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payouts.intake.identifiers import clabe, spei

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("written", "account", "kind", "code"),
    [
        ("002 010 077777777771", "002010077777777771", "clabe", None),
        ("002010077777777770", "002010077777777770", "clabe", "E_CLABE_CHECK_DIGIT"),
        ("55 1234 5678", "5512345678", "msisdn", None),
        ("+52 (55) 1234-5678", "5512345678", "msisdn", None),
        ("0052 55 1234 5678", "5512345678", "msisdn", None),
        ("+52 1 55 1234 5678", "5215512345678", "msisdn", "E_MSISDN_OLD_MEXICO"),
        ("0012345678", "0012345678", "msisdn", "E_MSISDN_NOT_MOBILE"),
        ("1012345678", "1012345678", "msisdn", "E_MSISDN_NOT_MOBILE"),
        ("4152 3130 1234 5678", "4152313012345678", "clabe", "E_CARD_NUMBER"),
        ("371449635398431", "371449635398431", "clabe", "E_CARD_NUMBER"),
        ("ana@example.com", "ana@examplecom", "clabe", "E_CLABE_FORMAT"),
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
    assert answers(spei.normalised, [written]) == [account]
    assert answers(spei.kind, [account]) == [kind]
    assert answers(spei.problem, [account]) == [code]


def test_a_clabe_is_judged_as_the_clabe_rule_judges_it(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    """Banco de México's 001, 002 … begin with two zeros, which are no dialling prefix."""
    accounts = [
        f"{rng.choice(sorted(clabe.BANKS))}{rng.randrange(10**15):015d}" for _ in range(5_000)
    ]

    assert answers(spei.normalised, accounts) == accounts
    assert answers(spei.problem, accounts) == answers(clabe.problem, accounts)
