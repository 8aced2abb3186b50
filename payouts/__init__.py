"""Payouts: a payout and disbursement batch processor that never pays a line twice.

The front door for whoever writes Python against it; a name is loaded when it is first asked for.

>>> from payouts import Pipeline
>>> Pipeline(name="weekly", files="inputs/weekly_*.csv").period
'day'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from payouts.core.errors import PayoutsError
    from payouts.core.pipeline import Pipeline

__all__ = ["PayoutsError", "Pipeline"]

_HOMES = {
    "PayoutsError": "payouts.core.errors",
    "Pipeline": "payouts.core.pipeline",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'payouts' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
