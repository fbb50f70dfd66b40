"""Alembic migrations read from their source, never executed."""
