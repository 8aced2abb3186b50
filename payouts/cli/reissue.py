"""`payouts reissue`: pays again what is finally not paid."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from payouts.cli import frame
from payouts.cli.decide import goes_on, run_of, short_of_money
from payouts.cli.frame import Exit, Json, Panel, add
from payouts.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import polars as pl
    from sqlalchemy import Connection

    from payouts.flows.load import LoadResult
    from payouts.flows.reissue import Reissue
    from payouts.store.queries import RunRow
    from payouts.wiring import Parts

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, reissue, panel=Panel.CONTROL, example="payouts reissue itm_0000000010")


def reissue(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ITEM|FILE",
            help="An item, or a CSV with the columns item, account, … (blank cells stay as they"
            " were).",
        ),
    ],
    *,
    account: Annotated[
        str | None, typer.Option(help="Another account for ITEM.", show_default=False)
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; kept with the approval.")] = "paid again",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Approve it too, and work until it rests.")
    ] = False,
    as_json: Json = False,
) -> Exit:
    """Pay again what is finally not paid: a new item that names the old one, also to a new account.

    Only what is failed, returned, cancelled or expired, and clear; each item once. It becomes a run
    of its own that somebody approves.
    """
    from payouts.core.ids import public_id  # noqa: PLC0415  bodies import what they need
    from payouts.flows import review  # noqa: PLC0415  the same

    with frame.project(platforms=yes) as parts:
        wanted = _wanted(parts, what, account)
        result, made = _reissued(parts, wanted)
        name = public_id("run", result.run_id)
        actor = frame.person()
        accepted = result.counts.get("accepted", 0)
        code = Exit.WAITING if not yes else Exit.DONE
        if as_json and not yes:
            body = {
                "run": name,
                "replaces": [public_id("itm", item.id) for item in made.items],
                "counts": result.counts,
                "totals_minor": result.totals,
                "approved": False,
            }
            frame.document("reissue", {**body, "exit_code": int(code)})
            return code
        _tell_reissue(name, result, made)
        if not accepted:
            return Exit.REFUSED
        if not yes:
            frame.next_step(f"payouts approve {name} --reason …", "pays it")
            return code
        approved = review.approve(parts.database, result.run_id, actor=actor, reason=reason)
        if approved.short:
            with parts.database.reading() as unit:
                return short_of_money(run_of(unit, result.run_id), approved)
        code = goes_on(parts, result.run_id, wait=True)
        if as_json:
            body = {"run": name, "counts": result.counts, "approved": True}
            frame.document("reissue", {**body, "exit_code": int(code)})
        return code


def _tell_reissue(name: str, result: LoadResult, made: Reissue) -> None:
    from payouts.cli.summary import lines_counted, money_of, problem_rows  # noqa: PLC0415  lazily
    from payouts.core.ids import public_id  # noqa: PLC0415  the same

    first = public_id("itm", made.items[0].id)
    more = f" and {len(made.items) - 1:,} more" if len(made.items) > 1 else ""
    frame.told(f"{name} pays {first}{more} again: {money_of(result.totals, most=None)}")
    if result.counts.get("rejected"):
        frame.told(f"Lines    {lines_counted(result.lines, result.counts)}")
        for row in problem_rows(result.problems):
            frame.told(f"  {row.code}  {row.meaning} (line {row.where})")


def _wanted(parts: Parts, what: str, account: str | None) -> dict[int, dict[str, str]]:
    """Items with the columns that are given anew."""
    path = Path(what)
    if path.is_file():
        if account is not None:
            raise UsageError(
                "--account goes with one ITEM", hint="In a FILE, give a column account."
            )
        return _from_file(parts, path)
    from payouts.cli.which import item_keys  # noqa: PLC0415  bodies import what they need

    with parts.database.reading() as unit:
        keys = _latest(unit, item_keys(unit, what))
    if len(keys) != 1:
        raise UsageError(
            f"'{what}' is no file and stands for {frame.count(len(keys), 'item')}",
            hint="Give one item's id (itm_…), or a CSV with a column `item`;"
            " `payouts items last --state unpaid` lists them.",
            code="E_ITEM_UNKNOWN",
        )
    return {keys[0]: {"account": account} if account is not None else {}}


def _latest(unit: Connection, keys: Sequence[int]) -> list[int]:
    """Of several items of one reference, the one that none replaces."""
    from payouts.store import queries  # noqa: PLC0415  bodies import what they need

    if len(keys) == 1:
        return list(keys)
    return [key for key in keys if queries.replaced_by(unit, key) is None]


def _from_file(parts: Parts, path: Path) -> dict[int, dict[str, str]]:
    import csv  # noqa: PLC0415  bodies import what they need

    from payouts.cli.which import item_keys  # noqa: PLC0415  the same
    from payouts.flows.reissue import CHANGEABLE  # noqa: PLC0415  the same

    try:
        rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines(keepends=True)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path.name} is no CSV in UTF-8: {error}") from None
    header = list(rows[0]) if rows else []
    unknown = [name for name in header if name not in {"item", *CHANGEABLE}]
    if "item" not in header or unknown:
        what = f"has the unknown column '{unknown[0]}'" if unknown else "has no column `item`"
        raise UsageError(
            f"{path.name} {what}",
            hint=f"The columns are: item, and any of {', '.join(CHANGEABLE)}.",
            code="E_REISSUE_FILE",
        )
    wanted: dict[int, dict[str, str]] = {}
    with parts.database.reading() as unit:
        for number, row in enumerate(rows, start=2):
            keys = _latest(unit, item_keys(unit, (row["item"] or "").strip()))
            if len(keys) != 1 or keys[0] in wanted:
                why = "stands there twice" if len(keys) == 1 else "is not one item"
                raise UsageError(
                    f"{path.name}, line {number}: '{row['item']}' {why}", code="E_REISSUE_FILE"
                )
            wanted[keys[0]] = {
                name: value.strip()
                for name, value in row.items()
                if name in CHANGEABLE and isinstance(value, str) and value.strip()
            }
    return wanted


def _reissued(parts: Parts, wanted: Mapping[int, Mapping[str, str]]) -> tuple[LoadResult, Reissue]:
    """Write the file of the re-issue and load it as a run that a person approves."""
    from dataclasses import replace  # noqa: PLC0415  bodies import what they need

    from payouts.core.ids import public_id  # noqa: PLC0415  the same
    from payouts.core.pipeline import Pipeline  # noqa: PLC0415  the same
    from payouts.flows.load import load  # noqa: PLC0415  the same
    from payouts.flows.reissue import MAPPING, PIPELINE, prepare  # noqa: PLC0415  the same
    from payouts.intake.survey import survey  # noqa: PLC0415  the same

    if not wanted:
        raise UsageError("there is nothing to pay again", code="E_REISSUE_FILE")
    name = f"reissue_{public_id('itm', min(wanted))}.csv"
    with _draft(parts, name) as path:
        with parts.database.reading() as unit:
            made = prepare(unit, wanted, lines_of=lambda run: _lines_of(parts, run), path=path)
        copy = parts.take_copy(path)
        order = parts.load_order(Pipeline(PIPELINE, policy="person"), path, copy)
        try:
            result = load(
                parts.database,
                survey(copy, mapping=MAPPING),
                parts.rules(),
                replace(
                    order,
                    funding=made.funding,
                    again=made.again,
                    reject_share_max=1.0,
                    actor=frame.person(),
                ),
                encoders=parts.connectors,
                batch_max=parts.batch_max,
                signer=parts.signer,
                vault=parts.vault,
            )
        except BaseException:
            copy.unlink(missing_ok=True)  # nothing of it is stored
            raise
    return result, made


@contextmanager
def _draft(parts: Parts, name: str) -> Iterator[Path]:
    """A private file that is gone afterwards."""
    from payouts.local import private_directory  # noqa: PLC0415  bodies import what they need

    path = private_directory(parts.project.state / "drafts") / name
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _lines_of(parts: Parts, run: RunRow) -> Iterable[pl.DataFrame]:
    """The canonical lines of a run's file, as they were loaded."""
    from payouts.cli.which import source_of  # noqa: PLC0415  bodies import what they need
    from payouts.intake.reader import chunks  # noqa: PLC0415  the same

    found, transform = source_of(parts, run)
    for chunk in chunks(found):
        yield chunk.lines if transform is None else transform(chunk.lines)
