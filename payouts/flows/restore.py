"""The start on a restored backup: what may have been paid meanwhile is found out before more is sent.

Numbers in the database and in files beside it rise together, at each opening and with everything
that is sent (`store.generation`). A database that is behind a file is an older copy: payments may
have been made that it does not know (P22). Then whatever may have been sent is unclear first, and

* a provider that knows no keys of ours is sent nothing, new files included, until two different
  people confirm that the gap is reconciled;
* a provider that does is sent to under the same keys, which cannot pay twice, for as long as it is
  sure to remember those of the gap; after that it waits for the two people, too.

What is left: a copy from the last seconds before a power failure that also lost the file of the
fence, and a machine that never worked with the database after the copy was taken.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from payouts import jobs
from payouts.core.errors import SettingsError, UsageError
from payouts.store import bulk, control, generation, lanes, looks
from payouts.store.control import EVERY
from payouts.store.generation import Mark
from payouts.store.incidents import report_incident

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from payouts.core.retry import RetryPolicy
    from payouts.store.engine import Database

__all__ = ["Confirmed", "Keeper", "Keyed", "confirm", "start", "waits_for"]

log = logging.getLogger(__name__)

ACTOR = "start:restored"
REASON = "restored_found"


@dataclass(frozen=True, slots=True)
class Keyed:
    """How a provider's unclear items are treated.

    Args:
        idempotent: the same key with the same bytes has at most one effect.
        by_reference: a payment can be found by our own reference, and is before it is sent again.
    """

    idempotent: bool
    policy: RetryPolicy
    by_reference: bool = False

    def life_s(self) -> float | None:
        """Seconds after its first use in which a key is sure to be remembered; none for never."""
        return self.policy.key_sure_s() if self.idempotent else None


@dataclass(slots=True)
class Keeper:
    """Raises the generation of a database and the file beside it.

    Args:
        raised_s: while something is sent, the generation is raised at least so often.
    """

    database: Database
    path: Path
    database_id: str
    raised_s: float = 1.0
    _raised: float = field(default=0.0)
    _fence: int = -1

    def raise_now(self, at_least: int = 0) -> int:
        """Raise both, the database first; returns the generation."""
        with self.database.unit() as unit:
            raised = generation.raise_to(unit, at_least)
            self._fence = generation.last_fence(unit)
        generation.write_mark(self.path, Mark(self.database_id, raised))
        self._raised = time.monotonic()
        return raised

    def before_sending(self) -> None:
        """Raise before more is sent, unless that was done a moment ago."""
        if time.monotonic() - self._raised > self.raised_s:
            self.raise_now()

    def claimed(self, fence: int) -> None:
        """Keep the fence of attempts that are committed, before their requests leave.

        A disk that refuses it stops nothing here, where items would become unclear without having
        been sent; the next raise fails on it before anything more is claimed.
        """
        try:
            generation.write_fence(self.fence_path, self.database_id, fence)
        except OSError as error:
            log.error("fence_not_kept path=%s reason=%s", self.fence_path.name, error.strerror)  # noqa: TRY400  expected, without its traceback

    @property
    def fence_path(self) -> Path:
        """Where the latest fence is kept."""
        return self.path.with_suffix(".fence")

    def while_sending(self) -> None:
        """Raise where something was sent since; stop providers whose keys may be forgotten now."""
        with self.database.unit() as unit:
            sent = generation.last_fence(unit) != self._fence
            _stop_forgotten(unit)
        if sent:
            self.raise_now()


def start(
    keeper: Keeper,
    providers: Mapping[str, Keyed],
    *,
    asks: Callable[[str], bool] | None = None,
    say: Callable[[str], None] = lambda _sentence: None,
) -> None:
    """Compare the database with its file, do what follows, and raise both.

    Args:
        providers: those that have credentials; others that were used are taken for keyless.
        asks: in live, asks a person whether this is the first start on this machine; none in the
            sandbox, where it is only said.

    Raises:
        SettingsError: E_FIRST_START where nobody says that it is.
    """
    # The files are read first: their numbers were in the database before, so that another process
    # that raises both meanwhile never looks like an older copy.
    mark = generation.read_mark(keeper.path)
    fence = generation.read_fence(keeper.fence_path, keeper.database_id)
    if mark is None or mark.database_id != keeper.database_id:
        _first_start(keeper, mark, asks, say)
        keeper.raise_now()
        return
    with keeper.database.unit() as unit:
        found = generation.lock(unit)
        if found < mark.generation or generation.last_fence(unit) < fence:
            for sentence in _restored(unit, providers, found=found, expected=mark.generation):
                say(sentence)
            generation.raise_to(unit, mark.generation + 1)
            generation.raise_fence(unit, fence)
        _stop_forgotten(unit)
    keeper.raise_now()


def _first_start(
    keeper: Keeper,
    mark: Mark | None,
    asks: Callable[[str], bool] | None,
    say: Callable[[str], None],
) -> None:
    with keeper.database.reading() as connection:
        if not generation.used(connection):
            return
    why = (
        f"{keeper.path.name} is not there"
        if mark is None
        else f"{keeper.path.name} belongs to the database {mark.database_id}"
    )
    sentence = f"First start with the database {keeper.database_id} in this folder ({why})."
    if asks is not None and not asks(
        f"{sentence} Is it the current one, and no restored backup or copy?"
    ):
        raise SettingsError(
            f"the database {keeper.database_id} was not used from this folder before ({why})",
            hint="If it is the current one and no restored backup, answer yes, or set"
            " PAYOUTS_FIRST_START=yes once; a restored one needs the folder `.payouts` that was"
            " used with it last.",
            code="E_FIRST_START",
        )
    say(sentence)


def _restored(
    unit: Connection, providers: Mapping[str, Keyed], *, found: int, expected: int
) -> list[str]:
    """What follows from an older copy; sentences for whoever starts it."""
    since = generation.known_until(unit)
    older = (
        f"This database is an older copy (generation {found}, {expected} was reached here)."
        f" It knows nothing after {since:%Y-%m-%d %H:%M:%S} UTC."
    )
    said = [older]
    for name in sorted({*providers, *generation.used_providers(unit)}):
        keyed = providers.get(name)
        life = keyed.life_s() if keyed is not None else None
        items = _unclear(unit, name, keyed, since=since, life=life)
        generation.open_restoration(
            unit, name, generation=found, expected=expected, since=since, life_s=life
        )
        said.append(f"{name}: {items:,} approved items may have been sent and are unclear now.")
    _stop_forgotten(unit)
    blocking = generation.blocking(unit)
    said += [
        _waits(one.provider, one.allowed_until, blocking)
        for one in generation.open_restorations(unit)
    ]
    report_incident(
        unit,
        code="E_RESTORED",
        severity=1,
        subject="database",
        detail=" ".join(said),
    )
    return list(dict.fromkeys(said))


def _waits(provider: str, until: datetime | None, blocking: set[str]) -> str:
    if provider in blocking or until is None:
        return (
            f"Nothing is sent to {provider} until two people confirm:"
            f" `payouts resume {provider} --confirm-restored --reason …`."
        )
    return (
        f"{provider} is sent to under the same keys until {until:%Y-%m-%d %H:%M} UTC, afterwards"
        f" when two people have confirmed: `payouts resume {provider} --confirm-restored`."
    )


def _unclear(
    unit: Connection, name: str, keyed: Keyed | None, *, since: datetime, life: float | None
) -> int:
    """Move what may have been sent to unclear; returns the items."""
    resend = keyed.policy.quiet_wait() if keyed is not None and life is not None else None
    batches, items = generation.move_approved(
        unit,
        name,
        posting=bulk.next_posting(unit),
        actor=ACTOR,
        since=since,
        resend_s=resend,
    )
    if batches and keyed is not None:
        if keyed.by_reference:
            looks.look_for_unclear(unit, batches, first_s=keyed.policy.look_waits()[0])
        lanes.refresh_due(
            unit,
            batches,
            waits_s=keyed.policy.check_waits(),
            unclear_s=keyed.policy.unclear_max_s * keyed.policy.pace,
            by_reference=keyed.by_reference,
        )
    accounts = control.lanes_of(unit, name)
    jobs.enqueue_lanes(unit, [(name, account) for account in accounts if account != EVERY])
    return items


def _stop_forgotten(unit: Connection) -> None:
    """Pause the lanes, those to come included, of providers that wait for two people."""
    paused = {lane.provider for lane in control.paused_lanes(unit) if lane.funding == EVERY}
    for provider in generation.blocking(unit) - paused:
        control.pause(unit, provider, EVERY, reason=REASON, actor=None)


def waits_for(unit: Connection, provider: str) -> bool:
    """Whether nothing is sent to a provider until two people confirm."""
    return provider in generation.blocking(unit)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a person's confirmation did.

    Args:
        first: who confirmed first.
        over: this was the second person; the lanes go on.
    """

    first: str
    over: bool
    lanes: tuple[tuple[str, str], ...] = ()


