"""Attack 25: a policy loosened by the same change that it gates."""

from __future__ import annotations

import pytest

from opconsole.journal.records import PolicyState, RequestKind

STRICT = '[approvals]\napprovers = ["eve", "kim"]\nquorum = 2\n'
LOOSENED = [
    pytest.param('[approvals]\napprovers = ["mallory"]\n', "", id="approvers"),
    pytest.param("[approvals]\nquorum = 1\n", "", id="everybody"),
    pytest.param('[approvals]\napprovers = ["eve", "kim", "mallory"]\nquorum = 1\n', "", id="one-more"),
    pytest.param(
        STRICT,
        '[projects.app.environments.production.approvals]\napprovers = ["mallory"]\nquorum = 1\n',
        id="in-the-environment",
    ),
]


@pytest.mark.parametrize(("policy", "more"), LOOSENED)
async def test_the_change_is_judged_by_the_policy_before_it(project, deploy, policy, more):
    project.policy = STRICT
    project.settings()
    async with project.hosted():
        pass
    project.policy, project.more = policy, more
    project.settings()
    project.queue(deploy("PROD", "production"))
    async with project.hosted(user="mallory") as driver:
        await driver.go()
        change = driver.reader.policy()
        assert change.state is PolicyState.WAITING
        assert not (await driver.approve("PROD", by="mallory")).granted
        say = {"policy": change.id, "plan": change.digest, "reason": "me too"}
        assert not (await driver.ask(RequestKind.APPROVE, by="mallory", **say)).granted
        assert not (await driver.ask(RequestKind.REJECT, by="mallory", **say)).granted
        assert driver.effects("PROD") == []
        assert (await driver.approve("PROD", by="eve")).granted
        assert driver.effects("PROD") == []  # one of two
        assert (await driver.approve("PROD", by="kim")).granted
        assert driver.state("PROD") == "succeeded"


async def test_nobody_adds_their_own_key_to_the_signers(project, deploy, allow):
    path = allow("eve")
    project.policy = f'[approvals]\nallowed_signers = "{path}"'
    project.settings()
    async with project.hosted() as driver:
        before = driver.host.in_force.signers
    allow("eve", "mallory")
    async with project.hosted() as driver:
        assert driver.host.in_force.signers == before
        assert driver.reader.policy().state is PolicyState.WAITING


async def test_nobody_turns_signatures_off_for_their_own_change(project, deploy, allow):
    project.policy = f'[approvals]\nallowed_signers = "{allow("eve")}"'
    project.settings()
    async with project.hosted():
        pass
    project.policy = ""
    project.settings()
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        refused = await driver.approve("PROD", by="eve")
        assert "must be signed" in refused.text
        change = driver.reader.policy()
        say = {"policy": change.id, "plan": change.digest, "reason": "off"}
        assert "must be signed" in (await driver.ask(RequestKind.APPROVE, by="eve", **say)).text
        assert driver.effects("PROD") == []


async def test_no_commit_takes_its_own_build_out_of_the_sandbox(project, deploy):
    project.project_lines = 'sandbox = "required"'
    project.settings()
    async with project.hosted():
        pass
    project.project_lines = ""
    project.write("test.sh", f"touch {project.root}/reached; exit 1\n")
    project.settings()
    project.queue(deploy("DEV", "development"))
    async with project.hosted() as driver:
        assert driver.reader.policy().state is PolicyState.WAITING
        assert driver.host.workspace.project("app").sandbox.value == "required"
        await driver.go()
        assert driver.state("DEV") == "failed"
    assert not (project.root / "reached").exists()


async def test_production_s_target_is_not_reached_through_a_link_and_another_project(project, deploy):
    async with project.hosted():
        pass
    (project.root / "side").symlink_to(project.root / "targets")
    (project.root / "projects" / "other").mkdir()
    project.more = (
        '[projects.other]\npath = "projects/other"\n'
        '[projects.other.environments.demo]\ngate = "development"\n'
        'target = { type = "releases", path = "side/production" }\n'
    )
    project.settings()
    async with project.hosted() as driver:
        [told] = driver.reader.policy().loosens
        assert told == "other:demo is new and reaches what app:production reaches"
        assert "demo" not in driver.host.workspace.environments("other")


async def test_production_s_target_is_not_reached_through_a_new_environment(project, deploy):
    async with project.hosted():
        pass
    project.more = (
        '[projects.app.environments.demo]\ngate = "development"\n'
        '[projects.app.environments.demo.target]\ntype = "releases"\npath = "targets/production"\n'
    )
    project.settings()
    project.queue(deploy("DEMO", "demo"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("DEMO") == "no run"
        assert "demo" not in driver.host.workspace.environments("app")
    assert project.current("production") == ""
