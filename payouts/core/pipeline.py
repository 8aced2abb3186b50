"""A pipeline: where payee files come from and how they become payouts. It is a value.

>>> Pipeline(name="weekly", files="inputs/weekly_*.csv", schedule="0 9 * * fri").aggregated
False
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Pipeline"]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What `pipelines/NAME.py` declares as `PIPELINE`, or `[pipelines.NAME]` in the settings.

    Args:
        name: shown and stored; never change it once it ran.
        files: a glob, relative to the project, of the files it picks up.
        description: one line for `payouts status` and `--help`.
        mapping: original header -> canonical column, beside the known aliases.
        funding: the funding account; the setting `funding` where it is none.
        schedule: cron with day names (`0 9 * * fri`), five fields; none runs by hand only.
        timezone: IANA name that the schedule is meant in.
        aggregated: sum the lines of one payee and account into one payout.
        policy: who approves; none is `auto` in the sandbox and `person` in live.
        reject_limit: share of bad lines above which the file is held; none is the setting.
        period: with the line's fingerprint, the identity of lines without a reference: `slot` of
            the schedule, or `day`, `week`, `month` of the load.
        transform: changes values of the canonical frame; never which lines there are.
    """

    name: str
    files: str = ""
    description: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    funding: str | None = None
    schedule: str | None = None
    timezone: str = "UTC"
    aggregated: bool = False
    policy: Literal["auto", "person"] | None = None
    reject_limit: float | None = None
    period: Literal["slot", "day", "week", "month"] = "day"
    transform: Callable[[Any], Any] | None = None
