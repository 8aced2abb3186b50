"""A process with an inbox that kills itself at a named point: `python -m … URL POINT`.

It receives webhooks and prints where, or, for a point of `apply`, applies what is there. SIGKILL
leaves no time to tidy up.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace

from payouts.core.currencies import currency
from payouts.flows import inbox
from payouts.store.engine import Database
from payouts.vault import Vault
from payouts.web.receiver import make_app
from payouts.web.server import LOOPBACK, bound, serving
from tests.web.conftest import doors

PATIENCE_S = 20


def order(database: Database) -> inbox.InboxOrder:
    """How the inbox of these tests is applied."""
    return inbox.InboxOrder(
        database,
        Vault(b"v" * 32),
        {name: door.hearing for name, door in doors().items()},
        lambda code: currency(code).exponent,
        horizon_s=0.0,
        linger_s=0.0,
    )


def main(url: str, where: str, doomed: str) -> None:
    """Receive until the end comes, or apply until then."""

    def reached(point: str) -> None:
        if point == doomed:
            os.kill(os.getpid(), signal.SIGKILL)

    database, vault = Database.from_url(url), Vault(b"v" * 32)
    if where == "apply":
        inbox.apply(replace(order(database), reached=reached))
        return
    app = make_app(database, vault, doors(), hosts=LOOPBACK, reached=reached)
    with serving(app, bound("127.0.0.1", 0)) as base:
        print(base, flush=True)  # noqa: T201  the one thing that is asked of it
        signal.sigtimedwait([signal.SIGTERM], PATIENCE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
