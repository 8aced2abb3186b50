"""Cron lines: read strictly, counted right, and due once on the days that clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]  # it has no types
from hypothesis import given, settings
from hypothesis import strategies as st

from payouts.core.errors import SettingsError
from payouts.core.schedule import Cron, instant, slot_key, wall_time

HELSINKI = ZoneInfo("Europe/Helsinki")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("line", "start", "slots"),
    [
        ("0 9 * * fri", "2026-11-20T09:00", ["2026-11-27T09:00", "2026-12-04T09:00"]),
        ("0 9 * * fri", "2026-11-20T08:59", ["2026-11-20T09:00", "2026-11-27T09:00"]),
        ("30 8 * * mon-fri", "2026-11-20T09:00", ["2026-11-23T08:30", "2026-11-24T08:30"]),
        ("0 6 last * *", "2027-01-31T06:00", ["2027-02-28T06:00", "2027-03-31T06:00"]),
        ("0 6 1,last * *", "2027-01-31T06:00", ["2027-02-01T06:00", "2027-02-28T06:00"]),
        ("0 9 * * fri#1", "2026-11-20T09:00", ["2026-12-04T09:00", "2027-01-01T09:00"]),
        ("0 9 * * fri#last", "2026-11-20T09:00", ["2026-11-27T09:00", "2026-12-25T09:00"]),
        ("0 9 * * fri#5", "2026-11-20T09:00", ["2027-01-29T09:00", "2027-04-30T09:00"]),
        ("0 0 29 feb *", "2026-11-20T09:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("*/20 9-10 * * *", "2026-11-20T10:30", ["2026-11-20T10:40", "2026-11-21T09:00"]),
        ("0 9 1 jan,7 *", "2026-11-20T09:00", ["2027-01-01T09:00", "2027-07-01T09:00"]),
        ("5/30 0 * * SUN", "2026-11-20T09:00", ["2026-11-22T00:05", "2026-11-22T00:35"]),
    ],
)
def test_a_line_means_these_times(line: str, start: str, slots: list[str]) -> None:
    assert [slot_key(slot) for slot in islice(Cron.parse(line).slots(wall(start)), 2)] == slots


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 9 * * 1", "the day of the week is '1'"),
        ("0 9 * * 1-5", "the day of the week is '1'"),
        ("0 9 * * fri-1", "the day of the week is '1'"),
        ("0 9 * * 0#1", "the day of the week is '0#1'"),
        ("0 9 * * fri#6", "the day of the week is 'fri#6'"),
        ("0 9 * * friday", "the day of the week is 'friday'"),
        ("0 9 * * fri-mon", "the day of the week is 'fri-mon'"),
        ("0 9 * * fri;sat", "the day of the week is 'fri;sat'"),
        ("0 9 * * fri-sat-sun", "the day of the week is 'fri-sat-sun'"),
        ("0 9 1 * fri", "both a day of the month and a day of the week"),
        ("0 9 * *", "4 fields, not five"),
        ("0 0 9 * * fri", "6 fields, not five"),
        ("@weekly", "1 fields, not five"),
        ("60 9 * * fri", "the minute is '60'"),
        ("*/0 9 * * fri", "the minute is '*/0'"),
        ("0 24 * * fri", "the hour is '24'"),
        ("0 9 0 * *", "the day of the month is '0'"),
        ("0 9 31 2 *", "no day is ever like that"),
        ("0 9 * 13 *", "the month is '13'"),
        ("0 ٩ * * fri", "the hour is '٩'"),
        (", 9 * * fri", "the minute is ''"),
    ],
)
def test_a_line_that_could_be_misread_is_refused(line: str, said: str) -> None:
    """A schedule that means another day than its writer pays people on another day."""
    with pytest.raises(SettingsError) as refused:
        Cron.parse(line)

    assert said in refused.value.message
    assert refused.value.hint


numbers = st.integers


@st.composite
def lines(draw: st.DrawFn) -> str:
    minute = draw(st.sampled_from(["*", "*/7", "5", "0,30", "10-20/3"]))
    hour = draw(st.sampled_from(["*", "*/5", "0", "9", "8-17", "22,23"]))
    month = draw(st.sampled_from(["*", "2", "jan-mar", "*/4"]))
    if draw(st.booleans()):
        return f"{minute} {hour} {draw(st.sampled_from(['1', '13', '1-7', '*/10', '28', 'last']))} {month} *"
    first, last = sorted(draw(st.tuples(numbers(0, 6), numbers(0, 6))))
    return f"{minute} {hour} * {month} {DAYS[first]}-{DAYS[last]}"


@given(lines(), st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1)))  # noqa: DTZ001  wall times
@settings(max_examples=300, deadline=None)
def test_without_a_zone_it_counts_as_apscheduler_does(line: str, start: datetime) -> None:
    minute, hour, day, month, week = line.split()
    theirs = CronTrigger(
        minute=minute, hour=hour, day=day, month=month, day_of_week=week, timezone=UTC
    )
    now = start.replace(tzinfo=UTC) + timedelta(microseconds=1)

    for slot in islice(Cron.parse(line).slots(start), 3):
        fires = theirs.get_next_fire_time(None, now)
        assert fires is not None
        assert fires.replace(tzinfo=None) == slot
        now = fires + timedelta(microseconds=1)


@given(lines(), st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1)))  # noqa: DTZ001  the same
@settings(max_examples=200, deadline=None)
def test_before_is_the_inverse_of_after(line: str, start: datetime) -> None:
    cron = Cron.parse(line)
    first = cron.after(start)

    earlier = cron.before(first)
    assert cron.before(first + timedelta(seconds=1)) == first
    assert earlier is not None
    assert earlier <= start
    assert cron.after(earlier) == first


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001  the same
    st.integers(0, 600),
    st.sampled_from(
        ["Europe/Helsinki", "America/Sao_Paulo", "Australia/Lord_Howe", "Africa/Cairo"]
    ),
)
@settings(max_examples=300, deadline=None)
def test_a_later_slot_is_never_due_earlier(slot: datetime, minutes: int, zone: str) -> None:
    slot = slot.replace(second=0, microsecond=0)
    later = slot + timedelta(minutes=minutes)

    assert instant(slot, ZoneInfo(zone)) <= instant(later, ZoneInfo(zone))
    assert wall_time(instant(slot, ZoneInfo(zone)), ZoneInfo(zone)) >= slot


@pytest.mark.parametrize(
    ("line", "day", "due"),
    [
        # Clocks go from 03:00 to 04:00: the times in between are due at the jump.
        ("30 3 * * *", "2026-03-29", ["01:00"]),
        ("0,30 3,4 * * *", "2026-03-29", ["01:00", "01:00", "01:00", "01:30"]),
        # Clocks go from 04:00 back to 03:00: each time is due when it is shown first.
        ("30 3 * * *", "2026-10-25", ["00:30"]),
        ("0,30 3,4 * * *", "2026-10-25", ["00:00", "00:30", "02:00", "02:30"]),
    ],
)
def test_on_the_days_that_clocks_change_each_slot_is_due_once(
    line: str, day: str, due: list[str]
) -> None:
    """APScheduler 3.11 fires 03:30 twice on the autumn day: two payrolls."""
    slots = list(islice(Cron.parse(line).slots(wall(day)), len(due)))

    assert [f"{instant(slot, HELSINKI):%H:%M}" for slot in slots] == due
    assert all(slot_key(slot).startswith(day) for slot in slots)


def test_names_of_slots_sort_as_the_slots_do() -> None:
    slots = list(islice(Cron.parse("*/50 * * * *").slots(wall("2026-12-30T00:00")), 200))

    for earlier, later in pairwise(slots):
        assert slot_key(earlier) < slot_key(later)
