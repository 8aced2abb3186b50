"""Unprivileged: how root starts a program that refuses to be root.

PostgreSQL does not run as root, and a container's only user often is root. Three ways out, in this
order; the first that reaches both the program and its data is taken:

1. as the owner of the project, where root works in somebody else's folder (`sudo payouts`);
2. in a user namespace (`unshare -U`): the same process without its privileges, shown to itself as
   `nobody`. Files stay root's own, so a project in a home of mode 0700 works;
3. as `nobody`, where the folder above is open to everybody.

A user without an entry in the user table (a container's random user id) enters a user namespace as
well, because initdb wants to know its own name.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from payouts.local import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Way", "way_for"]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to start a program.

    Args:
        prefix: words before the program's own command.
        user: (user id, group id) to become; null: stay who we are.
    """

    prefix: tuple[str, ...] = ()
    user: tuple[int, int] | None = None

    def reaches(self, program: Path, folder: Path) -> bool:
        """Whether, this way, `program` can be executed and `folder` be entered and written."""
        # -w asks the kernel for the real answer, mode bits and read-only mounts included.
        probe = 'cd "$1" && test -w . && exec "$2" --version'
        user, group = self.user or (None, None)
        try:
            done = subprocess.run(  # noqa: S603  our own program, its arguments given as a list
                [*self.prefix, "/bin/sh", "-c", probe, "sh", folder, program],
                check=False,
                capture_output=True,
                cwd="/",
                user=user,
                group=group,
                extra_groups=None if user is None else (),
            )
        except OSError:
            return False
        return done.returncode == 0


def way_for(program: Path, folder: Path, data: Path) -> Way:
    """Choose how to run `program` on `folder`, and give `folder` to the user it will run as.

    Args:
        program: the executable.
        folder: the private folder of the server; it exists.
        data: the data folder inside; where it exists, its owner has to run the program.

    Raises:
        ServerError: no way works here; the hint says what to do.
    """
    data_owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() == 0:
        return _way_of_root(program, folder, data_owner)
    for way in _ways_of(os.geteuid(), None, nameless=data_owner is not None):
        if way.reaches(program, folder):
            return way
    raise ServerError(
        f"PostgreSQL cannot be run by user {os.geteuid()}: that user has no name on this machine, "
        f"or cannot execute {program}",
        hint="Give the user a line in /etc/passwd, run payouts as a user that has one, "
        "or give the URL of a PostgreSQL that already runs.",
    )


def _way_of_root(program: Path, folder: Path, data_owner: int | None) -> Way:
    before = folder.stat()
    for way in _ways_of_root(folder, data_owner):
        os.chown(folder, *(way.user or (os.geteuid(), os.getegid())))
        if way.reaches(program, folder):
            return way
    os.chown(folder, before.st_uid, before.st_gid)
    raise ServerError(
        "PostgreSQL refuses to run as root, and neither a user namespace nor another user "
        f"can reach both {program} and {folder}",
        hint="Run payouts as an ordinary user (in a container: USER 1000), allow user namespaces, "
        "or give the URL of a PostgreSQL that already runs.",
    )


def _ways_of_root(folder: Path, data_owner: int | None) -> Iterator[Way]:
    if data_owner:
        yield from _ways_of(data_owner, folder.stat().st_gid, nameless=True)
        return
    # <project>/.payouts/postgres: not the folders above, their owners have no say in this one.
    project = next((found for p in folder.parents[:2] if (found := p.stat()).st_uid), None)
    if data_owner is None and project is not None:
        yield from _ways_of(project.st_uid, project.st_gid)
    if (namespace := _namespace()) is not None:
        yield Way(namespace)
    if data_owner is None and _has_name("nobody"):
        nobody = pwd.getpwnam("nobody")
        yield Way(user=(nobody.pw_uid, nobody.pw_gid))


def _ways_of(uid: int, group: int | None, *, nameless: bool = False) -> Iterator[Way]:
    """As user `uid`; `group` is null where that is who we already are.

    Only initdb needs the name of its user: `nameless` says that it has done its work.
    """
    user = None if group is None else (uid, group)
    if nameless or _has_name(uid):
        yield Way(user=user)
    elif (namespace := _namespace()) is not None:
        yield Way(namespace, user)


def _namespace() -> tuple[str, ...] | None:
    """Words that start a program in a user namespace, where it appears as the overflow user.

    That user needs a name, for initdb; where the machine gives it none, the namespace maps us to
    the first ordinary user that has one. Null where the machine has no `unshare`.
    """
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    overflow = Path("/proc/sys/kernel/overflowuid")
    if overflow.exists() and _has_name(int(overflow.read_text())):
        return (unshare, "-U")
    other = next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0), None)
    return None if other is None else (unshare, "-U", f"--map-user={other}")


def _has_name(user: int | str) -> bool:
    """Whether the user table knows this id or name."""
    try:
        pwd.getpwnam(user) if isinstance(user, str) else pwd.getpwuid(user)
    except KeyError:
        return False
    return True
