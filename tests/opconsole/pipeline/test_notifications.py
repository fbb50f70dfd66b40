"""Being told: real runs, and a webhook receiver that hears of them through Apprise."""

from __future__ import annotations

from datetime import timedelta

import pytest

from opconsole.notifying import STALE


@pytest.fixture
def channels(project, receiver):
    """Give the project the policy's channels, each at a path of the receiver."""

    def configure(*names, more=""):
        for name in names:
            project.environ[f"{name.upper()}_URL"] = receiver.url(name)
            project.more += f'\n[notifications.channels.{name}]\nurl = "env:{name.upper()}_URL"\n{more}\n'
        project.settings()

    return configure


async def test_production_that_waits_is_told_to_ops_in_plain_words(project, deploy, channels, receiver):
    channels("ops", "incident", "security", "deployments")
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("PROD") == "waiting"
        assert receiver.titles("ops") == ["[P1] app production: an approval waits"]
        (text,) = receiver.texts("ops")
        assert "PROD, version 1.0.0, wants to go on in production of app." in text
        assert driver.run("PROD").id in text
        assert [where for where, _ in receiver.taken] == ["ops"]
        assert driver.reader.open_outbox() == []


async def test_a_failure_is_told_to_incident_a_rollback_to_deployments(project, deploy, channels, receiver):
    channels("incident", "deployments")
    project.queue(deploy("ONE", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert receiver.taken == []  # nobody of the policy hears of a success
        project.write("app.txt", "sick\n")
        project.queue(deploy("TWO", "development", "1.1.0"))
        await driver.engine.reload()
        await driver.go()
        assert driver.state("TWO") == "rolled_back"
        assert receiver.titles("deployments") == ["[P1] app development: rolled back"]
        project.write("broken-test", "")
        project.queue(deploy("THREE", "development", "1.2.0"))
        await driver.engine.reload()
        await driver.go()
        assert receiver.titles("incident") == ["[P0] app development: a run failed"]


async def test_a_blocked_violation_is_told_to_security(project, deploy, channels, receiver):
    channels("security")
    project.write("cleanup.py", "import boto3\ns3 = boto3.client('s3')\ns3.delete_bucket(Bucket='b')\n")
    project.queue(deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("D") == "blocked"
        assert receiver.titles("security") == ["[P0] app development: blocked by the guardrails"]


async def test_a_channel_that_fails_is_shown_tried_again_and_never_fatal(project, deploy, channels, receiver):
    channels("ops", "chat")
    project.environ["OPS_URL"] = "json://127.0.0.1:1/secret-token"  # nobody listens there
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("PROD") == "waiting"
        assert receiver.titles("chat") == ["[P1] app production: an approval waits"]
        (stuck,) = driver.reader.stuck_outbox()
        assert (stuck.kind, stuck.payload["channel"]) == ("notify", "ops")
        assert stuck.error.startswith("channel ops of the notifications: ")
        assert "secret-token" not in stuck.error
        assert any(stuck.error == event.detail["text"] for event in driver.events("alert"))
        await driver.approve("PROD")
        assert driver.state("PROD") == "succeeded"
    project.environ["OPS_URL"] = receiver.url("ops")
    async with project.hosted() as driver:
        await driver.idle()
        assert receiver.titles("ops") == ["[P1] app production: an approval waits"]
        assert driver.reader.open_outbox() == []


async def test_a_receiver_that_refuses_gets_it_later(project, deploy, channels, receiver):
    channels("ops")
    receiver.status = 503
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        assert receiver.refused == 1
        assert "503" in driver.reader.stuck_outbox()[0].error
    receiver.status = 200
    async with project.hosted() as driver:
        await driver.idle()
        assert len(receiver.taken) == 1


async def test_a_secret_that_a_reason_repeats_is_masked(project, deploy, channels, receiver):
    channels("incident")
    project.environ["API_TOKEN"] = "hush-hush-hush"
    project.project_lines += '\nvariables = {API_TOKEN = "env:API_TOKEN"}\n'
    project.settings()
    project.queue(deploy("D", "development", "not-hush-hush-hush"))
    project.write("broken-test", "")
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("D") == "failed"
        (text,) = receiver.texts("incident")
        assert "hush-hush-hush" not in text
        assert "not-***" in text


async def test_in_quiet_hours_only_p0_is_told_and_the_rest_when_they_end(project, deploy, channels, receiver):
    now = project.clock.now().astimezone()
    begin, end = now - timedelta(hours=1), now + timedelta(hours=1)
    channels("chat", more=f'quiet = "{begin:%H:%M}-{end:%H:%M}"')
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        assert receiver.taken == []
        (waiting,) = driver.reader.open_outbox()
        assert waiting.error is None
    project.write("broken-test", "")
    project.queue(deploy("PROD", "production"), deploy("D", "development"))
    async with project.hosted() as driver:
        await driver.go()
        assert receiver.titles("chat") == ["[P0] app development: a run failed"]
        project.clock.ahead += timedelta(hours=2)
    async with project.hosted() as driver:
        await driver.idle()
        assert receiver.titles("chat")[-1] == "[P1] app production: an approval waits"


async def test_what_could_not_be_told_for_a_day_is_given_up(project, deploy, channels, receiver):
    channels("ops")
    receiver.status = 500
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.reader.stuck_outbox()
        project.clock.ahead += STALE + timedelta(minutes=1)
    receiver.status = 200
    async with project.hosted() as driver:
        await driver.idle()
        assert receiver.taken == []
        assert driver.reader.open_outbox() == []
