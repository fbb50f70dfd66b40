"""Looking at an environment's migrations without a run: where its database stands, and what would run.

Nothing is changed: the sources are exported into a temporary folder, Alembic is only asked, and the journal
is not written.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from guardrails.check import MigrationReport, check_migrations
from opconsole.alembic_program import sql_argv
from opconsole.artifacts import StoreError
from opconsole.git import GitError, GitMissingError
from opconsole.logs import LogCursor
from opconsole.migrating import QUIET, MigrationFiles, MigrationPath, migrations_folder
from opconsole.programs import Program, ProgramError, ProgramResult, run_program
from opconsole.sandbox import Sandbox
from opconsole.settings.model import Dialect, Downgrade
from opconsole.settings.secrets import SecretError
from opconsole.sources import SourceError, SourceKind, SourceStore, SourceVersion, resolve_source
from opconsole.steps import CAPTURE_LIMIT, NO_VARIABLES, StepFailed, WithoutRun, describe_result
from opconsole.surroundings import Scope, Site
from opconsole.trees import UnsafeTreeError, inside, remove_tree

LIMIT = 120.0
"""Seconds for one call of Alembic that only looks."""

SQL_LIMIT = 64 * 1024 * 1024
"""Bytes of SQL that are shown at most."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found of an environment's migrations."""

    source: SourceVersion
    revision: str
    """Where the database stands."""
    way: MigrationPath
    """What would run: from there to the head, or wherever one wants to go; back where *back* says so."""
    back: bool = False


class Looking:
    """One clean export of a project's sources, looked at for one of its environments."""

    def __init__(self, site: Site, source: SourceVersion, root: Path, scratch: Path) -> None:
        self.site = site
        self.source = source
        self._root = root
        self._scratch = scratch
        self._context = _Looker(site, scratch)

    async def way(self, to: str | None, *, back: bool = False) -> Looked:
        """Ask the database where it stands, and find the way to *to*. Raises StepFailed."""
        files = self._files()
        revision = await files.revision_now(self._context, LIMIT)
        if not back:
            return Looked(self.source, revision, await files.path(revision, to))
        way = await (files.back_to(to, revision) if to else files.newest(revision))
        return Looked(self.source, revision, way, back=True)

    async def sql(self, looked: Looked) -> str:
        """Give the SQL of a way as Alembic writes it, with every secret masked. Raises StepFailed."""
        return await _sql(self._files(), self._context, looked.way, back=looked.back)

    def check(self) -> MigrationReport:
        """Check all of the project's migrations, without a database. Raises StepFailed."""
        configured = self.site.settings.migrations
        gate = self.site.workspace.gate(self.site.project, self.site.environment).kind
        try:
            place = inside(self._root, self._files().folder)
        except UnsafeTreeError as error:
            raise StepFailed(str(error)) from error
        return check_migrations(
            place,
            root=self._root,
            environment=self.site.environment,
            gate=gate,
            dialect=(configured.dialect if configured else Dialect.POSTGRESQL).grammar,
            downgrade_required=configured is None or configured.downgrade is Downgrade.REQUIRED,
        )

    def _files(self) -> MigrationFiles:
        return MigrationFiles(self.site, self._root, migrations_folder(self.site, None), self._scratch)


@asynccontextmanager
async def look(site: Site, version: str | None, *, serving: str | None = None) -> AsyncIterator[Looking]:
    """Export the sources of *version*, else of the one *serving* there, else of HEAD, while this lasts.

    Raises StepFailed where they cannot be had.
    """
    project = site.workspace.project_path(site.project)
    with tempfile.TemporaryDirectory(prefix="opconsole-look-") as folder:
        store = Path(folder) / "sources"
        try:
            source = await resolve_source(
                project,
                kind=SourceKind(site.settings.source.value),
                version=version or serving,
                allow_head=version is None,
            )
            stored = await SourceStore(store).export(project, source)
        except (SourceError, StoreError, GitError, GitMissingError, UnsafeTreeError) as error:
            raise StepFailed(str(error)) from error
        try:
            yield Looking(site, source, stored.path, Path(folder) / "programs")
        finally:
            remove_tree(store)  # it is read-only, which the folder's own end would stumble over


