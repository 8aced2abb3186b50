"""Pix keys against stdnum, `phonenumbers` and `uuid`, and the key that is two things at once."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import phonenumbers
import pytest
from stdnum.br import cnpj as stdnum_cnpj
from stdnum.br import cpf as stdnum_cpf

from payouts.intake.identifiers import pix

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def judged(
    answers: Callable[..., list[str | None]],
    written: list[str | None],
    stated: list[str | None] | None = None,
) -> list[tuple[str | None, str | None, str | None]]:
    """Key, kind and code of each."""
    stated = [None] * len(written) if stated is None else stated
    keys = answers(pix.normalised, written, stated)
    kinds = answers(pix.kind, keys)
    codes = answers(pix.problem, keys, stated, written)
    return list(zip(keys, kinds, codes, strict=True))


@pytest.mark.parametrize(
    ("written", "stated", "key", "kind", "code"),
    [
        ("123.456.789-09", None, "12345678909", "pix_cpf", None),
        ("12345678909", None, "12345678909", "pix_cpf", None),
        ("123.456.789-00", None, "12345678900", "pix_cpf", "E_CPF_CHECK_DIGITS"),
        ("11111111111", "CPF", "11111111111", "pix_cpf", "E_CPF_REPEATED"),
        ("12.ABC.345/01DE-35", None, "12ABC34501DE35", "pix_cnpj", None),
        ("12.abc.345/01de-35", "cnpj", "12ABC34501DE35", "pix_cnpj", None),
        ("00000000000191", None, "00000000000191", "pix_cnpj", None),
        ("(11) 91234-5684", None, "+5511912345684", "pix_phone", None),
        ("11 91234-5684", None, "+5511912345684", "pix_phone", None),
        ("+55 11 91234-5684", None, "+5511912345684", "pix_phone", None),
        ("5511912345684", None, "+5511912345684", "pix_phone", None),
        ("11912345684", "phone", "+5511912345684", "pix_phone", None),
        ("11912345684", "Celular", "+5511912345684", "pix_phone", None),
        ("11912345684", "cpf", "11912345684", "pix_cpf", None),
        ("119.123.456-84", None, "11912345684", "pix_cpf", None),
        ("11912345684", None, "11912345684", "pix_cpf", "E_PIX_KEY_AMBIGUOUS"),
        ("11912345685", None, "+5511912345685", "pix_phone", None),
        ("+551132345684", None, "+551132345684", "pix_phone", "E_PIX_PHONE"),
        ("+351912345678", None, "+351912345678", "pix_phone", "E_PIX_PHONE"),
        ("Ana.Silva@Example.COM", None, "ana.silva@example.com", "pix_email", None),
        ("ana@example", None, "ana@example", "pix_email", "E_PIX_EMAIL"),
        ("ana%x@example.com", None, "ana%x@example.com", "pix_email", "E_PIX_EMAIL"),
        ("@example.com", None, "@example.com", "pix_email", "E_PIX_EMAIL"),
        ("é@example.com", None, "é@example.com", "pix_email", "E_PIX_EMAIL"),
        ("a" * 66 + "@example.com", None, "a" * 66 + "@example.com", "pix_email", "E_PIX_EMAIL"),
        ("a" * 65 + "@example.com", None, "a" * 65 + "@example.com", "pix_email", None),
        (
            "123E4567-E12B-12D1-A456-426655440000",
            None,
            "123e4567-e12b-12d1-a456-426655440000",
            "pix_evp",
            None,
        ),
        (
            "123e4567e12b12d1a456426655440000",
            "aleatória",
            "123e4567-e12b-12d1-a456-426655440000",
            "pix_evp",
            None,
        ),
        ("123456789", None, "123456789", None, "E_PIX_KEY_FORMAT"),
        ("nubank", None, "NUBANK", None, "E_PIX_KEY_FORMAT"),
        ("", None, "", None, "E_PIX_KEY_FORMAT"),
        ("ana@example.com", "cpf", "ana@example.com", "pix_email", "E_PIX_KEY_KIND"),
        ("12345678909", "email", "12345678909", "pix_cpf", "E_PIX_KEY_KIND"),
        ("12345678909", "something else", "12345678909", "pix_cpf", None),
        (None, None, None, None, None),
        (None, "cpf", None, None, None),
    ],
)
def test_each_way_of_writing_gets_its_key_kind_and_code(
    answers: Callable[..., list[str | None]],
    *,
    written: str | None,
    stated: str | None,
    key: str | None,
    kind: str | None,
    code: str | None,
) -> None:
    assert judged(answers, [written], [stated]) == [(key, kind, code)]


def test_eleven_bare_digits_are_read_as_what_they_can_only_be(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    """Those that are a CPF and a mobile number at once are held: a guess may pay a stranger."""
    digits = [
        f"{rng.choice(['11', '21', '85', '99'])}9{rng.randrange(10**8):08d}" for _ in range(9_000)
    ]
    bodies = [f"{rng.choice(['11', '21'])}9{rng.randrange(10**6):06d}" for _ in range(2_000)]
    digits += [body + stdnum_cpf._calc_check_digits(body) for body in bodies]  # noqa: SLF001  the library has no public way

    outcome = judged(answers, list(digits))

    seen = set()
    for number, (key, kind, code) in zip(digits, outcome, strict=True):
        is_cpf = stdnum_cpf.is_valid(number)
        is_mobile = phonenumbers.is_valid_number(phonenumbers.parse("+55" + number))
        seen.add((is_cpf, is_mobile))
        if is_cpf and is_mobile:
            assert code == "E_PIX_KEY_AMBIGUOUS"
        elif is_mobile:
            assert (key, kind, code) == ("+55" + number, "pix_phone", None)
        else:
            assert kind == "pix_cpf"
            assert (code is None) == is_cpf
    assert {(True, True), (False, True)} <= seen


def test_random_keys_of_each_kind_are_taken(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    keys: list[str | None] = []
    keys += [
        stdnum_cpf.format(body + stdnum_cpf._calc_check_digits(body))  # noqa: SLF001  the library has no public way
        for body in (f"{rng.randrange(1, 10**9):09d}" for _ in range(3_000))
    ]
    keys += [
        stdnum_cnpj.format(body + stdnum_cnpj.calc_check_digits(body))
        for body in ("".join(rng.choices("0123456789ABCDEF", k=12)) for _ in range(3_000))
    ]
    keys += [str(uuid.UUID(int=rng.getrandbits(128))).upper() for _ in range(3_000)]
    keys += [f"User{rng.randrange(10**6)}@Mail{rng.randrange(99)}.com.br" for _ in range(3_000)]
    keys += [
        f"+55{rng.choice([11, 21, 31, 71])}9{rng.randrange(6, 10)}{rng.randrange(10**7):07d}"
        for _ in range(3_000)
    ]

    outcome = judged(answers, keys)

    assert {code for _, _, code in outcome} == {None}
    kinds = [kind for _, kind, _ in outcome]
    assert [
        kinds.count(kind) for kind in ("pix_cpf", "pix_cnpj", "pix_evp", "pix_email", "pix_phone")
    ] == [3_000] * 5


def test_the_canonical_key_is_read_as_itself(answers: Callable[..., list[str | None]]) -> None:
    keys: list[str | None] = [
        "12345678909",
        "12ABC34501DE35",
        "+5511912345684",
        "ana@example.com",
        "123e4567-e12b-12d1-a456-426655440000",
    ]

    assert answers(pix.normalised, keys, [None] * 5) == keys
