"""The comparison under the lock: an approval is for one plan, and what changed since is asked again."""

from __future__ import annotations

import pytest

from opconsole import basis
from opconsole.journal.records import ApprovalState, RequestKind
from opconsole.plans import seal


@pytest.fixture
def asked_again():
    """Check that an approval was void: nothing was run, and the new request names the difference."""

    async def check(driver, task, *named: str, release: str = "") -> None:
        before = driver.approval(task).digest
        answer = await driver.approve(task)
        # What changed in files is seen when the decision is taken, the rest under the lock.
        assert answer.granted or "the plan changed" in answer.text, answer.text
        assert driver.state(task) == "waiting", driver.run(task).reason
        assert driver.effects(task) == []
        first, second = driver.reader.approvals_of(driver.run(task).id)
        assert (first.digest, first.state) == (before, ApprovalState.VOID)
        assert second.digest != before
        [told] = driver.events("plan-changed")
        changes = " | ".join(told.detail["changes"])
        for name in named:
            assert name in changes
        lock = driver.reader.lock("app", driver.run(task).environment)
        assert lock is None or lock.run is None
        assert (await driver.approve(task)).granted
        assert driver.state(task) == "succeeded"

    return check


async def test_a_tag_that_moved_voids_the_approval(in_git, deploy, asked_again):
    in_git.queue(deploy("PROD", "production", "1.1.0"))
    in_git.write("app.txt", "second\n")
    in_git.git("commit", "-qam", "second")
    in_git.git("tag", "v1.1.0")
    async with in_git.hosted() as driver:
        await driver.go()
        in_git.git("commit", "-q", "--allow-empty", "-m", "third")
        in_git.git("tag", "-f", "v1.1.0")
        await driver.approve("PROD")
        # Refused rather than asked again: production holds a version to the commit that it was built from.
        assert driver.state("PROD") == "failed"
        assert "is on record with commit" in driver.run("PROD").reason
        assert driver.effects("PROD") == []


async def test_a_queue_entry_that_was_edited_voids_the_approval(project, deploy, asked_again):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        project.queue(deploy("PROD", "production", description="and something else"))
        await driver.engine.reload()
        await asked_again(driver, "PROD", "entry")


async def test_another_sandbox_voids_the_approval_and_what_changed_is_named(project, deploy, asked_again):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.approval("PROD").plan["preflight"]["sandbox"] == {"setting": "off", "is": "none"}
    project.project_lines = "sandbox = true"
    project.settings()
    async with project.hosted() as driver:
        await driver.go()
        named = 'preflight.sandbox.setting: was "off", is now "where-possible"'
        await asked_again(driver, "PROD", named)


