"""Resuming: going on with a run whose process ended in the middle, where that is provably safe.

Pre-flight changes nothing, so it begins again. Behind the gate the steps that have an outcome are believed,
the one that had begun is done again by its kind (`StepRunner` adopts its programs), and the rest follow.
What cannot be told ends as interrupted, and a person decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from opconsole.artifacts import StoreError
from opconsole.attempt import Attempt
from opconsole.basis import Basis, wants_migrations
from opconsole.effects import ScopedSteps
from opconsole.journal import ops
from opconsole.journal.records import Phase, StepRow, StepState
from opconsole.migrating import UNKNOWN, MigrationFiles, MigrationPath
from opconsole.pipeline import COMPARE, TOUCHING, Pipeline
from opconsole.plans import planned_migrations
from opconsole.programs import attend
from opconsole.rollback import WayBack, rollback_steps, way_back_from, way_to
from opconsole.sources import SourceKind, SourceVersion, StoredSource
from opconsole.step_runner import Planned
from opconsole.steps import StepFailed, StepInterrupted
from opconsole.surroundings import Site
from opconsole.targeting import while_held
from opconsole.targets.base import TargetState
from queues.scheduler import Outcome
from queues.states import RunState
from queues.tasks import TaskKind


async def advance(attempt: Attempt) -> Outcome:
    """Go on with the attempt's run as far as nobody has to decide, whoever worked on it before."""
    if attempt.run.state in (RunState.PREFLIGHT, RunState.RUNNING):
        return await Resumed(attempt).advance()
    return await Pipeline(attempt).advance()


