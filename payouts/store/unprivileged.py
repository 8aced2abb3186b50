"""Unprivileged: how root starts a program that refuses to be root.

PostgreSQL does not run as root, and a container's only user often is root. Three ways out, in this
order; the first that reaches both the program and its data is taken:

1. as the owner of the project, where root works in somebody else's folder (`sudo payouts`);
2. in a user namespace (`unshare -U`): the same process without its privileges, shown to itself as
   `nobody`. Files stay root's own, so a project in a home of mode 0700 works;
3. as `nobody`, where the folder above is open to everybody.

An ordinary user without an entry in the user table (a container's random user id) takes the second
way as well, because initdb wants to know its own name.
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
        ServerError: no way works here, or the data is somebody else's; the hint says what to do.
    """
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        return _as_ourselves(owner, data)
    for way in _ways_of_root(folder, owner):
        before = folder.stat()
        if way.user is not None:
            os.chown(folder, *way.user)
        if way.reaches(program, folder):
            return way
        os.chown(folder, before.st_uid, before.st_gid)
    raise ServerError(
        "PostgreSQL refuses to run as root, and neither a user namespace nor another user "
        f"can reach both {program} and {folder}",
        hint="Run payouts as an ordinary user (in a container: USER 1000), allow user namespaces, "
        "or give the URL of a PostgreSQL that already runs.",
    )


def _as_ourselves(owner: int | None, data: Path) -> Way:
    if owner is not None and owner != os.geteuid():
        raise ServerError(
            f"the database folder {data} belongs to user {owner}, you are {os.geteuid()}",
            hint=f"Run payouts as that user, or hand it over: sudo chown -R {os.geteuid()} "
            f"'{data.parent}'",
        )
    return Way() if _has_name(os.geteuid()) else _namespace() or Way()


def _ways_of_root(folder: Path, owner: int | None) -> Iterator[Way]:
    if owner:
        yield Way(user=(owner, folder.stat().st_gid))
        return
    project_owner = next((p.stat() for p in (folder, *folder.parents) if p.stat().st_uid), None)
    if owner is None and project_owner is not None and _has_name(project_owner.st_uid):
        yield Way(user=(project_owner.st_uid, project_owner.st_gid))
    namespace = _namespace()
    if namespace is not None:
        yield namespace
    if owner is None and _named("nobody"):
        nobody = pwd.getpwnam("nobody")
        yield Way(user=(nobody.pw_uid, nobody.pw_gid))


def _namespace() -> Way | None:
    """A user namespace without any mapping, in which we appear as the overflow user.

    That user needs a name, for initdb; where the machine gives it none, we are mapped to the first
    ordinary user that has one.
    """
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    overflow = Path("/proc/sys/kernel/overflowuid")
    if overflow.exists() and _has_name(int(overflow.read_text())):
        return Way(prefix=(unshare, "-U"))
    other = next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0), None)
    return None if other is None else Way(prefix=(unshare, "-U", f"--map-user={other}"))


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _named(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
