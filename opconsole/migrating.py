"""Migrations of a run: which files lie between the database and the release, and the steps that run them.

Alembic is the project's own program, with the project's interpreter and the environment's database. What it
will run is read from the private copy of the sources beforehand, so that a plan can name every file.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from guardrails.check import check_migrations
from guardrails.migrations.chain import Chain, ChainError
from guardrails.migrations.model import MigrationFile
from opconsole.alembic_program import (
    BASE,
    AlembicConfigError,
    current_revision,
    database_identity,
    downgrade_argv,
    find_config,
    schema_fingerprint,
    upgrade_argv,
)
from opconsole.host import Host
from opconsole.journal.records import Run
from opconsole.settings.secrets import SecretError, resolve_all
from opconsole.steps import Step, StepContext, StepFailed, StepKind, describe_result
from opconsole.trees import UnsafeTreeError, inside

UNKNOWN = "unknown"
"""Stands for a database's revision while a migration runs, and after one whose outcome cannot be told."""

RevisionHeard = Callable[[str], Awaitable[None]]
"""Hears at which revision a database stands."""


@dataclass(frozen=True, slots=True)
class MigrationStep:
    """One migration on the way."""

    revision: str
    path: str
    sha256: str
    reversible: bool
    description: str

    def to_json(self) -> dict[str, object]:
        """Give what the plan says of it."""
        return {
            "revision": self.revision,
            "path": self.path,
            "sha256": self.sha256,
            "reversible": self.reversible,
            "description": self.description,
        }


@dataclass(frozen=True, slots=True)
class MigrationPath:
    """The way from one revision of a database to another. BASE is the state before all migrations."""

    root: Path
    """The private copy of the sources."""
    folder: str
    """The folder of the migration files, relative to the project."""
    config: Path
    database: str
    """Which database, without user and password."""
    start: str
    end: str
    steps: tuple[MigrationStep, ...]
    support: tuple[tuple[str, str], ...]
    """Files that are not migrations but run with them (alembic.ini, env.py), and their digests."""

    @property
    def reversible(self) -> bool:
        """True when each migration on the way can be taken back."""
        return all(step.reversible for step in self.steps)

    def to_json(self) -> dict[str, object]:
        """Give what the plan says of it."""
        return {
            "path": self.folder,
            "database": self.database,
            "from": self.start,
            "to": self.end,
            "files": [step.to_json() for step in self.steps],
            "support": [{"path": path, "sha256": sha256} for path, sha256 in self.support],
        }


def migrations_folder(host: Host, run: Run, of_task: str | None) -> str:
    """Give the folder of the migration files: the task's, else the settings'. Raises StepFailed for neither."""
    configured = host.workspace.settings.projects[run.project].migrations
    folder = of_task or (configured.path if configured else None)
    if folder is None:
        raise StepFailed(
            f"no folder of migrations is known for {run.project}; set migrations_path in the task, "
            f"or [projects.{run.project}.migrations] path in opconsole.toml"
        )
    return folder


async def revision_now(
    host: Host, run: Run, context: StepContext, root: Path, folder: str, limit: float
) -> str:
    """Ask the database at which revision it stands; BASE before all migrations. Raises StepFailed."""
    config = await asyncio.to_thread(_config, host, run, root, folder)
    identity = await asyncio.to_thread(database_of, host, run, config)
    if identity.startswith("sqlite:/") and not Path(identity.removeprefix("sqlite:")).exists():
        return BASE  # asking would create the file, and nothing may change before the gate
    revisions = await current_revision(context, config, variables=_QUIET, limit=limit)
    if len(revisions) > 1:
        raise StepFailed(
            f"the database stands at several revisions ({', '.join(sorted(revisions))}); "
            "merge the branches with `alembic merge` first"
        )
    return next(iter(revisions), BASE)


async def path_between(
    host: Host, run: Run, root: Path, folder: str, start: str, end: str | None
) -> MigrationPath:
    """Give the way forward from *start* to *end* (None: the head) through the files of one source."""
    return await asyncio.to_thread(_path_between, host, run, root, folder, start, end)


def upgrade_step(path: MigrationPath, limit: float, stands_at: RevisionHeard) -> Step:
    """Give the step that migrates forward; *stands_at* hears where the database stands, or UNKNOWN."""
    argv = upgrade_argv(path.config, path.end)

    async def act(context: StepContext) -> str:
        await _move(context, path, argv, limit, stands_at, path.start, path.end)
        return f"{path.start} → {path.end}"

    title = f"Migrate {path.start} → {path.end} ({len(path.steps)})"
    return Step("migrate", StepKind.PROBE, title, argv, limit, act)


def downgrade_step(path: MigrationPath, limit: float, stands_at: RevisionHeard) -> Step:
    """Give the step that takes the path's migrations back, from its end to its start."""
    argv = downgrade_argv(path.config, path.start)

    async def act(context: StepContext) -> str:
        await _move(context, path, argv, limit, stands_at, path.end, path.start)
        return f"{path.end} → {path.start}"

    title = f"Migrate back {path.end} → {path.start} ({len(path.steps)})"
    return Step("migrate-back", StepKind.PROBE, title, argv, limit, act)


