"""What waits for a person is shown in words and as values; nothing of it is a secret."""

from __future__ import annotations

from datetime import UTC, datetime

from payouts import Pipeline
from payouts.cli.attention import Attention
from payouts.scheduler import Calendar
from payouts.store.incidents import Incident
from payouts.store.queries import HoldRow, PausedRow
from payouts.store.slots import SlotRow

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
ALL = Attention(
    incidents=[Incident(7, "E_RUN_DISAGREES", 1, "run_0000000001", "look why", 3, AT, AT)],
    holds=[
        HoldRow(1, 1, None, "funds", "EUR", AT, "policy:auto", None, None),
        HoldRow(2, 1, 33, "asked", "wait for Ana", AT, "ben", None, None),
    ],
    paused=[PausedRow("orkestra", "main", AT, "http_401")],
    calendar=[
        Calendar(
            Pipeline(
                "weekly", schedule="0 9 * * fri", timezone="Europe/Helsinki", files="in/*.csv"
            ),
            "2026-11-27T09:00",
            AT,
            (SlotRow("weekly", "2026-11-20T09:00", AT, "missed", None),),
        )
    ],
)


def test_nothing_is_said_where_nothing_waits() -> None:
    assert Attention([], [], [], []).lines() == []


def test_everything_that_waits_is_named_with_its_reason() -> None:
    shown = "\n".join(ALL.lines())

    for words in (
        *("7  1    E_RUN_DISAGREES  run_0000000001  3 times", "look why"),
        *("run_0000000001  funds", "itm_0000000011  asked", "wait for Ana"),
        *("orkestra/main  11-20 09:30  the platform does not accept our credentials",),
        *("weekly    2026-11-27 09:00 Europe/Helsinki  2026-11-20 09:00, missed",),
    ):
        assert words in shown, shown


def test_programs_get_the_same() -> None:
    values = ALL.values()

    assert values["incidents"][0]["code"] == "E_RUN_DISAGREES"
    assert [one["item"] for one in values["holds"]] == [None, "itm_0000000011"]
    assert values["paused_lanes"][0]["reason"] == "http_401"
    assert values["schedules"][0]["recent"] == [
        {"slot": "2026-11-20T09:00", "state": "missed", "detail": None}
    ]
