"""The reports of runs that ended: Markdown in the workspace, one file a run, true to the journal."""

from __future__ import annotations

from datetime import timedelta

from opconsole.deliveries import FILES
from opconsole.journal import ops
from opconsole.outbox import Outbox


def _reports(project):
    return sorted((project.root / "reports").glob("*.md"))


def _report(project, driver, task):
    (file,) = (project.root / "reports").glob(f"*-{driver.run(task).id}.md")
    return file.read_text("utf-8")


async def test_a_deployment_that_succeeded_has_a_report(project, deploy):
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.go()
        run = driver.run("D")
        (file,) = _reports(project)
        assert file.name == f"{run.created_at:%Y-%m-%d}-app-D-1-{run.id}.md"
        text = file.read_text("utf-8")
        assert text.startswith("# Deployment report: app:D, deploy 1.0.0 in development\n")
        for part in ("## Plan", run.plan_digest, "## Steps", "## Pre-flight", "## Where things stand"):
            assert part in text
        assert "now serving, by the journal: release 1.0.0-1, version 1.0.0" in text
        assert "Last lines of the log" not in text
        await driver.host.journal.commit(ops.send("report", "app", {"run": run.id}, driver.clock.now()))
        await Outbox(driver.host, FILES).deliver()  # once more, as after a crash
        assert _reports(project) == [file]
        assert file.read_text("utf-8") == text


async def test_an_incident_report_says_what_failed_and_is_brought_up_to_date_by_the_decision(project, deploy):
    project.queue(deploy("ONE", "production"))
    async with project.hosted() as driver:
        await driver.go()
        assert _reports(project) == []  # it only waits
        await driver.approve("ONE")
        project.write("app.txt", "sick\n")
        project.queue(deploy("TWO", "production", "1.1.0"))
        await driver.engine.reload()
        await driver.go()
        await driver.approve("TWO")
        assert driver.state("TWO") == "halted"
        text = _report(project, driver, "TWO")
        assert text.startswith("# Incident report: ")
        assert "halted: " in text
        assert "## Last lines of the log" in text
        assert "it answers 500" in text
        driver.clock.ahead += timedelta(minutes=1)
        assert (await driver.decide("TWO", "abort", reason="we look at it tomorrow")).granted
        await Outbox(driver.host, FILES).deliver()
        text = _report(project, driver, "TWO")
        assert "aborted by ana: we look at it tomorrow" in text
        assert len(_reports(project)) == 2


async def test_secrets_and_markup_stay_out_of_a_report(project, deploy):
    project.environ["API_TOKEN"] = "hush-hush-hush"
    project.project_lines += '\nvariables = {API_TOKEN = "env:API_TOKEN"}\n'
    project.settings()
    project.write("test.sh", 'printf "%s\\n" "# <b>| [x](y) \\033[2J hush-hush-" "hush"; exit 1\n')
    project.queue(deploy("D", "development", "not-hush-hush-hush"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("D") == "failed"
        text = _report(project, driver, "D")
        assert "hush-hush-hush" not in text
        assert "\x1b" not in text
        headings = [line for line in text.splitlines() if line.startswith("#")]
        assert all(line.startswith(("# Incident report", "## ")) for line in headings)


async def test_a_report_that_cannot_be_written_waits_and_harms_nothing(project, deploy):
    (project.root / "reports").write_text("in the way")
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("D") == "succeeded"
        (stuck,) = driver.reader.stuck_outbox()
        assert stuck.error.startswith("report of app could not be written: ")
        assert project.entry("D")["status"] == "complete"
        (project.root / "reports").unlink()
        await Outbox(driver.host, FILES).deliver()
        assert len(_reports(project)) == 1
