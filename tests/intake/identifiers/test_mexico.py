"""CURP and RFC against stdnum."""

from __future__ import annotations

import string
from datetime import date, timedelta
from typing import TYPE_CHECKING

from stdnum.mx import curp, rfc

from payouts.intake.identifiers import mexico

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

STATES = ("AS", "DF", "JC", "NE", "ZS")


def made(rng: random.Random) -> str:
    """A CURP that begins with four consonants, since stdnum refuses rude words."""
    born = date(1940, 1, 1) + timedelta(days=rng.randrange(21_000))
    consonants = [letter for letter in string.ascii_uppercase if letter not in "AEIOU"]
    body = (
        "".join(rng.choices(consonants, k=4))
        + f"{born:%y%m%d}{rng.choice('HM')}{rng.choice(STATES)}"
        + "".join(rng.choices(string.ascii_uppercase, k=3))
        + str(rng.randrange(10))
    )
    return body + curp.calc_check_digit(body + "0")


def test_random_curps_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    """The 29th of February of a year without one is stdnum's to notice, not ours."""
    valid = [made(rng) for _ in range(10_000)]
    damaged = [flip(document) for document in valid]
    documents = [each for each in valid + damaged if each[6:10] != "0229"]

    codes = answers(mexico.curp_problem, documents)

    rude = {each for each in documents if each[:4] in curp._name_blacklist}  # noqa: SLF001  what its rule says
    assert [
        code is None or document in rude for document, code in zip(documents, codes, strict=True)
    ] == [curp.is_valid(document) or document in rude for document in documents]
    assert set(codes[:9_000]) == {None}


def test_a_rude_word_in_front_is_taken_although_stdnum_refuses_it(
    answers: Callable[..., list[str | None]],
) -> None:
    """RENAPO replaces a letter of such words today; cards given out before are still in use."""
    body = "PEDO800101HDFRRL0"
    document = body + curp.calc_check_digit(body + "0")

    assert not curp.is_valid(document)
    assert answers(mexico.curp_problem, [document, "X", None]) == [None, "E_CURP_FORMAT", None]


def test_rfcs_are_judged_as_stdnum_judges_them(
    answers: Callable[..., list[str | None]], rng: random.Random, flip: Callable[..., str]
) -> None:
    """We also want the last character to be a digit or A, the only ones that are given out."""
    born = [date(1940, 1, 1) + timedelta(days=rng.randrange(21_000)) for _ in range(10_000)]
    consonants = "BCDFGHJKLMNPQRSTVWXYZ"
    valid = [
        "".join(rng.choices(consonants, k=rng.choice([3, 4])))
        + f"{day:%y%m%d}"
        + "".join(rng.choices("123456789ABCDEFGHIJKLMNPQRSTUV", k=2))
        + rng.choice("0123456789A")
        for day in born
    ]
    damaged = [flip(document, start=4) for document in valid]
    documents = [
        each for each in valid + damaged if "0229" not in each and each[-1] in "0123456789A"
    ]

    codes = answers(mexico.rfc_problem, documents)

    assert [code is None for code in codes] == [rfc.is_valid(each) for each in documents]
    assert answers(mexico.rfc_problem, ["GODE561231", "ÑOÑO561231GR8", "", None]) == [
        None,
        None,
        "E_RFC_FORMAT",
        None,
    ]
