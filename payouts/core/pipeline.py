"""A pipeline: where payee files come from and how they become payouts. It is a value.

>>> Pipeline(name="weekly", files="inputs/weekly_*.csv", schedule="0 9 * * fri").aggregated
False
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from payouts.core.errors import SettingsError
from payouts.core.schedule import Cron

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

__all__ = ["Period", "Pipeline"]

Period = Literal["slot", "day", "week", "month"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What `pipelines/NAME.py` declares as `PIPELINE`, or `[pipelines.NAME]` in the settings.

    Args:
        name: shown and stored; never change it once it ran.
        files: a glob, relative to the project, of the files it picks up.
        description: one line for `payouts status` and `--help`.
        mapping: original header -> canonical column, beside the known aliases; "" ignores it.
        constants: canonical column -> its value on all lines of files that do not have it.
        funding: the funding account; the setting `funding` where it is none.
        schedule: cron with day names (`0 9 * * fri`), see `core.schedule`; none runs by hand only.
        timezone: IANA name that the schedule is meant in.
        aggregated: sum the lines of one payee and account into one payout.
        policy: who approves; none is `auto` in the sandbox and `person` in live.
        reject_limit: share of bad lines above which the file is held; none is the setting.
        period: with the line's fingerprint, the identity of lines without a reference: `slot` of
            the schedule, or `day`, `week`, `month` of the load.
        transform: changes values of the canonical frame; never which lines there are.

    Raises:
        SettingsError: E_PIPELINE or E_SCHEDULE: a field makes no sense.
    """

    name: str
    files: str = ""
    description: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    funding: str | None = None
    schedule: str | None = None
    timezone: str = "UTC"
    aggregated: bool = False
    policy: Literal["auto", "person"] | None = None
    reject_limit: float | None = None
    period: Period = "day"
    transform: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        for wrong, words, hint in (
            (
                not _NAME.fullmatch(self.name),
                f"its name is '{self.name}'",
                "Use lower-case letters, digits and _, 40 at most, a letter first.",
            ),
            (
                self.period not in get_args(Period),
                f"its period is '{self.period}'",
                f"Choose one of {', '.join(get_args(Period))}.",
            ),
            (
                self.policy not in {None, "auto", "person"},
                f"its policy is '{self.policy}'",
                "Choose auto or person, or leave it out.",
            ),
            (
                self.reject_limit is not None and not 0 <= self.reject_limit <= 1,
                f"its reject_limit is {self.reject_limit}",
                "Write a share between 0 and 1, for example 0.02.",
            ),
            (
                self.schedule is not None and not self.files,
                "it has a schedule and no files",
                'Say which files it picks up, for example files="inputs/weekly_*.csv".',
            ),
        ):
            if wrong:
                message = f"pipeline '{self.name}': {words}"
                raise SettingsError(message, hint=hint, code="E_PIPELINE")
        if self.schedule is not None:
            Cron.parse(self.schedule)

    def period_at(self, wall: datetime, slot: str | None = None) -> str:
        """The period of a load at this time on the wall of the pipeline's time zone.

        >>> from datetime import datetime
        >>> at = datetime.fromisoformat("2027-01-01T09:00")
        >>> Pipeline(name="weekly", period="week").period_at(at)
        '2026-W53'
        """
        match self.period:
            case "slot" if slot is not None:
                return slot
            case "week":
                return wall.strftime("%G-W%V")
            case "month":
                return wall.strftime("%Y-%m")
            case "slot" | "day":
                return wall.strftime("%Y-%m-%d")
