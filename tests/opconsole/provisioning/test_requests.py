"""What a request asks for, what it lacks, what it costs, and the template that it becomes."""

from __future__ import annotations

import contextlib
import json
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.approving import Needed
from opconsole.provisioning.case import CaseError, monthly_usd, read_case
from opconsole.provisioning.cost import PriceTable, PriceTableError, difference, estimate, needed
from opconsole.provisioning.lint import LintError, lint_argv, read_hits
from opconsole.provisioning.resources import Resource, ResourceError, ResourceType, read_resource
from opconsole.provisioning.review import cost_findings, harmful_changes, wide_permissions
from opconsole.provisioning.template import template_of, template_text

GUIDE = """\
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


def test_the_guides_business_case_is_read_in_all_its_parts():
    case = read_case(GUIDE)
    assert case.missing == ()
    assert case.justification == "Store user-uploaded profile photos (HIPAA-compliant storage)"
    assert case.monthly_usd == 50
    assert case.alternatives == (
        "Use existing bucket (rejected - HIPAA isolation requirement)",
        "Cloudflare R2 (rejected - AWS ecosystem integration)",
    )
    assert [risk.partition(":")[0] for risk in case.risks] == ["Security", "Operational", "Data loss"]


def test_a_case_as_an_object_says_the_same():
    assert read_case(read_case(GUIDE).to_json()) == read_case(GUIDE)


def test_each_part_that_is_missing_is_named():
    assert read_case(None).missing == ("justification", "cost_estimate", "alternatives", "risk_assessment")
    assert read_case({"justification": "x", "cost_estimate": "cheap"}).missing == (
        "cost_estimate",
        "alternatives",
        "risk_assessment",
    )


@pytest.mark.parametrize("value", [7, ["a"], {"why": "logs"}, "x" * 30_000])
def test_what_is_no_business_case_is_refused_with_what_it_may_be(value):
    with pytest.raises(CaseError):
        read_case(value)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("$50/month (1TB storage + transfer)", "50"),
        ("about $1,200 per month", "1200"),
        ("US$ 0.75 a month", "0.75"),
        ("USD 90 monthly", "90"),
        ("$600 a year", "50"),
        ("$12.50/mo", "12.5"),
    ],
)
def test_an_amount_a_month_is_read_as_people_write_it(text, amount):
    assert monthly_usd(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "cheap", "$50", "50 euros a month", "$fifty a month", "$50 a week"])
def test_an_amount_without_dollars_or_period_is_not_guessed(text):
    assert monthly_usd(text) is None


def _nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3)


ANYTHING = st.recursive(st.none() | st.text(max_size=40) | st.integers() | st.floats(), _nested, max_leaves=8)


@settings(max_examples=150, deadline=None)
@given(ANYTHING)
def test_whatever_stands_in_an_entry_is_read_or_refused_in_words(value):
    with contextlib.suppress(CaseError):
        read_case(value)
    with contextlib.suppress(ResourceError):
        read_resource(value, project="app")


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("S3 bucket for karematch user uploads", "s3_bucket", "karematch-user-uploads"),
        ("an RDS instance for reports", "rds_instance", "karematch-reports"),
        ("new IAM policy", "iam_policy", None),
    ],
)
def test_a_text_tells_the_kind_and_a_name(text, kind, name):
    if name is None:
        with pytest.raises(ResourceError, match="statements is missing"):
            read_resource(text, project="karematch")
        return
    found = read_resource(text, project="karematch")
    assert (found.type, found.name, found.exact_name) == (kind, name, False)


ALL_OF_IT = {
    "type": "iam_policy",
    "properties": {"statements": [{"actions": ["*"], "resources": ["*"]}]},
}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("EC2 instance", "names none"),
        ("S3 bucket or RDS instance", "several kinds"),
        (None, "resource is missing"),
        ({"type": "s3_bucket", "colour": "red"}, "allowed: type, name, purpose, properties"),
        ({"type": "s3_bucket", "name": "-oProxyCommand=x"}, "resource.name"),
        ({"type": "s3_bucket", "properties": {"public": True}}, "public is not known of an S3 bucket"),
        ({"type": "rds_instance", "properties": {"backup_days": 1}}, "backup_days"),
        ({"type": "rds_instance", "properties": {"storage_gb": "many"}}, "storage_gb"),
        ({"type": "lambda_function", "name": "thumbs"}, "code_bucket is missing"),
        (ALL_OF_IT, "actions"),
    ],
)
def test_what_cannot_be_provisioned_is_refused_with_what_is_allowed(value, said):
    with pytest.raises(ResourceError, match=said):
        read_resource(value, project="app")


def _resources() -> dict[str, Resource]:
    code = {"code_bucket": "code-bucket", "code_key": "thumbs/1.zip"}
    statements = [{"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::photos/*"]}]
    asked: dict[str, dict[str, object]] = {
        "bucket": {"type": "s3_bucket", "name": "photos"},
        "kms": {"type": "s3_bucket", "name": "secret-photos", "properties": {"kms_key": "alias/photos"}},
        "postgres": {"type": "rds_instance", "name": "main-db", "properties": {"multi_az": True}},
        "mysql": {"type": "rds_instance", "name": "shop-db", "properties": {"engine": "mysql"}},
        "mariadb": {"type": "rds_instance", "name": "wiki-db", "properties": {"engine": "mariadb"}},
        "function": {"type": "lambda_function", "name": "thumbs", "properties": code},
        "policy": {"type": "iam_policy", "name": "reader", "properties": {"statements": statements}},
    }
    return {name: read_resource(one, project="app") for name, one in asked.items()}


def test_cfn_lint_has_nothing_to_object_to_in_any_template(tmp_path: Path):
    for name, resource in _resources().items():
        text = template_text(template_of(resource, project="app", task="P-1"))
        (tmp_path / f"{name}.json").write_text(text)
    argv = lint_argv(str(tmp_path / "*.json"), "us-east-1")
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert [(hit.rule, hit.message) for hit in read_hits(done.stdout) if hit.error] == []
    assert done.returncode in (0, 4), done.stderr


def test_cfn_lint_names_what_is_wrong_with_a_template_and_where(tmp_path: Path):
    template = json.loads(template_text(template_of(_resources()["bucket"], project="app", task="P-1")))
    template["Resources"]["Main"]["Properties"]["Colour"] = "red"
    (tmp_path / "t.json").write_text(json.dumps(template, indent=2))
    argv = lint_argv(str(tmp_path / "t.json"), "us-east-1")
    [hit] = read_hits(subprocess.run(argv, check=False, capture_output=True, text=True).stdout)
    assert (hit.rule, hit.error) == ("E3002", True)
    assert "Colour" in hit.message
    assert hit.line > 1
    with pytest.raises(LintError):
        read_hits("Traceback (most recent call last)")


@pytest.mark.parametrize("name", ["bucket", "kms", "postgres", "mysql", "mariadb", "function", "policy"])
def test_what_holds_data_is_kept_when_its_stack_goes(name):
    main = template_of(_resources()[name], project="app", task="P-1")["Resources"]["Main"]
    assert (main["DeletionPolicy"], main["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_safe_defaults_are_written_out():
    resources = _resources()
    bucket = template_of(resources["bucket"], project="app", task="P-1")["Resources"]
    settings_ = bucket["Main"]["Properties"]
    assert set(settings_["PublicAccessBlockConfiguration"].values()) == {True}
    assert settings_["VersioningConfiguration"] == {"Status": "Enabled"}
    [rule] = settings_["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    [deny] = bucket["TlsOnly"]["Properties"]["PolicyDocument"]["Statement"]
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    database = template_of(resources["postgres"], project="app", task="P-1")["Resources"]
    wanted = {"StorageEncrypted": True, "PubliclyAccessible": False, "DeletionProtection": True}
    assert wanted.items() <= database["Main"]["Properties"].items()
    assert database["Parameters"]["Properties"]["Parameters"] == {"rds.force_ssl": "1"}
    assert "MasterUserPassword" not in database["Main"]["Properties"]
    assert {"Key": "Project", "Value": "app"} in settings_["Tags"]


def test_the_guides_bucket_costs_about_what_its_case_says():
    case = read_case(GUIDE)
    bucket = read_resource("S3 bucket for user uploads", project="karematch", hints=case.cost_estimate)
    cost = estimate(bucket, region="us-east-1", table=PriceTable.load())
    assert bucket.properties.model_dump()["storage_gb"] == 1024
    assert abs(difference(cost, case.monthly_usd)) <= Decimal("0.20")
    assert cost.assumptions
    assert [one.rule for one in cost_findings("q", case, cost, Needed())] == ["cost-reviewed"]


def test_a_difference_of_more_than_a_fifth_is_a_finding_either_way():
    bucket = read_resource({"type": "s3_bucket", "name": "photos"}, project="app")
    cost = estimate(bucket, region="us-east-1", table=PriceTable.load())
    for claimed, word in (("$5/month", "more"), ("$300/month", "less")):
        found = cost_findings("q", read_case({"cost_estimate": claimed}), cost, Needed())
        [differs] = [one for one in found if one.rule == "cost-differs"]
        assert word in differs.message


def test_what_is_costly_or_of_unknown_cost_wants_a_senior_approver():
    table = PriceTable.load()
    small = read_resource({"type": "rds_instance", "name": "small"}, project="app")
    huge = {"type": "rds_instance", "name": "odd", "properties": {"instance_class": "db.x9.huge"}}
    odd = read_resource(huge, project="app")
    assert needed(estimate(small, region="us-east-1", table=table), Decimal(20), 500).seniors == 0
    assert needed(estimate(small, region="us-east-1", table=table), Decimal(500), 500).seniors == 1
    unknown = estimate(odd, region="us-east-1", table=table)
    assert unknown.unknown == ("db.x9.huge",)
    people = needed(unknown, Decimal(20), 500)
    assert people.seniors == 1
    assert {"cost-unknown", "cost-senior"} <= {
        one.rule for one in cost_findings("q", read_case(None), unknown, people)
    }


def test_a_region_without_prices_says_whose_prices_are_used():
    bucket = read_resource({"type": "s3_bucket", "name": "photos"}, project="app")
    cost = estimate(bucket, region="mars-north-1", table=PriceTable.load())
    assert "no prices for mars-north-1: those of us-east-1 are used" in cost.assumptions[0]


def test_a_table_of_prices_that_cannot_be_used_is_named(tmp_path: Path):
    own = tmp_path / "prices.json"
    own.write_text('{"as_of": "2026-01-01"}')
    with pytest.raises(PriceTableError, match=r"prices\.json"):
        PriceTable.load(own)


def test_an_action_of_a_whole_service_on_everything_blocks_and_exact_ones_warn():
    def found(action: str) -> list[str]:
        statements = [{"actions": [action], "resources": ["*"]}]
        asked = {"type": "iam_policy", "name": "reader", "properties": {"statements": statements}}
        return [one.verdict.value for one in wide_permissions("q", read_resource(asked, project="app"))]

    assert found("iam:*") == ["block"]
    assert found("s3:ListAllMyBuckets") == ["warn"]


def test_a_change_that_would_lose_something_blocks():
    changes = [
        ("Add", "A", "AWS::S3::Bucket", ""),
        ("Modify", "B", "AWS::RDS::DBInstance", "True"),
        ("Modify", "C", "AWS::S3::Bucket", "False"),
        ("Remove", "D", "AWS::S3::Bucket", ""),
    ]
    found = harmful_changes(changes)
    assert [(one.verdict.value, one.message.partition(" ")[0]) for one in found] == [
        ("block", "B"),
        ("block", "D"),
    ]


def test_every_kind_of_resource_has_a_model_and_words():
    assert {kind.words for kind in ResourceType} == {
        "S3 bucket",
        "RDS instance",
        "Lambda function",
        "IAM policy",
    }
