"""A provisioning request: what a queue entry asks for, worked out as far as no cloud is needed for it.

Case, resource, template and cost follow from the entry, the settings and the table of prices alone; so a
request can be looked at without any access to AWS, and derived again to the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from guardrails.approving import Needed
from guardrails.findings import Finding
from opconsole.provisioning.case import BusinessCase, CaseError, read_case
from opconsole.provisioning.cost import CostEstimate, PriceTable, PriceTableError, estimate, needed
from opconsole.provisioning.resources import Resource, ResourceError, read_resource
from opconsole.provisioning.review import cost_findings, incomplete, unfit, wide_permissions
from opconsole.provisioning.template import template_of, template_text
from opconsole.runs import environment_of
from opconsole.settings.aws import AwsSection, aws_over
from opconsole.workspace import Workspace
from queues.tasks import Task


class RequestError(Exception):
    """A request that cannot be worked out; *findings* say everything that is wrong with it."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        super().__init__("; ".join(f"{one.message}; {one.fix}" for one in findings))


@dataclass(frozen=True, slots=True)
class ProvisioningRequest:
    """What is asked for, with everything that follows from it."""

    resource: Resource
    case: BusinessCase
    cost: CostEstimate
    needed: Needed
    """How many must approve a cost like that."""
    template: str
    """As it is sent."""
    findings: tuple[Finding, ...]
    """Of the review; cfn-lint's and the change set's come later."""

    def to_json(self) -> dict[str, object]:
        """Give what the plan says of it."""
        return {
            "resource": self.resource.to_json(),
            "business_case": self.case.to_json(),
            "cost": self.cost.to_json(),
            "template": self.template,
        }


def work_out(workspace: Workspace, task: Task) -> ProvisioningRequest:
    """Work a queue entry's request out. Reads the table of prices, so call it in a thread.

    Raises RequestError with a finding for each thing that is missing or wrong.
    """
    place = f"{workspace.settings.workspace.queues}/{workspace.queue_path(task.project).name}"
    findings: list[Finding] = []
    case, resource = BusinessCase(), None
    try:
        case = read_case(task.business_case)
        findings += incomplete(place, case)
    except CaseError as error:
        findings += unfit(place, [str(error)])
    try:
        resource = read_resource(
            task.resource, project=task.project, hints=f"{case.cost_estimate} {task.description}"
        )
    except ResourceError as error:
        findings += unfit(place, error.faults)
    aws = aws_of(workspace, task.project)
    try:
        table = PriceTable.load(None if aws.prices is None else workspace.path(aws.prices))
    except PriceTableError as error:
        findings += unfit(place, [str(error)])
    if findings or resource is None:
        raise RequestError(tuple(findings))
    cost = estimate(resource, region=aws.region, table=table)
    rules = workspace.rules(task.project, environment_of(task))
    people = needed(cost, case.monthly_usd, rules.senior_over)
    review = [*cost_findings(place, case, cost, people), *wide_permissions(place, resource)]
    template = template_text(template_of(resource, project=task.project, task=task.id))
    return ProvisioningRequest(resource, case, cost, people, template, tuple(review))


def aws_of(workspace: Workspace, project: str) -> AwsSection:
    """Give how AWS is reached for a project: its own settings, over the workspace's."""
    return aws_over(workspace.settings.aws, workspace.project(project).aws)


def repository_of(workspace: Workspace, project: str) -> Path:
    """Give the folder of the infrastructure repository."""
    return workspace.path(aws_of(workspace, project).repository)
