"""Migrations: which files lie between a database and a release.

Alembic is the project's own program, with the project's interpreter and the environment's database. What it
will run is read from the private copy of the sources beforehand, so that a plan can name every file.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from guardrails.check import check_migrations
from guardrails.migrations.chain import Chain, ChainError
from guardrails.migrations.model import MigrationFile
from opconsole.alembic_program import BASE, AlembicConfigError, current_revision, find_config
from opconsole.databases import sqlite_file
from opconsole.handing import handed
from opconsole.journal.location import locate, state_root
from opconsole.migration_database import name_of_database, surely
from opconsole.sandbox import Sandbox, make_sandbox
from opconsole.settings.model import Sandboxed
from opconsole.steps import StepContext, StepFailed
from opconsole.surroundings import Site
from opconsole.trees import UnsafeTreeError, inside

ASK_LIMIT = 60.0
"""Seconds that asking a database for its revision may take at least, however short a migration must be."""

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
    site: Site = field(repr=False)
    """Whose database it is, for asking."""

    @property
    def reversible(self) -> bool:
        """True when each migration on the way can be taken back."""
        return all(step.reversible for step in self.steps)

    @property
    def commits_midway(self) -> bool:
        """True when something on the way may commit by itself, so that a failure can leave half of it behind.

        Told by words in the files, comments included: rather once too often than once too seldom.
        """
        files = [step.path for step in self.steps] + [path for path, _ in self.support]
        texts = ((self.root / path).read_text("utf-8", "replace") for path in files)
        return any(_COMMITS.search(text) for text in texts)

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


def migrations_folder(site: Site, of_task: str | None) -> str:
    """Give the folder of the migration files: the task's, else the settings'. Raises StepFailed."""
    configured = site.settings.migrations
    folder = of_task or (configured.path if configured else None)
    if folder is None:
        raise StepFailed(
            f"no folder of migrations is known for {site.project}; set migrations_path in the task, "
            f"or [projects.{site.project}.migrations] path in opconsole.toml"
        )
    return folder


@dataclass(frozen=True, slots=True)
class MigrationFiles:
    """The migration files in one private copy of a project's sources, looked at for one environment."""

    site: Site
    root: Path
    folder: str
    """Relative to the project."""
    beside: Path | None = None
    """What else Alembic has to read, where nobody's run runs it."""

    async def revision_now(self, context: StepContext, limit: float) -> str:
        """Ask the database at which revision it stands; BASE before all migrations. Raises StepFailed.

        That it can be asked by us, too, is seen first: without that nobody could watch over a migration.
        """
        config = await asyncio.to_thread(self._config)
        file = sqlite_file(await asyncio.to_thread(name_of_database, self.site, config))
        if file is not None and not await asyncio.to_thread(file.exists):
            return BASE  # asking would create the file, and nothing may change before the gate
        await surely(self.site, config, lambda database: database.check())
        boxed = await asyncio.to_thread(self.box, config, asks=True)
        if isinstance(boxed, str):
            context.note(f"Alembic is asked without a sandbox: {boxed}")
        revisions = await current_revision(
            context,
            config,
            variables=QUIET,
            limit=max(limit, ASK_LIMIT),
            within=boxed.argv if isinstance(boxed, Sandbox) else tuple,
        )
        if len(revisions) > 1:
            raise StepFailed(
                f"the database stands at several revisions ({', '.join(sorted(revisions))}); "
                "merge the branches with `alembic merge` first"
            )
        return next(iter(revisions), BASE)

    def box(self, config: Path, *, asks: bool) -> Sandbox | str | None:
        """Give the sandbox for Alembic before anything is approved: it runs the project's ``env.py``.

        It may read the sources, and where it *asks* the database reach that. None: the settings want none; a
        text says why there is none. Raises StepFailed where there must be one. Blocks.
        """
        site, wanted = self.site, self.site.settings.sandbox
        if wanted is Sandboxed.OFF:
            return None
        home, venv = site.environ.get("HOME"), site.settings.venv
        journal = locate(site.workspace.root, create=False)
        reached = _places_of(name_of_database(site, config)) if asks else ()
        made = make_sandbox(
            config.parent,
            home=Path(home) if home else None,
            state=state_root(),
            venv=site.workspace.project_path(site.project) / venv if venv else None,
            readable=[
                self.root,
                *([self.beside] if self.beside else []),
                *([handed(journal, site.run)] if journal and site.run else []),
            ],
            writable=[place for place in reached if place.exists()],
            network=asks,
        )
        if isinstance(made, str) and wanted is Sandboxed.REQUIRED:
            raise StepFailed(f"a sandbox is required, and there is none: {made}")
        return made

    async def path(self, start: str, end: str | None) -> MigrationPath:
        """Give the way forward from *start* to *end* (None: the head). Raises StepFailed.

        A revision may be named by a beginning of four letters or more.
        """
        return await asyncio.to_thread(self._path, start, end)

    async def newest(self, revision: str) -> MigrationPath:
        """Give the way to *revision* from the one below it, which a downgrade goes back.

        Raises StepFailed where there is none, or it cannot be gone back.
        """
        if revision == BASE:
            raise StepFailed("the database stands before all migrations: there is nothing to take back")
        return _reversible(await asyncio.to_thread(lambda: self._path(self._below(revision), revision)))

    async def back_to(self, lower: str, revision: str) -> MigrationPath:
        """Give the way to *revision* from *lower*, which a downgrade to there goes back.

        Raises StepFailed where *lower* does not lie below it, or something between cannot be gone back.
        """
        return _reversible(await asyncio.to_thread(self._back, lower, revision))

    def _back(self, lower: str, revision: str) -> MigrationPath:
        if revision == BASE:
            raise StepFailed("the database stands before all migrations: there is nothing to take back")
        try:
            chain = self._chain()
            full = BASE if lower == BASE else chain.resolve(lower)
            chain.between(None if full == BASE else full, revision)
        except (ChainError, UnsafeTreeError) as error:
            raise StepFailed(str(error)) from error
        return self._path(full, revision)

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
            upper = _head(chain) if end is None or end == "head" else chain.resolve(end)
            files = chain.path(None if start == BASE else start, upper)
        except (ChainError, UnsafeTreeError) as error:
            raise StepFailed(str(error)) from error
        if not files and start not in (BASE, upper):
            raise StepFailed(
                f"the database stands at {start}, which is beyond {upper}; "
                "going back is a task of its own: agent_type migration, action downgrade"
            )
        return MigrationPath(
            root=self.root,
            folder=self.folder,
            config=config,
            database=name_of_database(self.site, config),
            start=start,
            end=upper,
            steps=tuple(_step(self.root, file) for file in files),
            support=tuple(_support(self.root, config, self.folder)),
            site=self.site,
        )

    def _chain(self) -> Chain:
        gate = self.site.workspace.gate(self.site.project, self.site.environment).kind
        place = inside(self.root, self.folder)
        return check_migrations(place, environment=self.site.environment, gate=gate, root=self.root).chain

    def _config(self) -> Path:
        configured = self.site.settings.migrations
        try:
            return find_config(self.root, self.folder, configured.config if configured else None)
        except (AlembicConfigError, UnsafeTreeError) as error:
            raise StepFailed(str(error)) from error


# Python's own cache files would change the private copy that the digest is of.
QUIET = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
"""Variables that every call of Alembic gets."""

_COMMITS = re.compile(
    r"autocommit|\bCOMMIT\b|\.commit\(|\bCONCURRENTLY\b|transactional_ddl\s*=\s*False", re.IGNORECASE
)


def _places_of(database: str) -> tuple[Path, ...]:
    """Give what a database is reached by: its file and what belongs to it, or the folder of a socket."""
    file = sqlite_file(database)
    if file is not None:
        return (file, *(file.with_name(file.name + more) for more in ("-journal", "-wal", "-shm")))
    host = database.partition("://")[2].rpartition("/")[0]
    return (Path(re.sub(r":\d+$", "", host)),) if host.startswith("/") else ()


def _reversible(path: MigrationPath) -> MigrationPath:
    stuck = [step.revision for step in path.steps if not step.reversible]
    if stuck:
        raise StepFailed(f"migration {', '.join(stuck)} cannot be taken back: it has no downgrade")
    return path


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
