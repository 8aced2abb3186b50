"""Erasures: keys of account data that were deleted where they were kept."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0007"


def upgrade() -> None:
    """Add `erasure`."""
    op.execute("""
        -- A key that another platform kept was deleted there; what needed it never opens again.
        CREATE TABLE erasure (
          token text PRIMARY KEY,      -- its name there, as in batch_payload.key_id
          run_id bigint NOT NULL REFERENCES pipeline_run,
          actor text NOT NULL,
          at timestamptz NOT NULL DEFAULT payouts_now()
        );
        CREATE TRIGGER erasure_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON erasure
          FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    """)
