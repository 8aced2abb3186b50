"""Holding, releasing, pausing, resuming: what a person says stops or goes on, and why.

Each is one transaction that also keeps the person's words, and puts the lanes into the queue where
something may go on. Nothing that is held or paused is failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from payouts import jobs
from payouts.core.errors import UsageError
from payouts.core.ids import public_id
from payouts.flows.cancel import undisturbed
from payouts.store import cancels, control, runs
from payouts.store.control import EVERY

if TYPE_CHECKING:
    from payouts.store.engine import Database

__all__ = ["Resumed", "hold", "pause", "release", "resume"]


def hold(
    database: Database, run_id: int, item_id: int | None = None, *, reason: str, actor: str
) -> bool:
    """Let nothing of a run, or an item, be sent until somebody releases it.

    What is out already is not called back; `flows.cancel` asks for that.

    Returns:
        False where it is held by a person already.
    """

    def work() -> bool:
        with database.unit() as unit:
            cancels.batches_of(unit, run_id, item_id)
            opened = control.hold(unit, run_id, item_id, reason=reason, actor=actor)
            if opened:
                control.note(unit, "hold", _subject(run_id, item_id), reason=reason, actor=actor)
            return opened

    return undisturbed(work)


def release(
    database: Database, run_id: int, item_id: int | None = None, *, reason: str, actor: str
) -> int:
    """End the holds that people opened on a run, or an item; returns how many there were.

    Holds for rejects, a likeness or missing money are not a person's, and stay.
    """

    def work() -> int:
        with database.unit() as unit:
            cancels.batches_of(unit, run_id, item_id)
            ended = control.release(unit, run_id, item_id, actor=actor)
            if ended:
                control.note(unit, "release", _subject(run_id, item_id), reason=reason, actor=actor)
                jobs.enqueue_lanes(unit, runs.lanes(unit, run_id))
            return ended

    return undisturbed(work)


def _subject(run_id: int, item_id: int | None) -> str:
    return public_id("run", run_id) if item_id is None else public_id("itm", item_id)


def pause(
    database: Database, provider: str, funding: str | None = None, *, reason: str, actor: str
) -> list[tuple[str, str]]:
    """Let nothing more be sent on a lane, or on all lanes of a provider, those to come included.

    What is out is still asked about.

    Returns:
        The lanes that are paused now; the account `*` stands for those to come.
    """
    with database.unit() as unit:
        accounts = control.pause(
            unit, provider, funding or EVERY, reason=f"person: {reason}", actor=actor
        )
        control.note(unit, "pause", f"{provider}/{funding or EVERY}", reason=reason, actor=actor)
        return [(provider, account) for account in accounts]


@dataclass(frozen=True, slots=True)
class Resumed:
    """What a resume changed: the lanes that go on."""

    lanes: tuple[tuple[str, str], ...]


def resume(
    database: Database, provider: str, funding: str | None = None, *, reason: str, actor: str
) -> Resumed:
    """Let a paused lane, or all lanes of a provider, send again.

    Raises:
        UsageError: E_RESTORED_WAITS where the provider waits for two people after a restored backup.
    """
    from payouts.flows import restore  # noqa: PLC0415  which needs this module's neighbours

    with database.unit() as unit:
        if restore.waits_for(unit, provider):
            raise UsageError(
                f"{provider} waits since a restored backup was found: payments may have been made"
                " that this database does not know",
                hint=f"Two people confirm that the gap is reconciled: `payouts resume {provider}"
                " --confirm-restored --reason …`.",
                code="E_RESTORED_WAITS",
            )
        accounts = control.resume(unit, provider, funding or EVERY)
        lanes = [(provider, account) for account in accounts if account != EVERY]
        if accounts:
            subject = f"{provider}/{funding or EVERY}"
            control.note(unit, "resume", subject, reason=reason, actor=actor)
            jobs.enqueue_lanes(unit, lanes)
        return Resumed(tuple((provider, account) for account in accounts))
