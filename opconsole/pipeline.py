"""The pipeline: a run's story from pre-flight through the gate and its effects to an end.

`advance` goes on with a run as far as nobody has to decide. Everything that must outlive the process is in
the journal, so a run that waited for a person may be carried on by another process than began it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, TypeVar

from guardrails.environments import GateKind
from guardrails.gates import OnFailure, Tier, on_failure
from opconsole.attempt import Attempt
from opconsole.basis import Basis, derive, goes_back, seal_plan
from opconsole.effects import ScopedSteps, deployment_steps, migration_steps
from opconsole.ending import Ending, success_ops
from opconsole.freezing import frozen_by_calendar, override_of, paused
from opconsole.gating import approval_for, decision_for
from opconsole.journal import ops
from opconsole.journal.errors import JournalError, StaleEpochError
from opconsole.journal.records import Approval, ApprovalState, Phase, Purpose
from opconsole.journal.writer import AuditOp, Op
from opconsole.outcomes import TO_BE_VERIFIED, ended
from opconsole.plans import Plan, differences, planned_migrations
from opconsole.preflight import GuardrailsBlockError, Preflight
from opconsole.rollback import (
    WayBack,
    check_as_recorded,
    losses_on,
    rollback_plan,
    rollback_steps,
    way_back_from,
    way_to,
)
from opconsole.runs import asked_of
from opconsole.step_runner import Planned
from opconsole.steps import Step, StepContext, StepFailed, StepInterrupted, StepKind
from opconsole.surroundings import Scope
from opconsole.targeting import check_hold, target_for, while_held
from opconsole.targets.base import Release
from queues.scheduler import Outcome
from queues.states import RunState
from queues.tasks import TaskKind

T = TypeVar("T")

COMPARE = "compare"
"""The step before the first effect."""

COMPARE_LIMIT = 300.0
"""Seconds for deriving a plan again."""

TOUCHING = frozenset(
    {"switch", "deploy", "restart", "migrate", "stop", "migrate-back", "rollback", "execute"}
)
"""Steps from whose beginning on an environment is no longer what it was."""


class Pipeline:
    """The story of one run; one method a chapter."""

    _compares_in: ClassVar[Scope] = Scope.TARGET
    """What the comparison's programs may know."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._end = Ending(attempt)
        self._touched: set[str] = set()
        self._changes: list[str] = []
        self._basis: Basis | None = None
        self._release: Release | None = None

    async def advance(self) -> Outcome:
        """Go on from where the journal says that the run stands."""
        try:
            await self._next_chapter()
        except asyncio.CancelledError:
            await self._end.cancelled(self._touched)
        except StepInterrupted as interrupted:
            await self._end.interrupted(interrupted.reason)
        except JournalError as error:
            await self._end.unrecorded(error, self._touched)
        except Exception as fault:  # noqa: BLE001 (whatever it was, the run must not stay as if it went on)
            await self._end.unforeseen(fault, self._touched)
        return ended(self._attempt.run)

    async def _next_chapter(self) -> None:
        run = self._attempt.run
        if run.state is RunState.PENDING:
            await self._prepare()
            return
        if run.state is not RunState.WAITING:
            return
        approval = await self._latest_approval()
        if approval is None:  # none was needed; it waited for the end of a freeze
            await self._carry_out()
        elif approval.purpose is Purpose.REVERT:
            if approval.state is ApprovalState.APPROVED:
                await self._revert(approval)
        elif approval.purpose is Purpose.FREEZE:
            if approval.state is not ApprovalState.WAITING:
                await self._carry_out(thawed=approval.state is ApprovalState.APPROVED)
        elif approval.state is ApprovalState.APPROVED:
            await self._carry_out()

    # -- before the gate

    async def _prepare(self) -> None:
        attempt = self._attempt
        now = attempt.host.clock.now()
        # The task as it stands now: its entry may have been edited since the run was made.
        await attempt.enter(
            RunState.PREFLIGHT, started_at=attempt.run.started_at or now, **asked_of(attempt.task)
        )
        try:
            if attempt.task.kind is TaskKind.ROLLBACK:
                await self._prepare_rollback()
                return
            basis = await Preflight(attempt).run()
        except GuardrailsBlockError as block:
            attempt.tell("alert", priority="P0", text=str(block))
            await self._end.enter(RunState.BLOCKED, str(block))
            return
        except StepFailed as failure:
            await self._end.enter(RunState.FAILED, failure.reason)
            return
        if basis is None:
            await self._end.enter(RunState.SUCCEEDED, "validated")
            return
        steps = await self._effects(basis)
        plan = await seal_plan(attempt, basis, [step for _, step in steps])
        await self._gate(plan, steps, irreversible=_irreversible(basis))

    async def _prepare_rollback(self) -> None:
        attempt = self._attempt
        way = await way_to(attempt.host, attempt.run, attempt.task.version)
        if way.problem or way.to is None:
            raise StepFailed(way.problem)
        current = await attempt.host.read(
            attempt.host.reader.current_release, attempt.run.project, attempt.run.environment
        )
        await attempt.save(
            version=way.to.version,
            release=way.to.name,
            commit_id=way.to.commit_id,
            source_digest=way.to.source_digest,
            artifact_digest=way.to.artifact_digest,
            previous_release=current.name if current else None,
            previous_version=current.version if current else None,
            revision_before=current.revision if current else None,
            revision_after=current.revision if current else None,
            preflight=((True, f"Release {way.to.name} can be restored"),),
        )
        steps = await rollback_steps(attempt, way, self._revision_is)
        losses = await losses_on(attempt.host, attempt.run, way)
        plan = await rollback_plan(attempt.host, attempt.run, way, losses, attempt.task)
        await self._gate(plan, steps, irreversible=losses.data, more=losses.said)

    async def _gate(
        self,
        plan: Plan,
        steps: ScopedSteps,
        *,
        irreversible: bool,
        senior: bool = False,
        more: Sequence[str] = (),
    ) -> None:
        """Ask a person where the gate wants one, and tell them *more*; else go on."""
        attempt = self._attempt
        await attempt.plan_steps(Phase.EFFECT, [(self._compares_in, self._compare_step()), *steps])
        await attempt.save(plan=dict(plan.document), plan_digest=plan.digest)
        decision = await decision_for(attempt, irreversible=irreversible, senior=senior)
        if not decision.approval:
            await self._carry_out()
            return
        approval = approval_for(attempt, plan, decision, more)
        asked: list[Op | AuditOp] = [
            ops.insert_approval(approval),
            ops.audit(
                approval.requested_at,
                attempt.host.operator,
                "approval-requested",
                attempt.run.id,
                digest=plan.digest,
            ),
        ]
        attempt.tell("approval", digest=plan.digest, tier=approval.tier, why=list(approval.why))
        if attempt.gate.kind is GateKind.PRODUCTION:
            attempt.tell("alert", priority="P1", text=f"{attempt.run.task} waits for approval in production")
        await attempt.enter(RunState.WAITING, f"waits for approval: {', '.join(decision.reasons)}", *asked)

    # -- behind the gate

    async def _held(self, *, overridden: bool) -> bool:
        """Let the run wait where effects are frozen; it holds nothing meanwhile."""
        attempt = self._attempt
        stop = await paused(attempt.host)
        if stop is not None:
            await attempt.enter(RunState.WAITING, stop)
            return True
        why = None if overridden else await frozen_by_calendar(attempt.host, attempt.run)
        if why is None:
            return False
        tier = Tier.CONFIRM if attempt.gate.kind is GateKind.DEVELOPMENT else Tier.REASONED
        approval = override_of(attempt.host, attempt.run, why, tier)
        asked = ops.audit(
            approval.requested_at, attempt.host.operator, "held-by-freeze", attempt.run.id, why=why
        )
        await attempt.enter(RunState.WAITING, why, ops.insert_approval(approval), asked)
        return True

    async def _carry_out(self, *, thawed: bool = False) -> None:
        """Take the environment, compare the plan, and let the effects happen.

        *thawed*: a person said that it is not to wait for the end of a freeze.
        """
        attempt = self._attempt
        if await self._held(overridden=thawed):
            return
        now = attempt.host.clock.now()
        lock = ops.take_lock(attempt.run, attempt.host.executor, now)
        try:
            await attempt.enter(RunState.RUNNING, "", *lock)
        except StaleEpochError:
            holder = await attempt.host.read(
                attempt.host.reader.lock, attempt.run.project, attempt.run.environment
            )
            text = f"{attempt.run.environment} is held by run {holder.run if holder else 'unknown'}"
            await self._end.enter(RunState.FAILED, f"{text}; decide that one first")
            return
        await self._change()

    async def _change(self) -> None:
        """Let the effects happen in the environment that the run now holds."""
        attempt = self._attempt
        if attempt.task.kind is TaskKind.ROLLBACK:
            await self._carry_out_rollback()
            return
        if not await self._compared():
            return
        basis = _present(self._basis)
        steps = await self._effects(basis)
        await attempt.save(
            release=self._release.name if self._release else None,
            previous_release=basis.target.release,
            previous_version=basis.target.version,
        )
        await self._carried_out(await self._perform(await attempt.take_up(Phase.EFFECT, steps)))

    async def _carried_out(self, failure: StepFailed | None) -> None:
        if failure is not None:
            await self._failed(failure)
        else:
            await self._succeeded()

    async def _compared(self) -> bool:
        """Derive the plan again under the lock; False when the run does not go on."""
        attempt = self._attempt
        [compare] = await attempt.take_up(Phase.EFFECT, [(self._compares_in, self._compare_step())])
        try:
            await attempt.perform(compare)
        except StepFailed as failure:
            if self._changes:
                await self._ask_again(failure.reason, self._changes)
            else:
                await self._end.enter(RunState.FAILED, f"{failure.reason}; nothing was changed")
            return False
        return True

    async def _carry_out_rollback(self) -> None:
        attempt = self._attempt
        if not await self._compared():
            return
        way = await way_to(attempt.host, attempt.run, attempt.task.version)
        steps = await rollback_steps(attempt, way, self._revision_is)
        await self._rolled_back(way, await self._perform(await attempt.take_up(Phase.EFFECT, steps)))

    async def _rolled_back(self, way: WayBack, failure: StepFailed | None) -> None:
        attempt = self._attempt
        if failure is not None:
            await self._end.halt(f"the rollback failed: {failure.reason}")
            return
        to = _present(way.to)
        restored = (
            ops.retire_releases(attempt.run.project, attempt.run.environment),
            ops.restore_release(attempt.run.project, attempt.run.environment, to.name),
        )
        text = f"rolled back to {to.version}"
        if attempt.gate.kind is GateKind.PRODUCTION:
            text += TO_BE_VERIFIED
        await self._end.enter(RunState.SUCCEEDED, text, *restored)

    async def _perform(self, planned: Sequence[Planned]) -> StepFailed | None:
        """Let effects happen one after the other; give the failure that ended them, if one did."""
        for index, item in enumerate(planned):
            first = item.step.name in TOUCHING and item.step.name not in self._touched
            if first:
                self._touched.add(item.step.name)
            try:
                await self._attempt.perform(while_held(self._attempt, item))
            except StepFailed as failure:
                if first and not failure.begun:
                    self._touched.discard(item.step.name)
                self._attempt.skip(planned[index + 1 :])
                return failure
        return None

    async def _succeeded(self) -> None:
        attempt = self._attempt
        await check_hold(attempt.host, attempt.run)
        basis = _present(self._basis)
        done = "migrated back" if goes_back(attempt) else "migrated"
        text = "deployed" if attempt.task.kind is TaskKind.DEPLOYMENT else done
        if attempt.gate.kind is GateKind.PRODUCTION:
            text += TO_BE_VERIFIED
        await self._end.tidy()
        await self._end.enter(RunState.SUCCEEDED, text, *await success_ops(attempt, basis))

    # -- when something fails

    async def _failed(self, failure: StepFailed) -> None:
        attempt = self._attempt
        attempt.tell("alert", priority="P0", text=f"{attempt.run.task} failed: {failure.reason}")
        if not self._touched:
            await self._end.enter(RunState.FAILED, f"{failure.reason}; nothing was changed")
            return
        way = await self._way_back()
        if on_failure(attempt.gate, way_back=not way.problem) is OnFailure.HALT:
            reason = f"{failure.reason}; no way back: {way.problem}" if way.problem else failure.reason
            await self._end.halt(reason)
            return
        await self._take_back(way, failure.reason)

    async def _revert(self, approval: Approval) -> None:
        """Take back what a halted run has changed, as a person decided."""
        attempt = self._attempt
        stop = await paused(attempt.host)
        if stop is not None:
            await attempt.enter(RunState.WAITING, stop)
            return
        way = await self._way_back()
        losses = await losses_on(attempt.host, attempt.run, way)
        plan = await rollback_plan(attempt.host, attempt.run, way, losses)
        if way.problem or plan.digest != approval.digest:
            changed = way.problem or "; ".join(differences(approval.plan, plan.document))
            await self._end.halt(f"the plan to go back changed since it was approved: {changed}")
            return
        reason = attempt.run.reason
        self._touched.add("the run")  # or there would be nothing to take back
        await attempt.enter(RunState.RUNNING, f"reverting: {reason}")
        await self._take_back(way, reason)

    async def _take_back(self, way: WayBack, reason: str) -> None:
        attempt = self._attempt
        try:
            steps = await rollback_steps(attempt, way, self._revision_is)
            planned = await attempt.plan_steps(Phase.ROLLBACK, steps)
        except StepFailed as failure:
            await self._end.halt(f"{reason}; the rollback failed: {failure.reason}")
            return
        await self._taken_back(way, reason, await self._perform(planned))

    async def _taken_back(self, way: WayBack, reason: str, failed: StepFailed | None) -> None:
        attempt = self._attempt
        if failed is not None:
            await self._end.halt(f"{reason}; the rollback failed: {failed.reason}")
            return
        attempt.tell("alert", priority="P1", text=f"{attempt.run.environment} is back at {way.place}")
        await self._end.enter(RunState.ROLLED_BACK, f"{reason}; rolled back to {way.place}")

    async def _ask_again(self, reason: str, changes: Sequence[str]) -> None:
        """Void the approval of a plan that changed, and begin again with pre-flight."""
        attempt = self._attempt
        now, operator = attempt.host.clock.now(), attempt.host.operator
        voids: list[Op | AuditOp] = [
            ops.free_lock(attempt.run),
            ops.audit(now, operator, "plan-changed", attempt.run.id, changes=list(changes)),
        ]
        voids += [
            ops.decide_approval(approval, ApprovalState.VOID, now, operator, reason)
            for approval in await attempt.host.read(attempt.host.reader.approvals_of, attempt.run.id)
            if approval.state is ApprovalState.APPROVED
        ]
        attempt.skip(await attempt.take_up(Phase.EFFECT, []))
        attempt.tell("plan-changed", changes=list(changes))
        self._changes, self._basis, self._release = [], None, None
        await attempt.enter(RunState.PENDING, reason, *voids)
        await self._prepare()

    # -- helpers

    async def _effects(self, basis: Basis) -> ScopedSteps:
        attempt = self._attempt
        self._basis = basis
        if attempt.task.kind is not TaskKind.DEPLOYMENT:
            return migration_steps(attempt, basis, self._revision_is)
        version = attempt.run.version or basis.source.version
        target = await target_for(attempt)
        artifact = await attempt.host.artifacts.verify(attempt.run.artifact_digest or "")
        # A run that goes on in another process keeps the name that it had placed its release under.
        name = attempt.run.release
        if name is None:
            name = await asyncio.to_thread(target.next_release_name, version)
        release = Release(name, version, basis.source.commit, artifact.path, artifact.digest)
        self._release = release
        return deployment_steps(attempt, basis, target, release, self._revision_is)

    def _compare_step(self) -> Step:
        async def act(context: StepContext) -> str:
            await self._compare(context)
            return "as approved" if await self._latest_approval() else "as planned"

        title = "Compare the plan with sources, target and database"
        return Step(COMPARE, StepKind.REPEATABLE, title, None, COMPARE_LIMIT, act)

    async def _compare(self, context: StepContext) -> None:
        attempt = self._attempt
        plan = await self._derived(context)
        if plan.digest != attempt.run.plan_digest:
            self._changes = differences(attempt.run.plan or {}, plan.document)
            raise StepFailed(f"the plan changed: {'; '.join(self._changes)}")

    async def _derived(self, context: StepContext) -> Plan:
        """Derive the plan again from its sources and from the target."""
        attempt = self._attempt
        if attempt.task.kind is TaskKind.ROLLBACK:
            way = await way_to(attempt.host, attempt.run, attempt.task.version)
            losses = await losses_on(attempt.host, attempt.run, way)
            plan = await rollback_plan(attempt.host, attempt.run, way, losses, attempt.task)
            if plan.digest == attempt.run.plan_digest:
                await check_as_recorded(attempt, way, context)
            return plan
        basis = await derive(attempt, context)
        steps = await self._effects(basis)
        return await seal_plan(attempt, basis, [step for _, step in steps])

    async def _latest_approval(self) -> Approval | None:
        found = await self._attempt.host.read(self._attempt.host.reader.approvals_of, self._attempt.run.id)
        return found[-1] if found else None

    async def _way_back(self) -> WayBack:
        attempt = self._attempt
        planned = planned_migrations(attempt.run.plan)
        return await way_back_from(attempt.host, attempt.run, planned.folder if planned else None)

    async def _revision_is(self, revision: str) -> None:
        await self._attempt.save(reserve=True, revision_after=revision)


def _irreversible(basis: Basis) -> bool:
    return basis.migrations is not None and not basis.migrations.reversible


def _present(value: T | None) -> T:
    """Give what must be there at this point of the story."""
    if value is None:
        raise LookupError("the run lost what its plan rests on")
    return value
