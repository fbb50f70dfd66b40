"""Failures: each ends in a clear state, with the reason; nothing is left half-said."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from opconsole.audit import verify_chain
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.errors import JournalFullError
from opconsole.journal.records import RequestKind, StepState


@pytest.mark.parametrize("environment", ["development", "staging", "production"])
@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("broken-build", "build failed: sh build.sh: exited with status 3"),
        ("broken-test", "test failed: sh test.sh: exited with status 1"),
    ],
)
async def test_what_fails_before_the_gate_fails_everywhere_and_changes_nothing(
    project, deploy, environment, broken, reason
):
    project.write(broken, "")
    project.queue(deploy("D", environment), deploy("NEXT", "development", depends_on=["D"]))
    async with project.hosted() as driver:
        await driver.go()
        assert (driver.state("D"), driver.run("D").reason) == ("failed", reason)
        assert driver.reader.waiting_approvals() == []
        assert driver.effects("D") == []
        assert driver.state("NEXT") == "no run"
        assert "blocked by D: failed" in driver.engine.scheduler.reason("app:NEXT")
        assert {step.state for step in driver.steps("D")} >= {StepState.FAILED, StepState.SKIPPED}
    assert project.entry("D")["error"] == reason
    assert not project.target(environment).exists()
    assert project.deployments()[0]["errors"] == [reason]


async def test_what_a_failing_program_printed_is_in_the_log(project, deploy):
    project.write("broken-build", "")
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert "the compiler gave up" in driver.log("D")


@pytest.mark.parametrize("environment", ["development", "staging"])
async def test_a_failing_health_check_rolls_back_by_itself_outside_production(project, deploy, environment):
    project.queue(deploy("ONE", environment))
    async with project.hosted() as driver:
        await driver.go()
        if environment == "staging":
            await driver.approve("ONE")
        project.write("app.txt", "sick\n")
        project.queue(deploy("TWO", environment, "1.1.0"))
        await driver.engine.reload()
        await driver.go()
        run = driver.run("TWO")
        assert run.state == "rolled_back"
        assert run.reason.startswith("health check failed")
        assert run.reason.endswith("rolled back to 1.0.0")
        current = driver.reader.current_release("app", environment)
        assert current.version == "1.0.0"
        assert driver.reader.lock("app", environment).run is None
        assert {event.detail["priority"] for event in driver.events("alert")} >= {"P0", "P1"}
    assert project.current(environment) == "1.0.0-1"
    restarts = (project.target(environment) / "shared" / "restarts").read_text().split()
    assert restarts == ["1.0.0-1", "1.1.0-1", "1.0.0-1"]
    assert project.entry("TWO")["status"] == "blocked"


async def test_a_first_deployment_that_fails_has_no_way_back_and_halts(project, deploy):
    project.write("app.txt", "stubborn\n")
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.go()
        run = driver.run("D")
        assert run.state == "halted"
        assert "no way back: there is no previous release on record" in run.reason
        assert driver.reader.lock("app", "development").run == run.id
        assert project.entry("D")["status"] == "in_progress"
        refused = await driver.decide("D", "revert")
        assert not refused.granted
        assert "no way back" in refused.text
        assert (await driver.decide("D", "abort")).granted
        assert driver.state("D") == "failed"
        assert driver.reader.lock("app", "development").run is None
    assert project.entry("D")["status"] == "blocked"
    assert project.current("development") == "1.0.0-1"


async def _halted_in_production(project, deploy, driver):
    """Deploy a good version to production, then one whose health fails."""
    project.queue(deploy("ONE", "production"), deploy("AFTER", "development", "2.0.0", depends_on=["TWO"]))
    await driver.engine.reload()
    await driver.go()
    await driver.approve("ONE")
    project.write("app.txt", "stubborn\n")
    project.queue(
        deploy("TWO", "production", "1.1.0"), deploy("AFTER", "development", "2.0.0", depends_on=["TWO"])
    )
    await driver.engine.reload()
    await driver.idle()
    await driver.approve("TWO")
    assert driver.state("TWO") == "halted"
    assert project.current("production") == "1.1.0-1"


async def test_production_halts_and_reverts_only_with_an_approval_of_its_own(project, deploy):
    async with project.hosted() as driver:
        await _halted_in_production(project, deploy, driver)
        forward = driver.run("TWO").plan_digest
        assert (await driver.decide("TWO", "revert", "it answers 500")).granted
        approval = driver.approval("TWO")
        assert (approval.purpose, driver.state("TWO")) == ("revert", "waiting")
        assert approval.digest != forward
        assert driver.reader.lock("app", "production").run == driver.run("TWO").id
        assert not (await driver.approve("TWO", plan=forward)).granted
        assert not (await driver.ask(RequestKind.CANCEL, run=driver.run("TWO").id)).granted
        assert (await driver.approve("TWO")).granted
        run = driver.run("TWO")
        assert run.state == "rolled_back"
        assert run.reason.startswith("the restart program failed")
        assert driver.reader.lock("app", "production").run is None
        assert verify_chain(driver.reader.audit()) is None
    assert project.current("production") == "1.0.0-1"


async def test_a_rejected_revert_leaves_the_run_halted_with_its_lock(project, deploy):
    async with project.hosted() as driver:
        await _halted_in_production(project, deploy, driver)
        await driver.decide("TWO", "revert", "it answers 500")
        await driver.ask(RequestKind.REJECT, run=driver.run("TWO").id, reason="wait")
        await driver.idle()
        run = driver.run("TWO")
        assert run.state == "halted"
        assert driver.reader.lock("app", "production").run == run.id
        assert (await driver.decide("TWO", "override", "it is the checker that is wrong")).granted


async def test_override_runs_nothing_more_and_unblocks_what_depends_on_it(project, deploy):
    async with project.hosted() as driver:
        await _halted_in_production(project, deploy, driver)
        before = driver.effects("TWO")
        assert not (await driver.decide("TWO", "override", "")).granted
        assert (await driver.decide("TWO", "override", "the checker is wrong")).granted
        run = driver.run("TWO")
        assert (run.state, run.overridden) == ("succeeded", True)
        assert run.reason.startswith("overridden by ana: the checker is wrong")
        assert driver.effects("TWO") == before
        assert driver.reader.current_release("app", "production").version == "1.1.0"
        assert driver.state("AFTER") == "halted"  # it ran: its own first deployment is sick, too
    assert project.entry("TWO")["status"] == "complete"


async def test_abort_leaves_things_as_they_are_and_blocks_what_depends_on_it(project, deploy):
    async with project.hosted() as driver:
        await _halted_in_production(project, deploy, driver)
        assert (await driver.decide("TWO", "abort", "we live with it")).granted
        assert driver.state("TWO") == "failed"
        assert driver.reader.current_release("app", "production").version == "1.1.0"
        assert driver.state("AFTER") == "no run"
        assert not (await driver.decide("TWO", "abort")).granted
    assert project.current("production") == "1.1.0-1"


async def test_a_program_that_is_missing_is_named(project, deploy):
    project.build = '["no-such-compiler", "--all"]'
    project.settings()
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.go()
        run = driver.run("D")
        assert run.state == "failed"
        assert "no-such-compiler" in run.reason
        assert "not found" in run.reason or "no such" in run.reason.lower()


async def test_a_restart_that_fails_is_a_failed_effect(project, deploy):
    project.queue(deploy("ONE", "development"))
    async with project.hosted() as driver:
        await driver.go()
        project.write("app.txt", "stubborn\n")
        project.queue(deploy("TWO", "development", "1.1.0"))
        await driver.engine.reload()
        await driver.go()
        run = driver.run("TWO")
        assert run.state == "rolled_back"
        assert "the restart program failed: exited with status 7" in run.reason
    assert project.current("development") == "1.0.0-1"


async def test_a_secret_that_is_missing_is_named_before_anything_changes(project, deploy):
    project.extra["development"] = 'variables = { API_TOKEN = "env:MY_API_TOKEN" }'
    text_before = project.root / "opconsole.toml"
    project.settings()
    text = text_before.read_text()
    # The environment's variables stand in one table only.
    text = text.replace("[projects.app.environments.development.variables]\nTARGET", "#", 1)
    text_before.write_text(text)
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.go()
        run = driver.run("D")
        assert run.state == "failed"
        assert "MY_API_TOKEN" in run.reason
        assert driver.effects("D") == []


async def test_a_secret_never_reaches_the_log(project, deploy):
    (project.bin / "restart.sh").write_text('echo "token is $API_TOKEN"\n')
    path = project.root / "opconsole.toml"
    where = "[projects.app.environments.development.variables]\n"
    path.write_text(path.read_text().replace(where, where + 'API_TOKEN = "env:MY_API_TOKEN"\n'))
    project.environ["MY_API_TOKEN"] = "swordfish-4711"
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("D") == "succeeded"
        assert "token is" in driver.log("D")
        assert "swordfish" not in driver.log("D")
        assert "swordfish" not in str(driver.reader.events_after(0))


# -- versions ------------------------------------------------------------------------------------------


async def test_a_version_without_a_tag_is_refused_in_staging_and_made_in_development(in_git, deploy):
    in_git.write("app.txt", "second\n")
    in_git.git("commit", "-qam", "second")
    in_git.queue(deploy("S", "staging", "1.1.0"))
    async with in_git.hosted() as driver:
        await driver.go()
        assert driver.state("S") == "failed"
        assert "no tag v1.1.0 or 1.1.0" in driver.run("S").reason
        in_git.queue(deploy("D", "development", "1.1.0"))
        await driver.engine.reload()
        await driver.idle()
        assert driver.state("D") == "succeeded"
    assert in_git.git("rev-parse", "v1.1.0^{commit}") == in_git.git("rev-parse", "HEAD")


async def test_a_development_run_that_fails_creates_no_tag(in_git, deploy):
    in_git.write("app.txt", "stubborn\n")
    in_git.git("commit", "-qam", "second")
    in_git.queue(deploy("D", "development", "1.1.0"))
    async with in_git.hosted() as driver:
        await driver.go()
        assert driver.state("D") == "halted"
    assert in_git.git("tag", "--list") == "v1.0.0"


@pytest.mark.parametrize("environment", ["staging", "production"])
async def test_a_version_on_record_with_another_commit_is_refused(in_git, deploy, environment):
    in_git.queue(deploy("D", "development"))
    async with in_git.hosted() as driver:
        await driver.go()
        in_git.write("app.txt", "second\n")
        in_git.git("commit", "-qam", "second")
        in_git.git("tag", "-f", "v1.0.0")
        in_git.queue(deploy("E", environment))
        await driver.engine.reload()
        await driver.idle()
        run = driver.run("E")
        assert run.state == "failed"
        assert "is on record with commit" in run.reason
        assert driver.effects("E") == []


# -- guardrails ----------------------------------------------------------------------------------------


async def test_a_deleted_bucket_blocks_everywhere_with_a_report_and_an_alert(project, deploy):
    project.write("cleanup.py", "import boto3\ns3 = boto3.client('s3')\ns3.delete_bucket(Bucket='b')\n")
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.go()
        run = driver.run("D")
        assert run.state == "blocked"
        assert "cleanup.py:3" in run.reason
        assert run.report["files"][0]["path"] == "cleanup.py"
        assert (False, "S3 safety violations") in run.preflight
        [alert] = driver.events("alert")
        assert alert.detail["priority"] == "P0"
        assert driver.step("D", "build").state is StepState.SKIPPED
    assert project.entry("D")["status"] == "blocked"
    assert not project.target("development").exists()


# -- a full disk ---------------------------------------------------------------------------------------


@pytest.fixture
def fill_journal():
    """Let the journal's database grow by so many pages only, as a full disk would."""
    connections: list[sqlite3.Connection] = []

    def remember(connection, _record):
        connections.append(connection)

    def leave(pages: int) -> None:
        for connection in connections:
            try:
                used = connection.execute("PRAGMA page_count").fetchone()[0]
                connection.execute(f"PRAGMA max_page_count={used + pages}")
            except sqlite3.ProgrammingError:
                continue  # closed, or of another thread: only the writer's counts

    event.listen(Pool, "connect", remember)
    yield leave
    event.remove(Pool, "connect", remember)


