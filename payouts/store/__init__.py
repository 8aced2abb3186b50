"""The store: PostgreSQL and the only home of SQLModel. Synchronous, set-based."""
