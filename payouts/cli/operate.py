"""`payouts doctor`, `sandbox`, `db`: whether everything is well, the imitation, the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from payouts.cli import frame
from payouts.cli.frame import Exit, Json, Panel, add
from payouts.core.errors import PayoutsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from payouts.settings import Project
    from payouts.store.health import Health
    from payouts.wiring import Parts

__all__ = ["register"]

_DISK_LOW_BYTES = 1_000_000_000
_CLOCK_APART_S = 5.0
_CONNECT_WAIT_S = 3.0
_SHOWN = {"ok": "✓", "wait": "…", "bad": "✗"}

Verdict = Literal["ok", "wait", "bad"]


def register(app: typer.Typer) -> None:
    """Add the commands of an operator."""
    add(app, doctor, panel=Panel.OPERATE, example="payouts doctor")
    add(app, sandbox, panel=Panel.OPERATE, example="payouts sandbox --seed 7 --speed 10")
    from payouts.cli.app import Below  # noqa: PLC0415  it imports the modules of commands

    group = typer.Typer(
        cls=Below,
        help="The database: shell, url, create, upgrade, reset, log.",
        no_args_is_help=True,
        rich_markup_mode=None,
        epilog="Example: payouts db url",
    )
    shell = "payouts db shell -- -c 'select * from item_now limit 5'"
    add(group, db_shell, panel=Panel.OPERATE, name="shell", example=shell)
    add(group, db_url, panel=Panel.OPERATE, name="url", example="payouts db url")
    add(group, db_create, panel=Panel.OPERATE, name="create", example="payouts db create")
    add(group, db_upgrade, panel=Panel.OPERATE, name="upgrade", example="payouts db upgrade")
    add(group, db_reset, panel=Panel.OPERATE, name="reset", example="payouts db reset --yes")
    add(group, db_log, panel=Panel.OPERATE, name="log", example="payouts db log --lines 50")
    app.add_typer(group, name="db", rich_help_panel=Panel.OPERATE)


# -- doctor -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Findings:
    """What the doctor found, in order."""

    rows: list[tuple[Verdict, str, str, str]] = field(default_factory=list)

    def add(self, verdict: Verdict, what: str, words: str, hint: str = "") -> None:
        self.rows.append((verdict, what, words, hint))

    def expect(self, holds: object, what: str, words: str, hint: str) -> None:
        """A thing that is bad where it does not hold."""
        self.add("ok" if holds else "bad", what, words, "" if holds else hint)

    def wait(self, waits: object, what: str, words: str, hint: str) -> None:
        """A thing that waits for somebody."""
        self.add("wait" if waits else "ok", what, words, hint if waits else "")

    @property
    def ending(self) -> Exit:
        found = {row[0] for row in self.rows}
        if "bad" in found:
            return Exit.FAULT
        return Exit.WAITING if "wait" in found else Exit.DONE


def doctor(*, as_json: Json = False) -> Exit:
    """Look whether everything is well: folder, disk, database, keys, clock, platforms, stuck items.

    Exits 1 where something is wrong, 5 where something waits for somebody.
    """
    from payouts.settings import load_settings  # noqa: PLC0415  bodies import what they need

    found = _Findings()
    project = load_settings()
    _look_at_project(project, found)
    try:
        with frame.project(platforms=True) as parts:
            _look_at_parts(parts, found)
    except PayoutsError as error:
        found.add("bad", "opening", f"{error.message} ({error.code})", error.hint)
    if as_json:
        checks = [
            {"verdict": verdict, "what": what, "words": words, "hint": hint}
            for verdict, what, words, hint in found.rows
        ]
        frame.document("health", {"checks": checks, "exit_code": int(found.ending)})
        return found.ending
    width = max(len(what) for _, what, _, _ in found.rows)
    for verdict, what, words, hint in found.rows:
        frame.told(f"{_SHOWN[verdict]} {what:{width}}  {frame.clean(words)}")
        if hint:
            frame.told(f"  {'':{width}}  {frame.clean(hint)}")
    bad = sum(verdict == "bad" for verdict, *_ in found.rows)
    waits = sum(verdict == "wait" for verdict, *_ in found.rows)
    if bad:
        frame.told(f"{frame.count(bad, 'thing is', 'things are')} wrong.")
    elif waits:
        frame.told(f"Nothing is wrong; {frame.count(waits, 'thing waits', 'things wait')}.")
        frame.next_step("payouts status", "shows the runs")
    else:
        frame.told("All is well.")
    return found.ending


def _look_at_project(project: Project, found: _Findings) -> None:
    import platform  # noqa: PLC0415  bodies import what they need
    import shutil  # noqa: PLC0415  the same
    from importlib.metadata import version  # noqa: PLC0415  the same

    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    found.add("ok", "payouts", f"{version('payouts')}, {python}")
    file = project.file.name if project.file else "no settings file"
    found.add("ok", "project", f"{project.root} ({file}), {project.settings.environment}")
    free = shutil.disk_usage(project.root).free
    found.expect(
        free > _DISK_LOW_BYTES,
        "disk",
        f"{free / 1e9:.1f} GB free",
        "Make room before the next run: a full disk stops the database.",
    )
    if project.state.exists():
        mode = project.state.stat().st_mode & 0o066  # passing through is needed and harmless
        found.expect(
            not mode,
            "private",
            f"{project.state.name}/ is {'open to others' if mode else 'for its owner only'}",
            f"chmod go-rwx {project.state}",
        )


def _look_at_parts(parts: Parts, found: _Findings) -> None:
    from datetime import UTC, datetime  # noqa: PLC0415  bodies import what they need

    from payouts.store import migrate  # noqa: PLC0415  the same
    from payouts.store.health import health  # noqa: PLC0415  the same

    with parts.database.reading() as unit:
        seen = health(unit)
        apart = (datetime.now(UTC) - seen.now).total_seconds()
    url = parts.settings.database.url
    where = "embedded" if url is None else "given by URL"
    size = f"{seen.bytes / 1e6:,.0f} MB"
    found.add("ok", "database", f"{seen.version}, {where}, id {parts.database_id}, {size}")
    shape, needed = migrate.current(parts.database), migrate.head()
    found.expect(shape == needed, "shape", f"revision {shape}", "Run `payouts db upgrade`.")
    off = [name for name, value in seen.settings.items() if value == "off"]
    found.expect(
        not off,
        "durable",
        f"{', '.join(off)} off" if off else "what is acknowledged survives a crash",
        "Switch it on in the server's settings: a crash may forget payments.",
    )
    prints = ", ".join(f"{name.replace('_', ' ')} {print_}" for name, print_ in seen.prints.items())
    found.add("ok", "keys", f"{prints} (fingerprints); they belong to this database")
    found.expect(
        abs(apart) < _CLOCK_APART_S and not seen.moved_clock,
        "clock",
        "moved by a setting" if seen.moved_clock else f"{abs(apart):.1f} s from the database's",
        "Synchronise the clocks of this machine and of the database's.",
    )
    _look_at_platforms(parts, found)
    _look_at_work(seen, found)


def _look_at_platforms(parts: Parts, found: _Findings) -> None:
    if not parts.connectors:
        found.add(
            "bad", "platforms", "none has credentials", "Set them under [orkesta], [orkestra]."
        )
    for name, one in parts.connectors.items():
        reached = _reaches(one.base_url)
        kind = "the sandbox" if parts.settings.environment == "sandbox" else "live"
        found.expect(
            reached,
            name,
            f"{one.base_url} ({kind}), level {one.capabilities.level},"
            f" {one.capabilities.concurrency} at once",
            "It cannot be reached from here: check the network and base_url.",
        )
    for name, checked in parts.check_keys().items():
        found.expect(checked.holds, name, checked.words, checked.hint)


def _reaches(url: str) -> bool:
    """Whether somebody accepts connections at the host of a URL; nothing is asked of it."""
    import socket  # noqa: PLC0415  bodies import what they need
    from urllib.parse import urlsplit  # noqa: PLC0415  the same

    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_WAIT_S).close()
    except OSError:
        return False
    return True


def _look_at_work(seen: Health, found: _Findings) -> None:
    from payouts.flows.explain import meaning  # noqa: PLC0415  bodies import what they need

    jobs = ", ".join(f"{count} {status}" for status, count in seen.jobs.items()) or "empty"
    workers = frame.count(seen.workers, "worker")
    found.add("ok", "queue", f"{jobs}; {workers} on {frame.count(seen.lanes_worked, 'lane')}")
    found.wait(
        seen.orphans,
        "attempts",
        f"{seen.orphans} of workers that died" if seen.orphans else "none is left behind",
        "`payouts worker` finds out what became of them.",
    )
    found.wait(
        seen.long_transactions,
        "locks",
        f"{frame.count(seen.long_transactions, 'transaction')} older than 5 minutes"
        if seen.long_transactions
        else "nobody holds any for long",
        "`payouts db shell` and pg_stat_activity show whose they are.",
    )
    for provider, funding, reason in seen.paused:
        words = f"{provider}/{funding} is paused: {meaning(reason)}"
        found.add("wait", "lane", words, "When the cause is gone: `payouts retry last`.")
    for one in seen.stuck:
        waits = one.state in {"unknown", "review"}
        found.wait(
            waits,
            "items",
            f"{frame.count(one.items, 'item')} {one.state} at {one.provider}",
            f"`payouts items last --state {one.state}` shows them." if waits else "",
        )
    if seen.holds:
        found.add("wait", "holds", frame.count(seen.holds, "open hold"), "`payouts status`")
    found.add("ok", "runs", f"{frame.count(seen.open_runs, 'run')} not closed")


# -- sandbox ----------------------------------------------------------------------------------------


def sandbox(
    *,
    speed: Annotated[
        str | None, typer.Option(help="How fast payments settle: a factor, or `instant`.")
    ] = None,
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Fault recipes, .toml or .json.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="A storm of faults drawn from this.")] = None,
    recipes: Annotated[
        bool, typer.Option("--recipes", help="List the fault recipes and end.")
    ] = False,
) -> Exit:
    """Keep the imitated platforms running until Ctrl-C, and print their address.

    Other commands of this project use the same one meanwhile; its books are in `.payouts/sandbox`.
    """
    import signal  # noqa: PLC0415  bodies import what they need
    import threading  # noqa: PLC0415  the same

    from payouts.local import private_directory, sandbox_running  # noqa: PLC0415  the same
    from payouts.settings import load_settings  # noqa: PLC0415  the same

    if recipes:
        return _recipes()
    project = load_settings()
    if project.settings.environment != "sandbox":
        raise UsageError("this project is live", hint="The imitation is for the sandbox only.")
    if faults is not None and not faults.is_file():
        raise UsageError(f"there is no file {faults}", hint="`--recipes` shows what it may hold.")
    settings = project.settings.sandbox
    given = faults.absolute() if faults else settings.faults and project.root / settings.faults
    drawn = seed if seed is not None else settings.seed
    args = ["--faults", str(given)] if given else []
    args += ["--seed", str(drawn)] if drawn is not None else []
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    private_directory(project.state)
    directory = project.state / "sandbox"
    before = (directory / "address").exists()
    with sandbox_running(
        directory, speed=_speed(speed, settings.speed), extra_args=args, progress=frame.say
    ) as url:
        if before:
            frame.say("It was running already, and is taken as it is.")
        frame.told(f"Orkesta      {url}/orkesta/v1")
        frame.told(f"Orkestra     {url}/orkestra")
        frame.told(f"Orchestra    {url}/orchestra")
        frame.told(f"Orchestrate  {url}/orchestrate")
        frame.say(f"Books        {directory}. Ctrl-C ends it.")
        ended.wait()
    return Exit.DONE


def _speed(text: str | None, default: float | Literal["instant"]) -> float | Literal["instant"]:
    if text is None:
        return default
    if text == "instant":
        return "instant"
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise UsageError(f"'{text}' is no speed", hint="Write a factor such as 10, or `instant`.")
    return speed


def _recipes() -> Exit:
    """What the sandbox's own help says of its faults; it shares no code with us."""
    import subprocess  # noqa: PLC0415  our own program
    import sys  # noqa: PLC0415  bodies import what they need

    done = subprocess.run(
        [sys.executable, "-P", "-m", "payouts.sandbox", "--help"],
        check=True,
        capture_output=True,
        text=True,
    )
    frame.told(done.stdout[done.stdout.index("A script of faults") :].strip())
    return Exit.DONE


