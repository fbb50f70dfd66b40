"""Alembic, run as the project's own program: its argument lists, and what its output and database tell.

Nothing here imports Alembic or the project: the project's interpreter and its `env.py` do the work, in the
folder of its `alembic.ini`, which is what relative paths in that file are relative to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from opconsole.steps import NO_VARIABLES, StepContext, StepFailed, describe_result
from opconsole.trees import UnsafeTreeError, inside

BASE = "base"
"""What Alembic calls the state before the first migration."""

_REVISION = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_@+:.-]{0,127}")
_CURRENT_LINE = re.compile(r"Rev: ([0-9A-Za-z_][0-9A-Za-z_.-]*)((?: \([a-z ]+\))*)")
_PLAIN_LINE = re.compile(r"([0-9A-Za-z_][0-9A-Za-z_.-]*)((?: \([a-z ]+\))*)")
_HEADER = "Current revision(s) for "
_RUNNING = re.compile(
    r"\bRunning (?:upgrade [0-9A-Za-z_., -]* ?-> (?P<to>[0-9A-Za-z_.-]+)"
    r"|downgrade (?P<from>[0-9A-Za-z_.-]+) -> )"
)


class AlembicConfigError(Exception):
    """No usable alembic.ini; says where it was looked for and what to do next."""


def current_argv(config: Path) -> tuple[str, ...]:
    """Ask which revisions the database is at. Run it, as all of these, in the folder of *config*."""
    # Verbose, because only then does an empty answer differ from no answer, and a line that env.py prints
    # cannot be mistaken for a revision.
    return (*_alembic(config), "current", "--verbose")


def upgrade_argv(config: Path, revision: str) -> tuple[str, ...]:
    """Migrate forward to *revision*."""
    return (*_alembic(config), "upgrade", check_revision(revision))


def downgrade_argv(config: Path, revision: str) -> tuple[str, ...]:
    """Migrate back to *revision* (BASE: before all migrations)."""
    return (*_alembic(config), "downgrade", check_revision(revision))


def sql_argv(config: Path, start: str, end: str, *, back: bool = False) -> tuple[str, ...]:
    """Print the SQL of the way from *start* to *end* and run none of it (Alembic's offline mode)."""
    verb = "downgrade" if back else "upgrade"
    return (*_alembic(config), verb, f"{check_revision(start)}:{check_revision(end)}", "--sql")


def parse_progress(line: str) -> tuple[str, str] | None:
    """Give what Alembic begins to run, where a line of its log tells: "upgrade" or "downgrade", and what of.

    None for any other line, and so for every line where the project's logging is not set up to show them.
    """
    match = _RUNNING.search(line)
    if match is None:
        return None
    return ("upgrade", match["to"]) if match["to"] else ("downgrade", match["from"])


def check_revision(revision: str) -> str:
    """Give *revision* back if it is safe as an argument; else raise ValueError."""
    if not _REVISION.fullmatch(revision):
        raise ValueError(
            f"{revision[:200]!a} is not a revision; allowed: an id, 'base', 'head' or 'heads' "
            "(letters, digits and _ @ + : . - after the first)"
        )
    return revision


def parse_current(output: str) -> frozenset[str] | None:
    """Read what `alembic current` printed: the revisions, none at base, or None where nothing tells.

    Knows the verbose form and the plain one; lines that are neither (log noise) are passed over. The plain
    form says nothing at base, so there only marked revisions (``(head)`` and the like) or 12 hexadecimal
    digits, as Alembic makes them, count.
    """
    lines = output.split("\n")
    verbose = [match[1] for line in lines if (match := _CURRENT_LINE.fullmatch(line.rstrip()))]
    if verbose or any(line.startswith(_HEADER) for line in lines):
        return frozenset(verbose)
    plain = [
        match[1]
        for line in lines
        if (match := _PLAIN_LINE.fullmatch(line.rstrip()))
        and (match[2] or re.fullmatch("[0-9a-f]{12}", match[1]))
    ]
    return frozenset(plain) or None


async def current_revision(
    context: StepContext,
    config: Path,
    *,
    variables: Mapping[str, str] = NO_VARIABLES,
    limit: float | None = None,
    within: Callable[[Sequence[str]], Sequence[str]] = tuple,
) -> frozenset[str]:
    """Ask the project's Alembic which revisions its database is at; empty means base, before all of them.

    *within* puts the program into a sandbox, where there is one.
    Raises StepFailed if Alembic fails or its answer cannot be read: base is never guessed.
    """
    result, output = await context.capture(
        within(current_argv(config)), cwd=config.parent, variables=variables, limit=limit
    )
    if not result.ok:
        raise StepFailed(
            f"alembic could not tell the database's revision ({describe_result(result)}); "
            "the log shows what it printed"
        )
    revisions = parse_current(output)
    if revisions is None:
        raise StepFailed(
            "alembic ended well but did not say at which revision the database is; "
            f"look at `alembic current --verbose` in {config.parent} (is env.py printing nothing and "
            "running its migrations online?)"
        )
    return revisions


def find_config(root: Path, migrations_path: str, configured: str | None = None) -> Path:
    """Give the project's alembic.ini: the configured one, else the nearest above the migrations.

    All paths are relative to *root*. Raises trees.UnsafeTreeError for one that leaves it, also by a link,
    and AlembicConfigError where there is none.
    """
    if configured is not None:
        config = inside(root, configured)
        if not config.is_file():
            raise AlembicConfigError(
                f"there is no {configured} in the project; "
                "set `alembic_ini` to the file, relative to the project"
            )
        return _checked_config(config)
    migrations = inside(root, migrations_path)
    if not migrations.is_dir():
        raise AlembicConfigError(
            f"there is no folder {migrations_path} in the project; set the task's or the project's "
            "`migrations_path` to the folder with the migration files"
        )
    base = Path(os.path.realpath(root))
    folder = migrations
    while folder.is_relative_to(base):
        if (folder / "alembic.ini").is_file():
            return _checked_config(inside(base, str((folder / "alembic.ini").relative_to(base))))
        folder = folder.parent
    raise AlembicConfigError(
        f"there is no alembic.ini in {migrations_path} or any folder above it in the project; "
        "add one, or set `alembic_ini`"
    )


def _alembic(config: Path) -> tuple[str, ...]:
    return ("python", "-m", "alembic", "-c", _checked_config(config).name)


def _checked_config(config: Path) -> Path:
    if config.name.startswith("-"):
        raise AlembicConfigError(f"{config.name!a} would be taken for an option; rename the file")
    return config


__all__ = [
    "BASE",
    "AlembicConfigError",
    "UnsafeTreeError",
    "check_revision",
    "current_argv",
    "current_revision",
    "downgrade_argv",
    "find_config",
    "parse_current",
    "parse_progress",
    "sql_argv",
    "upgrade_argv",
]
