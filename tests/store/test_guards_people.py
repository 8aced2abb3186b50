"""What the database refuses of people's words: changed requests, one person for two, sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from payouts.store.engine import Database
    from tests.desk import Desk

ASKED = (
    "INSERT INTO cancel_request (run_id, item_id, reason, actor)"
    " VALUES ({run}, {item}, 'left', 'person:ada')"
)
ATTEMPT = (
    "INSERT INTO cancel_attempt (request_id, item_id, number, send_by)"
    " SELECT id, {item}, 1, now() FROM cancel_request"
)
PROPOSED = (
    "INSERT INTO resolution (item_id, members, seqs, decision, reason, evidence, first_actor)"
    " VALUES ({item}, ARRAY[{item}], ARRAY[1], 'settled', 'r', 'e', 'person:ada')"
)
APPLIED = (
    "UPDATE resolution SET second_actor = '{who}', second_reason = 'r', second_at = now(),"
    " applied_at = now()"
)
GAP = (
    "INSERT INTO restoration (provider, generation, expected, since{more})"
    " VALUES ('orkestra', 1, 2, now(){values})"
)
FIRST = "UPDATE restoration SET first_actor = 'person:ada', first_reason = 'r', first_at = now()"
SECOND = "UPDATE restoration SET second_actor = '{who}', second_reason = 'r', second_at = now()"
PAUSED = "INSERT INTO lane (provider, funding, paused_at) VALUES ('orkestra', 'main', now())"
SENT = (
    (
        "INSERT INTO attempt (batch_id, number, items, key, request_hash, worker, send_by,"
        " lease_until) SELECT id, 1, items, 'k', 'h', 1, now(), now() FROM batch WHERE id = {batch}"
    ),
    (
        "INSERT INTO batch_event (batch_id, seq, before, after, actor, posting, attempt_id)"
        " SELECT {batch}, 2, 'approved', 'sending', 'x', nextval('posting_seq'), max(id) FROM attempt"
    ),
)
ALONE = (
    (
        "INSERT INTO attempt (batch_id, number, members, items, key, request_hash, worker, send_by,"
        " lease_until) VALUES ({batch}, 1, ARRAY[{item}], 1, 'k', 'h', 1, now(), now())"
    ),
    (
        "INSERT INTO item_event (item_id, batch_id, posting, attempt_id, before, after, seq, actor)"
        " SELECT {item}, {batch}, nextval('posting_seq'), max(id), 'approved', 'sending', 2, 'x'"
        " FROM attempt"
    ),
)

REFUSED = {
    "a cancel request is changed": ((ASKED, "UPDATE cancel_request SET reason = 'x'"), "only end"),
    "a cancel request ends twice": (
        (
            ASKED,
            "UPDATE cancel_request SET done_at = now(), outcome = 'a'",
            "UPDATE cancel_request SET done_at = now(), outcome = 'b'",
        ),
        "only end",
    ),
    "a second open request for an item": ((ASKED, ASKED), "cancel_request_open"),
    "a second open request for a run": (
        (ASKED.replace("{item}", "NULL"), ASKED.replace("{item}", "NULL")),
        "cancel_request_open",
    ),
    "a cancel attempt was for another item": (
        (ASKED, ATTEMPT, "UPDATE cancel_attempt SET item_id = item_id + 1"),
        "was sent as it is",
    ),
    "a cancel attempt is closed twice": (
        (ASKED, ATTEMPT, *["UPDATE cancel_attempt SET closed_at = now(), outcome = 'lost'"] * 2),
        "was sent as it is",
    ),
    "a batch with an item to be cancelled is sent": ((ASKED, *SENT), "not sent"),
    "a run to be cancelled is sent": ((ASKED.replace("{item}", "NULL"), *SENT), "not sent"),
    "an item to be cancelled is sent": ((ASKED, *ALONE), "not sent"),
    "a proposal is changed": (
        (PROPOSED, "UPDATE resolution SET decision = 'failed'"),
        "stays as it was proposed",
    ),
    "one person for two": ((PROPOSED, APPLIED.format(who="Person:ADA")), "resolution_two_people"),
    "a decision without evidence": (
        (PROPOSED.replace("'e'", "''"),),
        "resolution_evidence_check",
    ),
    "a proposal is applied twice": (
        (PROPOSED, APPLIED.format(who="person:bob"), APPLIED.format(who="person:eve")),
        "stays as it was proposed",
    ),
    "two open proposals for an item": ((PROPOSED, PROPOSED), "resolution_open"),
    "a decision that nobody may make": (
        (PROPOSED.replace("'settled'", "'cancelled'"),),
        "resolution_decision_check",
    ),
    "a batch is sent after a restored backup": (
        (GAP.format(more="", values=""), *SENT),
        "two people confirm",
    ),
    "an item is sent when the keys may be forgotten": (
        (GAP.format(more=", allowed_until", values=", now() - interval '1 s'"), *ALONE),
        "two people confirm",
    ),
    "a lane is resumed after a restored backup": (
        (GAP.format(more="", values=""), PAUSED, "UPDATE lane SET paused_at = NULL"),
        "waits for two people",
    ),
    "one person confirms for two": (
        (GAP.format(more="", values=""), FIRST, SECOND.format(who="PERSON:ada")),
        "restoration_two_people",
    ),
    "a second person without a first": (
        (GAP.format(more="", values=""), SECOND.format(who="person:bob")),
        "restoration_check",
    ),
    "the first person is exchanged": (
        (
            GAP.format(more="", values=""),
            FIRST,
            "UPDATE restoration SET first_actor = 'person:bob'",
        ),
        "otherwise stays",
    ),
    "an action without a reason": (
        (
            (
                "INSERT INTO control_action (action, subject, reason, actor)"
                " VALUES ('hold', 'run_1', '', 'person:ada')"
            ),
        ),
        "control_action_reason_check",
    ),
}
ALLOWED = {
    "a batch that nobody asked to cancel": SENT,
    "an item beside one that is to be cancelled": (
        ASKED.replace("{item}", "{other}"),
        *ALONE,
    ),
    "a batch whose request has ended": (
        ASKED,
        "UPDATE cancel_request SET done_at = now(), outcome = 'a'",
        *SENT,
    ),
    "two people": (PROPOSED, APPLIED.format(who="person:bob")),
    "a platform that is sure to know the keys": (
        GAP.format(more=", allowed_until", values=", now() + interval '1 h'"),
        *SENT,
    ),
    "a platform that two people confirmed": (
        GAP.format(more="", values=""),
        PAUSED,
        FIRST,
        SECOND.format(who="person:bob"),
        "UPDATE lane SET paused_at = NULL",
        *SENT,
    ),
}


@pytest.fixture(scope="module")
def names(desk: Desk, sepa: Callable[..., str], database: Database) -> dict[str, int]:
    """An approved run of one batch of three items."""
    run = desk.load(sepa(3)).run_id
    with database.reading() as unit:
        batch, low = unit.execute(text("SELECT id, lo FROM batch")).one()
    return {"run": run, "batch": batch, "item": low, "other": low + 1}


def play(connection: Connection, statements: tuple[str, ...], names: dict[str, int]) -> None:
    for statement in statements:
        assert connection.execute(text(statement.format(**names))).rowcount > 0, statement


@pytest.mark.parametrize(("statements", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_the_database_refuses(
    database: Database, names: dict[str, int], statements: tuple[str, ...], says: str
) -> None:
    with database.reading() as connection:
        play(connection, statements[:-1], names)
        with pytest.raises(DBAPIError, match=says):
            play(connection, statements[-1:], names)


@pytest.mark.parametrize("statements", ALLOWED.values(), ids=ALLOWED.keys())
def test_the_database_allows(
    database: Database, names: dict[str, int], statements: tuple[str, ...]
) -> None:
    """Else the table above would prove nothing."""
    with database.reading() as connection:
        play(connection, statements, names)


def test_a_new_lane_of_a_paused_platform_begins_paused(
    database: Database, desk: Desk, sepa: Callable[..., str], names: dict[str, int]
) -> None:
    assert names
    with database.unit() as unit:
        unit.execute(
            text(
                "INSERT INTO lane (provider, funding, paused_at, reason, paused_by)"
                " VALUES ('orkestra', '*', now(), 'person: x', 'person:ada')"
            )
        )
    desk.load(sepa(2, start=50), funding="second")

    with database.reading() as unit:
        found = unit.execute(
            text("SELECT reason, paused_by FROM lane WHERE funding = 'second'")
        ).all()
    assert [tuple(row) for row in found] == [("person: x", "person:ada")]
