"""What one slot does: it takes the files of its pipeline's pattern that are whole and new.

Each file goes the way of `payouts run`: our copy, a survey, one transaction. Lines keep their
identity, so a file that two slots see pays nobody twice. What is wrong with one file is said and
recorded, and the others go on.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from payouts.core.errors import FileRefusedError, PayoutsError
from payouts.core.ids import public_id
from payouts.flows.load import AllRejectedError, load
from payouts.flows.pickup import arrivals, fingerprint, settled
from payouts.intake.refusal import refused
from payouts.intake.rejects import write_rejects
from payouts.intake.survey import survey
from payouts.store import runs, slots

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from payouts.core.pipeline import Pipeline
    from payouts.flows.load import LoadResult
    from payouts.flows.pickup import Settling
    from payouts.intake.survey import Survey
    from payouts.wiring import Parts

__all__ = ["Day", "Loaded", "Pickup"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A run that a slot made."""

    pipeline: Pipeline
    path: Path
    survey: Survey
    result: LoadResult


@dataclass(slots=True)
class Day:
    """What one slot did.

    Args:
        troubled: files that were refused, broke, or would not hold still.
        words: what to say and record, a sentence each.
    """

    loaded: list[Loaded] = field(default_factory=list)
    troubled: int = 0
    words: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """How the slot is recorded (`store.slots`)."""
        if self.troubled:
            return "failed"
        return "done" if self.loaded else "empty"

    def trouble(self, words: str) -> None:
        """Count and record something that a person should look at."""
        self.troubled += 1
        self.words.append(words)


class Pickup:
    """Takes files for slots.

    Args:
        folder: where reject files go; never beside the payee files, since the next slot would
            find them there.
        now: seconds since the epoch, for how long a file has been quiet.
        stopping: gives up waiting for files that are still being written.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        folder: Callable[[], Path],
        settling: Settling,
        now: Callable[[], float],
        stopping: Callable[[], bool],
    ) -> None:
        self.parts, self.folder = parts, folder
        self.settling, self.now, self.stopping = settling, now, stopping
        self._one_at_a_time = threading.Lock()  # a payer's loads wait for each other anyway
        self._hashes: dict[tuple[Path, tuple[int, int, int]], str] = {}
        self._refused: set[tuple[str, Path, str]] = set()

    def take(self, pipeline: Pipeline, slot: str) -> Day:
        """Take the files of a slot."""
        day = Day()
        found = arrivals(self.parts.project.root, pipeline.files)
        fresh = {
            path: sha for path in found if (sha := self._fresh(pipeline, path, day)) is not None
        }
        whole, restless = settled(
            fresh, settling=self.settling, now=self.now, stopping=self.stopping
        )
        for path in whole:
            with self._one_at_a_time:
                self._take(pipeline, slot, path, day)
        for path in restless:
            day.trouble(f"{path.name} is still being written and waits for the next slot")
        if not found:
            day.words.append(f"no file in {pipeline.files}")
        elif not day.words:
            day.words.append(f"nothing new in {pipeline.files}")
        return day

    def _fresh(self, pipeline: Pipeline, path: Path, day: Day) -> str | None:
        """The hash of a file that was not taken before; empty where it cannot be read."""
        sha256 = self._sha256(path)
        if (pipeline.name, path, sha256) in self._refused:
            day.words.append(f"{path.name} is as it was when it was refused")
            return None
        with self.parts.database.reading() as connection:
            known = slots.seen(connection, self.parts.settings.payer, pipeline.name, sha256)
        return None if known else sha256

    def _sha256(self, path: Path) -> str:
        seen = fingerprint(path)
        if seen is None:
            return ""
        if (path, seen) not in self._hashes:
            try:
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                return ""  # what is wrong with it is said when it is taken
            self._hashes[path, seen] = digest
        return self._hashes[path, seen]

    def _take(self, pipeline: Pipeline, slot: str, path: Path, day: Day) -> None:
        sha256 = self._sha256(path)
        try:
            loaded = self._load(pipeline, slot, path)
        except FileRefusedError as error:
            day.trouble(f"{path.name} was refused: {error.message} ({error.code})")
            if sha256 and error.code != "E_FILE_CHANGED":
                self._refused.add((pipeline.name, path, sha256))
        except PayoutsError as error:
            day.trouble(f"{path.name}: {error.message} ({error.code})")
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # Polars panics are no Exception; the other files go on
            log.exception("file_broke pipeline=%s slot=%s", pipeline.name, slot)
            first = str(error).partition("\n")[0]
            day.trouble(f"{path.name} broke: {type(error).__name__}: {first}")
        else:
            if not loaded.result.known:
                day.loaded.append(loaded)
                day.words.append(f"{path.name} is {_counted(loaded.result)}")

    def _load(self, pipeline: Pipeline, slot: str, path: Path) -> Loaded:
        parts = self.parts
        before = fingerprint(path)
        copy = parts.take_copy(path)
        found = None
        try:
            if fingerprint(path) != before:
                raise refused("E_FILE_CHANGED", value=path.name)
            found = survey(copy, mapping=pipeline.mapping, constants=pipeline.constants)
            result = load(
                parts.database,
                found,
                parts.rules(),
                parts.load_order(pipeline, path, copy, **self._changes(pipeline, slot)),
                encoders=parts.connectors,
                batch_max=parts.batch_max,
                signer=parts.signer,
                vault=parts.vault,
            )
        except FileRefusedError as error:
            if found is not None and isinstance(error, AllRejectedError):
                rejects = self.folder() / f"{path.name}.rejected.csv"
                write_rejects(found, error.result.problems, rejects)
            self._forget(copy)
            raise
        return Loaded(pipeline, path, found, result)

    def _changes(self, pipeline: Pipeline, slot: str) -> dict[str, Any]:
        """What a load for a slot has beside a load by hand."""
        period = pipeline.period_at(datetime.fromisoformat(slot), slot)
        changes = {"slot": slot, "period": period}
        if self.parts.settings.environment == "live":
            changes["actor"] = f"schedule:{pipeline.name}"
        return changes

    def _forget(self, copy: Path) -> None:
        """Remove our copy of a file of which nothing is stored."""
        with self.parts.database.reading() as connection:
            used = runs.copy_in_use(connection, str(copy.relative_to(self.parts.project.root)))
        if not used:
            copy.unlink(missing_ok=True)


def _counted(result: LoadResult) -> str:
    counts = " + ".join(f"{count:,} {outcome}" for outcome, count in result.counts.items())
    held = "".join(f", held: {reason}: {detail}" for reason, detail in result.holds)
    return f"{public_id('run', result.run_id)}: {result.lines:,} lines = {counts}{held}"
