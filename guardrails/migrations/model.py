"""What is known of one migration file: its place in the chain, and what it does in each direction."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.operations import Comment, Operation


@dataclass(frozen=True, slots=True)
class Probe:
    """A place that was looked at for a migration, and what was there."""

    place: str
    """Relative to the migration's folder."""
    state: str
    """The digest of a module's text, or what else was there; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What of its project a migration depends on: its answer holds as long as all of it is as it was."""

    around: tuple[str, ...]
    """The project's root, and the folders that imports start from, relative to the migration's folder."""
    probes: tuple[Probe, ...]


@dataclass(frozen=True, slots=True)
class MigrationFile:
    """One Alembic migration, read from its source."""

    path: str
    revision: str | None
    """None: the file names none, or not as a constant."""
    down_revisions: tuple[str, ...]
    """The revisions it follows: none for a base, several for a merge."""
    depends_on: tuple[str, ...]
    description: str
    """The first line of the docstring; empty: it has none."""
    has_upgrade: bool
    has_downgrade: bool
    reversible: bool
    """downgrade() exists and does something, or belongs to a merge that does nothing either."""
    upgrade_line: int = 1
    downgrade_line: int = 1
    operations: tuple[Operation, ...] = ()
    """In the order of the source, each with its direction."""
    comments: tuple[Comment, ...] = ()
    """Comments inside its SQL."""
    statements: int = 0
    analysed: int = 0
