"""Erasing: when account data was kept long enough, its key is deleted where it is kept.

The sealed bytes stay in the database, as rows of history do, and no key opens them any more: not
ours, and not that of any backup. Amounts, states, references and the ledger stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from payouts.store.erasures import erasable, note_erased

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from payouts.store.engine import Database
    from payouts.vault import Vault

__all__ = ["erase"]


def erase(
    database: Database,
    vault: Vault,
    before: datetime,
    *,
    actor: str,
    reached: Callable[[str], None] = lambda _point: None,
) -> list[int]:
    """Delete the keys of the account data of runs that were closed before an instant.

    Only of runs whose key is kept elsewhere (`vault = "orchestra"`). One key after the other, each
    noted when it is gone; what was cut off goes on with the next call.

    Returns:
        the runs whose account data never opens again, in order.

    Raises:
        VaultAwayError: who keeps the keys gives no answer; those before are erased and noted.
    """
    with database.reading() as unit:
        found = erasable(unit, before)
    erased = []
    for token, run in found:
        vault.forget(token)  # false where it is gone already: then only the note was missing
        reached("forgotten")
        with database.unit() as unit:
            note_erased(unit, token, run, actor=actor)
        erased.append(run)
    return sorted(set(erased))
