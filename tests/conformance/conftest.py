"""One world per connector, in which case follows case; certificates when the session ends."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from payouts.settings import load_settings
from payouts.wiring import opened
from tests.conformance.kit import CERTIFIED, Certificate
from tests.flows.conftest import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _pytest.terminal import TerminalReporter

    from payouts.store import embedded
    from tests.conformance.kit import Subject

_SETTINGS = """payer = "conformance"
{settings}
[database]
url = "{url}"
[sandbox]
speed = 40
[retry]
pace = 0.0005
overall_s = 1.0
"""


@pytest.fixture(scope="module")
def world_of(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: embedded.Server,
    make_database: Callable[..., str],
    payouts_template: str,
) -> Iterator[Callable[[Subject], World]]:
    """Give a function that gives a connector's world; it is made once."""
    made: dict[str, World] = {}
    with ExitStack() as stack:

        def world(subject: Subject) -> World:
            if subject.name not in made:
                folder = tmp_path_factory.mktemp(subject.name)
                for name, path in subject.files.items():
                    shutil.copy(path, folder / name)
                args = postgres.connect_args(make_database("kit", template=payouts_template))
                url = (
                    f"postgresql://{args['user']}@/{args['dbname']}"
                    f"?host={args['host']}&port={args['port']}"
                )
                top, _, tables = subject.settings.partition("[")
                text = _SETTINGS.format(settings=top, url=url) + (f"[{tables}" if tables else "")
                (folder / "payouts.toml").write_text(text)
                made[subject.name] = World(
                    stack.enter_context(opened(load_settings(folder))), folder
                )
            return made[subject.name]

        yield world


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print what was certified."""
    certificates: dict[str, Certificate] = {}
    for report in terminalreporter.getreports("passed"):
        for name, row in report.user_properties:
            if name == CERTIFIED:
                level, connector, *rest = row
                certificate = certificates.setdefault(connector, Certificate(connector, level))
                certificate.rows.append(tuple(rest))
    for certificate in certificates.values():
        terminalreporter.write_line(certificate.text())
