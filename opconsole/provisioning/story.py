"""The story of a provisioning run: review, change set, approval, execution, reading back, record.

It is a pipeline of its own between the common beginning and end. A resource that was made is never deleted
again, so what fails behind the gate is halted for a person, in every environment.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence

from guardrails.environments import GateKind
from opconsole.attempt import Attempt
from opconsole.clock import iso
from opconsole.effects import ScopedSteps
from opconsole.journal.records import ApprovalState, Phase, StepRow
from opconsole.outcomes import TO_BE_VERIFIED
from opconsole.pipeline import Pipeline
from opconsole.plans import Plan
from opconsole.preflight import GuardrailsBlockError
from opconsole.provisioning.aws import AwsError
from opconsole.provisioning.preflight import (
    FRESH,
    POLL,
    SETTLED,
    ProvisioningPreflight,
    change_set_name,
)
from opconsole.provisioning.reading_back import read_back
from opconsole.provisioning.record import RECORD_LIMIT, Decision, Record, RecordError, commit_record
from opconsole.provisioning.request import repository_of
from opconsole.provisioning.template import stack_name
from opconsole.resuming import Resumed
from opconsole.runs import asked_of
from opconsole.steps import Step, StepContext, StepFailed, StepInterrupted, StepKind
from opconsole.surroundings import Scope
from queues.states import RunState

EXECUTE = "execute"
"""The step from whose beginning on there may be a resource."""

VERIFY_LIMIT = 300.0


class ProvisioningStory(Resumed):
    """One run that provisions a resource, whoever began it."""

    _compares_in = Scope.PROJECT

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt)
        self._preflight = ProvisioningPreflight(attempt)

    async def _next_chapter(self) -> None:
        begun = self._attempt.run.state in (RunState.PREFLIGHT, RunState.RUNNING)
        await (Resumed if begun else Pipeline)._next_chapter(self)

    # -- before the gate

    async def _prepare(self) -> None:
        attempt = self._attempt
        started = attempt.run.started_at or attempt.host.clock.now()
        await attempt.enter(RunState.PREFLIGHT, started_at=started, **asked_of(attempt.task))
        effects = self._provisioning_steps()
        try:
            plan = await self._preflight.run([step for _, step in effects])
        except GuardrailsBlockError as block:
            attempt.tell("alert", priority="P0", text=str(block))
            await self._end.enter(RunState.BLOCKED, str(block))
            return
        except StepFailed as failure:
            await self._end.enter(RunState.FAILED, failure.reason)
            return
        await self._gate(plan, effects, irreversible=False, senior=self._preflight.senior)

    # -- behind the gate

    async def _derived(self, context: StepContext) -> Plan:
        del context
        return await self._preflight.derive([step for _, step in self._provisioning_steps()])

    async def _change(self) -> None:
        if not await self._compared():
            return
        steps = self._provisioning_steps()
        await self._carried_out(await self._perform(await self._attempt.take_up(Phase.EFFECT, steps)))

    async def _go_on(self, rows: Sequence[StepRow]) -> None:
        effects = [row for row in rows[1:] if row.phase is Phase.EFFECT]
        await self._preflight.work_out()
        await self._carried_out(await self._perform_rest(effects, self._provisioning_steps()))

    async def _failed(self, failure: StepFailed) -> None:
        attempt = self._attempt
        attempt.tell("alert", priority="P0", text=f"{attempt.run.task} failed: {failure.reason}")
        if EXECUTE not in self._touched:
            await self._end.enter(RunState.FAILED, f"{failure.reason}; nothing was changed")
            return
        await self._end.halt(f"{failure.reason}; a resource that was made stays: opconsole deletes none")

    async def _succeeded(self) -> None:
        attempt = self._attempt
        text = f"provisioned {self._preflight.request.resource.name}"
        if attempt.gate.kind is GateKind.PRODUCTION:
            text += TO_BE_VERIFIED
        await self._end.enter(RunState.SUCCEEDED, text)

    # -- the effects

    def _provisioning_steps(self) -> ScopedSteps:
        limit = self._attempt.host.workspace.settings.policy.deployment_limit
        steps = (
            Step(EXECUTE, StepKind.PROBE, "Execute the change set", None, limit, self._execute),
            Step("verify", StepKind.REPEATABLE, "Read the resource back", None, VERIFY_LIMIT, self._verify),
            Step("record", StepKind.REPEATABLE, "Commit the record", None, RECORD_LIMIT, self._record),
        )
        return [(Scope.PROJECT, step) for step in steps]

    async def _execute(self, context: StepContext) -> str:
        """Execute the change set, or go on waiting for one that is being executed already."""
        request, aws = self._preflight.request, self._preflight.aws
        stack, name = stack_name(request.resource), change_set_name(self._attempt, request)
        try:
            found = await asyncio.to_thread(aws.change_set, stack, name)
            if found is None and not await self._is_made(stack):
                raise StepFailed(f"the change set {name} is gone", begun=False)
            if found is not None and found.execution == "AVAILABLE":
                await asyncio.to_thread(aws.execute, stack, name)
            elif found is not None and found.execution not in ("EXECUTE_IN_PROGRESS", "EXECUTE_COMPLETE"):
                raise StepFailed(f"the change set {name} is {found.execution}: {found.reason}", begun=False)
            return await self._settled(context, stack)
        except AwsError as error:
            raise StepFailed(str(error), begun=error.code not in _REFUSED) from error

    async def _is_made(self, stack: str) -> bool:
        """Say whether the stack is what the template says: CloudFormation drops change sets once executed."""
        aws = self._preflight.aws
        found = await asyncio.to_thread(aws.stack, stack)
        if found is None or found.status in FRESH:
            return False
        made = await asyncio.to_thread(aws.template, stack)
        return bool(made == json.loads(self._preflight.request.template))

    async def _settled(self, context: StepContext, stack: str) -> str:
        """Wait until CloudFormation is done, and tell what it says meanwhile."""
        clock, aws = self._attempt.host.clock, self._preflight.aws
        until = clock.now().timestamp() + self._attempt.host.workspace.settings.policy.deployment_limit
        seen: set[str] = set()
        while True:
            found = await asyncio.to_thread(aws.stack, stack)
            for event, text in await asyncio.to_thread(aws.events, stack):
                if event not in seen:
                    seen.add(event)
                    context.note(text)
            if found is None:
                raise StepInterrupted(f"the stack {stack} is gone; look at the account before deciding")
            if found.status in SETTLED and "ROLLBACK" not in found.status:
                return f"{stack} is {found.status}"
            if found.status.endswith(("_COMPLETE", "_FAILED")):
                reason = f": {found.reason}" if found.reason else "; the log has its events"
                raise StepFailed(f"the stack {stack} is {found.status}{reason}")
            if clock.now().timestamp() > until:
                raise StepInterrupted(f"the stack {stack} is still {found.status}; AWS goes on with it")
            await clock.sleep(POLL)

    async def _verify(self, context: StepContext) -> str:
        checks = await self._read_back()
        for holds, text in checks:
            context.note(f"{'as asked' if holds else 'NOT as asked'}: {text}")
        wrong = [text for holds, text in checks if not holds]
        if wrong:
            raise StepFailed(f"read back, the resource is not {'; not '.join(wrong)}")
        return f"{len(checks)} promises hold"

    async def _read_back(self) -> list[tuple[bool, str]]:
        request, aws = self._preflight.request, self._preflight.aws
        try:
            outputs = await self._outputs()
            return await asyncio.to_thread(read_back, aws, request.resource, outputs)
        except AwsError as error:
            raise StepFailed(f"the resource could not be read back: {error}") from error
        except (KeyError, IndexError, ValueError) as error:
            raise StepFailed(f"AWS told of the resource in a way that is not known: {error!r}") from error

    async def _outputs(self) -> Mapping[str, str]:
        stack = await asyncio.to_thread(
            self._preflight.aws.stack, stack_name(self._preflight.request.resource)
        )
        return {} if stack is None else stack.outputs

    async def _record(self, context: StepContext) -> str:
        del context
        attempt, request = self._attempt, self._preflight.request
        planned = (attempt.run.plan or {}).get("provisioning")
        account = str(planned.get("account", "")) if isinstance(planned, Mapping) else ""
        approvals = await attempt.host.read(attempt.host.reader.approvals_of, attempt.run.id)
        decisions = [
            Decision(one.decided_by or "", str(iso(one.decided_at)), one.reason or "", one.digest)
            for one in approvals
            if one.state is ApprovalState.APPROVED and one.decided_at is not None
        ]
        try:
            record = Record(
                project=attempt.run.project,
                task=attempt.run.task,
                run=attempt.run.id,
                resource=request.resource,
                case=request.case,
                cost=request.cost,
                template=request.template,
                account=account,
                region=self._preflight.aws.access.region,
                stack=stack_name(request.resource),
                decisions=decisions,
                outputs=await self._outputs(),
                verified=[text for holds, text in await self._read_back() if holds],
            )
            commit = await commit_record(repository_of(attempt.host.workspace, attempt.run.project), record)
        except (RecordError, AwsError) as error:
            raise StepFailed(str(error)) from error
        return f"{record.project}/{record.resource.name} in commit {commit[:12]}"


_REFUSED = frozenset({"InvalidChangeSetStatus", "ChangeSetNotFound", "AccessDenied", "AccessDeniedException"})
"""AWS's words for an execution that never began."""
