"""A receiver over a real socket, with a database of the module's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from payouts.providers.events import Hearing
from payouts.vault import Vault
from payouts.web.receiver import Door, make_app
from payouts.web.server import LOOPBACK, bound, serving
from tests.desk import Desk
from tests.web.sender import VERIFIERS, Sender

if TYPE_CHECKING:
    from collections.abc import Iterator

    from payouts.store.engine import Database

ANSWERS = {"orkesta": 200, "orkestra": 204}


def doors() -> dict[str, Door]:
    """Both platforms, with the secrets of `sender`."""
    made = {}
    for name, verifier in VERIFIERS.items():
        hearing = Desk.connectors[name]
        assert isinstance(hearing, Hearing)
        made[name] = Door(verifier, hearing, ANSWERS[name])
    return made


@pytest.fixture(scope="module")
def sender(database: Database) -> Iterator[Sender]:
    """A receiver on the module's database, and who posts to it."""
    app = make_app(database, Vault(b"v" * 32), doors(), hosts={*LOOPBACK, "pay.example.com"})
    with serving(app, bound("127.0.0.1", 0)) as base:
        yield Sender(base)
