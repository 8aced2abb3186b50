"""Ways to run a program that refuses root; each test is right for root and for anybody else."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from payouts.local import ServerError, private_directory
from payouts.store import embedded
from payouts.store.unprivileged import Way, way_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = os.geteuid() == 0
SOMEBODY = pwd.getpwnam("nobody") if ROOT else pwd.getpwuid(os.geteuid())


@pytest.fixture
def project() -> Iterator[Path]:
    """A project folder that everybody can reach (pytest's own folders are closed to others)."""
    path = Path(tempfile.mkdtemp(prefix="payouts-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def program(project: Path) -> Path:
    """A program that says under which user id it sees itself."""
    path = project / "program"
    path.write_text("#!/bin/sh\nexec id -u\n")
    path.chmod(0o755)
    return path


def seen_as(way: Way, program: Path) -> int:
    """The user id under which the program sees itself."""
    user, group = way.user or (None, None)
    command = [*way.prefix, os.fspath(program)]
    return int(subprocess.check_output(command, user=user, group=group, cwd="/"))


def folder_in(project: Path) -> Path:
    return private_directory(project / ".payouts" / "postgres")


def test_the_program_never_sees_itself_as_root(project: Path, program: Path) -> None:
    folder = folder_in(project)

    way = way_for(program, folder, folder / "data")

    assert seen_as(way, program) != 0
    assert ROOT or way == Way()


def test_root_in_somebody_elses_project_becomes_that_person(project: Path, program: Path) -> None:
    """Otherwise one `sudo payouts` would lock the owner out of the own database."""
    os.chown(project, SOMEBODY.pw_uid, SOMEBODY.pw_gid)
    folder = folder_in(project)

    way = way_for(program, folder, folder / "data")

    assert seen_as(way, program) == SOMEBODY.pw_uid
    assert folder.stat().st_uid == folder.parent.stat().st_uid == SOMEBODY.pw_uid


def test_existing_data_is_served_by_its_owner(project: Path, program: Path) -> None:
    folder = folder_in(project)
    (folder / "data").mkdir()
    os.chown(folder / "data", SOMEBODY.pw_uid, SOMEBODY.pw_gid)

    way = way_for(program, folder, folder / "data")

    assert seen_as(way, program) == SOMEBODY.pw_uid
    assert folder.stat().st_uid == SOMEBODY.pw_uid


def test_where_no_way_reaches_the_program_the_message_says_what_to_do(
    project: Path, program: Path
) -> None:
    folder = folder_in(project)
    before = folder.stat()
    program.chmod(0o644)

    with pytest.raises(ServerError, match=r"PostgreSQL (refuses|cannot)") as caught:
        way_for(program, folder, folder / "data")

    assert "give the URL of a PostgreSQL that already runs" in caught.value.hint
    assert (folder.stat().st_uid, folder.stat().st_gid) == (before.st_uid, before.st_gid)


def test_a_server_in_somebody_elses_project_leaves_every_file_to_one_user(project: Path) -> None:
    os.chown(project, SOMEBODY.pw_uid, SOMEBODY.pw_gid)
    directory = project / ".payouts" / "postgres"

    with embedded.running(directory) as server, server.connect("postgres") as connection:
        connection.execute("CREATE TABLE probe ()")
        owners = {path.lstat().st_uid for path in [directory, *directory.rglob("*")]}

    assert len(owners) == 1
