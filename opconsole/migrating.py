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
from opconsole.programs import Ending
from opconsole.settings.secrets import SecretError, resolve_all
from opconsole.steps import Step, StepContext, StepFailed, StepInterrupted, StepKind, describe_result
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
    """Give the folder of the migration files: the task's, else the settings'. Raises StepFailed."""
    configured = host.workspace.settings.projects[run.project].migrations
    folder = of_task or (configured.path if configured else None)
    if folder is None:
        raise StepFailed(
            f"no folder of migrations is known for {run.project}; set migrations_path in the task, "
            f"or [projects.{run.project}.migrations] path in opconsole.toml"
        )
    return folder


@dataclass(frozen=True, slots=True)
class MigrationFiles:
    """The migration files in one private copy of a project's sources, looked at for a run."""

    host: Host
    run: Run
    root: Path
    folder: str
    """Relative to the project."""

    async def revision_now(self, context: StepContext, limit: float) -> str:
        """Ask the database at which revision it stands; BASE before all migrations. Raises StepFailed."""
        config = await asyncio.to_thread(self._config)
        file = await asyncio.to_thread(_sqlite_file, database_of(self.host, self.run, config))
        if file is not None and not await asyncio.to_thread(file.exists):
            return BASE  # asking would create the file, and nothing may change before the gate
        revisions = await current_revision(context, config, variables=_QUIET, limit=limit)
        if len(revisions) > 1:
            raise StepFailed(
                f"the database stands at several revisions ({', '.join(sorted(revisions))}); "
                "merge the branches with `alembic merge` first"
            )
        return next(iter(revisions), BASE)

    async def path(self, start: str, end: str | None) -> MigrationPath:
        """Give the way forward from *start* to *end* (None: the head). Raises StepFailed."""
        return await asyncio.to_thread(self._path, start, end)

    async def newest(self, revision: str) -> MigrationPath:
        """Give the way to *revision* from the one below it, which a downgrade goes back.

        Raises StepFailed where there is none, or it cannot be gone back.
        """
        if revision == BASE:
            raise StepFailed("the database stands before all migrations: there is nothing to take back")
        path = await asyncio.to_thread(lambda: self._path(self._below(revision), revision))
        if not path.reversible:
            raise StepFailed(f"migration {revision} cannot be taken back: it has no downgrade")
        return path

    def _below(self, revision: str) -> str:
        try:
            parents = self._chain().path(None, revision)[-1].down_revisions
        except (ChainError, UnsafeTreeError) as error:
            raise StepFailed(str(error)) from error
        if len(parents) > 1:
            raise StepFailed(f"migration {revision} merges branches; take it back by hand")
        return parents[0] if parents else BASE

    def _path(self, start: str, end: str | None) -> MigrationPath:
        config = self._config()
        try:
            chain = self._chain()
            files = chain.path(None if start == BASE else start, end or "head")
        except (ChainError, UnsafeTreeError) as error:
            raise StepFailed(str(error)) from error
        return MigrationPath(
            root=self.root,
            folder=self.folder,
            config=config,
            database=database_of(self.host, self.run, config),
            start=start,
            end=end or _head(chain),
            steps=tuple(_step(self.root, file) for file in files),
            support=tuple(_support(self.root, config, self.folder)),
        )

    def _chain(self) -> Chain:
        environment = self.run.environment
        gate = self.host.workspace.gate(self.run.project, environment).kind
        place = inside(self.root, self.folder)
        return check_migrations(place, environment=environment, gate=gate, root=self.root).chain

    def _config(self) -> Path:
        configured = self.host.workspace.settings.projects[self.run.project].migrations
        try:
            return find_config(self.root, self.folder, configured.config if configured else None)
        except (AlembicConfigError, UnsafeTreeError) as error:
            raise StepFailed(str(error)) from error


def upgrade_step(path: MigrationPath, limit: float, stands_at: RevisionHeard) -> Step:
    """Give the step that migrates forward; *stands_at* hears where the database stands, or UNKNOWN."""
    argv = upgrade_argv(path.config, path.end)

    async def act(context: StepContext) -> str:
        await _move(context, path, _Move(argv, path.start, path.end, limit), stands_at)
        return f"{path.start} → {path.end}"

    title = f"Migrate {path.start} → {path.end} ({len(path.steps)})"
    return Step("migrate", StepKind.PROBE, title, argv, limit, act)


def downgrade_step(path: MigrationPath, limit: float, stands_at: RevisionHeard) -> Step:
    """Give the step that takes the path's migrations back, from its end to its start."""
    argv = downgrade_argv(path.config, path.start)

    async def act(context: StepContext) -> str:
        await _move(context, path, _Move(argv, path.end, path.start, limit), stands_at)
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


@dataclass(frozen=True, slots=True)
class _Move:
    argv: Sequence[str]
    start: str
    end: str
    limit: float


async def _move(context: StepContext, path: MigrationPath, move: _Move, stands_at: RevisionHeard) -> None:
    """Run Alembic, and believe the database, not the exit status, about where that led."""
    before = await context.once("schema", lambda: _fingerprint(path))
    await stands_at(UNKNOWN)
    result = await context.program(move.argv, cwd=path.config.parent, variables=_QUIET)
    after = await _stands_at(context, path, move.limit)
    unchanged = after == move.start and before is not None and await _fingerprint(path) == before
    if result.ending is Ending.INTERRUPTED and after != move.end:
        if not unchanged:
            raise StepInterrupted(f"the migration ended without a record; the database says {after}")
        context.note(f"the database stands cleanly at {after}; migrating again")
        result = await context.program(move.argv, cwd=path.config.parent, variables=_QUIET)
        after = await _stands_at(context, path, move.limit)
        unchanged = after == move.start and await _fingerprint(path) == before
    if after == move.start != move.end and before is not None and not unchanged:
        # Half-done DDL: where DDL is not transactional, the version table alone would call this clean.
        raise StepFailed(
            f"the migration failed ({describe_result(result)}) and left the schema half changed at {after}; "
            "compare the schema with the migration's log, and mend it by hand"
        )
    await stands_at(after)
    if not result.ok and not (result.ending is Ending.INTERRUPTED and after == move.end):
        raise StepFailed(f"the migration failed ({describe_result(result)}); the database stands at {after}")
    if after != move.end:
        raise StepFailed(f"the database stands at {after} after the migration, not at {move.end}")


def _sqlite_file(database: str) -> Path | None:
    return Path(database.removeprefix("sqlite:")) if database.startswith("sqlite:/") else None


async def _fingerprint(path: MigrationPath) -> str | None:
    file = _sqlite_file(path.database)
    return None if file is None else await schema_fingerprint(f"sqlite:///{file}")


async def _stands_at(context: StepContext, path: MigrationPath, limit: float) -> str:
    try:
        revisions = await current_revision(context, path.config, variables=_QUIET, limit=limit)
    except StepFailed as failure:
        raise StepFailed(f"after the migration, {failure.reason}") from failure
    return "+".join(sorted(revisions)) or BASE
