"""Migrations: frozen once released; each is a module for Alembic, large SQL stands beside it."""
