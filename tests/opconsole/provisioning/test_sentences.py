"""What a sentence asks for is what provisioning reads: the resource, and a business case that is whole."""

from __future__ import annotations

import pytest

from guardrails.environments import STANDARD
from opconsole.provisioning.case import read_case
from opconsole.provisioning.resources import ResourceType, read_resource
from queues.sentences.interpret import interpret
from queues.sentences.known import Known, KnownProject

KNOWN = Known({"karematch": KnownProject("karematch", STANDARD)})
CASE = """
Business Case:
- Justification: Store user-uploaded profile photos (HIPAA-compliant storage)
- Cost estimate: $50/month (1TB storage + transfer)
- Alternatives considered:
  1. Use existing bucket (rejected - HIPAA isolation requirement)
  2. Cloudflare R2 (rejected - AWS ecosystem integration)
- Risk assessment:
  - Security: Bucket will have private ACL, encryption at rest
  - Data loss: Versioning enabled, lifecycle policy for backups
"""


@pytest.mark.parametrize(
    ("order", "kind", "name"),
    [
        ("Provision a new S3 bucket for karematch user uploads.", "s3_bucket", "karematch-user-uploads"),
        ("Provision an S3 bucket named km-uploads for karematch.", "s3_bucket", "km-uploads"),
        ("Provision an RDS instance for karematch reports.", "rds_instance", "karematch-reports"),
    ],
)
def test_the_task_of_a_sentence_can_be_provisioned(order: str, kind: str, name: str) -> None:
    (task,) = interpret(order + "\n" + CASE, KNOWN).tasks
    resource = read_resource(task.entry["resource"], project="karematch")
    assert (resource.type, resource.name) == (ResourceType(kind), name)
    case = read_case(task.entry["business_case"])
    assert (case.missing, case.monthly_usd) == ((), 50)
    assert case.alternatives[1].startswith("Cloudflare R2")
    assert len(case.risks) == 2
