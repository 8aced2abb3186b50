"""The scheduler: an alarm clock that rings, and slots in the database that decide what runs.

APScheduler only says "look now". Each look asks which slots of a pipeline are due by its own cron
line, zone and clock (`core.schedule`), and claims the latest of them by inserting its row; whoever
inserts it runs it. So a slot runs once, also with two schedulers, on days that clocks change, and
after a clock was set. Earlier slots that nobody claimed are recorded as missed, and said: the
latest one picks their files up. A slot whose process died over it is finished by the next look.

`keeper` keeps the schedules, `pickup` is what one slot does, `reports` writes its results,
`calendar` says what comes next.
"""

from __future__ import annotations

from payouts.scheduler.calendar import Calendar, calendar
from payouts.scheduler.keeper import Scheduler

__all__ = ["Calendar", "Scheduler", "calendar"]