def confirm(database: Database, provider: str, *, reason: str, actor: str) -> Confirmed:
    """One of two people confirms that the gap after a restored backup is reconciled.

    Raises:
        UsageError: E_RESTORED_NOT where nothing waits for it; E_TWO_PEOPLE where the same person
            speaks again.
    """
    with database.unit() as unit:
        generation.lock(unit)
        waiting = generation.open_restorations(unit, provider)
        if not waiting:
            raise UsageError(
                f"{provider} does not wait after a restored backup",
                hint=f"A lane that is paused otherwise goes on with `payouts resume {provider}`.",
                code="E_RESTORED_NOT",
            )
        control.note(unit, "confirm_restored", provider, reason=reason, actor=actor)
        first = next((one.first_actor for one in waiting if one.first_actor), actor)
        # Each restoration that somebody else confirmed before has two people now.
        ended = generation.confirm_second(unit, provider, actor=actor, reason=reason)
        begun = generation.confirm_first(unit, provider, actor=actor, reason=reason)
        if not ended and not begun:
            raise UsageError(
                f"{actor} has confirmed already: somebody else has to, too",
                hint="The second person runs the same command, with --actor NAME where the user"
                " of this machine is shared.",
                code="E_TWO_PEOPLE",
            )
        if generation.open_restorations(unit, provider):
            return Confirmed(first, over=False)
        accounts = control.resume(unit, provider, EVERY, reason=REASON)
        going = [(provider, account) for account in accounts if account != EVERY]
        jobs.enqueue_lanes(unit, going)
        return Confirmed(first, over=True, lanes=tuple(going))
