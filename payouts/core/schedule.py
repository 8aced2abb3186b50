"""Schedules: a cron line, as the times that a clock on the wall shows when it is due.

Five fields: minute, hour, day of the month, month, day of the week. Week days are names only, since
`1` is Monday to cron and Tuesday to some schedulers. Beyond cron there are `last` for the last day
of a month, and `fri#1` … `fri#5` and `fri#last` for the first … last Friday of a month.

>>> from datetime import date, datetime, time
>>> friday = datetime.combine(date(2026, 11, 20), time(9))
>>> Cron.parse("0 9 * * fri").after(friday).isoformat()
'2026-11-27T09:00:00'
>>> Cron.parse("0 9 * * 1")
Traceback (most recent call last):
payouts.core.errors.SettingsError: schedule '0 9 * * 1': the day of the week is '1'

A *slot* is such a time, without a zone: on the autumn day 03:30 is one slot although clocks show it
twice, and on the spring day it is one slot although they never do. `instant` says when it is due:
when the clock first shows that time or a later one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import product
from typing import TYPE_CHECKING, Final

from payouts.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Cron", "due", "instant", "slot_key", "wall_time"]

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS: Final = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_FIELDS: Final = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 6),
)
_TERM: Final = re.compile(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([0-9]{1,2}))?")
_NTH: Final = re.compile(r"([a-z]+)#([1-5]|last)")
_HORIZON: Final = timedelta(days=9 * 366)
"""Between two 29ths of February lie at most eight years."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron line.

    Args:
        text: as it was written.
        last_day: the last day of each month is meant too.
        nth: (week day, 1 … 5 or -1) of each month.
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    last_day: bool = False
    nth: frozenset[tuple[int, int]] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read a cron line.

        Raises:
            SettingsError: E_SCHEDULE: which field is wrong, and what is meant to stand there.
        """
        words = text.lower().split()
        if len(words) != len(_FIELDS):
            raise _wrong(
                text,
                f"there are {len(words)} fields, not five",
                "Write minute, hour, day, month, day of the week, for example 0 9 * * fri.",
            )
        if words[2] != "*" and words[4] != "*":
            raise _wrong(
                text,
                "both a day of the month and a day of the week are given",
                "Give one of them and * for the other: some clocks would take either, others both."
                " The first Friday of a month is fri#1, its last day is last.",
            )
        plain_days, last_day = _without_last(words[2])
        plain_weekdays, nth = _without_nth(words[4], text)
        cron = cls(
            text,
            minutes=tuple(sorted(_values(words[0], 0, text))),
            hours=tuple(sorted(_values(words[1], 1, text))),
            days=_values(plain_days, 2, text) if plain_days else frozenset(),
            months=_values(words[3], 3, text),
            weekdays=_values(plain_weekdays, 4, text) if plain_weekdays else frozenset(),
            last_day=last_day,
            nth=nth,
        )
        if next(cron._days(date(2001, 1, 1)), None) is None:
            raise _wrong(text, "no day is ever like that", "Check the day against the month.")
        return cron

    def after(self, wall: datetime) -> datetime:
        """The first slot after a time on the wall."""
        return next(self.slots(wall))

    def before(self, wall: datetime) -> datetime | None:
        """The last slot before a time on the wall; none within nine years."""
        day = wall.date()
        for back in range(_HORIZON.days):
            if self._on(day - timedelta(days=back)):
                earlier = [slot for slot in self._times(day - timedelta(days=back)) if slot < wall]
                if earlier:
                    return earlier[-1]
        return None

    def slots(self, wall: datetime) -> Iterator[datetime]:
        """The slots after a time on the wall, without end."""
        day = wall.date()
        while True:
            for found in self._days(day):
                yield from (slot for slot in self._times(found) if slot > wall)
                day = found
            day += timedelta(days=1)

    def _days(self, first: date) -> Iterator[date]:
        """Days with slots, from `first` on, up to the horizon."""
        for ahead in range(_HORIZON.days):
            if self._on(first + timedelta(days=ahead)):
                yield first + timedelta(days=ahead)

    def _times(self, day: date) -> Iterator[datetime]:
        for hour, minute in product(self.hours, self.minutes):
            yield datetime.combine(day, time(hour, minute))

    def _on(self, day: date) -> bool:
        """Whether a day has slots."""
        if day.month not in self.months:
            return False
        last = (day + timedelta(days=1)).month != day.month
        week = (day.day - 1) // 7 + 1
        ends = (day + timedelta(days=7)).month != day.month
        of_month = day.day in self.days or (self.last_day and last)
        of_week = (
            day.weekday() in self.weekdays
            or (day.weekday(), week) in self.nth
            or (ends and (day.weekday(), -1) in self.nth)
        )
        return of_month and of_week


def instant(slot: datetime, zone: tzinfo) -> datetime:
    """When a slot is due, in UTC: as soon as the wall clock shows its time or a later one.

    A time that clocks show twice is due the first time; a time that they jump over is due at the
    jump. So later slots are never due earlier.

    >>> from zoneinfo import ZoneInfo
    >>> half_past_three = time(3, 30)
    >>> for day in (date(2026, 3, 29), date(2026, 10, 25)):  # the days clocks change in Helsinki
    ...     due = instant(datetime.combine(day, half_past_three), ZoneInfo("Europe/Helsinki"))
    ...     print(due.isoformat())
    2026-03-29T01:00:00+00:00
    2026-10-25T00:30:00+00:00
    """
    shown = slot
    while True:
        due = shown.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if due.astimezone(zone).replace(tzinfo=None) == shown:
            return due
        shown += timedelta(minutes=1)


def due(cron: Cron, zone: tzinfo, *, since: datetime, until: datetime) -> Iterator[datetime]:
    """The slots that are due after `since` and not after `until` (instants), in order.

    >>> from zoneinfo import ZoneInfo
    >>> evening = datetime(2026, 10, 24, 20, tzinfo=UTC)
    >>> nightly = Cron.parse("30 3 * * *")
    >>> morning = evening + timedelta(hours=12)
    >>> [slot_key(slot) for slot in due(nightly, ZoneInfo("Europe/Helsinki"), since=evening, until=morning)]
    ['2026-10-25T03:30']
    """
    # What is due later than an instant is never shown before it, but for what clocks show twice.
    for slot in cron.slots(wall_time(since, zone) - timedelta(minutes=1)):
        at = instant(slot, zone)
        if at > until:
            return
        if at > since:
            yield slot


def wall_time(at: datetime, zone: tzinfo) -> datetime:
    """What the clock on the wall shows at an instant, without a zone."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def slot_key(slot: datetime) -> str:
    """The name of a slot, as it is stored and shown; names sort as the slots do.

    >>> slot_key(datetime.combine(date(2026, 10, 25), time(3, 30)))
    '2026-10-25T03:30'
    """
    return slot.strftime("%Y-%m-%dT%H:%M")


