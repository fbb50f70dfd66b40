"""What the digest of a sealed plan covers, item by item, and what it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from opconsole.attempt import Attempt
from opconsole.basis import Basis, seal_plan
from opconsole.host import Host
from opconsole.journal.records import Run
from opconsole.plans import Plan, differences
from opconsole.settings import ApprovalRules, Settings
from opconsole.settings.model import Sandboxed
from opconsole.signing import Signers
from opconsole.steps import Step
from queues.tasks import Task


@dataclass
class Sealing:
    """All that a plan is sealed from; a test changes one thing of it."""

    host: Host
    task: Task
    run: Run
    basis: Basis
    steps: list[Step]

    async def plan(self) -> Plan:
        return await seal_plan(Attempt(self.host, self.task, self.run), self.basis, self.steps)

    def settings(self, change: Callable[[Settings], Settings]) -> None:
        force = self.host.in_force
        changed = replace(force.workspace, settings=change(force.workspace.settings))
        self.host.in_force = replace(force, workspace=changed)

    def environment(self, **fields: Any) -> None:
        def change(settings: Settings) -> Settings:
            project = settings.projects["app"]
            one = project.environments["production"].model_copy(update=fields)
            environments = {**project.environments, "production": one}
            project = project.model_copy(update={"environments": environments})
            return settings.model_copy(update={"projects": {**settings.projects, "app": project}})

        self.settings(change)

    def project(self, **fields: Any) -> None:
        def change(settings: Settings) -> Settings:
            project = settings.projects["app"].model_copy(update=fields)
            return settings.model_copy(update={"projects": {**settings.projects, "app": project}})

        self.settings(change)

    def approvals(self, **fields: Any) -> None:
        def change(settings: Settings) -> Settings:
            rules = settings.approvals.model_copy(update=fields)
            return settings.model_copy(update={"approvals": rules})

        self.settings(change)

    def rules(self, **fields: Any) -> None:
        self.environment(approvals=ApprovalRules(**fields))

    def target(self, **fields: Any) -> None:
        one = self.host.workspace.environment("app", "production").target
        self.environment(target=one.model_copy(update=fields))

    def health(self, **fields: Any) -> None:
        [check] = self.host.workspace.environment("app", "production").health
        self.environment(health=(check.model_copy(update=fields),))

    def of_task(self, **fields: Any) -> None:
        self.task = replace(self.task, **fields)

    def of_run(self, **fields: Any) -> None:
        self.run = replace(self.run, **fields)

    def of_basis(self, **fields: Any) -> None:
        self.basis = replace(self.basis, **fields)

    def found(self, **fields: Any) -> None:
        self.of_basis(target=replace(self.basis.target, **fields))

    def migrations(self, **fields: Any) -> None:
        assert self.basis.migrations is not None
        self.of_basis(migrations=replace(self.basis.migrations, **fields))

    def migration(self, **fields: Any) -> None:
        assert self.basis.migrations is not None
        first, *rest = self.basis.migrations.steps
        self.migrations(steps=(replace(first, **fields), *rest))

    def step(self, name: str, **fields: Any) -> None:
        assert any(one.name == name for one in self.steps)
        self.steps = [replace(one, **fields) if one.name == name else one for one in self.steps]

    def finding(self, **fields: Any) -> None:
        finding = {"rule": "drop-table", "verdict": "exempt", "line": 3, "reason": "moved", **fields}
        self.of_run(report={"files": [{"path": "alembic/versions/0002.py", "findings": [finding]}]})

    def edit(self, name: str) -> None:
        path = self.host.workspace.root / "bin" / name
        path.write_text(path.read_text() + "# edited\n")

    def signers(self, *lines: str) -> None:
        self.approvals(allowed_signers="signers")
        self.host.in_force = replace(self.host.in_force, signers=Signers(lines))


Change = Callable[[Sealing], None]

COVERED: dict[str, Change] = {
    "task:": lambda it: it.of_run(task="OTHER"),
    "entry:": lambda it: it.of_task(raw={**it.task.raw, "description": "else"}),
    "run:": lambda it: it.of_run(id="r-other"),
    "attempt:": lambda it: it.of_run(attempt=2),
    "environment:": lambda it: it.of_run(environment="staging"),
    "action:": lambda it: it.of_run(action="rollback"),
    "version.from:": lambda it: it.found(version="0.9.0"),
    "version.to:": lambda it: it.of_run(version="1.0.1"),
    "commit:": lambda it: it.of_basis(source=replace(it.basis.source, commit="f" * 40)),
    "source:": lambda it: it.of_basis(stored=replace(it.basis.stored, digest="sha256:" + "1" * 64)),
    "artifact:": lambda it: it.of_basis(artifact_digest="sha256:" + "1" * 64),
    "target.identity:": lambda it: it.target(path="targets/elsewhere"),
    "target.release:": lambda it: it.found(release="0.9.0-1"),
    "migrations.files[0].sha256:": lambda it: it.migration(sha256="1" * 64),
    "migrations.files[0].revision:": lambda it: it.migrations(steps=it.basis.migrations.steps[::-1]),
    "migrations.files[0].reversible:": lambda it: it.migration(reversible=False),
    "migrations.support[0].sha256:": lambda it: it.migrations(
        support=(
            (it.basis.migrations.support[0][0], "1" * 64),
            *it.basis.migrations.support[1:],
        )
    ),
    "migrations.from:": lambda it: it.migrations(start="0001"),
    "migrations.to:": lambda it: it.migrations(end="0003"),
    "migrations.database:": lambda it: it.migrations(database="sqlite:/elsewhere.db"),
    "preflight.test[0]": lambda it: it.project(test=(("true",),)),
    "preflight.build[0]": lambda it: it.project(build=(("true",),)),
    "preflight.sandbox.setting:": lambda it: it.project(sandbox=Sandboxed.REQUIRED),
    "preflight.sandbox.is:": lambda it: it.project(sandbox=Sandboxed.WHERE_POSSIBLE),
    "findings[0]": lambda it: it.finding(),
    "steps[": lambda it: it.step("restart", argv=("sh", "other.sh")),
    "checks.health": lambda it: it.health(argv=("true",)),
    "checks.smoke": lambda it: it.project(smoke=(("true",),)),
    "programs": lambda it: it.edit("restart.sh"),
    "policy.gate:": lambda it: it.environment(gate=it.host.workspace.gate("app", "staging").kind),
    "policy.requires_approval:": lambda it: it.environment(requires_approval=True),
    "policy.limits.deployment:": lambda it: it.environment(
        limits=it.host.workspace.environment("app", "production").limits.model_copy(
            update={"deployment": 9.0}
        )
    ),
    "policy.expires_after:": lambda it: it.rules(expires_after=60.0),
    "policy.quorum:": lambda it: it.rules(quorum=2),
    "policy.four_eyes:": lambda it: it.rules(four_eyes=True),
    "policy.seniors[0]:": lambda it: it.rules(seniors=("sue",)),
    "policy.wait:": lambda it: it.rules(wait=60.0),
    "policy.break_glass_wait:": lambda it: it.approvals(break_glass_wait=1.0),
    "policy.signers:": lambda it: it.signers("eve ssh-ed25519 AAAA"),
    "approvers[0]:": lambda it: it.rules(approvers=("eve",)),
    "named_approvers[0]:": lambda it: it.of_task(approvers=("eve",)),
}
"""One change each, by the place that the sentence about it names."""


def without_secrets(it: Sealing) -> None:
    it.host.environ = {**it.host.environ, "PASSWORD": "another"}


LEFT_OUT: dict[str, Change] = {
    "how long a step may take at most": lambda it: it.step("restart", limit=1.0),
    "how long and how often health is asked": lambda it: it.health(within=2.0, interval=0.5, timeout=1.0),
    "where the private copy lies": lambda it: it.of_basis(
        stored=replace(it.basis.stored, path=it.host.place.runs / "elsewhere")
    ),
    "where the run's migrations lie": lambda it: it.migrations(root=it.host.place.runs / "elsewhere"),
    "the values of secrets": without_secrets,
    "the project's virtual environment": lambda it: it.project(venv="another/venv"),
    "the target's virtual environment": lambda it: it.target(venv="another/venv"),
    "what is echoed into the entry": lambda it: it.of_task(raw={**it.task.raw, "status": "in_progress"}),
    "when the run began": lambda it: it.of_run(started_at=None),
    "what a step is called": lambda it: it.step("restart", title="Put to work"),
}


@pytest.fixture
async def sealed(project, deploy, migrations, monkeypatch):
    """Bring a deployment with migrations to its gate, and hand over what its plan was sealed from."""
    seen: list[Sealing] = []

    async def spy(attempt, basis, steps):
        seen.append(Sealing(attempt.host, attempt.task, attempt.run, basis, list(steps)))
        return await seal_plan(attempt, basis, steps)

    monkeypatch.setattr("opconsole.pipeline.seal_plan", spy)
    migrations()
    project.smoke = '["sh", "smoke.sh"]'
    project.settings()
    project.queue(deploy("PROD", "production", run_migrations=True))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("PROD") == "waiting", driver.run("PROD").reason
        yield seen[-1], driver.approval("PROD")


async def test_each_item_that_the_plan_covers_changes_its_digest_and_is_named(sealed):
    sealing, approval = sealed
    before, in_force = await sealing.plan(), sealing.host.in_force
    assert before.digest == approval.digest
    bin_before = {path: path.read_text() for path in (sealing.host.workspace.root / "bin").iterdir()}
    for named, change in COVERED.items():
        changed = replace(sealing)
        change(changed)
        after = await changed.plan()
        told = differences(before.document, after.document)
        assert after.digest != before.digest, named
        assert any(sentence.startswith(named) for sentence in told), (named, told)
        sealing.host.in_force = in_force
        for path, text in bin_before.items():
            path.write_text(text)


async def test_nothing_that_the_plan_leaves_out_changes_its_digest(sealed):
    sealing, approval = sealed
    in_force = sealing.host.in_force
    for what, change in LEFT_OUT.items():
        changed = replace(sealing)
        change(changed)
        assert (await changed.plan()).digest == approval.digest, what
        sealing.host.in_force = in_force


async def test_an_exemption_and_its_reason_are_part_of_the_plan(sealed):
    sealing, _ = sealed
    digests = set()
    for more in ({}, {"reason": "another"}, {"verdict": "warn"}, {"line": 4}, {"rule": "truncate"}):
        changed = replace(sealing)
        changed.finding(**more)
        digests.add((await changed.plan()).digest)
    assert len(digests) == 5
