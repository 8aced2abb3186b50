"""When a person last asked that a batch's waiting items be tried again at once."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add `batch.retried_at`; due times of events are history and stay."""
    op.execute("ALTER TABLE batch ADD COLUMN retried_at timestamptz")
