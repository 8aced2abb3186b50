"""Card numbers in payee files: refused before anything is stored, and no false alarms."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from stdnum import luhn

from payouts.core.errors import FileRefusedError
from payouts.intake.cards import is_card
from payouts.intake.survey import Survey, survey

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HEADER = "reference,name,country,currency,amount,method,account,document,phone,description"


def pan(chance: random.Random, prefix: str = "4", length: int = 16) -> str:
    body = prefix + "".join(chance.choices("0123456789", k=length - 1 - len(prefix)))
    return body + str(luhn.calc_check_digit(body))


def digits(chance: random.Random, prefix: str, length: int) -> str:
    return prefix + "".join(chance.choices("0123456789", k=length - len(prefix)))


def clabe(chance: random.Random, bank: str) -> str:
    body = digits(chance, bank, 17)
    products = (int(d) * (3, 7, 1)[i % 3] % 10 for i, d in enumerate(body))
    return f"{body}{-sum(products) % 10}"


def look(folder: Path, rows: Sequence[str]) -> Survey:
    path = folder / "payees.csv"
    path.write_text("\n".join((HEADER, *rows)) + "\n")
    return survey(path)


def line(
    number: int, account: str, country: str = "TR", method: str = "bank_transfer", **more: str
) -> str:
    cells = (
        *(f"r-{number}", "Ann", country, "TRY", "10.00", method, account),
        *(more.get(name, "") for name in ("document", "phone", "description")),
    )
    return ",".join(cells)


def refusal(folder: Path, rows: Sequence[str]) -> FileRefusedError:
    with pytest.raises(FileRefusedError) as caught:
        look(folder, rows)
    return caught.value


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "30569309025904",
        "6011111111111117",
        "3530111333300000",
        "6205500000000000004",
        "9792030394440796",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
    ],
)
@pytest.mark.parametrize("column", ["account", "description"])
def test_a_card_line_with_a_card_number_is_refused(
    tmp_path: Path, number: str, column: str
) -> None:
    account = number if column == "account" else "tok_1"
    note = f"card {number} of Ann" if column == "description" else ""
    rows = [line(1, "tok_2", method="card"), line(2, account, method="card", description=note)]

    error = refusal(tmp_path, rows)

    assert error.code == "E_FILE_CARDS"
    assert "line 3" in str(error)
    shown = "".join(char for char in f"{error}{error.hint}{error.__context__}" if char.isdigit())
    assert "".join(char for char in number if char.isdigit()) not in shown


@pytest.mark.parametrize(
    ("account", "more"),
    [
        ("tok_4242", {}),
        ("4111111111111112", {}),  # no Luhn digit: the identifier's own check refuses it
        ("tok_1", {"phone": "4915123456785"}),
        ("tok_1", {"document": "38175684000103"}),  # a CNPJ, long as a Diners card
        ("tok_1", {"phone": "573001234567"}),
    ],
)
def test_a_card_line_with_a_token_is_fine(
    tmp_path: Path, account: str, more: dict[str, str]
) -> None:
    found = look(tmp_path, [line(1, account, country="BR", method="cards", **more)])

    assert found.lines == 1


def test_a_column_of_card_numbers_is_refused_whatever_its_lines_say(tmp_path: Path) -> None:
    chance = random.Random(1)  # noqa: S311  a seed
    rows = [line(i, pan(chance)) for i in range(6)]

    error = refusal(tmp_path, rows)

    assert error.code == "E_FILE_CARDS"
    assert "'account'" in str(error)
    assert "from line 2" in str(error)


def test_cards_among_valid_clabes_are_found(tmp_path: Path) -> None:
    chance = random.Random(2)  # noqa: S311  a seed
    rows = [line(i, clabe(chance, "646"), country="MX", method="spei") for i in range(500)]
    rows += [line(i, pan(chance), country="MX", method="spei") for i in range(6)]

    assert refusal(tmp_path, rows).code == "E_FILE_CARDS"


def test_one_account_that_satisfies_luhn_is_no_card(tmp_path: Path) -> None:
    """One random number in ten does; a payee's account comes back on every line of the year."""
    account = pan(random.Random(3))  # noqa: S311  a seed
    rows = [line(i, account) for i in range(300)]

    assert look(tmp_path, rows).lines == 300


@pytest.mark.parametrize(
    ("country", "column", "prefix", "length"),
    [
        ("MX", "account", "646", 18),
        ("MX", "account", "012", 18),
        ("TR", "account", "4", 16),
        ("GH", "account", "5", 16),
        ("EG", "account", "62", 19),
        ("CO", "phone", "573", 12),
        ("BR", "document", "36", 14),
        ("DE", "description", "65", 16),
    ],
)
def test_plain_account_numbers_raise_no_alarm(
    tmp_path: Path, country: str, column: str, prefix: str, length: int
) -> None:
    for seed in range(20):
        chance = random.Random(seed)  # noqa: S311  a seed
        numbers = [digits(chance, prefix, length) for _ in range(200)]
        rows = [
            line(i, number, country)
            if column == "account"
            else line(i, "TR330006100519786457841326", country, **{column: number})
            for i, number in enumerate(numbers)
        ]
        assert look(tmp_path, rows).lines == 200


def test_documents_with_a_luhn_digit_of_their_own_raise_no_alarm(tmp_path: Path) -> None:
    """A French SIRET has 14 digits and ends in a Luhn digit, as a Diners card does."""
    chance = random.Random(4)  # noqa: S311  a seed
    rows = [line(i, "", "FR", document=pan(chance, "38", 14)) for i in range(200)]

    assert look(tmp_path, rows).lines == 200


def test_valid_clabes_raise_no_alarm(tmp_path: Path) -> None:
    chance = random.Random(5)  # noqa: S311  a seed
    rows = [line(i, clabe(chance, "646180"), "MX", "spei") for i in range(2_000)]

    assert look(tmp_path, rows).lines == 2_000


def test_luhn_agrees_with_the_library() -> None:
    chance = random.Random(6)  # noqa: S311  a seed
    for _ in range(2_000):
        number = digits(chance, "4", 16)
        assert is_card(int(number)) == luhn.is_valid(number)
