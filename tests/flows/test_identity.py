"""What a line is known by for ever: keyed by the install key, frozen by version."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from payouts.core.errors import SettingsError
from payouts.flows.identity import NEWEST, VERSIONS, Signer, with_content
from payouts.intake import coverage
from payouts.intake.checks import Rules, check
from payouts.intake.frames import CANONICAL
from payouts.vault import Vault
from tests.desk import Desk, german_iban

if TYPE_CHECKING:
    from pathlib import Path

    from payouts.store.engine import Database

KEY = b"k" * 32
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))

FROZEN: Final = {
    "name=Ada Lovelace country=de currency=eur amount=12.5 method=SEPA"
    " account=de89 3704 0044 0532 0130 00": "1da87bc83ca82060eafa512ccfb35799",
    "name=Ada Lovelace country=DE currency=EUR amount=12.50 method=sepa"
    " account=DE89370400440532013000 due_date=2027-01-15": "7322149feac70016e0b3a2576b6fd4f3",
    "name=Awa Diop country=SN currency=XOF amount=25000 method=mobile_money"
    " account=+221 77 123 45 67 network=wave": "a71559c1dfc41a2a29c08d9d261d985b",
    "name=Juan Perez country=MX currency=MXN amount=100 method=cash phone=+525555550101": "4585ca5d5d5e94c505ab41564e1152d4",
    "name=Joao Silva country=BR currency=BRL amount=1.10 method=pix account=111.444.777-35"
    " document=11144477735": "1aaad9544e03d85bb45ce0e5a39bd9d6",
    "name=Wei country=TR currency=TRY amount=3 method=bank_transfer"
    " account=TR33 0006 1005 1978 6457 8413 26": "f923da7c813e2b32e615371ccfa93c70",
    "name=Kofi country=GH currency=GHS amount=7.00 method=mobile_money account=0241234567"
    " network=MTN": "c74f2ec1dd9930434eec8aeceda18669",
}
"""Lines and their contents under version 1 and the key of this test."""


def canonical(line: str) -> dict[str, str]:
    """`column=value column=value` as a line; a value goes on to the next column's name."""
    found: dict[str, str] = {}
    column = ""
    for word in line.split(" "):
        name, equals, value = word.partition("=")
        if equals:
            column = name
            found[column] = value
        else:
            found[column] += f" {word}"
    return found


def good(*lines: str) -> pl.DataFrame:
    """The lines as they pass the checks."""
    rows = pl.DataFrame(
        [canonical(line) for line in lines], schema=dict.fromkeys(CANONICAL, pl.String)
    )
    numbered = rows.with_row_index("line", offset=2).cast({"line": pl.Int64})
    checked = check(numbered, Rules(coverage.load(), "sandbox", date(2026, 11, 20)))
    assert checked.good.height == len(lines), checked.problems
    return checked.good


def test_contents_of_version_1_are_what_they_were() -> None:
    """A check that comes to write an account or a name differently would pay lines again.

    Where this fails, nothing here is to be changed: add a version to `identity.VERSIONS` that
    takes the new spelling, and have version 1 undo it.
    """
    made = Signer(KEY, 1).contents(good(*FROZEN))

    assert [each.hex() for each in made] == list(FROZEN.values())


def test_a_version_that_is_not_known_stops_everything() -> None:
    with pytest.raises(SettingsError, match=f"version {NEWEST + 1}") as caught:
        Signer(KEY, NEWEST + 1)

    assert caught.value.code == "E_INSTALLATION"


def test_each_version_gives_hashes_of_its_own() -> None:
    lines = good(*FROZEN)

    found = [tuple(Signer(KEY, version).contents(lines)) for version in VERSIONS]

    assert len({*found}) == len(VERSIONS)


def test_hashes_depend_on_the_key() -> None:
    """Without it, a list of all Dutch accounts would tell who is paid."""
    lines = good(next(iter(FROZEN)))
    one, other = Signer(KEY), Signer(b"w" * 32)

    assert one.contents(lines).to_list() != other.contents(lines).to_list()
    assert one.accounts(lines["account"]).to_list() != other.accounts(lines["account"]).to_list()


@given(st.lists(TEXTS, unique=True))
def test_equal_accounts_have_equal_hashes_and_others_do_not(accounts: list[str]) -> None:
    column = pl.Series("account", accounts, pl.String)

    made = Signer(KEY).accounts(column)

    assert made.dtype == pl.Int64
    assert made.n_unique() == len(accounts)
    assert made.to_list() == Signer(KEY).accounts(column).to_list()


@given(st.lists(st.tuples(TEXTS, TEXTS), unique=True, min_size=1))
def test_lines_that_differ_have_other_contents(rows: list[tuple[str, str]]) -> None:
    line = good(next(iter(FROZEN)))
    lines = pl.concat([line] * len(rows)).with_columns(
        pl.Series("bank_code", [bank.replace("\x1f", "") for bank, _ in rows], pl.String),
        pl.Series("document", [each.replace("\x1f", "") for _, each in rows], pl.String),
    )

    made = with_content(lines, Signer(KEY))

    differ = lines.select("bank_code", "document").n_unique()
    assert made["content"].n_unique() == differ


def test_another_vault_key_does_not_make_lines_new(database: Database, tmp_path: Path) -> None:
    """A vault key may be exchanged; files without references were paid again afterwards."""
    body = (
        f"name,country,currency,amount,method,account\nRotated,DE,EUR,12.50,sepa,{german_iban(1)}\n"
    )
    before = Desk(database, tmp_path, vault=Vault(b"v" * 32)).load(body, "before.csv")

    after = Desk(database, tmp_path, vault=Vault(b"w" * 32)).load(body + "\n", "after.csv")

    assert (before.counts, after.counts) == ({"accepted": 1}, {"duplicate": 1})


def test_the_hash_of_an_account_is_the_same_in_all_its_items(
    database: Database, tmp_path: Path
) -> None:
    header = "reference,name,country,currency,amount,method,account\n"
    rows = "".join(
        f"H-{place},Ada Lovelace,DE,EUR,1.00,sepa,{german_iban(place % 2)}\n" for place in range(4)
    )

    result = Desk(database, tmp_path).load(header + rows)

    with database.reading() as unit:
        hashes = (
            unit.execute(
                text(
                    "SELECT i.account_hash FROM item i JOIN batch b ON b.id = i.batch_id"
                    " WHERE b.run_id = :run ORDER BY i.line_id"
                ),
                {"run": result.run_id},
            )
            .scalars()
            .all()
        )
    assert hashes[0] == hashes[2] != hashes[1] == hashes[3]
