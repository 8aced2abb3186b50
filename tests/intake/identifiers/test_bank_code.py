"""Bank codes: country and currency decide which rule they are judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payouts.intake.identifiers import bank_code

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("written", "branch", "country", "currency", "code", "kind", "problem"),
    [
        ("111000025", None, "US", "USD", "111000025", "aba", None),
        ("111000026", None, "US", "USD", "111000026", "aba", "E_ABA_CHECK_DIGIT"),
        ("20-00-00", None, "GB", "GBP", "200000", "sort_code", None),
        ("20-00", None, "GB", "GBP", "2000", "sort_code", "E_SORT_CODE_FORMAT"),
        ("003", "00001", "CA", "CAD", "000300001", "ca_bank", None),
        ("003", None, "CA", "CAD", "003", "ca_bank", "E_CA_BANK_FORMAT"),
        ("deutdeff", None, "DE", "EUR", "DEUTDEFF", "bic", None),
        ("DEUTFRPP", None, "DE", "EUR", "DEUTFRPP", "bic", "W_BIC_OTHER_COUNTRY"),
        ("DEUT", None, "GB", "EUR", "DEUT", "bic", "E_BIC_FORMAT"),
        ("011", None, "NG", "NGN", "011", "bank_code", None),
        ("50211", None, "NG", "NGN", "50211", "bank_code", None),
        ("11", None, "NG", "NGN", "11", "bank_code", "E_BANK_CODE_FORMAT"),
        ("030100", None, "GH", "GHS", "030100", "bank_code", None),
        ("GH280100", None, "GH", "GHS", "GH280100", "bank_code", None),
        ("30100", None, "GH", "GHS", "30100", "bank_code", "E_BANK_CODE_FORMAT"),
        ("037", None, "CL", "CLP", "037", "bank_code", None),
        ("37", None, "CL", "CLP", "37", "bank_code", "E_BANK_CODE_FORMAT"),
        ("SLCBSLFR", "001", "SL", "SLL", "SLCBSLFR", "bank_code", None),
        (None, None, "US", "USD", None, "aba", None),
        (None, None, None, None, None, "bank_code", None),
    ],
)
def test_each_code_gets_its_kind_and_problem(
    answers: Callable[..., list[str | None]],
    *,
    written: str | None,
    branch: str | None,
    country: str | None,
    currency: str | None,
    code: str | None,
    kind: str,
    problem: str | None,
) -> None:
    codes = answers(bank_code.normalised, [written], [branch], [country])

    assert codes == [code]
    assert answers(bank_code.kind, [country], [currency]) == [kind]
    account = ["DE89370400440532013000"]
    assert answers(bank_code.problem, codes, [country], [currency], account) == [problem]
