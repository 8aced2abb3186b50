"""Incidents a person has to see, and looks that somebody asked for."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add `incident` and `look_request`."""
    op.execute("""
        CREATE TABLE incident (
          id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          code text NOT NULL,            -- E_… or W_…, as `payouts explain` knows it
          severity smallint NOT NULL CHECK (severity BETWEEN 1 AND 3),  -- 1: money is at risk now
          subject text NOT NULL,         -- public id or name of what it is about
          detail text NOT NULL,          -- a sentence; never an account number
          times integer NOT NULL DEFAULT 1,
          opened_at timestamptz NOT NULL DEFAULT payouts_now(),
          last_at timestamptz NOT NULL DEFAULT payouts_now(),
          closed_at timestamptz,
          closed_by text,
          CHECK ((closed_at IS NULL) = (closed_by IS NULL))
        );
        -- The same fact twice is one incident that counts.
        CREATE UNIQUE INDEX incident_open ON incident (code, subject) WHERE closed_at IS NULL;

        -- An item that is to be looked at once, whatever its state: a webhook spoke of it, a person
        -- asked. The look deletes the row; the polls of `batch.check_at` go on beside it.
        CREATE TABLE look_request (
          item_id bigint PRIMARY KEY,
          batch_id bigint NOT NULL REFERENCES batch,
          reason text NOT NULL,
          tries smallint NOT NULL DEFAULT 0,
          due_at timestamptz NOT NULL DEFAULT payouts_now(),
          asked_at timestamptz NOT NULL DEFAULT payouts_now()
        );
        CREATE INDEX look_request_batch ON look_request (batch_id, due_at);
    """)
