"""An attempt: one run being worked on, with the ways to change its record and to perform its steps.

The rule that everything here serves: a step's intent is committed before its effect, its outcome after,
and an outcome travels in the same submission as the next intent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from guardrails.gates import Gate
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.errors import JournalError
from opconsole.journal.records import Phase, Run, StepRow, StepState
from opconsole.journal.writer import AuditOp, Op
from opconsole.logs import append_note
from opconsole.settings.model import Environment, Project
from opconsole.step_runner import Planned, StepRunner
from opconsole.steps import Step, StepFailed, StepInterrupted
from opconsole.surroundings import Scope
from opconsole.telling import told_of_entering
from queues.states import RunState
from queues.tasks import Task

AT_WORK = frozenset({RunState.PREFLIGHT, RunState.RUNNING})
"""States in which some process works on a run."""

BACKOFF = 2.0
"""Seconds before a step that declares itself retryable is tried again; doubled each time."""


class Attempt:
    """One run being worked on. Made for each dispatch; the journal holds what must outlive it."""

    def __init__(self, host: Host, task: Task, run: Run, position: int = 0) -> None:
        self.host = host
        self.task = task
        self.run = run
        self._position = position
        self._carried: list[Op | AuditOp] = []

    @property
    def project(self) -> Project:
        """The settings of the run's project."""
        return self.host.workspace.settings.projects[self.run.project]

    @property
    def environment(self) -> Environment:
        """The settings of the run's environment."""
        return self.host.workspace.environment(self.run.project, self.run.environment)

    @property
    def gate(self) -> Gate:
        """The gate of the run's environment."""
        return self.host.workspace.gate(self.run.project, self.run.environment)

    @property
    def folder(self) -> Path:
        """The run's private folder."""
        return self.host.run_folder(self.run.id)

    def note(self, text: str) -> None:
        """Write a line of our own into the run's log; on a full disk the line is lost, and nothing else."""
        with contextlib.suppress(OSError):  # the journal holds the truth, the log only tells of it
            append_note(self.host.log(self.run.id), text)

    # -- the record

    async def commit(self, *more: Op | AuditOp, reserve: bool = False) -> None:
        """Commit what is carried, and more, in one submission.

        *reserve* is for outcomes, which are recorded even when the disk is full.
        """
        carried, self._carried = self._carried, []
        try:
            if carried or more:
                await self.host.journal.commit(*carried, *more, reserve=reserve)
        except JournalError:
            self._carried = [*carried, *self._carried]
            raise

    async def save(self, *more: Op | AuditOp, reserve: bool = False, **fields: object) -> None:
        """Change fields of the run, in the journal and here."""
        change = ops.update_run(self.run.id, self.run.epoch, **fields)
        committing = asyncio.ensure_future(self.commit(change, *more, reserve=reserve))
        try:
            await asyncio.shield(committing)
        except asyncio.CancelledError:
            # It is carried out all the same: a cancelled run must not say less than its record.
            await committing
            self._take_over(fields)
            raise
        self._take_over(fields)

    def _take_over(self, fields: Mapping[str, object]) -> None:
        self.run = replace(self.run, **fields)  # type: ignore[arg-type]  # the names are the record's own

    async def enter(self, state: RunState, reason: str = "", *more: Op | AuditOp, **fields: object) -> None:
        """Bring the run into another state, tell whoever follows, and echo it into the queue file."""
        now = self.host.clock.now()
        fields = {**fields, "state": state, "reason": reason}
        if state.final:
            fields["finished_at"] = now
        if state not in AT_WORK:
            fields["cancel_at"] = None
        told: list[Op | AuditOp] = [
            self._event("run", state=state.value, reason=reason),
            ops.audit(now, self.host.operator, f"run-{state.value}", self.run.id, reason=reason),
            ops.send("echo", self.run.project, self._echo(state, reason), now),
            *told_of_entering(self.host, self.run, state, reason),
        ]
        told += held_on(self.run, state)
        await self.save(*told, *more, reserve=True, **fields)
        self.note(f"{state.value}: {reason}" if reason else state.value)

    def tell(self, name: str, **detail: object) -> None:
        """Carry an event to the next commit."""
        self._carried.append(self._event(name, step=None, state=None, **detail))

    def carry(self, *more: Op | AuditOp) -> None:
        """Carry operations to the next commit."""
        self._carried.extend(more)

    # -- steps

    async def plan_steps(self, phase: Phase, steps: Sequence[tuple[Scope, Step]]) -> list[Planned]:
        """Record the steps that are to come, in order, with what their programs may know."""
        planned = [
            Planned(self._position + index, phase, scope, step) for index, (scope, step) in enumerate(steps)
        ]
        self._position += len(planned)
        await self.commit(*(ops.plan_step(self._row(item)) for item in planned))
        return planned

    async def take_up(self, phase: Phase, steps: Sequence[tuple[Scope, Step]]) -> list[Planned]:
        """Find the next steps among those planned before a person was asked; where they differ, plan anew."""
        rows = [
            row
            for row in await self.host.read(self.host.reader.steps, self.run.id)
            if row.phase is phase and row.state is StepState.PENDING
        ]
        if [row.name for row in rows[: len(steps)]] == [step.name for _, step in steps]:
            return [
                Planned(row.position, phase, scope, step)
                for row, (scope, step) in zip(rows, steps, strict=False)
            ]
        now = self.host.clock.now()
        self.carry(*(ops.end_step(self.run.id, row.position, StepState.SKIPPED, now) for row in rows))
        return await self.plan_steps(phase, steps)

    async def perform(self, planned: Planned, *, again: bool = False) -> str:
        """Do a step: its intent first, then the act, then its outcome.

        *again* says that the step had begun under a process that is gone: its programs are not started
        twice, those that run are adopted and those that ended are believed. Gives the act's sentence about
        what it did. Raises StepFailed when it could not, StepInterrupted when nobody can tell.
        """
        step, position = planned.step, planned.position
        if not again:
            started = self._event("step", step=step.name, state="running", title=step.title)
            begins = ops.start_step(self.run.id, position, self.host.clock.now())
            await self.commit(begins, started, *self._effect(planned, "effect-begun"))
        self.note(f"── {step.title}{' (goes on)' if again else ''}")
        runner = self._runner(planned, again=again)
        try:
            await runner.prepare()
            detail = await self._act(step, runner) or ""
        except StepFailed as failure:
            self.note(failure.reason)
            self._end(planned, StepState.FAILED, runner.status, failure.reason)
            raise
        except StepInterrupted as interrupted:
            self.note(interrupted.reason)
            self._end(planned, StepState.INTERRUPTED, runner.status, interrupted.reason)
            raise
        except asyncio.CancelledError:
            self._end(planned, StepState.CANCELLED, runner.status, "cancelled")
            raise
        except Exception as fault:
            reason = f"{step.name} failed unexpectedly: {type(fault).__name__}: {fault}"
            self.note(reason)
            self._end(planned, StepState.FAILED, runner.status, reason)
            raise StepFailed(reason) from fault
        if detail and detail != runner.last_note:
            self.note(detail)
        self._end(planned, StepState.SUCCEEDED, runner.status, detail)
        return detail

    def _runner(self, planned: Planned, *, again: bool) -> StepRunner:
        return StepRunner(self.host, self.run, planned, note=self.note, again=again)

    def skip(self, planned: Sequence[Planned]) -> None:
        """Say of steps that they will not take place."""
        now = self.host.clock.now()
        for item in planned:
            self._carried.append(ops.end_step(self.run.id, item.position, StepState.SKIPPED, now))

    async def _act(self, step: Step, runner: StepRunner) -> str | None:
        tries = 1 + self.host.workspace.settings.policy.retries
        for attempt in range(tries):
            try:
                return await step.act(runner)
            except StepFailed as failure:
                if attempt + 1 == tries or not (step.retryable or failure.retryable):
                    raise
                wait = BACKOFF * 2**attempt
                self.note(f"{failure.reason}; trying again in {wait:g} s")
                told = self._event("retry", step=step.name, text=failure.reason, again_in=wait)
                with contextlib.suppress(JournalError):  # it goes out with the outcome
                    await self.commit(told)
                await self.host.clock.sleep(wait)
        raise AssertionError("a step is tried at least once")

    def _end(self, planned: Planned, state: StepState, status: int | None, detail: str) -> None:
        now = self.host.clock.now()
        self._carried.append(
            ops.end_step(self.run.id, planned.position, state, now, status=status, detail=detail)
        )
        self._carried.append(self._event("step", step=planned.step.name, state=state.value, detail=detail))
        self._carried += self._effect(planned, "effect-ended", state=state.value, status=status)

    def _effect(self, planned: Planned, action: str, **detail: object) -> tuple[AuditOp, ...]:
        """Give the audit entry of a step behind the gate; what is only looked at needs none."""
        if planned.phase is Phase.PREFLIGHT:
            return ()
        told: dict[str, object] = {"step": planned.step.name, "phase": planned.phase.value, **detail}
        return (ops.audit(self.host.clock.now(), self.host.operator, action, self.run.id, **told),)

    def _row(self, planned: Planned) -> StepRow:
        step = planned.step
        return StepRow(
            run=self.run.id,
            position=planned.position,
            phase=planned.phase,
            name=step.name,
            title=step.title,
            kind=step.kind.value,
            state=StepState.PENDING,
            argv=step.argv,
        )

    def _event(self, name: str, *, step: str | None = None, state: str | None = None, **detail: object) -> Op:
        return ops.event(
            self.host.clock.now(),
            name,
            self.run.project,
            task=self.run.task,
            run=self.run.id,
            step=step,
            state=state,
            detail={"environment": self.run.environment, **detail},
        )

    def _echo(self, state: RunState, reason: str) -> dict[str, object]:
        return echo_payload(self.run, state, reason, self.host.clock.now().isoformat(timespec="seconds"))


def held_on(run: Run, state: RunState) -> list[Op]:
    """Give what becomes of a run's hold on its environment when it enters *state*."""
    if state.final:
        return [ops.free_lock(run)]
    return [] if state in AT_WORK else [ops.rest_lock(run)]


def echo_payload(run: Run, state: RunState, reason: str, now: str) -> dict[str, object]:
    """Give what the task's entry in its queue file should say about a run in *state*."""
    status = state.file_status
    return {
        "task": run.task,
        "status": status,
        "error": (reason or state.value) if status == "blocked" else None,
        "attempts": run.attempt,
        "last_attempt": (run.started_at or run.created_at).isoformat(timespec="seconds"),
        "completed_at": now if status == "complete" else None,
    }
