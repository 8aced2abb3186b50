"""CBU, CVU and alias against stdnum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stdnum.ar import cbu as stdnum_cbu

from payouts.intake.identifiers import cbu

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def made(rng: random.Random, bank: str = "") -> str:
    branch = bank + f"{rng.randrange(10**7):07d}"[len(bank) :]
    account = f"{rng.randrange(10**13):013d}"
    return (
        branch
        + stdnum_cbu.calc_check_digit(branch)
        + account
        + stdnum_cbu.calc_check_digit(account)
    )


@pytest.mark.parametrize("bank", ["", "000"])
def test_random_accounts_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]],
    rng: random.Random,
    flip: Callable[..., str],
    bank: str,
) -> None:
    """A CVU, a wallet's account, begins with 000 and has the same check digits."""
    valid = [made(rng, bank) for _ in range(10_000)]
    damaged = [flip(account) for account in valid]

    codes = answers(cbu.problem, valid + damaged)

    assert [code is None for code in codes] == [
        stdnum_cbu.is_valid(account) for account in valid + damaged
    ]
    assert set(codes[:10_000]) == {None}
    assert set(codes[10_000:]) == {"E_CBU_CHECK_DIGITS"}


@pytest.mark.parametrize(
    ("written", "account", "kind", "code"),
    [
        ("28505909 40090418135201", "2850590940090418135201", "cbu", None),
        ("0000003100010000000009", "0000003100010000000009", "cvu", None),
        ("285059094009041813520", "285059094009041813520", "cbu", "E_CBU_FORMAT"),
        ("28505909400904181352011", "28505909400904181352011", "cbu", "E_CBU_FORMAT"),
        ("Juan.Perez-01", "juan.perez-01", "alias", None),
        ("SOL.LUNA.MAR", "sol.luna.mar", "alias", None),
        ("corto", "corto", "alias", "E_CBU_ALIAS"),
        ("mi casa", "mi casa", "alias", "E_CBU_ALIAS"),
        ("peña.nieto", "peña.nieto", "alias", "E_CBU_ALIAS"),
        ("un.alias.demasiado.largo", "un.alias.demasiado.largo", "alias", "E_CBU_ALIAS"),
        ("12345678", "12345678", "alias", "W_CBU_ALIAS_DIGITS"),
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
    assert answers(cbu.normalised, [written]) == [account]
    assert answers(cbu.kind, [account]) == [kind]
    assert answers(cbu.problem, [account]) == [code]
