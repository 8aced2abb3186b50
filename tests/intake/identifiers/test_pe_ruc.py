"""RUC of Peru against stdnum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdnum.pe import ruc as stdnum_ruc

from payouts.intake.identifiers import pe_ruc

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def made(rng: random.Random, prefix: str) -> str:
    body = f"{prefix}{rng.randrange(10**8):08d}"
    return body + stdnum_ruc.calc_check_digit(body)


def test_random_numbers_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    valid = [made(rng, rng.choice(["10", "15", "17", "20"])) for _ in range(10_000)]
    damaged = [flip(document, start=2) for document in valid]

    codes = answers(pe_ruc.problem, valid + damaged)

    assert [code is None for code in codes] == [
        stdnum_ruc.is_valid(document) for document in valid + damaged
    ]
    assert set(codes[:10_000]) == {None}


def test_the_prefix_16_is_taken_although_stdnum_does_not_know_it(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    document = made(rng, "16")

    assert not stdnum_ruc.is_valid(document)
    assert answers(pe_ruc.problem, [document, "99512333797", "2051233379", None]) == [
        None,
        "E_PE_RUC_FORMAT",
        "E_PE_RUC_FORMAT",
        None,
    ]