async def sql_between(site: Site, root: Path, folder: str, start: str, end: str) -> str:
    """Give the SQL that leads forward from one revision to another, by the migrations in *folder* of *root*.

    Alembic's offline mode asks no database, but loads the project's ``env.py``: in a sandbox, where the
    settings want one, as before a gate. Every secret is masked. Raises StepFailed.
    """
    with tempfile.TemporaryDirectory(prefix="opconsole-look-") as scratch:
        files = MigrationFiles(site, root, folder, Path(scratch))
        context = _Looker(site, Path(scratch))
        return await _sql(files, context, await files.path(start, end), back=False)


async def _sql(files: MigrationFiles, context: _Looker, way: MigrationPath, *, back: bool) -> str:
    if not way.steps:
        return ""
    start, end = (way.end, way.start) if back else (way.start, way.end)
    boxed = files.box(way.config, asks=False)
    argv = sql_argv(way.config, start, end, back=back)
    argv = boxed.argv(argv) if isinstance(boxed, Sandbox) else argv
    result, text = await context.run(argv, way.config.parent, QUIET, LIMIT, SQL_LIMIT)
    if not result.ok:
        raise StepFailed(
            f"alembic could not write the SQL ({describe_result(result)}): {text[-1000:].strip()}; "
            "its offline mode needs an env.py that configures itself without a connection, and "
            "migrations that ask the database nothing"
        )
    return text


class _Looker(WithoutRun):
    """What Alembic is run with when there is no run: its output goes into a temporary folder."""

    def __init__(self, site: Site, scratch: Path) -> None:
        self._site = site
        self._scratch = scratch
        self._numbers = count()

    async def run(
        self, argv: Sequence[str], cwd: Path, variables: Mapping[str, str], limit: float, most: int
    ) -> tuple[ProgramResult, str]:
        """Run a program; give what it wrote: its standard output if it ended well, else everything."""
        try:
            around = self._site.surroundings(Scope.ENVIRONMENT)
        except SecretError as error:
            raise StepFailed(str(error)) from error
        given = {**around.variables, **variables}
        program = Program(tuple(argv), cwd, given, limit, around.secrets, files=around.files)
        folder = self._scratch / str(next(self._numbers))
        try:
            result = await run_program(program, folder=folder, log=folder / "output")
        except ProgramError as error:
            raise StepFailed(str(error)) from error
        return result, await _written(folder / "output", most, streams="o" if result.ok else "oe")

    async def program(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str] = NO_VARIABLES,
        limit: float | None = None,
    ) -> ProgramResult:
        """Run a program, whatever it writes."""
        return (await self.run(argv, cwd, variables, limit or LIMIT, CAPTURE_LIMIT))[0]

    async def capture(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str] = NO_VARIABLES,
        limit: float | None = None,
    ) -> tuple[ProgramResult, str]:
        """Run a program and give its output; one that fails says why in its own words."""
        result, text = await self.run(argv, cwd, variables, limit or LIMIT, CAPTURE_LIMIT)
        if not result.ok and text.strip():
            raise StepFailed(f"{describe_result(result)}: {text.strip()[-1000:]}")
        return result, text


async def _written(log: Path, most: int, *, streams: str) -> str:
    cursor, parts, size = LogCursor(log), [], 0
    while lines := await cursor.read_new_async():
        for line in lines:
            if line.stream in streams:
                parts.append(line.text if line.unfinished else f"{line.text}\n")
                size += len(parts[-1])
        if size > most:
            raise StepFailed(f"the program wrote more than {most} bytes")
    return "".join(parts)
