"""Documents: the kind that a word or a shape tells, and the rule of that kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payouts.intake.identifiers import cpf, document, rut

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("written", "country", "stated", "number", "kind", "code"),
    [
        ("123.456.789-09", "BR", None, "12345678909", "cpf", None),
        ("123.456.789-00", "BR", None, "12345678900", "cpf", "E_CPF_CHECK_DIGITS"),
        ("12.ABC.345/01DE-35", "BR", None, "12ABC34501DE35", "cnpj", None),
        ("12345678909", "BR", "CNPJ", "12345678909", "cnpj", "E_CNPJ_FORMAT"),
        ("123", "BR", None, "123", "cpf", "E_CPF_FORMAT"),
        ("20-05536168-2", "AR", None, "20055361682", "cuit", None),
        ("20-05536168-3", "AR", "CUIL", "20055361683", "cuit", "E_CUIT_CHECK_DIGIT"),
        ("12.345.678", "AR", "DNI", "12345678", "dni", None),
        ("123", "AR", None, "123", None, "E_DOCUMENT_FORMAT"),
        ("12.531.909-2", "CL", None, "125319092", "rut", None),
        ("CL12531909-3", "CL", "RUT", "125319093", "rut", "E_RUT_CHECK_DIGIT"),
        ("1020304050", "CO", "CC", "1020304050", "cc", None),
        ("1.020.304", "CO", "Cédula de ciudadanía", "1020304", "cc", None),
        ("1234", "CO", "cc", "1234", "cc", "W_DOCUMENT_LENGTH"),
        ("12345678901", "CO", "cc", "12345678901", "cc", "E_DOCUMENT_FORMAT"),
        ("213.123.432-1", "CO", "NIT", "2131234321", "nit", None),
        ("2131234325", "CO", "nit", "2131234325", "nit", "E_NIT_CHECK_DIGIT"),
        ("1020304050", "CO", None, "1020304050", None, "W_DOCUMENT_KIND"),
        ("123456789012345", "CO", None, "123456789012345", "pep", None),
        ("Cédula de extranjería", "CO", None, "Céduladeextranjería", None, "E_DOCUMENT_FORMAT"),
        ("123456", "CO", "Cédula de extranjería", "123456", "ce", None),
        ("AB 123456", "CO", "Pasaporte", "AB123456", "passport", None),
        ("1714307103", "EC", None, "1714307103", "cedula", None),
        ("1714307104", "EC", "CI", "1714307104", "cedula", "E_CEDULA_CHECK_DIGIT"),
        ("1792060346001", "EC", None, "1792060346001", "ruc", None),
        ("AB123456", "EC", "passport", "AB123456", "passport", None),
        ("29001011234567", "EG", None, "29001011234567", "national_id", None),
        ("49001011234567", "EG", None, "49001011234567", "national_id", "E_DOCUMENT_FORMAT"),
        ("BOXW310820HNERXN09", "MX", None, "BOXW310820HNERXN09", "curp", None),
        ("GODE-561231-GR8", "MX", None, "GODE561231GR8", "rfc", None),
        ("GODE-561331-GR8", "MX", "RFC", "GODE561331GR8", "rfc", "E_RFC_FORMAT"),
        ("20512333797", "PE", None, "20512333797", "ruc", None),
        ("20512333798", "PE", "RUC", "20512333798", "ruc", "E_PE_RUC_CHECK_DIGIT"),
        ("12345678", "PE", None, "12345678", "dni", None),
        ("17291716060", "TR", None, "17291716060", "tckn", None),
        ("4540536921", "TR", None, "4540536921", "vkn", "E_VKN_CHECK_DIGIT"),
        ("750330 5044 08 9", "ZA", None, "7503305044089", "za_id", None),
        ("M00012345", "ZA", "Passport", "M00012345", "passport", None),
        ("anything", "KE", None, "ANYTHING", None, None),
        ("anything", None, None, "ANYTHING", None, None),
        (None, "BR", "cpf", None, None, None),
    ],
)
def test_each_document_gets_its_kind_and_code(
    answers: Callable[..., list[str | None]],
    *,
    written: str | None,
    country: str | None,
    stated: str | None,
    number: str | None,
    kind: str | None,
    code: str | None,
) -> None:
    numbers = answers(document.normalised, [written], [country], [stated])
    kinds = answers(document.kind, [written], [country], [stated])

    assert numbers == [number]
    assert kinds == [kind]
    assert answers(document.kind, numbers, [country], [stated]) == kinds
    assert answers(document.problem, numbers, [country], kinds) == [code]


def test_documents_of_many_countries_are_judged_by_the_rule_of_each(
    answers: Callable[..., list[str | None]], rng: random.Random
) -> None:
    numbers = [f"{rng.randrange(10**11):011d}" for _ in range(3_000)]
    numbers += [f"{rng.randrange(10**9):09d}" for _ in range(3_000)]
    countries = ["BR"] * 3_000 + ["CL"] * 3_000
    order = rng.sample(range(6_000), 6_000)
    expected = answers(cpf.problem, numbers[:3_000]) + answers(rut.problem, numbers[3_000:])

    codes = answers(
        document.problem,
        [numbers[at] for at in order],
        [countries[at] for at in order],
        [{"BR": "cpf", "CL": "rut"}[countries[at]] for at in order],
    )

    assert codes == [expected[at] for at in order]
