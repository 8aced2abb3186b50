"""Paying again: only what is finally not paid, once, as a new item that names the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from payouts.core.errors import UsageError
from payouts.core.pipeline import Pipeline
from payouts.flows import reissue, review
from payouts.intake.reader import chunks
from payouts.intake.survey import survey
from payouts.store import queries
from tests.desk import german_iban

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import polars as pl

    from payouts.flows.load import LoadResult
    from payouts.store.queries import ItemRow, RunRow
    from tests.desk import Desk


def item_on(desk: Desk, run_id: int, line: int) -> ItemRow:
    """The item of a line."""
    with desk.database.reading() as connection:
        found = connection.execute(
            text("SELECT item_id FROM line WHERE run_id = :run AND number = :line"),
            {"run": run_id, "line": line},
        ).scalar_one()
        item = queries.item(connection, found)
    assert item is not None
    return item


def again(desk: Desk, wanted: Mapping[int, Mapping[str, str]]) -> LoadResult:
    """Re-issue items, as the command does."""

    def lines_of(run: RunRow) -> Iterable[pl.DataFrame]:
        for chunk in chunks(desk.surveys[run.id]):
            yield chunk.lines

    path = desk.folder / f"reissue_{min(wanted)}.csv"
    with desk.database.reading() as connection:
        made = reissue.prepare(connection, wanted, lines_of=lines_of, path=path)
    return desk.load_surveyed(
        survey(path, mapping=reissue.MAPPING),
        path.name,
        pipeline=Pipeline(reissue.PIPELINE).name,
        funding=made.funding,
        policy="person",
        again=made.again,
    )


@pytest.fixture
def failed(desk: Desk, sepa: Callable[..., str]) -> ItemRow:
    """A run of three of which the first failed."""
    place = len(desk.surveys)  # another total each time: a likeness would be held
    run_id = desk.load(sepa(3, start=1 + 10 * place, prefix=f"F{place}")).run_id
    desk.send(run_id)
    desk.answer(run_id, "failed", lines=[2], code="account_closed")
    desk.answer(run_id, "unknown", lines=[3], code="read_timeout")
    desk.answer(run_id)
    return item_on(desk, run_id, 2)


def test_a_failed_item_is_paid_again_as_a_new_item_that_names_it(
    desk: Desk, failed: ItemRow
) -> None:
    result = again(desk, {failed.id: {}})

    new = item_on(desk, result.run_id, 2)
    assert result.counts == {"accepted": 1}
    assert (new.replaces, new.intent, new.reference) == (failed.id, 2, failed.reference)
    assert (new.amount_minor, new.currency) == (failed.amount_minor, failed.currency)
    assert new.account_last4 == failed.account_last4


def test_it_waits_for_an_approval_and_is_then_sent_under_another_wire_reference(
    desk: Desk, failed: ItemRow
) -> None:
    """The same wire reference would be taken for the old payment by the platform."""
    result = again(desk, {failed.id: {}})
    new = item_on(desk, result.run_id, 2)
    assert new.state == "pending"

    review.approve(desk.database, result.run_id, actor="person:test", reason="new account")

    with desk.database.reading() as connection:
        prefixes = connection.execute(
            text("SELECT wire_prefix FROM item WHERE id IN (:old, :new)"),
            {"old": failed.id, "new": new.id},
        ).scalars()
        assert len(set(prefixes)) == 2
    assert item_on(desk, result.run_id, 2).state == "approved"


def test_a_new_account_may_be_given(desk: Desk, failed: ItemRow) -> None:
    account = german_iban(4_242_424_242)

    result = again(desk, {failed.id: {"account": account}})

    assert item_on(desk, result.run_id, 2).account_last4 == account[-4:]


def test_a_new_account_is_checked_like_any_other(desk: Desk, failed: ItemRow) -> None:
    with pytest.raises(Exception, match="rejected"):
        again(desk, {failed.id: {"account": "DE00370400440000000001"}})

    with desk.database.reading() as connection:
        assert queries.replaced_by(connection, failed.id) is None


def test_an_item_is_replaced_once(desk: Desk, failed: ItemRow) -> None:
    result = again(desk, {failed.id: {}})
    new = item_on(desk, result.run_id, 2)

    with pytest.raises(UsageError, match=r"is paid again by itm_\w+ already") as caught:
        again(desk, {failed.id: {}})

    assert caught.value.code == "E_REISSUE"
    with desk.database.reading() as connection:
        assert queries.replaced_by(connection, failed.id) == new.id


def test_the_database_itself_refuses_a_second_replacement(desk: Desk, failed: ItemRow) -> None:
    """Two commands at once pass every check of ours at the same time."""
    result = again(desk, {failed.id: {}})

    with (
        pytest.raises(Exception, match="line_replaces"),
        desk.database.unit() as unit,
    ):
        unit.execute(
            text(
                "INSERT INTO line (id, run_id, number, outcome, payer_id, intent, reference,"
                " item_id, amount_minor, currency, content, replaces)"
                " SELECT nextval('line_seq'), run_id, 99, outcome, payer_id, intent + 5,"
                " reference, item_id, amount_minor, currency, content, replaces FROM line"
                " WHERE run_id = :run"
            ),
            {"run": result.run_id},
        )


@pytest.mark.parametrize(("line", "why"), [(3, "is unknown"), (4, "is settled")])
def test_what_may_have_been_paid_is_not_paid_again(
    desk: Desk, failed: ItemRow, line: int, why: str
) -> None:
    """This is how a payee gets paid twice."""
    other = item_on(desk, failed.run_id, line)

    with pytest.raises(UsageError, match=why):
        again(desk, {other.id: {}})


def test_an_item_that_settled_after_all_is_noticed_in_the_load_itself(
    desk: Desk, failed: ItemRow
) -> None:
    """Between the look and the load a late success may come in."""

    def lines_of(run: RunRow) -> Iterable[pl.DataFrame]:
        for chunk in chunks(desk.surveys[run.id]):
            yield chunk.lines

    path = desk.folder / f"late_{failed.id}.csv"
    with desk.database.reading() as connection:
        made = reissue.prepare(connection, {failed.id: {}}, lines_of=lines_of, path=path)
    desk.answer(failed.run_id, "settled", before="failed", lines=[failed.number])

    with pytest.raises(UsageError, match="is settled"):
        desk.load_surveyed(
            survey(path, mapping=reissue.MAPPING), path.name, policy="person", again=made.again
        )


def test_a_reissue_that_fails_is_reissued_in_turn(desk: Desk, failed: ItemRow) -> None:
    second = again(desk, {failed.id: {}})
    review.approve(desk.database, second.run_id, actor="person:test", reason="test")
    desk.send(second.run_id)
    desk.answer(second.run_id, "failed", code="account_closed")
    middle = item_on(desk, second.run_id, 2)

    third = again(desk, {middle.id: {}})

    last = item_on(desk, third.run_id, 2)
    assert (last.replaces, last.intent) == (middle.id, 3)


def test_a_file_of_several_is_one_run(desk: Desk, sepa: Callable[..., str]) -> None:
    run_id = desk.load(sepa(5, prefix=f"S{len(desk.surveys)}")).run_id
    desk.send(run_id)
    desk.answer(run_id, "failed", code="name_mismatch")
    old = [item_on(desk, run_id, line) for line in (2, 4, 6)]

    result = again(desk, {item.id: {"name": "Ada Lovelace"} for item in old})

    assert result.counts == {"accepted": 3}
    with desk.database.reading() as connection:
        assert [queries.replaced_by(connection, item.id) is not None for item in old] == [True] * 3


def test_the_old_line_dropped_again_still_pays_nobody(
    desk: Desk, failed: ItemRow, sepa: Callable[..., str]
) -> None:
    again(desk, {failed.id: {}})
    prefix, _, number = failed.reference.partition("-")

    result = desk.load(sepa(1, start=int(number), prefix=prefix) + "\n\n", name="again.csv")

    assert result.counts == {"duplicate": 1}


def test_unknown_items_are_named(desk: Desk) -> None:
    with pytest.raises(UsageError, match=r"itm_\w+ does not exist"):
        again(desk, {987_654: {}})