async def test_no_effect_starts_when_the_journal_is_full(project, deploy, fill_journal):
    project.queue(deploy("P", "production"))
    async with project.hosted() as driver:
        await driver.go()
        fill_journal(0)
        for size in (4000, 400, 10):
            with pytest.raises(JournalFullError):
                await _fill(driver, size)
        with pytest.raises(JournalFullError):
            await driver.approve("P")
        assert driver.effects("P") == []
        assert driver.state("P") == "waiting"
        fill_journal(10_000)
        await driver.engine.answer_requests()
        await driver.idle()
        assert driver.state("P") in ("waiting", "succeeded")
        if driver.state("P") == "waiting":
            assert (await driver.approve("P")).granted
        assert driver.state("P") == "succeeded"


@pytest.mark.parametrize(
    ("step", "state", "serves"), [("place", "failed", "1.0.0-1"), ("restart", "interrupted", "1.1.0-1")]
)
async def test_31_a_disk_that_fills_up_in_the_middle_lets_no_further_effect_begin(  # noqa: PLR0917 - fixtures
    project, deploy, monkeypatch, step, state, serves
):
    project.queue(deploy("ONE", "development"))
    async with project.hosted() as driver:
        await driver.go()
        project.write("app.txt", "second\n")
        project.queue(deploy("TWO", "development", "1.1.0"))
        await driver.engine.reload()
        commit, full = driver.host.journal.commit, []

        async def until_full(*writes, reserve=False):
            """As the writer does with its ballast: intents are refused, outcomes still fit."""
            full.extend(one for one in writes if getattr(one, "params", {}).get("step") == step)
            if full and not reserve:
                raise JournalFullError("the disk is full; free some space, then retry")
            await commit(*writes, reserve=reserve)

        monkeypatch.setattr(driver.host.journal, "commit", until_full)
        await driver.engine.start("app", None)
        await driver.engine.scheduler.run(until_idle=True)
        monkeypatch.undo()
        run = driver.run("TWO")
        assert run.state == state, run.reason
        assert "the disk is full" in run.reason
        assert step not in driver.effects("TWO")
        assert project.current("development") == serves


async def _fill(driver, size):
    while True:
        noise = ops.event(driver.clock.now(), "noise", "app", detail={"text": "x" * size})
        await driver.host.journal.commit(noise)


async def test_a_log_on_a_full_disk_does_not_fail_a_run(project, deploy, monkeypatch):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    monkeypatch.setattr(Host, "log", lambda self, run: full)
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert (driver.state("D"), driver.run("D").reason) == ("succeeded", "deployed")
    assert project.current("development") == "1.0.0-1"


async def test_a_program_of_the_target_that_is_missing_is_told_before_anybody_is_asked(project, deploy):
    project.restart = '["restart-nothing"]'
    project.settings()
    project.queue(deploy("P", "production"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("P") == "failed"
        assert "'restart-nothing' is not to be found; searched: /usr" in driver.run("P").reason
        assert driver.effects("P") == []


async def test_a_success_is_run_again_only_when_its_entry_was_set_back(project, deploy):
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.go()
        refused = await driver.retry("D")
        assert not refused.granted
        assert "could bring an older version back" in refused.text
        project.queue(deploy("D", "development"))
        await driver.engine.reload()
        assert (await driver.retry("D")).granted
        assert (driver.state("D"), driver.run("D").attempt) == ("succeeded", 2)
