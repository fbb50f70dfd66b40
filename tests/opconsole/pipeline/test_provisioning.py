"""Provisioning against a stand-in for AWS: from the queue entry to the bucket and the committed record."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer

from guardrails.environments import STANDARD
from opconsole.journal.records import RequestKind
from opconsole.provisioning.aws import Aws
from opconsole.provisioning.story import ProvisioningStory
from queues.sentences.interpret import interpret
from queues.sentences.known import Known, KnownProject
from tests.opconsole.pipeline import aws_stand_in

CASE = {
    "justification": "Store user-uploaded profile photos (HIPAA-compliant storage)",
    "cost_estimate": "$50/month (1TB storage + transfer)",
    "alternatives": [
        "Use existing bucket (rejected - HIPAA isolation requirement)",
        "Cloudflare R2 (rejected)",
    ],
    "risk_assessment": {"security": "private, encrypted", "data_loss": "versioned"},
}
ACCOUNT = "123456789012"


def entry(**changed: Any) -> dict[str, object]:
    return {
        "id": "PROVISION-001",
        "agent_type": "provisioning",
        "status": "pending",
        "resource": "S3 bucket for app user uploads",
        "business_case": CASE,
        **changed,
    }


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    aws_stand_in.complete()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Cloud:
    """The stand-in, asked as anybody would."""

    def __init__(self, address: str) -> None:
        self._keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
        self._address = address

    def of(self, service: Any) -> Any:
        return boto3.client(service, endpoint_url=self._address, **self._keys)

    def stacks(self) -> list[str]:
        return [one["StackName"] for one in self.of("cloudformation").list_stacks()["StackSummaries"]]

    def buckets(self) -> list[str]:
        return [one["Name"] for one in self.of("s3").list_buckets()["Buckets"]]


@pytest.fixture
def cloud(address: str, project: Any) -> Cloud:
    with urlopen(Request(f"{address}/moto-api/reset", method="POST"), timeout=30) as answer:
        assert answer.status == 200
    repository = project.root / "infrastructure"
    repository.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main", str(repository)], check=True)
    project.policy = f'[aws]\nregion = "us-east-1"\naccount = "{ACCOUNT}"\nendpoint = "{address}"\n'
    project.environ |= {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    project.settings()
    return Cloud(address)


TASK = "PROVISION-001"
RECORD = "infrastructure/app/app-user-uploads"
PATIENCE = 180.0
"""Seconds: cfn-lint alone takes several, and more on a busy machine."""


async def go(driver: Any) -> None:
    await driver.engine.start("app", None)
    await idle(driver)


async def idle(driver: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        await driver.engine.until_idle()


def git(project: Any, *words: str) -> list[str]:
    argv = ["git", "-C", str(project.root / "infrastructure"), *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()


async def approve(driver: Any, task: str = TASK, by: str | None = None) -> Any:
    approval, run = driver.approval(task), driver.run(task)
    payload = {"plan": approval.digest, "reason": "the case is sound", "environment": run.environment}
    answer = await driver.ask(RequestKind.APPROVE, by, run=run.id, **payload)
    await idle(driver)
    return answer


async def test_the_guides_bucket_is_provisioned_once_somebody_approves(project: Any, cloud: Cloud) -> None:
    project.queue(entry(completion_promise="PROVISIONED"))
    async with project.hosted() as driver:
        await go(driver)
        assert driver.state(TASK) == "waiting", driver.run(TASK).reason
        assert cloud.buckets() == []
        approval = driver.approval(TASK)
        assert driver.run(TASK).environment == "aws"
        assert approval.plan["provisioning"]["change_set"]["changes"] == [
            ["Add", "Main", "AWS::S3::Bucket", ""],
            ["Add", "TlsOnly", "AWS::S3::BucketPolicy", ""],
        ]
        assert [text for passed, text in driver.run(TASK).preflight if passed] == [
            "Business case complete",
            "Cost estimated: $52.91 a month (prices as of 2025-06-01)",
            "Template checked by cfn-lint",
            f"Account {ACCOUNT} confirmed",
            "Change set with 2 changes",
        ]
        answer = await approve(driver)
        assert answer.granted, answer.text
        assert driver.state(TASK) == "succeeded", driver.run(TASK).reason
        assert "4 promises hold" in driver.log(TASK)
        assert [event.detail["text"] for event in driver.events("promise")] == ["PROVISIONED"]
        digest = approval.digest
    name = f"app-user-uploads-{ACCOUNT}"
    assert cloud.buckets() == [name]
    assert cloud.of("s3").get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert project.entry(TASK)["status"] == "complete"
    record = json.loads((project.root / RECORD / "record.json").read_text())
    assert record["decisions"][0]["reason"] == "the case is sound"
    assert record["decisions"][0]["plan"] == digest
    assert record["outputs"]["BucketName"] == name
    page = (project.root / RECORD / "README.md").read_text()
    assert "Use existing bucket (rejected - HIPAA isolation requirement)" in page
    assert "| **estimate** (prices as of 2025-06-01) | **52.91** |" in page
    assert git(project, "log", "--format=%s") == ["Provision S3 bucket app-user-uploads for app"]
    assert git(project, "status", "--porcelain") == []


SENTENCE = """\
Provision a new S3 bucket for app user uploads.

