"""Pre-flight: everything that is looked at, tested and built before anything changes.

All of it works on one clean export of one commit. What it finds decides the verdict, the ticks of the
approval prompt and the plan.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from guardrails.check import check_migrations, check_sources
from guardrails.findings import Finding, Report, Verdict
from opconsole.alembic_program import BASE
from opconsole.artifacts import StoreError
from opconsole.attempt import Attempt
from opconsole.basis import (
    Basis,
    derive,
    goes_back,
    migration_limit,
    read_migrations,
    resolve,
    site_of,
    wants_migrations,
)
from opconsole.effects import working_copy
from opconsole.git import GitError
from opconsole.handing import handed
from opconsole.journal import ops
from opconsole.journal.records import ArtifactRow, Phase
from opconsole.journal.writer import AuditOp
from opconsole.migrating import migrations_folder
from opconsole.migration_database import surely
from opconsole.program_check import check_programs
from opconsole.sandbox import Sandbox, make_sandbox
from opconsole.settings.model import Dialect, Downgrade, Sandboxed
from opconsole.sources import SourceError, StoredSource
from opconsole.step_runner import Planned
from opconsole.steps import Step, StepContext, StepFailed, StepKind, describe_result
from opconsole.surroundings import Scope
from opconsole.trees import UnsafeTreeError, inside, remove_tree
from queues.tasks import MigrationAction, TaskKind

GIT_LIMIT = 300.0
"""Seconds for taking an export."""


class GuardrailsBlockError(Exception):
    """Guardrails stop the run; *report* says where and why."""

    def __init__(self, report: Report) -> None:
        self.report = report
        super().__init__(_blocking_sentence(report))


class Preflight:
    """The pre-flight of one run. Its parts are steps; what they find is kept here for the plan."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._ticks: list[tuple[bool, str]] = []
        self._reports: list[Report] = []
        self._source: StoredSource | None = None
        self.basis: Basis | None = None

    async def run(self) -> Basis | None:
        """Do all of it and give the basis of the plan; None for a task that only validates.

        Raises StepFailed where something fails, GuardrailsBlockError where the guardrails stop the run.
        """
        attempt = self._attempt
        steps = self._steps()
        planned = await attempt.plan_steps(Phase.PREFLIGHT, steps)
        try:
            for index, item in enumerate(planned):
                await self._perform(item, planned[index + 1 :])
        finally:
            await asyncio.to_thread(remove_tree, attempt.folder / "work")
        return self.basis

    async def _perform(self, item: Planned, rest: Sequence[Planned]) -> None:
        """Do one step. A block is only final once the last of the scans has been made."""
        try:
            await self._attempt.perform(item)
        except StepFailed:
            report = self._report()
            blocked = report.verdict is Verdict.BLOCK
            if blocked and any(later.step.name in _SCANS for later in rest):
                return
            self._attempt.skip(rest)
            await self._keep(report)
            if blocked:
                raise GuardrailsBlockError(report) from None
            raise
        if item.step.name in _SCANS and not any(later.step.name in _SCANS for later in rest):
            report = self._report()
            await self._keep(report)
            if report.verdict is Verdict.BLOCK:
                self._attempt.skip(rest)
                raise GuardrailsBlockError(report)

    async def _keep(self, report: Report) -> None:
        attempt = self._attempt
        exempted = [
            {"rule": one.rule, "path": one.path, "line": one.line, "reason": one.reason}
            for one in report.findings
            if one.verdict is Verdict.EXEMPT
        ]
        writes: tuple[AuditOp, ...] = ()
        if exempted:
            now, by = attempt.host.clock.now(), attempt.host.operator
            writes = (ops.audit(now, by, "exempted", attempt.run.id, findings=exempted),)
        await attempt.save(*writes, report=report.to_json(), preflight=tuple(self._ticks))

    def _steps(self) -> list[tuple[Scope, Step]]:
        """Give the steps that this kind of task wants, in the order of the policy."""
        attempt, policy = self._attempt, self._attempt.host.workspace.settings.policy
        steps = [(Scope.PROJECT, self._step("export", "Take a clean export", GIT_LIMIT, self._export))]
        if wants_migrations(attempt):
            steps.append(
                (
                    Scope.ENVIRONMENT,
                    self._step("validate", "Validate migrations", migration_limit(attempt), self._validate),
                )
            )
        steps.append(
            (Scope.PROJECT, self._step("scan", "Scan for SQL and S3 calls", policy.scan_limit, self._scan))
        )
        if attempt.task.kind is TaskKind.DEPLOYMENT:
            if attempt.project.test:
                steps.append(
                    (Scope.PROJECT, self._step("test", "Run the tests", policy.test_limit, self._test))
                )
            steps.append((Scope.PROJECT, self._step("build", "Build", policy.build_limit, self._build)))
        if attempt.task.action is not MigrationAction.VALIDATE:
            steps.append((Scope.TARGET, self._step("seal", "Seal the plan", GIT_LIMIT, self._seal)))
        return steps

    def _step(self, name: str, title: str, limit: float, act: object) -> Step:
        return Step(name, StepKind.REPEATABLE, title, self._argv(name), limit, act)  # type: ignore[arg-type]

    def _argv(self, name: str) -> tuple[str, ...] | None:
        commands = {"test": self._attempt.project.test, "build": self._attempt.project.build}.get(name)
        return commands[0] if commands else None

    # -- the steps' acts

    async def _export(self, context: StepContext) -> str:
        attempt = self._attempt
        source = await resolve(attempt)
        if source.note:
            context.note(source.note)
        project = attempt.host.workspace.project_path(attempt.run.project)
        try:
            stored = await attempt.host.sources.export(project, source)
        except (SourceError, GitError, StoreError, UnsafeTreeError) as error:
            raise StepFailed(str(error)) from error
        self._source = stored
        version = attempt.run.version or source.version
        await attempt.save(
            commit_id=source.commit,
            source_digest=stored.digest,
            version=version,
            artifact_digest=None,
        )
        return f"{source.tag or source.kind.value} {source.commit[:19]}"

    async def _validate(self, context: StepContext) -> str:
        attempt = self._attempt
        stored = self._stored()
        configured = attempt.project.migrations
        folder = migrations_folder(site_of(attempt), attempt.task.migrations_path)
        since = None
        if attempt.task.action is not MigrationAction.VALIDATE:
            path = await read_migrations(attempt, context, stored)
            present = path.end if goes_back(attempt) else path.start
            since = None if present == BASE else present
            await attempt.save(revision_before=present, revision_after=present)
            caution = await surely(path.site, path.config, lambda database: database.caution)
            if caution:
                context.note(f"{path.database}: {caution}")
        required = configured is None or configured.downgrade is Downgrade.REQUIRED
        try:
            place = inside(stored.path, folder)
        except UnsafeTreeError as error:
            raise StepFailed(str(error)) from error
        checked = await asyncio.to_thread(
            check_migrations,
            place,
            root=stored.path,
            environment=attempt.run.environment,
            gate=attempt.gate.kind,
            dialect=(configured.dialect if configured else Dialect.POSTGRESQL).grammar,
            since_revision=since,
            downgrade_required=required,
        )
        self._reports.append(checked.report)
        reversible = checked.elements.reversible
        self._tick(
            ok=checked.report.verdict is not Verdict.BLOCK,
            text=f"Migrations validated ({'reversible' if reversible else 'not reversible'})",
        )
        sql = [finding for finding in checked.report.findings if finding.verdict is Verdict.BLOCK]
        self._tick(
            ok=not any(finding.rule not in _STRUCTURE for finding in sql),
            text="No SQL safety violations",
            otherwise="SQL safety violations",
        )
        return self._judge(checked.report, f"{len(checked.unapplied)} to apply")

    async def _scan(self, context: StepContext) -> str:
        del context
        attempt = self._attempt
        report = await asyncio.to_thread(
            check_sources,
            self._stored().path,
            environment=attempt.run.environment,
            gate=attempt.gate.kind,
            exclude=attempt.project.scan.exclude,
        )
        self._reports.append(report)
        self._tick(
            ok=report.verdict is not Verdict.BLOCK,
            text="No S3 safety violations",
            otherwise="S3 safety violations",
        )
        return self._judge(report, f"{len(report.files)} files read")

    def _judge(self, report: Report, told: str) -> str:
        for finding in report.findings:
            self._attempt.note(_finding_line(finding))
        if report.verdict is Verdict.BLOCK:
            raise StepFailed(_blocking_sentence(report))
        warnings = sum(finding.verdict is Verdict.WARN for finding in report.findings)
        return f"{told}, {warnings} warnings" if warnings else told

    async def _test(self, context: StepContext) -> str:
        try:
            await self._in_working_copy(context, "test", self._attempt.project.test)
        except StepFailed:
            self._ticks.insert(0, (False, "Tests failed"))
            raise
        self._ticks.insert(0, (True, "All tests passed"))
        return "all tests passed"

    async def _build(self, context: StepContext) -> str:
        attempt, host = self._attempt, self._attempt.host
        if not attempt.project.test:
            self._ticks.insert(0, (False, "No tests are configured"))
        run = attempt.run
        # Several environments may want the same version at once: the first builds it for all.
        async with host.building((run.project, run.version or "", run.commit_id or "")):
            return await self._build_once(context)

    async def _build_once(self, context: StepContext) -> str:
        attempt, host = self._attempt, self._attempt.host
        known = await self._built_before(context)
        if known is not None:
            await attempt.save(artifact_digest=known)
            self._tick(ok=True, text="Build successful")
            return f"{attempt.run.version} was built before: {known[:19]}"
        try:
            copy = await self._in_working_copy(context, "build", attempt.project.build)
            built = inside(copy, attempt.project.artifact) if attempt.project.artifact else copy
            if not built.exists():
                raise StepFailed(
                    f"the build made no {attempt.project.artifact}; check `artifact` and the log"
                )
            artifact = await host.artifacts.put(built)
        except (StoreError, UnsafeTreeError) as error:
            raise StepFailed(str(error)) from error
        row = ArtifactRow(
            project=attempt.run.project,
            version=attempt.run.version or "",
            commit_id=attempt.run.commit_id or "",
            source_digest=attempt.run.source_digest or "",
            artifact_digest=artifact.digest,
            built_at=host.clock.now(),
            run=attempt.run.id,
        )
        await attempt.save(ops.record_artifact(row), artifact_digest=artifact.digest)
        self._tick(ok=True, text="Build successful")
        return f"built {artifact.digest[:19]}"

    async def _built_before(self, context: StepContext) -> str | None:
        """Give the digest of what was built of this version and commit, where it is still whole."""
        run, host = self._attempt.run, self._attempt.host
        for artifact in await host.read(host.reader.artifacts, run.project, run.version or ""):
            if (artifact.commit_id, artifact.source_digest) != (run.commit_id, run.source_digest):
                continue
            try:
                await host.artifacts.verify(artifact.artifact_digest)
            except StoreError as error:
                context.note(f"{error}; building again")
            else:
                return artifact.artifact_digest
        return None

    async def _in_working_copy(
        self, context: StepContext, name: str, commands: Sequence[Sequence[str]]
    ) -> Path:
        """Run programs in a fresh copy of the export; what they write there harms nobody."""
        copy = await working_copy(self._attempt, name)
        sandbox = await self._sandbox(context, copy) if commands else None
        for argv in commands:
            result = await context.program(sandbox.argv(argv) if sandbox else argv, cwd=copy)
            if not result.ok:
                raise StepFailed(f"{name} failed: {' '.join(argv)}: {describe_result(result)}")
        return copy

    async def _sandbox(self, context: StepContext, copy: Path) -> Sandbox | None:
        """Give the sandbox that the project's programs are to run in. Raises StepFailed where one must be."""
        attempt, wanted = self._attempt, self._attempt.project.sandbox
        if wanted is Sandboxed.OFF:
            return None
        host, project = attempt.host, attempt.project
        home = host.environ.get("HOME")
        made = await asyncio.to_thread(
            make_sandbox,
            copy,
            home=Path(home) if home else None,
            state=host.place.root.parent,
            venv=host.workspace.project_path(attempt.run.project) / project.venv if project.venv else None,
            readable=[await asyncio.to_thread(handed, host.place, attempt.run.id)],
            writable=[copy],
        )
        if isinstance(made, Sandbox):
            return made
        if wanted is Sandboxed.REQUIRED:
            raise StepFailed(f"a sandbox is required, and there is none: {made}")
        context.note(f"without a sandbox: {made}")
        return None

    async def _seal(self, context: StepContext) -> str:
        await asyncio.to_thread(check_programs, self._attempt)
        self.basis = await derive(self._attempt, context)
        state = self.basis.target
        if self._attempt.task.kind is TaskKind.DEPLOYMENT and not state.known:
            context.note(state.detail or "this target cannot be probed")
        await self._attempt.save(preflight=tuple(self._ticks))
        return state.detail or "derived from sources and database"

    # -- helpers

    def _stored(self) -> StoredSource:
        if self._source is None:
            raise StepFailed("there is no export; run the task again")
        return self._source

    def _tick(self, *, ok: bool, text: str, otherwise: str = "") -> None:
        self._ticks.append((ok, text if ok or not otherwise else otherwise))

    def _report(self) -> Report:
        files = tuple(file for report in self._reports for file in report.files if file.findings)
        environment = self._attempt.run.environment
        return replace(Report(environment), files=files)


_SCANS = frozenset({"validate", "scan"})
_STRUCTURE = frozenset(
    {"missing-upgrade", "missing-downgrade", "irreversible-downgrade", "missing-description"}
    | {"several-heads", "missing-parent", "duplicate-revision", "revision-cycle"}
)


def _finding_line(finding: Finding) -> str:
    return f"{finding.verdict.value}: {finding.path}:{finding.line}: {finding.rule}: {finding.message}"


def _blocking_sentence(report: Report) -> str:
    blocking = [finding for finding in report.findings if finding.verdict is Verdict.BLOCK]
    if not blocking:
        return "nothing blocks"
    first = blocking[0]
    more = f" (and {len(blocking) - 1} more)" if len(blocking) > 1 else ""
    return f"blocked by guardrails: {first.path}:{first.line}: {first.rule}: {first.message}{more}"