# -- db ---------------------------------------------------------------------------------------------


def db_shell(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- PSQL OPTIONS]", help="Handed to psql.")
    ] = None,
    *,
    write: Annotated[
        bool, typer.Option("--write", help="Allow changes; the guards of the database stay.")
    ] = False,
) -> Exit:
    """Open psql on the project's database, for reading only unless --write."""
    import subprocess  # noqa: PLC0415  bodies import what they need

    from payouts.store.embedded import program  # noqa: PLC0415  the same

    with frame.project() as parts:
        info = parts.database.conninfo()
        if not write:
            info = info.replace("options='", "options='-c default_transaction_read_only=on ", 1)
            frame.say("For reading only; --write allows changes.")
        done = subprocess.run([program("psql"), info, *(arguments or [])], check=False)  # noqa: S603  psql, its arguments given as a list
    return Exit.DONE if done.returncode == 0 else Exit.USAGE


def db_url(
    *,
    password: Annotated[
        bool, typer.Option("--show-password", help="Print the password too.")
    ] = False,
    as_json: Json = False,
) -> Exit:
    """Print the database's URL; the embedded one listens while a command of this project runs."""
    with frame.project() as parts:
        url = parts.database.url.set(drivername="postgresql")
        text = url.render_as_string(hide_password=not password)
        if as_json:
            body = {"url": text, "database_id": parts.database_id}
            frame.document("database", {**body, "exit_code": 0})
        else:
            frame.data(text)
            if parts.settings.database.url is None:
                frame.say("It listens while `payouts serve`, `worker`, `db shell` or a run works.")
    return Exit.DONE


