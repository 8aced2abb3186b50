"""What the database refuses of a load: a batch, a line or a total that is not whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from payouts.store import runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from payouts.store.engine import Database

RUN = (
    "INSERT INTO pipeline_run (payer_id, pipeline, period, source_name, source_copy,"
    " source_sha256, source_bytes, funding, policy, line_lo, line_hi) VALUES (:payer, 'p', 'd',"
    " 'n', 'c', :sha, 1, 'main', 'auto', :lo, :hi) RETURNING id"
)
BATCH = (
    "INSERT INTO batch (id, run_id, lo, hi, provider, funding, currency, items, amount_minor,"
    " funding_id, reserved_id, in_transit_id, paid_id, payload_hash) VALUES (80, :run, 1000, 1001,"
    " 'orkestra', 'main', 'EUR', 2, 200, :funding, :reserved, :in_transit, :paid, 'hash')"
)
ITEMS = (
    "INSERT INTO item (id, batch_id, line_id, amount_minor, wire_prefix) VALUES"
    " (1000, 80, 10, 150, 1), (1001, 80, 11, 50, 2)"
)
LINES = (
    "INSERT INTO line (id, run_id, number, outcome, payer_id, reference, item_id, amount_minor,"
    " currency, content) VALUES (10, :run, 2, 'accepted', :payer, 'R-1', 1000, 150, 'EUR', 'c'),"
    " (11, :run, 3, 'accepted', :payer, 'R-2', 1001, 50, 'EUR', 'c'),"
    " (12, :run, 4, 'rejected', :payer, NULL, NULL, 70, 'EUR', NULL)"
)
STEPS = {"batch": BATCH, "items": ITEMS, "lines": LINES}


def loaded(
    unit: Connection,
    *,
    read: int = 3,
    rejected: int = 1,
    totals: dict[str, int] | None = None,
    **changed: str,
) -> None:
    """A run of three lines, two of them accepted, in one batch; with something of it changed."""
    payer = runs.ensure_payer(unit, "whole")
    run = unit.execute(text(RUN), {"payer": payer, "sha": "s", "lo": 10, "hi": 12}).scalar_one()
    unit.execute(text(RUN), {"payer": payer, "sha": "other", "lo": 20, "hi": 22})
    keys = runs.ensure_accounts(
        unit, funding="main", run=str(run), provider="orkestra", currency="EUR"
    )
    values = {
        "run": run,
        "payer": payer,
        "funding": keys.funding,
        "reserved": keys.reserved,
        "in_transit": keys.in_transit,
        "paid": keys.paid,
    }
    for statement in (STEPS | changed).values():
        if statement:
            unit.execute(text(statement), values)
    counts = {"accepted": 2, "rejected": rejected}
    runs.close_load(unit, run, read=read, counts=counts, totals=totals or {"EUR": 200})


def test_a_whole_load_goes_through(database: Database) -> None:
    with database.reading() as unit:
        loaded(unit)


ITEMS_WRONG = {
    "one less": ITEMS.replace(", (1001, 80, 11, 50, 2)", ""),
    "one more": ITEMS + ", (1002, 80, 11, 50, 2)",
    "beside the range": ITEMS.replace("1001", "1002"),
    "worth less": ITEMS.replace("150", "149"),
    "of another run's line": ITEMS.replace("80, 11,", "80, 20,"),
    "of no run's line": ITEMS.replace("80, 10,", "80, 9,"),
    "of no batch": ITEMS.replace("1001, 80", "1001, 81"),
}


@pytest.mark.parametrize("items", ITEMS_WRONG.values(), ids=ITEMS_WRONG.keys())
def test_items_that_are_not_their_batch_are_refused(database: Database, items: str) -> None:
    with (
        database.reading() as unit,
        pytest.raises(DBAPIError, match="does not have exactly the items"),
    ):
        loaded(unit, items=items)


def test_an_item_is_not_added_to_a_batch_that_is_whole(database: Database) -> None:
    with database.reading() as unit:
        loaded(unit)

        with pytest.raises(DBAPIError, match="does not have exactly the items"):
            unit.execute(text(ITEMS.replace("1000, 80", "1003, 80").replace("1001", "1004")))


RUN_WRONG = {
    "no lines": ({"lines": ""}, "lines"),
    "a line less": ({"lines": LINES.replace("(12, :run", "(13, :run")}, "lines"),
    "a line of another run": ({"lines": LINES.replace("(12, :run", "(12, 0")}, "lines"),
    "more read than keys": ({"read": 4}, "lines"),
    "an outcome counted twice": ({"rejected": 2}, "outcomes"),
    "another total": ({"totals": {"EUR": 201}}, "amounts"),
    "a total in another currency": ({"totals": {"EUR": 200, "USD": 1}}, "amounts"),
    "accepted lines without a batch": ({"batch": "", "items": ""}, "amounts"),
    "a batch without items": ({"items": ""}, "amounts"),
    "a line worth more than its item": ({"lines": LINES.replace("150", "151")}, "amounts"),
}


@pytest.mark.parametrize(("changed", "says"), RUN_WRONG.values(), ids=RUN_WRONG.keys())
def test_a_run_that_is_not_its_lines_is_refused(
    database: Database, changed: dict[str, str], says: str
) -> None:
    with database.reading() as unit, pytest.raises(DBAPIError, match=f"the {says} of run"):
        loaded(unit, **changed)  # type: ignore[arg-type]


def test_a_run_does_not_begin_with_outcomes_that_no_line_has(database: Database) -> None:
    begun = RUN.replace("line_hi)", "line_hi, counts)").replace(":hi)", ":hi, '{\"accepted\": 1}')")
    with database.reading() as unit:
        payer = runs.ensure_payer(unit, "whole")

        with pytest.raises(DBAPIError, match="the lines of run"):
            unit.execute(text(begun), {"payer": payer, "sha": "s", "lo": 10, "hi": 12})


def test_the_version_of_identities_stays(database: Database) -> None:
    """Under another one every line that was paid without a reference would look new."""
    with database.reading() as unit:
        unit.execute(
            text(
                "INSERT INTO installation (database_id, environment, install_key_fingerprint,"
                " vault_key_fingerprint) VALUES ('d', 'sandbox', 'i', 'v') ON CONFLICT DO NOTHING"
            )
        )

        with pytest.raises(DBAPIError, match="the version of identities stays"):
            unit.execute(text("UPDATE installation SET identity_version = 2"))