class Resumed(Pipeline):
    """The story of a run that another process began to tell."""

    async def _next_chapter(self) -> None:
        attempt = self._attempt
        attempt.note(f"going on with what process {attempt.run.executor.get('pid', 'unknown')} began")
        rows = await attempt.host.read(attempt.host.reader.steps, attempt.run.id)
        if attempt.run.cancelling:
            await self._go_on_cancelling(rows)
        if attempt.run.state is RunState.PREFLIGHT:
            await self._begin_again(rows)
            return
        latest = _latest_generation(rows)
        if latest is None or latest[0].state is not StepState.SUCCEEDED:
            await self._close(rows)  # nothing was changed yet: compare anew
            await self._carry_out()
            return
        self._touched |= _touched(latest)
        if any(row.phase is Phase.ROLLBACK for row in latest):
            await self._go_on_back(latest)
        else:
            await self._go_on(latest)

    async def _begin_again(self, rows: Sequence[StepRow]) -> None:
        """Begin pre-flight again: it only reads, tests and builds."""
        await self._stop_programs()
        await self._close(rows)
        await self._prepare()

    async def _go_on_cancelling(self, rows: Sequence[StepRow]) -> NoReturn:
        """Go on with the cancel that a person asked of the process that is gone, and not with the run."""
        self._attempt.note(f"{self._attempt.run.cancel_by or 'somebody'} asked to cancel it")
        await self._stop_programs()
        self._touched |= _touched(_latest_generation(rows) or ())
        await self._close(rows)
        raise asyncio.CancelledError

    async def _stop_programs(self) -> None:
        """Stop what still runs of the run's programs, and see that it is over."""
        for folder in sorted((self._attempt.folder / "steps").glob("*-[0-9]*")):
            await attend(folder, stop=True)

    async def _close(self, rows: Sequence[StepRow]) -> None:
        attempt = self._attempt
        now = attempt.host.clock.now()
        for row in rows:
            if row.state is StepState.RUNNING:
                attempt.carry(
                    ops.end_step(
                        attempt.run.id, row.position, StepState.INTERRUPTED, now, detail="begun again"
                    )
                )
        attempt.carry(ops.skip_pending(attempt.run.id, now))
        await attempt.commit()

    async def _go_on(self, rows: Sequence[StepRow]) -> None:
        """Go on with the effects."""
        attempt = self._attempt
        effects = [row for row in rows[1:] if row.phase is Phase.EFFECT]
        if attempt.task.kind is TaskKind.ROLLBACK:
            way = await way_to(attempt.host, attempt.run, attempt.task.version)
            steps = await rollback_steps(attempt, self._sure(way), self._revision_is)
            await self._rolled_back(way, await self._perform_rest(effects, steps))
            return
        basis = await self._known_basis(rows)
        steps = await self._effects(basis)
        await self._carried_out(await self._perform_rest(effects, steps))

    async def _go_on_back(self, rows: Sequence[StepRow]) -> None:
        """Go on with taking effects back."""
        attempt = self._attempt
        back = [row for row in rows if row.phase is Phase.ROLLBACK]
        failed = next((row for row in rows if row.state is StepState.FAILED), None)
        way = self._sure(await self._way_as_begun(rows))
        steps = await rollback_steps(attempt, way, self._revision_is)
        reason = attempt.run.reason.removeprefix("reverting: ") or (failed.detail if failed else "")
        await self._taken_back(way, reason, await self._perform_rest(back, steps))

    async def _perform_rest(self, rows: Sequence[StepRow], steps: ScopedSteps) -> StepFailed | None:
        """Do what is left of the steps; those with an outcome are believed."""
        if [row.name for row in rows] != [step.name for _, step in steps]:
            raise StepInterrupted("the settings were changed meanwhile: its steps are not what they were")
        planned = [
            Planned(row.position, row.phase, scope, step)
            for row, (scope, step) in zip(rows, steps, strict=True)
        ]
        for index, (row, item) in enumerate(zip(rows, planned, strict=True)):
            if row.state is StepState.FAILED:
                return StepFailed(row.detail)
            if row.state is StepState.SUCCEEDED:
                continue
            if row.state is StepState.PENDING:
                return await self._perform(planned[index:])
            failure = await self._once_more(item)
            if failure is not None:
                self._attempt.skip(planned[index + 1 :])
                return failure
        return None

    async def _once_more(self, item: Planned) -> StepFailed | None:
        try:
            await self._attempt.perform(while_held(self._attempt, item), again=True)
        except StepFailed as failure:
            return failure
        return None

    # -- what the run rested on

    async def _known_basis(self, rows: Sequence[StepRow]) -> Basis:
        """Give what the plan rested on by the run's record: the target is on its way, so it is not asked."""
        run = self._attempt.run
        stored = await self._stored()
        creates_tag = any(row.name == "tag" for row in rows)
        return Basis(
            source=SourceVersion(
                run.commit_id or "",
                run.version or "",
                None,
                SourceKind.GIT if creates_tag else SourceKind.FOLDER,
                creates_tag,
            ),
            stored=stored,
            artifact_digest=run.artifact_digest,
            target=TargetState(known=True, release=run.previous_release, version=run.previous_version),
            migrations=await self._planned_migrations(stored) if wants_migrations(self._attempt) else None,
        )

    async def _stored(self) -> StoredSource:
        try:
            return await self._attempt.host.sources.verify(self._attempt.run.source_digest or "")
        except StoreError as error:
            raise StepInterrupted(str(error)) from error

    async def _planned_migrations(self, stored: StoredSource) -> MigrationPath | None:
        planned = planned_migrations(self._attempt.run.plan)
        if planned is None:
            return None
        site = Site.of(self._attempt.host, self._attempt.run)
        files = MigrationFiles(site, stored.path, planned.folder)
        return await files.path(planned.start, planned.end)

    async def _way_as_begun(self, rows: Sequence[StepRow]) -> WayBack:
        """Give the way back as it was when it was begun, when the database stood where it no longer may."""
        attempt = self._attempt
        run = attempt.run
        planned = planned_migrations(run.plan)
        forward = any(row.name == "migrate" and row.state is StepState.SUCCEEDED for row in rows)
        begun = any(row.name == "migrate-back" and row.state is not StepState.PENDING for row in rows)
        if begun or run.revision_after == UNKNOWN:
            if not forward:
                raise StepInterrupted("nobody can tell where the database stood when going back was begun")
            run = replace(run, revision_after=planned.end if planned else None)
        return await way_back_from(attempt.host, run, planned.folder if planned else None)

    def _sure(self, way: WayBack) -> WayBack:
        if way.problem:
            raise StepInterrupted(f"the way back is not what it was: {way.problem}")
        return way


def _touched(rows: Sequence[StepRow]) -> set[str]:
    """Name the steps that have begun to change an environment."""
    return {row.name for row in rows if row.name in TOUCHING and row.state is not StepState.PENDING}


def _latest_generation(rows: Sequence[StepRow]) -> list[StepRow] | None:
    """Give the steps from the last comparison on; a plan that was sealed again has several."""
    starts = [index for index, row in enumerate(rows) if row.name == COMPARE]
    return list(rows[starts[-1] :]) if starts else None
