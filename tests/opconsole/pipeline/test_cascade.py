"""The guide's cascade: development by itself, staging the first time, production always."""

from __future__ import annotations

from opconsole.audit import verify_chain
from opconsole.journal.records import RequestKind


async def test_development_deploys_by_itself_staging_asks_the_first_time_and_production_always(
    project, cascade
):
    project.queue(*cascade())
    async with project.hosted() as driver:
        await driver.go()
        assert (driver.state("DEV"), driver.state("STAGING")) == ("succeeded", "waiting")
        assert driver.state("PROD") == "no run"
        assert driver.approval("STAGING").why == ("first time in staging",)
        assert (await driver.approve("STAGING")).granted
        assert driver.state("STAGING") == "succeeded"
        assert driver.approval("PROD").why == ("production always needs approval",)
        assert (await driver.approve("PROD")).granted
        assert driver.state("PROD") == "succeeded"
        project.write("app.txt", "second\n")
        project.queue(*cascade("1.1.0", "-2"))
        await driver.engine.reload()
        await driver.idle()
        assert (driver.state("DEV-2"), driver.state("STAGING-2")) == ("succeeded", "succeeded")
        assert driver.state("PROD-2") == "waiting"
        assert verify_chain(driver.reader.audit()) is None
    assert [project.current(name) for name in ("development", "staging", "production")] == [
        "1.1.0-1",
        "1.1.0-1",
        "1.0.0-1",
    ]


async def test_the_same_artifact_reaches_every_environment(project, cascade):
    project.queue(*cascade())
    async with project.hosted() as driver:
        await driver.go()
        await driver.approve("STAGING")
        await driver.approve("PROD")
        digests = {driver.run(task).artifact_digest for task in ("DEV", "STAGING", "PROD")}
        assert len(digests) == 1
        assert "built before" in driver.step("PROD", "build").detail


async def test_an_approval_names_the_digest_of_its_plan(project, deploy):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        digest = driver.approval("PROD").digest
        answer = await driver.approve("PROD", plan="sha256:" + "0" * 64)
        assert not answer.granted
        assert digest in answer.text
        assert driver.state("PROD") == "waiting"
        assert not (await driver.approve("PROD", plan="")).granted
        assert driver.effects("PROD") == []