def db_create() -> Exit:
    """Make the embedded database of this project; in live nothing else makes one."""
    from payouts.settings import load_settings  # noqa: PLC0415  bodies import what they need
    from payouts.wiring import create_database  # noqa: PLC0415  the same

    made = create_database(load_settings(), progress=frame.say)
    with frame.project() as parts:  # binds it to the project's keys
        what = "A new database" if made else "The database was there:"
        frame.told(f"{what} {parts.database_id} for {parts.settings.environment}")
    frame.next_step("payouts doctor")
    return Exit.DONE


def db_upgrade() -> Exit:
    """Give the database the shape that this version needs; the embedded one does it by itself."""
    from payouts.settings import load_settings  # noqa: PLC0415  bodies import what they need
    from payouts.wiring import upgrade_database  # noqa: PLC0415  the same

    before, after = upgrade_database(load_settings(), progress=frame.say)
    if before == after:
        frame.told(f"The database has the shape of this version already: revision {after}.")
    else:
        frame.told(f"Upgraded from {before or 'nothing'} to revision {after}.")
    frame.next_step("payouts doctor")
    return Exit.DONE


def db_reset(
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Answer yes, for scripts.")] = False,
) -> Exit:
    """Forget everything of this project's sandbox: its database, books and copies of files."""
    import shutil  # noqa: PLC0415  bodies import what they need

    from payouts.cli.which import require_yes  # noqa: PLC0415  the same
    from payouts.settings import load_settings  # noqa: PLC0415  the same

    project = load_settings()
    if project.settings.environment != "sandbox":
        raise UsageError(
            "this project is live: its database is never reset",
            hint="Another database would mean that everybody is paid again.",
            code="E_RESET_LIVE",
        )
    if project.settings.database.url is not None:
        raise UsageError(
            "this database is given by its URL",
            hint="Drop and create it there, then run `payouts db upgrade`.",
        )
    require_yes(f"Forget all runs of {project.root}?", yes=yes)
    for name in ("postgres", "sandbox"):
        _require_stopped(project.state / name)
    gone = [name for name in ("postgres", "sandbox", "files") if (project.state / name).exists()]
    for name in gone:
        doomed = project.state / f"{name}.old"
        shutil.rmtree(doomed, ignore_errors=True)
        (project.state / name).rename(doomed)  # at once: nobody finds half of it
        shutil.rmtree(doomed)
    (project.state / "generation").unlink(missing_ok=True)
    frame.told(f"Forgot {', '.join(gone) or 'nothing: there was nothing'}.")
    frame.next_step("payouts doctor", "makes what is missing and looks at it")
    return Exit.DONE


