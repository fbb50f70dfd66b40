"""The steps that run migrations, forward and back, and what their end means.

Alembic's exit status is not believed about where a database stands: the database is, and its schema.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from opconsole.alembic_program import (
    BASE,
    current_revision,
    downgrade_argv,
    parse_progress,
    upgrade_argv,
)
from opconsole.databases import Commits, Database, Marks
from opconsole.migrating import ASK_LIMIT, QUIET, UNKNOWN, MigrationPath, RevisionHeard
from opconsole.migration_database import own_variables, session_rules, surely
from opconsole.migration_watch import Watch
from opconsole.programs import Ending, ProgramResult
from opconsole.steps import Step, StepContext, StepFailed, StepInterrupted, StepKind, describe_result

T = TypeVar("T")


def upgrade_step(path: MigrationPath, limit: float, stands_at: RevisionHeard) -> Step:
    """Give the step that migrates forward; *stands_at* hears where the database stands, or UNKNOWN."""
    argv = upgrade_argv(path.config, path.end)
    move = _Move(path, "migrate", argv, path.start, path.end, limit, "upgrade")
    title = f"Migrate {path.start} → {path.end} ({len(path.steps)})"
    return Step(move.name, StepKind.PROBE, title, argv, limit, _act(move, stands_at))


def downgrade_step(path: MigrationPath, limit: float, stands_at: RevisionHeard) -> Step:
    """Give the step that takes the path's migrations back, from its end to its start."""
    argv = downgrade_argv(path.config, path.start)
    move = _Move(path, "migrate-back", argv, path.end, path.start, limit, "downgrade")
    title = f"Migrate back {path.end} → {path.start} ({len(path.steps)})"
    return Step(move.name, StepKind.PROBE, title, argv, limit, _act(move, stands_at))


class Standing(StrEnum):
    """Where a database stands once a migration is over, as far as can be proved."""

    THERE = "there"  # at the revision that was wanted
    BEFORE = "before"  # as if nothing had happened
    UNCHANGED = "unchanged"  # the schema is as it was, but rows may have been changed and kept
    BETWEEN = "between"  # cleanly at a revision on the way
    HALF = "half"  # at the old revision, and the schema is another, or nobody can tell
    ASTRAY = "astray"  # at another revision, and nobody can tell what lies beyond it


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a database once a migration is over."""

    start: str
    end: str
    now: str
    before: str | None
    """The schema's fingerprint before; None: nobody can tell."""
    after: str | None
    """The same now."""
    commits: Commits
    on_the_way: frozenset[str]
    """The revisions that the migration passes."""


def judge(known: Evidence) -> Standing:
    """Say where a database stands.

    >>> judge(Evidence("1", "2", "1", "sha256:a", "sha256:b", Commits.PERHAPS, frozenset())).value
    'half'
    """
    if known.now == known.end:
        return Standing.THERE
    if known.now == known.start:
        if known.before is None or known.before != known.after:
            return Standing.HALF
        return Standing.UNCHANGED if known.commits is Commits.MIDWAY else Standing.BEFORE
    if known.now in known.on_the_way and known.commits is Commits.WHOLE:
        return Standing.BETWEEN
    return Standing.ASTRAY


@dataclass(frozen=True, slots=True)
class _Move:
    path: MigrationPath
    name: str
    argv: Sequence[str]
    start: str
    end: str
    limit: float
    verb: str

    async def ask(self, question: Callable[[Database], T]) -> T:
        return await surely(self.path.site, self.path.config, question)


def _act(move: _Move, stands_at: RevisionHeard) -> Callable[[StepContext], Awaitable[str]]:
    async def act(context: StepContext) -> str:
        return await _Migration(move, context, stands_at).run()

    return act