async def test_staging_and_production_want_a_reason_and_the_name_of_the_environment(project, deploy):
    project.queue(deploy("STAGING", "staging"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.approval("STAGING").tier == 2
        assert "reason" in (await driver.approve("STAGING", reason="  ")).text
        wrong = await driver.approve("STAGING", environment="production")
        assert not wrong.granted
        assert "'production'" in wrong.text
        assert "'staging'" in wrong.text
        assert (await driver.approve("STAGING")).granted


async def test_a_production_run_stays_unverified_until_somebody_verifies_it_once(project, deploy):
    project.queue(deploy("PROD", "production"), deploy("DEV", "development"))
    async with project.hosted() as driver:
        await driver.go()
        early = await driver.ask(RequestKind.VERIFY, run=driver.run("PROD").id, reason="looks fine")
        assert not early.granted
        await driver.approve("PROD")
        run = driver.run("PROD")
        assert (run.state, run.verified_at) == ("succeeded", None)
        assert "manual verification required" in run.reason
        assert not (await driver.ask(RequestKind.VERIFY, run=run.id, reason="")).granted
        assert (await driver.ask(RequestKind.VERIFY, run=run.id, reason="looks fine")).granted
        run = driver.run("PROD")
        assert (run.verified_by, run.verified_reason) == ("ana", "looks fine")
        assert "already" in (await driver.ask(RequestKind.VERIFY, run=run.id, reason="again")).text
        dev = driver.run("DEV").id
        assert not (await driver.ask(RequestKind.VERIFY, run=dev, reason="looks fine")).granted


async def test_the_queue_file_says_how_each_task_stands(project, cascade):
    project.queue(*cascade())
    async with project.hosted() as driver:
        await driver.go()
        dev, staging, prod = (project.entry(task) for task in ("DEV", "STAGING", "PROD"))
        assert (dev["status"], dev["attempts"], dev.get("error")) == ("complete", 1, None)
        assert dev["completed_at"] >= dev["last_attempt"]
        assert (staging["status"], staging["attempts"]) == ("in_progress", 1)
        assert staging["last_attempt"]
        assert not staging.get("completed_at")
        assert prod["status"] == "pending"
        assert "attempts" not in prod
        reject = await driver.ask(RequestKind.REJECT, run=driver.run("STAGING").id, reason="not today")
        assert reject.granted
        await driver.idle()
        staging = project.entry("STAGING")
        assert staging["status"] == "blocked"
        assert staging["error"] == "rejected by ana: not today"
        assert project.entry("PROD")["status"] == "pending"


async def test_deployments_json_lists_what_happened(project, deploy):
    project.queue(deploy("DEV", "development"))
    async with project.hosted() as driver:
        await driver.go()
        project.write("app.txt", "sick\n")
        project.queue(deploy("DEV", "development"), deploy("DEV-2", "development", "1.1.0"))
        await driver.engine.reload()
        await driver.go()
    first, second = project.deployments()
    assert (first["environment"], first["version"], first["status"]) == ("development", "1.0.0", "success")
    assert (first["errors"], first["rollback_executed"]) == ([], False)
    assert first["started_at"] <= first["completed_at"]
    assert (second["status"], second["rollback_executed"]) == ("rolled_back", True)
    assert "health check failed" in second["errors"][0]


async def test_the_promise_is_kept_only_when_the_whole_pipeline_has_succeeded(project, deploy):
    project.queue(
        deploy("DEV", "development", completion_promise="ALL IS DEPLOYED"),
        deploy("STAGING", "staging", completion_promise="NEVER SAID"),
    )
    async with project.hosted() as driver:
        await driver.go()
        await driver.ask(RequestKind.REJECT, run=driver.run("STAGING").id, reason="no")
        assert [event.detail["text"] for event in driver.events("promise")] == ["ALL IS DEPLOYED"]
        assert "ALL IS DEPLOYED" in driver.log("DEV")
        assert "NEVER SAID" not in driver.log("STAGING")


async def test_whoever_follows_along_hears_of_runs_steps_and_approvals(project, deploy):
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        await driver.approve("PROD")
        states = [event.state for event in driver.events("run")]
        assert states == ["preflight", "waiting", "running", "succeeded"]
        ran = [event.step for event in driver.events("step") if event.state == "succeeded"]
        assert ran[:5] == ["export", "scan", "test", "build", "seal"]
        assert ran[5:] == ["compare", "place", "switch", "restart", "health"]
        [asked], [granted] = driver.events("approval"), driver.events("approved")
        assert asked.detail["digest"] == granted.detail["digest"]
        assert [event.detail["priority"] for event in driver.events("alert")] == ["P1"]


async def test_a_smoke_test_that_fails_takes_the_deployment_back(project, deploy):
    project.smoke = '["sh", "smoke.sh"]'
    project.settings()
    project.queue(deploy("DEV", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.effects("DEV")[-1] == "smoke"
        project.write("app.txt", "smoke-me\n")
        project.queue(deploy("DEV-2", "development", "1.1.0"))
        await driver.engine.reload()
        await driver.go()
        assert driver.state("DEV-2") == "rolled_back"
        assert "smoke failed" in driver.run("DEV-2").reason
    assert project.current("development") == "1.0.0-1"


async def test_a_version_is_built_once_for_all_environments_even_when_they_build_at_once(project, deploy):
    project.write("build.sh", "mkdir dist && date +%s%N > dist/app.txt && sleep 0.2\n")
    project.queue(deploy("D", "development"), deploy("S", "staging"), deploy("P", "production"))
    async with project.hosted() as driver:
        await driver.go()
        digests = {driver.run(task).artifact_digest for task in ("D", "S", "P")}
        for task in ("S", "P"):
            await driver.approve(task)
        assert {driver.state(task) for task in ("D", "S", "P")} == {"succeeded"}
    assert len(digests) == 1


async def test_what_was_built_and_is_no_longer_whole_is_built_again_and_recorded_anew(project, deploy):
    project.write("build.sh", "mkdir dist && date +%s%N > dist/app.txt\n")
    project.queue(deploy("ONE", "development"))
    async with project.hosted() as driver:
        await driver.go()
        first = driver.run("ONE").artifact_digest
        await driver.host.artifacts.prune([])
        project.queue(deploy("TWO", "development"), deploy("THREE", "development", depends_on=["TWO"]))
        await driver.engine.reload()
        await driver.go()
        assert driver.run("TWO").artifact_digest != first
        assert driver.run("THREE").artifact_digest == driver.run("TWO").artifact_digest
