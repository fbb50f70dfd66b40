"""A database of a kind that opconsole runs migrations on, and cannot look into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opconsole.databases.base import Commits, DatabaseError, Marks, SessionRules, Work


@dataclass(frozen=True, slots=True)
class OtherDatabase:
    """SQL Server, Oracle, a SQLite in memory: only its own Alembic knows it."""

    kind: str

    @property
    def commits(self) -> Commits:
        """Nobody can tell."""
        return Commits.PERHAPS

    @property
    def caution(self) -> str:
        """Say that nobody looks."""
        return f"opconsole cannot look into {self.kind}: a migration that fails there is for a person"

    def check(self) -> None:
        """Nothing can be asked."""

    def fingerprint(self) -> str | None:
        """Say that nobody can tell."""
        return None

    def count(self, table: str, column: str | None, limit: float) -> int | None:
        """Say that nobody can tell."""
        del table, column, limit
        raise DatabaseError(f"opconsole cannot look into {self.kind}")

    def mark(self) -> str:
        """Give nothing to tell sessions by."""
        return ""

    def variables(self, marks: Marks, rules: SessionRules, own: Mapping[str, str]) -> Mapping[str, str]:
        """Give no variables."""
        del marks, rules, own
        return {}

    def at_work(self, marks: Marks) -> Sequence[Work]:
        """List nothing: sessions cannot be seen."""
        del marks
        return ()

    def end(self, work: Sequence[Work]) -> None:
        """End nothing."""
        del work