Business Case:
- Justification: Store user-uploaded profile photos (HIPAA-compliant storage)
- Cost estimate: $50/month (1TB storage + transfer)
- Alternatives considered:
  1. Use existing bucket (rejected - HIPAA isolation requirement)
  2. Cloudflare R2 (rejected - AWS ecosystem integration)
- Risk assessment:
  - Security: Bucket will have private ACL, encryption at rest
  - Operational: Standard S3 SLA (99.99% availability)
  - Data loss: Versioning enabled, lifecycle policy for backups
"""


async def test_the_guides_sentence_becomes_a_bucket_and_a_committed_record(
    project: Any, cloud: Cloud
) -> None:
    outcome = interpret(SENTENCE, Known({"app": KnownProject("app", STANDARD)}))
    [heard] = outcome.tasks
    asked = dict(heard.entry)
    project.queue(asked)
    task = str(asked["id"])
    async with project.hosted() as driver:
        await go(driver)
        assert driver.state(task) == "waiting", driver.run(task).reason
        assert (await approve(driver, task)).granted
        assert driver.state(task) == "succeeded", driver.run(task).reason
    [bucket] = cloud.buckets()
    [line] = git(project, "log", "--format=%s")
    assert bucket.startswith("app-")
    assert line.startswith("Provision S3 bucket ")
    [record] = (project.root / "infrastructure" / "app").glob("*/record.json")
    kept = json.loads(record.read_text())
    assert kept["outputs"]["BucketName"] == bucket
    assert kept["business_case"]["monthly_usd"] == "50"
    assert len(kept["business_case"]["alternatives"]) == 2


async def test_what_the_case_lacks_is_asked_for_item_by_item_and_nothing_is_made(
    project: Any, cloud: Cloud
) -> None:
    project.queue(entry(business_case={"justification": "photos", "cost_estimate": "not much"}))
    async with project.hosted() as driver:
        await go(driver)
        run = driver.run(TASK)
        assert run.state.value == "blocked"
        found = run.report["files"][0]["findings"]
        assert [(one["rule"], one["message"]) for one in found] == [
            ("business-case-incomplete", "the business case has no cost estimate"),
            ("business-case-incomplete", "the business case has no alternatives"),
            ("business-case-incomplete", "the business case has no risk assessment"),
        ]
        assert "US dollars a month" in found[0]["fix"]
    assert cloud.stacks() == []


async def test_another_account_than_the_settings_name_is_refused(project: Any, cloud: Cloud) -> None:
    project.policy = project.policy.replace(ACCOUNT, "999999999999")
    project.settings()
    project.queue(entry())
    async with project.hosted() as driver:
        await go(driver)
        run = driver.run(TASK)
        assert run.state.value == "failed"
        assert f"this is account {ACCOUNT}, but the settings say 999999999999" in run.reason
        assert "$25.91 a month: storage" in driver.log(TASK)
    assert cloud.stacks() == []


async def test_an_entry_that_is_edited_after_the_approval_was_asked_for_is_asked_about_again(
    project: Any, cloud: Cloud
) -> None:
    project.queue(entry())
    async with project.hosted() as driver:
        await go(driver)
        first = driver.approval(TASK).digest
        project.queue(entry(resource={"type": "s3_bucket", "name": "other-name"}))
        await driver.engine.reload()
        await approve(driver)
        assert cloud.buckets() == []
        assert driver.state(TASK) == "waiting"
        assert driver.approval(TASK).digest != first
        assert driver.approval(TASK).plan["provisioning"]["stack"] == "opconsole-other-name"


async def test_a_costly_database_takes_two_people_one_of_them_senior(project: Any, cloud: Cloud) -> None:
    project.policy += '[approvals]\napprovers = ["ana", "ben", "eve"]\nseniors = ["eve"]\n'
    project.settings()
    properties = {"instance_class": "db.r6g.2xlarge", "multi_az": True, "storage_gb": 500}
    case = {**CASE, "cost_estimate": "$1,300 per month"}
    resource = {"type": "rds_instance", "name": "main-db", "properties": properties}
    project.queue(entry(resource=resource, business_case=case))
    async with project.hosted() as driver:
        await go(driver)
        assert driver.state(TASK) == "waiting", driver.run(TASK).reason
        approval = driver.approval(TASK)
        assert approval.tier == 3
        assert "its cost wants a second, senior approver" in approval.why
        assert approval.plan["provisioning"]["cost"]["monthly_usd"] == "1427.94"
        assert approval.plan["needs"] == {"approvals": 2, "seniors": 1}
        first = await approve(driver, by="ana")
        assert "still needs" in first.text
        second = await approve(driver, by="ben")
        assert "a senior approver: eve" in second.text
        assert cloud.stacks() == ["opconsole-main-db"]
        assert driver.state(TASK) == "waiting"
        assert (await approve(driver, by="eve")).granted
        assert driver.state(TASK) == "succeeded", driver.run(TASK).reason
    [database] = cloud.of("rds").describe_db_instances()["DBInstances"]
    assert (database["StorageEncrypted"], database["DeletionProtection"]) == (True, True)
    record = json.loads((project.root / "infrastructure/app/main-db/record.json").read_text())
    assert record["decisions"][0]["by"] == "ana, ben, eve"


class DiedError(BaseException):
    """Ends the work on a run as the end of its process would: nothing of it is recorded."""


async def test_a_worker_that_dies_while_aws_is_at_work_executes_nothing_twice(
    project: Any, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed: list[str] = []
    execute = Aws.execute

    def counted(aws: Aws, stack: str, name: str) -> None:
        executed.append(name)
        execute(aws, stack, name)

    async def dies(*_: object) -> str:
        raise DiedError

    monkeypatch.setattr(Aws, "execute", counted)
    project.queue(entry())
    async with project.hosted() as driver:
        await go(driver)
        with monkeypatch.context() as patch:
            patch.setattr(ProvisioningStory, "_settled", dies)
            with contextlib.suppress(DiedError):
                await approve(driver)
        assert driver.state(TASK) == "running"
    async with project.hosted() as driver:
        await idle(driver)
        assert driver.state(TASK) == "succeeded", driver.run(TASK).reason
    assert len(executed) == 1
    assert cloud.buckets() == [f"app-user-uploads-{ACCOUNT}"]


async def test_what_is_not_as_asked_when_it_is_read_back_is_for_a_person_to_decide(
    project: Any, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = ProvisioningStory._settled

    async def meddled(story: ProvisioningStory, context: Any, stack: str) -> str:
        told = await settled(story, context, stack)
        cloud.of("s3").put_bucket_versioning(
            Bucket=f"app-user-uploads-{ACCOUNT}", VersioningConfiguration={"Status": "Suspended"}
        )
        return told

    monkeypatch.setattr(ProvisioningStory, "_settled", meddled)
    project.queue(entry())
    async with project.hosted() as driver:
        await go(driver)
        await approve(driver)
        run = driver.run(TASK)
        assert run.state.value == "halted"
        assert "the resource is not versioned" in run.reason
        answer = await driver.ask(RequestKind.DECIDE, run=run.id, verb="revert", reason="no")
        assert not answer.granted
        assert "no way back" in answer.text
        answer = await driver.ask(RequestKind.DECIDE, run=run.id, verb="override", reason="set by hand")
        assert answer.granted, answer.text


async def test_a_second_run_for_the_same_resource_changes_nothing_and_says_so(
    project: Any, cloud: Cloud
) -> None:
    del cloud
    project.queue(entry(), entry(id="PROVISION-002", depends_on=[TASK]))
    async with project.hosted() as driver:
        await go(driver)
        await approve(driver)
        assert driver.state(TASK) == "succeeded", driver.run(TASK).reason
        run = driver.run("PROVISION-002")
        assert run.state.value in ("failed", "waiting"), run.reason