def database_of(host: Host, run: Run, config: Path) -> str:
    """Name the environment's database, without user and password. Raises StepFailed where there is none.

    Alembic resolves a relative SQLite path in the folder that it runs in, which is that of *config*.
    """
    try:
        return database_identity(_database_url(host, run), config.parent)
    except ValueError as error:
        raise StepFailed(f"the database of {run.environment}: {error}") from error


# Python's own cache files would change the private copy that the digest is of.
_QUIET = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}


def _path_between(
    host: Host, run: Run, root: Path, folder: str, start: str, end: str | None
) -> MigrationPath:
    config = _config(host, run, root, folder)
    try:
        chain = _chain(host, run, root, folder)
        files = chain.path(None if start == BASE else start, end or "head")
        last = end or _head(chain)
    except (ChainError, UnsafeTreeError) as error:
        raise StepFailed(str(error)) from error
    return MigrationPath(
        root=root,
        folder=folder,
        config=config,
        database=database_of(host, run, config),
        start=start,
        end=last,
        steps=tuple(_step(root, file) for file in files),
        support=tuple(_support(root, config, folder)),
    )


def _chain(host: Host, run: Run, root: Path, folder: str) -> Chain:
    gate = host.workspace.gate(run.project, run.environment).kind
    checked = check_migrations(inside(root, folder), environment=run.environment, gate=gate, root=root)
    return checked.chain


def _head(chain: Chain) -> str:
    if len(chain.heads) != 1:
        raise StepFailed(f"the migrations have several heads: {', '.join(chain.heads)}; merge them first")
    return chain.heads[0]


def _step(root: Path, file: MigrationFile) -> MigrationStep:
    path = Path(file.path)
    return MigrationStep(
        revision=file.revision or "",
        path=str(path.relative_to(root)) if path.is_absolute() else str(path),
        sha256=_sha256(path if path.is_absolute() else root / path),
        reversible=file.reversible,
        description=file.description,
    )


def _support(root: Path, config: Path, folder: str) -> list[tuple[str, str]]:
    found = [config]
    versions = inside(root, folder)
    for above in (versions, *versions.parents):
        if (above / "env.py").is_file():
            found.append(above / "env.py")
            break
        if above == root:
            break
    return [(str(path.relative_to(root.resolve())), _sha256(path)) for path in found]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _config(host: Host, run: Run, root: Path, folder: str) -> Path:
    configured = host.workspace.settings.projects[run.project].migrations
    try:
        return find_config(root, folder, configured.config if configured else None)
    except (AlembicConfigError, UnsafeTreeError) as error:
        raise StepFailed(str(error)) from error


def _database_url(host: Host, run: Run) -> str:
    database = host.workspace.settings.projects[run.project].environments[run.environment].database
    if database is None:
        raise StepFailed(
            f"no database is configured for {run.environment} of {run.project}; set "
            f"[projects.{run.project}.environments.{run.environment}.database] url in opconsole.toml"
        )
    try:
        resolved = resolve_all({"url": database.url}, environ=host.environ, workspace=host.workspace.root)
    except SecretError as error:
        raise StepFailed(f"the database of {run.environment}: {error}") from error
    return resolved.variables["url"]


async def _move(
    context: StepContext,
    path: MigrationPath,
    argv: Sequence[str],
    limit: float,
    stands_at: RevisionHeard,
    start: str,
    end: str,
) -> None:
    """Run Alembic from *start* to *end*, and believe the database, not the exit status, about the outcome."""
    before = await _fingerprint(path)
    await stands_at(UNKNOWN)
    result = await context.program(argv, cwd=path.config.parent, variables=_QUIET)
    after = await _stands_at(context, path, limit)
    if after == start != end and await _fingerprint(path) != before:
        # Half-done DDL: where DDL is not transactional, the version table alone would call this clean.
        raise StepFailed(
            f"the migration failed ({describe_result(result)}) and left the schema half changed at {after}; "
            "compare the schema with the migration's log, and mend it by hand"
        )
    await stands_at(after)
    if not result.ok:
        raise StepFailed(f"the migration failed ({describe_result(result)}); the database stands at {after}")
    if after != end:
        raise StepFailed(f"the database stands at {after} after the migration, not at {end}")


async def _fingerprint(path: MigrationPath) -> str | None:
    if not path.database.startswith("sqlite:/"):
        return None
    return await schema_fingerprint("sqlite:///" + path.database.removeprefix("sqlite:"))


async def _stands_at(context: StepContext, path: MigrationPath, limit: float) -> str:
    try:
        revisions = await current_revision(context, path.config, variables=_QUIET, limit=limit)
    except StepFailed as failure:
        raise StepFailed(f"after the migration, {failure.reason}") from failure
    return "+".join(sorted(revisions)) or BASE
