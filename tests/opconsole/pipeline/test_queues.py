"""What the queue files say, and what the journal makes of it: claims, retries, dependencies, approvals."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from opconsole.journal.records import RequestKind


async def test_a_claimed_complete_opens_development_and_never_production(project, deploy):
    project.queue(
        deploy("CLAIMED", "staging", status="complete"),
        deploy("DEV", "development", depends_on=["CLAIMED"]),
        deploy("PROD", "production", depends_on=["CLAIMED"]),
    )
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("CLAIMED") == "no run"
        assert driver.state("DEV") == "succeeded"
        assert driver.state("PROD") == "no run"
    assert project.entry("PROD")["status"] == "pending"


async def test_a_task_of_another_kind_is_met_by_its_file_and_never_changed(project, deploy):
    other = {"id": "BUG-1", "agent": "bug-fixer", "status": "completed", "note": "kept as it is"}
    project.queue(other, deploy("PROD", "production", depends_on=["BUG-1"]))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("PROD") == "waiting"
    assert project.entry("BUG-1") == other


async def test_pending_over_a_success_is_not_run_again_without_a_retry(project, deploy):
    project.queue(deploy("DEV", "development"))
    async with project.hosted() as driver:
        await driver.go()
        project.queue(deploy("DEV", "development"))
        await driver.engine.reload()
        await driver.go()
        assert driver.run("DEV").attempt == 1
        assert (await driver.retry("DEV")).granted
        assert (driver.state("DEV"), driver.run("DEV").attempt) == ("succeeded", 2)
    assert project.current("development") == "1.0.0-2"


async def test_what_depends_on_a_failure_is_blocked_until_a_retry_succeeds(project, deploy):
    project.write("broken-test", "")
    project.queue(deploy("ONE", "development"), deploy("TWO", "development", depends_on=["ONE"]))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.engine.scheduler.state("app:TWO") == "blocked"
        assert "ONE: failed: test failed" in driver.engine.scheduler.reason("app:TWO")
        assert driver.reader.attempts("app", "TWO") == 0
        (project.path / "broken-test").unlink()
        assert (await driver.retry("ONE")).granted
        assert (driver.state("ONE"), driver.state("TWO")) == ("succeeded", "succeeded")
    assert project.entry("ONE")["attempts"] == 2
    assert project.entry("ONE").get("error") is None


async def test_a_retry_runs_the_entry_as_it_stands_now(project, deploy):
    project.write("broken-test", "")
    project.queue(deploy("ONE", "development", "1.0.0"))
    async with project.hosted() as driver:
        await driver.go()
        (project.path / "broken-test").unlink()
        project.queue(deploy("ONE", "development", "1.0.1"))
        await driver.retry("ONE")
        assert driver.run("ONE").version == "1.0.1"
    assert project.current("development") == "1.0.1-1"


@pytest.mark.parametrize("own", [True, False])
async def test_attempts_are_capped_over_all_time_and_the_refusal_says_the_number(project, deploy, own):
    project.write("broken-test", "")
    project.policy = "" if own else "[policy]\nmax_iterations = 2"
    project.settings()
    project.queue(deploy("ONE", "development", max_iterations=2 if own else None))
    async with project.hosted() as driver:
        await driver.go()
        assert (await driver.retry("ONE")).granted
        refused = await driver.retry("ONE")
        assert not refused.granted
        assert "ONE was attempted 2 times" in refused.text
        assert "max_iterations" in refused.text
        assert driver.run("ONE").attempt == 2


async def test_a_run_of_the_queue_starts_only_so_many_attempts(project, deploy):
    project.queue(deploy("ONE", "development"), deploy("TWO", "staging"), deploy("THREE", "production"))
    async with project.hosted() as driver:
        await driver.go(max_attempts=2)
        assert [driver.state(task) for task in ("ONE", "TWO", "THREE")] == ["succeeded", "waiting", "no run"]


async def test_a_task_in_development_that_requires_approval_asks(project, deploy):
    project.queue(deploy("DEV", "development", requires_approval=True))
    async with project.hosted() as driver:
        await driver.go()
        approval = driver.approval("DEV")
        assert (approval.why, approval.tier) == (("the task requires approval",), 1)
        assert (await driver.approve("DEV", reason="", environment="")).granted
        assert driver.state("DEV") == "succeeded"


async def test_a_request_that_nobody_answers_in_time_is_a_rejection(project, deploy, clock):
    project.extra["production"] = "expires_after = 3600"
    project.settings()
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        clock.ahead += timedelta(hours=2)
        late = await driver.approve("PROD")
        assert not late.granted
        assert "expired" in late.text
        for follow_up in await driver.engine.answerer.expire():
            await driver.engine.follow(follow_up)
        await driver.idle()
        assert driver.state("PROD") == "rejected"
        assert driver.effects("PROD") == []
    assert project.entry("PROD")["status"] == "blocked"


async def test_only_approvers_decide(project, deploy):
    project.extra["production"] = 'approvers = ["eve", "kim"]'
    project.settings()
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        refused = await driver.approve("PROD", by="ana")
        assert not refused.granted
        assert "allowed: eve, kim" in refused.text
        run = driver.run("PROD").id
        assert not (await driver.ask(RequestKind.REJECT, by="ana", run=run, reason="no")).granted
        assert not (await driver.decide("PROD", "abort", by="ana")).granted
        assert (await driver.approve("PROD", by="eve")).granted
        assert driver.state("PROD") == "succeeded"


async def test_a_dependency_on_another_project(project, deploy):
    lines = (project.root / "opconsole.toml").read_text()
    project.more = lines.replace("projects.app", "projects.web").replace("targets/", "targets/web-")
    project.settings()
    project.queue(deploy("API", "development"))
    project.queue(deploy("WEB", "development", depends_on=["app:API"]), project="web")
    async with project.hosted() as driver:
        await driver.go("web")
        assert driver.state("WEB", "web") == "no run"
        await driver.go("app", "web")
        assert driver.state("API") == "succeeded"
        assert driver.state("WEB", "web") == "succeeded"
        assert driver.run("WEB", "web").seq > driver.run("API").seq


async def test_tasks_that_are_added_while_the_queue_runs_are_picked_up(project, deploy, until):
    project.queue(deploy("ONE", "development"))
    async with project.hosted() as driver, driver.engine.services():
        await driver.go()
        document = json.loads(project.queue_file().read_text())
        document["features"].append(deploy("TWO", "development", depends_on=["ONE"]))
        project.queue_file().write_text(json.dumps(document))
        await until(lambda: "app:TWO" in driver.engine.scheduler.graph)
        await driver.idle()
        assert driver.state("TWO") == "succeeded"


async def test_good_tasks_of_a_file_with_faults_still_run(project, deploy):
    project.queue(
        deploy("BAD", "nowhere"),
        deploy("GOOD", "development"),
        deploy("BEHIND", "development", depends_on=["BAD"]),
    )
    async with project.hosted() as driver:
        [fault] = driver.engine.queue_files["app"].errors
        assert "BAD" in str(fault)
        await driver.go()
        assert driver.state("GOOD") == "succeeded"
        assert driver.state("BEHIND") == "no run"


async def test_a_queue_file_that_is_no_json_is_left_alone_and_said_to_be(project, deploy):
    project.queue_file().write_text('{"features": [')
    async with project.hosted() as driver:
        assert driver.engine.queue_files["app"].errors
        await driver.go()
    assert project.queue_file().read_text() == '{"features": ['


async def test_a_waiting_run_does_not_keep_its_environment_from_others(project, deploy):
    project.queue(deploy("ONE", "development", requires_approval=True), deploy("TWO", "development", "1.0.1"))
    async with project.hosted() as driver:
        await driver.go()
        assert (driver.state("ONE"), driver.state("TWO")) == ("waiting", "succeeded")
        # What TWO changed was not in the plan: the approval is void, and asked again.
        await driver.approve("ONE")
        assert driver.state("ONE") == "waiting"
        await driver.approve("ONE")
        assert driver.state("ONE") == "succeeded"


async def test_a_halted_run_keeps_its_environment_from_others(project, deploy):
    project.write("app.txt", "stubborn\n")
    project.queue(deploy("ONE", "development"), deploy("TWO", "development", "1.0.1"))
    async with project.hosted() as driver:
        await driver.go()
        assert (driver.state("ONE"), driver.state("TWO")) == ("halted", "no run")
        project.write("app.txt", "better\n")
        await driver.decide("ONE", "abort")
        assert driver.state("TWO") == "succeeded"


async def test_a_queue_that_nobody_started_or_that_is_paused_runs_nothing(project, deploy):
    project.queue(deploy("ONE", "development"))
    async with project.hosted() as driver:
        await driver.idle()
        assert driver.state("ONE") == "no run"
        assert not (await driver.ask(RequestKind.START, project="nobody")).granted
        assert (await driver.ask(RequestKind.PAUSE, project="app")).granted
        await driver.idle()
        assert driver.state("ONE") == "no run"
        assert (await driver.ask(RequestKind.START, project="app")).granted
        await driver.idle()
        assert driver.state("ONE") == "succeeded"
