"""The sample files: made again, compared, and judged by our intake and by other libraries."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from datetime import date
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import clabe
import phonenumbers
import polars as pl
import pytest
from eth_utils.address import is_checksum_address
from schwifty import IBAN
from stdnum.ar import cbu, cuit
from stdnum.br import cpf
from stdnum.cl import rut
from stdnum.mx import curp

from inputs import generate
from inputs.making import gig_week, mass
from payouts.core.errors import FileRefusedError
from payouts.core.problems import KINDS
from payouts.intake import coverage
from payouts.intake.checks import Rules, check
from payouts.intake.reader import chunks
from payouts.intake.survey import survey

if TYPE_CHECKING:
    from inputs.making.sample import Sample

FOLDER = Path(generate.__file__).parent
SAMPLES = {sample.name: sample for sample in generate.samples()}
REFUSED = [sample for sample in SAMPLES.values() if sample.refused]
READ = [sample for sample in SAMPLES.values() if not sample.refused]
SPELLED = "W_NAME_TRANSLITERATED"


def named(sample: Sample) -> str:
    return sample.name


def rows_of(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(SAMPLES[name].content.decode())))


def good_of(name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The good lines of a sample, and all problems."""
    found = survey(FOLDER / name)
    rules = Rules(coverage.load(), "sandbox", date(2026, 11, 20), has_reference=found.has_reference)
    good, problems = [], []
    for chunk in chunks(found):
        checked = check(chunk.readable(), rules)
        good.append(checked.good)
        problems += [chunk.problems, checked.problems]
    found_problems = pl.concat(problems)
    rejected = found_problems.filter(pl.col("code").str.starts_with("E_"))
    return pl.concat(good).join(rejected, on="line", how="anti"), found_problems


def test_the_committed_samples_are_what_the_generator_makes() -> None:
    for sample in SAMPLES.values():
        assert (FOLDER / sample.name).read_bytes() == sample.content, sample.name
    assert (FOLDER / "README.md").read_text("utf-8") == generate.readme([*SAMPLES.values()])


def test_no_other_file_lies_among_the_damaged_ones() -> None:
    there = {f"damaged/{path.name}" for path in (FOLDER / "damaged").iterdir()}

    assert there == {name for name in SAMPLES if "/" in name} | {"damaged/.gitattributes"}


@pytest.mark.parametrize("sample", REFUSED, ids=named)
def test_a_sample_that_is_damaged_as_a_whole_is_refused(sample: Sample) -> None:
    with pytest.raises(FileRefusedError) as caught:
        survey(FOLDER / sample.name)

    assert caught.value.code == sample.refused
    assert KINDS[sample.refused].scope == "file"


@pytest.mark.parametrize("sample", READ, ids=named)
def test_every_line_of_a_sample_has_exactly_its_codes(sample: Sample) -> None:
    found = survey(FOLDER / sample.name)
    good, problems = good_of(sample.name)
    codes = defaultdict(set)
    for line, code in problems.select("line", "code").iter_rows():
        codes[line].add(code)
    every = pl.concat([chunk.lines for chunk in chunks(found)])
    repeats = dict(found.duplicates.mark(every).iter_rows())

    assert {
        line: tuple(sorted(all_of - {SPELLED}))
        for line, all_of in codes.items()
        if all_of - {SPELLED}
    } == {line: tuple(sorted(all_of)) for line, all_of in sample.codes.items()}
    assert found.lines == sample.lines
    assert repeats == sample.repeats
    rejected = {line for line, all_of in codes.items() if any(code[0] == "E" for code in all_of)}
    assert good.height == sample.lines - len(rejected)


def test_the_gig_week_has_its_stated_shape() -> None:
    good, problems = good_of("gig_week.csv")
    sample = SAMPLES["gig_week.csv"]
    workers = good.group_by("country", "currency", "method", "name", "account").len()

    assert sample.lines == 1200
    assert len(sample.codes) == len(gig_week.BAD) == 16
    assert len(sample.codes) / sample.lines < 0.02, "above it the whole file would be held"
    assert good["country"].n_unique() == 15
    assert set(good["provider"]) == {"orkesta", "orkestra"}
    assert workers.height == 425
    assert workers.filter(pl.col("len") > 1).height > 300, "or weekly sums would show nothing"
    assert problems.filter(pl.col("code").str.starts_with("W_"))["code"].to_list() == [SPELLED] * 17


def test_the_mass_disbursement_has_its_stated_shape() -> None:
    good, _ = good_of("mass_disbursement.csv")

    assert good.height == 5000 - len(mass.BAD)
    assert set(good["method"]) == {"sepa"}
    assert good["country"].n_unique() == 10
    assert good["reference"].n_unique() == good.height


def test_only_the_mistreated_have_accounts_that_the_sandbox_knows() -> None:
    """One more would change what the first command of the README shows."""
    from payouts.sandbox.magic import word_of  # noqa: PLC0415  the sandbox is another's code

    good, _ = good_of("gig_week.csv")
    words = Counter(word for account in good["account"] if (word := word_of(account)))
    mass_good, _ = good_of("mass_disbursement.csv")

    assert words == Counter(word for _, _, word in gig_week.MISTREATED)
    assert not [account for account in mass_good["account"] if word_of(account)]


def test_nobody_is_a_real_address_or_card() -> None:
    rows = rows_of("gig_week.csv")

    assert {row["account"].partition("@")[2] for row in rows} == {"", "example.com"}
    assert not [row for row in rows if row["method"].startswith("card")]


def test_libraries_agree_that_the_good_accounts_are_good() -> None:
    """The generator has its own check digits and so have our rules; these are a third opinion."""
    asked: Counter[str] = Counter()
    good = pl.concat([good_of(name)[0] for name in ("gig_week.csv", "mass_disbursement.csv")])
    columns = ("country", "method", "account", "account_kind", "document")
    for country, method, account, kind, document in good.select(columns).unique().iter_rows():
        asked[kind] += 1
        match kind:
            case "iban" if country == "SN":
                assert IBAN(account, allow_invalid=False).country_code == "SN"
            case "iban":
                assert IBAN(account, validate_bban=country in {"BE", "ES", "FI", "FR", "IT", "PT"})
            case "clabe":
                assert clabe.validate_clabe(account)
                assert curp.is_valid(document)
            case "cbu" | "cvu" | "alias":
                assert kind == "alias" or cbu.is_valid(account)
                assert cuit.is_valid(document)
            case "evm":
                assert is_checksum_address(account)
            case "msisdn":
                number = phonenumbers.parse("+" + account)
                assert phonenumbers.region_code_for_number(number) == country
                assert phonenumbers.is_valid_number(number)
            case _ if method == "pix":
                assert cpf.is_valid(document)
            case _ if country == "CL":
                assert rut.is_valid(document)
            case _:
                assert kind in {"bank_account", "nuban", "cci", "solana", "orkesta_account"}
    assert min(asked[kind] for kind in ("iban", "clabe", "cbu", "cvu", "evm", "msisdn")) > 0
