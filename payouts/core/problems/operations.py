"""Problem kinds of the operation: commands, settings, the database, lanes, incidents, holds.

`payouts explain CODE` knows every code that the package raises or stores; those of lines and files
have modules of their own, all others stand here. A test walks the source for codes and refuses one
that is missing.

* scope `command`: a command stops with it; what was stored before stays stored.
* scope `incident` (in `incidents`): it is opened by itself and stays until a person closes it.

>>> KINDS_BY_CODE["E_LANE_LOST"].scope, HOLDS["funds"].hint
('command', '`payouts fund ACCOUNT AMOUNT CUR --reason …` books money in; the run goes on by itself.')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from payouts.core.problems.incidents import INCIDENTS
from payouts.core.problems.kind import ProblemKind

__all__ = ["HOLDS", "KINDS_BY_CODE", "OPERATIONS", "HoldKind"]


def _command(code: str, message: str, hint: str, source: str = "") -> ProblemKind:
    return ProblemKind(code, message, hint, scope="command", source=source)


_WORDS = (
    _command(
        "E_USAGE",
        "the command's words do not fit together",
        "`payouts COMMAND --help` shows what it understands, with an example.",
    ),
    _command(
        "E_NOT_CONFIRMED",
        "nobody said yes: nothing was changed or sent",
        "Answer y, or give --yes in a script.",
    ),
    _command(
        "E_INTERRUPTED",
        "somebody ended the command; what was in flight was finished, or is taken up later",
        "Run the same command again: it goes on where it was.",
    ),
    _command(
        "E_ID",
        "the word has not the form of an id, or is no id of this database",
        "Ids look like run_…, bat_… and itm_…; `payouts status` and `payouts items` list them.",
    ),
    _command(
        "E_CODE_UNKNOWN",
        "no problem has this code",
        "Codes stand in the reject file, in the report and behind every error.",
    ),
    _command(
        "E_RUN_UNKNOWN",
        "there is no such run in this database",
        "`payouts status` lists them; `last` is the newest.",
    ),
    _command(
        "E_RUN_MANY",
        "a file of this name was loaded several times",
        "Name the run by its id; `payouts status` lists them.",
    ),
    _command(
        "E_ITEM_UNKNOWN",
        "there is no such item in this database",
        "Give an item's id (itm_…) or a reference; `payouts items last` lists items.",
    ),
    _command(
        "E_ACCOUNT_UNKNOWN",
        "the ledger has no such account",
        "`payouts ledger` lists them.",
    ),
    _command(
        "E_REISSUE",
        "an item is not finally and clearly unpaid, so paying it again could pay twice",
        "Only what is failed, returned, cancelled or expired is paid again; "
        "`payouts explain ITEM` says where it stands.",
        source="RELIABILITY P1",
    ),
    _command(
        "E_CANCEL_LATE",
        "everything that was to be cancelled is final already",
        "What is paid comes back by a refund or a recall only; what is not paid needs no cancel.",
        source="RELIABILITY P14",
    ),
    _command(
        "E_RESOLVE",
        "the item is in no state that people decide, or it is too early: something is awaited",
        "`payouts explain ITEM` says what is awaited, and until when.",
        source="RELIABILITY P20",
    ),
    _command(
        "E_RESOLVE_OTHER",
        "somebody proposed another decision about the same items",
        "Agree with each other; `payouts resolve ITEM --withdraw` takes the proposal back.",
    ),
    _command(
        "E_TWO_PEOPLE",
        "this takes two different people, and the same one spoke twice",
        "The second person runs the same command, with --actor NAME where a user is shared.",
    ),
    _command(
        "E_EVIDENCE",
        "a decision about money names no evidence",
        "Say what you saw: the statement and its dates, or the platform's written answer.",
        source="RELIABILITY P5",
    ),
    _command(
        "E_INCIDENT_UNKNOWN",
        "no open incident has this number",
        "`payouts incidents` lists those that are open.",
    ),
    _command(
        "E_RESTORED_WAITS",
        "nothing is sent to the platform since a restored backup was found",
        "Two people compare the platform's own list of payments with this database, then "
        "`payouts resume PROVIDER --confirm-restored --reason …`.",
        source="RELIABILITY P22",
    ),
    _command(
        "E_RESTORED_NOT",
        "the platform does not wait after a restored backup",
        "`payouts resume PROVIDER --reason …` ends a pause of another kind.",
    ),
    _command(
        "E_REISSUE_FILE",
        "the list of items to pay again cannot be read as one",
        "It is a CSV in UTF-8 with a column `item` and any columns that are given anew.",
    ),
    _command(
        "E_FILE_EXISTS",
        "a file of this name is there already and is not written over",
        "Name another file with --to.",
    ),
    _command(
        "E_COPY_GONE",
        "our own copy of a run's payee file is not where it was put",
        "Restore the folder `.payouts/files` from a backup; all else is in the database.",
    ),
    _command(
        "E_COLLECTION_UNKNOWN",
        "there is no such collection in this database",
        "`payouts collect --list` lists them.",
    ),
    _command(
        "E_COLLECT_CURRENCY",
        "Orchestrate collects US dollars, euros, pounds and Canadian dollars only",
        "Book other money with `payouts fund` when it has come.",
        source="PROVIDERS §2.3",
    ),
    _command(
        "E_ORDER_AMOUNT",
        "an order at Orkestra has a transaction without an amount",
        "Give each transaction a positive amount in minor units; nothing was sent.",
        source="A-ORK-12",
    ),
    _command(
        "E_LOG_NONE",
        "no embedded server has run in this project, so there is no log of it",
        "A server of your own writes its log itself.",
    ),
)

_SETTINGS = (
    _command(
        "E_FIRST_START",
        "this folder has not been used with this database, which may be an older copy",
        "If it is the current one, answer yes, or set PAYOUTS_FIRST_START=yes once; a restored "
        "backup needs the folder `.payouts` that was used with it last.",
        source="RELIABILITY P22",
    ),
    _command(
        "E_SETTINGS",
        "a setting is missing, has a wrong value or contradicts another",
        "`payouts config show` lists every setting, its value and where it came from.",
    ),
    _command(
        "E_SETTING_UNKNOWN",
        "no setting has this name",
        "`payouts config show` lists all of them.",
    ),
    _command(
        "E_PIPELINE",
        "a pipeline is not defined as it must be, or there is none of this name",
        "The message names its file or table; `payouts serve --list` shows all that are found.",
    ),
    _command(
        "E_SCHEDULE",
        "a pipeline's schedule cannot be read, or means something else than it seems to",
        "Write five cron fields with names of days, for example `0 9 * * fri`.",
        source="APScheduler counts weekdays from Monday = 0, cron from Sunday = 0",
    ),
    _command(
        "E_COVERAGE_FILE",
        "the coverage file cannot be read, or has other columns than it must",
        "Write it as comma separated UTF-8 text; `payouts coverage --json` shows the columns.",
    ),
    _command(
        "E_COVERAGE_ROW",
        "rows of the coverage file contradict themselves or name what does not exist",
        "Correct the cells that the message names; row 1 is the first below the header.",
    ),
    _command(
        "E_CONNECTOR",
        "a connector of the project's own cannot be loaded, or lacks something that is needed",
        "The message names its file and what is wrong; `payouts doctor` looks at all platforms.",
    ),
    _command(
        "E_PROJECT_EXISTS",
        "the folder is a project already",
        "Go there and start: `payouts status`.",
    ),
    _command(
        "E_INSTALLATION",
        "the database was made with other keys or for another payer than the settings have",
        "Nothing was sent. Restore the right key, or use this project's own database: with "
        "another key everybody would look unpaid.",
        source="ARCHITECTURE §10",
    ),
    _command(
        "E_VAULT",
        "sealed data cannot be opened with the vault key of the settings",
        "Restore PAYOUTS_VAULT_KEY (in the sandbox `.payouts/secrets.toml`) as it was when the "
        "data was stored.",
    ),
)

_DATABASE = (
    _command(
        "E_DATABASE",
        "the database cannot be reached, or refused a statement",
        "Is it running and reachable? `payouts doctor` looks; --debug shows everything.",
    ),
    _command(
        "E_DATABASE_MISSING",
        "the embedded database that this project had is not in its folder",
        "In a new installation run `payouts db create`; else look for the folder: with an empty "
        "database everybody would look unpaid.",
    ),
    _command(
        "E_DATABASE_OLD",
        "the database has not the shape that this version needs",
        "Run `payouts db upgrade`.",
    ),
    _command(
        "E_DATABASE_UNSAFE",
        "this PostgreSQL may forget committed data in a crash: fsync or synchronous_commit is off",
        "Switch them on, or set database.allow_unsafe = true for throw-away data.",
        source="RELIABILITY P4",
    ),
    _command(
        "E_RESET_LIVE",
        "the database of a live project is never reset",
        "Another database would mean that everybody is paid again.",
    ),
    _command(
        "E_IN_USE",
        "a server, worker or run of this project is working in the folder",
        "End `payouts serve`, workers and runs of this project first.",
    ),
    _command(
        "E_LOCAL_SERVER",
        "a server that we start ourselves (database or sandbox) did not start, answer or stop",
        "The message names its log; `payouts doctor` looks at everything.",
    ),
)

_OURS = (
    _command(
        "E_INTERNAL",
        "something happened that we did not foresee: it is our fault",
        "Nothing is lost: run the same command again; if it stays, report it with --debug.",
    ),
    _command(
        "E_INVARIANT",
        "a promise would have been broken, so the step was refused and changed nothing",
        "Pay nothing more, keep the message, and report it with --debug.",
    ),
)

_LANES = (
    _command(
        "E_LANE_LOST",
        "the connection was lost and another worker has taken the lane; it goes on there",
        "Nothing to do; where no other worker runs, start `payouts worker`.",
    ),
)

OPERATIONS: tuple[ProblemKind, ...] = (
    *_WORDS,
    *_SETTINGS,
    *_DATABASE,
    *_OURS,
    *_LANES,
    *INCIDENTS,
)
KINDS_BY_CODE: Final = {kind.code: kind for kind in OPERATIONS}


@dataclass(frozen=True, slots=True)
class HoldKind:
    """Why a run or an item is held: the stored reason, what it means, what ends the hold."""

    reason: str
    message: str
    hint: str


HOLDS: Final = {
    kind.reason: kind
    for kind in (
        HoldKind(
            "person",
            "somebody asked that nothing more of it be sent",
            "`payouts release RUN --reason …`, or the item's id, lets it go on.",
        ),
        HoldKind(
            "rejects",
            "more of the file's lines are bad than the limit allows, so that the file itself "
            "may be wrong",
            "Look at the reject file; `payouts approve RUN --reason …` pays the good lines.",
        ),
        HoldKind(
            "lookalike",
            "another run of the last days has the same currency, total and count",
            "Compare the two files; `payouts approve RUN --reason …` pays this one as well.",
        ),
        HoldKind(
            "person",
            "somebody held it with `payouts hold`; the reason is kept beside it",
            "`payouts release RUN|ITEM --reason …` ends it.",
        ),
        HoldKind(
            "paid_before",
            "it pays again what the platform has paid after all",
            "Cancel it with `payouts cancel ITEM`; release it only if the first payment came back.",
        ),
        HoldKind(
            "funds",
            "the funding account has not enough money for the run",
            "`payouts fund ACCOUNT AMOUNT CUR --reason …` books money in; "
            "the run goes on by itself.",
        ),
    )
}
"""Reasons of holds (table `hold`), by the word that is stored."""