async def test_an_approval_of_a_plan_of_an_older_version_is_asked_for_again(project, deploy, asked_again):
    project.queue(deploy("PROD", "production"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(basis, "seal", lambda document: seal(without(document, "format", "preflight")))
        async with project.hosted() as driver:
            await driver.go()
            assert "format" not in driver.approval("PROD").plan
    async with project.hosted() as driver:
        await driver.go()
        await asked_again(driver, "PROD", "another version of opconsole", "preflight: was nothing")


def without(document, *names):
    return {name: value for name, value in document.items() if name not in names}


async def test_what_the_edited_entry_asks_for_is_what_is_asked_again(project, deploy):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        project.queue(deploy("PROD", "production", "1.0.1"))
        await driver.engine.reload()
        await driver.approve("PROD")
        assert driver.state("PROD") == "waiting"
        assert driver.approval("PROD").plan["version"]["to"] == "1.0.1"
        await driver.approve("PROD")
        assert driver.run("PROD").version == "1.0.1"
    assert project.current("production") == "1.0.1-1"


async def test_what_opconsole_itself_echoes_into_the_entry_is_no_edit(project, deploy):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        assert project.entry("PROD")["status"] == "in_progress"
        await driver.engine.reload()
        await driver.approve("PROD")
        assert driver.state("PROD") == "succeeded"


async def test_a_release_switched_by_hand_voids_the_approval(project, deploy, asked_again):
    project.queue(deploy("ONE", "production"), deploy("TWO", "production", "1.1.0", depends_on=["ONE"]))
    async with project.hosted() as driver:
        await driver.go()
        await driver.approve("ONE")
        await driver.approve("TWO")
        project.write("app.txt", "third\n")
        project.queue(deploy("THREE", "production", "1.2.0"))
        await driver.engine.reload()
        await driver.idle()
        link = project.target("production") / "current"
        link.unlink()
        link.symlink_to("releases/1.0.0-1")
        await asked_again(driver, "THREE", "target", "1.0.0-1")


async def test_a_file_of_the_checkout_that_changed_voids_the_approval_in_a_plain_folder(
    project, deploy, asked_again
):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        project.write("app.txt", "edited\n")
        await driver.approve("PROD")
        assert driver.effects("PROD") == []
        assert driver.state("PROD") == "failed"
        assert "is on record with commit" in driver.run("PROD").reason


SETTINGS = [
    pytest.param("smoke", '[["true"], ["sh", "smoke.sh"]]', "smoke", id="smoke"),
    pytest.param("health", '["true"]', "health", id="health"),
]


@pytest.mark.parametrize(("name", "value", "named"), SETTINGS)
async def test_settings_of_the_steps_that_changed_void_the_approval(  # noqa: PLR0917 - fixtures
    project, deploy, asked_again, name, value, named
):
    project.smoke = '[["true"], ["sh", "smoke.sh", "-v"]]'
    project.settings()
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
    setattr(project, name, value.format(bin=project.bin))
    project.settings()
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("PROD") == "waiting"
        await asked_again(driver, "PROD", named)


async def test_a_target_that_changed_voids_the_approval_once_the_change_is_in_force(
    project, deploy, asked_again
):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
    project.restart = f'["sh", "{project.bin}/restart.sh", "--hard"]'
    project.settings()
    async with project.hosted() as driver:
        await driver.go()
        policy = driver.reader.policy()
        assert "--hard" in policy.loosens[-1]
        answer = await driver.ask(
            RequestKind.APPROVE, policy=policy.id, plan=policy.digest, reason="the service hangs"
        )
        assert answer.granted, answer.text
        await asked_again(driver, "PROD", "--hard")


@pytest.mark.parametrize("program", ["restart.sh", "health.sh"])
async def test_a_program_of_the_steps_that_was_edited_voids_the_approval(
    project, deploy, asked_again, program
):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        path = project.bin / program
        path.write_text(path.read_text() + "true\n")
        await asked_again(driver, "PROD", program)


async def test_smoke_tests_are_those_that_were_approved_and_not_those_of_the_checkout(in_git, deploy):
    in_git.smoke = '["sh", "smoke.sh"]'
    in_git.settings()
    in_git.queue(deploy("PROD", "production"))
    async with in_git.hosted() as driver:
        await driver.go()
        in_git.write("smoke.sh", "exit 9\n")
        await driver.approve("PROD")
        assert (driver.state("PROD"), driver.run("PROD").reason[:8]) == ("succeeded", "deployed")


async def test_an_artifact_swapped_in_the_private_copy_is_refused(project, deploy):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        stored = driver.host.artifacts._store.path(driver.run("PROD").artifact_digest)
        for folder in (stored, *stored.rglob("*")):
            folder.chmod(0o755)
        (stored / "app.txt").write_text("not what was approved\n")
        await driver.approve("PROD")
        run = driver.run("PROD")
        assert run.state == "failed"
        assert "nothing was changed" in run.reason
        assert run.artifact_digest[:19] in run.reason
        assert driver.effects("PROD") == []
    assert project.current("production") == ""


async def test_a_source_swapped_in_the_private_copy_is_refused(project, deploy):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        stored = driver.host.sources._store.path(driver.run("PROD").source_digest)
        for folder in (stored, *stored.rglob("*")):
            folder.chmod(0o755)
        (stored / "smoke.sh").write_text("echo hello\n")
        await driver.approve("PROD")
        assert driver.state("PROD") == "failed"
        assert driver.effects("PROD") == []


async def test_a_migration_edited_after_the_approval_voids_it(in_git, deploy, migrations):
    migration = migrations()
    in_git.git("add", "-A")
    in_git.git("commit", "-qm", "migrations")
    in_git.git("tag", "v1.1.0")
    in_git.queue(deploy("PROD", "production", "1.1.0", run_migrations=True))
    async with in_git.hosted() as driver:
        await driver.go()
        assert driver.state("PROD") == "waiting", driver.run("PROD").reason
        files = driver.approval("PROD").plan["migrations"]["files"]
        assert [file["revision"] for file in files] == ["0001", "0002"]
        migration.write_text(migration.read_text() + "# edited\n")
        in_git.git("commit", "-qam", "edited")
        in_git.git("tag", "-f", "v1.1.0")
        await driver.approve("PROD")
        assert driver.state("PROD") == "failed"  # the version is on record with another commit
        assert driver.effects("PROD") == []
        assert not in_git.database("production").exists()