class _Migration:
    """One migration being run, or gone on with by another process."""

    def __init__(self, move: _Move, context: StepContext, stands_at: RevisionHeard) -> None:
        self._move = move
        self._context = context
        self._stands_at = stands_at
        self._before: str | None = None
        self._commits = Commits.PERHAPS
        self._watch = Watch(
            move.path.site,
            move.path.config,
            Marks(f"opconsole {move.path.site.run} {move.name}"),
            context.note,
        )

    async def run(self) -> str:
        """Run Alembic, and believe the database about where that led."""
        await self._look_before()
        await self._stands_at(UNKNOWN)
        result, known = await self._once()
        if result.ending is Ending.INTERRUPTED:
            standing = judge(known)
            if standing is Standing.BEFORE:
                self._context.note(f"the database stands cleanly at {known.now}; migrating again")
                result, known = await self._once()
            if result.ending is Ending.INTERRUPTED and judge(known) is not Standing.THERE:
                await self._tell(known)
                raise StepInterrupted(f"the migration ended without a record; {self._words(known)}")
        await self._tell(known)
        if not result.ok and not (result.ending is Ending.INTERRUPTED and judge(known) is Standing.THERE):
            raise StepFailed(f"the migration failed ({describe_result(result)}); {self._words(known)}")
        if judge(known) is not Standing.THERE:
            raise StepFailed(
                f"alembic ended well, but did not migrate to {self._move.end}; {self._words(known)}"
            )
        return f"{self._move.start} → {self._move.end}"

    # -- before

    async def _look_before(self) -> None:
        """Take down how the database stands before the migration; after a crash, how it stood then."""
        move, once = self._move, self._context.once

        async def mark() -> str | None:
            return await move.ask(lambda database: database.mark())

        async def schema() -> str | None:
            return await move.ask(lambda database: database.fingerprint())

        since = await once("mark", mark)
        self._before = await once("schema", schema)
        marks = Marks(self._watch.marks.name, since or "")
        self._watch = Watch(self._watch.site, self._watch.config, marks, self._watch.note)
        self._commits = await move.ask(lambda database: database.commits)
        midway = self._commits is Commits.WHOLE and await asyncio.to_thread(lambda: move.path.commits_midway)
        if midway:
            self._commits = Commits.MIDWAY

    # -- the program

    async def _once(self) -> tuple[ProgramResult, Evidence]:
        """Run Alembic once, or adopt it, and look at the database when that is done with it."""
        try:
            result = await self._program()
        except asyncio.CancelledError:
            await _through_cancels(self._cancelled())
            raise
        patience = 0 if result.ending is Ending.TIMED_OUT else self._move.limit
        await self._watch.until_over(patience, certain=result.ending is Ending.EXITED)
        return result, await self._evidence()

    async def _program(self) -> ProgramResult:
        move, context = self._move, self._context
        rules = session_rules(move.path.site, move.limit)
        own = await asyncio.to_thread(own_variables, move.path.site)
        named = await move.ask(lambda database: database.variables(self._watch.marks, rules, own))
        progress = _Progress(context, move)
        following = asyncio.ensure_future(context.follow(progress.hear))
        try:
            return await context.program(move.argv, cwd=move.path.config.parent, variables={**QUIET, **named})
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _cancelled(self) -> None:
        """See a cancelled migration out: the database ends it, and where it stands is taken down."""
        await self._watch.until_over(0, certain=False)
        with contextlib.suppress(StepFailed):  # then nobody can tell, which is what is on record already
            known = await self._evidence()
            await self._tell(known)
            self._context.note(f"the migration was cancelled; {self._words(known)}")

    # -- after

    async def _evidence(self) -> Evidence:
        move = self._move
        try:
            revisions = await current_revision(
                self._context, move.path.config, variables=QUIET, limit=max(move.limit, ASK_LIMIT)
            )
            schema = await move.ask(lambda database: database.fingerprint())
        except StepFailed as failure:
            raise StepFailed(f"after the migration, {failure.reason}") from failure
        return Evidence(
            start=move.start,
            end=move.end,
            now="+".join(sorted(revisions)) or BASE,
            before=self._before,
            after=schema,
            commits=self._commits,
            on_the_way=frozenset(step.revision for step in move.path.steps) | {move.path.start},
        )

    async def _tell(self, known: Evidence) -> None:
        """Record where the database stands, where that can be proved."""
        if judge(known) not in (Standing.HALF, Standing.ASTRAY):
            await self._stands_at(known.now)

    def _words(self, known: Evidence) -> str:
        """Say where the database stands, for the person who reads why the migration ended."""
        at = f"the database stands at {known.now}"
        return {
            Standing.THERE: f"{at}, where it should",
            Standing.BEFORE: f"{at}, as before",
            Standing.UNCHANGED: f"{at} with its schema as before, but rows may have been changed and kept",
            Standing.BETWEEN: f"{at}, whole, on the way to {known.end}",
            Standing.HALF: f"it left the schema half changed: {at}, but its schema is not what it was; "
            "compare it with the log, and mend it by hand"
            if known.before is not None
            else f"{at}, and nobody can tell whether its schema was changed; look at it",
            Standing.ASTRAY: f"{at}, on the way to {known.end}; the revision after it may be half done: "
            "compare the schema with the log, and mend it by hand",
        }[judge(known)]


class _Progress:
    """Tells how many revisions of a migration have begun, by what Alembic writes."""

    def __init__(self, context: StepContext, move: _Move) -> None:
        self._context = context
        self._verb = move.verb
        self._ways = {step.revision: step.description for step in move.path.steps}
        self._begun: list[str] = []

    async def hear(self, line: str) -> None:
        """Hear one line of the program."""
        found = parse_progress(line)
        if found is None or found[0] != self._verb or found[1] not in self._ways or found[1] in self._begun:
            return
        self._begun.append(found[1])
        words = f"{found[1]} {self._ways[found[1]]}".strip()
        await self._context.progress(len(self._begun), len(self._ways), words)


async def _through_cancels(work: Awaitable[None]) -> None:
    """Finish work although its task is cancelled, also again."""
    going = asyncio.ensure_future(work)
    while not going.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([going])
    going.result()