def _without_last(field: str) -> tuple[str, bool]:
    terms = field.split(",")
    kept = [term for term in terms if term != "last"]
    return ",".join(kept), len(kept) < len(terms)


def _without_nth(field: str, text: str) -> tuple[str, frozenset[tuple[int, int]]]:
    kept, found = [], set()
    for term in field.split(","):
        match = _NTH.fullmatch(term)
        if match is None:
            kept.append(term)
        else:
            day = _value(match[1], 4, text)
            found.add((day, -1 if match[2] == "last" else int(match[2])))
    return ",".join(kept), frozenset(found)


def _values(field: str, place: int, text: str) -> frozenset[int]:
    """What a field stands for: numbers, names, ranges, steps, lists of them."""
    _, least, greatest = _FIELDS[place]
    found: set[int] = set()
    for term in field.split(","):
        match = _TERM.fullmatch(term)
        if match is None or (match[1] == "*" and match[2]) or (match[3] and int(match[3]) == 0):
            raise _bad(term, place, text)
        first = least if match[1] == "*" else _value(match[1], place, text)
        last = first
        if match[2]:
            last = _value(match[2], place, text)
        elif match[1] == "*" or match[3]:
            last = greatest
        if last < first:
            raise _bad(term, place, text)
        found.update(range(first, last + 1, int(match[3] or 1)))
    return frozenset(found)


def _value(word: str, place: int, text: str) -> int:
    _, least, greatest = _FIELDS[place]
    if place == 4 and word in _DAYS:  # noqa: PLR2004  the fifth field
        return _DAYS.index(word)
    if place == 3 and word in _MONTHS:  # noqa: PLR2004  the fourth field
        return _MONTHS.index(word) + 1
    if place != 4 and word.isdecimal() and least <= int(word) <= greatest:  # noqa: PLR2004  names only there
        return int(word)
    raise _bad(word, place, text)


def _bad(word: str, place: int, text: str) -> SettingsError:
    name, least, greatest = _FIELDS[place]
    hints = {
        "day of the week": "Write mon, tue, wed, thu, fri, sat, sun, a range mon-fri or a list:"
        " by number, 1 is Monday to some clocks and Tuesday to others.",
        "day of the month": "Write 1 to 31, last, a range 1-7, a list 1,15, or *.",
        "month": "Write 1 to 12 or jan to dec, a range, a list, or *.",
    }
    usual = f"Write {least} to {greatest}, a range, a list, a step */15, or *."
    return _wrong(text, f"the {name} is '{word}'", hints.get(name, usual))


def _wrong(text: str, what: str, hint: str) -> SettingsError:
    return SettingsError(f"schedule '{text}': {what}", hint=hint, code="E_SCHEDULE")