def _require_stopped(directory: Path) -> None:
    from payouts.local import ChildServer, Launch  # noqa: PLC0415  bodies import what they need

    if not directory.exists():
        return
    server = ChildServer(directory.name, directory, lambda _: Launch(()), lambda: None)
    if server.alive():
        raise UsageError(
            f"something works with {directory}",
            hint="End `payouts serve`, workers and runs of this project first.",
            code="E_IN_USE",
        )


def db_log(
    *,
    lines: Annotated[int, typer.Option(min=1, help="How many of the last lines.")] = 40,
) -> Exit:
    """Print the end of the embedded server's log; it never holds statements or row contents."""
    from payouts.settings import load_settings  # noqa: PLC0415  bodies import what they need

    project = load_settings()
    path = project.state / "postgres" / "log"
    if not path.is_file():
        raise UsageError(
            "there is no log: no embedded server has run here",
            hint="A server of your own writes its log itself.",
            code="E_LOG_NONE",
        )
    for line in _tail(path, lines):
        frame.data(frame.clean(line))
    return Exit.DONE


def _tail(path: Path, lines: int) -> Iterator[str]:
    from collections import deque  # noqa: PLC0415  bodies import what they need

    with path.open(encoding="utf-8", errors="replace") as file:
        yield from (line.rstrip("\n") for line in deque(file, maxlen=lines))
