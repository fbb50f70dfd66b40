"""The pre-flight of provisioning: the case, the template, the cost, the account and the change set.

None of it makes a resource. A change set is CloudFormation's own plan: what it would do, worked out by AWS.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

from guardrails.findings import Finding, Verdict
from opconsole.attempt import Attempt
from opconsole.basis import policy_of
from opconsole.journal.records import Phase
from opconsole.plans import Plan, entry_digest, seal
from opconsole.preflight import GuardrailsBlockError
from opconsole.provisioning.aws import Aws, AwsAccess, AwsError, ChangeSet
from opconsole.provisioning.lint import LINT_LIMIT, LintError, lint_argv, read_hits
from opconsole.provisioning.record import RecordError, check_repository
from opconsole.provisioning.request import ProvisioningRequest, RequestError, aws_of, repository_of, work_out
from opconsole.provisioning.review import harmful_changes, lint_findings, report_of
from opconsole.provisioning.template import stack_name
from opconsole.steps import Act, Step, StepContext, StepFailed, StepKind
from opconsole.surroundings import Scope

REVIEW_LIMIT = 60.0
AWS_LIMIT = 300.0
"""Seconds for asking AWS, and for CloudFormation to work out a change set."""
POLL = 2.0
"""Seconds between two looks at what CloudFormation is doing."""

FRESH = frozenset({"REVIEW_IN_PROGRESS"})
"""A stack in these states exists only to hold change sets that would create it."""
SETTLED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"})
"""A stack in these states can be changed."""


class ProvisioningPreflight:
    """The pre-flight of one provisioning run, and the deriving of its plan, which the comparison repeats."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._ticks: list[tuple[bool, str]] = []
        self._findings: list[Finding] = []
        self._request: ProvisioningRequest | None = None
        self.plan: Plan | None = None
        settings = aws_of(attempt.host.workspace, attempt.run.project)
        access = AwsAccess(
            settings.region, settings.profile, settings.role, settings.account, settings.endpoint
        )
        self.aws = Aws(access, attempt.host.environ)

    async def run(self, effects: Sequence[Step]) -> Plan:
        """Do all of it and give the plan. Raises StepFailed, or GuardrailsBlockError with the report."""
        attempt = self._attempt
        steps = [
            self._step("review", "Review the business case and its cost", REVIEW_LIMIT, self._review),
            self._step("lint", "Check the template", LINT_LIMIT, self._lint),
            self._step("account", "Confirm the account and the repository", AWS_LIMIT, self._account),
            self._step("change-set", "Let CloudFormation work out the changes", AWS_LIMIT, self._change_set),
            self._step("seal", "Seal the plan", AWS_LIMIT, self._seal_with(effects)),
        ]
        planned = await attempt.plan_steps(Phase.PREFLIGHT, [(Scope.PROJECT, step) for step in steps])
        for index, item in enumerate(planned):
            try:
                await attempt.perform(item)
            except StepFailed:
                attempt.skip(planned[index + 1 :])
                await self._keep()
                self._raise_if_blocked()
                raise
            await self._keep()
        if self.plan is None:
            raise StepFailed("the plan was not sealed; run the task again")
        return self.plan

    def _step(self, name: str, title: str, limit: float, act: Act) -> Step:
        return Step(name, StepKind.REPEATABLE, title, None, limit, act)

    async def _keep(self) -> None:
        report = report_of(self._attempt.run.environment, self._findings)
        await self._attempt.save(report=report.to_json(), preflight=tuple(self._ticks))

    def _raise_if_blocked(self) -> None:
        report = report_of(self._attempt.run.environment, self._findings)
        if report.verdict is Verdict.BLOCK:
            raise GuardrailsBlockError(report) from None

    def _judge(self, found: Sequence[Finding], tick: str) -> None:
        """Take findings into the report, tell them, and stop where one blocks."""
        self._findings += found
        for one in found:
            self._attempt.note(f"{one.verdict.value}: {one.path}: {one.rule}: {one.message}")
        blocked = [one for one in found if one.verdict is Verdict.BLOCK]
        self._ticks.append((not blocked, tick))
        if blocked:
            raise StepFailed("; ".join(f"{one.message}: {one.fix}" for one in blocked))

    # -- the steps' acts

    async def work_out(self) -> ProvisioningRequest:
        """Work the request out from its entry. Raises RequestError."""
        self._request = await asyncio.to_thread(work_out, self._attempt.host.workspace, self._attempt.task)
        return self._request

    async def _review(self, context: StepContext) -> str:
        try:
            request = await self.work_out()
        except RequestError as error:
            self._judge(error.findings, "Business case complete")
            raise StepFailed(str(error)) from error
        for line in request.cost.lines:
            context.note(f"${line.monthly} a month: {line.what}")
        for one in request.cost.assumptions:
            context.note(f"assumed: {one}")
        self._judge(request.findings, "Business case complete")
        cost = f"${request.cost.monthly} a month (prices as of {request.cost.as_of})"
        self._ticks.append((not request.cost.unknown, f"Cost estimated: {cost}"))
        return f"{request.resource.type.words} {request.resource.name}, {cost}"

    async def _lint(self, context: StepContext) -> str:
        request = self._asked()
        folder = self._attempt.folder / "work" / "template"
        region = self.aws.access.region
        try:
            await asyncio.to_thread(_write, folder, request.template)
            result, output = await context.capture(lint_argv("template.json", region), cwd=folder)
            hits = read_hits(output)
        except (LintError, OSError) as error:
            raise StepFailed(str(error)) from error
        if not result.ok and not hits:
            raise StepFailed(f"cfn-lint ended with status {result.status} and said nothing; the log has it")
        self._judge(lint_findings(hits), "Template checked by cfn-lint")
        return f"{len(hits)} hits" if hits else "nothing to object to"

    async def _account(self, context: StepContext) -> str:
        del context
        try:
            await check_repository(repository_of(self._attempt.host.workspace, self._attempt.run.project))
            identity = await asyncio.to_thread(self.aws.identity)
        except (AwsError, RecordError) as error:
            raise StepFailed(
                f"{error}; the estimate and the template are in the log and the report"
            ) from error
        self._ticks.append((True, f"Account {identity.account} confirmed"))
        return f"{identity.arn} in {self.aws.access.region}"

    async def _change_set(self, context: StepContext) -> str:
        request = self._asked()
        stack, name = stack_name(request.resource), change_set_name(self._attempt, request)
        try:
            kind = await self._kind_of_change(stack)
            tags = {"opconsole:project": self._attempt.run.project, "opconsole:task": self._attempt.run.task}
            await asyncio.to_thread(
                self.aws.create_change_set, stack, name, request.template, kind=kind, tags=tags
            )
            found = await self._worked_out(stack, name)
        except AwsError as error:
            raise StepFailed(str(error)) from error
        for change in found.changes:
            context.note(f"{change[0]} {change[1]} ({change[2]})")
        self._judge(harmful_changes(found.changes), f"Change set with {len(found.changes)} changes")
        return f"{kind.lower()} {stack}: {len(found.changes)} changes"

    async def _kind_of_change(self, stack: str) -> str:
        found = await asyncio.to_thread(self.aws.stack, stack)
        if found is None or found.status in FRESH:
            return "CREATE"
        if found.status in SETTLED:
            return "UPDATE"
        raise StepFailed(
            f"the stack {stack} is {found.status} ({found.reason or 'no reason told'}): wait until it is "
            "complete, or mend it in AWS; opconsole deletes no stack"
        )

    async def _worked_out(self, stack: str, name: str) -> ChangeSet:
        clock = self._attempt.host.clock
        until = clock.now().timestamp() + AWS_LIMIT
        while True:
            found = await asyncio.to_thread(self.aws.change_set, stack, name)
            if found is not None and found.status == "CREATE_COMPLETE":
                return found
            if found is not None and found.empty:
                raise StepFailed(
                    f"the stack {stack} is as it is asked for already: there is nothing to change"
                )
            if found is not None and found.status == "FAILED":
                raise StepFailed(f"CloudFormation made no change set: {found.reason}")
            if clock.now().timestamp() > until:
                raise StepFailed(f"CloudFormation made no change set within {AWS_LIMIT:g} s")
            await clock.sleep(POLL)

    def _seal_with(self, effects: Sequence[Step]) -> Act:
        async def act(context: StepContext) -> str:
            del context
            self.plan = await self.derive(effects)
            return "derived from the entry, the prices and the change set"

        return act

    # -- the plan

    async def derive(self, effects: Sequence[Step]) -> Plan:
        """Derive the plan from the entry, the settings, the prices and AWS. Raises StepFailed."""
        attempt = self._attempt
        workspace = attempt.host.workspace
        try:
            request = await self.work_out()
            identity = await asyncio.to_thread(self.aws.identity)
            stack, name = stack_name(request.resource), change_set_name(attempt, request)
            found = await asyncio.to_thread(self.aws.change_set, stack, name)
        except (RequestError, AwsError) as error:
            raise StepFailed(str(error)) from error
        if found is not None and found.execution == "OBSOLETE":
            raise StepFailed(
                f"the change set {name} is out of date: the stack was changed since; run the task again"
            )
        run = attempt.run
        return seal(
            {
                "task": str(run.key),
                "entry": entry_digest(attempt.task),
                "run": run.id,
                "attempt": run.attempt,
                "project": run.project,
                "environment": run.environment,
                "action": run.action,
                "version": {"from": None, "to": None},
                "provisioning": {
                    **request.to_json(),
                    "account": identity.account,
                    "region": self.aws.access.region,
                    "stack": stack,
                    # One that is not there was made of another template: the plan differs, and is asked anew.
                    "change_set": found and {"name": name, "changes": [list(one) for one in found.changes]},
                },
                "findings": [
                    {"path": one.path, "rule": one.rule, "verdict": one.verdict.value, "line": one.line}
                    for one in request.findings
                ],
                "steps": [{"name": step.name, "kind": step.kind.value, "argv": None} for step in effects],
                "policy": policy_of(
                    attempt.host, run.project, run.environment, asks=attempt.task.requires_approval
                ),
                "needs": {"approvals": request.needed.approvals, "seniors": request.needed.seniors},
                "approvers": list(workspace.approvers(run.project, run.environment)),
                "named_approvers": list(attempt.task.approvers),
            }
        )

    @property
    def senior(self) -> bool:
        """Whether the cost wants a second, senior approver."""
        return self._asked().needed.seniors > 0

    def _asked(self) -> ProvisioningRequest:
        if self._request is None:
            raise StepFailed("the request was not reviewed; run the task again")
        return self._request

    @property
    def request(self) -> ProvisioningRequest:
        """What is asked for, once it was worked out. Raises StepFailed before."""
        return self._asked()


def change_set_name(attempt: Attempt, request: ProvisioningRequest) -> str:
    """Name the change set of a run: another template is another change set."""
    digest = hashlib.sha256(request.template.encode()).hexdigest()[:12]
    return f"opconsole-{attempt.run.id}-{digest}".replace("_", "-")


def _write(folder: Path, template: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "template.json").write_text(template, "utf-8")
